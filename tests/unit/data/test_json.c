/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/data/json.h"
#include "tests/lib/group.h"

#define parse_literal(text, ret, f) json_parse("x.json", text, sizeof(text) - 1, ret, f)

static void assert_refused(const char *bytes, size_t size, unsigned line, unsigned column, const char *message) {
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *json = NULL;

        assert_true(json_parse("x.json", bytes, size, &json, &f) < 0);
        assert_null(json);
        assert_int_equal(f.kind, FAULT_CONFIG);
        assert_string_equal(f.path, "x.json");
        if (!strstr(f.message, message))
                fail_msg("'%s' does not say '%s'", f.message, message);
        assert_int_equal(f.line, line);
        assert_int_equal(f.column, column);
}
#define refused(text, line, column, message) assert_refused(text, sizeof(text) - 1, line, column, message)

static void assert_canonical(const char *text, const char *expected) {
        own_buffer struct buffer out = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *json = NULL;

        assert_int_equal(json_parse("x.json", text, strlen(text), &json, &f), 0);
        assert_int_equal(json_canonical(json, &out, &f), 0);
        assert_string_equal(buffer_str(&out), expected);
}

static void test_any_value_is_a_text(void **state) {
        const char *const texts[] = { "{}", "[]", "null", "\"x\"", "12", " true\n", "[1.5e3]", NULL };

        for (size_t i = 0; texts[i]; i++) {
                own_fault struct fault f = FAULT_INIT;
                own_json json_t *json = NULL;

                assert_int_equal(json_parse("x", texts[i], strlen(texts[i]), &json, &f), 0);
                assert_non_null(json);
        }
}

static void test_broken_texts_are_refused_at_their_position(void **state) {
        refused("", 1, 1, "not JSON");
        refused("{\"a\":1,\n \"b\" 2}", 2, 6, "':' expected");
        refused("[1,2", 1, 4, "not JSON");
        refused("{} x", 1, 4, "end of file expected");
        refused("{\"a\": 1, \"a\": 2}", 1, 12, "repeated key");
        refused("[\"\xc3\xa9\",\n\"\xff\"]", 2, 2, "0xff is not UTF-8");
        refused("[\"\xc3\xa9\", \"\xed\xa0\x80\"]", 1, 8, "0xed is not UTF-8");
        refused("[1,\0 2]", 1, 4, "NUL");
        refused("[99999999999999999999]", 1, 21, "too big");
}

static void test_nul_in_a_string_is_refused(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *json = NULL;

        assert_true(parse_literal("[\"a\\u0000b\"]", &json, &f) < 0);
        assert_null(json);
}

static void test_faults_do_not_quote_the_text(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *json = NULL;

        assert_true(parse_literal("{\"auth\" \"c2VjcmV0\"}", &json, &f) < 0);
        assert_null(strstr(f.message, "c2VjcmV0"));
        assert_null(f.excerpt);
}

static void test_depth_is_refused_before_it_is_built(void **state) {
        size_t size = 4 * 1024 * 1024;
        own_free char *deep = malloc(size);
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *json = NULL;

        assert_non_null(deep);
        memset(deep, '[', size);
        assert_refused(deep, size, 1, LIMIT_JSON_DEPTH + 1, "nested deeper than 64");

        memset(deep + LIMIT_JSON_DEPTH, ']', LIMIT_JSON_DEPTH);
        assert_int_equal(json_parse("x", deep, (size_t)(2 * LIMIT_JSON_DEPTH), &json, &f), 0);
}

static void test_brackets_in_strings_are_no_depth(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *json = NULL;
        char text[256];

        memset(text, '[', sizeof(text));
        text[1] = '"';
        memcpy(text + 100, "\\\"", 2);
        memcpy(text + sizeof(text) - 2, "\"]", 2);
        assert_int_equal(json_parse("x", text, sizeof(text), &json, &f), 0);
        assert_int_equal(json_string_length(json_array_get(json, 0)), sizeof(text) - 5);
}

static void test_size_is_limited(void **state) {
        own_free char *big = calloc(1, LIMIT_JSON_BYTES + 1);

        assert_non_null(big);
        memset(big, ' ', LIMIT_JSON_BYTES + 1);
        assert_refused(big, LIMIT_JSON_BYTES + 1, 0, 0, "more than 67108864 bytes");
}

/* RFC 8785, section 3.2.3: the example of sorting. */
static void test_keys_sort_by_utf16_units(void **state) {
        assert_canonical(
                "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\","
                "\"1\":\"One\",\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\","
                "\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}",
                "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
                "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\",\"\xe2\x82\xac\":\"Euro Sign\","
                "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\",\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
        assert_canonical("{\"ab\":1,\"a\":2,\"\":3,\"B\":4}", "{\"\":3,\"B\":4,\"a\":2,\"ab\":1}");
        assert_canonical("{\"\xee\x80\x80\":1,\"\xed\x9f\xbf\":2,\"\xf0\x90\x80\x80\":3}",
                         "{\"\xed\x9f\xbf\":2,\"\xf0\x90\x80\x80\":3,\"\xee\x80\x80\":1}");
}

/* RFC 8785, section 3.2.2.2. */
static void test_strings_have_the_shortest_escapes(void **state) {
        assert_canonical("\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\"",
                         "\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
        assert_canonical("\"\\b\\t\\n\\f\\r\\u0001\\u001f\\u007f\"", "\"\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\"");
        assert_canonical("\"<&>\\u2028\"", "\"<&>\xe2\x80\xa8\"");
}

static void test_canonical_has_no_white_space(void **state) {
        assert_canonical(" { \"b\" : [ 1 , -2 , true , false , null ] , \"a\" : { } } ",
                         "{\"a\":{},\"b\":[1,-2,true,false,null]}");
        assert_canonical("[9223372036854775807,-9223372036854775808,0,-0]",
                         "[9223372036854775807,-9223372036854775808,0,0]");
}

static void test_reals_have_no_canonical_form(void **state) {
        own_buffer struct buffer out = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *json = json_pack("[[f]]", 1.5);

        assert_true(json_canonical(json, &out, &f) < 0);
        assert_int_equal(f.kind, FAULT_INTERNAL);
}

static void test_pretty_is_sorted_and_ends_with_a_newline(void **state) {
        own_buffer struct buffer out = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *json = json_pack("{s:[i], s:s}", "b", 1, "a", "\xc3\xa9");

        assert_int_equal(json_pretty(json, &out, &f), 0);
        assert_string_equal(buffer_str(&out), "{\n  \"a\": \"\xc3\xa9\",\n  \"b\": [\n    1\n  ]\n}\n");
}

static void test_getters_give_the_default_for_another_type(void **state) {
        own_json json_t *json = json_pack("{s:s, s:i, s:b}", "s", "x", "i", 7, "b", 1);

        assert_string_equal(json_get_string(json, "s"), "x");
        assert_null(json_get_string(json, "i"));
        assert_null(json_get_string(NULL, "s"));
        assert_int_equal(json_get_integer(json, "i", 3), 7);
        assert_int_equal(json_get_integer(json, "s", 3), 3);
        assert_true(json_get_bool(json, "b", false));
        assert_true(json_get_bool(json, "missing", true));

        json_set_string(json, "s", NULL);
        json_set_string(json, "t", "y");
        assert_string_equal(json_get_string(json, "s"), "x");
        assert_string_equal(json_get_string(json, "t"), "y");
}

/* No byte from outside may keep a record from being written. */
static void test_text_of_any_bytes_is_json(void **state) {
        static const struct {
                const char *bytes, *text;
        } cases[] = {
                { "", "" },
                { "Größe \\xf6", "Größe \\xf6" },
                { "Gr\xf6\xdf"
                  "e",
                  "Gr\\xf6\\xdfe" },
                { "\xc3", "\\xc3" },
                { "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* a surrogate */
                { "\xc0\xaf/\xf5", "\\xc0\\xaf/\\xf5" },
        };
        own_json json_t *object = json_object(), *none = json_text(NULL);

        assert_true(json_is_null(none));
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_json json_t *text = json_text(cases[i].bytes);

                assert_string_equal(json_string_value(text), cases[i].text);
                json_set_string(object, "x", cases[i].bytes);
                assert_string_equal(json_get_string(object, "x"), cases[i].text);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_of_any_bytes_is_json),
        cmocka_unit_test(test_any_value_is_a_text),
        cmocka_unit_test(test_broken_texts_are_refused_at_their_position),
        cmocka_unit_test(test_nul_in_a_string_is_refused),
        cmocka_unit_test(test_faults_do_not_quote_the_text),
        cmocka_unit_test(test_depth_is_refused_before_it_is_built),
        cmocka_unit_test(test_brackets_in_strings_are_no_depth),
        cmocka_unit_test(test_size_is_limited),
        cmocka_unit_test(test_keys_sort_by_utf16_units),
        cmocka_unit_test(test_strings_have_the_shortest_escapes),
        cmocka_unit_test(test_canonical_has_no_white_space),
        cmocka_unit_test(test_reals_have_no_canonical_form),
        cmocka_unit_test(test_pretty_is_sorted_and_ends_with_a_newline),
        cmocka_unit_test(test_getters_give_the_default_for_another_type),
};

TEST_GROUP(json, tests);
