/* SPDX-License-Identifier: Apache-2.0 */

/* Who gets an app's requests, and who is let go before it stops. */

#include "tests/unit/reconciler/rig.h"

/* The router was told to let go of the old instances, and the pass was killed before it could write that down. */
static void test_what_a_forgotten_route_let_go_of_still_drains(void **state) {
        struct rig r;
        const struct decision_app *out;

        setup_finishing(&r);
        in_force(&r, 0, 3);
        note_route(&r);
        r.app.rollout.routed_at = NOW - 3600 * 1000;

        out = look(&r, NOW);
        assert_int_equal(first(&r, ACTION_ROUTE)->route->targets.n, 2);
        assert_int_equal(count(&r, ACTION_STOP), 0);
        assert_int_equal(out->wake_at, NOW + CONTEXT_POLL_MS);

        in_force(&r, 2, 3);
        assert_int_equal(look(&r, NOW)->event, EVENT_SETTLED);
        r.app.current = &r.new;
        out = look(&r, NOW);
        assert_int_equal(r.decision.actions.n, 0);
        assert_int_equal(out->rollout.routed_at, NOW);
        assert_int_equal(out->wake_at, NOW + DRAIN_MS);
        assert_string_equal(out->rollout.routed, route_digest(&r.app.route.route).text);
        look(&r, NOW + DRAIN_MS - 1);
        assert_int_equal(count(&r, ACTION_STOP), 0);
        look(&r, NOW + DRAIN_MS);
        assert_int_equal(count(&r, ACTION_STOP), 2);
        arena_free(r.arena);
}

static void test_an_app_that_goes_waits_for_a_router_that_is_away(void **state) {
        struct rig r;
        struct fault fault = FAULT_INIT;

        setup(&r);
        r.app.declared = false;
        r.app.wanted = NULL;
        r.app.settings.prune = true;
        r.app.rollout.phase = PHASE_REMOVING;
        look(&r, NOW);
        assert_string_equal(first(&r, ACTION_UNROUTE)->router, "nginx");

        fault_set_code(&fault, FAULT_TRANSIENT, REASON_ROUTER_UNAVAILABLE, "it is away");
        rollout_action_failed(&r.app.rollout, first(&r, ACTION_UNROUTE), &fault, NOW, r.arena);
        assert_true(look(&r, NOW)->wake_at > NOW);
        assert_int_equal(r.decision.actions.n, 0);
        look(&r, r.app.rollout.retry_at);
        assert_int_equal(count(&r, ACTION_UNROUTE), 1);
        fault_done(&fault);
        arena_free(r.arena);
}

static void test_an_app_that_leaves_its_router_does_so_when_the_release_is_proven(void **state) {
        struct rig r;
        struct fault fault = FAULT_INIT;

        setup(&r);
        r.new.traffic = NULL;
        r.app.rollout.phase = PHASE_FINISHING;
        r.app.rollout.release = r.app.rollout.version = "new";
        keep_old(&r);
        in_force(&r, 0, 3);
        look(&r, NOW);
        assert_int_equal(count(&r, ACTION_UNROUTE), 0);
        assert_int_equal(first(&r, ACTION_ROUTE)->route->targets.n, 2);

        r.app.instances = (struct struct_list){ .items = &r.instances[2], .n = 2 };
        in_force(&r, 2, 3);
        assert_int_equal(look(&r, NOW + 5000)->event, EVENT_SETTLED);
        assert_int_equal(count(&r, ACTION_UNROUTE), 0);
        r.app.current = &r.new;
        look(&r, NOW + 5000);
        assert_int_equal(r.app.rollout.phase, PHASE_SETTLED);
        look(&r, NOW + 5000);
        fault_set_code(&fault, FAULT_TRANSIENT, REASON_ROUTER_UNAVAILABLE, "it is away");
        rollout_action_failed(&r.app.rollout, first(&r, ACTION_UNROUTE), &fault, NOW + 5000, r.arena);
        look(&r, NOW + 5000);
        assert_int_equal(r.decision.actions.n, 0);
        look(&r, r.app.rollout.retry_at);
        rollout_action_done(&r.app.rollout, first(&r, ACTION_UNROUTE), NOW + 9000, r.arena);
        look(&r, NOW + 9000);
        assert_int_equal(r.decision.actions.n, 0);
        fault_done(&fault);
        arena_free(r.arena);
}

static void test_a_clock_that_was_set_back_does_not_make_a_drain_last_for_longer(void **state) {
        struct rig r;

        setup_settled(&r);
        r.instances[0].image_matches = false;
        in_force(&r, 1, 1);
        note_route(&r);
        r.app.rollout.routed_at = NOW + 3600 * 1000;
        look(&r, NOW);
        assert_int_equal(count(&r, ACTION_STOP), 1);
        arena_free(r.arena);
}

static void test_an_instance_is_made_anew_only_after_the_route_let_go_of_it(void **state) {
        struct rig r;

        setup_settled(&r);
        in_force(&r, 0, 1);
        note_route(&r);
        r.instances[0].image_matches = false;

        look(&r, NOW);
        assert_int_equal(r.decision.actions.n, 1);
        assert_int_equal(first(&r, ACTION_ROUTE)->route->targets.n, 1);
        rollout_action_done(&r.app.rollout, first(&r, ACTION_ROUTE), NOW, r.arena);

        in_force(&r, 1, 1);
        assert_int_equal(look(&r, NOW + 1)->event, EVENT_NONE);
        assert_int_equal(r.decision.actions.n, 0);
        assert_int_equal(look(&r, NOW + DRAIN_MS)->event, EVENT_REPAIRING);
        assert_string_equal(first(&r, ACTION_STOP)->instance, "i0");
        assert_int_equal(r.app.rollout.breaker.repairs, 1);

        /* Nobody else could take the requests: nothing is gained by waiting. */
        r.instances[1].state = INSTANCE_EXITED;
        r.app.rollout.breaker = (struct breaker){ .repairs = 0 };
        in_force(&r, 0, 1);
        note_route(&r);
        look(&r, NOW + 2 * DRAIN_MS);
        assert_int_equal(count(&r, ACTION_STOP), 1);
        arena_free(r.arena);
}

/*
 * The same for what is settled: the router let go of what drifted, and the pass was killed before it could write that
 * down.
 */
static void test_what_a_forgotten_route_let_go_of_drains_before_it_is_made_anew(void **state) {
        struct rig r;

        setup_settled(&r);
        in_force(&r, 0, 1);
        note_route(&r);
        r.app.rollout.routed_at = NOW - 3600 * 1000;
        r.instances[0].image_matches = false;

        in_force(&r, 1, 1);
        assert_int_equal(look(&r, NOW)->event, EVENT_NONE);
        assert_int_equal(r.decision.actions.n, 0);
        assert_int_equal(r.app.rollout.routed_at, NOW);
        assert_string_equal(r.app.rollout.routed, route_digest(&r.app.route.route).text);
        look(&r, NOW + DRAIN_MS - 1);
        assert_int_equal(count(&r, ACTION_STOP), 0);
        look(&r, NOW + DRAIN_MS);
        assert_string_equal(first(&r, ACTION_STOP)->instance, "i0");
        arena_free(r.arena);
}

/* A route of another router says nothing about the one that is to be left. */
static void test_what_is_in_force_does_not_make_forget_the_router_before(void **state) {
        struct rig r;

        setup(&r);
        r.app.wanted = &r.old;
        r.app.instances.n = 2;
        r.app.rollout.phase = PHASE_REVERTING;
        r.app.rollout.router = "haproxy";
        keep_old(&r);
        in_force(&r, 0, 1);
        look(&r, NOW);
        assert_string_equal(first(&r, ACTION_UNROUTE)->router, "haproxy");
        arena_free(r.arena);
}

static void test_a_revert_ends_when_the_old_instances_take_requests(void **state) {
        struct rig r;

        setup(&r);
        r.app.rollout.phase = PHASE_REVERTING;
        r.app.rollout.release = r.app.rollout.version = "new";
        keep_old(&r);
        r.app.instances.n = 2;
        in_force(&r, 2, 3);
        r.instances[0].health = r.instances[1].health = HEALTH_STARTING;
        assert_int_equal(look(&r, NOW)->event, EVENT_NONE);
        assert_int_equal(r.app.rollout.phase, PHASE_REVERTING);

        r.instances[1].health = HEALTH_HEALTHY;
        look(&r, NOW + 1000);
        assert_int_equal(first(&r, ACTION_ROUTE)->route->targets.n, 1);
        r.app.route.available = false;
        assert_int_equal(look(&r, NOW + 1500)->event, EVENT_NONE);
        r.app.route.available = true;
        in_force(&r, 1, 1);
        assert_int_equal(look(&r, NOW + 2000)->event, EVENT_REVERTED);
        arena_free(r.arena);
}

/* A route that somebody changed would wait for the repair, and the repair for the route. */
static void test_what_drifted_leaves_a_route_that_somebody_changed(void **state) {
        struct rig r;

        setup_settled(&r);
        in_force(&r, 0, 1);
        note_route(&r);
        r.app.route.altered = true;
        r.instances[0].image_matches = false;
        look(&r, NOW);
        assert_int_equal(first(&r, ACTION_ROUTE)->route->targets.n, 1);
        arena_free(r.arena);
}

/*
 * Who gets requests
 */

static void test_what_nobody_wants_gets_no_requests(void **state) {
        struct rig r;

        setup_settled(&r);
        r.app.instances.n = 4;
        r.app.settings.drift = DRIFT_REPORT;
        in_force(&r, 0, 3);
        note_route(&r);
        look(&r, NOW);
        assert_int_equal(first(&r, ACTION_ROUTE)->route->targets.n, 2);
        /* Not even where nobody is left who should. */
        r.instances[0].state = r.instances[1].state = INSTANCE_EXITED;
        in_force(&r, 0, 1);
        look(&r, NOW);
        assert_int_equal(count(&r, ACTION_ROUTE), 0);
        arena_free(r.arena);
}

/* The plan is walked, and what is new has no address that the router could reach. */
static void test_what_no_router_can_reach_is_told_and_proves_nothing(void **state) {
        struct rig r;
        const struct decision_app *out;

        setup_finishing(&r);
        r.instances[3].endpoints.n = 0;
        in_force(&r, 2, 2);
        out = look(&r, NOW);
        assert_int_equal(out->event, EVENT_NONE);
        assert_non_null(strstr(out->waits_for, "a way to i3, port 80"));
        r.app.rollout.progress_at = NOW - 60001;
        out = look(&r, NOW);
        assert_int_equal(out->event, EVENT_FAILED);
        assert_string_equal(out->rollout.failure_code, REASON_ROUTER_UNAVAILABLE);
        assert_non_null(strstr(out->rollout.failure_text, "a way to i3, port 80"));
        /* The way back does not wait for it. */
        r.app.rollout.phase = PHASE_REVERTING;
        r.app.wanted = &r.old;
        out = look(&r, NOW);
        assert_null(out->waits_for ? strstr(out->waits_for, "a way to") : NULL);
        arena_free(r.arena);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_a_forgotten_route_let_go_of_still_drains),
                cmocka_unit_test(test_an_app_that_goes_waits_for_a_router_that_is_away),
                cmocka_unit_test(test_an_app_that_leaves_its_router_does_so_when_the_release_is_proven),
                cmocka_unit_test(test_a_clock_that_was_set_back_does_not_make_a_drain_last_for_longer),
                cmocka_unit_test(test_an_instance_is_made_anew_only_after_the_route_let_go_of_it),
                cmocka_unit_test(test_what_a_forgotten_route_let_go_of_drains_before_it_is_made_anew),
                cmocka_unit_test(test_what_is_in_force_does_not_make_forget_the_router_before),
                cmocka_unit_test(test_a_revert_ends_when_the_old_instances_take_requests),
                cmocka_unit_test(test_what_drifted_leaves_a_route_that_somebody_changed),
                cmocka_unit_test(test_what_nobody_wants_gets_no_requests),
                cmocka_unit_test(test_what_no_router_can_reach_is_told_and_proves_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
