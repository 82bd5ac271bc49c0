/* SPDX-License-Identifier: Apache-2.0 */

/* What each strategy promises, on a simulated host. */

#include "tests/unit/reconciler/rollouts.h"

/*
 * rolling
 */

/* Fewest in service and most running at a time while the new release comes. */
static void roll(int64_t replicas, int64_t max_parallel, enum rollout_order order, size_t *ret_fewest,
                 size_t *ret_most) {
        struct rollouts t;

        begin_with(&t, 1, replicas, -1);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_SLOW, 500);
        want_new(&t,
                 &(struct rollout_settings){
                         .strategy = STRATEGY_ROLLING, .max_parallel = max_parallel, .order = order },
                 NULL);
        *ret_fewest = SIZE_MAX;
        *ret_most = 0;
        for (int n = 0; n < 2000 && !str_eq(t.s.app.rollout.current_release, t.new->release); n++) {
                size_t in_service = sim_healthy(&t.s, "svc0000", NULL), running = sim_running(&t.s, NULL);

                *ret_fewest = in_service < *ret_fewest ? in_service : *ret_fewest;
                *ret_most = running > *ret_most ? running : *ret_most;
                (void)pass_once(&t, 50);
        }
        expect_new(&t);
        sim_done(&t.s);
}

static void test_rolling_start_first_never_has_fewer_than_all_in_service(void **state) {
        size_t fewest, most;

        for (int64_t parallel = 0; parallel <= 3; parallel++) {
                roll(5, parallel, ORDER_AUTO, &fewest, &most);
                assert_int_equal(fewest, 5);
                assert_int_equal(most, 5 + (parallel ? (size_t)parallel : 5));
        }
}

static void test_rolling_stop_first_replaces_at_most_max_parallel_at_a_time(void **state) {
        size_t fewest, most;

        for (int64_t parallel = 1; parallel <= 3; parallel++) {
                roll(5, parallel, ORDER_STOP_FIRST, &fewest, &most);
                assert_int_equal(fewest, 5 - (size_t)parallel);
                assert_int_equal(most, 5);
        }
}

static void test_rolling_waits_for_the_health_of_a_batch_before_the_next(void **state) {
        struct rollouts t;
        size_t most = 0;

        begin_with(&t, 1, 3, -1);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_SLOW, 5000);
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_ROLLING, .max_parallel = 1 }, NULL);
        for (int n = 0; n < 400; n++) {
                size_t starting = sim_running(&t.s, sim_service(t.new, 0)->spec_digest) - healthy(&t, t.new, 0);

                most = starting > most ? starting : most;
                (void)pass_once(&t, 100);
        }
        assert_int_equal(most, 1);
        expect_new(&t);
        sim_done(&t.s);
}

/*
 * recreate
 */

static void test_recreate_stops_all_of_the_old_before_any_of_the_new_starts(void **state) {
        struct rollouts t;

        begin_with(&t, 2, 2, 500);
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_RECREATE }, NULL);
        for (int n = 0; n < 500; n++) {
                for (size_t i = 0; i < 2; i++)
                        assert_true(sim_running(&t.s, sim_service(t.new, i)->spec_digest) == 0 ||
                                    sim_running(&t.s, sim_service(t.old, i)->spec_digest) == 0);
                (void)pass_once(&t, 50);
        }
        expect_new(&t);
        sim_done(&t.s);
}

/*
 * canary
 */

static const struct canary_step thirds[] = { { .weight = 34, .hold_ms = 2000 }, { .weight = 67, .hold_ms = 2000 } };
static const struct rollout_settings canary = { .strategy = STRATEGY_CANARY,
                                                .steps = { .items = (void *)thirds, .n = 2 } };

static void test_a_canary_without_router_keeps_the_proportion_of_old_and_new(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 6, -1);
        want_new(&t, &canary, NULL);
        run_until(&t, "check-34", STEP_WAITING);
        assert_int_equal(healthy(&t, t.new, 0), 3); /* 34 % of 6, rounded up */
        assert_int_equal(healthy(&t, t.old, 0), 3);
        run_until(&t, "check-67", STEP_WAITING);
        assert_int_equal(healthy(&t, t.new, 0), 5);
        assert_int_equal(healthy(&t, t.old, 0), 1);
        expect_new(&t);
        sim_done(&t.s);
}

static void test_one_replica_can_have_a_canary(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 1, -1);
        want_new(&t, &canary, NULL);
        for (const char *step = "check-34"; step; step = str_eq(step, "check-34") ? "check-67" : NULL) {
                run_until(&t, step, STEP_WAITING);
                assert_int_equal(healthy(&t, t.new, 0), 1);
                assert_int_equal(healthy(&t, t.old, 0), 1);
        }
        expect_new(&t);
        sim_done(&t.s);
}

static void test_a_canary_with_router_keeps_all_of_the_old_until_it_has_all_requests(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 3, 500);
        want_new(&t, &canary, NULL);
        while (!str_eq(t.s.app.rollout.current_release, t.new->release)) {
                if (sim_state_of(&t.s, "traffic-100") != STEP_SUCCEEDED)
                        assert_int_equal(healthy(&t, t.old, 0), 3);
                (void)pass_once(&t, 100);
        }
        expect_new(&t);
        sim_done(&t.s);
}

static void test_a_canary_shifts_as_many_percent_as_its_step_says(void **state) {
        struct rollouts t;
        size_t candidates = 0;

        begin_with(&t, 1, 3, 500);
        want_new(&t, &canary, NULL);
        run_until(&t, "check-34", STEP_WAITING);
        assert_int_equal(router(&t)->state.route.candidate, 34);
        for (size_t i = 0; i < router(&t)->state.route.targets.n; i++)
                candidates += ((struct route_target *)router(&t)->state.route.targets.items)[i].variation ==
                              VARIATION_CANDIDATE;
        assert_int_equal(candidates, 2);
        assert_int_equal(router(&t)->state.route.targets.n, 5);
        run_until(&t, "check-67", STEP_WAITING);
        assert_int_equal(router(&t)->state.route.candidate, 67);
        expect_new(&t);
        sim_done(&t.s);
}

static void test_a_canary_holds_as_long_as_its_step_says(void **state) {
        static const struct canary_step steps[] = { { .weight = 50, .hold_ms = 60000 } };
        struct rollouts t;
        int64_t began;

        begin_with(&t, 1, 2, -1);
        want_new(&t,
                 &(struct rollout_settings){ .strategy = STRATEGY_CANARY, .steps = { .items = (void *)steps, .n = 1 } },
                 NULL);
        run_until(&t, "check-50", STEP_WAITING);
        began = t.s.mono;
        while (sim_state_of(&t.s, "check-50") == STEP_WAITING)
                (void)pass_once(&t, 500);
        assert_in_range(t.s.mono - began, 60000, 61000);
        sim_done(&t.s);
}

static void test_the_first_deployment_has_nobody_to_spare_and_goes_all_the_way_at_once(void **state) {
        struct rollouts t;
        int64_t began;

        make_releases(&t, 1, 3, 500);
        sim_want(&t.s, t.new);
        sim_plan(&t.s,
                 &(struct rollout_settings){ .strategy = STRATEGY_CANARY,
                                             .progression = &(struct progression){ .start = 10, .hold_ms = 60000 } },
                 NULL);
        began = t.s.mono;
        for (int n = 0; n < 200 && t.s.app.rollout.phase != PHASE_SETTLED; n++)
                (void)pass_once(&t, 50);
        assert_in_range(t.s.mono - began, 0, 10000);
        expect_new(&t);
        sim_done(&t.s);
}

/*
 * blue-green
 */

static const struct rollout_settings blue_green = { .strategy = STRATEGY_BLUE_GREEN, .bake_ms = 5000 };

static void test_blue_green_leaves_the_old_untouched_until_all_of_the_new_is_healthy(void **state) {
        struct rollouts t;
        int moves;

        begin_with(&t, 2, 2, 500);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_SLOW, 3000);
        moves = router(&t)->moves;
        want_new(&t, &blue_green, NULL);
        while (sim_state_of(&t.s, "traffic-100") != STEP_SUCCEEDED) {
                assert_int_equal(healthy(&t, t.old, 0), 2);
                assert_int_equal(healthy(&t, t.old, 1), 2);
                assert_true(router(&t)->moves == moves || healthy(&t, t.new, 0) == 2);
                (void)pass_once(&t, 100);
        }
        /* In one move. */
        assert_int_equal(router(&t)->moves, moves + 1);
        assert_int_equal(router(&t)->state.route.targets.n, 2);
        expect_new(&t);
        assert_int_equal(router(&t)->moves, moves + 1);
        sim_done(&t.s);
}

static void test_blue_green_switches_back_in_one_move(void **state) {
        struct rollouts t;
        int moves;

        begin_with(&t, 1, 3, 500);
        moves = router(&t)->moves;
        want_new(&t, &blue_green, NULL);
        run_until(&t, "check-100", STEP_WAITING);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_ILL, 0);
        sim_settle(&t.s);
        while (router(&t)->moves == moves + 1)
                (void)pass_once(&t, 100);
        assert_int_equal(healthy(&t, t.old, 0), 3);
        expect_taken_back(&t, REASON_ROLLOUT_UNHEALTHY);
        assert_int_equal(router(&t)->moves, moves + 2);
        sim_done(&t.s);
}

static void test_blue_green_keeps_the_old_set_running_through_the_bake(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, 500);
        want_new(&t, &blue_green, NULL);
        run_until(&t, "check-100", STEP_WAITING);
        while (sim_state_of(&t.s, "check-100") == STEP_WAITING) {
                assert_int_equal(healthy(&t, t.old, 0), 2);
                (void)pass_once(&t, 100);
        }
        expect_new(&t);
        sim_done(&t.s);
}

/*
 * All of them
 */

static void test_several_services_are_one_transaction(void **state) {
        for (int strategy = 0; strategy < STRATEGY_MAX_; strategy++)
                for (size_t bad = 0; bad < 3; bad++) {
                        struct rollouts t;

                        begin_with(&t, 3, 2, 200);
                        sim_fate(&t.s, sim_service(t.new, bad), FATE_ILL, 0);
                        want_new(&t, &(struct rollout_settings){ .strategy = strategy, .max_parallel = 1 }, NULL);
                        expect_taken_back(&t, REASON_ROLLOUT_UNHEALTHY);
                        sim_done(&t.s);
                }
}

static void test_what_cannot_run_twice_has_no_canary_and_nothing_is_touched(void **state) {
        static const char *const texts[] = {
                [STRATEGY_CANARY] =
                        "strategy canary needs two of svc0001 at a time, and it cannot run twice: it publishes port 8080 of the host",
                [STRATEGY_BLUE_GREEN] = "strategy blue-green needs two of svc0001 at a time, and it cannot run twice",
        };

        for (int strategy = STRATEGY_CANARY; strategy <= STRATEGY_BLUE_GREEN; strategy++) {
                struct rollouts t;

                begin_with(&t, 2, 1, -1);
                sim_service(t.new, 1)->exclusive = true;
                sim_service(t.new, 1)->why_exclusive =
                        strategy == STRATEGY_CANARY ? "it publishes port 8080 of the host" : NULL;
                want_new(&t, &(struct rollout_settings){ .strategy = strategy }, NULL);
                t.s.actions = 0;
                expect_taken_back(&t, REASON_ROLLOUT_EXCLUSIVE);
                assert_int_equal(t.s.actions, 0);
                assert_string_equal(t.s.app.rollout.failure_text, texts[strategy]);
                sim_done(&t.s);
        }
}

static void test_what_cannot_run_twice_may_be_new_or_stay_beside_a_canary(void **state) {
        struct rollouts t;

        make_releases(&t, 3, 2, -1);
        for (size_t i = 0; i < 3; i += 2)
                sim_service(t.new, i)->exclusive = sim_service(t.old, i)->exclusive = true;
        sim_service(t.new, 0)->spec_digest = sim_service(t.old, 0)->spec_digest;
        sim_service(t.new, 0)->image = sim_service(t.old, 0)->image;
        t.old->services.n = 2;
        settle_old(&t);
        want_new(&t, &canary, NULL);
        expect_new(&t);
        sim_done(&t.s);
}

static void test_what_cannot_run_twice_stops_before_its_successor_starts(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, -1);
        sim_service(t.new, 0)->exclusive = true;
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_ROLLING, .max_parallel = 1 }, NULL);
        while (!str_eq(t.s.app.rollout.current_release, t.new->release)) {
                assert_in_range(sim_running(&t.s, NULL), 1, 2);
                (void)pass_once(&t, 100);
        }
        expect_new(&t);
        sim_done(&t.s);
}

static void test_a_release_that_overtakes_goes_back_to_what_served_before_both(void **state) {
        for (int strategy = 0; strategy < STRATEGY_MAX_; strategy++) {
                struct rollouts t;

                begin_with(&t, 1, 3, 200);
                sim_fate(&t.s, sim_service(t.next, 0), FATE_ILL, 0);
                want_new(&t,
                         &(struct rollout_settings){
                                 .strategy = strategy, .max_parallel = 1, .bake_ms = 60000, .steps = canary.steps },
                         NULL);
                while (sim_running(&t.s, sim_service(t.new, 0)->spec_digest) == 0)
                        (void)pass_once(&t, 100);
                sim_want(&t.s, t.next);
                sim_plan(&t.s, &(struct rollout_settings){ .strategy = strategy, .max_parallel = 1 }, NULL);
                assert_true(sim_run(&t.s, 1000));
                assert_true(sim_is_exactly(&t.s, t.old));
                assert_true(sim_routes_exactly(&t.s, t.old));
                assert_true(rollout_is_poisoned(&t.s.app.rollout, t.next->release));
                assert_false(rollout_is_poisoned(&t.s.app.rollout, t.new->release));
                sim_done(&t.s);
        }
}

static void test_a_release_that_is_withdrawn_is_taken_back_and_not_poisoned(void **state) {
        for (int declared = 0; declared < 2; declared++) {
                struct rollouts t;

                begin_with(&t, 1, 3, 200);
                want_new(&t, &canary, NULL);
                run_until(&t, "check-34", STEP_WAITING);
                sim_want(&t.s, declared ? t.old : NULL);
                t.s.events[EVENT_STARTED] = 0;
                assert_true(sim_run(&t.s, 1000));
                assert_true(sim_is_exactly(&t.s, t.old));
                assert_true(sim_routes_exactly(&t.s, t.old));
                assert_int_equal(t.s.app.rollout.poisoned.n, 0);
                /* What served is gone back to, not rolled out anew. */
                assert_int_equal(t.s.events[EVENT_STARTED], 0);
                assert_int_equal(t.s.events[EVENT_REVERTED], 1);
                sim_done(&t.s);
        }
}

/*
 * Retries
 */

static void sign(struct rollouts *t, const char *id, const struct workload *w, int64_t expires_at) {
        struct retry_permission *retry =
                arena_push(t->s.arena, &t->s.app.retries.items, &t->s.app.retries.n, sizeof(struct retry_permission));

        *retry = (struct retry_permission){
                .id = id, .release = w->release, .principal = "ann@example.com", .expires_at = expires_at
        };
}

static void test_a_poisoned_release_is_tried_again_once_for_each_signed_retry(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 1, -1);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_ILL, 0);
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_ROLLING }, NULL);
        expect_taken_back(&t, REASON_ROLLOUT_UNHEALTHY);
        assert_int_equal(t.s.events[EVENT_STARTED], 2);
        sign(&t, "other", t.next, 0);
        sign(&t, "late", t.new, t.s.world.now - 1);
        assert_true(sim_run(&t.s, 100));
        assert_int_equal(t.s.events[EVENT_STARTED], 2);

        sign(&t, "one", t.new, t.s.world.now + 600000);
        assert_true(sim_run(&t.s, 1000));
        assert_int_equal(t.s.events[EVENT_STARTED], 3);
        assert_true(rollout_is_poisoned(&t.s.app.rollout, t.new->release));
        assert_true(sim_is_exactly(&t.s, t.old));

        sim_fate(&t.s, sim_service(t.new, 0), FATE_WELL, 0);
        sign(&t, "two", t.new, 0);
        expect_new(&t);
        assert_int_equal(t.s.events[EVENT_STARTED], 4);
        assert_false(rollout_is_poisoned(&t.s.app.rollout, t.new->release));
        assert_int_equal(t.s.app.rollout.retried.n, 2);
        sim_done(&t.s);
}

static void test_a_retry_lets_a_paused_rollout_go_on(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 1, -1);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_ILL, 0);
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_ROLLING, .on_failure = ON_FAILURE_PAUSE }, NULL);
        assert_true(sim_run_to(&t.s, PHASE_PAUSED, 200));
        sim_fate(&t.s, sim_service(t.new, 0), FATE_WELL, 0);
        sim_settle(&t.s);
        sign(&t, "one", t.new, 0);
        expect_new(&t);
        sim_done(&t.s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rolling_start_first_never_has_fewer_than_all_in_service),
                cmocka_unit_test(test_rolling_stop_first_replaces_at_most_max_parallel_at_a_time),
                cmocka_unit_test(test_rolling_waits_for_the_health_of_a_batch_before_the_next),
                cmocka_unit_test(test_recreate_stops_all_of_the_old_before_any_of_the_new_starts),
                cmocka_unit_test(test_a_canary_without_router_keeps_the_proportion_of_old_and_new),
                cmocka_unit_test(test_one_replica_can_have_a_canary),
                cmocka_unit_test(test_a_canary_with_router_keeps_all_of_the_old_until_it_has_all_requests),
                cmocka_unit_test(test_a_canary_shifts_as_many_percent_as_its_step_says),
                cmocka_unit_test(test_a_canary_holds_as_long_as_its_step_says),
                cmocka_unit_test(test_the_first_deployment_has_nobody_to_spare_and_goes_all_the_way_at_once),
                cmocka_unit_test(test_blue_green_leaves_the_old_untouched_until_all_of_the_new_is_healthy),
                cmocka_unit_test(test_blue_green_switches_back_in_one_move),
                cmocka_unit_test(test_blue_green_keeps_the_old_set_running_through_the_bake),
                cmocka_unit_test(test_several_services_are_one_transaction),
                cmocka_unit_test(test_what_cannot_run_twice_has_no_canary_and_nothing_is_touched),
                cmocka_unit_test(test_what_cannot_run_twice_stops_before_its_successor_starts),
                cmocka_unit_test(test_a_release_that_overtakes_goes_back_to_what_served_before_both),
                cmocka_unit_test(test_a_release_that_is_withdrawn_is_taken_back_and_not_poisoned),
                cmocka_unit_test(test_a_poisoned_release_is_tried_again_once_for_each_signed_retry),
                cmocka_unit_test(test_a_retry_lets_a_paused_rollout_go_on),
                cmocka_unit_test(test_what_cannot_run_twice_may_be_new_or_stay_beside_a_canary),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
