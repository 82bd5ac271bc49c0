/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "reconciler/tallyd/next.h"
#include "tests/lib/group.h"

static int feed(struct next *n, const char *text) {
        own_fault struct fault fault = FAULT_INIT;
        int r;

        r = next_feed(n, text, strlen(text), &fault);
        assert_int_equal(r < 0, fault_is_set(&fault));
        return r;
}

static void every_line_is_taken_and_the_last_counts(void **state) {
        struct next n;

        next_clear(&n);
        assert_int_equal(feed(&n, "status=first\nnext_ms=0\npoll_ms=30000\nlimit_ms=3600000\nstatus=last\nnext_ms=7\n"),
                         0);
        assert_int_equal(n.next_ms, 7);
        assert_int_equal(n.poll_ms, 30000);
        assert_int_equal(n.limit_ms, 3600000);
        assert_string_equal(n.status, "last");
}

static void lines_may_come_in_pieces(void **state) {
        static const char text[] = "next_ms=1234\nstatus=ok\n";
        struct next n;

        next_clear(&n);
        for (const char *p = text; *p; p++) {
                assert_int_equal(n.next_ms, p <= strchr(text, '\n') ? NEXT_UNSAID : 1234);
                assert_int_equal(next_feed(&n, p, 1, NULL), 0);
        }
        assert_string_equal(n.status, "ok");
        assert_int_equal(next_end(&n, NULL), 0);
}

static void what_is_unsaid_stays_unsaid(void **state) {
        struct next n;

        next_clear(&n);
        assert_int_equal(next_end(&n, NULL), 0);
        assert_int_equal(n.next_ms, NEXT_UNSAID);
        assert_int_equal(n.poll_ms, NEXT_UNSAID);
        assert_int_equal(n.limit_ms, NEXT_UNSAID);
        assert_string_equal(n.status, "");
}

static void wrong_lines_are_refused_and_what_follows_ignored(void **state) {
        static const char *const wrong[] = {
                "next_ms=\n",
                "next_ms=-1\n",
                "next_ms=+1\n",
                "next_ms= 1\n",
                "next_ms=1 \n",
                "next_ms=01\n",
                "next_ms=0x1\n",
                "next_ms=1\r\n",
                "next_ms=604800001\n",
                "next_ms=99999999999999999999999\n",
                "poll_ms=0\n",
                "poll_ms=99\n",
                "limit_ms=0\n",
                "Next_ms=1\n",
                "next_ms\n",
                "next=1\n",
                "\n",
                "status\n",
                " status=x\n",
        };

        for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
                struct next n;

                next_clear(&n);
                assert_int_equal(feed(&n, "next_ms=5\n"), 0);
                assert_true(feed(&n, wrong[i]) < 0);
                assert_int_equal(feed(&n, "next_ms=6\nnonsense\n"), 0);
                assert_int_equal(next_end(&n, NULL), 0);
                assert_int_equal(n.next_ms, 5);
        }
}

static void a_nul_byte_is_refused(void **state) {
        own_fault struct fault fault = FAULT_INIT;
        struct next n;

        next_clear(&n);
        assert_int_equal(next_feed(&n, "status=a\0b\n", 11, &fault), -EINVAL);
        assert_string_equal(n.status, "");
}

static void a_line_without_end_is_refused(void **state) {
        own_fault struct fault fault = FAULT_INIT;
        struct next n;

        next_clear(&n);
        assert_int_equal(feed(&n, "next_ms=5\nnext_ms=6"), 0);
        assert_int_equal(next_end(&n, &fault), -EINVAL);
        assert_int_equal(n.next_ms, 5);
}

static void a_line_has_a_limit(void **state) {
        char line[LIMIT_WORKER_LINE + 2];
        own_fault struct fault fault = FAULT_INIT;
        struct next n;

        memset(line, 'x', sizeof(line));
        memcpy(line, "status=", 7);
        line[LIMIT_WORKER_LINE] = '\n';
        next_clear(&n);
        assert_int_equal(next_feed(&n, line, LIMIT_WORKER_LINE + 1, &fault), 0);
        assert_int_equal(strlen(n.status), LIMIT_WORKER_LINE - 7);

        line[LIMIT_WORKER_LINE] = 'x';
        line[LIMIT_WORKER_LINE + 1] = '\n';
        assert_int_equal(next_feed(&n, line, sizeof(line), &fault), -EFBIG);
}

static void all_lines_have_a_limit(void **state) {
        own_fault struct fault fault = FAULT_INIT;
        struct next n;
        int r = 0;

        next_clear(&n);
        for (size_t i = 0; i <= LIMIT_WORKER_BYTES / 10 && r == 0; i++)
                r = next_feed(&n, "next_ms=1\n", 10, &fault);
        assert_int_equal(r, -EFBIG);
}

static void a_status_cannot_harm_a_terminal(void **state) {
        struct next n;

        next_clear(&n);
        assert_int_equal(feed(&n, "status=\x1b[31mred\rdone\xff\n"), 0);
        assert_string_equal(n.status, "?[31mred done?");
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_is_taken_and_the_last_counts),
        cmocka_unit_test(lines_may_come_in_pieces),
        cmocka_unit_test(what_is_unsaid_stays_unsaid),
        cmocka_unit_test(wrong_lines_are_refused_and_what_follows_ignored),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(a_line_without_end_is_refused),
        cmocka_unit_test(a_line_has_a_limit),
        cmocka_unit_test(all_lines_have_a_limit),
        cmocka_unit_test(a_status_cannot_harm_a_terminal),
};

TEST_GROUP(next, tests);
