/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/base/limits.h"
#include "tests/lib/group.h"
#include "tests/unit/model/support.h"

static const struct variable sorted[] = { { "EMPTY", "" }, { "N", "7" }, { "SET", "value" }, { "T", "true" } };
static const struct variables given = { .items = sorted, .n = 4 };

static int expand(const char *text, struct arena *a, const char **ret, struct fault *reterr) {
        struct source_pos nowhere = { 0 };

        return interpolate_text(text, &nowhere, variables_lookup, &given, a, ret, reterr);
}

static void every_form_of_the_specification_works(void **state) {
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "plain", "plain" },
                { "$SET", "value" },
                { "a-$SET-b", "a-value-b" },
                { "${SET}", "value" },
                { "$SET$SET", "valuevalue" },
                { "${EMPTY}", "" },
                { "$$SET", "$SET" },
                { "$$", "$" },
                { "a$$$SET", "a$value" },
                { "${SET:-d}", "value" },
                { "${EMPTY:-d}", "d" },
                { "${NO:-d}", "d" },
                { "${NO:-}", "" },
                { "${SET-d}", "value" },
                { "${EMPTY-d}", "" },
                { "${NO-d}", "d" },
                { "${SET:?m}", "value" },
                { "${SET?m}", "value" },
                { "${EMPTY?m}", "" },
                { "${SET:+r}", "r" },
                { "${EMPTY:+r}", "" },
                { "${NO:+r}", "" },
                { "${SET+r}", "r" },
                { "${EMPTY+r}", "r" },
                { "${NO+r}", "" },
                { "${NO:-${SET}}", "value" },
                { "${NO:-a${NO:-b}c}", "abc" },
                { "${NO:-$SET}", "value" },
                { "${SET:-${NO}}", "value" },
                { "${SET:-${NO:?never}}", "value" },
                { "${NO:+${ALSO_NO}}", "" },
                { "${NO:-$${SET}", "${SET" },
                { "${NO:-a-b:c?d+e}", "a-b:c?d+e" },
                { "}", "}" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                const char *out = NULL;

                if (expand(cases[i].in, a, &out, &fault) < 0)
                        fail_msg("%s: %s", cases[i].in, fault.message);
                assert_string_equal(out, cases[i].out);
        }
}

static void mistakes_are_told_apart(void **state) {
        static const struct {
                const char *in, *code, *part;
        } cases[] = {
                { "${NO}", "LOAD_REFERENCE", "variable 'NO' is not set" },
                { "$NO", "LOAD_REFERENCE", "variable 'NO' is not set" },
                { "${NO:?write it}", "LOAD_REFERENCE", "variable 'NO' is required: write it" },
                { "${EMPTY:?write it}", "LOAD_REFERENCE", "write it" },
                { "${NO?}", "LOAD_REFERENCE", "not set" },
                { "${NO:-${ALSO_NO}}", "LOAD_REFERENCE", "'ALSO_NO'" },
                { "${", "LOAD_INVALID", "not followed by the name" },
                { "${}", "LOAD_INVALID", "not followed by the name" },
                { "${1}", "LOAD_INVALID", "not followed by the name" },
                { "$1", "LOAD_INVALID", "write $$" },
                { "cost: 5$", "LOAD_INVALID", "write $$" },
                { "${SET", "LOAD_INVALID", "not closed" },
                { "${SET:-x", "LOAD_INVALID", "not closed" },
                { "${SET!x}", "LOAD_INVALID", "followed by one of" },
                { "${SET:x}", "LOAD_INVALID", "followed by one of" },
                { "${SET:}", "LOAD_INVALID", "followed by one of" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                const char *out = "untouched";

                if (expand(cases[i].in, a, &out, &fault) == 0)
                        fail_msg("%s is '%s'", cases[i].in, out);
                assert_fault(&fault, cases[i].code, cases[i].part);
                assert_string_equal(out, "untouched");
        }
}

static void depth_and_size_have_limits(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault deep = FAULT_INIT, large = FAULT_INIT;
        own_buffer struct buffer text = BUFFER_INIT;
        const char *out;

        (void)state;
        for (int i = 0; i < 1000; i++)
                buffer_puts(&text, "${NO:-");
        assert_true(expand(buffer_str(&text), a, &out, &deep) < 0);
        assert_fault(&deep, "LOAD_LIMIT", "LIMIT_INTERPOLATION_DEPTH");

        buffer_clear(&text);
        for (int i = 0; i <= LIMIT_INTERPOLATION_BYTES / 5; i++)
                buffer_puts(&text, "$SET");
        assert_true(expand(buffer_str(&text), a, &out, &large) < 0);
        assert_fault(&large, "LOAD_LIMIT", "LIMIT_INTERPOLATION_BYTES");
}

static void the_environment_of_the_process_is_not_asked(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        const char *out;

        (void)state;
        assert_int_equal(setenv("OF_THE_PROCESS", "x", 1), 0);
        assert_int_equal(expand("${OF_THE_PROCESS}", a, &out, &fault), -EINVAL);
}

static void the_caret_points_at_the_expression(void **state) {
        static const struct {
                const char *yaml;
                unsigned line, column;
        } cases[] = {
                { "a: x-${NO}\n", 1, 6 },
                { "a: \"x-${NO}\"\n", 1, 7 },
                { "a: 'é ${SET} ${NO}'\n", 1, 14 },
                { "b: 1\na: |\n  first\n  se ${NO}\n", 4, 6 },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                const struct node *out;

                assert_true(interpolate_node(parse_yaml(cases[i].yaml, a), &given, a, &out, &fault) < 0);
                assert_int_equal(fault.line, cases[i].line);
                assert_int_equal(fault.column, cases[i].column);
        }
}

static void values_get_the_type_that_they_read_as(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        const struct node *root =
                parse_yaml("n: ${N}\nt: \"${T}\"\ns: ${SET}\nlist: [1, \"$N\"]\nsame: {x: 1}\n$N: key\n", a);
        const struct node *out;

        (void)state;
        assert_int_equal(interpolate_node(root, &given, a, &out, &fault), 0);
        assert_int_equal(node_get(out, "n")->type, NODE_INTEGER);
        assert_int_equal(node_get(out, "n")->integer, 7);
        assert_int_equal(node_get(out, "t")->type, NODE_BOOL);
        assert_true(node_get(out, "t")->boolean);
        assert_int_equal(node_get(out, "s")->type, NODE_STRING);
        assert_string_equal(node_get(out, "s")->text, "value");
        assert_int_equal(node_get(out, "list")->items[1]->integer, 7);
        assert_ptr_equal(node_get(out, "same"), node_get(root, "same"));
        assert_non_null(node_get(out, "$N"));
        assert_string_equal(node_get(root, "n")->text, "${N}");
}

static void later_variables_win(void **state) {
        static const struct variable many[] = { { "B", "1" }, { "A", "2" }, { "B", "3" } },
                                     over_items[] = { { "A", "9" } };
        own_arena struct arena *a = arena_new();
        struct variables under = variables_make(many, 3, a), over = { .items = over_items, .n = 1 };
        struct variables both = variables_merge(&under, &over, a);

        (void)state;
        assert_int_equal(under.n, 2);
        assert_string_equal(variables_get(&under, "B"), "3");
        assert_string_equal(variables_get(&both, "A"), "9");
        assert_string_equal(variables_get(&both, "B"), "3");
        assert_null(variables_get(&both, "C"));
        assert_true(variable_name_is_valid("_a9"));
        assert_false(variable_name_is_valid("9a"));
        assert_false(variable_name_is_valid("a-b"));
        assert_false(variable_name_is_valid(""));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_the_specification_works),
        cmocka_unit_test(mistakes_are_told_apart),
        cmocka_unit_test(depth_and_size_have_limits),
        cmocka_unit_test(the_environment_of_the_process_is_not_asked),
        cmocka_unit_test(the_caret_points_at_the_expression),
        cmocka_unit_test(values_get_the_type_that_they_read_as),
        cmocka_unit_test(later_variables_win),
};

TEST_GROUP(interpolate, tests);
