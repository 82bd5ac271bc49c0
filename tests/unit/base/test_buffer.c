/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/buffer.h"
#include "shared/base/cleanup.h"
#include "tests/lib/group.h"

static void pieces_join_and_end_with_nul(void **state) {
        own_buffer struct buffer b = BUFFER_INIT;

        assert_string_equal(buffer_str(&b), "");
        buffer_puts(&b, "a");
        buffer_putc(&b, 'b');
        buffer_printf(&b, "%d-%s", 12, "c");
        buffer_append(&b, "\0d", 2);
        buffer_append(&b, NULL, 0);
        assert_int_equal(b.size, 8);
        assert_memory_equal(b.data, "ab12-c\0d", 9); /* with the NUL that is not counted */
        assert_int_equal(b.failed, 0);
}

static void it_grows_far_and_keeps_every_byte(void **state) {
        own_buffer struct buffer b = BUFFER_INIT;

        for (int i = 0; i < 100000; i++)
                buffer_printf(&b, "%05d", i);
        assert_int_equal(b.size, 500000);
        assert_memory_equal(b.data + 5 * 77777, "77777", 5);
        assert_true(b.room <= 2 * b.size);
}

static void ssh_strings_are_big_endian(void **state) {
        own_buffer struct buffer b = BUFFER_INIT;

        buffer_put_be32(&b, 0x01020304);
        buffer_put_string(&b, "abc", 3);
        buffer_put_string(&b, "", 0);
        assert_int_equal(b.size, 15);
        assert_memory_equal(b.data, "\1\2\3\4\0\0\0\3abc\0\0\0\0", 15);
}

static void beyond_the_maximum_it_fails_and_stays_failed(void **state) {
        own_buffer struct buffer b = { .max = 8 };
        own_fault struct fault f = FAULT_INIT;

        buffer_puts(&b, "12345678");
        assert_int_equal(buffer_check(&b, "list", &f), 0);
        assert_false(fault_is_set(&f));
        buffer_putc(&b, '9');
        buffer_clear(&b);
        buffer_puts(&b, "1234");
        buffer_printf(&b, "%s", "56789");
        buffer_puts(&b, "x"); /* would fit, but comes after a gap */
        assert_int_equal(b.failed, EFBIG);
        assert_string_equal(buffer_str(&b), "1234");
        assert_int_equal(buffer_check(&b, "container list", &f), -EFBIG);
        assert_string_equal(f.message, "container list: more than 8 bytes");
        assert_null(buffer_steal(&b, NULL));
}

static void an_absurd_size_fails_without_wrapping(void **state) {
        own_buffer struct buffer b = BUFFER_INIT;

        buffer_putc(&b, 'x');
        buffer_append(&b, "x", SIZE_MAX);
        assert_int_equal(b.failed, EFBIG);
        buffer_clear(&b);
        buffer_put_string(&b, "x", (size_t)UINT32_MAX + 1);
        assert_int_equal(b.failed, EFBIG);
        assert_int_equal(b.size, 0);
}

static void missing_memory_is_a_fault(void **state) {
        struct buffer b = { .failed = ENOMEM };
        own_fault struct fault f = FAULT_INIT;

        assert_int_equal(buffer_check(&b, "list", &f), -ENOMEM);
        assert_int_equal(f.kind, FAULT_INTERNAL);
        assert_string_equal(f.message, "list: out of memory");
}

static void clear_forgets_content_and_failure(void **state) {
        own_buffer struct buffer b = { .max = 4 };
        char *data;

        buffer_puts(&b, "abcd");
        data = b.data;
        buffer_putc(&b, 'e');
        buffer_clear(&b);
        assert_int_equal(b.failed, 0);
        assert_string_equal(buffer_str(&b), "");
        buffer_puts(&b, "wxyz");
        assert_ptr_equal(b.data, data);
        assert_string_equal(b.data, "wxyz");
}

static void steal_hands_over_and_leaves_it_empty(void **state) {
        own_buffer struct buffer b = BUFFER_INIT;
        own_free char *text = NULL, *empty = NULL;
        size_t size = 99;

        buffer_puts(&b, "mine");
        text = buffer_steal(&b, &size);
        assert_string_equal(text, "mine");
        assert_int_equal(size, 4);
        assert_string_equal(buffer_str(&b), "");
        empty = buffer_steal(&b, &size); /* never NULL */
        assert_string_equal(empty, "");
        assert_int_equal(size, 0);
        buffer_puts(&b, "again");
        assert_string_equal(buffer_str(&b), "again");
}

static void done_and_wipe_leave_a_buffer_that_can_be_used(void **state) {
        own_secret struct buffer b = BUFFER_INIT;

        buffer_done(&b);
        buffer_wipe(&b);
        buffer_puts(&b, "secret");
        buffer_wipe(&b);
        assert_null(b.data);
        assert_int_equal(b.size, 0);
        buffer_puts(&b, "x");
        assert_string_equal(buffer_str(&b), "x");
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_join_and_end_with_nul),
        cmocka_unit_test(it_grows_far_and_keeps_every_byte),
        cmocka_unit_test(ssh_strings_are_big_endian),
        cmocka_unit_test(beyond_the_maximum_it_fails_and_stays_failed),
        cmocka_unit_test(an_absurd_size_fails_without_wrapping),
        cmocka_unit_test(missing_memory_is_a_fault),
        cmocka_unit_test(clear_forgets_content_and_failure),
        cmocka_unit_test(steal_hands_over_and_leaves_it_empty),
        cmocka_unit_test(done_and_wipe_leave_a_buffer_that_can_be_used),
};

TEST_GROUP(buffer, tests);
