/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Scenarios: the core's behaviour, case by case, from the files that are named as arguments. README.md has the lines.
 *
 *      TALLY_SCENARIO   only scenarios whose titles match this pattern
 */

#include "tests/unit/core/scene.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/base/buffer.h"
#include "shared/base/file.h"

/* A file's text is at most this long. */
#define FILE_MAX 200000

struct scenario {
        const char *file, *title;
        int first; /* number of its first line */
        struct string_list lines;
};

static struct arena *memory;

/* For each name of an `each` line the value of this run. */
struct binding {
        const char *name, *value;
};

static const char *substituted(struct arena *a, const char *text, const struct binding *bound, size_t n) {
        for (size_t i = 0; i < n; i++) {
                const char *name = arena_printf(a, "$%s", bound[i].name), *at;

                while ((at = strstr(text, name)))
                        text = arena_printf(a, "%.*s%s%s", (int)(at - text), text, bound[i].value, at + strlen(name));
        }
        return text;
}

/* The @at-th part of "a,b,c". */
static const char *part(struct arena *a, const char *text, size_t at) {
        for (; at > 0 && text; at--)
                text = strchr(text, ',') ? strchr(text, ',') + 1 : NULL;
        return text ? arena_strndup(a, text, strcspn(text, ",")) : NULL;
}

static void play_from(struct scene *c, const struct scenario *s, size_t at, struct binding *bound, size_t n);

/* each NAME[,NAME…] VALUE[,VALUE…] …: what follows is played once for each of the values. */
static void play_each(const struct scenario *s, size_t at, struct line *l, struct binding *bound, size_t n) {
        const char *names = line_word(l), *values;
        size_t parts = 0;

        if (at > 0 && !str_after(s->lines.items[at - 1].text, "each "))
                line_fail(l, "each stands before all other lines");
        for (; part(memory, names, parts); parts++)
                bound[n + parts].name = part(memory, names, parts);
        while ((values = line_try(l))) {
                struct scene c = { .line = NULL };

                for (size_t i = 0; i < parts; i++)
                        if (!(bound[n + i].value = part(memory, values, i)))
                                line_fail(l, "'%s' has too few values", values);
                if (part(memory, values, parts))
                        line_fail(l, "'%s' has too many values", values);
                play_from(&c, s, at + 1, bound, n + parts);
                scene_done(&c);
        }
}

static void play_from(struct scene *c, const struct scenario *s, size_t at, struct binding *bound, size_t n) {
        const char *variation = "";

        for (size_t i = 0; i < n; i++)
                variation = arena_printf(memory, "%s %s=%s", variation, bound[i].name, bound[i].value);
        for (; at < s->lines.n; at++) {
                struct line *l = arena_new_of(memory, struct line);

                *l = (struct line){ .file = s->file, .number = s->first + (int)at, .variation = variation };
                if (!line_split(l, substituted(memory, s->lines.items[at].text, bound, n), memory))
                        continue;
                if (line_flag(l, "each")) {
                        play_each(s, at, l, bound, n);
                        return;
                }
                for (size_t i = 0; i < l->n; i++)
                        if (l->words[i][0] == '$' || strstr(l->words[i], "=$"))
                                line_fail(l, "nothing gives '%s' a value", l->words[i]);
                scene_play(c, l);
        }
}

static void play(void **state) {
        const struct scenario *s = *state;
        struct binding bound[16];
        struct scene c = { .line = NULL };

        memory = arena_new();
        play_from(&c, s, 0, bound, 0);
        scene_done(&c);
        arena_free(memory);
}

/* A scenario begins with its title, "[…]", at the beginning of a line. */
static void read_file(const char *path, struct arena *a, struct struct_list *ret) {
        own_fault struct fault fault = FAULT_INIT;
        own_buffer struct buffer text = BUFFER_INIT;
        const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
        struct scenario *s = NULL;
        char *rest, *line;

        if (file_read(AT_FDCWD, path, FILE_MAX, &text, &fault) < 0)
                fail_msg("%s: %s", path, fault.message);
        rest = arena_strdup(a, buffer_str(&text));
        for (int number = 1; (line = strsep(&rest, "\n")); number++) {
                struct line l = { .file = name, .number = number };

                if (line[0] == '[') {
                        s = arena_push(a, &ret->items, &ret->n, sizeof(*s));
                        *s = (struct scenario){ .file = name,
                                                .title = arena_strndup(a, line + 1, strcspn(line + 1, "]")),
                                                .first = number + 1 };
                        continue;
                }
                if (!s && line_split(&l, line, a)) {
                        print_error("%s:%d: it stands before the first title\n", name, number);
                        exit(EXIT_FAILURE);
                }
                if (s)
                        ((struct text_at *)arena_push(a, &s->lines.items, &s->lines.n, sizeof(struct text_at)))->text =
                                line;
        }
}

int main(int argc, char **argv) {
        own_arena struct arena *a = arena_new();
        const char *only = getenv("TALLY_SCENARIO");
        struct struct_list scenarios = { .items = NULL };
        struct CMUnitTest *tests;
        size_t n = 0;

        for (int i = 1; i < argc; i++)
                read_file(argv[i], a, &scenarios);
        tests = arena_array(a, scenarios.n, sizeof(*tests));
        for (size_t i = 0; i < scenarios.n; i++) {
                struct scenario *s = (struct scenario *)scenarios.items + i;

                if (!only || pattern_matches(only, s->title))
                        tests[n++] = (struct CMUnitTest){ .name = s->title, .test_func = play, .initial_state = s };
        }
        if (n == 0) {
                print_error("usage: FILE..., and a scenario in them\n");
                return EXIT_FAILURE;
        }
        return _cmocka_run_group_tests("scenarios", tests, n, NULL, NULL);
}
