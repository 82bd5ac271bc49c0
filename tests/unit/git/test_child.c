/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/reason.h"
#include "shared/git/child.h"
#include "tests/lib/group.h"

static int answer(struct child *c, void *data, void *result, struct fault *reterr) {
        (void)c, (void)reterr;
        *(int *)result = *(const int *)data + 1;
        return 7;
}

static int refuse(struct child *c, void *data, void *result, struct fault *reterr) {
        (void)c, (void)data;
        *(int *)result = 99;
        (void)fault_set_code(reterr, FAULT_DENIED, REASON_FETCH_HOST_KEY, "the key of %s", "git.example");
        fault_hint(reterr, "pin it");
        return -EACCES;
}

static int crash(struct child *c, void *data, void *result, struct fault *reterr) {
        (void)c, (void)data, (void)result, (void)reterr;
        (void)raise(SIGKILL);
        return 0;
}

static int leave(struct child *c, void *data, void *result, struct fault *reterr) {
        (void)c, (void)data, (void)result, (void)reterr;
        _exit(0);
}

static int hang(struct child *c, void *data, void *result, struct fault *reterr) {
        (void)data, (void)result, (void)reterr;
        child_alive(c);
        clock_sleep_ms(60000);
        return 0;
}

/* Takes 600 ms, with a sign of life every 20. */
static int work_slowly(struct child *c, void *data, void *result, struct fault *reterr) {
        (void)data, (void)reterr;
        for (unsigned i = 0; i < 30; i++) {
                child_alive(c);
                clock_sleep_ms(20);
        }
        *(int *)result = 1;
        return 0;
}

static int run(int (*f)(struct child *, void *, void *, struct fault *), int stall, int total, int *ret,
               struct fault *reterr) {
        int data = 41;
        struct child_work work = { .what = "testing",
                                   .run = f,
                                   .data = &data,
                                   .result_size = sizeof(*ret),
                                   .stall_timeout_ms = stall,
                                   .timeout_ms = total };

        return child_run(&work, ret, reterr);
}

static void a_result_comes_back(void **state) {
        own_fault struct fault f = FAULT_INIT;
        int result = 0;

        (void)state;
        assert_int_equal(run(answer, 5000, 5000, &result, &f), 7);
        assert_int_equal(result, 42);
}

static void a_fault_comes_back_whole(void **state) {
        own_fault struct fault f = FAULT_INIT;
        int result = 0;

        (void)state;
        assert_int_equal(run(refuse, 5000, 5000, &result, &f), -EACCES);
        assert_int_equal(result, 0);
        assert_int_equal(f.kind, FAULT_DENIED);
        assert_ptr_equal(f.code, REASON_FETCH_HOST_KEY);
        assert_string_equal(f.message, "the key of git.example");
        assert_string_equal(f.hint, "pin it");
}

static void a_crash_is_a_fault(void **state) {
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        int result = 0;

        (void)state;
        assert_int_equal(run(crash, 5000, 5000, &result, &f), -EIO);
        assert_non_null(strstr(f.message, "signal 9"));
        assert_int_equal(run(leave, 5000, 5000, &result, &g), -EIO);
        assert_non_null(strstr(g.message, "without an answer"));
}

static void silence_and_the_whole_time_are_limited(void **state) {
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        int64_t before = clock_monotonic_ns();
        int result = 0;

        (void)state;
        assert_int_equal(run(hang, 200, 0, &result, &f), -ETIMEDOUT);
        assert_non_null(strstr(f.message, "did nothing within 200 ms"));
        assert_int_equal(run(hang, 0, 200, &result, &g), -ETIMEDOUT);
        assert_non_null(strstr(g.message, "not done within 200 ms"));
        assert_true(clock_monotonic_ns() - before < 5 * INT64_C(1000000000));
}

static void signs_of_life_keep_it_running(void **state) {
        own_fault struct fault f = FAULT_INIT;
        int result = 0;

        (void)state;
        assert_int_equal(run(work_slowly, 400, 20000, &result, &f), 0);
        assert_int_equal(result, 1);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_comes_back),
        cmocka_unit_test(a_fault_comes_back_whole),
        cmocka_unit_test(a_crash_is_a_fault),
        cmocka_unit_test(silence_and_the_whole_time_are_limited),
        cmocka_unit_test(signs_of_life_keep_it_running),
};

TEST_GROUP(child, tests);
