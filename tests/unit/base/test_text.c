/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "tests/lib/group.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static void beginnings_and_ends_are_found(void **state) {
        assert_string_equal(str_after("refs/heads/main", "refs/heads/"), "main");
        assert_string_equal(str_after("a", "a"), "");
        assert_null(str_after("a", "ab"));
        assert_true(str_ends_with("x.lock", ".lock"));
        assert_false(str_ends_with("lock", ".lock"));
        assert_true(str_eq(NULL, NULL));
        assert_false(str_eq("a", NULL));
}

struct number_row {
        const char *text;
        int r;
        int64_t value;
};

/* Every row through @parse; the output is untouched on failure. */
static void assert_numbers(int (*parse)(const char *, int64_t *), const struct number_row *rows, size_t n) {
        for (size_t i = 0; i < n; i++) {
                int64_t v = -77;
                int r = parse(rows[i].text, &v);

                if (r != rows[i].r || v != (r < 0 ? -77 : rows[i].value))
                        fail_msg("'%s' gave %d and %lld", rows[i].text, r, (long long)v);
        }
}

static void u64_takes_digits_only(void **state) {
        static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "01", "00", "0x1", "1a", "\xd9\xa1" };
        uint64_t v = 7;

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_equal(parse_u64(bad[i], &v), -EINVAL);
        assert_int_equal(parse_u64("18446744073709551616", &v), -ERANGE);
        assert_int_equal(parse_u64("99999999999999999999999999", &v), -ERANGE);
        assert_int_equal(parse_u64("99999999999999999999999999x", &v), -EINVAL);
        assert_int_equal(v, 7);
        assert_int_equal(parse_u64("18446744073709551615", &v), 0);
        assert_true(v == UINT64_MAX);
        assert_int_equal(parse_u64("0", &v), 0);
        assert_int_equal(v, 0);
}

static void i64_takes_one_minus(void **state) {
        static const struct number_row rows[] = {
                { "0", 0, 0 },
                { "-0", 0, 0 },
                { "-12", 0, -12 },
                { "--1", -EINVAL, 0 },
                { "-", -EINVAL, 0 },
                { "9223372036854775807", 0, INT64_MAX },
                { "-9223372036854775808", 0, INT64_MIN },
                { "9223372036854775808", -ERANGE, 0 },
                { "-9223372036854775809", -ERANGE, 0 },
        };

        assert_numbers(parse_i64, rows, ELEMENTS(rows));
}

static void durations_are_one_number_and_one_unit(void **state) {
        static const struct number_row rows[] = {
                { "0s", 0, 0 },
                { "500ms", 0, 500 },
                { "30s", 0, 30000 },
                { "5m", 0, 300000 },
                { "2h", 0, 7200000 },
                { "1d", 0, 86400000 },
                { "", -EINVAL, 0 },
                { "5", -EINVAL, 0 },
                { "s", -EINVAL, 0 },
                { "-5s", -EINVAL, 0 },
                { "+5s", -EINVAL, 0 },
                { "05s", -EINVAL, 0 },
                { "1.5s", -EINVAL, 0 },
                { "5 s", -EINVAL, 0 },
                { "5S", -EINVAL, 0 },
                { "1m30s", -EINVAL, 0 },
                { "5us", -EINVAL, 0 },
                { "9223372036854775807ms", 0, INT64_MAX },
                { "9223372036854775808ms", -ERANGE, 0 },
                { "106751991168d", -ERANGE, 0 },
                { "99999999999999999999d", -ERANGE, 0 },
                { "99999999999999999999x", -EINVAL, 0 },
        };

        assert_numbers(parse_duration, rows, ELEMENTS(rows));
}

static void go_durations_are_read_as_go_does(void **state) {
        static const struct number_row rows[] = {
                { "0", 0, 0 },
                { "1m30s", 0, 90000000000 },
                { "1.5s", 0, 1500000000 },
                { "10us", 0, 10000 },
                { "10\xc2\xb5s", 0, 10000 },
                { "10\xce\xbcs", 0, 10000 },
                { "5h34m56s", 0, 20096000000000 },
                { "2h32m", 0, 9120000000000 },
                { ".5s", 0, 500000000 },
                { "1.s", 0, 1000000000 },
                { "0.100000000000000000000h", 0, 360000000000 },
                { "0.3333333333333333333h", 0, 1200000000000 },
                { "1.000000001s", 0, 1000000001 },
                { "100ns", 0, 100 },
                { "01s", 0, 1000000000 },
                { "", -EINVAL, 0 },
                { "3", -EINVAL, 0 },
                { ".s", -EINVAL, 0 },
                { "s", -EINVAL, 0 },
                { "1x", -EINVAL, 0 },
                { "-1s", -EINVAL, 0 },
                { "1s ", -EINVAL, 0 },
                { "1m30", -EINVAL, 0 },
                { "1d", -EINVAL, 0 },
                { "1..5s", -EINVAL, 0 },
                { "1S", -EINVAL, 0 },
                { "9223372036854775807ns", 0, INT64_MAX },
                { "9223372036854775808ns", -ERANGE, 0 },
                { "3000000h", -ERANGE, 0 },
                { "2562047h60m", -ERANGE, 0 },
                { "3000000h1x", -EINVAL, 0 },
        };

        assert_numbers(parse_go_duration, rows, ELEMENTS(rows));
}

static void sizes_take_binary_units(void **state) {
        static const struct number_row rows[] = {
                { "0", 0, 0 },
                { "1024", 0, 1024 },
                { "100b", 0, 100 },
                { "512k", 0, 524288 },
                { "64m", 0, 67108864 },
                { "1gb", 0, 1073741824 },
                { "1GB", 0, 1073741824 },
                { "2GiB", 0, 2147483648 },
                { "1.5g", 0, 1610612736 },
                { "0.5k", 0, 512 },
                { "1t", 0, 1099511627776 },
                { "", -EINVAL, 0 },
                { "k", -EINVAL, 0 },
                { "-1", -EINVAL, 0 },
                { "1 m", -EINVAL, 0 },
                { "1mm", -EINVAL, 0 },
                { ".5g", -EINVAL, 0 },
                { "1.5.5g", -EINVAL, 0 },
                { "9223372036854775807", 0, INT64_MAX },
                { "9223372036854775808", -ERANGE, 0 },
                { "9000p", -ERANGE, 0 },
                { "99999999999999999999z", -EINVAL, 0 },
        };

        assert_numbers(parse_bytes, rows, ELEMENTS(rows));
}

static void a_formatted_duration_reads_back(void **state) {
        static const struct {
                int64_t ms;
                const char *text;
        } rows[] = {
                { 0, "0s" },       { 1, "1ms" },       { 1500, "1500ms" },
                { 30000, "30s" },  { 90000, "90s" },   { 300000, "5m" },
                { 7200000, "2h" }, { 86400000, "1d" }, { INT64_MAX, "9223372036854775807ms" },
        };
        char buf[DURATION_TEXT_MAX];

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                int64_t ms = -1;

                assert_string_equal(format_duration(rows[i].ms, buf), rows[i].text);
                assert_int_equal(parse_duration(buf, &ms), 0);
                assert_int_equal(ms, rows[i].ms);
        }
        assert_string_equal(format_duration(-2000, buf), "-2s");
        assert_string_equal(format_duration(INT64_MIN, buf), "-9223372036854775808ms");
}

static void hex_is_lower_case_and_exact(void **state) {
        unsigned char bytes[4] = { 9, 9, 9, 9 };
        char text[9];

        hex_encode("\x00\x7f\xab\xff", 4, text);
        assert_string_equal(text, "007fabff");
        assert_int_equal(hex_decode("007fabff", bytes, 4), 0);
        assert_memory_equal(bytes, "\x00\x7f\xab\xff", 4);
        assert_int_equal(hex_decode("007fabf", bytes, 4), -EINVAL);
        assert_int_equal(hex_decode("007fabff0", bytes, 4), -EINVAL);
        assert_int_equal(hex_decode("007FABFF", bytes, 4), -EINVAL);
        assert_int_equal(hex_decode("007fabfg", bytes, 4), -EINVAL);
        assert_int_equal(hex_decode("", bytes, 0), 0);
        assert_true(hex_is_valid("0af", 3));
        assert_false(hex_is_valid("0af", 2));
        assert_false(hex_is_valid("0a", 3));
        assert_false(hex_is_valid("", 1));
}

static void names_become_paths_and_refs_safely(void **state) {
        static const char *const good[] = { "a", "0", "web-1", "a.b_c", "x--y", "shop.example", "lock" };
        static const char *const bad[] = {
                "", "-a", ".a", "_a", "A", "a/b", "a b", "a..b", "a.", "a.lock", "..", "a\n", "\xc3\xa4", "a:b", "a~1",
        };
        char longest[65];

        for (size_t i = 0; i < ELEMENTS(good); i++)
                if (!name_is_valid(good[i]))
                        fail_msg("'%s' was refused", good[i]);
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                if (name_is_valid(bad[i]))
                        fail_msg("'%s' was taken", bad[i]);
        memset(longest, 'a', sizeof(longest));
        longest[64] = '\0';
        assert_false(name_is_valid(longest));
        longest[63] = '\0';
        assert_true(name_is_valid(longest));
}

static void paths_stay_inside(void **state) {
        static const char *const good[] = { "a", "a/b", ".hidden/x", "a/..b", "...", "\xc3\xa4/ b" };
        static const char *const bad[] = {
                "",     "/",      "/a",    "a/",  "a//b", ".",    "..",    "../a",
                "a/..", "a/../b", "a/./b", "./a", "a\\b", "a\nb", "a\x7f",
        };

        for (size_t i = 0; i < ELEMENTS(good); i++)
                if (!path_is_inside(good[i]))
                        fail_msg("'%s' was refused", good[i]);
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                if (path_is_inside(bad[i]))
                        fail_msg("'%s' was taken", bad[i]);
}

/* Markus Kuhn's stress test in short: first and last of each length, and what must not pass. */
static void utf8_follows_rfc_3629(void **state) {
        static const char *const good[] = {
                "",
                "a",
                "\xc2\x80",
                "\xdf\xbf",
                "\xe0\xa0\x80",
                "\xed\x9f\xbf",
                "\xee\x80\x80",
                "\xef\xbf\xbf",
                "\xf0\x90\x80\x80",
                "\xf4\x8f\xbf\xbf",
        };
        static const char *const bad[] = {
                "\x80",
                "\xbf",
                "\xc0\x80",
                "\xc1\xbf",
                "\xc2",
                "\xc2z",
                "\xe0\x9f\xbf",
                "\xe2\x82",
                "\xe2\x82z",
                "\xed\xa0\x80",
                "\xed\xbf\xbf",
                "\xf0\x8f\xbf\xbf",
                "\xf0\x9f\x98",
                "\xf4\x90\x80\x80",
                "\xf5\x80\x80\x80",
                "\xf8\x88\x80\x80\x80",
                "\xfe",
                "\xff",
                "ok\xff",
        };

        for (size_t i = 0; i < ELEMENTS(good); i++)
                assert_true(utf8_is_valid(good[i], strlen(good[i])));
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_false(utf8_is_valid(bad[i], strlen(bad[i])));
        assert_true(utf8_is_valid("a\0b", 3));
        assert_false(utf8_is_valid("\xe2\x82\xac", 2)); /* nothing beyond @n is looked at */
}

static void characters_are_decoded_and_counted(void **state) {
        uint32_t c = 0;

        assert_int_equal(utf8_length("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10), 4);
        assert_int_equal(utf8_decode("\xf0\x9f\x98\x80x", 5, &c), 4);
        assert_int_equal(c, 0x1f600);
        assert_int_equal(utf8_decode("\0", 1, &c), 1);
        assert_int_equal(c, 0);
        assert_int_equal(utf8_decode("", 0, &c), 0);
}

static void harmless_text_has_no_control_characters(void **state) {
        static const struct {
                const char *in, *keep, *out;
        } rows[] = {
                { "plain \xc3\xa4", "", "plain \xc3\xa4" },
                { "a\tb\r\nc", "", "a b  c" },
                { "a\tb\nc", "\t", "a\tb c" },
                { "\x1b[0m\x7f", "", "?[0m?" },
                { "\xc2\x85", "", "?" },
                { "a\xffz", "", "a?z" },
                { "\xe2\x80\xae"
                  "abc\xe2\x81\xa6",
                  "", "?abc?" },
                { "\xef\xbb\xbfx", "", "?x" },
                { "", "", "" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char text[64];

                (void)snprintf(text, sizeof(text), "%s", rows[i].in);
                text_make_harmless(text, rows[i].keep);
                assert_string_equal(text, rows[i].out);
        }
}

static void the_last_lines_end_before_the_blanks_that_close_a_text(void **state) {
        static const struct {
                const char *in;
                size_t n;
                const char *out;
        } rows[] = {
                { "one\ntwo\nthree\n", 1, "three" },
                { "one\ntwo\nthree", 2, "two\nthree" },
                { "one\ntwo\n", 5, "one\ntwo" },
                { "one\ntwo \t\r\n \n", 1, "two" },
                { "one\n\ntwo", 2, "\ntwo" },
                { "one\n  two", 1, "  two" },
                { "one", 1, "one" },
                { "\none\n", 3, "\none" },
                { " \r\n\t", 1, "" },
                { "", 1, "" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                size_t size = 99;
                const char *at = text_last_lines(rows[i].in, rows[i].n, &size);

                if (size != strlen(rows[i].out) || strncmp(at, rows[i].out, size) != 0)
                        fail_msg("row %zu: '%.*s'", i, (int)size, at);
        }
}

static void patterns_match_whole_strings(void **state) {
        static const struct {
                const char *pattern, *s;
                bool match;
        } rows[] = {
                { "", "", true },
                { "", "a", false },
                { "*", "", true },
                { "*", "abc", true },
                { "?", "a", true },
                { "?", "", false },
                { "?", "ab", false },
                { "*@example.com", "jo@example.com", true },
                { "*@example.com", "jo@example.com.evil", false },
                { "a*b*c", "aXbYc", true },
                { "a*b*c", "aXc", false },
                { "*ab", "aab", true },
                { "**", "x", true },
                { "a*", "b", false },
                { "*?", "", false },
                { "*?", "x", true },
                { "A", "a", false },
                { "[a]", "a", false },
                { "a\\*", "a*", false },
                { "*abab", "abaabab", true },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (pattern_matches(rows[i].pattern, rows[i].s) != rows[i].match)
                        fail_msg("'%s' on '%s'", rows[i].pattern, rows[i].s);
}

static void an_evil_pattern_takes_no_time(void **state) {
        char pattern[201], s[5001];
        int64_t start = clock_monotonic_ns();

        for (size_t i = 0; i < 200; i += 2) {
                pattern[i] = '*';
                pattern[i + 1] = 'a';
        }
        pattern[199] = 'b';
        pattern[200] = '\0';
        memset(s, 'a', sizeof(s) - 1);
        s[sizeof(s) - 1] = '\0';
        assert_false(pattern_matches(pattern, s)); /* backtracking over every '*' would never return */
        assert_true(clock_monotonic_ns() - start < 2000000000);
}

static void the_closest_name_is_offered_when_it_is_near(void **state) {
        static const char *const known[] = { "image", "command", "environment", "ports", "volumes", "dns", NULL };

        assert_string_equal(closest_name("imgae", known), "image");
        assert_string_equal(closest_name("Image", known), "image");
        assert_string_equal(closest_name("enviroment", known), "environment");
        assert_string_equal(closest_name("port", known), "ports");
        assert_string_equal(closest_name("volume", known), "volumes");
        assert_null(closest_name("healthcheck", known));
        assert_null(closest_name("x", known));
        assert_null(closest_name("", known));
        assert_null(closest_name("a-name-that-is-longer-than-any-name-may-be-in-a-desired-state-of-ours", known));
        assert_null(closest_name("image", (const char *const[]){ NULL }));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(beginnings_and_ends_are_found),
        cmocka_unit_test(u64_takes_digits_only),
        cmocka_unit_test(i64_takes_one_minus),
        cmocka_unit_test(durations_are_one_number_and_one_unit),
        cmocka_unit_test(go_durations_are_read_as_go_does),
        cmocka_unit_test(sizes_take_binary_units),
        cmocka_unit_test(a_formatted_duration_reads_back),
        cmocka_unit_test(hex_is_lower_case_and_exact),
        cmocka_unit_test(names_become_paths_and_refs_safely),
        cmocka_unit_test(paths_stay_inside),
        cmocka_unit_test(utf8_follows_rfc_3629),
        cmocka_unit_test(characters_are_decoded_and_counted),
        cmocka_unit_test(harmless_text_has_no_control_characters),
        cmocka_unit_test(the_last_lines_end_before_the_blanks_that_close_a_text),
        cmocka_unit_test(patterns_match_whole_strings),
        cmocka_unit_test(an_evil_pattern_takes_no_time),
        cmocka_unit_test(the_closest_name_is_offered_when_it_is_near),
};

TEST_GROUP(text, tests);
