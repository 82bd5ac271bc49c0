/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/data/yaml_write.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/data/yaml_scalar.h"

/* Words that YAML 1.1 reads as booleans, or 1.2 and 1.1 as null. */
static const char *const reserved[] = { "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", NULL };

/*
 * Neither a number nor a time nor anything else to any reader: it begins with a letter, or holds a '/' like an image.
 * Keys may be 1.1's booleans: `on:` is how people write it.
 */
static bool looks_like_text(const char *s, bool is_key) {
        for (size_t i = 0; reserved[i] && !is_key; i++)
                if (strcasecmp(s, reserved[i]) == 0)
                        return false;
        return isalpha((unsigned char)*s) || (isdigit((unsigned char)*s) && strchr(s, '/'));
}

static bool may_be_plain(const char *s, bool is_key) {
        struct node n = { .type = NODE_NULL, .text = s };
        size_t size = strlen(s);

        if (size == 0 || !looks_like_text(s, is_key) || s[size - 1] == ' ' || s[size - 1] == ':')
                return false;
        for (const char *p = s; *p; p++) {
                if (!isalnum((unsigned char)*p) && !strchr(" ._/@:+=-()<>", *p))
                        return false;
                if (*p == ':' && p[1] == ' ')
                        return false;
        }
        return yaml_scalar_resolve(&n, NULL, true) == 0 && n.type == NODE_STRING;
}

/*
 * Double quotes: C0 and C1 controls, line and paragraph separators and the BOM are escaped, all else stands as it is.
 */
static void put_quoted(const char *s, struct buffer *out) {
        size_t left = strlen(s), n;
        uint32_t c;

        buffer_putc(out, '"');
        for (; left > 0; s += n, left -= n) {
                n = utf8_decode(s, left, &c);
                if (n == 0)
                        n = 1, c = 0xfffd;
                if (c == '"' || c == '\\')
                        buffer_printf(out, "\\%c", (int)c);
                else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff)
                        buffer_printf(out, "\\u%04x", (unsigned)c);
                else
                        buffer_append(out, s, n);
        }
        buffer_putc(out, '"');
}

static void put_string(const char *s, bool is_key, struct buffer *out) {
        if (may_be_plain(s, is_key))
                buffer_puts(out, s);
        else
                put_quoted(s, out);
}

/* Also an object of which nothing would be written. */
static bool is_absent(const json_t *value, unsigned depth) {
        const char *key;
        json_t *member;

        if (json_is_array(value))
                return json_array_size(value) == 0;
        if (!json_is_object(value) || depth > LIMIT_YAML_DEPTH)
                return json_is_null(value);
        json_object_foreach((json_t *)(uintptr_t)value, key, member) if (!is_absent(member, depth + 1)) return false;
        return true;
}

static int put_value(const json_t *value, unsigned depth, bool in_list, struct buffer *out, struct fault *reterr);

static void indent(unsigned depth, struct buffer *out) {
        for (unsigned i = 0; i < depth; i++)
                buffer_puts(out, "  ");
}

/* @in_list: the first member stands on the line of the list's dash. */
static int put_object(const json_t *object, unsigned depth, bool in_list, struct buffer *out, struct fault *reterr) {
        bool first = in_list;
        const char *key;
        json_t *value;
        int r;

        json_object_foreach((json_t *)(uintptr_t)object, key, value) {
                if (is_absent(value, depth))
                        continue;
                if (!first)
                        indent(depth, out);
                first = false;
                put_string(key, true, out);
                buffer_putc(out, ':');
                r = put_value(value, depth, false, out, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int put_array(const json_t *array, unsigned depth, struct buffer *out, struct fault *reterr) {
        json_t *value;
        size_t i;
        int r;

        json_array_foreach(array, i, value) {
                indent(depth, out);
                buffer_putc(out, '-');
                r = put_value(value, depth, true, out, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Behind a ':' or '-'. */
static int put_value(const json_t *value, unsigned depth, bool in_list, struct buffer *out, struct fault *reterr) {
        if (depth > LIMIT_YAML_DEPTH)
                return fault_set(reterr, FAULT_INTERNAL, EFBIG, "a document is nested deeper than %d",
                                 LIMIT_YAML_DEPTH);
        if (is_absent(value, depth)) {
                buffer_puts(out, json_is_array(value) ? " []\n" : json_is_object(value) ? " {}\n" : " null\n");
                return 0;
        }
        if (json_is_object(value)) {
                buffer_putc(out, in_list ? ' ' : '\n');
                return put_object(value, depth + 1, in_list, out, reterr);
        }
        if (json_is_array(value)) {
                buffer_putc(out, '\n');
                return put_array(value, depth + 1, out, reterr);
        }
        buffer_putc(out, ' ');
        if (json_is_string(value))
                put_string(json_string_value(value), false, out);
        else if (json_is_integer(value))
                buffer_printf(out, "%lld", (long long)json_integer_value(value));
        else if (json_is_boolean(value))
                buffer_puts(out, json_is_true(value) ? "true" : "false");
        else
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "a real number is not written");
        buffer_putc(out, '\n');
        return 0;
}

int yaml_write(const json_t *value, struct buffer *out, struct fault *reterr) {
        int r = put_object(value, 0, false, out, reterr);

        return r < 0 ? r : buffer_check(out, "a document", reterr);
}
