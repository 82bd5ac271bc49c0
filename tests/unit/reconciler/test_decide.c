/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/data/json.h"
#include "tests/lib/simulation.h"

static const char *const V1[] = { "1", "1", "1", "1" }, *const V2[] = { "2", "1", "2", "1" };

static void test_first_release_comes_up_and_settles(void **state) {
        struct simulation s;
        sim_init(&s);
        sim_want(&s, sim_workload(&s, "1.0", 3, 2, V1));

        assert_true(sim_run(&s, 100));
        assert_true(sim_is_exactly(&s, s.app.wanted));
        assert_int_equal(s.app.rollout.phase, PHASE_SETTLED);
        assert_string_equal(s.app.rollout.settled_release, s.app.wanted->release);
        assert_int_equal(s.events[EVENT_STARTED], 1);
        assert_int_equal(s.events[EVENT_SETTLED], 1);
        sim_done(&s);
}

static void test_settled_world_has_no_actions_and_the_same_decision_twice(void **state) {
        struct simulation s;
        sim_init(&s);
        sim_want(&s, sim_workload(&s, "1.0", 3, 1, V1));
        assert_true(sim_run(&s, 100));

        struct decision one = sim_decide(&s), two = sim_decide(&s);
        own_json json_t *a = table_write(&decision_table, &one), *b = table_write(&decision_table, &two);
        assert_int_equal(one.actions.n, 0);
        assert_int_equal(((struct decision_app *)one.apps.items)->state, APP_CONVERGED);
        assert_string_equal(digest_of_json(a).text, digest_of_json(b).text);
        sim_done(&s);
}

static void test_unchanged_services_are_not_recreated(void **state) {
        struct simulation s;
        sim_init(&s);
        sim_want(&s, sim_workload(&s, "1.0", 4, 1, V1));
        assert_true(sim_run(&s, 100));
        const struct instance *kept = NULL, *items = s.instances.items;
        for (size_t i = 0; i < s.instances.n; i++)
                if (str_eq(items[i].service, "svc0001"))
                        kept = &items[i];
        const char *id = kept->id;

        sim_want(&s, sim_workload(&s, "2.0", 4, 1, V2));
        assert_true(sim_run(&s, 100));
        assert_true(sim_is_exactly(&s, s.app.wanted));
        assert_non_null(sim_find(&s, id));
        sim_done(&s);
}

static void test_old_is_kept_until_new_is_proven_and_only_stopped_after_new_is_made(void **state) {
        struct simulation s;
        sim_init(&s);
        struct workload *old = sim_workload(&s, "1.0", 1, 1, V1), *new = sim_workload(&s, "2.0", 1, 1, V2);
        const struct workload_service *old_service = old->services.items;
        sim_want(&s, old);
        assert_true(sim_run(&s, 100));
        sim_want(&s, new);

        for (int n = 0; n < 50 && s.app.rollout.phase != PHASE_FINISHING; n++) {
                struct decision d = sim_decide(&s);
                const struct action *actions = d.actions.items;
                bool made = false;

                for (size_t i = 0; i < d.actions.n; i++) {
                        made = made || actions[i].verb == VERB_CREATE;
                        if (actions[i].verb == VERB_STOP)
                                assert_true(made);
                        if (s.app.rollout.phase != PHASE_FINISHING)
                                assert_int_not_equal(actions[i].verb, VERB_REMOVE);
                        sim_act(&s, &actions[i]);
                }
                s.world.now += 500;
                bool there = false;
                const struct instance *items = s.instances.items;
                for (size_t i = 0; i < s.instances.n; i++)
                        there = there || str_eq(items[i].spec, old_service->spec_digest);
                if (s.app.rollout.phase != PHASE_FINISHING && s.app.rollout.phase != PHASE_SETTLED)
                        assert_true(there);
        }
        assert_true(sim_run(&s, 50));
        assert_true(sim_is_exactly(&s, new));
        sim_done(&s);
}

/* Deploy 1.0, then 2.0 whose first service fails as @how says; the old release must serve again and stay. */
static void failing_release(struct simulation *s, bool unhealthy, bool crashing) {
        sim_init(s);
        s->has_health_check = true;
        struct workload *old = sim_workload(s, "1.0", 3, 2, V1), *new = sim_workload(s, "2.0", 3, 2, V2);
        sim_want(s, old);
        assert_true(sim_run(s, 100));
        const struct workload_service *services = new->services.items;
        s->broken_spec = unhealthy ? services[0].spec_digest : NULL;
        s->crashing_spec = crashing ? services[0].spec_digest : NULL;

        sim_want(s, new);
        assert_true(sim_run(s, 200));
        assert_true(sim_is_exactly(s, old));
        assert_true(rollout_is_poisoned(&s->app.rollout, new->release));
        assert_string_equal(s->app.rollout.settled_release, old->release);
        assert_int_equal(s->events[EVENT_FAILED], 1);
        assert_int_equal(s->events[EVENT_REVERTED], 1);
}

static void test_unhealthy_release_is_taken_back_and_poisoned(void **state) {
        struct simulation s;
        failing_release(&s, true, false);
        assert_string_equal(s.app.rollout.failure_code, REASON_ROLLOUT_UNHEALTHY);
        sim_done(&s);
}

static void test_crashing_release_is_taken_back_and_poisoned(void **state) {
        struct simulation s;
        failing_release(&s, false, true);
        assert_string_equal(s.app.rollout.failure_code, REASON_ROLLOUT_EXITED);
        sim_done(&s);
}

/* The engine restarts the new instance @restarts times; it is up in between, as a crash loop looks. */
static enum phase phase_after_restarts(int64_t restarts, int64_t up_ms) {
        struct simulation s;
        enum phase phase;

        sim_init(&s);
        sim_want(&s, sim_workload(&s, "1.0", 1, 1, V1));
        for (int n = 0; n < 20; n++) {
                struct decision d = sim_decide(&s);
                struct instance *items;

                for (size_t i = 0; i < d.actions.n; i++)
                        sim_act(&s, (struct action *)d.actions.items + i);
                s.world.now += 500;
                items = s.instances.items;
                for (size_t i = 0; i < s.instances.n; i++) {
                        items[i].restarts = restarts;
                        items[i].started_at = s.world.now - up_ms;
                }
        }
        phase = s.app.rollout.phase;
        sim_done(&s);
        return phase;
}

static void test_crash_loop_is_seen_between_two_crashes(void **state) {
        assert_int_equal(phase_after_restarts(CRASH_LOOP_RESTARTS, 900), PHASE_ABSENT);
        assert_int_equal(phase_after_restarts(1, 900), PHASE_EVALUATING);
        assert_int_equal(phase_after_restarts(1, 20000), PHASE_SETTLED);
}

static void test_poisoned_release_is_not_tried_again_until_another_is_wanted(void **state) {
        struct simulation s;
        failing_release(&s, true, false);
        int actions = s.actions;

        s.world.now += 7 * 24 * 3600 * INT64_C(1000);
        assert_true(sim_run(&s, 200));
        assert_int_equal(s.actions, actions);

        static const char *const V3[] = { "3", "3", "3", "3" };
        sim_want(&s, sim_workload(&s, "3.0", 3, 2, V3));
        assert_true(sim_run(&s, 200));
        assert_true(sim_is_exactly(&s, s.app.wanted));
        sim_done(&s);
}

static void test_going_back_to_what_serves_ends_the_failure_but_not_the_poison(void **state) {
        struct simulation s;
        failing_release(&s, true, false);
        const char *failed = s.app.wanted->release;

        assert_non_null(s.app.rollout.failure_code);
        sim_want(&s, s.app.settled);
        assert_true(sim_run(&s, 200));
        assert_null(s.app.rollout.failure_code);
        assert_true(rollout_is_poisoned(&s.app.rollout, failed));
        sim_done(&s);
}

static void test_pause_leaves_everything_and_waits_for_a_person(void **state) {
        struct simulation s;
        sim_init(&s);
        s.has_health_check = true;
        s.app.settings.on_failure = ON_FAILURE_PAUSE;
        struct workload *new = sim_workload(&s, "2.0", 1, 1, V2);
        sim_want(&s, sim_workload(&s, "1.0", 1, 1, V1));
        assert_true(sim_run(&s, 100));
        s.broken_spec = ((struct workload_service *)new->services.items)->spec_digest;
        sim_want(&s, new);
        assert_true(sim_run(&s, 100));
        assert_int_equal(s.app.rollout.phase, PHASE_PAUSED);
        assert_int_equal(s.instances.n, 2);
        sim_done(&s);
}

static void test_transient_pull_failure_backs_off_touches_nothing_and_goes_on(void **state) {
        struct simulation s;
        sim_init(&s);
        struct workload *old = sim_workload(&s, "1.0", 2, 1, V1);
        sim_want(&s, old);
        assert_true(sim_run(&s, 100));
        sim_want(&s, sim_workload(&s, "2.0", 2, 1, V2));

        int64_t last = 0;
        for (int n = 0; n < 6; n++) {
                own_fault struct fault fault = FAULT_INIT;
                struct decision d = sim_decide(&s);
                while (d.actions.n == 0) {
                        int64_t wake_at = ((struct decision_app *)d.apps.items)->wake_at;
                        assert_true(wake_at > s.world.now || s.last_event == EVENT_STARTED);
                        s.world.now = wake_at ? wake_at : s.world.now;
                        d = sim_decide(&s);
                }
                assert_int_equal(((struct action *)d.actions.items)->verb, VERB_PREPARE);
                fault_set_code(&fault, FAULT_TRANSIENT, REASON_IMAGE_PULL_FAILED, "the registry is away");
                rollout_action_failed(&s.app.rollout, &(struct action){ .verb = VERB_PREPARE }, &fault, s.world.now, s.arena);
                assert_true(s.app.rollout.retry_at - s.world.now > last);
                last = s.app.rollout.retry_at - s.world.now;
                assert_true(sim_is_exactly(&s, old));
        }
        assert_false(rollout_is_poisoned(&s.app.rollout, s.app.wanted->release));
        assert_true(sim_run(&s, 500));
        assert_true(sim_is_exactly(&s, s.app.wanted));
        sim_done(&s);
}

static void test_wrong_bytes_poison_the_release_without_touching_anything(void **state) {
        struct simulation s;
        own_fault struct fault fault = FAULT_INIT;
        sim_init(&s);
        struct workload *old = sim_workload(&s, "1.0", 2, 1, V1);
        sim_want(&s, old);
        assert_true(sim_run(&s, 100));
        sim_want(&s, sim_workload(&s, "2.0", 2, 1, V2));
        int actions = s.actions;

        (void)sim_decide(&s);
        fault_set_code(&fault, FAULT_DENIED, REASON_IMAGE_DIGEST_MISMATCH, "other bytes");
        rollout_action_failed(&s.app.rollout, &(struct action){ .verb = VERB_PREPARE }, &fault, s.world.now, s.arena);
        assert_true(sim_run(&s, 100));
        assert_true(sim_is_exactly(&s, old));
        assert_int_equal(s.actions, actions);
        assert_true(rollout_is_poisoned(&s.app.rollout, s.app.wanted->release));
        sim_done(&s);
}

static void test_engine_going_away_while_staging_is_no_verdict_on_the_release(void **state) {
        struct simulation s;
        own_fault struct fault fault = FAULT_INIT;
        sim_init(&s);
        sim_want(&s, sim_workload(&s, "1.0", 2, 1, V1));
        struct decision d = sim_decide(&s);
        d = sim_decide(&s);
        sim_act(&s, d.actions.items);
        d = sim_decide(&s);
        assert_int_equal(((struct action *)d.actions.items)->verb, VERB_CREATE);
        fault_set_code(&fault, FAULT_TRANSIENT, REASON_RUNTIME_UNAVAILABLE, "gone");
        rollout_action_failed(&s.app.rollout, &(struct action){ .verb = VERB_CREATE }, &fault, s.world.now, s.arena);
        s.app.observed = false;
        d = sim_decide(&s);
        assert_int_equal(d.actions.n, 0);
        assert_int_equal(((struct decision_app *)d.apps.items)->state, APP_DEGRADED);
        s.app.observed = true;
        s.world.now += 600000;
        assert_true(sim_run(&s, 200));
        assert_true(sim_is_exactly(&s, s.app.wanted));
        sim_done(&s);
}

/* Up to the look in which the first instance of a release is started. */
static void start_first(struct simulation *s) {
        sim_init(s);
        sim_want(s, sim_workload(s, "1.0", 1, 1, V1));
        for (int n = 0; n < 10 && s->instances.n == 0; n++) {
                struct decision d = sim_decide(s);

                for (size_t i = 0; i < d.actions.n; i++)
                        sim_act(s, (struct action *)d.actions.items + i);
        }
        assert_int_equal(s->app.rollout.phase, PHASE_STAGING);
}

static void test_a_restarting_instance_is_looked_at_again_soon(void **state) {
        struct simulation s;
        start_first(&s);
        ((struct instance *)s.instances.items)->state = INSTANCE_RESTARTING;
        ((struct instance *)s.instances.items)->restarts = 1;

        struct decision d = sim_decide(&s);
        const struct decision_app *out = d.apps.items;
        assert_int_equal(d.actions.n, 0);
        assert_int_equal(out->rollout.phase, PHASE_STAGING);
        assert_in_range(out->wake_at - s.world.now, 1, 1000);
        assert_non_null(out->waits_for);
        sim_done(&s);
}

static void test_a_conflict_while_staging_is_tried_again_after_a_while_not_at_once(void **state) {
        struct simulation s;
        own_fault struct fault fault = FAULT_INIT;
        start_first(&s);
        ((struct instance *)s.instances.items)->state = INSTANCE_CREATED;
        fault_set(&fault, FAULT_CONFLICT, 0, "somebody else was faster");
        for (int n = 0; n < 3; n++)
                rollout_action_failed(&s.app.rollout, &(struct action){ .verb = VERB_START }, &fault, s.world.now, s.arena);

        struct decision d = sim_decide(&s);
        const struct decision_app *out = d.apps.items;
        assert_int_equal(d.actions.n, 0);
        assert_int_equal(out->wake_at, s.world.now + look_back_off_ms(3));
        assert_true(sim_run(&s, 100));
        assert_true(sim_is_exactly(&s, s.app.wanted));
        sim_done(&s);
}

static void test_credentials_that_are_refused_are_no_verdict_on_the_release(void **state) {
        struct simulation s;
        own_fault struct fault fault = FAULT_INIT;
        sim_init(&s);
        sim_want(&s, sim_workload(&s, "1.0", 1, 1, V1));
        (void)sim_decide(&s);
        fault_set_code(&fault, FAULT_DENIED, REASON_IMAGE_AUTH, "the password is wrong");
        rollout_action_failed(&s.app.rollout, &(struct action){ .verb = VERB_PREPARE }, &fault, s.world.now, s.arena);

        struct decision d = sim_decide(&s);
        const struct decision_app *out = d.apps.items;
        assert_int_equal(out->rollout.phase, PHASE_PREPARING);
        assert_string_equal(out->rollout.failure_code, REASON_IMAGE_AUTH);
        assert_int_equal(out->rollout.poisoned.n, 0);
        assert_true(sim_run(&s, 100));
        assert_true(sim_is_exactly(&s, s.app.wanted));
        assert_null(s.app.rollout.failure_code);
        sim_done(&s);
}

static void test_an_old_release_that_ends_by_itself_ends_the_revert(void **state) {
        static const char *const broken[] = { "broken" };
        struct simulation s;
        sim_init(&s);
        s.has_health_check = true;
        struct workload *old = sim_workload(&s, "1.0", 1, 1, V1), *new = sim_workload(&s, "2.0", 1, 1, broken);
        sim_want(&s, old);
        assert_true(sim_run(&s, 100));
        s.broken_spec = ((const struct workload_service *)new->services.items)->spec_digest;
        sim_want(&s, new);
        while (s.app.rollout.phase != PHASE_EVALUATING) {
                struct decision d = sim_decide(&s);

                for (size_t i = 0; i < d.actions.n; i++)
                        sim_act(&s, (struct action *)d.actions.items + i);
        }
        s.crashing_spec = ((const struct workload_service *)old->services.items)->spec_digest;

        (void)sim_run(&s, 40);
        assert_int_equal(s.app.rollout.phase, PHASE_SETTLED);
        assert_int_equal(s.events[EVENT_REVERTED], 1);
        /* Its repairs slow down like any other. */
        assert_in_range(s.events[EVENT_REPAIRING], 3, 5);
        sim_done(&s);
}

static void test_dependants_wait_for_health_and_for_completion(void **state) {
        struct simulation s;
        sim_init(&s);
        s.has_health_check = true;
        struct workload *w = sim_workload(&s, "1.0", 3, 1, V1);
        sim_depend(&s, w, 1, 0, DEPEND_HEALTHY);
        sim_depend(&s, w, 2, 1, DEPEND_COMPLETED);
        sim_want(&s, w);

        for (int n = 0; n < 60; n++) {
                struct decision d = sim_decide(&s);
                const struct action *actions = d.actions.items;

                for (size_t i = 0; i < d.actions.n; i++) {
                        const struct instance *items = s.instances.items;
                        if (actions[i].verb == VERB_START && str_eq(actions[i].service, "svc0001")) {
                                bool healthy = false;
                                for (size_t k = 0; k < s.instances.n; k++)
                                        healthy = healthy || (str_eq(items[k].service, "svc0000") && items[k].health == HEALTH_HEALTHY);
                                assert_true(healthy);
                        }
                        if (actions[i].verb == VERB_START && str_eq(actions[i].service, "svc0002")) {
                                bool completed = false;
                                for (size_t k = 0; k < s.instances.n; k++)
                                        completed = completed || (str_eq(items[k].service, "svc0001") && items[k].state == INSTANCE_EXITED);
                                assert_true(completed);
                        }
                        sim_act(&s, &actions[i]);
                }
                s.world.now += 500;
                sim_settle(&s);
                /* the job ends by itself, well */
                struct instance *items = s.instances.items;
                for (size_t k = 0; n > 5 && k < s.instances.n; k++)
                        if (str_eq(items[k].service, "svc0001") && items[k].state == INSTANCE_RUNNING) {
                                items[k].state = INSTANCE_EXITED;
                                items[k].exit_code = 0;
                                items[k].health = HEALTH_NONE;
                        }
        }
        assert_int_equal(s.app.rollout.phase, PHASE_SETTLED);
        assert_int_equal(s.events[EVENT_SETTLED], 1);
        assert_int_equal(s.events[EVENT_REPAIRING], 0);
        sim_done(&s);
}

static void settled_simulation(struct simulation *s) {
        sim_init(s);
        sim_want(s, sim_workload(s, "1.0", 2, 1, V1));
        assert_true(sim_run(s, 100));
}

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

        settled_simulation(&s);
        ((struct instance *)s.instances.items)->state = INSTANCE_EXITED;
        expect_drift(&s, REASON_DRIFT_STOPPED);
        sim_done(&s);

        settled_simulation(&s);
        sim_remove(&s, ((struct instance *)s.instances.items)->id);
        expect_drift(&s, REASON_DRIFT_MISSING);
        sim_done(&s);

        settled_simulation(&s);
        ((struct instance *)s.instances.items)->image_matches = false;
        expect_drift(&s, REASON_DRIFT_IMAGE);
        sim_done(&s);

        settled_simulation(&s);
        i = arena_push(s.arena, &s.instances.items, &s.instances.n, sizeof(struct instance));
        *i = *(struct instance *)s.instances.items;
        i->id = i->name = "extra";
        i->index = 7;
        expect_drift(&s, REASON_DRIFT_EXTRA);
        sim_done(&s);

        settled_simulation(&s);
        i = s.instances.items;
        i->spec = "sha256:other";
        expect_drift(&s, REASON_DRIFT_SPEC);
        sim_done(&s);

        settled_simulation(&s);
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

static void test_report_mode_and_suspension_tell_drift_and_touch_nothing(void **state) {
        for (int suspended = 0; suspended < 2; suspended++) {
                struct simulation s;
                settled_simulation(&s);
                if (suspended)
                        s.world.suspended = true;
                else
                        s.app.settings.drift = DRIFT_REPORT;
                ((struct instance *)s.instances.items)->state = INSTANCE_EXITED;
                struct decision d = sim_decide(&s);
                assert_int_equal(d.actions.n, 0);
                assert_int_equal(((struct decision_app *)d.apps.items)->drift.n, 1);
                assert_int_equal(((struct decision_app *)d.apps.items)->state, APP_DEGRADED);
                sim_done(&s);
        }
}

static void test_repairs_that_do_not_last_slow_down(void **state) {
        struct simulation s;
        settled_simulation(&s);
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
        settled_simulation(&s);
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
                settled_simulation(&s);
                s.app.settings.prune = prune;
                sim_want(&s, sim_workload(&s, "2.0", 1, 1, V2));
                assert_true(sim_run(&s, 100));
                assert_int_equal(s.instances.n, prune ? 1 : 2);
                sim_done(&s);
        }
}

static void test_a_newer_release_overtakes_one_under_way(void **state) {
        struct simulation s;
        settled_simulation(&s);
        static const char *const V3[] = { "3", "3" };
        sim_want(&s, sim_workload(&s, "2.0", 2, 1, V2));
        for (int n = 0; n < 4; n++) {
                struct decision d = sim_decide(&s);
                for (size_t i = 0; i < d.actions.n; i++)
                        sim_act(&s, (struct action *)d.actions.items + i);
                s.world.now += 100;
        }
        sim_want(&s, sim_workload(&s, "3.0", 2, 1, V3));
        assert_true(sim_run(&s, 100));
        assert_true(sim_is_exactly(&s, s.app.wanted));
        sim_done(&s);
}

/* Acts until an instance of @spec is in @wanted; what else the look wanted is left undone, as by a kill. */
static void act_until(struct simulation *s, const char *spec, enum instance_state wanted) {
        for (int n = 0; n < 200; n++) {
                struct decision d = sim_decide(s);

                for (size_t i = 0; i < d.actions.n; i++) {
                        sim_act(s, (struct action *)d.actions.items + i);
                        s->world.now += 10;
                        for (size_t k = 0; k < s->instances.n; k++) {
                                const struct instance *here = (struct instance *)s->instances.items + k;

                                if (str_eq(here->spec, spec) && here->state == wanted)
                                        return;
                        }
                }
                s->world.now += 100;
        }
        fail_msg("no instance is %s", instance_state_names[wanted]);
}

/* Release 2 begins, 3 takes it back, 4 wants it again: what of 2 is left was stopped by us, and did not fail. */
static void test_what_was_stopped_for_another_release_is_no_failure(void **state) {
        struct simulation s;
        settled_simulation(&s);
        sim_want(&s, sim_workload(&s, "2.0", 2, 1, V2));
        const char *spec = ((const struct workload_service *)s.app.wanted->services.items)->spec_digest;
        act_until(&s, spec, INSTANCE_RUNNING);
        s.world.now += 1000;
        sim_want(&s, sim_workload(&s, "3.0", 2, 1, V1));
        act_until(&s, spec, INSTANCE_EXITED);
        s.world.now += 1000;
        sim_want(&s, sim_workload(&s, "4.0", 2, 1, V2));
        assert_true(sim_run(&s, 100));
        assert_true(sim_is_exactly(&s, s.app.wanted));
        assert_null(s.app.rollout.failure_code);
        assert_int_equal(s.app.rollout.poisoned.n, 0);
        sim_done(&s);
}

static void test_a_failure_ends_with_the_app_that_failed(void **state) {
        struct simulation s;
        failing_release(&s, true, false);
        assert_non_null(s.app.rollout.failure_code);
        sim_want(&s, NULL);
        (void)sim_decide(&s);
        assert_null(s.app.rollout.failure_code);
        assert_int_equal(s.app.rollout.poisoned.n, 1);
        sim_done(&s);
}

/* The first action of a kind on an instance; one past the last when there is none. */
static size_t find_action(const struct decision *d, enum action_verb verb, const char *instance) {
        const struct action *actions = d->actions.items;

        for (size_t i = 0; i < d->actions.n; i++)
                if (actions[i].verb == verb && (!instance || str_eq(actions[i].instance, instance)))
                        return i;
        return d->actions.n;
}

/* Only STOP takes a public name away: what ended by itself carries its own until then. */
static void test_what_ended_by_itself_is_stopped_before_another_takes_its_name(void **state) {
        struct simulation s;
        struct decision d;
        settled_simulation(&s);
        struct instance *old = s.instances.items;
        const char *id = old->id;
        old->state = INSTANCE_EXITED;
        sim_want(&s, sim_workload(&s, "2.0", 2, 1, V2));
        do {
                d = sim_decide(&s);
                for (size_t i = 0; i < d.actions.n; i++)
                        sim_act(&s, (struct action *)d.actions.items + i);
                s.world.now += 100;
        } while (find_action(&d, VERB_START, NULL) == d.actions.n);
        assert_true(find_action(&d, VERB_STOP, id) < find_action(&d, VERB_START, NULL));

        struct instance *items = s.instances.items;
        for (size_t i = 0; i < s.instances.n; i++)
                if (str_eq(items[i].service, "svc0000") && items[i].state == INSTANCE_RUNNING) {
                        items[i].state = INSTANCE_EXITED;
                        items[i].exit_code = 127;
                        id = items[i].id;
                }
        do
                d = sim_decide(&s);
        while (d.actions.n == 0);
        assert_int_equal(s.app.rollout.phase, PHASE_REVERTING);
        assert_true(find_action(&d, VERB_STOP, id) < d.actions.n);
        sim_done(&s);
}

static void test_clock_set_back_neither_expires_nor_blocks_a_rollout(void **state) {
        struct simulation s;
        settled_simulation(&s);
        sim_want(&s, sim_workload(&s, "2.0", 2, 1, V2));
        for (int n = 0; n < 3; n++) {
                struct decision d = sim_decide(&s);
                for (size_t i = 0; i < d.actions.n; i++)
                        sim_act(&s, (struct action *)d.actions.items + i);
                s.world.now += 100;
        }
        s.world.now -= 86400000;
        assert_true(sim_run(&s, 100));
        assert_true(sim_is_exactly(&s, s.app.wanted));
        sim_done(&s);
}

static void test_powered_off_host_does_not_count_against_the_deadline(void **state) {
        struct simulation s;
        settled_simulation(&s);
        sim_want(&s, sim_workload(&s, "2.0", 2, 1, V2));
        for (int n = 0; n < 3; n++) {
                struct decision d = sim_decide(&s);
                for (size_t i = 0; i < d.actions.n; i++)
                        sim_act(&s, (struct action *)d.actions.items + i);
                s.world.now += 100;
        }
        s.world.now += 86400000;
        assert_true(sim_run(&s, 100));
        assert_true(sim_is_exactly(&s, s.app.wanted));
        sim_done(&s);
}

static void test_a_job_that_ran_is_not_run_again_by_a_lost_state(void **state) {
        struct simulation s;
        settled_simulation(&s);
        /* The state folder is lost: the running instances are adopted, not recreated. */
        s.app.rollout = (struct rollout){ .app = "shop", .intent = -1 };
        s.app.settled = NULL;
        int made = s.next_id;
        assert_true(sim_run(&s, 100));
        assert_int_equal(s.next_id, made);
        assert_int_equal(s.app.rollout.phase, PHASE_SETTLED);
        sim_done(&s);
}

/*
 * The property: from any mess, with the pass killed after any action, the host comes to rest at exactly the wanted
 * release, or at exactly the one before it with the wanted one poisoned.
 */
static unsigned long long seed_of(void) {
        const char *text = getenv("TALLY_SEED");
        uint64_t seed = 1;

        return text && parse_u64(text, &seed) == 0 ? seed : 20261123;
}

static uint32_t next_random(uint64_t *state) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        return (uint32_t)(*state >> 33);
}

static void disturb(struct simulation *s, uint64_t *random) {
        struct instance *items = s->instances.items;

        if (s->instances.n == 0)
                return;
        struct instance *i = &items[next_random(random) % s->instances.n];
        switch (next_random(random) % 6) {
        case 0:
                i->state = INSTANCE_EXITED;
                break;
        case 1:
                sim_remove(s, i->id);
                break;
        case 2:
                i->image_matches = false;
                break;
        case 3:
                s->world.now += next_random(random) % 100000;
                break;
        case 4:
                s->world.now -= next_random(random) % 100000;
                break;
        default:
                break;
        }
}

static void test_any_interrupted_rollout_comes_to_rest_at_one_release_exactly(void **state) {
        uint64_t random = seed_of();

        print_message("seed %llu (TALLY_SEED)\n", (unsigned long long)random);
        for (int round = 0; round < 400; round++) {
                struct simulation s;
                size_t n = 1 + next_random(&random) % 4;
                int64_t replicas = 1 + next_random(&random) % 2;

                sim_init(&s);
                s.has_health_check = next_random(&random) % 2;
                struct workload *old = sim_workload(&s, "1.0", n, replicas, V1), *new = sim_workload(&s, "2.0", n, replicas, V2);
                const struct workload_service *services = new->services.items;
                sim_want(&s, old);
                assert_true(sim_run(&s, 200));
                bool breaks = next_random(&random) % 2;
                if (breaks) {
                        s.broken_spec = s.has_health_check ? services[0].spec_digest : NULL;
                        s.crashing_spec = s.has_health_check ? NULL : services[0].spec_digest;
                }
                sim_want(&s, new);
                for (int pass = 0; pass < 30; pass++) {
                        struct decision d = sim_decide(&s);
                        size_t survive = d.actions.n ? next_random(&random) % (d.actions.n + 1) : 0;

                        for (size_t i = 0; i < survive; i++)
                                sim_act(&s, (struct action *)d.actions.items + i);
                        s.world.now += next_random(&random) % 1000;
                        sim_settle(&s);
                        if (next_random(&random) % 10 == 0)
                                disturb(&s, &random);
                }
                /* Long quiet afterwards: back-off runs out, repairs are done. */
                for (int hour = 0; hour == 0 || (hour < 3 && !(sim_is_exactly(&s, new) || sim_is_exactly(&s, old))); hour++) {
                        s.world.now += 3700000;
                        (void)sim_run(&s, 300);
                }
                bool at_new = sim_is_exactly(&s, new) && str_eq(s.app.rollout.settled_release, new->release);
                bool at_old = sim_is_exactly(&s, old) && str_eq(s.app.rollout.settled_release, old->release) &&
                              rollout_is_poisoned(&s.app.rollout, new->release);
                if (!at_new && !at_old)
                        print_error("round %d: neither release: phase %s, %zu instances\n", round,
                                    phase_names[s.app.rollout.phase], s.instances.n);
                assert_true(at_new || at_old);
                if (breaks)
                        assert_true(at_old);
                sim_done(&s);
        }
}

static void test_world_survives_json_and_decides_the_same(void **state) {
        struct simulation s;
        own_fault struct fault fault = FAULT_INIT;
        sim_init(&s);
        sim_want(&s, sim_workload(&s, "1.0", 3, 1, V1));
        assert_true(sim_run(&s, 100));
        sim_want(&s, sim_workload(&s, "2.0", 3, 1, V2));
        struct rollout before = s.app.rollout;
        struct decision first = sim_decide(&s);
        s.app.rollout = before;
        own_json json_t *json = table_write(&world_table, &s.world);
        struct world back;
        assert_int_equal(table_read_json(&world_table, "world", json, &back, s.arena, &fault), 0);
        struct decision second;
        decide(&back, s.arena, &second);
        own_json json_t *a = table_write(&decision_table, &first), *b = table_write(&decision_table, &second);
        assert_string_equal(digest_of_json(a).text, digest_of_json(b).text);
        sim_done(&s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_first_release_comes_up_and_settles),
                cmocka_unit_test(test_settled_world_has_no_actions_and_the_same_decision_twice),
                cmocka_unit_test(test_unchanged_services_are_not_recreated),
                cmocka_unit_test(test_old_is_kept_until_new_is_proven_and_only_stopped_after_new_is_made),
                cmocka_unit_test(test_unhealthy_release_is_taken_back_and_poisoned),
                cmocka_unit_test(test_crashing_release_is_taken_back_and_poisoned),
                cmocka_unit_test(test_crash_loop_is_seen_between_two_crashes),
                cmocka_unit_test(test_poisoned_release_is_not_tried_again_until_another_is_wanted),
                cmocka_unit_test(test_going_back_to_what_serves_ends_the_failure_but_not_the_poison),
                cmocka_unit_test(test_pause_leaves_everything_and_waits_for_a_person),
                cmocka_unit_test(test_transient_pull_failure_backs_off_touches_nothing_and_goes_on),
                cmocka_unit_test(test_wrong_bytes_poison_the_release_without_touching_anything),
                cmocka_unit_test(test_engine_going_away_while_staging_is_no_verdict_on_the_release),
                cmocka_unit_test(test_a_restarting_instance_is_looked_at_again_soon),
                cmocka_unit_test(test_a_conflict_while_staging_is_tried_again_after_a_while_not_at_once),
                cmocka_unit_test(test_credentials_that_are_refused_are_no_verdict_on_the_release),
                cmocka_unit_test(test_an_old_release_that_ends_by_itself_ends_the_revert),
                cmocka_unit_test(test_dependants_wait_for_health_and_for_completion),
                cmocka_unit_test(test_drift_is_named_and_repaired),
                cmocka_unit_test(test_what_a_repair_started_is_looked_at_until_it_is_healthy),
                cmocka_unit_test(test_report_mode_and_suspension_tell_drift_and_touch_nothing),
                cmocka_unit_test(test_repairs_that_do_not_last_slow_down),
                cmocka_unit_test(test_undeclared_app_stays_without_prune_and_goes_with_it),
                cmocka_unit_test(test_service_that_left_the_release_is_removed_only_with_prune),
                cmocka_unit_test(test_a_newer_release_overtakes_one_under_way),
                cmocka_unit_test(test_what_was_stopped_for_another_release_is_no_failure),
                cmocka_unit_test(test_a_failure_ends_with_the_app_that_failed),
                cmocka_unit_test(test_what_ended_by_itself_is_stopped_before_another_takes_its_name),
                cmocka_unit_test(test_clock_set_back_neither_expires_nor_blocks_a_rollout),
                cmocka_unit_test(test_powered_off_host_does_not_count_against_the_deadline),
                cmocka_unit_test(test_a_job_that_ran_is_not_run_again_by_a_lost_state),
                cmocka_unit_test(test_any_interrupted_rollout_comes_to_rest_at_one_release_exactly),
                cmocka_unit_test(test_world_survives_json_and_decides_the_same),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
