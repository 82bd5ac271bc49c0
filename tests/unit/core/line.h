/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Line: one line of a scenario, as words that must all be taken
 *
 * Words are separated by blanks; double quotes keep blanks together; '#' begins a comment. Every reader takes the words
 * that it understands. line_end() fails the test when a word is left, so a mistyped word is never ignored.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/arena.h"

#define LINE_WORDS 40

struct line {
        const char *file;
        int number;
        const char *variation; /* of the scenario, for messages */
        char *words[LINE_WORDS];
        bool taken[LINE_WORDS];
        size_t n;
};

/* False: the line is empty. */
bool line_split(struct line *l, const char *text, struct arena *a);

_Noreturn void line_fail(const struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The next word; NULL: none is left. */
const char *line_try(struct line *l);
/* The next word, which must be there. */
const char *line_word(struct line *l);
/* Take the word @name from anywhere. */
bool line_flag(struct line *l, const char *name);
/* Take NAME=VALUE from anywhere; NULL: it is not there. */
const char *line_option(struct line *l, const char *name);
/* A number or a duration, perhaps with a sign. */
bool line_parse(const char *text, int64_t *ret);
int64_t line_number(struct line *l, const char *text);
int64_t line_option_number(struct line *l, const char *name, int64_t otherwise);
/* Which of @names (@n of them) the text is. */
int line_choice(struct line *l, const char *text, const char *const *names, int n);
void line_end(const struct line *l);
