/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/data/json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"

/*
 * Reading
 */

/* Where a byte stands. The source keeps no text: what is read here may hold credentials, which no fault may quote. */
static struct source_pos position_of(const struct source *source, const char *text, size_t offset) {
        struct source_pos at = { .source = source, .line = 1 };
        size_t line = 0;

        for (size_t i = 0; i < offset; i++)
                if (text[i] == '\n') {
                        at.line++;
                        line = i + 1;
                }
        at.column = (unsigned)utf8_length(text + line, offset - line) + 1;
        return at;
}

/* jansson recurses, so depth is bounded before it sees the text. Returns @size, or where it becomes too deep. */
static size_t find_too_deep(const char *text, size_t size) {
        bool inside = false;
        size_t depth = 0;

        for (size_t i = 0; i < size; i++) {
                char c = text[i];

                if (inside) {
                        if (c == '\\')
                                i++;
                        else if (c == '"')
                                inside = false;
                } else if (c == '"')
                        inside = true;
                else if (c == '[' || c == '{') {
                        if (++depth > LIMIT_JSON_DEPTH)
                                return i;
                } else if ((c == ']' || c == '}') && depth > 0)
                        depth--;
        }
        return size;
}

static size_t find_bad_utf8(const char *text, size_t size) {
        uint32_t c;
        size_t at = 0, step;

        while (at < size && (step = utf8_decode(text + at, size - at, &c)) > 0)
                at += step;
        return at;
}

static int check_text(const struct source *source, const char *text, size_t size, struct fault *reterr) {
        struct source_pos at = { .source = source };
        const char *nul;
        size_t bad;

        if (size > LIMIT_JSON_BYTES)
                return fault_set_at(reterr, &at, "the JSON text has more than %d bytes", LIMIT_JSON_BYTES);
        if (!utf8_is_valid(text, size)) {
                bad = find_bad_utf8(text, size);
                at = position_of(source, text, bad);
                return fault_set_at(reterr, &at, "the byte 0x%02x is not UTF-8", (unsigned char)text[bad]);
        }
        nul = memchr(text, '\0', size);
        if (nul) {
                at = position_of(source, text, (size_t)(nul - text));
                return fault_set_at(reterr, &at, "a NUL byte in a JSON text");
        }
        bad = find_too_deep(text, size);
        if (bad < size) {
                at = position_of(source, text, bad);
                return fault_set_at(reterr, &at, "the JSON text is nested deeper than %d levels", LIMIT_JSON_DEPTH);
        }
        return 0;
}

/* jansson's own words; " near '…'" is cut off, because it quotes the text. */
static int refuse_jansson(const struct source *source, const json_error_t *error, struct fault *reterr) {
        struct source_pos at = { .source = source };
        const char *near = strstr(error->text, " near ");

        if (json_error_code(error) == json_error_out_of_memory)
                return fault_set_oom(reterr);
        if (error->line > 0) {
                at.line = (unsigned)error->line;
                at.column = error->column > 0 ? (unsigned)error->column : 1;
        }
        if (json_error_code(error) == json_error_duplicate_key)
                return fault_set_at(reterr, &at, "repeated key");
        return fault_set_at(reterr, &at, "not JSON: %.*s", (int)(near ? near - error->text : JSON_ERROR_TEXT_LENGTH),
                            error->text);
}

int json_parse(const char *name, const void *bytes, size_t size, json_t **ret, struct fault *reterr) {
        const struct source source = { .name = name };
        const char *text = size > 0 ? bytes : "";
        json_error_t error = { .line = -1 };
        json_t *value;
        int r;

        r = check_text(&source, text, size, reterr);
        if (r < 0)
                return r;
        value = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
        if (!value)
                return refuse_jansson(&source, &error, reterr);
        *ret = value;
        return 0;
}

/*
 * Canonical form: RFC 8785
 */

/* Section 3.2.2.2: the two-character escapes, \u00xx for other controls, everything else as it is. */
static void put_string(struct buffer *out, const char *s, size_t size) {
        static const char escapes[32] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
        size_t plain = 0;

        buffer_putc(out, '"');
        for (size_t i = 0; i < size; i++) {
                unsigned char c = (unsigned char)s[i];

                if (c >= 0x20 && c != '"' && c != '\\')
                        continue;
                buffer_append(out, s + plain, i - plain);
                plain = i + 1;
                if (c >= 0x20)
                        buffer_printf(out, "\\%c", c);
                else if (escapes[c])
                        buffer_printf(out, "\\%c", escapes[c]);
                else
                        buffer_printf(out, "\\u%04x", c);
        }
        buffer_append(out, s + plain, size - plain);
        buffer_putc(out, '"');
}

/*
 * Section 3.2.3: by UTF-16 code units. UTF-8 sorts by code points, which differs in one thing: characters beyond
 * U+FFFF (lead bytes 0xf0 and up) are surrogates in UTF-16 and come before U+E000..U+FFFF (0xee and 0xef).
 */
static int compare_keys(const void *a, const void *b) {
        const unsigned char *x = *(const unsigned char *const *)a, *y = *(const unsigned char *const *)b;
        int p, q;

        while (*x && *x == *y) {
                x++;
                y++;
        }
        p = *x == 0xee || *x == 0xef ? *x + 0x10 : *x;
        q = *y == 0xee || *y == 0xef ? *y + 0x10 : *y;
        return p - q;
}

static int put_value(const json_t *value, struct buffer *out, unsigned depth, struct fault *reterr);

static int put_object(const json_t *value, struct buffer *out, unsigned depth, struct fault *reterr) {
        size_t n = json_object_size(value), i = 0;
        own_free const char **keys = NULL;
        int r;

        keys = calloc(n + 1, sizeof(*keys));
        if (!keys)
                return fault_set_oom(reterr);
        for (void *at = json_object_iter((json_t *)value); at; at = json_object_iter_next((json_t *)value, at))
                keys[i++] = json_object_iter_key(at);
        qsort(keys, n, sizeof(*keys), compare_keys);

        buffer_putc(out, '{');
        for (i = 0; i < n; i++) {
                if (i > 0)
                        buffer_putc(out, ',');
                put_string(out, keys[i], strlen(keys[i]));
                buffer_putc(out, ':');
                r = put_value(json_object_get(value, keys[i]), out, depth + 1, reterr);
                if (r < 0)
                        return r;
        }
        buffer_putc(out, '}');
        return 0;
}

static int put_array(const json_t *value, struct buffer *out, unsigned depth, struct fault *reterr) {
        int r;

        buffer_putc(out, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
                if (i > 0)
                        buffer_putc(out, ',');
                r = put_value(json_array_get(value, i), out, depth + 1, reterr);
                if (r < 0)
                        return r;
        }
        buffer_putc(out, ']');
        return 0;
}

static int put_value(const json_t *value, struct buffer *out, unsigned depth, struct fault *reterr) {
        if ((json_is_object(value) || json_is_array(value)) && depth >= LIMIT_JSON_DEPTH)
                return fault_set(reterr, FAULT_INTERNAL, 0, "a JSON value is nested deeper than %d levels",
                                 LIMIT_JSON_DEPTH);

        switch (json_typeof(value)) {
        case JSON_OBJECT:
                return put_object(value, out, depth, reterr);
        case JSON_ARRAY:
                return put_array(value, out, depth, reterr);
        case JSON_STRING:
                put_string(out, json_string_value(value), json_string_length(value));
                return 0;
        case JSON_INTEGER:
                buffer_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
                return 0;
        case JSON_REAL:
                return fault_set(reterr, FAULT_INTERNAL, 0, "a real number has no canonical form here");
        case JSON_TRUE:
                buffer_puts(out, "true");
                return 0;
        case JSON_FALSE:
                buffer_puts(out, "false");
                return 0;
        case JSON_NULL:
                break;
        }
        buffer_puts(out, "null");
        return 0;
}

int json_canonical(const json_t *value, struct buffer *out, struct fault *reterr) {
        int r;

        assert(value);
        r = put_value(value, out, 0, reterr);
        if (r < 0)
                return r;
        return buffer_check(out, "canonical JSON", reterr);
}

/*
 * For people
 */

static int put_chunk(const char *chunk, size_t size, void *out) {
        buffer_append(out, chunk, size);
        return 0;
}

int json_pretty(const json_t *value, struct buffer *out, struct fault *reterr) {
        assert(value);
        if (json_dump_callback(value, put_chunk, out, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY) < 0)
                return fault_set(reterr, FAULT_INTERNAL, 0, "a JSON value cannot be written");
        buffer_putc(out, '\n');
        return buffer_check(out, "JSON text", reterr);
}

/*
 * Convenience
 */

const char *json_get_string(const json_t *object, const char *key) {
        return json_string_value(json_object_get(object, key));
}

int64_t json_get_integer(const json_t *object, const char *key, int64_t otherwise) {
        const json_t *v = json_object_get(object, key);

        return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

bool json_get_bool(const json_t *object, const char *key, bool otherwise) {
        const json_t *v = json_object_get(object, key);

        return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

json_t *json_text(const char *bytes) {
        own_buffer struct buffer escaped = BUFFER_INIT;
        json_t *text;

        if (!bytes)
                return json_null();
        text = json_string(bytes);
        if (!text) {
                buffer_append_utf8(&escaped, bytes, strlen(bytes));
                text = escaped.failed ? NULL : json_string(buffer_str(&escaped));
        }
        if (!text)
                abort(); /* no memory */
        return text;
}

void json_set_string(json_t *object, const char *key, const char *value) {
        if (value && json_object_set_new(object, key, json_text(value)) < 0)
                abort();
}
