/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "reconciler/core/breaker.h"
#include "shared/data/json.h"

#define NOW    INT64_C(1800000000000)
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

static struct arena *a;

static int set_up(void **state) {
        a = arena_new();
        return 0;
}

static int tear_down(void **state) {
        arena_free(a);
        return 0;
}

/* A look; with drift, a repair if one is due. How long it must wait else. */
static int64_t look(struct breaker *b, bool drifts, int64_t now) {
        int64_t wait;

        breaker_observe(b, drifts, now);
        wait = drifts ? breaker_wait_ms(b, now) : 0;
        if (drifts && wait == 0)
                breaker_repaired(b, now, a);
        return wait;
}

/* Drift that nothing lasts against, looked at each second: when repairs were made, in seconds; returns how many. */
static size_t storm(struct breaker *b, int64_t from, int64_t to, int64_t *at, size_t max) {
        size_t n = 0;

        for (int64_t now = from; now < to; now += SECOND)
                if (look(b, true, now) == 0 && n < max)
                        at[n++] = (now - from) / SECOND;
        return n;
}

/* Bring it to open at NOW. */
static struct breaker opened(void) {
        struct breaker b = { .state = BREAKER_CLOSED };
        int64_t at[5];

        assert_int_equal(storm(&b, NOW - 42 * SECOND, NOW + 1, at, 5), 5);
        assert_int_equal(b.state, BREAKER_OPEN);
        b.opened_at = NOW;
        b.next_at = NOW + b.open_ms;
        return b;
}

static void a_storm_is_slowed_down_and_then_stopped(void **state) {
        static const int64_t wanted[] = { 0, 1, 2, 12, 42 };
        struct breaker b = { .state = BREAKER_CLOSED };
        int64_t at[16];
        size_t n = storm(&b, NOW, NOW + 10 * MINUTE, at, 16);

        assert_int_equal(n, 5);
        for (size_t i = 0; i < n; i++)
                assert_true(at[i] == wanted[i]);
        assert_int_equal(b.state, BREAKER_OPEN);
        assert_true(breaker_wait_ms(&b, NOW + 42 * SECOND) == 10 * MINUTE);
}

static void slow_drift_never_opens_it(void **state) {
        struct breaker b = { .state = BREAKER_CLOSED };

        for (int i = 0; i < 100; i++) {
                int64_t now = NOW + i * 20 * MINUTE;

                assert_true(look(&b, true, now) == 0);
                assert_int_equal(b.state, BREAKER_CLOSED);
                assert_true(look(&b, false, now + MINUTE) == 0);
                assert_true(b.recent.n < BREAKER_REPAIRS_MAX);
        }
        assert_int_equal(b.repairs, 100);
}

static void repairs_back_off_up_to_five_minutes(void **state) {
        static const int64_t waits[] = { 0, 0, 10 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE, 5 * MINUTE };
        struct breaker b = { .state = BREAKER_CLOSED };
        int64_t now = NOW;

        /* Far enough apart that it doesn't open, near enough that nothing is forgotten. */
        for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++, now += 30 * MINUTE) {
                assert_true(look(&b, true, now) == 0);
                assert_true(breaker_wait_ms(&b, now) == waits[i]);
        }
}

static void an_open_one_tries_one_repair(void **state) {
        struct breaker b = opened();

        assert_true(look(&b, true, NOW + 10 * MINUTE - 1) == 1);
        assert_int_equal(b.state, BREAKER_OPEN);
        assert_true(look(&b, true, NOW + 10 * MINUTE) == 0);
        assert_int_equal(b.state, BREAKER_HALF_OPEN);
        /* The trial is made: no second one while it settles. */
        assert_true(look(&b, true, NOW + 10 * MINUTE + SECOND) == 9 * SECOND);
        assert_int_equal(b.state, BREAKER_HALF_OPEN);
        /* It lasts. */
        assert_true(look(&b, false, NOW + 10 * MINUTE + 2 * SECOND) == 0);
        assert_true(look(&b, false, NOW + 70 * MINUTE) == 0);
        assert_int_equal(b.state, BREAKER_HALF_OPEN);
        assert_true(look(&b, false, NOW + 70 * MINUTE + 2 * SECOND) == 0);
        assert_int_equal(b.state, BREAKER_CLOSED);
        assert_int_equal(b.repairs, 0);
        assert_true(look(&b, true, NOW + 71 * MINUTE) == 0);
        assert_true(look(&b, true, NOW + 71 * MINUTE + 1) == 0);
}

static void a_trial_that_does_not_last_opens_it_twice_as_long(void **state) {
        struct breaker b = opened();
        int64_t now = NOW + 10 * MINUTE;

        for (int64_t open = 20 * MINUTE; open < 12 * HOUR; open *= 2) {
                int64_t wanted = open < 6 * HOUR ? open : 6 * HOUR;

                assert_true(look(&b, true, now) == 0);
                assert_int_equal(b.state, BREAKER_HALF_OPEN);
                now += MINUTE;
                assert_true(look(&b, false, now) == 0);
                now += 50 * MINUTE;
                assert_true(look(&b, true, now) == wanted);
                assert_int_equal(b.state, BREAKER_OPEN);
                now += wanted;
        }
}

static void a_trial_that_does_not_help_opens_it_again(void **state) {
        struct breaker b = opened();
        int64_t now = NOW + 10 * MINUTE;

        assert_true(look(&b, true, now) == 0);
        assert_true(look(&b, true, now + 9 * SECOND) == SECOND);
        assert_true(look(&b, true, now + 10 * SECOND) == 20 * MINUTE);
        assert_int_equal(b.state, BREAKER_OPEN);
}

static void an_hour_without_drift_closes_an_open_one(void **state) {
        struct breaker b = opened();

        assert_true(look(&b, false, NOW + SECOND) == 0);
        assert_true(look(&b, false, NOW + 30 * MINUTE) == 0);
        assert_int_equal(b.state, BREAKER_OPEN);
        /* Nobody looked when the hour was over. */
        assert_true(look(&b, true, NOW + 2 * HOUR) == 0);
        assert_int_equal(b.state, BREAKER_CLOSED);
        assert_int_equal(b.repairs, 1);
}

static bool same(const struct breaker *x, const struct breaker *y) {
        own_json json_t *one = table_write(&breaker_table, x), *two = table_write(&breaker_table, y);

        return json_equal(one, two);
}

static void looks_that_change_nothing_write_nothing(void **state) {
        struct breaker b = { .state = BREAKER_CLOSED }, before;

        for (int i = 0; i < 10; i++)
                breaker_observe(&b, false, NOW + i * MINUTE);
        assert_true(same(&b, &(struct breaker){ .state = BREAKER_CLOSED }));

        b = before = opened();
        for (int i = 1; i < 10; i++)
                breaker_observe(&b, true, NOW + i * MINUTE);
        assert_true(same(&b, &before));

        breaker_observe(&b, false, NOW + 10 * MINUTE);
        before = b;
        for (int i = 11; i < 60; i++)
                breaker_observe(&b, false, NOW + i * MINUTE);
        assert_true(same(&b, &before));
}

static void it_survives_a_restart(void **state) {
        struct breaker b = { .state = BREAKER_CLOSED };
        int64_t at[16];
        size_t n = 0;

        for (int64_t now = NOW; now < NOW + 10 * MINUTE; now += SECOND) {
                own_json json_t *json = table_write(&breaker_table, &b);
                own_fault struct fault f = FAULT_INIT;

                assert_int_equal(table_read_json(&breaker_table, "breaker", json, &b, a, &f), 0);
                if (look(&b, true, now) == 0 && n < 16)
                        at[n++] = now;
        }
        assert_int_equal(n, 5);
        assert_true(at[4] == NOW + 42 * SECOND);
        assert_int_equal(b.state, BREAKER_OPEN);
}

static void a_clock_that_is_set_back_makes_no_wait_longer(void **state) {
        struct breaker b = { .state = BREAKER_CLOSED };
        const int64_t back = NOW - 1000 * HOUR;

        for (int i = 0; i < 4; i++)
                assert_true(look(&b, true, NOW + i * MINUTE) == 0);
        assert_true(look(&b, true, back) == BREAKER_WAIT_MAX_MS);
        assert_true(look(&b, true, back + BREAKER_WAIT_MAX_MS) == 0);

        b = opened();
        assert_true(look(&b, true, back) == 10 * MINUTE);
        assert_true(look(&b, true, back + 10 * MINUTE) == 0);
        assert_int_equal(b.state, BREAKER_HALF_OPEN);

        b = opened();
        breaker_observe(&b, false, NOW + SECOND);
        breaker_observe(&b, false, back);
        breaker_observe(&b, false, back + HOUR);
        assert_int_equal(b.state, BREAKER_CLOSED);

        b = opened();
        assert_true(look(&b, true, NOW + 10 * MINUTE) == 0);
        assert_true(look(&b, true, back) == BREAKER_SETTLE_MS);
        assert_true(look(&b, true, back + BREAKER_SETTLE_MS) == 20 * MINUTE);
}

/* Random drift, clocks and restarts: whatever happens, the promises hold. The seed is printed when they do not. */
static void whatever_happens_the_promises_hold(void **state) {
        for (unsigned seed = 1; seed <= 200; seed++) {
                own_arena struct arena *own = arena_new();
                struct breaker b = { .state = BREAKER_CLOSED };
                unsigned random = seed;
                int64_t now = NOW, last_hour[2000];
                size_t n = 0;

                for (int i = 0; i < 2000; i++) {
                        bool drifts, back;
                        int64_t wait;

                        now += (int64_t)(rand_r(&random) % 120000);
                        back = rand_r(&random) % 200 == 0;
                        if (back)
                                now -= (int64_t)(rand_r(&random) % 1000) * HOUR;
                        if (back)
                                n = 0; /* what an hour is cannot be said across that */
                        drifts = rand_r(&random) % 3 != 0;
                        breaker_observe(&b, drifts, now);
                        wait = breaker_wait_ms(&b, now);
                        if (wait < 0 || wait > (b.state == BREAKER_OPEN ? BREAKER_OPEN_MAX_MS : BREAKER_WAIT_MAX_MS))
                                fail_msg("seed %u, look %d: it waits %lld ms", seed, i, (long long)wait);
                        if (!drifts || wait > 0)
                                continue;
                        breaker_repaired(&b, now, own);
                        last_hour[n++] = now;
                        /* Five while it is closed, and the trials after 10 and after 20 more minutes. */
                        if (n > 7 && last_hour[n - 1] - last_hour[n - 8] < HOUR)
                                fail_msg("seed %u, look %d: eight repairs within an hour", seed, i);
                }
        }
}

static void what_comes_back_after_it_seemed_to_last_opens_it_for_twice_as_long(void **state) {
        struct breaker b = opened();
        int64_t tried = NOW + 10 * MINUTE;

        assert_true(look(&b, true, tried) == 0);
        assert_true(look(&b, false, tried + SECOND) == 0);
        /* Sooner than a repair needs to show what it is worth: but it was gone, and is here again. */
        assert_true(look(&b, true, tried + 2 * SECOND) == 20 * MINUTE);
        assert_int_equal(b.state, BREAKER_OPEN);
}

static void repairs_of_a_clock_that_was_set_back_are_forgotten_after_an_hour_like_others(void **state) {
        struct breaker b = { .state = BREAKER_CLOSED };

        for (int i = 0; i < 3; i++)
                breaker_repaired(&b, NOW, a);
        breaker_repaired(&b, NOW - 24 * HOUR, a);
        assert_int_equal(b.recent.n, 4);
        breaker_repaired(&b, NOW - 23 * HOUR, a);
        assert_int_equal(b.recent.n, 1);
        assert_int_equal(b.state, BREAKER_CLOSED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_storm_is_slowed_down_and_then_stopped),
                cmocka_unit_test(slow_drift_never_opens_it),
                cmocka_unit_test(repairs_back_off_up_to_five_minutes),
                cmocka_unit_test(an_open_one_tries_one_repair),
                cmocka_unit_test(a_trial_that_does_not_last_opens_it_twice_as_long),
                cmocka_unit_test(a_trial_that_does_not_help_opens_it_again),
                cmocka_unit_test(an_hour_without_drift_closes_an_open_one),
                cmocka_unit_test(looks_that_change_nothing_write_nothing),
                cmocka_unit_test(it_survives_a_restart),
                cmocka_unit_test(a_clock_that_is_set_back_makes_no_wait_longer),
                cmocka_unit_test(whatever_happens_the_promises_hold),
                cmocka_unit_test(what_comes_back_after_it_seemed_to_last_opens_it_for_twice_as_long),
                cmocka_unit_test(repairs_of_a_clock_that_was_set_back_are_forgotten_after_an_hour_like_others),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
