/* SPDX-License-Identifier: Apache-2.0 */

/* Requests: who gets them, who is let go, and what happens when the router does not do its part. */

#include "tests/unit/reconciler/rollouts.h"

static const struct rollout_settings one_by_one = { .strategy = STRATEGY_ROLLING, .max_parallel = 1 };
static const struct rollout_settings blue_green = { .strategy = STRATEGY_BLUE_GREEN, .bake_ms = 5000 };

static bool is_routed(const struct rollouts *t, const char *id) {
        const struct route_target *targets = router(t)->state.route.targets.items;

        for (size_t i = 0; router(t)->state.present && i < router(t)->state.route.targets.n; i++)
                if (str_eq(targets[i].instance, id))
                        return true;
        return false;
}

/*
 * Letting go
 */

/* What serves stops only after no route led to it for the time that requests under way may take. */
static void watch_stop(struct simulation *s, const struct action *action) {
        const struct instance *i = action->instance ? sim_find(s, action->instance) : NULL;
        const struct sim_life *life = i ? sim_life(s, i->id) : NULL;

        if (action->kind != ACTION_STOP || i->state != INSTANCE_RUNNING || !life->port)
                return;
        assert_false(life->routed);
        assert_true(s->mono - life->let_go >= 700);
        ++*(int *)s->data;
}

static void test_what_serves_stops_only_after_the_route_let_go_and_drain_passed(void **state) {
        static const enum rollout_strategy strategies[] = { STRATEGY_ROLLING, STRATEGY_CANARY, STRATEGY_BLUE_GREEN };

        for (int i = 0; i < 6; i++) {
                struct rollouts t;
                int stops = 0;

                begin_with(&t, 1, 3, 700);
                if (i >= 3)
                        sim_fate(&t.s, sim_service(t.new, 0), FATE_ILL, 30000);
                t.s.data = &stops;
                t.s.witness = watch_stop;
                want_new(&t,
                         &(struct rollout_settings){
                                 .strategy = strategies[i % 3], .max_parallel = 1, .bake_ms = 60000 },
                         NULL);
                t.s.app.settings.min_healthy_ms = i >= 3 ? 12000 : 1000;
                for (int n = 0; n < 3000; n++)
                        (void)pass_once(&t, 37);
                assert_true(stops > 0);
                assert_int_equal(t.s.app.rollout.phase, PHASE_SETTLED);
                sim_done(&t.s);
        }
}

/*
 * The old ones are stopped, the new ones take the requests, and just then another release overtakes: those it replaces
 * are all that serves.
 */
static void test_what_is_overtaken_serves_on_where_nobody_else_does(void **state) {
        static const struct rollout_settings at_once = { .strategy = STRATEGY_RECREATE };
        static const struct rollout_settings in_turn = { .strategy = STRATEGY_ROLLING,
                                                         .order = ORDER_STOP_FIRST,
                                                         .max_parallel = 1 };
        struct rollouts t;
        const struct instance *overtaken;
        int stops = 0;

        begin_with(&t, 1, 2, 700);
        want_new(&t, &at_once, NULL);
        do {
                (void)pass_once(&t, 37);
                overtaken = first_of(&t, sim_service(t.new, 0)->spec_digest);
        } while (!overtaken || !is_routed(&t, overtaken->id));
        assert_string_equal(t.s.app.rollout.current_release, t.old->release);
        assert_int_equal(healthy(&t, t.old, 0), 0);

        t.s.data = &stops;
        t.s.witness = watch_stop;
        sim_want(&t.s, t.next);
        sim_plan(&t.s, &in_turn, NULL);
        for (int n = 0; n < 100 && stops == 0; n++)
                (void)pass_once(&t, 37);
        assert_int_equal(stops, 1);
        assert_int_equal(router(&t)->state.route.targets.n, 1);
        sim_done(&t.s);
}

static void test_a_crash_after_the_route_changed_does_not_cut_the_drain_short(void **state) {
        struct rollouts t;
        struct decision d;
        int stops = 0;

        begin_with(&t, 1, 2, 700);
        t.s.data = &stops;
        t.s.witness = watch_stop;
        want_new(&t, &one_by_one, NULL);
        for (int n = 0; n < 400; n++) {
                sim_look(&t.s);
                decide(&t.s.world, t.s.arena, &d);
                /* Killed when the router has the route and nobody wrote that down. */
                t.s.kill_at = count_actions(&d, ACTION_ROUTE) > 0 ? t.s.points + 2 + 2 * (int)d.actions.n - 1 : -1;
                (void)sim_pass(&t.s, &d);
                t.s.kill_at = -1;
                sim_wait(&t.s, 20);
        }
        assert_int_equal(stops, 2);
        expect_new(&t);
        sim_done(&t.s);
}

static void test_where_all_must_stop_nobody_waits_for_the_others(void **state) {
        struct rollouts t;
        struct decision d;

        begin_with(&t, 1, 3, 60000);
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_RECREATE }, NULL);
        do
                d = pass_once(&t, 50);
        while (count_actions(&d, ACTION_STOP) == 0);
        assert_int_equal(count_actions(&d, ACTION_STOP), 3);
        expect_new(&t);
        sim_done(&t.s);
}

/* All targets of this variation are of @release, as the cookie says it. */
static void expect_cookie(const struct rollouts *t, enum variation v, const struct workload *release) {
        const struct route *r = &router(t)->state.route;
        const struct route_target *targets = r->targets.items;
        size_t n = 0;

        for (size_t i = 0; i < r->targets.n; i++)
                if (targets[i].variation == v) {
                        assert_string_equal(targets[i].release, strchr(release->release, ':') + 1);
                        n++;
                }
        assert_true(n > 0);
}

static void test_the_cookie_of_sticky_sessions_outlives_the_rollout(void **state) {
        static const struct canary_step half[] = { { .weight = 50, .hold_ms = 5000 } };
        static const struct sticky sticky = { .cookie = "release", .duration_ms = 3600000 };
        struct rollouts t;

        make_releases(&t, 1, 2, 300);
        ((struct traffic *)t.old->traffic)->sticky = ((struct traffic *)t.new->traffic)->sticky = &sticky;
        settle_old(&t);
        expect_cookie(&t, VARIATION_CURRENT, t.old);
        want_new(&t,
                 &(struct rollout_settings){ .strategy = STRATEGY_CANARY, .steps = { .items = (void *)half, .n = 1 } },
                 NULL);
        while (router(&t)->state.route.candidate != 50)
                (void)pass_once(&t, 100);
        expect_cookie(&t, VARIATION_CURRENT, t.old);
        expect_cookie(&t, VARIATION_CANDIDATE, t.new);
        expect_new(&t);
        expect_cookie(&t, VARIATION_CURRENT, t.new);
        sim_done(&t.s);
}

/* While both serve as one, a cookie could only name the wrong one. */
static void test_where_releases_are_not_told_apart_no_cookie_names_one(void **state) {
        static const struct sticky sticky = { .cookie = "release", .duration_ms = 3600000 };
        struct rollouts t;
        struct route_target *targets;

        make_releases(&t, 1, 2, 300);
        ((struct traffic *)t.old->traffic)->sticky = ((struct traffic *)t.new->traffic)->sticky = &sticky;
        settle_old(&t);
        want_new(&t, &one_by_one, NULL);
        (void)pass_once(&t, 37);
        (void)pass_once(&t, 37);
        expect_cookie(&t, VARIATION_CURRENT, t.old);
        do {
                (void)pass_once(&t, 37);
                targets = router(&t)->state.route.targets.items;
        } while (!first_of(&t, sim_service(t.new, 0)->spec_digest) ||
                 !is_routed(&t, first_of(&t, sim_service(t.new, 0)->spec_digest)->id));
        for (size_t i = 0; i < router(&t)->state.route.targets.n; i++)
                assert_null(targets[i].release);
        expect_new(&t);
        expect_cookie(&t, VARIATION_CURRENT, t.new);
        sim_done(&t.s);
}

/*
 * The route follows
 */

static void test_the_route_follows_a_restarted_instance_to_its_new_port(void **state) {
        struct rollouts t;
        struct decision d = { .actions = { .items = NULL } };
        struct instance *i;

        begin_with(&t, 1, 2, 200);
        i = first_of(&t, sim_service(t.old, 0)->spec_digest);
        ((struct endpoint *)i->endpoints.items)->address = "127.0.0.1:40000";
        d = pass_once(&t, 50);
        assert_int_equal(count_actions(&d, ACTION_ROUTE), 1);
        /* That is no drift. */
        assert_int_equal(t.s.events[EVENT_REPAIRING], 0);
        assert_true(sim_routes_exactly(&t.s, t.old));
        sim_done(&t.s);
}

/* One of two instances that serve dies, and the next look takes it out of the route. */
static void expect_mended(struct rollouts *t) {
        struct instance *i = NULL;
        const char *id;

        for (size_t n = 0; n < t->s.instances.n; n++)
                if (is_routed(t, ((struct instance *)t->s.instances.items)[n].id))
                        i = (struct instance *)t->s.instances.items + n;
        assert_non_null(i);
        id = i->id;
        i->state = INSTANCE_EXITED;
        i->exit_code = 137;
        i->endpoints.n = 0;
        (void)pass_once(t, 50);
        assert_false(is_routed(t, id));
}

static int away(struct simulation *s, const struct action *action, struct fault *fault) {
        return action->kind == ACTION_PREPARE || action->kind == ACTION_CREATE
                       ? fault_set_code(fault, FAULT_TRANSIENT, REASON_RUNTIME_UNAVAILABLE,
                                        "the registry does not answer")
                       : 0;
}

static void test_the_route_follows_while_images_cannot_be_pulled(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, 200);
        t.s.interfere = away;
        want_new(&t, &one_by_one, NULL);
        for (int n = 0; n < 100; n++)
                (void)pass_once(&t, 1000);
        assert_int_equal(t.s.app.rollout.phase, PHASE_PREPARING);
        assert_true(t.s.app.rollout.retry_at > t.s.world.now);
        expect_mended(&t);
        sim_done(&t.s);
}

static void test_the_route_follows_while_a_rollout_is_paused(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, 200);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_ILL, 0);
        want_new(&t,
                 &(struct rollout_settings){
                         .strategy = STRATEGY_ROLLING, .max_parallel = 1, .on_failure = ON_FAILURE_PAUSE },
                 NULL);
        assert_true(sim_run_to(&t.s, PHASE_PAUSED, 200));
        (void)pass_once(&t, 50);
        expect_mended(&t);
        sim_done(&t.s);
}

/*
 * A router that is away, refuses, or was changed
 */

static void test_a_dead_router_stops_nothing_and_the_rollout_fails_at_its_deadline(void **state) {
        for (int strategy = 0; strategy < STRATEGY_MAX_; strategy++) {
                struct rollouts t;

                if (strategy == STRATEGY_RECREATE)
                        continue;
                begin_with(&t, 1, 3, 200);
                want_new(&t, &(struct rollout_settings){ .strategy = strategy, .max_parallel = 1 }, NULL);
                t.s.routers[ROUTER_MEMORY].away = true;
                while (t.s.events[EVENT_FAILED] == 0) {
                        assert_int_equal(healthy(&t, t.old, 0), 3);
                        (void)pass_once(&t, 500);
                }
                sim_done(&t.s);
        }
}

/* Nothing waits for the router before all else is done: the old ones are stopped first. */
static void test_a_router_that_is_dead_at_last_fails_the_rollout_at_its_deadline(void **state) {
        struct rollouts t;
        int64_t began;

        begin_with(&t, 1, 2, 200);
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_RECREATE }, NULL);
        t.s.routers[ROUTER_MEMORY].away = true;
        assert_true(sim_run_to(&t.s, PHASE_FINISHING, 300));
        began = t.s.mono;
        for (int n = 0; n < 2000 && !rollout_is_poisoned(&t.s.app.rollout, t.new->release); n++)
                (void)pass_once(&t, 500);
        assert_in_range(t.s.mono - began, t.s.app.settings.progress_deadline_ms - 5000,
                        t.s.app.settings.progress_deadline_ms + 5000);
        assert_string_equal(t.s.app.rollout.failure_text, "the router did not follow before progress_deadline");
        t.s.routers[ROUTER_MEMORY].away = false;
        expect_taken_back(&t, REASON_ROUTER_UNAVAILABLE);
        sim_done(&t.s);
}

static void test_a_revert_does_not_claim_success_while_the_router_is_dead(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, 200);
        want_new(&t, &blue_green, NULL);
        run_until(&t, "check-100", STEP_WAITING);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_ILL, 0);
        sim_settle(&t.s);
        t.s.routers[ROUTER_MEMORY].away = true;
        for (int n = 0; n < 400; n++)
                (void)pass_once(&t, 1000);
        assert_int_equal(t.s.events[EVENT_REVERTED], 0);
        assert_int_equal(t.s.app.rollout.phase, PHASE_STUCK);
        assert_int_equal(t.s.events[EVENT_STUCK], 1);
        assert_non_null(strstr(t.s.app.rollout.failure_text, "failed its health check"));
        t.s.routers[ROUTER_MEMORY].away = false;
        expect_taken_back(&t, REASON_ROLLOUT_UNHEALTHY);
        sim_done(&t.s);
}

static void test_a_router_that_refuses_holds_up_its_own_next_try_and_nothing_else(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, 200);
        t.s.routers[ROUTER_MEMORY].refuses = 5;
        first_of(&t, sim_service(t.old, 0)->spec_digest)->endpoints.n = 0;
        want_new(&t, &one_by_one, NULL);
        for (int n = 0; n < 8; n++)
                (void)pass_once(&t, 50);
        assert_true(t.s.app.rollout.route_retry_at > t.s.world.now);
        assert_true(sim_running(&t.s, sim_service(t.new, 0)->spec_digest) > 0);
        expect_new(&t);
        sim_done(&t.s);
}

static void test_a_router_that_refuses_for_ever_is_asked_less_and_less(void **state) {
        struct rollouts t;
        struct instance *i;
        int tries = 0;

        begin_with(&t, 1, 2, 200);
        i = first_of(&t, sim_service(t.old, 0)->spec_digest);
        ((struct endpoint *)i->endpoints.items)->address = "127.0.0.1:40000";
        t.s.routers[ROUTER_MEMORY].refuses = -1;
        for (int n = 0; n < 3600; n++) {
                struct decision d = pass_once(&t, 1000);

                tries += (int)count_actions(&d, ACTION_ROUTE);
        }
        assert_in_range(tries, 15, 25);
        sim_done(&t.s);
}

static void test_a_route_that_is_invalid_takes_the_release_back(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, 200);
        want_new(&t, &blue_green, NULL);
        run_until(&t, "stage-100", STEP_WAITING);
        t.s.routers[ROUTER_MEMORY].refuses = 1;
        t.s.routers[ROUTER_MEMORY].for_good = true;
        assert_true(sim_run(&t.s, 1000));
        assert_true(sim_is_exactly(&t.s, t.old));
        assert_true(rollout_is_poisoned(&t.s.app.rollout, t.new->release));
        sim_done(&t.s);
}

static void alter(struct rollouts *t, int how) {
        struct route_state *state = &t->s.routers[ROUTER_MEMORY].state;

        if (how == 0)
                *state = (struct route_state){ .available = true };
        else if (how == 1)
                state->altered = true;
        else
                state->route.targets.n--;
}

static void test_a_split_that_somebody_changed_is_told_and_put_right_where_drift_is_repaired(void **state) {
        for (int how = 0; how < 3; how++)
                for (int mode = 0; mode < DRIFT_MODE_MAX_; mode++) {
                        struct rollouts t;
                        struct decision d;
                        const struct decision_app *out;

                        begin_with(&t, 1, 2, 200);
                        t.s.app.settings.drift = mode;
                        alter(&t, how);
                        d = pass_once(&t, 50);
                        out = d.apps.items;
                        assert_int_equal(out->drift.n, 1);
                        assert_string_equal(((struct drift *)out->drift.items)->code, REASON_DRIFT_ROUTE);
                        assert_int_equal(count_actions(&d, ACTION_ROUTE), mode == DRIFT_REPAIR);
                        assert_int_equal(t.s.events[EVENT_REPAIRING], mode == DRIFT_REPAIR);
                        assert_int_equal(sim_routes_exactly(&t.s, t.old), mode == DRIFT_REPAIR);
                        sim_done(&t.s);
                }
}

static void test_a_repair_that_can_do_nothing_is_none(void **state) {
        struct rollouts t;
        int64_t repairs;

        begin_with(&t, 1, 2, 200);
        t.s.routers[ROUTER_MEMORY].state.altered = true;
        sim_service(t.old, 0)->replicas = 0;
        assert_true(sim_run(&t.s, 100));
        t.s.routers[ROUTER_MEMORY].state.altered = true;
        t.s.events[EVENT_REPAIRING] = 0;
        repairs = t.s.app.rollout.breaker.repairs;
        for (int n = 0; n < 100; n++)
                (void)pass_once(&t, 600000);
        assert_int_equal(t.s.events[EVENT_REPAIRING], 0);
        assert_int_equal(t.s.app.rollout.breaker.repairs, repairs);
        sim_done(&t.s);
}

/*
 * Coming and going
 */

static void test_an_app_that_is_removed_leaves_its_router(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, 200);
        sim_want(&t.s, NULL);
        t.s.app.settings.prune = true;
        assert_true(sim_run(&t.s, 100));
        assert_int_equal(t.s.instances.n, 0);
        assert_true(sim_routes_exactly(&t.s, NULL));
        sim_done(&t.s);
}

static void test_a_first_release_that_fails_leaves_no_route_whenever_the_pass_is_killed(void **state) {
        for (int point = 0; point < 60; point++) {
                struct rollouts t;

                make_releases(&t, 1, 2, 200);
                sim_want(&t.s, t.old);
                t.s.kill_at = point;
                for (int n = 0; n < 40 && t.s.events[EVENT_SETTLED] == 0; n++) {
                        struct decision d;

                        (void)sim_pass(&t.s, &d);
                        sim_wait(&t.s, 100);
                        if (router(&t)->state.present)
                                break;
                }
                sim_want(&t.s, NULL);
                t.s.app.settings.prune = true;
                assert_true(sim_run(&t.s, 200));
                assert_int_equal(t.s.instances.n, 0);
                assert_true(sim_routes_exactly(&t.s, NULL));
                sim_done(&t.s);
        }
}

static void test_an_app_that_moves_to_another_router_is_forgotten_by_the_one_before(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, 200);
        sim_route_to(&t.s, t.new, 0, ROUTER_NGINX, 200);
        want_new(&t, &one_by_one, NULL);
        expect_new(&t);
        assert_true(t.s.routers[ROUTER_NGINX].state.present);
        assert_false(t.s.routers[ROUTER_MEMORY].state.present);
        sim_done(&t.s);
}

static void test_an_app_that_no_longer_has_a_router_is_forgotten_by_it(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, 200);
        t.new->traffic = NULL;
        want_new(&t, &one_by_one, NULL);
        expect_new(&t);
        assert_false(t.s.routers[ROUTER_MEMORY].state.present);
        sim_done(&t.s);
}

static void test_an_old_instance_that_the_router_cannot_reach_holds_nothing_up(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, 200);
        first_of(&t, sim_service(t.old, 0)->spec_digest)->endpoints.n = 0;
        want_new(&t, &blue_green, NULL);
        expect_new(&t);
        sim_done(&t.s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_serves_stops_only_after_the_route_let_go_and_drain_passed),
                cmocka_unit_test(test_what_is_overtaken_serves_on_where_nobody_else_does),
                cmocka_unit_test(test_a_crash_after_the_route_changed_does_not_cut_the_drain_short),
                cmocka_unit_test(test_where_all_must_stop_nobody_waits_for_the_others),
                cmocka_unit_test(test_the_cookie_of_sticky_sessions_outlives_the_rollout),
                cmocka_unit_test(test_where_releases_are_not_told_apart_no_cookie_names_one),
                cmocka_unit_test(test_the_route_follows_a_restarted_instance_to_its_new_port),
                cmocka_unit_test(test_the_route_follows_while_images_cannot_be_pulled),
                cmocka_unit_test(test_the_route_follows_while_a_rollout_is_paused),
                cmocka_unit_test(test_a_dead_router_stops_nothing_and_the_rollout_fails_at_its_deadline),
                cmocka_unit_test(test_a_router_that_is_dead_at_last_fails_the_rollout_at_its_deadline),
                cmocka_unit_test(test_a_revert_does_not_claim_success_while_the_router_is_dead),
                cmocka_unit_test(test_a_router_that_refuses_holds_up_its_own_next_try_and_nothing_else),
                cmocka_unit_test(test_a_router_that_refuses_for_ever_is_asked_less_and_less),
                cmocka_unit_test(test_a_route_that_is_invalid_takes_the_release_back),
                cmocka_unit_test(test_a_split_that_somebody_changed_is_told_and_put_right_where_drift_is_repaired),
                cmocka_unit_test(test_a_repair_that_can_do_nothing_is_none),
                cmocka_unit_test(test_an_app_that_is_removed_leaves_its_router),
                cmocka_unit_test(test_a_first_release_that_fails_leaves_no_route_whenever_the_pass_is_killed),
                cmocka_unit_test(test_an_app_that_moves_to_another_router_is_forgotten_by_the_one_before),
                cmocka_unit_test(test_an_app_that_no_longer_has_a_router_is_forgotten_by_it),
                cmocka_unit_test(test_an_old_instance_that_the_router_cannot_reach_holds_nothing_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
