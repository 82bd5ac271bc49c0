/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Going back: at once, without registry, without canary, to what was kept; and what is remembered when it cannot be
 * done.
 */

#include "tests/unit/reconciler/rollouts.h"

static const struct canary_step steps[] = { { .weight = 50, .hold_ms = 60000 } };
static const struct rollout_settings canary = { .strategy = STRATEGY_CANARY,
                                                .steps = { .items = (void *)steps, .n = 1 } };
static const struct rollout_settings one_by_one = { .strategy = STRATEGY_ROLLING, .max_parallel = 1 };

/* Half of it is new; then it turns ill. */
static void begin_failing(struct rollouts *t, int64_t replicas, int64_t drain_ms) {
        begin_with(t, 1, replicas, drain_ms);
        want_new(t, &canary, NULL);
        run_until(t, "check-50", STEP_WAITING);
        sim_fate(&t->s, sim_service(t->new, 0), FATE_ILL, 0);
        sim_settle(&t->s);
        (void)pass_once(t, 10);
        assert_int_equal(t->s.app.rollout.phase, PHASE_REVERTING);
}

static void test_a_revert_starts_all_that_was_kept_at_once_and_walks_no_plan(void **state) {
        struct rollouts t;
        struct decision d;

        begin_failing(&t, 4, -1);
        d = pass_once(&t, 10);
        assert_int_equal(count_actions(&d, ACTION_START), 2);
        assert_int_equal(healthy(&t, t.old, 0), 4);
        assert_int_equal(sim_state_of(&t.s, "check-50"), STEP_CANCELLED);
        assert_int_equal(sim_state_of(&t.s, "stage-100"), STEP_SKIPPED);
        expect_taken_back(&t, REASON_ROLLOUT_UNHEALTHY);
        assert_int_equal(t.s.events[EVENT_STARTED], 2);
        sim_done(&t.s);
}

static void refuse_to_make(struct simulation *s, const struct action *action) {
        assert_true(action->kind != ACTION_PREPARE && action->kind != ACTION_CREATE);
}

static void test_a_revert_needs_neither_registry_nor_new_instances(void **state) {
        for (int strategy = 0; strategy < STRATEGY_MAX_; strategy++) {
                struct rollouts t;

                begin_with(&t, 2, 2, 200);
                sim_fate(&t.s, sim_service(t.new, 1), FATE_ILL, 1500);
                t.s.app.settings.min_healthy_ms = 2000;
                want_new(&t,
                         &(struct rollout_settings){
                                 .strategy = strategy, .max_parallel = 1, .bake_ms = 60000, .steps = canary.steps },
                         NULL);
                while (t.s.app.rollout.phase != PHASE_REVERTING)
                        (void)pass_once(&t, 100);
                t.s.witness = refuse_to_make;
                expect_taken_back(&t, REASON_ROLLOUT_UNHEALTHY);
                sim_done(&t.s);
        }
}

static void test_the_old_are_up_before_the_new_stop(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 4, 200);
        sim_wait(&t.s, 10000);
        want_new(&t, &one_by_one, NULL);
        while (healthy(&t, t.old, 0) > 2)
                (void)pass_once(&t, 100);
        sim_fate(&t.s, sim_service(t.old, 0), FATE_SLOW, 5000);
        sim_want(&t.s, NULL);
        while (t.s.events[EVENT_REVERTED] == 0) {
                assert_true(sim_healthy(&t.s, "svc0000", NULL) >= 4);
                (void)pass_once(&t, 10);
        }
        assert_true(sim_is_exactly(&t.s, t.old));
        sim_done(&t.s);
}

static int cannot_start(struct simulation *s, const struct action *action, struct fault *fault) {
        return action->kind == ACTION_START ? fault_set(fault, FAULT_TRANSIENT, 0, "the disk is full") : 0;
}

static void test_a_revert_that_fails_is_loud_and_goes_on_trying(void **state) {
        struct rollouts t;
        int tries = 0;

        begin_failing(&t, 4, -1);
        t.s.interfere = cannot_start;
        for (int n = 0; n < 3600; n++) {
                struct decision d = pass_once(&t, 1000);

                tries += count_actions(&d, ACTION_START) > 0;
        }
        assert_int_equal(t.s.app.rollout.phase, PHASE_STUCK);
        assert_in_range(tries, 12, 30);
        t.s.interfere = NULL;
        expect_taken_back(&t, REASON_ROLLOUT_UNHEALTHY);
        sim_done(&t.s);
}

static void test_another_release_is_a_way_out_of_a_revert_that_fails(void **state) {
        struct rollouts t;

        begin_failing(&t, 4, -1);
        t.s.interfere = cannot_start;
        assert_true(sim_run_to(&t.s, PHASE_STUCK, 1000));
        t.s.interfere = NULL;
        sim_want(&t.s, t.next);
        sim_plan(&t.s, &one_by_one, NULL);
        assert_true(sim_run(&t.s, 1000));
        assert_true(sim_is_exactly(&t.s, t.next));
        assert_true(rollout_is_poisoned(&t.s.app.rollout, t.new->release));
        sim_done(&t.s);
}

static void test_a_clock_that_was_set_back_does_not_keep_the_old_from_starting(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 4, -1);
        want_new(&t, &canary, NULL);
        run_until(&t, "check-50", STEP_WAITING);
        t.s.world.now -= 86400000;
        (void)pass_once(&t, 100);
        t.s.app.settings.drift = DRIFT_REPORT;
        sim_want(&t.s, NULL);
        assert_true(sim_run(&t.s, 1000));
        assert_true(sim_is_exactly(&t.s, t.old));
        sim_done(&t.s);
}

static void test_an_old_instance_that_ends_again_is_not_started_for_ever(void **state) {
        struct rollouts t;

        begin_failing(&t, 4, -1);
        sim_fate(&t.s, sim_service(t.old, 0), FATE_DIES, 0);
        t.s.app.settings.drift = DRIFT_REPORT;
        for (int n = 0; n < 100; n++)
                (void)pass_once(&t, 100);
        assert_int_equal(t.s.app.rollout.phase, PHASE_SETTLED);
        assert_int_equal(t.s.events[EVENT_REVERTED], 1);
        sim_done(&t.s);
}

static void test_an_old_instance_that_ended_with_its_engine_is_started_as_often_as_that_happens(void **state) {
        struct rollouts t;
        struct instance *items;

        begin_failing(&t, 4, -1);
        t.s.app.settings.drift = DRIFT_REPORT;
        for (int times = 0; times < 3; times++) {
                (void)pass_once(&t, 10);
                assert_int_equal(t.s.app.rollout.phase, PHASE_REVERTING);
                items = t.s.instances.items;
                for (size_t i = 0; i < t.s.instances.n; i++)
                        if (str_eq(items[i].spec, sim_service(t.old, 0)->spec_digest)) {
                                items[i].state = INSTANCE_EXITED;
                                items[i].lost = true;
                        }
        }
        expect_taken_back(&t, REASON_ROLLOUT_UNHEALTHY);
        sim_done(&t.s);
}

/* For tests that set s->data to the release that is taken back. */
static void start_only_beside_none_of_it(struct simulation *s, const struct action *action) {
        if (action->kind == ACTION_START)
                assert_int_equal(sim_running(s, sim_service(s->data, 0)->spec_digest), 0);
}

static void revert_stop_first(const struct rollout_settings *settings, int64_t ill_after_ms, bool old_exclusive,
                              bool new_exclusive) {
        struct rollouts t;

        begin_with(&t, 1, 2, -1);
        sim_service(t.old, 0)->exclusive = old_exclusive;
        sim_service(t.new, 0)->exclusive = new_exclusive;
        t.s.app.settings.min_healthy_ms = 2000;
        sim_fate(&t.s, sim_service(t.new, 0), FATE_ILL, ill_after_ms);
        want_new(&t, settings, NULL);
        while (t.s.app.rollout.phase != PHASE_REVERTING)
                (void)pass_once(&t, 100);
        assert_true(sim_running(&t.s, sim_service(t.new, 0)->spec_digest) > 0);
        t.s.data = t.new;
        t.s.witness = start_only_beside_none_of_it;
        expect_taken_back(&t, REASON_ROLLOUT_UNHEALTHY);
        sim_done(&t.s);
}

static void test_where_the_old_stopped_first_the_new_stop_first_on_the_way_back(void **state) {
        revert_stop_first(&(struct rollout_settings){ .strategy = STRATEGY_RECREATE }, 1000, false, false);
        revert_stop_first(&(struct rollout_settings){ .strategy = STRATEGY_ROLLING,
                                                      .max_parallel = 2,
                                                      .order = ORDER_STOP_FIRST },
                          1000, false, false);
}

static void test_what_cannot_run_twice_in_one_of_the_releases_does_not_on_the_way_back(void **state) {
        /* The first of them has taken over when it turns ill. */
        revert_stop_first(&one_by_one, 3000, false, true);
        /* The new one came beside the old; the old cannot come back beside the new. */
        revert_stop_first(&one_by_one, 3000, true, false);
}

/*
 * What is settled, and when
 */

static void test_a_release_is_settled_while_what_makes_it_so_is_at_hand(void **state) {
        static const struct rollout_settings settings = { .strategy = STRATEGY_BLUE_GREEN, .bake_ms = 3000 };

        /* Another release is declared, or none, at any look around the end of the rollout. */
        for (int other = 0; other < 2; other++)
                for (int look = 0; look < 20; look++) {
                        struct rollouts t;

                        begin_with(&t, 1, 2, 2000);
                        want_new(&t, &settings, NULL);
                        run_until(&t, "check-100", STEP_WAITING);
                        for (int n = 0; n < look; n++)
                                (void)pass_once(&t, 300);
                        sim_want(&t.s, other ? t.next : NULL);
                        if (other)
                                sim_plan(&t.s, &settings, NULL);
                        for (int n = 0; n < 400; n++) {
                                (void)pass_once(&t, 100);
                                if (t.s.app.rollout.phase == PHASE_SETTLED || t.s.app.rollout.phase == PHASE_FINISHING)
                                        assert_string_equal(t.s.app.current->release, t.s.app.rollout.current_release);
                        }
                        assert_true(sim_is_exactly(&t.s, t.s.app.current));
                        if (other)
                                assert_ptr_equal(t.s.app.current, t.next);
                        sim_done(&t.s);
                }
}

/* Nothing of it is ill or ended; it is just not there any more. */
static void test_what_is_gone_while_health_must_hold_takes_the_release_back(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, -1);
        want_new(&t, &canary, NULL);
        run_until(&t, "check-50", STEP_WAITING);
        sim_remove(&t.s, first_of(&t, sim_service(t.new, 0)->spec_digest)->id);
        for (int n = 0; n < 300; n++) {
                (void)pass_once(&t, 100);
                assert_int_equal(sim_state_of(&t.s, "check-50"), STEP_WAITING);
        }
        expect_taken_back(&t, REASON_ROLLOUT_UNHEALTHY);
        sim_done(&t.s);
}

/* Whatever share it had: from the moment that it is taken back, none is meant for it. */
static void test_a_release_that_is_taken_back_has_no_share(void **state) {
        struct rollouts t;
        int reverting = 0;

        begin_with(&t, 1, 2, 300);
        want_new(&t, &canary, NULL);
        while (router(&t)->state.route.candidate != 50)
                (void)pass_once(&t, 100);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_ILL, 0);
        sim_settle(&t.s);
        for (int n = 0; n < 300 && t.s.events[EVENT_REVERTED] == 0; n++) {
                bool before = t.s.app.rollout.phase == PHASE_REVERTING;

                (void)pass_once(&t, 37);
                if (!before || t.s.app.rollout.phase != PHASE_REVERTING)
                        continue;
                reverting++;
                assert_int_equal(t.s.app.rollout.candidate, 0);
                assert_int_equal(router(&t)->state.route.candidate, 0);
        }
        assert_true(reverting > 0);
        assert_int_equal(t.s.app.rollout.candidate, -1);
        expect_taken_back(&t, REASON_ROLLOUT_UNHEALTHY);
        sim_done(&t.s);
}

static void test_a_workload_of_another_release_is_not_gone_back_to(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, -1);
        want_new(&t, &canary, NULL);
        run_until(&t, "check-50", STEP_WAITING);
        t.s.app.current = t.next;
        sim_fate(&t.s, sim_service(t.new, 0), FATE_ILL, 0);
        sim_settle(&t.s);
        for (int n = 0; n < 200; n++)
                (void)pass_once(&t, 100);
        assert_int_equal(sim_running(&t.s, sim_service(t.new, 0)->spec_digest), 0);
        assert_int_equal(healthy(&t, t.old, 0), 2);
        sim_done(&t.s);
}

/*
 * The pass is killed between writing down what settled and that it did: of the release before there is no workload any
 * more to go back to.
 */
static void test_what_was_proven_stays_so_when_a_crash_kept_the_rollout_from_being_written(void **state) {
        for (int other = 0; other < 2; other++) {
                struct rollouts t;
                struct decision d;

                begin_with(&t, 1, 2, -1);
                want_new(&t, &canary, NULL);
                do {
                        sim_look(&t.s);
                        decide(&t.s.world, t.s.arena, &d);
                        t.s.kill_at =
                                ((struct decision_app *)d.apps.items)->event == EVENT_SETTLED ? t.s.points + 1 : -1;
                } while (sim_pass(&t.s, &d) && (sim_wait(&t.s, 100), true));
                t.s.kill_at = -1;
                assert_ptr_equal(t.s.app.current, t.new);
                assert_string_equal(t.s.app.rollout.current_release, t.old->release);

                sim_fate(&t.s, sim_service(t.new, 0), FATE_ILL, 0);
                sim_settle(&t.s);
                if (other)
                        sim_want(&t.s, t.next);
                for (int n = 0; n < 200; n++)
                        (void)pass_once(&t, 100);
                assert_false(rollout_is_poisoned(&t.s.app.rollout, t.new->release));
                assert_true(sim_is_exactly(&t.s, other ? t.next : t.new));
                assert_ptr_equal(t.s.app.current, other ? t.next : t.new);
                sim_done(&t.s);
        }
}

/*
 * What fails again and again is tried less and less
 */

static int refuses(struct simulation *s, const struct action *action, struct fault *fault) {
        return *(enum action_kind *)s->data == action->kind ? fault_set(fault, FAULT_TRANSIENT, 0, "the engine says no")
                                                            : 0;
}

static void test_what_is_replaced_and_cannot_be_removed_is_tried_less_and_less(void **state) {
        struct rollouts t;
        enum action_kind kind = ACTION_REMOVE;
        int tries = 0;

        begin_with(&t, 1, 2, -1);
        t.s.data = &kind;
        t.s.interfere = refuses;
        want_new(&t, &one_by_one, NULL);
        for (int n = 0; n < 3600; n++) {
                struct decision d = pass_once(&t, 1000);

                tries += count_actions(&d, ACTION_REMOVE) > 0;
        }
        assert_in_range(tries, 12, 30);
        assert_string_equal(t.s.app.rollout.current_release, t.new->release);
        t.s.interfere = NULL;
        expect_new(&t);
        sim_done(&t.s);
}

static void test_an_app_that_cannot_be_removed_is_tried_less_and_less(void **state) {
        struct rollouts t;
        enum action_kind kind = ACTION_STOP;
        int tries = 0;

        begin_with(&t, 1, 2, -1);
        t.s.data = &kind;
        t.s.interfere = refuses;
        sim_want(&t.s, NULL);
        t.s.app.settings.prune = true;
        for (int n = 0; n < 3600; n++) {
                struct decision d = pass_once(&t, 1000);

                tries += count_actions(&d, ACTION_STOP) > 0;
        }
        assert_in_range(tries, 12, 30);
        t.s.interfere = NULL;
        assert_true(sim_run(&t.s, 1000));
        assert_int_equal(t.s.instances.n, 0);
        sim_done(&t.s);
}

static void test_an_app_that_is_declared_again_while_it_is_removed_comes_back(void **state) {
        struct rollouts t;
        enum action_kind kind = ACTION_REMOVE;

        begin_with(&t, 1, 3, 200);
        t.s.data = &kind;
        t.s.interfere = refuses;
        sim_want(&t.s, NULL);
        t.s.app.settings.prune = true;
        for (int n = 0; n < 3; n++)
                (void)pass_once(&t, 100);
        assert_int_equal(t.s.app.rollout.phase, PHASE_REMOVING);
        t.s.interfere = NULL;
        sim_want(&t.s, t.old);
        assert_true(sim_run(&t.s, 200));
        assert_true(sim_is_exactly(&t.s, t.old));
        assert_true(sim_routes_exactly(&t.s, t.old));
        assert_int_equal(t.s.app.rollout.phase, PHASE_SETTLED);
        sim_done(&t.s);
}

/*
 * What belongs to the old release
 */

static void test_what_had_ended_before_the_rollout_stays_where_it_is_on_the_way_back(void **state) {
        struct rollouts t;
        struct instance *ended;
        const char *id;

        begin_with(&t, 1, 2, -1);
        t.s.app.settings.drift = DRIFT_REPORT;
        ended = first_of(&t, sim_service(t.old, 0)->spec_digest);
        ended->state = INSTANCE_EXITED;
        id = ended->id;
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_BLUE_GREEN, .bake_ms = 60000 }, NULL);
        run_until(&t, "check-100", STEP_WAITING);
        sim_want(&t.s, t.old);
        while (t.s.events[EVENT_REVERTED] == 0)
                (void)pass_once(&t, 100);
        assert_non_null(sim_find(&t.s, id));
        sim_done(&t.s);
}

/* An instance that served before, which this revert has started already or has not. */
static const char *kept_one(const struct rollouts *t, bool restarted) {
        const struct rollout *r = &t->s.app.rollout;
        size_t i = 0;

        while (string_list_has(&r->restarted, r->previous.items[i].text) != restarted)
                i++;
        return r->previous.items[i].text;
}

static void test_what_is_down_of_the_old_is_started_and_what_ended_again_is_not(void **state) {
        for (int restarted = 0; restarted < 2; restarted++)
                for (int was = 0; was < INSTANCE_STATE_MAX_; was++) {
                        struct rollouts t;
                        struct decision d;
                        const char *id;
                        bool up = was == INSTANCE_RUNNING || was == INSTANCE_RESTARTING || was == INSTANCE_REMOVING;

                        begin_failing(&t, 4, -1);
                        (void)pass_once(&t, 10);
                        id = kept_one(&t, restarted);
                        sim_find(&t.s, id)->state = was;
                        d = pass_once(&t, 10);
                        assert_non_null(sim_find(&t.s, id));
                        assert_int_equal(count_actions(&d, ACTION_START),
                                         !up && !(restarted && was == INSTANCE_EXITED));
                        sim_done(&t.s);
                }
}

/*
 * Whom the new ones wait for
 */

static void test_the_new_do_not_serve_on_for_each_other(void **state) {
        struct rollouts t;
        struct decision d;
        int64_t began;

        begin_with(&t, 1, 2, -1);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_STARTING, 0);
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_BLUE_GREEN }, NULL);
        while (sim_running(&t.s, sim_service(t.new, 0)->spec_digest) < 2)
                (void)pass_once(&t, 100);
        sim_want(&t.s, t.old);
        began = t.s.mono;
        do
                d = pass_once(&t, 10);
        while (d.actions.n == 0);
        assert_int_equal(count_actions(&d, ACTION_STOP), 2);
        assert_in_range(t.s.mono - began, 0, 100);
        sim_done(&t.s);
}

static void test_the_new_do_not_wait_for_ever_for_old_ones_that_do_not_become_healthy(void **state) {
        struct rollouts t;
        struct decision d;
        const struct decision_app *out;
        int64_t began;

        begin_failing(&t, 4, -1);
        sim_fate(&t.s, sim_service(t.old, 0), FATE_STARTING, 0);
        began = t.s.mono;
        (void)pass_once(&t, 10);
        d = pass_once(&t, 0);
        out = d.apps.items;
        assert_string_equal(out->waits_for, "the instances before to run again");
        assert_int_equal(out->wake_at, t.s.world.now + CONTEXT_POLL_MS);
        while (sim_running(&t.s, sim_service(t.new, 0)->spec_digest) > 0)
                (void)pass_once(&t, 500);
        assert_in_range(t.s.mono - began, t.s.app.settings.healthy_deadline_ms,
                        t.s.app.settings.healthy_deadline_ms + 2000);
        sim_done(&t.s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_revert_starts_all_that_was_kept_at_once_and_walks_no_plan),
                cmocka_unit_test(test_a_revert_needs_neither_registry_nor_new_instances),
                cmocka_unit_test(test_the_old_are_up_before_the_new_stop),
                cmocka_unit_test(test_a_revert_that_fails_is_loud_and_goes_on_trying),
                cmocka_unit_test(test_another_release_is_a_way_out_of_a_revert_that_fails),
                cmocka_unit_test(test_a_clock_that_was_set_back_does_not_keep_the_old_from_starting),
                cmocka_unit_test(test_an_old_instance_that_ends_again_is_not_started_for_ever),
                cmocka_unit_test(test_an_old_instance_that_ended_with_its_engine_is_started_as_often_as_that_happens),
                cmocka_unit_test(test_where_the_old_stopped_first_the_new_stop_first_on_the_way_back),
                cmocka_unit_test(test_what_cannot_run_twice_in_one_of_the_releases_does_not_on_the_way_back),
                cmocka_unit_test(test_a_release_is_settled_while_what_makes_it_so_is_at_hand),
                cmocka_unit_test(test_what_is_gone_while_health_must_hold_takes_the_release_back),
                cmocka_unit_test(test_a_release_that_is_taken_back_has_no_share),
                cmocka_unit_test(test_a_workload_of_another_release_is_not_gone_back_to),
                cmocka_unit_test(test_what_was_proven_stays_so_when_a_crash_kept_the_rollout_from_being_written),
                cmocka_unit_test(test_what_is_replaced_and_cannot_be_removed_is_tried_less_and_less),
                cmocka_unit_test(test_an_app_that_cannot_be_removed_is_tried_less_and_less),
                cmocka_unit_test(test_an_app_that_is_declared_again_while_it_is_removed_comes_back),
                cmocka_unit_test(test_the_new_do_not_serve_on_for_each_other),
                cmocka_unit_test(test_the_new_do_not_wait_for_ever_for_old_ones_that_do_not_become_healthy),
                cmocka_unit_test(test_what_had_ended_before_the_rollout_stays_where_it_is_on_the_way_back),
                cmocka_unit_test(test_what_is_down_of_the_old_is_started_and_what_ended_again_is_not),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
