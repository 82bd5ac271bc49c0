/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/unit/core/line.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shared/base/text.h"

void line_fail(const struct line *l, const char *fmt, ...) {
        char text[2000];
        va_list args;

        va_start(args, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        fail_msg("%s:%d: %s%s%s", l->file, l->number, text, l->variation && l->variation[0] ? "; with " : "",
                 l->variation ? l->variation : "");
        abort();
}

bool line_split(struct line *l, const char *text, struct arena *a) {
        char *to = arena_alloc(a, strlen(text) + 1);

        l->n = 0;
        while (true) {
                bool quoted = false;

                while (isspace((unsigned char)*text))
                        text++;
                if (*text == '\0' || *text == '#')
                        return l->n > 0;
                if (l->n == LINE_WORDS)
                        line_fail(l, "the line has too many words");
                l->taken[l->n] = false;
                l->words[l->n++] = to;
                for (; *text && (quoted || !isspace((unsigned char)*text)); text++)
                        if (*text == '"')
                                quoted = !quoted;
                        else
                                *to++ = *text;
                *to++ = '\0';
                if (quoted)
                        line_fail(l, "a quote is not closed");
        }
}

const char *line_try(struct line *l) {
        for (size_t i = 0; i < l->n; i++)
                if (!l->taken[i]) {
                        l->taken[i] = true;
                        return l->words[i];
                }
        return NULL;
}

const char *line_word(struct line *l) {
        const char *word = line_try(l);

        if (!word)
                line_fail(l, "a word is missing");
        return word;
}

bool line_flag(struct line *l, const char *name) {
        for (size_t i = 0; i < l->n; i++)
                if (!l->taken[i] && str_eq(l->words[i], name))
                        return l->taken[i] = true;
        return false;
}

const char *line_option(struct line *l, const char *name) {
        for (size_t i = 0; i < l->n; i++) {
                const char *rest = l->taken[i] ? NULL : str_after(l->words[i], name);

                if (!rest || *rest != '=')
                        continue;
                l->taken[i] = true;
                return rest + 1;
        }
        return NULL;
}

bool line_parse(const char *text, int64_t *ret) {
        bool minus = *text == '-';

        if (*text == '-' || *text == '+')
                text++;
        if (parse_i64(text, ret) < 0 && parse_duration(text, ret) < 0)
                return false;
        *ret = minus ? -*ret : *ret;
        return true;
}

int64_t line_number(struct line *l, const char *text) {
        int64_t n;

        if (!line_parse(text, &n))
                line_fail(l, "'%s' is neither a number nor a duration", text);
        return n;
}

int64_t line_option_number(struct line *l, const char *name, int64_t otherwise) {
        const char *text = line_option(l, name);

        return text ? line_number(l, text) : otherwise;
}

int line_choice(struct line *l, const char *text, const char *const *names, int n) {
        for (int i = 0; i < n; i++)
                if (str_eq(names[i], text))
                        return i;
        line_fail(l, "'%s' is not one of the words that may stand here", text);
}

void line_end(const struct line *l) {
        for (size_t i = 0; i < l->n; i++)
                if (!l->taken[i])
                        line_fail(l, "'%s' is not understood here", l->words[i]);
}
