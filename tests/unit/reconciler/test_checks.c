/* SPDX-License-Identifier: Apache-2.0 */

/* Checks of a rollout: which count, for whom, and what follows from them. */

#include "tests/unit/reconciler/steps.h"

#include "reconciler/core/checks.h"

static const struct rollout_settings rolling = { .strategy = STRATEGY_ROLLING };

static void begin_checked(struct rollouts *t, int64_t replicas, const struct rollout_settings *settings,
                          const struct struct_list *steps) {
        begin_with(t, 1, replicas, -1);
        (void)sim_check(&t->s, "up", sim_service(t->new, 0), 1000, 3);
        want_new(t, settings, steps);
}

static void test_a_check_that_fails_so_often_in_a_row_takes_the_release_back(void **state) {
        struct rollouts t;

        begin_checked(&t, 2, &rolling, NULL);
        sim_say(&t.s, "up", sim_service(t.new, 0), CHECK_FAIL);
        expect_taken_back(&t, REASON_ROLLOUT_CHECK);
        assert_int_equal(t.s.facts_made, 3 * 2);
        sim_done(&t.s);
}

static void test_inconclusive_holds_and_ends_at_progress_deadline(void **state) {
        for (int strategy = 0; strategy < STRATEGY_MAX_; strategy++) {
                struct rollouts t;
                int64_t began;

                begin_checked(&t, 2, &(struct rollout_settings){ .strategy = strategy }, NULL);
                sim_say(&t.s, "up", sim_service(t.new, 0), CHECK_INCONCLUSIVE);
                began = t.s.mono;
                while (t.s.events[EVENT_FAILED] == 0)
                        (void)pass_once(&t, 500);
                assert_in_range(t.s.mono - began, t.s.app.settings.progress_deadline_ms,
                                t.s.app.settings.progress_deadline_ms + 10000);
                expect_taken_back(&t, REASON_ROLLOUT_INCONCLUSIVE);
                sim_done(&t.s);
        }
}

/* A pass in which nobody makes the checks that are due. */
static void look_without_checks(struct rollouts *t) {
        struct decision d;

        sim_look(&t->s);
        t->s.app.facts = (struct struct_list){ .items = NULL };
        decide(&t->s.world, t->s.arena, &d);
        t->s.app.rollout = ((struct decision_app *)d.apps.items)->rollout;
        assert_int_not_equal(((struct decision_app *)d.apps.items)->event, EVENT_SETTLED);
        t->s.events[EVENT_FAILED] += ((struct decision_app *)d.apps.items)->event == EVENT_FAILED;
        (void)sim_act_all(&t->s, &d);
        sim_wait(&t->s, 500);
}

static void test_a_release_whose_check_was_never_made_is_not_promoted(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, -1);
        (void)sim_check(&t.s, "up", sim_service(t.new, 0), 1000, 3);
        want_new(&t, &rolling, NULL);
        for (int n = 0; n < 1000 && t.s.events[EVENT_FAILED] == 0; n++)
                look_without_checks(&t);
        assert_string_equal(t.s.app.rollout.failure_code, REASON_ROLLOUT_INCONCLUSIVE);
        sim_done(&t.s);
}

static void test_what_a_check_said_before_an_instance_ran_says_nothing_about_it(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 2, -1);
        (void)sim_check(&t.s, "up", sim_service(t.new, 0), 1000, 3);
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_ROLLING, .max_parallel = 1 }, NULL);
        while (healthy(&t, t.new, 0) < 2)
                (void)pass_once(&t, 100);
        assert_int_equal(((struct check_state *)t.s.app.rollout.checks.items)->verdict, CHECK_PASS);
        /* The second one runs, and is not looked at any more. */
        for (int n = 0; n < 1000 && t.s.events[EVENT_FAILED] == 0; n++)
                look_without_checks(&t);
        assert_string_equal(t.s.app.rollout.failure_code, REASON_ROLLOUT_INCONCLUSIVE);
        sim_done(&t.s);
}

static void test_every_new_instance_must_have_passed_its_check(void **state) {
        struct rollouts t;
        struct check *check;

        begin_with(&t, 1, 3, -1);
        check = sim_check(&t.s, "up", sim_service(t.new, 0), 30000, 1);
        t.s.app.settings.min_healthy_ms = 0;
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_ROLLING, .max_parallel = 1 }, NULL);
        assert_int_equal(check->interval_ms, 30000);
        while (t.s.events[EVENT_SETTLED] == 1)
                (void)pass_once(&t, 1000);
        for (size_t i = 0; i < t.s.instances.n; i++) {
                const struct instance *instance = (struct instance *)t.s.instances.items + i;

                if (str_eq(instance->spec, sim_service(t.new, 0)->spec_digest))
                        assert_int_equal(sim_life(&t.s, instance->id)->passed.n, 1);
        }
        expect_new(&t);
        sim_done(&t.s);
}

/* What is due now: checks of instances, and queries about all of them. */
static struct struct_list due_now(struct rollouts *t) {
        struct struct_list due;

        sim_look(&t->s);
        checks_due(&t->s.app, t->s.world.now, t->s.arena, &due);
        return due;
}

static void test_a_query_is_due_once_for_all_instances_and_only_when_one_runs(void **state) {
        struct rollouts t;
        struct check *check;
        struct struct_list due;
        struct instance *items;

        begin_with(&t, 1, 2, -1);
        check = sim_check(&t.s, "errors", sim_service(t.new, 0), 1000, 3);
        check->tcp = NULL;
        check->prometheus = arena_new_of(t.s.arena, struct check_prometheus);
        want_new(&t, &rolling, NULL);
        sim_say(&t.s, "errors", NULL, CHECK_INCONCLUSIVE);
        while (healthy(&t, t.new, 0) < 2)
                (void)pass_once(&t, 100);
        sim_wait(&t.s, 2000);
        due = due_now(&t);
        assert_int_equal(due.n, 1);
        assert_null(((struct check_due *)due.items)->instance);

        items = t.s.instances.items;
        for (size_t i = 0; i < t.s.instances.n; i++)
                if (str_eq(items[i].spec, sim_service(t.new, 0)->spec_digest))
                        items[i].state = INSTANCE_CREATED;
        assert_int_equal(due_now(&t).n, 0);
        sim_done(&t.s);
}

static void test_no_check_is_due_for_a_release_that_did_not_begin(void **state) {
        struct rollouts t;

        begin_checked(&t, 1, &rolling, NULL);
        sim_say(&t.s, "up", sim_service(t.new, 0), CHECK_INCONCLUSIVE);
        while (healthy(&t, t.new, 0) == 0)
                (void)pass_once(&t, 100);
        sim_wait(&t.s, 2000);
        assert_int_equal(due_now(&t).n, 1);
        /* Its instances run from the same specification; the rollout is still the one before. */
        sim_want(&t.s, t.next);
        sim_service(t.next, 0)->spec_digest = sim_service(t.new, 0)->spec_digest;
        assert_int_equal(due_now(&t).n, 0);
        sim_done(&t.s);
}

static void test_a_clock_that_was_set_back_does_not_make_checks_older_than_what_they_saw(void **state) {
        struct rollouts t;

        begin_checked(&t, 2, &rolling, NULL);
        while (healthy(&t, t.new, 0) == 0)
                (void)pass_once(&t, 100);
        t.s.world.now -= 86400000;
        expect_new(&t);
        sim_done(&t.s);
}

static void test_a_check_step_starts_over_when_what_it_holds_breaks(void **state) {
        struct rollouts t;
        struct struct_list steps = { .items = NULL };
        int64_t began;

        begin_with(&t, 1, 1, -1);
        (void)sim_check(&t.s, "up", sim_service(t.new, 0), 1000, 3);
        add_prepare(&t, &steps);
        add_stage(&t, &steps, "all", "prepare", 100);
        add_check(&t, &steps, "bake", "all", 20000);
        want_new(&t, &rolling, &steps);
        run_until(&t, "bake", STEP_WAITING);
        for (int n = 0; n < 10; n++)
                (void)pass_once(&t, 1000);
        sim_say(&t.s, "up", sim_service(t.new, 0), CHECK_INCONCLUSIVE);
        (void)pass_once(&t, 1100);
        (void)pass_once(&t, 1100);
        t.s.sayings.n = 0;
        began = t.s.mono;
        while (sim_state_of(&t.s, "bake") == STEP_WAITING)
                (void)pass_once(&t, 500);
        assert_in_range(t.s.mono - began, 20000, 23000);
        sim_done(&t.s);
}

static void begin_baking(struct rollouts *t, int64_t retries, enum step_failure on_failure) {
        struct struct_list steps = { .items = NULL };
        struct plan_step *bake;

        begin_with(t, 1, 1, -1);
        (void)sim_check(&t->s, "up", sim_service(t->new, 0), 1000, 1);
        add_prepare(t, &steps);
        add_stage(t, &steps, "all", "prepare", 100);
        bake = add_check(t, &steps, "bake", "all", 20000);
        bake->retries = retries;
        bake->on_failure = on_failure;
        want_new(t, &rolling, &steps);
        run_until(t, "bake", STEP_WAITING);
        sim_say(&t->s, "up", sim_service(t->new, 0), CHECK_FAIL);
}

static void test_what_follows_a_check_that_failed_is_what_its_step_says(void **state) {
        struct rollouts t;

        begin_baking(&t, 0, STEP_FAIL);
        expect_taken_back(&t, REASON_ROLLOUT_CHECK);
        sim_done(&t.s);

        begin_baking(&t, 0, STEP_PAUSE);
        assert_true(sim_run_to(&t.s, PHASE_PAUSED, 200));
        assert_string_equal(t.s.app.rollout.failure_code, REASON_ROLLOUT_CHECK);
        sim_done(&t.s);

        begin_baking(&t, 0, STEP_CONTINUE);
        expect_new(&t);
        sim_done(&t.s);
}

static void test_a_check_that_is_tried_again_begins_without_what_was_said_before(void **state) {
        struct rollouts t;

        begin_baking(&t, 1, STEP_FAIL);
        while (sim_step_of(&t.s, "bake")->attempts == 0)
                (void)pass_once(&t, 100);
        t.s.sayings.n = 0;
        expect_new(&t);
        sim_done(&t.s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_check_that_fails_so_often_in_a_row_takes_the_release_back),
                cmocka_unit_test(test_inconclusive_holds_and_ends_at_progress_deadline),
                cmocka_unit_test(test_a_release_whose_check_was_never_made_is_not_promoted),
                cmocka_unit_test(test_what_a_check_said_before_an_instance_ran_says_nothing_about_it),
                cmocka_unit_test(test_every_new_instance_must_have_passed_its_check),
                cmocka_unit_test(test_a_query_is_due_once_for_all_instances_and_only_when_one_runs),
                cmocka_unit_test(test_no_check_is_due_for_a_release_that_did_not_begin),
                cmocka_unit_test(test_a_clock_that_was_set_back_does_not_make_checks_older_than_what_they_saw),
                cmocka_unit_test(test_a_check_step_starts_over_when_what_it_holds_breaks),
                cmocka_unit_test(test_what_follows_a_check_that_failed_is_what_its_step_says),
                cmocka_unit_test(test_a_check_that_is_tried_again_begins_without_what_was_said_before),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
