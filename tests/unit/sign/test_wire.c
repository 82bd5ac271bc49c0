/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/sign/support.h"

#include <errno.h>

static void strings_are_taken_whole_or_not_at_all(void **state) {
        static const unsigned char bytes[] = { 0, 0, 0, 2, 'a', 'b', 0, 0, 0, 9, 'c' };
        struct wire w = { bytes, sizeof(bytes) }, s;

        assert_true(wire_take_string(&w, &s));
        assert_true(wire_equals(&s, "ab"));
        assert_int_equal(w.size, 5);
        assert_false(wire_take_string(&w, &s));
        assert_int_equal(w.size, 5);
}

static void lengths_near_the_end_of_the_range_do_not_wrap(void **state) {
        static const unsigned char bytes[] = { 0xff, 0xff, 0xff, 0xff, 'a' };
        struct wire w = { bytes, sizeof(bytes) }, s;
        uint32_t n;

        assert_false(wire_take_string(&w, &s));
        assert_true(wire_take_be32(&w, &n));
        assert_true(n == UINT32_MAX);
        assert_false(wire_take_be32(&w, &n));
}

static void fixed_strings_have_their_size(void **state) {
        static const unsigned char bytes[] = { 0, 0, 0, 2, 'a', 'b' };
        struct wire w = { bytes, sizeof(bytes) };
        char out[3] = "";

        assert_false(wire_take_fixed(&w, out, 3));
        assert_int_equal(w.size, sizeof(bytes));
        assert_true(wire_take_fixed(&w, out, 2));
        assert_string_equal(out, "ab");
        assert_int_equal(w.size, 0);
}

static void text_has_no_control_characters(void **state) {
        struct wire good = { (const unsigned char *)"ssh:", 4 }, nul = { (const unsigned char *)"a\0b", 3 };
        char buf[5];

        assert_true(wire_copy_text(&good, buf, 5));
        assert_false(wire_copy_text(&good, buf, 4));
        assert_false(wire_copy_text(&nul, buf, 5));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_taken_whole_or_not_at_all),
        cmocka_unit_test(lengths_near_the_end_of_the_range_do_not_wrap),
        cmocka_unit_test(fixed_strings_have_their_size),
        cmocka_unit_test(text_has_no_control_characters),
};

TEST_GROUP(wire, tests);
