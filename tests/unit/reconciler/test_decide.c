/* SPDX-License-Identifier: Apache-2.0 */

/* How a release comes up, and how one that fails is taken back. */

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
        assert_string_equal(s.app.rollout.current_release, s.app.wanted->release);
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
                        made = made || actions[i].kind == ACTION_CREATE;
                        if (actions[i].kind == ACTION_STOP)
                                assert_true(made);
                        if (s.app.rollout.phase != PHASE_FINISHING)
                                assert_int_not_equal(actions[i].kind, ACTION_REMOVE);
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
        assert_string_equal(s->app.rollout.current_release, old->release);
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
        sim_want(&s, s.app.current);
        assert_true(sim_run(&s, 200));
        assert_null(s.app.rollout.failure_code);
        assert_null(s.app.rollout.failure_text);
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
                assert_int_equal(((struct action *)d.actions.items)->kind, ACTION_PREPARE);
                fault_set_code(&fault, FAULT_TRANSIENT, REASON_IMAGE_PULL_FAILED, "the registry is away");
                rollout_action_failed(&s.app.rollout, &(struct action){ .kind = ACTION_PREPARE }, &fault, s.world.now,
                                      s.arena);
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
        rollout_action_failed(&s.app.rollout, &(struct action){ .kind = ACTION_PREPARE }, &fault, s.world.now, s.arena);
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
        assert_int_equal(((struct action *)d.actions.items)->kind, ACTION_CREATE);
        fault_set_code(&fault, FAULT_TRANSIENT, REASON_RUNTIME_UNAVAILABLE, "gone");
        rollout_action_failed(&s.app.rollout, &(struct action){ .kind = ACTION_CREATE }, &fault, s.world.now, s.arena);
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
                rollout_action_failed(&s.app.rollout, &(struct action){ .kind = ACTION_START }, &fault, s.world.now,
                                      s.arena);

        struct decision d = sim_decide(&s);
        const struct decision_app *out = d.apps.items;
        assert_int_equal(d.actions.n, 0);
        assert_int_equal(out->wake_at, s.world.now + context_back_off_ms(3));
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
        rollout_action_failed(&s.app.rollout, &(struct action){ .kind = ACTION_PREPARE }, &fault, s.world.now, s.arena);

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
                        if (actions[i].kind == ACTION_START && str_eq(actions[i].service, "svc0001")) {
                                bool healthy = false;
                                for (size_t k = 0; k < s.instances.n; k++)
                                        healthy = healthy || (str_eq(items[k].service, "svc0000") &&
                                                              items[k].health == HEALTH_HEALTHY);
                                assert_true(healthy);
                        }
                        if (actions[i].kind == ACTION_START && str_eq(actions[i].service, "svc0002")) {
                                bool completed = false;
                                for (size_t k = 0; k < s.instances.n; k++)
                                        completed = completed || (str_eq(items[k].service, "svc0001") &&
                                                                  items[k].state == INSTANCE_EXITED);
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

static void test_a_failure_ends_with_the_app_that_failed(void **state) {
        struct simulation s;
        failing_release(&s, true, false);
        assert_non_null(s.app.rollout.failure_code);
        sim_want(&s, NULL);
        (void)sim_decide(&s);
        assert_null(s.app.rollout.failure_code);
        assert_null(s.app.rollout.failure_text);
        assert_int_equal(s.app.rollout.poisoned.n, 1);
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
                cmocka_unit_test(test_a_failure_ends_with_the_app_that_failed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
