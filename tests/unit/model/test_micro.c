/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <inttypes.h>

#include "shared/data/json.h"
#include "shared/model/micro.h"
#include "tests/lib/group.h"
#include "tests/unit/model/support.h"

static void numbers_are_read_as_millionths(void **state) {
        static const struct {
                const char *text;
                int64_t value;
        } table[] = {
                { "0", 0 },
                { "-0", 0 },
                { "12", 12000000 },
                { "+12", 12000000 },
                { "-0.5", -500000 },
                { ".5", 500000 },
                { "5.", 5000000 },
                { "1.5e-3", 1500 },
                { "1.5E+3", 1500000000 },
                { "0.25", 250000 },
                { "0.000001", 1 },
                { "0.0000005", 1 }, /* to the nearest, halves away from zero */
                { "-0.0000005", -1 },
                { "0.00000049999999999999999999999999999999999999999", 0 },
                { "1.9999995", 2000000 },
                { "1.9999994999999999999999999999999999999", 1999999 },
                { "0.1000000000000000055511151231257827021181583404541015625", 100000 }, /* what a double of 0.1 is */
                { "1e-40", 0 },
                { "9e-8", 0 },
                { "0e99999999999999999999", 0 },
                { "1e-99999999999999999999", 0 },
                { "9223372036854.775807", INT64_MAX },
                { "-9223372036854.775807", -INT64_MAX },
                { "9223372036854775807e-6", INT64_MAX },
                { "000000000000000000000000000000000000000000000000000000001", 1000000 },
                { "1000000000000000000000000000000000000000000000000e-48", 1000000 },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                int64_t value = 77;

                if (micro_parse(table[i].text, &value) < 0 || value != table[i].value)
                        fail_msg("%s: %" PRId64 " instead of %" PRId64, table[i].text, value, table[i].value);
        }
}

static void what_is_no_number_is_refused(void **state) {
        static const char *const invalid[] = {
                "",   "-",    "+",   ".",   "-.",  "e5",  "1e",   "1e+",  "1e5x", "1.2.3", "1,5",   " 1",
                "1 ", "0x10", "--1", "NaN", "nan", "Inf", "+Inf", "-Inf", "inf",  "one",   "1_000", NULL,
        };
        static const char *const large[] = {
                "9223372036854.775808",
                "-9223372036854.775808",
                "9223372036854.7758075",
                "1e13",
                "1e308",
                "1e99999999999",
                "99999999999999999999999999999999999999999999999999999999999999999",
        };
        int64_t value = 77;

        for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
                assert_int_equal(micro_parse(invalid[i], &value), -EINVAL);
        for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
                assert_int_equal(micro_parse(large[i], &value), -ERANGE);
        assert_int_equal(value, 77);
}

static void the_shortest_text_reads_back_equal(void **state) {
        static const struct {
                int64_t value;
                const char *text;
        } table[] = {
                { 0, "0" },
                { 1, "0.000001" },
                { -1, "-0.000001" },
                { 250000, "0.25" },
                { -3000000, "-3" },
                { 100000000, "100" },
                { 1000001, "1.000001" },
                { INT64_MAX, "9223372036854.775807" },
                { -INT64_MAX, "-9223372036854.775807" },
        };
        char text[MICRO_TEXT_MAX];
        uint64_t random = 88172645463325252;

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                assert_string_equal(micro_format(table[i].value, text), table[i].text);
        assert_string_equal(micro_format(INT64_MIN, text), "-9223372036854.775808");
        for (int i = 0; i < 100000; i++) {
                int64_t value, back;

                random ^= random << 13, random ^= random >> 7, random ^= random << 17; /* xorshift64 */
                value = (int64_t)random >> (random % 60);
                if (value == INT64_MIN)
                        continue;
                assert_int_equal(micro_parse(micro_format(value, text), &back), 0);
                assert_int_equal(back, value);
        }
}

static void roots_are_rounded_down(void **state) {
        uint64_t random = 88172645463325252;

        assert_int_equal(micro_root(0), 0);
        assert_int_equal(micro_root(1), 1);
        assert_int_equal(micro_root(3), 1);
        assert_int_equal(micro_root(4), 2);
        assert_int_equal(micro_root(99), 9);
        assert_true(micro_root(~(unsigned __int128)0) == UINT64_MAX);
        for (int i = 0; i < 10000; i++) {
                unsigned __int128 square;

                random ^= random << 13, random ^= random >> 7, random ^= random << 17;
                square = (unsigned __int128)random * random;
                assert_true(micro_root(square) == random);
                assert_true(micro_root(square + random) == random);
                assert_true(micro_root(square - 1) == random - 1);
        }
}

static const char *fault_of(const char *yaml) {
        static char text[400];
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        int64_t value = 77;

        assert_int_equal(micro_read(node_get(parse_yaml(yaml, a), "a"), &value, a, &fault), -EINVAL);
        assert_int_equal(value, 77);
        assert_string_equal(fault.code, REASON_LOAD_INVALID);
        (void)snprintf(text, sizeof(text), "%u:%u %s", fault.line, fault.column, fault.message);
        return text;
}

static void numbers_of_documents_may_be_texts_and_are_refused_at_their_place(void **state) {
        own_arena struct arena *a = arena_new();
        const struct node *root = parse_yaml("{a: 1.5, b: 3, c: '0.25', d: 1e-3}", a);
        int64_t value;

        for (size_t i = 0; i < 4; i++) {
                static const int64_t expected[] = { 1500000, 3000000, 250000, 1000 };
                own_fault struct fault fault = FAULT_INIT;

                assert_int_equal(micro_read(root->entries[i].value, &value, a, &fault), 0);
                assert_int_equal(value, expected[i]);
        }
        assert_string_equal(fault_of("a: much"), "1:4 this must be a number, not 'much'");
        assert_string_equal(fault_of("a: true"), "1:4 this must be a number, not a boolean");
        assert_string_equal(fault_of("a:"), "1:3 this must be a number, not nothing");
        assert_string_equal(fault_of("a: ''"), "1:4 this must be a number, not a string");
        assert_string_equal(fault_of("a: [1]"), "1:4 this must be a number, not a list");
        assert_string_equal(fault_of("a: .nan"), "1:4 this must be a number, not '.nan'");
        assert_string_equal(fault_of("a: 1e13"), "1:4 this number is too large: 9223372036854 is the most");
}

static void an_absent_number_is_written_as_absent(void **state) {
        const int64_t number = -1500000, *there = &number, *absent = NULL;
        own_json json_t *one = micro_write(&number), *two = micro_write_optional(&there);

        assert_string_equal(json_string_value(one), "-1.5");
        assert_true(json_equal(one, two));
        assert_null(micro_write_optional(&absent));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_as_millionths),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(the_shortest_text_reads_back_equal),
        cmocka_unit_test(roots_are_rounded_down),
        cmocka_unit_test(numbers_of_documents_may_be_texts_and_are_refused_at_their_place),
        cmocka_unit_test(an_absent_number_is_written_as_absent),
};

TEST_GROUP(micro, tests);
