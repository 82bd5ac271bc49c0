/* SPDX-License-Identifier: Apache-2.0 */

/* Stages: roles, dependencies, health, deadlines, scale. */

#include "tests/unit/reconciler/rollouts.h"

static const struct rollout_settings rolling = { .strategy = STRATEGY_ROLLING, .max_parallel = 1 };

/* Service 0 of every release is of @role, and service 1 is a primary. */
static void begin_with_role(struct rollouts *t, enum service_role role) {
        make_releases(t, 2, 1, -1);
        for (int i = 0; i < 3; i++)
                sim_service(i == 0 ? t->old : i == 1 ? t->new : t->next, 0)->role = role;
        settle_old(t);
}

static size_t place_of(const struct string_list *trace, const char *line) {
        for (size_t i = 0; i < trace->n; i++)
                if (str_eq(trace->items[i].text, line))
                        return i;
        return trace->n;
}

/*
 * What runs to its end first
 */

static void test_init_and_migration_run_to_completion_before_the_primaries(void **state) {
        static const enum service_role roles[] = { ROLE_INIT, ROLE_MIGRATION };

        for (int i = 0; i < 2; i++) {
                struct rollouts t;
                bool ended = false;

                begin_with_role(&t, roles[i]);
                t.s.job_ms = 5000;
                want_new(&t, &rolling, NULL);
                for (int n = 0; n < 400; n++) {
                        const struct instance *job = first_of(&t, sim_service(t.new, 0)->spec_digest);

                        ended = ended || (job && job->state == INSTANCE_EXITED && job->exit_code == 0);
                        assert_true(ended || sim_running(&t.s, sim_service(t.new, 1)->spec_digest) == 0);
                        (void)pass_once(&t, 50);
                }
                expect_new(&t);
                sim_done(&t.s);
        }
}

/* The name of the one that comes later sorts before the other's. */
static void test_what_initialises_comes_after_the_migrations(void **state) {
        struct rollouts t;
        struct string_list trace = { .items = NULL };
        size_t migrated = SIZE_MAX, initialised = SIZE_MAX;

        make_releases(&t, 3, 1, -1);
        for (int i = 0; i < 3; i++) {
                sim_service(i == 0 ? t.old : i == 1 ? t.new : t.next, 0)->role = ROLE_INIT;
                sim_service(i == 0 ? t.old : i == 1 ? t.new : t.next, 1)->role = ROLE_MIGRATION;
        }
        settle_old(&t);
        t.s.trace = &trace;
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_ROLLING }, NULL);
        expect_new(&t);
        for (size_t i = 0; i < trace.n; i++) {
                if (str_eq(trace.items[i].text, "start svc0001 1"))
                        migrated = i;
                if (str_eq(trace.items[i].text, "create svc0000 1"))
                        initialised = i;
        }
        assert_true(migrated < initialised && initialised < trace.n);
        sim_done(&t.s);
}

static void test_a_migration_that_fails_touches_nothing_else(void **state) {
        static const enum service_role roles[] = { ROLE_INIT, ROLE_MIGRATION };

        for (int strategy = 0; strategy < STRATEGY_MAX_; strategy++)
                for (int i = 0; i < 2; i++) {
                        struct rollouts t;
                        struct string_list trace = { .items = NULL };
                        const char *id;

                        begin_with_role(&t, roles[i]);
                        id = first_of(&t, sim_service(t.old, 1)->spec_digest)->id;
                        sim_fate(&t.s, sim_service(t.new, 0), FATE_DIES, 0);
                        t.s.trace = &trace;
                        want_new(&t, &(struct rollout_settings){ .strategy = strategy }, NULL);
                        expect_taken_back(&t, REASON_ROLLOUT_EXITED);
                        assert_non_null(sim_find(&t.s, id));
                        for (size_t k = 0; k < trace.n; k++)
                                assert_null(strstr(trace.items[k].text, "svc0001"));
                        sim_done(&t.s);
                }
}

static void test_a_migration_that_did_not_change_is_not_run_again(void **state) {
        struct rollouts t;
        struct string_list trace = { .items = NULL };

        begin_with_role(&t, ROLE_MIGRATION);
        sim_service(t.new, 0)->spec_digest = sim_service(t.old, 0)->spec_digest;
        sim_service(t.new, 0)->image = sim_service(t.old, 0)->image;
        /* Also where nothing but the settled release says that it ran. */
        sim_remove(&t.s, first_of(&t, sim_service(t.old, 0)->spec_digest)->id);
        t.s.trace = &trace;
        want_new(&t, &rolling, NULL);
        expect_new(&t);
        assert_int_equal(place_of(&trace, "start svc0000 1"), trace.n);
        sim_done(&t.s);
}

static void test_what_ran_to_its_end_is_not_missed_afterwards(void **state) {
        struct rollouts t;

        begin_with_role(&t, ROLE_MIGRATION);
        sim_remove(&t.s, first_of(&t, sim_service(t.old, 0)->spec_digest)->id);
        assert_true(sim_run(&t.s, 50));
        assert_int_equal(t.s.events[EVENT_REPAIRING], 0);
        sim_done(&t.s);
}

static void test_a_sidecar_that_cannot_run_twice_is_replaced_with_the_last_stage(void **state) {
        static const struct canary_step half[] = { { .weight = 50, .hold_ms = 5000 } };
        struct rollouts t;

        make_releases(&t, 2, 2, -1);
        for (int i = 0; i < 2; i++) {
                sim_service(i ? t.new : t.old, 0)->role = ROLE_SIDECAR;
                sim_service(i ? t.new : t.old, 0)->exclusive = true;
                sim_service(i ? t.new : t.old, 0)->replicas = 1;
        }
        settle_old(&t);
        want_new(&t,
                 &(struct rollout_settings){ .strategy = STRATEGY_CANARY, .steps = { .items = (void *)half, .n = 1 } },
                 NULL);
        run_until(&t, "check-50", STEP_WAITING);
        assert_int_equal(healthy(&t, t.old, 0), 1);
        assert_int_equal(sim_running(&t.s, sim_service(t.new, 0)->spec_digest), 0);
        expect_new(&t);
        sim_done(&t.s);
}

/*
 * Health
 */

static void test_health_must_hold_without_a_break_before_anything_old_stops(void **state) {
        struct rollouts t;
        struct instance *new;

        begin_with(&t, 1, 1, -1);
        t.s.app.settings.min_healthy_ms = 10000;
        want_new(&t, &rolling, NULL);
        while (!(new = first_of(&t, sim_service(t.new, 0)->spec_digest)) || new->health != HEALTH_HEALTHY)
                (void)pass_once(&t, 100);
        for (int n = 0; n < 90; n++)
                (void)pass_once(&t, 100);
        assert_int_equal(healthy(&t, t.old, 0), 1);
        new = first_of(&t, sim_service(t.new, 0)->spec_digest);
        new->health = HEALTH_STARTING;
        (void)pass_once(&t, 100);
        for (int n = 0; n < 95; n++)
                (void)pass_once(&t, 100);
        assert_int_equal(healthy(&t, t.old, 0), 1);
        expect_new(&t);
        sim_done(&t.s);
}

static void test_a_pause_in_which_nobody_looked_proves_nothing(void **state) {
        struct rollouts t;

        begin_with(&t, 1, 1, -1);
        t.s.app.settings.min_healthy_ms = 120000;
        want_new(&t, &rolling, NULL);
        while (healthy(&t, t.new, 0) == 0)
                (void)pass_once(&t, 100);
        (void)pass_once(&t, 100);
        sim_wait(&t.s, 119000);
        (void)pass_once(&t, 2000);
        (void)pass_once(&t, 100);
        assert_int_equal(healthy(&t, t.old, 0), 1);
        sim_done(&t.s);
}

static void test_what_does_not_become_healthy_in_time_is_taken_back(void **state) {
        for (int strategy = 0; strategy < STRATEGY_MAX_; strategy++) {
                struct rollouts t;
                int64_t began;

                begin_with(&t, 1, 2, 200);
                sim_fate(&t.s, sim_service(t.new, 0), FATE_STARTING, 0);
                want_new(&t, &(struct rollout_settings){ .strategy = strategy, .max_parallel = 1 }, NULL);
                began = t.s.mono;
                while (t.s.events[EVENT_FAILED] == 0)
                        (void)pass_once(&t, 200);
                assert_in_range(t.s.mono - began, 60000, 65000);
                expect_taken_back(&t, REASON_ROLLOUT_UNHEALTHY);
                sim_done(&t.s);
        }
}

static void test_a_crash_loop_is_not_running(void **state) {
        for (int strategy = 0; strategy < STRATEGY_MAX_; strategy++) {
                struct rollouts t;

                begin_with(&t, 1, 2, 200);
                sim_fate(&t.s, sim_service(t.new, 0), FATE_LOOPS, 0);
                want_new(&t, &(struct rollout_settings){ .strategy = strategy, .max_parallel = 1 }, NULL);
                expect_taken_back(&t, REASON_ROLLOUT_EXITED);
                sim_done(&t.s);
        }
}

static void test_who_is_ill_goes_before_who_serves(void **state) {
        struct rollouts t;
        struct instance *ill = NULL;
        const char *id;

        begin_with(&t, 1, 3, -1);
        for (size_t i = 0; i < t.s.instances.n; i++)
                if (((struct instance *)t.s.instances.items)[i].index == 3)
                        ill = (struct instance *)t.s.instances.items + i;
        id = ill->id;
        sim_fate(&t.s, sim_service(t.old, 0), FATE_WELL, 0);
        want_new(&t, &rolling, NULL);
        while (t.s.instances.n < 4)
                (void)pass_once(&t, 100);
        for (int n = 0; n < 200; n++) {
                ill = sim_find(&t.s, id);
                if (ill && ill->state == INSTANCE_RUNNING)
                        ill->health = HEALTH_UNHEALTHY;
                if (sim_running(&t.s, sim_service(t.old, 0)->spec_digest) == 2)
                        break;
                (void)pass_once(&t, 10);
        }
        ill = sim_find(&t.s, id);
        assert_int_equal(ill->state, INSTANCE_EXITED);
        expect_new(&t);
        sim_done(&t.s);
}

/*
 * Scale
 */

static void expect_scaled(int64_t from, int64_t to, enum drift_mode drift, bool fails) {
        struct rollouts t;

        begin_with(&t, 2, 1, -1);
        sim_service(t.old, 0)->replicas = from;
        assert_true(sim_run(&t.s, 100));
        assert_true(sim_is_exactly(&t.s, t.old));
        t.s.events[EVENT_REVERTED] = 0;
        /* The same specification, so many of it; what fails is the other service. */
        sim_service(t.new, 0)->spec_digest = sim_service(t.old, 0)->spec_digest;
        sim_service(t.new, 0)->image = sim_service(t.old, 0)->image;
        sim_service(t.new, 0)->replicas = to;
        if (fails)
                sim_fate(&t.s, sim_service(t.new, 1), FATE_ILL, 3000);
        t.s.app.settings.min_healthy_ms = 10000;
        t.s.app.settings.drift = drift;
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_ROLLING }, NULL);
        t.s.app.settings.drift = drift;
        if (fails)
                expect_taken_back(&t, REASON_ROLLOUT_UNHEALTHY);
        else
                expect_new(&t);
        sim_done(&t.s);
}

static void test_a_service_grows_and_shrinks_with_its_release_and_back(void **state) {
        for (int64_t from = 0; from <= 3; from++)
                for (int64_t to = 0; to <= 3; to++)
                        for (int drift = 0; drift < DRIFT_MODE_MAX_; drift++) {
                                expect_scaled(from, to, drift, false);
                                expect_scaled(from, to, drift, true);
                        }
}

static void test_dependants_start_when_what_they_depend_on_is_healthy(void **state) {
        struct rollouts t;

        make_releases(&t, 2, 2, -1);
        sim_depend(&t.s, t.new, 1, 0, DEPEND_HEALTHY);
        settle_old(&t);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_SLOW, 4000);
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_BLUE_GREEN }, NULL);
        for (int n = 0; n < 200; n++) {
                assert_true(healthy(&t, t.new, 0) == 2 || sim_running(&t.s, sim_service(t.new, 1)->spec_digest) == 0);
                (void)pass_once(&t, 50);
        }
        expect_new(&t);
        sim_done(&t.s);
}

/* How many are made in the look that makes the first. */
static size_t first_batch(struct rollouts *t) {
        struct decision d;

        do
                d = pass_once(t, 100);
        while (count_actions(&d, ACTION_CREATE) == 0);
        return count_actions(&d, ACTION_CREATE);
}

static void test_where_nothing_was_all_instances_come_in_one_batch(void **state) {
        static const struct canary_step third[] = { { .weight = 34, .hold_ms = 5000 } };
        static const struct rollout_settings settings[] = {
                { .strategy = STRATEGY_ROLLING, .max_parallel = 1 },
                { .strategy = STRATEGY_CANARY, .steps = { .items = (void *)third, .n = 1 } },
        };

        for (size_t i = 0; i < 2; i++) {
                struct rollouts t;

                make_releases(&t, 1, 3, -1);
                want_new(&t, &settings[i], NULL);
                assert_int_equal(first_batch(&t), 3);
                expect_new(&t);
                sim_done(&t.s);
        }
}

/*
 * What it depends on runs on from the release before, and is in a bad way: restarted again and again, or just not
 * healthy.
 */
static void begin_depending(struct rollouts *t, bool required, int64_t restarts) {
        make_releases(t, 2, 1, -1);
        sim_depend(&t->s, t->new, 1, 0, DEPEND_HEALTHY);
        ((struct depend *)sim_service(t->new, 1)->depends_on.items)->required = required;
        sim_service(t->new, 0)->spec_digest = sim_service(t->old, 0)->spec_digest;
        settle_old(t);
        sim_fate(&t->s, sim_service(t->old, 0), FATE_STARTING, 0);
        first_of(t, sim_service(t->old, 0)->spec_digest)->restarts = restarts;
        sim_settle(&t->s);
        want_new(t, &rolling, NULL);
}

static bool starts_beside(bool required, int64_t restarts) {
        struct rollouts t;
        bool started = false;

        begin_depending(&t, required, restarts);
        for (int n = 0; n < 50; n++) {
                (void)pass_once(&t, 100);
                started = started || sim_running(&t.s, sim_service(t.new, 1)->spec_digest) > 0;
        }
        sim_done(&t.s);
        return started;
}

static void test_what_is_not_required_is_waited_for_while_it_may_come_and_no_longer(void **state) {
        assert_false(starts_beside(true, 0));
        assert_false(starts_beside(true, CRASH_LOOP_RESTARTS));
        assert_false(starts_beside(false, 0));
        assert_true(starts_beside(false, CRASH_LOOP_RESTARTS));
}

static void test_a_stage_that_makes_no_step_forward_ends_the_rollout_at_its_deadline(void **state) {
        struct rollouts t;
        int64_t began;

        begin_depending(&t, true, 0);
        assert_true(sim_run_to(&t.s, PHASE_STAGING, 10));
        began = t.s.mono;
        while (t.s.events[EVENT_FAILED] == 0)
                (void)pass_once(&t, 500);
        assert_in_range(t.s.mono - began, t.s.app.settings.progress_deadline_ms,
                        t.s.app.settings.progress_deadline_ms + 2000);
        assert_string_equal(t.s.app.rollout.failure_code, REASON_ROLLOUT_TIMEOUT);
        assert_int_equal(t.s.app.rollout.phase, PHASE_REVERTING);
        sim_done(&t.s);
}

static void test_only_a_rolling_update_comes_in_batches(void **state) {
        for (int strategy = 0; strategy < STRATEGY_MAX_; strategy++) {
                struct rollouts t;

                begin_with(&t, 1, 3, -1);
                want_new(&t, &(struct rollout_settings){ .strategy = strategy, .max_parallel = 1 }, NULL);
                assert_int_equal(first_batch(&t), strategy == STRATEGY_ROLLING ? 1 : 3);
                sim_done(&t.s);
        }
}

static void test_dependants_in_a_share_need_no_more_than_that_share(void **state) {
        static const struct canary_step half[] = { { .weight = 50, .hold_ms = 5000 } };
        struct rollouts t;

        make_releases(&t, 2, 4, -1);
        sim_depend(&t.s, t.new, 1, 0, DEPEND_HEALTHY);
        settle_old(&t);
        want_new(&t,
                 &(struct rollout_settings){ .strategy = STRATEGY_CANARY, .steps = { .items = (void *)half, .n = 1 } },
                 NULL);
        run_until(&t, "check-50", STEP_WAITING);
        assert_int_equal(healthy(&t, t.new, 1), 2);
        sim_done(&t.s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_init_and_migration_run_to_completion_before_the_primaries),
                cmocka_unit_test(test_a_migration_that_fails_touches_nothing_else),
                cmocka_unit_test(test_what_initialises_comes_after_the_migrations),
                cmocka_unit_test(test_a_migration_that_did_not_change_is_not_run_again),
                cmocka_unit_test(test_what_ran_to_its_end_is_not_missed_afterwards),
                cmocka_unit_test(test_a_sidecar_that_cannot_run_twice_is_replaced_with_the_last_stage),
                cmocka_unit_test(test_health_must_hold_without_a_break_before_anything_old_stops),
                cmocka_unit_test(test_a_pause_in_which_nobody_looked_proves_nothing),
                cmocka_unit_test(test_what_does_not_become_healthy_in_time_is_taken_back),
                cmocka_unit_test(test_a_crash_loop_is_not_running),
                cmocka_unit_test(test_who_is_ill_goes_before_who_serves),
                cmocka_unit_test(test_a_service_grows_and_shrinks_with_its_release_and_back),
                cmocka_unit_test(test_dependants_start_when_what_they_depend_on_is_healthy),
                cmocka_unit_test(test_where_nothing_was_all_instances_come_in_one_batch),
                cmocka_unit_test(test_what_is_not_required_is_waited_for_while_it_may_come_and_no_longer),
                cmocka_unit_test(test_a_stage_that_makes_no_step_forward_ends_the_rollout_at_its_deadline),
                cmocka_unit_test(test_only_a_rolling_update_comes_in_batches),
                cmocka_unit_test(test_dependants_in_a_share_need_no_more_than_that_share),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
