/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "shared/data/base64.h"
#include "tests/lib/group.h"

#define ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

static void base64_of_every_size_comes_back(void **state) {
        unsigned char data[200];

        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (unsigned char)(i * 7);
        for (size_t n = 0; n <= sizeof(data); n++) {
                own_buffer struct buffer text = BUFFER_INIT, back = BUFFER_INIT;

                base64_encode(data, n, false, &text);
                assert_int_equal(base64_decode(buffer_str(&text), text.size, false, &back), 0);
                assert_int_equal(back.size, n);
                assert_memory_equal(buffer_str(&back), data, n);
        }
}

static void base64_breaks_lines_between_characters_only(void **state) {
        own_buffer struct buffer text = BUFFER_INIT;

        base64_encode_lines("abcdefghi", 9, 4, &text);
        assert_string_equal(buffer_str(&text), "YWJj\nZGVm\nZ2hp");
}

static void base64_has_one_form(void **state) {
        static const char *const bad[] = { "YQ",   "YQ=",   "YR==", "YWJ=", "YQ==YQ==",
                                           "Y Q=", "YQ=\n", "====", "-_-_", "YQ==\n" };
        own_buffer struct buffer out = BUFFER_INIT;

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                if (base64_decode(bad[i], strlen(bad[i]), false, &out) != -EINVAL)
                        fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(base64_decode("-_-_", 4, true, &out), 0);
        assert_int_equal(base64_decode("+/+/", 4, true, &out), -EINVAL);
}

static void base64_has_two_alphabets(void **state) {
        own_buffer struct buffer standard = BUFFER_INIT, url = BUFFER_INIT;

        base64_encode("\xfb\xff\xbf", 3, false, &standard);
        base64_encode("\xfb\xff\xbf", 3, true, &url);
        assert_string_equal(buffer_str(&standard), "+/+/");
        assert_string_equal(buffer_str(&url), "-_-_");
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

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_of_every_size_comes_back),
        cmocka_unit_test(base64_breaks_lines_between_characters_only),
        cmocka_unit_test(base64_has_one_form),
        cmocka_unit_test(base64_has_two_alphabets),
        cmocka_unit_test(base64_padding_stands_at_the_end_only),
};

TEST_GROUP(base64, tests);
