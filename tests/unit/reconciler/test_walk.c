/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Steps of a plan, one kind after the other: gates, hooks, commands, waits; what runs side by side, and what follows a
 * failure.
 */

#include "tests/unit/reconciler/steps.h"

static const struct rollout_settings rolling = { .strategy = STRATEGY_ROLLING };

/*
 * Gates
 */

static void begin_gated(struct rollouts *t, int64_t timeout_ms) {
        struct struct_list steps = { .items = NULL };
        struct plan_step *gate;

        begin_with(t, 1, 1, -1);
        add_prepare(t, &steps);
        gate = sim_step(&t->s, &steps, "window", "prepare");
        gate->gate.text = "window";
        gate->timeout_ms = timeout_ms;
        add_stage(t, &steps, "all", "window", 100);
        t->s.gate = "window";
        t->s.gate_says = VERDICT_PENDING;
        want_new(t, &rolling, &steps);
}

static void test_a_gate_holds_for_as_long_as_it_takes_and_touches_nothing(void **state) {
        struct rollouts t;

        begin_gated(&t, 0);
        run_until(&t, "window", STEP_WAITING);
        for (int day = 0; day < 3; day++)
                for (int minute = 0; minute < 24 * 60; minute++) {
                        struct decision d = pass_once(&t, 60000);

                        assert_int_equal(d.actions.n, 0);
                }
        assert_int_equal(sim_state_of(&t.s, "window"), STEP_WAITING);
        t.s.gate_says = VERDICT_ALLOW;
        expect_new(&t);
        sim_done(&t.s);
}

static void test_a_gate_with_a_timeout_fails_the_rollout_after_it(void **state) {
        struct rollouts t;

        begin_gated(&t, 30000);
        expect_taken_back(&t, REASON_ROLLOUT_STEP);
        assert_non_null(strstr(t.s.app.rollout.failure_text, "window"));
        sim_done(&t.s);
}

static void test_a_timeout_counts_only_time_in_which_somebody_looked(void **state) {
        struct rollouts t;

        begin_gated(&t, 30000);
        run_until(&t, "window", STEP_WAITING);
        sim_wait(&t.s, 86400000);
        (void)pass_once(&t, 1000);
        assert_int_equal(sim_state_of(&t.s, "window"), STEP_WAITING);
        t.s.world.now -= 2 * 86400000;
        (void)pass_once(&t, 1000);
        assert_int_equal(sim_state_of(&t.s, "window"), STEP_WAITING);
        for (int n = 0; n < 40; n++)
                (void)pass_once(&t, 1000);
        assert_int_equal(t.s.events[EVENT_FAILED], 1);
        sim_done(&t.s);
}

static void test_a_gate_beside_a_stage_does_not_hold_up_the_deadline_of_the_stage(void **state) {
        struct rollouts t;
        struct struct_list steps = { .items = NULL };

        begin_with(&t, 1, 1, -1);
        add_prepare(&t, &steps);
        sim_step(&t.s, &steps, "window", "")->gate.text = "window";
        add_stage(&t, &steps, "all", "prepare", 100);
        t.s.gate = "window";
        t.s.gate_says = VERDICT_PENDING;
        sim_fate(&t.s, sim_service(t.new, 0), FATE_STARTING, 0);
        want_new(&t, &rolling, &steps);
        expect_taken_back(&t, REASON_ROLLOUT_UNHEALTHY);
        sim_done(&t.s);
}

/*
 * Hooks that are services
 */

static void begin_hooked(struct rollouts *t, int64_t retries, enum step_failure on_failure) {
        struct struct_list steps = { .items = NULL };
        struct plan_step *hook;

        make_releases(t, 2, 1, -1);
        make_hook_service(t, 0);
        settle_old(t);
        add_prepare(t, &steps);
        hook = add_hook(t, &steps, "warm", "prepare", "svc0000", NULL);
        hook->retries = retries;
        hook->on_failure = on_failure;
        add_stage(t, &steps, "all", "warm", 100);
        want_new(t, &rolling, &steps);
}

static void test_a_hook_runs_once_to_its_end_before_what_needs_it(void **state) {
        struct rollouts t;
        struct string_list trace = { .items = NULL };
        size_t starts = 0;

        begin_hooked(&t, 0, STEP_FAIL);
        t.s.trace = &trace;
        expect_new(&t);
        for (size_t i = 0; i < trace.n; i++) {
                starts += str_eq(trace.items[i].text, "start svc0000 1");
                if (str_eq(trace.items[i].text, "create svc0001 1"))
                        assert_int_equal(starts, 1);
        }
        assert_int_equal(starts, 1);
        sim_done(&t.s);
}

static void test_a_hook_that_fails_takes_the_release_back_and_touches_nothing_else(void **state) {
        struct rollouts t;
        const char *id;

        begin_hooked(&t, 0, STEP_FAIL);
        id = first_of(&t, sim_service(t.old, 1)->spec_digest)->id;
        sim_fate(&t.s, sim_service(t.new, 0), FATE_DIES, 0);
        expect_taken_back(&t, REASON_HOOK_FAILED);
        assert_non_null(sim_find(&t.s, id));
        sim_done(&t.s);
}

static void test_a_hook_that_fails_is_tried_again_as_often_as_its_step_says_and_slower_each_time(void **state) {
        struct rollouts t;
        struct string_list trace = { .items = NULL };
        int64_t began;
        size_t starts = 0;

        begin_hooked(&t, 2, STEP_FAIL);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_DIES, 0);
        t.s.trace = &trace;
        began = t.s.mono;
        while (t.s.app.rollout.phase != PHASE_REVERTING)
                (void)pass_once(&t, 50);
        assert_in_range(t.s.mono - began, 3000, 6000); /* 1 s, then 2 s */
        for (size_t i = 0; i < trace.n; i++)
                starts += str_eq(trace.items[i].text, "start svc0000 1");
        assert_int_equal(starts, 3);
        expect_taken_back(&t, REASON_HOOK_FAILED);
        sim_done(&t.s);
}

static void test_a_retry_waits_no_longer_when_the_clock_is_set_back(void **state) {
        struct rollouts t;
        int64_t began;

        begin_hooked(&t, 1, STEP_FAIL);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_DIES, 0);
        while (sim_state_of(&t.s, "warm") == STEP_STATE_MAX_ || sim_step_of(&t.s, "warm")->attempts == 0)
                (void)pass_once(&t, 50);
        t.s.world.now -= 86400000;
        began = t.s.mono;
        while (t.s.app.rollout.phase != PHASE_REVERTING && t.s.mono - began < 60000)
                (void)pass_once(&t, 50);
        assert_in_range(t.s.mono - began, 0, 5000);
        sim_done(&t.s);
}

static void test_a_hook_may_fail_where_its_step_goes_on(void **state) {
        struct rollouts t;

        begin_hooked(&t, 0, STEP_CONTINUE);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_DIES, 0);
        run_until(&t, "warm", STEP_FAILED);
        expect_new(&t);
        sim_done(&t.s);
}

static void test_a_hook_may_pause_the_rollout(void **state) {
        struct rollouts t;

        begin_hooked(&t, 0, STEP_PAUSE);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_DIES, 0);
        assert_true(sim_run_to(&t.s, PHASE_PAUSED, 200));
        (void)pass_once(&t, 50);
        assert_int_equal(sim_state_of(&t.s, "all"), STEP_SKIPPED);
        assert_int_equal(healthy(&t, t.old, 1), 1);
        assert_true(rollout_is_poisoned(&t.s.app.rollout, t.new->release));
        /* What was declared before is the way back. */
        sim_want(&t.s, t.old);
        assert_true(sim_run(&t.s, 200));
        assert_true(sim_is_exactly(&t.s, t.old));
        sim_done(&t.s);
}

static void test_a_retry_of_what_is_paused_waits_for_its_gates_too(void **state) {
        struct rollouts t;
        struct retry_permission *retry;

        begin_hooked(&t, 0, STEP_PAUSE);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_DIES, 0);
        assert_true(sim_run_to(&t.s, PHASE_PAUSED, 200));
        sim_fate(&t.s, sim_service(t.new, 0), FATE_WELL, 0);
        retry = arena_push(t.s.arena, &t.s.app.retries.items, &t.s.app.retries.n, sizeof(struct retry_permission));
        *retry =
                (struct retry_permission){ .id = "retry-1", .release = t.new->release, .principal = "ann@example.com" };
        t.s.gate = "window";
        t.s.gate_says = VERDICT_PENDING;
        for (int n = 0; n < 10; n++)
                (void)pass_once(&t, 1000);
        assert_int_equal(t.s.app.rollout.phase, PHASE_PAUSED);
        t.s.gate_says = VERDICT_ALLOW;
        expect_new(&t);
        sim_done(&t.s);
}

/* Whatever exit code the engine tells of it when it comes up. */
static void test_a_hook_that_ended_with_its_engine_is_run_again_and_did_not_fail(void **state) {
        struct rollouts t;
        struct string_list trace = { .items = NULL };
        size_t starts = 0;

        begin_hooked(&t, 0, STEP_FAIL);
        t.s.job_ms = 3600000;
        t.s.trace = &trace;
        run_until(&t, "warm", STEP_RUNNING);
        (void)pass_once(&t, 100);
        first_of(&t, sim_service(t.new, 0)->spec_digest)->state = INSTANCE_EXITED;
        first_of(&t, sim_service(t.new, 0)->spec_digest)->lost = true;
        t.s.job_ms = 300;
        expect_new(&t);
        for (size_t i = 0; i < trace.n; i++)
                starts += str_eq(trace.items[i].text, "start svc0000 1");
        assert_int_equal(starts, 2);
        sim_done(&t.s);
}

static void test_a_hook_that_does_not_end_in_time_failed(void **state) {
        struct rollouts t;

        begin_hooked(&t, 0, STEP_FAIL);
        ((struct rollout_step *)t.s.app.plan.items)[1].step.timeout_ms = 20000;
        t.s.job_ms = 3600000;
        expect_taken_back(&t, REASON_HOOK_FAILED);
        assert_non_null(strstr(t.s.app.rollout.failure_text, "not over in time"));
        sim_done(&t.s);
}

static void test_two_hooks_of_one_service_do_not_run_at_a_time(void **state) {
        struct rollouts t;
        struct struct_list steps = { .items = NULL };

        make_releases(&t, 2, 1, -1);
        make_hook_service(&t, 0);
        settle_old(&t);
        add_prepare(&t, &steps);
        add_hook(&t, &steps, "one", "prepare", "svc0000", NULL);
        add_hook(&t, &steps, "two", "prepare", "svc0000", NULL);
        add_stage(&t, &steps, "all", "one two", 100);
        want_new(&t, &rolling, &steps);
        while (sim_state_of(&t.s, "all") != STEP_RUNNING) {
                size_t there = 0;

                for (size_t i = 0; i < t.s.instances.n; i++)
                        there += str_eq(((struct instance *)t.s.instances.items)[i].service, "svc0000");
                assert_in_range(there, 0, 1);
                (void)pass_once(&t, 50);
        }
        expect_new(&t);
        sim_done(&t.s);
}

/*
 * Commands of the host
 */

static void begin_with_command(struct rollouts *t, int64_t retries) {
        struct struct_list steps = { .items = NULL };

        begin_with(t, 1, 1, -1);
        add_prepare(t, &steps);
        add_hook(t, &steps, "backup", "prepare", NULL, "backup-database")->retries = retries;
        add_stage(t, &steps, "all", "backup", 100);
        sim_step(&t->s, &steps, "tell", "all")->notify.text = "tell-chat";
        ((struct plan_step *)steps.items)[3].on_failure = STEP_CONTINUE;
        want_new(t, &rolling, &steps);
}

static void test_a_command_runs_once_and_is_named_with_its_step(void **state) {
        struct rollouts t;
        struct decision d;

        begin_with_command(&t, 0);
        do
                d = pass_once(&t, 50);
        while (count_actions(&d, ACTION_COMMAND) == 0);
        assert_string_equal(((struct action *)d.actions.items)->command, "backup-database");
        assert_string_equal(((struct action *)d.actions.items)->step, "backup");
        expect_new(&t);
        assert_int_equal(t.s.commands, 2);
        sim_done(&t.s);
}

static void test_a_command_gets_the_time_that_its_step_allows(void **state) {
        struct rollouts t;
        int64_t backup_ms = 0, tell_ms = 0;

        begin_with_command(&t, 0);
        ((struct rollout_step *)t.s.app.plan.items)[1].step.timeout_ms = 20000;
        while (tell_ms == 0) {
                struct decision d = pass_once(&t, 50);
                const struct action *actions = d.actions.items;

                for (size_t i = 0; i < d.actions.n; i++)
                        if (actions[i].kind == ACTION_COMMAND)
                                *(str_eq(actions[i].step, "backup") ? &backup_ms : &tell_ms) = actions[i].timeout_ms;
        }
        assert_int_equal(backup_ms, 20000);
        assert_int_equal(tell_ms, 5 * 60 * 1000);
        sim_done(&t.s);
}

static void test_a_command_that_fails_fails_its_step_after_its_retries(void **state) {
        struct rollouts t;

        begin_with_command(&t, 1);
        t.s.failing_commands = -1;
        expect_taken_back(&t, REASON_HOOK_FAILED);
        assert_int_equal(t.s.commands, 2);
        assert_non_null(strstr(t.s.app.rollout.failure_text, "backup-database ended with exit code 1"));
        sim_done(&t.s);
}

static void test_a_message_that_cannot_be_sent_fails_nothing(void **state) {
        struct rollouts t;

        begin_with_command(&t, 0);
        run_until(&t, "all", STEP_SUCCEEDED);
        t.s.failing_commands = -1;
        expect_new(&t);
        sim_done(&t.s);
}

/*
 * Side by side
 */

static void test_steps_that_need_nothing_of_each_other_run_at_a_time(void **state) {
        struct rollouts t;
        struct struct_list steps = { .items = NULL };
        bool together = false;

        begin_with(&t, 1, 2, -1);
        sim_fate(&t.s, sim_service(t.new, 0), FATE_SLOW, 2000);
        add_prepare(&t, &steps);
        add_stage(&t, &steps, "all", "prepare", 100);
        add_wait(&t, &steps, "aside", "prepare", 5000);
        add_wait(&t, &steps, "after", "all aside", 1000);
        want_new(&t, &rolling, &steps);
        while (sim_state_of(&t.s, "after") != STEP_WAITING) {
                together = together ||
                           (sim_state_of(&t.s, "aside") == STEP_WAITING && sim_state_of(&t.s, "all") == STEP_WAITING);
                /* What needs both waits for both. */
                assert_true(sim_state_of(&t.s, "after") == STEP_STATE_MAX_ ||
                            sim_state_of(&t.s, "after") == STEP_PENDING);
                (void)pass_once(&t, 100);
        }
        assert_true(together);
        assert_int_equal(sim_state_of(&t.s, "all"), STEP_SUCCEEDED);
        assert_int_equal(sim_state_of(&t.s, "aside"), STEP_SUCCEEDED);
        expect_new(&t);
        sim_done(&t.s);
}

static void test_a_wait_takes_its_time_and_no_longer_when_the_clock_is_set_back(void **state) {
        struct rollouts t;
        struct struct_list steps = { .items = NULL };
        int64_t began;

        begin_with(&t, 1, 1, -1);
        add_prepare(&t, &steps);
        add_stage(&t, &steps, "all", "prepare", 100);
        add_wait(&t, &steps, "rest", "all", 60000);
        want_new(&t, &rolling, &steps);
        run_until(&t, "rest", STEP_WAITING);
        began = t.s.mono;
        t.s.world.now -= 86400000;
        while (sim_state_of(&t.s, "rest") == STEP_WAITING)
                (void)pass_once(&t, 1000);
        assert_in_range(t.s.mono - began, 59000, 62000);
        sim_done(&t.s);
}

static void test_a_stage_that_is_tried_again_proves_all_of_its_batches_again(void **state) {
        struct rollouts t;
        struct struct_list steps = { .items = NULL };

        begin_with(&t, 1, 2, -1);
        (void)sim_check(&t.s, "up", sim_service(t.new, 0), 1000, 1);
        add_prepare(&t, &steps);
        add_stage(&t, &steps, "all", "prepare", 100)->retries = 1;
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_ROLLING, .max_parallel = 1 }, &steps);
        while (sim_state_of(&t.s, "all") == STEP_STATE_MAX_ || sim_step_of(&t.s, "all")->batch == 0)
                (void)pass_once(&t, 100);
        sim_say(&t.s, "up", sim_service(t.new, 0), CHECK_FAIL);
        while (sim_step_of(&t.s, "all")->attempts == 0)
                (void)pass_once(&t, 100);
        assert_int_equal(sim_step_of(&t.s, "all")->batch, 0);
        t.s.sayings.n = 0;
        expect_new(&t);
        sim_done(&t.s);
}

static void test_on_the_first_deployment_holds_are_not_waited_for(void **state) {
        struct rollouts t;
        struct struct_list steps = { .items = NULL };
        int64_t began;

        make_releases(&t, 1, 2, -1);
        add_prepare(&t, &steps);
        add_stage(&t, &steps, "half", "prepare", 50);
        add_check(&t, &steps, "bake", "half", 3600000);
        add_stage(&t, &steps, "all", "bake", 100);
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_CANARY }, &steps);
        began = t.s.mono;
        expect_new(&t);
        assert_in_range(t.s.mono - began, 0, 600000);
        sim_done(&t.s);
}

static void test_a_wait_goes_on_while_nobody_looks(void **state) {
        struct rollouts t;
        struct struct_list steps = { .items = NULL };

        begin_with(&t, 1, 1, -1);
        add_prepare(&t, &steps);
        add_stage(&t, &steps, "all", "prepare", 100);
        add_wait(&t, &steps, "rest", "all", 3600000);
        add_wait(&t, &steps, "more", "rest", 60000);
        want_new(&t, &rolling, &steps);
        run_until(&t, "rest", STEP_WAITING);
        sim_wait(&t.s, 3600000);
        (void)pass_once(&t, 100);
        assert_int_equal(sim_state_of(&t.s, "rest"), STEP_SUCCEEDED);
        sim_done(&t.s);
}

static void test_what_is_over_is_not_begun_again_by_a_crash(void **state) {
        struct rollouts t;
        struct decision d;

        begin_with_command(&t, 0);
        run_until(&t, "backup", STEP_SUCCEEDED);
        for (int n = 0; n < 20; n++) {
                t.s.kill_at = t.s.points;
                assert_false(sim_pass(&t.s, &d));
                t.s.kill_at = -1;
                (void)pass_once(&t, 100);
        }
        assert_true(sim_run(&t.s, 100));
        assert_int_equal(t.s.commands, 2);
        sim_done(&t.s);
}

/*
 * Deadlines
 */

/*
 * Half of it is new and held for an hour. Half of that hour later the clock is set back by so much, and it is not
 * healthy for so long.
 */
static bool survives_illness(int64_t ms, int64_t back_ms) {
        struct rollouts t;
        struct struct_list steps = { .items = NULL };
        int failures;

        begin_with(&t, 1, 2, -1);
        add_prepare(&t, &steps);
        add_stage(&t, &steps, "half", "prepare", 50);
        add_check(&t, &steps, "hold", "half", 3600000);
        add_stage(&t, &steps, "all", "hold", 100);
        want_new(&t, &rolling, &steps);
        run_until(&t, "hold", STEP_WAITING);
        for (int n = 0; n < 180; n++)
                (void)pass_once(&t, 10000);
        t.s.world.now -= back_ms;
        sim_fate(&t.s, sim_service(t.new, 0), FATE_STARTING, 0);
        sim_settle(&t.s);
        for (int64_t passed = 0; passed <= ms; passed += 1000)
                (void)pass_once(&t, 1000);
        failures = t.s.events[EVENT_FAILED];
        sim_done(&t.s);
        return failures == 0;
}

static void test_the_deadline_of_a_check_begins_when_what_it_holds_was_last_well(void **state) {
        assert_true(survives_illness(50000, 0));
        assert_false(survives_illness(70000, 0));
        assert_false(survives_illness(70000, 86400000));
}

/*
 * The router is away from the moment on that the requests should move: its step waits as long as the rollout may, and
 * says for what.
 */
static void test_a_traffic_step_fails_at_the_deadline_of_the_rollout(void **state) {
        struct rollouts t;
        int64_t began;

        begin_with(&t, 1, 2, 200);
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_BLUE_GREEN, .bake_ms = 5000 }, NULL);
        run_until(&t, "stage-100", STEP_WAITING);
        t.s.routers[ROUTER_MEMORY].away = true;
        run_until(&t, "traffic-100", STEP_WAITING);
        began = t.s.mono;
        while (t.s.events[EVENT_FAILED] == 0)
                (void)pass_once(&t, 500);
        assert_in_range(t.s.mono - began, t.s.app.settings.progress_deadline_ms,
                        t.s.app.settings.progress_deadline_ms + 1500);
        assert_string_equal(t.s.app.rollout.failure_code, REASON_ROLLOUT_STEP);
        assert_string_equal(t.s.app.rollout.failure_text,
                            "step traffic-100 failed: the router did not follow before progress_deadline");
        sim_done(&t.s);
}

/* @told is for whoever asks about the app, @detail for whoever asks about the step. */
static void expect_waits(struct rollouts *t, const char *step, const char *detail, const char *told) {
        struct decision d;

        run_until(t, step, STEP_WAITING);
        d = pass_once(t, 0);
        assert_string_equal(sim_step_of(&t->s, step)->detail, detail);
        assert_string_equal(((struct decision_app *)d.apps.items)->waits_for, told);
}

static void test_what_a_step_waits_for_is_told(void **state) {
        struct rollouts t;
        struct struct_list steps = { .items = NULL };

        begin_gated(&t, 0);
        expect_waits(&t, "window", "not yet", "not yet");
        t.s.gate = "another";
        expect_waits(&t, "window", "gate window to say anything", "gate window to say anything");
        sim_done(&t.s);

        begin_with(&t, 1, 1, -1);
        add_prepare(&t, &steps);
        add_stage(&t, &steps, "all", "prepare", 100);
        add_wait(&t, &steps, "rest", "all", 60000);
        add_check(&t, &steps, "hold", "rest", 60000);
        want_new(&t, &rolling, &steps);
        expect_waits(&t, "rest", "time to pass", "time to pass (step rest)");
        expect_waits(&t, "hold", "health and checks must hold", "health and checks to hold (step hold)");
        assert_null(sim_step_of(&t.s, "rest")->detail);
        sim_done(&t.s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_gate_holds_for_as_long_as_it_takes_and_touches_nothing),
                cmocka_unit_test(test_a_gate_with_a_timeout_fails_the_rollout_after_it),
                cmocka_unit_test(test_a_timeout_counts_only_time_in_which_somebody_looked),
                cmocka_unit_test(test_a_gate_beside_a_stage_does_not_hold_up_the_deadline_of_the_stage),
                cmocka_unit_test(test_a_hook_runs_once_to_its_end_before_what_needs_it),
                cmocka_unit_test(test_a_hook_that_fails_takes_the_release_back_and_touches_nothing_else),
                cmocka_unit_test(test_a_hook_that_fails_is_tried_again_as_often_as_its_step_says_and_slower_each_time),
                cmocka_unit_test(test_a_retry_waits_no_longer_when_the_clock_is_set_back),
                cmocka_unit_test(test_a_hook_may_fail_where_its_step_goes_on),
                cmocka_unit_test(test_a_hook_may_pause_the_rollout),
                cmocka_unit_test(test_a_retry_of_what_is_paused_waits_for_its_gates_too),
                cmocka_unit_test(test_a_hook_that_ended_with_its_engine_is_run_again_and_did_not_fail),
                cmocka_unit_test(test_a_hook_that_does_not_end_in_time_failed),
                cmocka_unit_test(test_two_hooks_of_one_service_do_not_run_at_a_time),
                cmocka_unit_test(test_a_command_runs_once_and_is_named_with_its_step),
                cmocka_unit_test(test_a_command_gets_the_time_that_its_step_allows),
                cmocka_unit_test(test_a_command_that_fails_fails_its_step_after_its_retries),
                cmocka_unit_test(test_a_message_that_cannot_be_sent_fails_nothing),
                cmocka_unit_test(test_steps_that_need_nothing_of_each_other_run_at_a_time),
                cmocka_unit_test(test_a_wait_takes_its_time_and_no_longer_when_the_clock_is_set_back),
                cmocka_unit_test(test_a_wait_goes_on_while_nobody_looks),
                cmocka_unit_test(test_a_stage_that_is_tried_again_proves_all_of_its_batches_again),
                cmocka_unit_test(test_on_the_first_deployment_holds_are_not_waited_for),
                cmocka_unit_test(test_what_is_over_is_not_begun_again_by_a_crash),
                cmocka_unit_test(test_the_deadline_of_a_check_begins_when_what_it_holds_was_last_well),
                cmocka_unit_test(test_a_traffic_step_fails_at_the_deadline_of_the_rollout),
                cmocka_unit_test(test_what_a_step_waits_for_is_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
