/* SPDX-License-Identifier: Apache-2.0 */

/* Single looks half-way, at the end, and on the way back: what acts, what stays in the route, what is loud. */

#include "tests/unit/reconciler/rig.h"

/*
 * Half-way
 */

/*
 * Half-way from old to new: all four serve, the two new ones are proven. Then the second of the old ones is gone, or
 * ill.
 */
static void setup_half_way(struct rig *r, enum phase phase, bool gone) {
        static const struct step_stage all = { .weight = 100 };
        struct rollout_step *step;

        setup(r);
        r->app.rollout.phase = phase;
        r->app.rollout.release = r->app.rollout.version = "new";
        step = arena_push(r->arena, &r->app.rollout.steps.items, &r->app.rollout.steps.n, sizeof(*step));
        *step = (struct rollout_step){
                .step = { .name.text = "all", .stage = &all }, .state = STEP_RUNNING, .batch = 1, .started_at = NOW
        };
        keep_old(r);
        in_force(r, 0, 3);
        r->instances[1].state = gone ? INSTANCE_EXITED : INSTANCE_RUNNING;
        r->instances[1].health = gone ? HEALTH_NONE : HEALTH_UNHEALTHY;
}

/*
 * Nothing is decided about the instances then: who is ill but runs stays in the route, who is gone does not, who was
 * proven does.
 */
static void test_while_something_else_is_waited_for_only_who_is_gone_leaves_the_route(void **state) {
        static const struct {
                enum phase phase;
                size_t stay;
        } cases[] = { { PHASE_STAGING, 3 }, { PHASE_PAUSED, 3 }, { PHASE_REVERTING, 1 } };

        for (size_t i = 0; i < 3; i++)
                for (int gone = 0; gone < 2; gone++) {
                        struct rig r;

                        setup_half_way(&r, cases[i].phase, gone);
                        r.app.rollout.retry_at = NOW + 1000;
                        ((struct text_at *)arena_push(r.arena, &r.app.rollout.poisoned.items, &r.app.rollout.poisoned.n,
                                                      sizeof(struct text_at)))
                                ->text = "new";
                        look(&r, NOW);
                        assert_int_equal(count(&r, ACTION_ROUTE), gone);
                        if (gone)
                                assert_int_equal(first(&r, ACTION_ROUTE)->route->targets.n, cases[i].stay);
                        arena_free(r.arena);
                }
}

static void test_what_ended_with_its_engine_leaves_the_route_until_it_runs_again(void **state) {
        struct rig r;
        const struct decision_app *out;

        setup_half_way(&r, PHASE_STAGING, true);
        r.instances[3].state = INSTANCE_EXITED;
        r.instances[3].lost = true;
        out = look(&r, NOW);
        assert_string_equal(first(&r, ACTION_START)->instance, "i3");
        assert_int_equal(first(&r, ACTION_ROUTE)->route->targets.n, 2);
        assert_non_null(strstr(out->waits_for, "ended with its engine"));
        assert_true(out->wake_at > NOW);
        arena_free(r.arena);
}

/*
 * The end, and the way back
 */

/* The new release is settled, and what it replaces is to go. */
static void setup_clearing(struct rig *r) {
        setup(r);
        r->app.current = &r->new;
        r->app.rollout.phase = PHASE_FINISHING;
        r->app.rollout.release = r->app.rollout.current_release = "new";
        keep_old(r);
}

static void test_a_route_that_was_put_back_lets_go_of_what_was_replaced(void **state) {
        struct rig r;

        setup_clearing(&r);
        in_force(&r, 0, 3);
        look(&r, NOW);
        assert_int_equal(count(&r, ACTION_STOP), 0);
        assert_int_equal(first(&r, ACTION_ROUTE)->route->targets.n, 2);
        /* It gets none again while the engine that could not remove it is waited for. */
        in_force(&r, 2, 3);
        r.instances[3].state = INSTANCE_EXITED;
        r.app.rollout.retry_at = NOW + 1000;
        look(&r, NOW);
        assert_int_equal(first(&r, ACTION_ROUTE)->route->targets.n, 1);
        arena_free(r.arena);
}

static void test_what_was_replaced_does_not_wait_for_each_other_where_nobody_else_serves(void **state) {
        struct rig r;

        setup_clearing(&r);
        in_force(&r, 0, 1);
        r.instances[2].health = r.instances[3].health = HEALTH_UNHEALTHY;
        look(&r, NOW);
        assert_int_equal(count(&r, ACTION_STOP), 2);
        /* The same on the way back, where all of the old ended by themselves again. */
        r.app.current = &r.old;
        r.app.rollout.phase = PHASE_REVERTING;
        r.app.rollout.current_release = "old";
        r.app.rollout.restarted = r.app.rollout.previous;
        for (int i = 0; i < 4; i++) {
                r.instances[i].state = i < 2 ? INSTANCE_EXITED : INSTANCE_RUNNING;
                r.instances[i].health = HEALTH_NONE;
        }
        in_force(&r, 2, 3);
        look(&r, NOW);
        assert_int_equal(count(&r, ACTION_STOP), 2);
        arena_free(r.arena);
}

static void test_a_late_way_back_is_loud_when_it_waits_and_was_watched(void **state) {
        static const struct {
                bool acts, watched, loud;
        } cases[] = { { false, true, true }, { true, true, false }, { false, false, false } };

        for (size_t i = 0; i < 3; i++) {
                struct rig r;
                const struct decision_app *out;

                setup(&r);
                r.app.rollout.phase = PHASE_REVERTING;
                r.app.rollout.progress_at = NOW - 60001;
                r.app.rollout.seen_at = cases[i].watched ? NOW : NOW - 60001;
                keep_old(&r);
                r.app.instances.n = 2;
                r.instances[0].state = cases[i].acts ? INSTANCE_EXITED : INSTANCE_RUNNING;
                in_force(&r, 2, 3);
                r.app.route = (struct route_state){ .available = false, .reason = "it is away" };
                out = look(&r, NOW);
                assert_int_equal(out->event, cases[i].loud ? EVENT_STUCK : EVENT_NONE);
                assert_int_equal(out->rollout.phase, cases[i].loud ? PHASE_STUCK : PHASE_REVERTING);
                if (cases[i].loud)
                        assert_string_equal(out->rollout.failure_text, out->waits_for);
                arena_free(r.arena);
        }
}

/* The second of the old ones may have to be started first: what is new and runs serves on until then. */
static void test_what_is_new_goes_on_the_way_back_unless_it_goes_already_or_serves_on(void **state) {
        for (int comes = 0; comes < 2; comes++)
                for (int was = 0; was < INSTANCE_STATE_MAX_; was++) {
                        struct rig r;
                        bool stays = was == INSTANCE_REMOVING || (comes && was == INSTANCE_RUNNING);

                        setup(&r);
                        r.app.rollout.phase = PHASE_REVERTING;
                        keep_old(&r);
                        r.app.instances.n = 3;
                        r.instances[1].state = comes ? INSTANCE_EXITED : INSTANCE_RUNNING;
                        r.instances[2].state = was;
                        in_force(&r, 0, 1);
                        note_route(&r);
                        assert_int_equal(look(&r, NOW)->event,
                                         was == INSTANCE_REMOVING && !comes ? EVENT_REVERTED : EVENT_NONE);
                        assert_int_equal(count(&r, ACTION_STOP), !stays && was != INSTANCE_CREATED);
                        assert_int_equal(count(&r, ACTION_REMOVE), !stays);
                        assert_int_equal(count(&r, ACTION_START), comes);
                        arena_free(r.arena);
                }
}

static void test_a_way_back_is_not_over_while_an_old_instance_is_started(void **state) {
        struct rig r;

        setup(&r);
        r.app.rollout.phase = PHASE_REVERTING;
        keep_old(&r);
        r.app.instances.n = 2;
        r.instances[1].state = INSTANCE_EXITED;
        in_force(&r, 0, 0);
        assert_int_equal(look(&r, NOW)->event, EVENT_NONE);
        assert_int_equal(count(&r, ACTION_START), 1);
        arena_free(r.arena);
}

static void test_the_router_does_not_forget_an_app_of_which_just_nothing_ran(void **state) {
        struct rig r;

        setup(&r);
        r.app.rollout.phase = PHASE_REVERTING;
        r.app.instances.n = 0;
        assert_int_equal(look(&r, NOW)->event, EVENT_REVERTED);
        assert_int_equal(r.decision.actions.n, 0);
        arena_free(r.arena);
}

/* What was rendered for it is lost, and the release is declared again. */
static void test_what_served_before_takes_the_requests_though_only_its_instances_are_left(void **state) {
        struct rig r;

        setup(&r);
        r.app.rollout.phase = PHASE_REVERTING;
        r.app.wanted = &r.old;
        r.app.current = NULL;
        keep_old(&r);
        in_force(&r, 0, 3);
        look(&r, NOW);
        assert_int_equal(first(&r, ACTION_ROUTE)->route->targets.n, 2);
        assert_string_equal(((struct route_target *)first(&r, ACTION_ROUTE)->route->targets.items)->instance, "i0");
        arena_free(r.arena);
}

/* The route has just let go of what was replaced: only what took requests, and runs, is waited for. */
static void test_what_takes_no_requests_goes_without_a_drain(void **state) {
        static const struct {
                const char *service;
                enum instance_state state;
                bool goes;
        } cases[] = {
                { "web", INSTANCE_RUNNING, false },
                { "web", INSTANCE_EXITED, true },
                { "cache", INSTANCE_RUNNING, true },
        };

        for (size_t i = 0; i < 3; i++) {
                struct rig r;

                setup_clearing(&r);
                r.app.settings.prune = true;
                r.instances[0].service = cases[i].service;
                r.instances[0].state = cases[i].state;
                in_force(&r, 2, 3);
                note_route(&r);
                r.app.rollout.routed_at = NOW;
                look(&r, NOW);
                assert_int_equal(count(&r, ACTION_REMOVE), cases[i].goes);
                arena_free(r.arena);
        }
}

static void test_a_router_that_is_away_is_waited_for_and_named_with_its_reason(void **state) {
        static const char *const reasons[] = { "it is away", NULL }, *const told[] = { "the router (it is away)",
                                                                                       "the router (no answer)" };

        for (int i = 0; i < 2; i++) {
                struct rig r;
                const struct decision_app *out;

                setup_clearing(&r);
                r.app.rollout.router = NULL;
                r.app.route = (struct route_state){ .available = false, .reason = reasons[i] };
                out = look(&r, NOW);
                assert_string_equal(out->waits_for, told[i]);
                assert_int_equal(out->wake_at, NOW + CONTEXT_POLL_MS);
                /* It is back, and leads to the app: that is where the app is to be taken out again. */
                r.app.route = (struct route_state){ .available = true, .present = true, .route.app = "shop" };
                in_force(&r, 2, 3);
                assert_string_equal(look(&r, NOW)->rollout.router, "nginx");
                arena_free(r.arena);
        }
}

/*
 * Shares
 */

static void test_a_share_for_nobody_is_none(void **state) {
        struct rig r;

        setup_half_way(&r, PHASE_STAGING, true);
        r.app.rollout.retry_at = NOW + 1000;
        r.app.rollout.candidate = 50;
        r.instances[2].state = r.instances[3].state = INSTANCE_RESTARTING;
        look(&r, NOW);
        assert_int_equal(first(&r, ACTION_ROUTE)->route->targets.n, 1);
        assert_int_equal(first(&r, ACTION_ROUTE)->route->candidate, 0);
        arena_free(r.arena);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_while_something_else_is_waited_for_only_who_is_gone_leaves_the_route),
                cmocka_unit_test(test_what_ended_with_its_engine_leaves_the_route_until_it_runs_again),
                cmocka_unit_test(test_a_route_that_was_put_back_lets_go_of_what_was_replaced),
                cmocka_unit_test(test_what_was_replaced_does_not_wait_for_each_other_where_nobody_else_serves),
                cmocka_unit_test(test_a_late_way_back_is_loud_when_it_waits_and_was_watched),
                cmocka_unit_test(test_what_is_new_goes_on_the_way_back_unless_it_goes_already_or_serves_on),
                cmocka_unit_test(test_a_way_back_is_not_over_while_an_old_instance_is_started),
                cmocka_unit_test(test_the_router_does_not_forget_an_app_of_which_just_nothing_ran),
                cmocka_unit_test(test_what_served_before_takes_the_requests_though_only_its_instances_are_left),
                cmocka_unit_test(test_what_takes_no_requests_goes_without_a_drain),
                cmocka_unit_test(test_a_router_that_is_away_is_waited_for_and_named_with_its_reason),
                cmocka_unit_test(test_a_share_for_nobody_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
