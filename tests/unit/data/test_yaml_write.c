/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shared/data/json.h"
#include "shared/data/yaml.h"
#include "shared/data/yaml_write.h"
#include "tests/lib/group.h"

static json_t *parse(const char *text) {
        own_fault struct fault f = FAULT_INIT;
        json_t *json;

        assert_int_equal(json_parse("test", text, strlen(text), &json, &f), 0);
        return json;
}

static void check_text(const char *json_text, const char *expected) {
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *json = parse(json_text);
        own_buffer struct buffer out = BUFFER_INIT;

        assert_int_equal(yaml_write(json, &out, &f), 0);
        assert_string_equal(buffer_str(&out), expected);
}

static void test_a_document_is_written_in_the_order_of_its_object(void **state) {
        check_text(
                "{\"kind\":\"Release\",\"app\":\"shop\",\"version\":\"1.4.2\",\"images\":{\"web\":\"127.0.0.1:5000/a/b:1@sha256:ab\"},"
                "\"on\":{\"role\":\"web\"}}",
                "kind: Release\napp: shop\nversion: \"1.4.2\"\nimages:\n  web: 127.0.0.1:5000/a/b:1@sha256:ab\non:\n  role: web\n");
}

static void test_lists_and_nested_objects_are_indented(void **state) {
        check_text("{\"a\":[1,\"x\",{\"b\":true,\"c\":{\"d\":-5}},[2,3]]}",
                   "a:\n  - 1\n  - x\n  - b: true\n    c:\n      d: -5\n  -\n    - 2\n    - 3\n");
}

static void test_what_is_absent_is_left_out(void **state) {
        check_text("{\"a\":null,\"b\":{},\"c\":[],\"d\":{\"e\":null,\"f\":{\"g\":[]}},\"h\":\"\"}", "h: \"\"\n");
        check_text("{}", "");
}

static void test_strings_that_another_reader_takes_for_something_else_are_quoted(void **state) {
        static const char *const texts[] = {
                "yes",  "No",   "on",   "OFF",      "y",          "null", "~",    "true", "False", "1",
                "1.5",  "1e3",  "0x1f", "12:30:45", "2026-11-23", "-1",   ".inf", "",     " a",    "a ",
                "a: b", "a #b", "a:",   "- a",      "!x",         "&x",   "*x",   "{a",   "[a",    "a\tb",
        };

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                own_fault struct fault f = FAULT_INIT;
                own_json json_t *json = json_object();
                own_buffer struct buffer out = BUFFER_INIT;

                json_set_string(json, "k", texts[i]);
                assert_int_equal(yaml_write(json, &out, &f), 0);
                assert_memory_equal(out.data, "k: \"", 4);
        }
}

static void test_the_reader_reads_the_same_back(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer out = BUFFER_INIT;
        own_json json_t *back = NULL;
        own_json json_t *json = parse(
                "{\"plain\":\"abc def\",\"quote\":\"say \\\"hi\\\" \\\\ there\",\"lines\":\"a\\nb\\tc\\r\","
                "\"separators\":\"a\\u2028b\\u0085c\\ufeffd\",\"accent\":\"Jos\\u00e9 <jose@example>\","
                "\"emoji\":\"\\ud83d\\ude00\",\"yes\":\"yes\",\"true\":\"true\",\"1\":1,\"a b\":[\"x\",{\"y\":false}],"
                "\"- odd: key\":{\"#\":\"# no comment\"}}");
        const struct node *root;

        assert_int_equal(yaml_write(json, &out, &f), 0);
        assert_int_equal(yaml_parse("test", out.data, out.size, a, &root, &f), 0);
        back = node_to_json(root);
        assert_true(json_equal(json, back));
}

static void test_a_real_number_is_refused(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *json = parse("{\"a\":1.5}");
        own_buffer struct buffer out = BUFFER_INIT;

        assert_int_equal(yaml_write(json, &out, &f), -EINVAL);
        assert_int_equal(f.kind, FAULT_INTERNAL);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_document_is_written_in_the_order_of_its_object),
        cmocka_unit_test(test_lists_and_nested_objects_are_indented),
        cmocka_unit_test(test_what_is_absent_is_left_out),
        cmocka_unit_test(test_strings_that_another_reader_takes_for_something_else_are_quoted),
        cmocka_unit_test(test_the_reader_reads_the_same_back),
        cmocka_unit_test(test_a_real_number_is_refused),
};

TEST_GROUP(yaml_write, tests);
