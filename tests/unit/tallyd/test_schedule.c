/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "reconciler/tallyd/schedule.h"
#include "tests/lib/group.h"

static const uint32_t rolls[] = { 0, 1, 12345, UINT32_MAX / 2, UINT32_MAX };
#define N_ROLLS (sizeof(rolls) / sizeof(*rolls))

/* Within a tenth of @want for every roll, what it may be late counted in. */
static void assert_spread(struct schedule s, enum outcome outcome, int64_t wish, int64_t want) {
        for (size_t i = 0; i < N_ROLLS; i++) {
                struct schedule copy = s;
                struct wait w = schedule_after(&copy, outcome, wish, rolls[i]);

                assert_in_range(w.delay_ms, want - want / 10, want + want / 10);
                assert_in_range(w.delay_ms + w.accuracy_ms, want - want / 10, want + want / 10);
                assert_true(w.accuracy_ms > 0);
        }
}

static void polls_are_spread_by_a_tenth(void **state) {
        struct schedule s = SCHEDULE_INIT, t = SCHEDULE_INIT;

        assert_spread(s, OUTCOME_GOOD, SCHEDULE_NO_WISH, SCHEDULE_POLL_MS);
        assert_int_not_equal(schedule_after(&s, OUTCOME_GOOD, SCHEDULE_NO_WISH, 0).delay_ms,
                             schedule_after(&t, OUTCOME_GOOD, SCHEDULE_NO_WISH, 4711).delay_ms);
}

static void a_wish_is_kept_to_when_it_comes_before_the_poll(void **state) {
        struct schedule s = SCHEDULE_INIT;

        for (size_t i = 0; i < N_ROLLS; i++)
                assert_int_equal(schedule_after(&s, OUTCOME_GOOD, 5000, rolls[i]).delay_ms, 5000);
        assert_spread(s, OUTCOME_GOOD, 3600 * 1000, SCHEDULE_POLL_MS);
        assert_spread(s, OUTCOME_GOOD, INT64_MAX, SCHEDULE_POLL_MS);
}

static void no_wish_makes_the_host_spin(void **state) {
        struct schedule s = SCHEDULE_INIT;

        assert_int_equal(schedule_after(&s, OUTCOME_GOOD, 0, 0).delay_ms, SCHEDULE_FLOOR_MS);
}

static void lost_workers_double_the_interval_up_to_ten_minutes(void **state) {
        static const int64_t want[] = { 30000, 60000, 120000, 240000, 480000, 600000, 600000, 600000 };
        struct schedule s = SCHEDULE_INIT;

        for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
                assert_spread(s, OUTCOME_LOST, SCHEDULE_NO_WISH, want[i]);
                (void)schedule_after(&s, OUTCOME_LOST, SCHEDULE_NO_WISH, 0);
                assert_int_equal(s.failures, i + 1);
        }
}

static void the_first_failure_keeps_the_interval_and_the_wish(void **state) {
        struct schedule s = SCHEDULE_INIT;

        assert_int_equal(schedule_after(&s, OUTCOME_FAILED, 5000, 0).delay_ms, 5000);
        assert_spread(s, OUTCOME_FAILED, 5000, 2 * SCHEDULE_POLL_MS);
}

static void a_lost_worker_has_no_wish(void **state) {
        struct schedule s = SCHEDULE_INIT;

        assert_spread(s, OUTCOME_LOST, 200, SCHEDULE_POLL_MS);
}

static void anything_but_a_failure_forgets_the_failures(void **state) {
        struct schedule s = { .poll_ms = SCHEDULE_POLL_MS, .failures = 7 };

        assert_spread(s, OUTCOME_GOOD, SCHEDULE_NO_WISH, SCHEDULE_POLL_MS);
        (void)schedule_after(&s, OUTCOME_GOOD, SCHEDULE_NO_WISH, 0);
        assert_int_equal(s.failures, 0);
}

static void a_long_poll_is_never_shortened_by_failures(void **state) {
        struct schedule s = { .poll_ms = 3600 * 1000, .failures = 3 };

        assert_spread(s, OUTCOME_LOST, SCHEDULE_NO_WISH, 3600 * 1000);
}

static void failures_without_end_do_not_overflow(void **state) {
        struct schedule s = { .poll_ms = INT64_C(7) * 24 * 3600 * 1000, .failures = UINT32_MAX };

        assert_spread(s, OUTCOME_LOST, SCHEDULE_NO_WISH, s.poll_ms);
        s.poll_ms = SCHEDULE_FLOOR_MS;
        assert_spread(s, OUTCOME_LOST, SCHEDULE_NO_WISH, SCHEDULE_BACKOFF_MAX_MS);
        (void)schedule_after(&s, OUTCOME_LOST, SCHEDULE_NO_WISH, 0);
        assert_int_equal(s.failures, UINT32_MAX);
}

static void exit_codes_are_those_of_tally(void **state) {
        static const enum outcome want[] = { OUTCOME_GOOD, OUTCOME_FAILED, OUTCOME_GOOD, OUTCOME_GOOD,
                                             OUTCOME_GOOD, OUTCOME_GOOD,   OUTCOME_LOST };

        for (int i = 0; i < 7; i++)
                assert_int_equal(outcome_of_exit(i), want[i]);
        assert_int_equal(outcome_of_exit(127), OUTCOME_LOST);
        assert_int_equal(outcome_of_exit(128 + 11), OUTCOME_LOST);
        assert_int_equal(outcome_of_exit(-1), OUTCOME_LOST);
        assert_string_equal(outcome_to_string(OUTCOME_LOST), "lost");
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(polls_are_spread_by_a_tenth),
        cmocka_unit_test(a_wish_is_kept_to_when_it_comes_before_the_poll),
        cmocka_unit_test(no_wish_makes_the_host_spin),
        cmocka_unit_test(lost_workers_double_the_interval_up_to_ten_minutes),
        cmocka_unit_test(the_first_failure_keeps_the_interval_and_the_wish),
        cmocka_unit_test(a_lost_worker_has_no_wish),
        cmocka_unit_test(anything_but_a_failure_forgets_the_failures),
        cmocka_unit_test(a_long_poll_is_never_shortened_by_failures),
        cmocka_unit_test(failures_without_end_do_not_overflow),
        cmocka_unit_test(exit_codes_are_those_of_tally),
};

TEST_GROUP(schedule, tests);
