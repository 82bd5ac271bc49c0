/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/compose/dotenv.h"

#include <string.h>

#include "shared/base/buffer.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

struct reader {
        const struct dotenv_input *in;
        struct arena *arena;
        struct source source;
        const char *p;
        unsigned line;
        const char *line_start;
        struct string_map pairs;
};

static struct source_pos here(const struct reader *r, const char *p) {
        return (struct source_pos){
                .source = &r->source,
                .line = r->line,
                .column = (unsigned)utf8_length(r->line_start, (size_t)(p - r->line_start)) + 1,
        };
}

static int refuse(const struct source_pos *at, const char *code, const char *message, const char *hint,
                  struct fault *reterr) {
        int r = fault_set_at(reterr, at, "%s", message);

        reterr->code = code;
        if (hint)
                fault_hint(reterr, "%s", hint);
        return r;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

static bool is_end(char c) {
        return c == '\0' || c == '\n';
}

static void skip_blanks(struct reader *r) {
        while (is_blank(*r->p))
                r->p++;
}

/* The values given win over what stands above in the file, as they do for docker compose. */
static const char *lookup(const void *data, const char *name) {
        const struct reader *r = data;
        const char *value = variables_get(r->in->variables, name);

        for (size_t i = r->pairs.n; !value && i > 0; i--)
                if (str_eq(r->pairs.items[i - 1].key.text, name))
                        value = r->pairs.items[i - 1].value.text;
        return value;
}

static int read_key(struct reader *r, struct text_at *ret, struct fault *reterr) {
        const char *start;
        struct source_pos at;

        if (strncmp(r->p, "export", 6) == 0 && is_blank(r->p[6])) {
                r->p += 6;
                skip_blanks(r);
        }
        start = r->p;
        at = here(r, start);
        while (!is_end(*r->p) && !is_blank(*r->p) && *r->p != '=')
                r->p++;
        *ret = (struct text_at){ .text = arena_strndup(r->arena, start, (size_t)(r->p - start)), .at = at };
        if (!variable_name_is_valid(ret->text))
                return refuse(&at, REASON_LOAD_INVALID, "an env file has lines of the form NAME=value",
                              "a name is made of letters, digits and _, and begins with no digit", reterr);
        return 0;
}

static void newline(struct reader *r) {
        r->line++;
        r->line_start = r->p + 1;
}

static char unescape(char c) {
        switch (c) {
        case 'n':
                return '\n';
        case 'r':
                return '\r';
        case 't':
                return '\t';
        default:
                return c;
        }
}

/* Behind a quoted value only blanks and a comment may stand. */
static int read_rest(struct reader *r, struct fault *reterr) {
        skip_blanks(r);
        if (*r->p == '#')
                r->p += strcspn(r->p, "\n");
        if (!is_end(*r->p)) {
                struct source_pos at = here(r, r->p);

                return refuse(&at, REASON_LOAD_INVALID, "something stands behind the closing quote", NULL, reterr);
        }
        return 0;
}

static int read_quoted(struct reader *r, struct text_at *ret, struct fault *reterr) {
        own_buffer struct buffer out = BUFFER_INIT;
        struct source_pos at = here(r, r->p);
        char quote = *r->p++;
        const char *text;
        int k;

        for (; *r->p && *r->p != quote; r->p++) {
                if (*r->p == '\n')
                        newline(r);
                if (*r->p == '\\' && quote == '"' && r->p[1] && r->p[1] != '\n') {
                        r->p++;
                        /* "\$" is a dollar sign also for the variables that are replaced afterwards. */
                        if (*r->p == '$')
                                buffer_putc(&out, '$');
                        buffer_putc(&out, unescape(*r->p));
                } else {
                        buffer_putc(&out, *r->p);
                }
        }
        if (*r->p != quote)
                return refuse(&at, REASON_LOAD_INVALID, "the quote is not closed", NULL, reterr);
        r->p++;
        k = buffer_check(&out, "env file value", reterr);
        if (k < 0)
                return k;
        text = arena_strndup(r->arena, buffer_str(&out), out.size);
        if (quote == '"') {
                k = interpolate_text(text, &at, lookup, r, r->arena, &text, reterr);
                if (k < 0)
                        return k;
        }
        *ret = (struct text_at){ .text = text, .at = at };
        return read_rest(r, reterr);
}

static int read_plain(struct reader *r, struct text_at *ret, struct fault *reterr) {
        struct source_pos at = here(r, r->p);
        const char *start = r->p, *end;

        while (!is_end(*r->p) && !(*r->p == '#' && (r->p == start || is_blank(r->p[-1]))))
                r->p++;
        end = r->p;
        r->p += strcspn(r->p, "\n");
        while (end > start && is_blank(end[-1]))
                end--;
        *ret = (struct text_at){ .text = arena_strndup(r->arena, start, (size_t)(end - start)), .at = at };
        return interpolate_text(ret->text, &at, lookup, r, r->arena, &ret->text, reterr);
}

static int read_value(struct reader *r, struct text_at *ret, struct fault *reterr) {
        if (r->in->raw) {
                size_t n = strcspn(r->p, "\n");

                *ret = (struct text_at){ .text = arena_strndup(r->arena, r->p, n), .at = here(r, r->p) };
                r->p += n;
                return 0;
        }
        skip_blanks(r);
        if (*r->p == '"' || *r->p == '\'')
                return read_quoted(r, ret, reterr);
        return read_plain(r, ret, reterr);
}

/* One line, and the lines that its quotes go on over; r->p stands at its end afterwards. */
static int read_line(struct reader *r, struct fault *reterr) {
        struct string_pair pair = { 0 };
        int k;

        skip_blanks(r);
        if (*r->p == '#')
                r->p += strcspn(r->p, "\n");
        if (is_end(*r->p))
                return 0;

        k = read_key(r, &pair.key, reterr);
        if (k < 0)
                return k;
        if (!r->in->raw)
                skip_blanks(r);
        pair.value.at = here(r, r->p);
        if (*r->p == '=') {
                r->p++;
                k = read_value(r, &pair.value, reterr);
                if (k < 0)
                        return k;
        } else if (!is_end(*r->p)) {
                return refuse(&pair.value.at, REASON_LOAD_INVALID, "the name is not followed by '='",
                              "an env file has lines of the form NAME=value", reterr);
        }
        *(struct string_pair *)arena_push(r->arena, &r->pairs.items, &r->pairs.n, sizeof(pair)) = pair;
        return 0;
}

/* A copy with LF line ends, without BOM. */
static int copy_text(const struct dotenv_input *in, struct arena *a, struct source *ret, struct fault *reterr) {
        const char *bytes = in->bytes;
        struct source_pos at = { .source = ret, .line = 1, .column = 1 };
        size_t n = in->size, size = 0;
        char *text;

        *ret = (struct source){ .name = in->name };
        if (n > LIMIT_DOCUMENT_BYTES)
                return refuse(&at, REASON_LOAD_LIMIT, "the env file is too large (LIMIT_DOCUMENT_BYTES)", NULL, reterr);
        if (!utf8_is_valid(bytes, n) || memchr(bytes, '\0', n))
                return refuse(&at, REASON_LOAD_INVALID, "the env file is not UTF-8 text", NULL, reterr);
        if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
                bytes += 3;
                n -= 3;
        }
        text = arena_alloc(a, n + 1);
        for (size_t i = 0; i < n; i++)
                if (bytes[i] != '\r' || i + 1 == n || bytes[i + 1] != '\n')
                        text[size++] = bytes[i];
        *ret = (struct source){ .name = in->name, .text = text, .size = size };
        return 0;
}

int dotenv_parse(const struct dotenv_input *in, struct arena *a, struct string_map *ret, struct fault *reterr) {
        struct reader *r = arena_new_of(a, struct reader);
        int k;

        *r = (struct reader){ .in = in, .arena = a, .line = 1 };
        k = copy_text(in, a, &r->source, reterr);
        if (k < 0)
                return k;

        r->p = r->line_start = r->source.text;
        for (;;) {
                k = read_line(r, reterr);
                if (k < 0)
                        return k;
                if (*r->p == '\0')
                        break;
                newline(r);
                r->p++;
                if (r->line > LIMIT_ENV_LINES) {
                        struct source_pos at = here(r, r->p);

                        return refuse(&at, REASON_LOAD_LIMIT, "the env file has too many lines (LIMIT_ENV_LINES)", NULL,
                                      reterr);
                }
        }
        *ret = r->pairs;
        return 0;
}
