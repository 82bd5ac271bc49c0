/* SPDX-License-Identifier: Apache-2.0 */

/* An app that is settled: drift, and what is no longer declared. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reconciler/core/breaker.h"
#include "tests/lib/simulation.h"

static const char *const V1[] = { "1", "1", "1", "1" }, *const V2[] = { "2", "1", "2", "1" };

static void expect_drift(struct simulation *s, const char *code) {
        struct decision d = sim_decide(s);
        const struct decision_app *out = d.apps.items;
        bool found = false;

        for (size_t i = 0; i < out->drift.n; i++)
                found = found || str_eq(((struct drift *)out->drift.items)[i].code, code);
        assert_true(found);
        assert_true(d.actions.n > 0);
        for (size_t i = 0; i < d.actions.n; i++)
                sim_act(s, (struct action *)d.actions.items + i);
        s->world.now += 500;
        assert_true(sim_run(s, 100));
        assert_true(sim_is_exactly(s, s->app.wanted));
        assert_true(s->events[EVENT_REPAIRING] >= 1);
}

static void test_drift_is_named_and_repaired(void **state) {
        struct simulation s;
        struct instance *i;

        sim_init_settled(&s);
        ((struct instance *)s.instances.items)->state = INSTANCE_EXITED;
        expect_drift(&s, REASON_DRIFT_STOPPED);
        sim_done(&s);

        sim_init_settled(&s);
        sim_remove(&s, ((struct instance *)s.instances.items)->id);
        expect_drift(&s, REASON_DRIFT_MISSING);
        sim_done(&s);

        sim_init_settled(&s);
        ((struct instance *)s.instances.items)->image_matches = false;
        expect_drift(&s, REASON_DRIFT_IMAGE);
        sim_done(&s);

        sim_init_settled(&s);
        i = arena_push(s.arena, &s.instances.items, &s.instances.n, sizeof(struct instance));
        *i = *(struct instance *)s.instances.items;
        i->id = i->name = "extra";
        i->index = 7;
        expect_drift(&s, REASON_DRIFT_EXTRA);
        sim_done(&s);

        sim_init_settled(&s);
        i = s.instances.items;
        i->spec = "sha256:other";
        expect_drift(&s, REASON_DRIFT_SPEC);
        sim_done(&s);

        sim_init_settled(&s);
        i = s.instances.items;
        i->networks_missing.items = arena_array(s.arena, 1, sizeof(struct text_at));
        i->networks_missing.items[0].text = "shop_default";
        i->networks_missing.n = 1;
        expect_drift(&s, REASON_DRIFT_NETWORK);
        sim_done(&s);
}

static void test_what_a_repair_started_is_looked_at_until_it_is_healthy(void **state) {
        struct simulation s;
        sim_init(&s);
        s.has_health_check = true;
        s.app.settings.drift = DRIFT_REPAIR;
        sim_want(&s, sim_workload(&s, "1.0", 1, 1, V1));
        assert_true(sim_run(&s, 100));
        sim_remove(&s, ((struct instance *)s.instances.items)->id);
        struct decision d = sim_decide(&s);
        assert_true(d.actions.n > 0);
        for (size_t i = 0; i < d.actions.n; i++)
                sim_act(&s, (struct action *)d.actions.items + i);

        d = sim_decide(&s);
        const struct decision_app *out = d.apps.items;
        assert_int_equal(out->state, APP_PROGRESSING);
        assert_in_range(out->wake_at - s.world.now, 1, 5000);
        assert_non_null(out->waits_for);
        sim_settle(&s);
        d = sim_decide(&s);
        out = d.apps.items;
        assert_int_equal(out->state, APP_CONVERGED);
        assert_int_equal(out->wake_at, 0);
        sim_done(&s);
}

static const struct decision_app *app_of(const struct decision *d) {
        return d->apps.items;
}

/* Where the first of them is; behind the last action where there is none. */
static size_t place_of(const struct decision *d, enum action_kind kind) {
        size_t at = 0;

        while (at < d->actions.n && ((struct action *)d->actions.items)[at].kind != kind)
                at++;
        return at;
}

static void test_what_a_repair_makes_is_verified_first_and_what_only_starts_is_not(void **state) {
        struct simulation s;
        struct decision d;

        sim_init_settled(&s);
        sim_remove(&s, ((struct instance *)s.instances.items)->id);
        d = sim_decide(&s);
        assert_int_equal(place_of(&d, ACTION_PREPARE), 0);
        assert_true(place_of(&d, ACTION_CREATE) < d.actions.n);
        sim_done(&s);

        sim_init_settled(&s);
        ((struct instance *)s.instances.items)->state = INSTANCE_EXITED;
        d = sim_decide(&s);
        assert_int_equal(d.actions.n, 1);
        assert_int_equal(place_of(&d, ACTION_START), 0);
        sim_done(&s);
}

/* An engine cannot start what it calls dead. */
static void test_an_instance_that_is_dead_is_made_anew(void **state) {
        struct simulation s;
        struct decision d;

        sim_init_settled(&s);
        ((struct instance *)s.instances.items)->state = INSTANCE_DEAD;
        d = sim_decide(&s);
        assert_true(place_of(&d, ACTION_REMOVE) < place_of(&d, ACTION_CREATE));
        assert_true(place_of(&d, ACTION_CREATE) < place_of(&d, ACTION_START));
        sim_done(&s);
}

/* It may have the name or the port of the one that is missing. */
static void test_what_is_too_many_goes_before_what_is_missing_comes(void **state) {
        struct simulation s;
        struct decision d;

        sim_init_settled(&s);
        ((struct instance *)s.instances.items)->index = 7;
        d = sim_decide(&s);
        assert_int_equal(app_of(&d)->drift.n, 2);
        assert_true(place_of(&d, ACTION_REMOVE) < place_of(&d, ACTION_CREATE));
        assert_true(place_of(&d, ACTION_CREATE) < d.actions.n);
        sim_done(&s);
}

static void test_what_the_engine_restarts_by_itself_is_told_and_left_to_it(void **state) {
        struct simulation s;
        struct decision d;

        sim_init_settled(&s);
        ((struct instance *)s.instances.items)->state = INSTANCE_RESTARTING;
        d = sim_decide(&s);
        assert_int_equal(d.actions.n, 0);
        assert_int_equal(app_of(&d)->drift.n, 1);
        assert_int_equal(app_of(&d)->event, EVENT_NONE);
        sim_done(&s);
}

static void touch_nothing(struct simulation *s) {
        struct decision d;

        ((struct instance *)s->instances.items)->state = INSTANCE_EXITED;
        d = sim_decide(s);
        assert_int_equal(d.actions.n, 0);
        assert_int_equal(app_of(&d)->drift.n, 1);
        assert_int_equal(app_of(&d)->state, APP_DEGRADED);
        sim_done(s);
}

static void test_report_mode_tells_drift_and_touches_nothing(void **state) {
        struct simulation s;

        sim_init_settled(&s);
        s.app.settings.drift = DRIFT_REPORT;
        touch_nothing(&s);
}

static void test_a_host_that_is_suspended_tells_drift_and_touches_nothing(void **state) {
        struct simulation s;

        sim_init_settled(&s);
        s.world.suspended = true;
        touch_nothing(&s);
}

static void test_without_a_ledger_to_write_to_drift_is_told_and_nothing_touched(void **state) {
        struct simulation s;

        sim_init_settled(&s);
        s.world.ledger_writable = false;
        touch_nothing(&s);
}

/* What follows from the failure of a router is that the router is tried again later, and nothing else. */
static void test_a_split_that_cannot_be_put_right_does_not_hold_up_the_repair_of_an_instance(void **state) {
        struct simulation s;
        struct workload *w;
        struct decision d;

        sim_init(&s);
        s.app.settings.drift = DRIFT_REPAIR;
        w = sim_workload(&s, "1.0", 1, 2, V1);
        sim_route_to(&s, w, 0, ROUTER_MEMORY, 0);
        sim_want(&s, w);
        assert_true(sim_run(&s, 200));
        s.routers[ROUTER_MEMORY].state.altered = true;
        s.routers[ROUTER_MEMORY].refuses = -1;
        d = sim_decide(&s);
        assert_int_equal(place_of(&d, ACTION_ROUTE), 0);
        assert_false(sim_act_all(&s, &d));
        assert_true(s.app.rollout.route_retry_at > s.world.now);

        ((struct instance *)s.instances.items)->state = INSTANCE_EXITED;
        d = sim_decide(&s);
        assert_int_equal(app_of(&d)->drift.n, 2);
        assert_int_equal(place_of(&d, ACTION_START), 0);
        assert_int_equal(d.actions.n, 1);
        sim_done(&s);
}

static void test_repairs_that_do_not_last_slow_down(void **state) {
        struct simulation s;
        sim_init_settled(&s);
        int64_t begin = s.world.now;

        while (s.world.now - begin < 3600000) {
                struct decision d = sim_decide(&s);
                for (size_t i = 0; i < d.actions.n; i++)
                        sim_act(&s, (struct action *)d.actions.items + i);
                s.world.now += 1000;
                ((struct instance *)s.instances.items)->state = INSTANCE_EXITED;
        }
        assert_in_range(s.events[EVENT_REPAIRING], 5, 20);
        sim_done(&s);
}

static void test_undeclared_app_stays_without_prune_and_goes_with_it(void **state) {
        struct simulation s;
        sim_init_settled(&s);
        sim_want(&s, NULL);
        assert_true(sim_run(&s, 50));
        assert_int_equal(s.instances.n, 2);

        s.app.settings.prune = true;
        assert_true(sim_run(&s, 50));
        assert_int_equal(s.instances.n, 0);
        assert_int_equal(s.events[EVENT_REMOVED], 1);
        sim_done(&s);
}

static void test_service_that_left_the_release_is_removed_only_with_prune(void **state) {
        for (int prune = 0; prune < 2; prune++) {
                struct simulation s;
                sim_init_settled(&s);
                s.app.settings.prune = prune;
                sim_want(&s, sim_workload(&s, "2.0", 1, 1, V2));
                assert_true(sim_run(&s, 100));
                assert_int_equal(s.instances.n, prune ? 1 : 2);
                sim_done(&s);
        }
}

/* Without a declaration: instances, or only the memory of a release, or nothing; and what may be done about it. */
static void test_what_nobody_declares_goes_where_it_may_and_is_told_as_drift_where_not(void **state) {
        static const struct {
                bool here, current, prune, suspended, writable, goes;
        } cases[] = {
                { true, true, true, false, true, true },   { true, false, true, false, true, true },
                { false, true, true, false, true, true },  { false, false, true, false, true, false },
                { true, true, false, false, true, false }, { true, true, true, true, true, false },
                { true, true, true, false, false, false },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct simulation s;
                struct decision d;
                const struct drift *drift;

                sim_init_settled(&s);
                sim_want(&s, NULL);
                sim_remove(&s, ((struct instance *)s.instances.items)[1].id);
                s.instances.n = cases[i].here;
                s.app.rollout.current_release = cases[i].current ? s.app.rollout.current_release : NULL;
                s.app.settings.prune = cases[i].prune;
                s.world.suspended = cases[i].suspended;
                s.world.ledger_writable = cases[i].writable;
                d = sim_decide(&s);
                assert_int_equal(s.app.rollout.phase == PHASE_REMOVING || s.last_event == EVENT_REMOVED, cases[i].goes);
                drift = ((struct decision_app *)d.apps.items)->drift.items;
                assert_int_equal(((struct decision_app *)d.apps.items)->drift.n, cases[i].here && !cases[i].goes);
                if (drift) {
                        assert_string_equal(drift->code, REASON_DRIFT_EXTRA);
                        assert_string_equal(drift->service, "svc0000");
                        assert_int_equal(drift->index, 1);
                        assert_string_equal(drift->instance, ((struct instance *)s.instances.items)->id);
                        assert_non_null(strstr(drift->detail, drift->instance));
                }
                sim_done(&s);
        }
}

static void test_an_hour_without_drift_is_remembered_though_nothing_is_done(void **state) {
        struct simulation s;

        sim_init_settled(&s);
        s.app.rollout.breaker = (struct breaker){ .repairs = 3, .unchanged_at = s.world.now - BREAKER_QUIET_MS };
        (void)sim_decide(&s);
        assert_int_equal(s.app.rollout.breaker.repairs, 0);
        sim_done(&s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_drift_is_named_and_repaired),
                cmocka_unit_test(test_what_a_repair_started_is_looked_at_until_it_is_healthy),
                cmocka_unit_test(test_what_a_repair_makes_is_verified_first_and_what_only_starts_is_not),
                cmocka_unit_test(test_an_instance_that_is_dead_is_made_anew),
                cmocka_unit_test(test_what_is_too_many_goes_before_what_is_missing_comes),
                cmocka_unit_test(test_what_the_engine_restarts_by_itself_is_told_and_left_to_it),
                cmocka_unit_test(test_report_mode_tells_drift_and_touches_nothing),
                cmocka_unit_test(test_a_host_that_is_suspended_tells_drift_and_touches_nothing),
                cmocka_unit_test(test_without_a_ledger_to_write_to_drift_is_told_and_nothing_touched),
                cmocka_unit_test(test_a_split_that_cannot_be_put_right_does_not_hold_up_the_repair_of_an_instance),
                cmocka_unit_test(test_repairs_that_do_not_last_slow_down),
                cmocka_unit_test(test_undeclared_app_stays_without_prune_and_goes_with_it),
                cmocka_unit_test(test_service_that_left_the_release_is_removed_only_with_prune),
                cmocka_unit_test(test_what_nobody_declares_goes_where_it_may_and_is_told_as_drift_where_not),
                cmocka_unit_test(test_an_hour_without_drift_is_remembered_though_nothing_is_done),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
