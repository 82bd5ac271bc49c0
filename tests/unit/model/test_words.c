/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/compose/words.h"
#include "tests/lib/group.h"
#include "tests/unit/model/support.h"

static void commands_are_split_as_compose_splits_them(void **state) {
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "", "" },
                { "   ", "" },
                { "a b", "a|b" },
                { " a\tb\nc ", "a|b|c" },
                { "a 'b c' d", "a|b c|d" },
                { "a \"b c\"d", "a|b cd" },
                { "a '' b", "a||b" },
                { "a\\ b", "a b" },
                { "'a\\b'", "a\\b" },
                { "\"a\\\"b\"", "a\"b" },
                { "sh -c 'x | y; z'", "sh|-c|x | y; z" },
        };
        struct source_pos nowhere = { 0 };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                own_buffer struct buffer joined = BUFFER_INIT;
                struct string_list words;

                assert_int_equal(words_split(cases[i].in, &nowhere, a, &words, &fault), 0);
                for (size_t k = 0; k < words.n; k++)
                        buffer_printf(&joined, "%s%s", k ? "|" : "", words.items[k].text);
                assert_string_equal(buffer_str(&joined), cases[i].out);
        }
}

static void what_a_shell_would_do_is_refused(void **state) {
        static const struct {
                const char *in, *part;
        } cases[] = {
                { "a 'b", "not closed" },       { "a \"b", "not closed" },    { "a \\", "backslash" },
                { "a | b", "shell operator" },  { "a; b", "shell operator" }, { "a > b", "shell operator" },
                { "a && b", "shell operator" }, { "(a)", "shell operator" },
        };
        struct source_pos nowhere = { 0 };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                struct string_list words;

                assert_int_equal(words_split(cases[i].in, &nowhere, a, &words, &fault), -EINVAL);
                assert_fault(&fault, "LOAD_INVALID", cases[i].part);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_split_as_compose_splits_them),
        cmocka_unit_test(what_a_shell_would_do_is_refused),
};

TEST_GROUP(words, tests);
