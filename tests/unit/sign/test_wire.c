/* SPDX-License-Identifier: Apache-2.0 */

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

static void base64_of_every_size_comes_back(void **state) {
        unsigned char data[200];

        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (unsigned char)(i * 7);
        for (size_t n = 0; n <= sizeof(data); n++) {
                own_buffer struct buffer text = BUFFER_INIT, back = BUFFER_INIT;

                base64_encode(data, n, 0, &text);
                assert_int_equal(base64_decode(buffer_str(&text), text.size, false, &back), 0);
                assert_int_equal(back.size, n);
                assert_memory_equal(buffer_str(&back), data, n);
        }
}

static void base64_breaks_lines_between_characters_only(void **state) {
        own_buffer struct buffer text = BUFFER_INIT;

        base64_encode("abcdefghi", 9, 4, &text);
        assert_string_equal(buffer_str(&text), "YWJj\nZGVm\nZ2hp");
}

static void base64_has_one_form(void **state) {
        static const char *const bad[] = { "YQ", "YQ=", "YR==", "YWJ=", "YQ==YQ==", "Y Q=", "YQ=\n", "====", "-_-_", "YQ==\n" };
        own_buffer struct buffer out = BUFFER_INIT;

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                if (base64_decode(bad[i], strlen(bad[i]), false, &out) != -EINVAL)
                        fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(base64_decode("-_-_", 4, true, &out), 0);
        assert_int_equal(base64_decode("+/+/", 4, true, &out), -EINVAL);
}

/* 48 bytes make one piece of the decoder: padding must not hide between two. */
static void base64_padding_stands_at_the_end_only(void **state) {
        char text[129];
        own_buffer struct buffer out = BUFFER_INIT;

        memset(text, 'A', 128);
        text[128] = '\0';
        assert_int_equal(base64_decode(text, 128, false, &out), 0);
        text[63] = '=';
        assert_int_equal(base64_decode(text, 128, false, &out), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(strings_are_taken_whole_or_not_at_all),
                cmocka_unit_test(lengths_near_the_end_of_the_range_do_not_wrap),
                cmocka_unit_test(fixed_strings_have_their_size),
                cmocka_unit_test(text_has_no_control_characters),
                cmocka_unit_test(base64_of_every_size_comes_back),
                cmocka_unit_test(base64_breaks_lines_between_characters_only),
                cmocka_unit_test(base64_has_one_form),
                cmocka_unit_test(base64_padding_stands_at_the_end_only),
        };

        return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
