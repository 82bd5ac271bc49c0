/* SPDX-License-Identifier: Apache-2.0 */

/* What a rollout begins with, what is remembered of it, and what each phase leaves behind. */

#include "tests/unit/reconciler/steps.h"

static const struct canary_step half[] = { { .weight = 50, .hold_ms = 60000 } };
static const struct rollout_settings canary = { .strategy = STRATEGY_CANARY,
                                                .steps = { .items = (void *)half, .n = 1 } };
static const struct rollout_settings rolling = { .strategy = STRATEGY_ROLLING, .max_parallel = 1 };

/*
 * The beginning
 */

static void test_what_ran_in_any_way_when_a_rollout_began_is_what_it_goes_back_to(void **state) {
        for (int was = 0; was < INSTANCE_STATE_MAX_; was++) {
                struct rollouts t;
                bool ran = was == INSTANCE_RUNNING || was == INSTANCE_RESTARTING || was == INSTANCE_PAUSED;

                begin_with(&t, 1, 1, -1);
                first_of(&t, sim_service(t.old, 0)->spec_digest)->state = was;
                want_new(&t, &rolling, NULL);
                (void)sim_decide(&t.s);
                assert_int_equal(t.s.app.rollout.phase, PHASE_PREPARING);
                assert_int_equal(t.s.app.rollout.previous.n, ran);
                sim_done(&t.s);
        }
}

static void test_what_runs_here_and_is_not_remembered_is_gone_back_to_as_well(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, -1);
        t.s.app.rollout = (struct rollout){ .app = "shop", .intent = -1 };
        t.s.app.current = NULL;
        want_new(&t, &rolling, NULL);
        (void)sim_decide(&t.s);
        assert_int_equal(t.s.app.rollout.previous.n, 2);
        sim_done(&t.s);
}

static void test_a_rollout_begins_with_nothing_of_the_one_that_it_overtakes(void **state) {
        struct rollouts t;
        struct rollout *r = &t.s.app.rollout;

        begin_with(&t, 1, 2, 200);
        (void)sim_check(&t.s, "up", sim_service(t.new, 0), 1000, 1);
        want_new(&t, &canary, NULL);
        run_until(&t, "check-50", STEP_WAITING);
        assert_int_equal(r->candidate, 50);
        assert_true(r->checks.n > 0);
        r->doomed = true;
        r->failure_code = r->failure_text = r->runtime = "of the one before";
        sim_want(&t.s, t.next);
        sim_plan(&t.s, &rolling, NULL);
        (void)sim_decide(&t.s);
        assert_int_equal(t.s.last_event, EVENT_STARTED);
        assert_string_equal(r->release, t.next->release);
        assert_string_equal(r->version, "3.0");
        assert_string_equal(r->runtime, "fake");
        assert_false(r->prepared || r->doomed || r->failure_code || r->failure_text);
        assert_int_equal(r->checks.n, 0);
        assert_int_equal(r->candidate, -1);
        assert_int_equal(r->started_at, t.s.world.now);
        assert_int_equal(r->seen_at, t.s.world.now);
        /* But for where it goes back to. */
        assert_int_equal(r->previous.n, 2);
        for (size_t i = 0; i < r->previous.n; i++)
                assert_string_equal(sim_find(&t.s, r->previous.items[i].text)->spec,
                                    sim_service(t.old, 0)->spec_digest);
        sim_done(&t.s);
}

static void test_a_retry_of_what_did_not_fail_is_not_used_up(void **state) {
        struct rollouts t;
        struct retry_permission *retry;

        begin_with(&t, 1, 1, -1);
        retry = arena_push(t.s.arena, &t.s.app.retries.items, &t.s.app.retries.n, sizeof(struct retry_permission));
        *retry = (struct retry_permission){ .id = "one", .release = t.new->release, .principal = "ann@example.com" };
        want_new(&t, &rolling, NULL);
        expect_new(&t);
        assert_int_equal(t.s.app.rollout.retried.n, 0);
        sim_done(&t.s);
}

static void test_a_release_that_comes_without_a_plan_gets_that_of_its_strategy(void **state) {
        for (int routed = 0; routed < 2; routed++) {
                struct rollouts t;

                begin_with(&t, 1, 2, routed ? 200 : -1);
                t.s.app.settings.strategy = STRATEGY_CANARY;
                sim_want(&t.s, t.new);
                (void)sim_decide(&t.s);
                assert_int_equal(sim_step_of(&t.s, "traffic-100") != NULL, routed);
                assert_non_null(sim_step_of(&t.s, "stage-100"));
                sim_done(&t.s);
        }
}

/*
 * Withdrawn
 */

static void test_what_is_withdrawn_did_not_fail_whatever_went_wrong_before(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, -1);
        want_new(&t, &canary, NULL);
        run_until(&t, "check-50", STEP_WAITING);
        t.s.app.rollout.failure_code = REASON_IMAGE_PULL_FAILED;
        sim_want(&t.s, NULL);
        assert_true(sim_run_to(&t.s, PHASE_REVERTING, 2));
        assert_null(t.s.app.rollout.failure_code);
        assert_non_null(strstr(t.s.app.rollout.failure_text, "withdrawn"));
        assert_int_equal(t.s.events[EVENT_FAILED], 1);
        sim_done(&t.s);
}

static void test_what_is_paused_is_taken_back_when_it_is_no_longer_declared(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, -1);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_ILL, 0);
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_ROLLING, .on_failure = ON_FAILURE_PAUSE }, NULL);
        assert_true(sim_run_to(&t.s, PHASE_PAUSED, 200));
        sim_want(&t.s, NULL);
        assert_true(sim_run(&t.s, 200));
        assert_true(sim_is_exactly(&t.s, t.old));
        assert_int_equal(t.s.events[EVENT_REVERTED], 1);
        sim_done(&t.s);
}

/*
 * Time
 */

/* The clock went back between two looks, or between a look and what was done after it. */
static void test_after_a_clock_that_was_set_back_a_little_all_that_holds_begins_anew(void **state) {
        for (int after = 0; after < 2; after++) {
                struct rollouts t;

                begin_with(&t, 1, 2, -1);
                want_new(&t, &canary, NULL);
                run_until(&t, "check-50", STEP_WAITING);
                for (int n = 0; n < 20; n++)
                        (void)pass_once(&t, 1000);
                if (after)
                        t.s.app.rollout.progress_at = t.s.world.now + 5000;
                else
                        t.s.world.now -= 5000;
                (void)sim_decide(&t.s);
                assert_int_equal(t.s.app.rollout.progress_at, t.s.world.now);
                assert_int_equal(sim_step_of(&t.s, "check-50")->since, t.s.world.now);
                sim_done(&t.s);
        }
}

/*
 * The end
 */

/*
 * Of two services the second is not there any more; what replaces the first is proven, and the look that clears away is
 * next.
 */
static void begin_clearing(struct rollouts *t) {
        make_releases(t, 2, 1, -1);
        t->new->services.n = 1;
        settle_old(t);
        want_new(t, &rolling, NULL);
        while (t->s.last_event != EVENT_SETTLED)
                (void)pass_once(t, 100);
}

static void test_what_left_the_release_goes_with_what_was_replaced_where_that_is_allowed(void **state) {
        for (int prune = 0; prune < 2; prune++) {
                struct rollouts t;
                struct decision d;

                begin_clearing(&t);
                t.s.app.settings.prune = prune;
                d = sim_decide(&t.s);
                assert_int_equal(count_actions(&d, ACTION_REMOVE), 1 + prune);
                sim_done(&t.s);
        }
}

static void test_what_was_replaced_is_stopped_when_it_runs_and_removed_when_nobody_does_so_yet(void **state) {
        for (int was = 0; was < INSTANCE_STATE_MAX_; was++) {
                struct rollouts t;
                struct decision d;

                begin_clearing(&t);
                first_of(&t, sim_service(t.old, 0)->spec_digest)->state = was;
                d = sim_decide(&t.s);
                assert_int_equal(count_actions(&d, ACTION_STOP),
                                 was == INSTANCE_RUNNING || was == INSTANCE_RESTARTING || was == INSTANCE_PAUSED);
                assert_int_equal(count_actions(&d, ACTION_REMOVE), was != INSTANCE_REMOVING);
                assert_int_equal(count_actions(&d, ACTION_COLLECT), was == INSTANCE_REMOVING);
                assert_int_equal(t.s.app.rollout.phase, was == INSTANCE_REMOVING ? PHASE_SETTLED : PHASE_FINISHING);
                sim_done(&t.s);
        }
}

static void test_what_was_settled_is_not_cleared_away_for_what_is_declared_by_then(void **state) {
        struct rollouts t;
        struct decision d;

        begin_clearing(&t);
        sim_want(&t.s, t.next);
        d = sim_decide(&t.s);
        assert_int_equal(count_actions(&d, ACTION_REMOVE), 1);
        assert_string_equal(((struct action *)d.actions.items)->instance,
                            first_of(&t, sim_service(t.old, 0)->spec_digest)->id);
        sim_done(&t.s);
}

static void test_nothing_is_cleared_away_when_nobody_knows_what_replaces_it(void **state) {
        struct rollouts t;
        struct decision d;

        begin_clearing(&t);
        sim_want(&t.s, NULL);
        t.s.app.current = NULL;
        t.s.app.settings.prune = true;
        d = sim_decide(&t.s);
        assert_int_equal(count_actions(&d, ACTION_STOP) + count_actions(&d, ACTION_REMOVE), 0);
        sim_done(&t.s);
}

/* All that a plan asked for is done but for the router, which is away. */
static void begin_ending(struct rollouts *t) {
        begin_with(t, 1, 2, 200);
        want_new(t, &(struct rollout_settings){ .strategy = STRATEGY_RECREATE }, NULL);
        t->s.routers[ROUTER_MEMORY].away = true;
        assert_true(sim_run_to(&t->s, PHASE_FINISHING, 300));
}

static void test_a_release_that_is_settled_is_so_with_all_that_it_is_known_by(void **state) {
        struct rollouts t;
        struct rollout *r = &t.s.app.rollout;

        begin_ending(&t);
        r->failure_code = r->failure_text = "went wrong and was tried again";
        r->breaker.repairs = 3;
        r->candidate = 100;
        t.s.routers[ROUTER_MEMORY].away = false;
        while (t.s.last_event != EVENT_SETTLED)
                (void)pass_once(&t, 100);
        assert_string_equal(r->current_release, t.new->release);
        assert_string_equal(r->current_version, "2.0");
        assert_int_equal(r->current_since, t.s.world.now - 100);
        assert_null(r->failure_code);
        assert_null(r->failure_text);
        assert_int_equal(r->breaker.repairs, 0);
        assert_int_equal(r->candidate, -1);
        sim_done(&t.s);
}

static void test_what_fails_while_the_router_is_waited_for_at_last_is_taken_back(void **state) {
        struct rollouts t;

        begin_ending(&t);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_ILL, 0);
        sim_settle(&t.s);
        (void)pass_once(&t, 100);
        t.s.routers[ROUTER_MEMORY].away = false;
        expect_taken_back(&t, REASON_ROLLOUT_UNHEALTHY);
        sim_done(&t.s);
}

static void test_a_host_that_was_off_while_the_router_was_waited_for_waits_on(void **state) {
        struct rollouts t;

        begin_ending(&t);
        sim_wait(&t.s, 86400000);
        (void)pass_once(&t, 100);
        assert_int_equal(t.s.app.rollout.phase, PHASE_FINISHING);
        t.s.routers[ROUTER_MEMORY].away = false;
        expect_new(&t);
        sim_done(&t.s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_ran_in_any_way_when_a_rollout_began_is_what_it_goes_back_to),
                cmocka_unit_test(test_what_runs_here_and_is_not_remembered_is_gone_back_to_as_well),
                cmocka_unit_test(test_a_rollout_begins_with_nothing_of_the_one_that_it_overtakes),
                cmocka_unit_test(test_a_retry_of_what_did_not_fail_is_not_used_up),
                cmocka_unit_test(test_a_release_that_comes_without_a_plan_gets_that_of_its_strategy),
                cmocka_unit_test(test_what_is_withdrawn_did_not_fail_whatever_went_wrong_before),
                cmocka_unit_test(test_what_is_paused_is_taken_back_when_it_is_no_longer_declared),
                cmocka_unit_test(test_after_a_clock_that_was_set_back_a_little_all_that_holds_begins_anew),
                cmocka_unit_test(test_what_left_the_release_goes_with_what_was_replaced_where_that_is_allowed),
                cmocka_unit_test(test_what_was_replaced_is_stopped_when_it_runs_and_removed_when_nobody_does_so_yet),
                cmocka_unit_test(test_nothing_is_cleared_away_when_nobody_knows_what_replaces_it),
                cmocka_unit_test(test_a_release_that_is_settled_is_so_with_all_that_it_is_known_by),
                cmocka_unit_test(test_what_fails_while_the_router_is_waited_for_at_last_is_taken_back),
                cmocka_unit_test(test_a_host_that_was_off_while_the_router_was_waited_for_waits_on),
                cmocka_unit_test(test_what_was_settled_is_not_cleared_away_for_what_is_declared_by_then),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
