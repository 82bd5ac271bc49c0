/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "reconciler/tallyd/supervisor.h"
#include "tests/lib/group.h"

/* A walk: events in, and the state and effect that must come out of each. */
struct walk {
        enum supervisor_event event;
        enum supervisor_state state;
        enum supervisor_effect effect;
};

#define STEP(e, s, f) \
        { SUPERVISOR_##e, SUPERVISOR_##s, SUPERVISOR_##f }

static void walk(const struct walk *steps, size_t n) {
        enum supervisor_state state = SUPERVISOR_IDLE;

        for (size_t i = 0; i < n; i++) {
                struct supervisor_step step = supervisor_step(state, steps[i].event);

                assert_int_equal(step.next, steps[i].state);
                assert_int_equal(step.effect, steps[i].effect);
                state = step.next;
        }
}

#define WALK(...) \
        walk((const struct walk[]){ __VA_ARGS__ }, sizeof((const struct walk[]){ __VA_ARGS__ }) / sizeof(struct walk))

static void the_timer_and_a_trigger_start_a_pass(void **state) {
        WALK(STEP(TIMER, RUNNING, START), STEP(EXIT, IDLE, ARM));
        WALK(STEP(TRIGGER, RUNNING, START), STEP(EXIT, IDLE, ARM));
}

static void triggers_during_a_pass_are_one_more_pass(void **state) {
        WALK(STEP(TIMER, RUNNING, START), STEP(TRIGGER, AGAIN, NOTHING), STEP(TRIGGER, AGAIN, NOTHING),
             STEP(EXIT, RUNNING, START), STEP(EXIT, IDLE, ARM));
}

static void a_pass_over_its_limit_is_ended_then_killed(void **state) {
        WALK(STEP(TIMER, RUNNING, START), STEP(DEADLINE, ENDING, TERMINATE), STEP(DEADLINE, ENDING, KILL),
             STEP(EXIT, IDLE, ARM));
}

static void a_trigger_outlives_the_pass_that_is_ended(void **state) {
        WALK(STEP(TIMER, RUNNING, START), STEP(TRIGGER, AGAIN, NOTHING), STEP(DEADLINE, ENDING_AGAIN, TERMINATE),
             STEP(DEADLINE, ENDING_AGAIN, KILL), STEP(EXIT, RUNNING, START));
        WALK(STEP(TIMER, RUNNING, START), STEP(DEADLINE, ENDING, TERMINATE), STEP(TRIGGER, ENDING_AGAIN, NOTHING),
             STEP(EXIT, RUNNING, START));
}

static void stopping_waits_then_ends_then_kills(void **state) {
        WALK(STEP(STOP, STOPPED, QUIT));
        WALK(STEP(TIMER, RUNNING, START), STEP(STOP, STOPPING, GRACE), STEP(EXIT, STOPPED, QUIT));
        WALK(STEP(TIMER, RUNNING, START), STEP(STOP, STOPPING, GRACE), STEP(DEADLINE, LEAVING, TERMINATE),
             STEP(DEADLINE, LEAVING, KILL), STEP(EXIT, STOPPED, QUIT));
}

static void a_second_stop_does_not_wait(void **state) {
        WALK(STEP(TIMER, RUNNING, START), STEP(STOP, STOPPING, GRACE), STEP(STOP, LEAVING, TERMINATE));
        WALK(STEP(TIMER, RUNNING, START), STEP(DEADLINE, ENDING, TERMINATE), STEP(STOP, LEAVING, NOTHING),
             STEP(DEADLINE, LEAVING, KILL));
}

static int worker_runs(enum supervisor_state s) {
        return s != SUPERVISOR_IDLE && s != SUPERVISOR_STOPPED;
}

static void no_cell_starts_a_second_worker(void **state) {
        for (int s = 0; s < SUPERVISOR_STATE_MAX_; s++)
                for (int e = 0; e < SUPERVISOR_EVENT_MAX_; e++) {
                        struct supervisor_step step = supervisor_step(s, e);

                        if (step.effect == SUPERVISOR_START)
                                assert_true(!worker_runs(s) || e == SUPERVISOR_EXIT);
                        /* and a worker appears and disappears in no other way */
                        if (worker_runs(step.next) != worker_runs(s))
                                assert_true(step.effect == SUPERVISOR_START || e == SUPERVISOR_EXIT);
                        if (worker_runs(s) && e == SUPERVISOR_EXIT && worker_runs(step.next))
                                assert_int_equal(step.effect, SUPERVISOR_START);
                }
}

static void nothing_leads_back_from_stopping(void **state) {
        for (int s = 0; s < SUPERVISOR_STATE_MAX_; s++)
                for (int e = 0; e < SUPERVISOR_EVENT_MAX_; e++) {
                        struct supervisor_step step = supervisor_step(s, e);

                        if (supervisor_is_stopping(s) || e == SUPERVISOR_STOP)
                                assert_true(supervisor_is_stopping(step.next));
                        if (supervisor_is_stopping(s))
                                assert_int_not_equal(step.effect, SUPERVISOR_START);
                }
}

static void idle_is_reached_with_the_timer_armed(void **state) {
        for (int s = 0; s < SUPERVISOR_STATE_MAX_; s++)
                for (int e = 0; e < SUPERVISOR_EVENT_MAX_; e++) {
                        struct supervisor_step step = supervisor_step(s, e);

                        if (step.next == SUPERVISOR_IDLE && s != SUPERVISOR_IDLE)
                                assert_int_equal(step.effect, SUPERVISOR_ARM);
                }
}

static void a_worker_that_is_told_to_end_has_a_deadline(void **state) {
        /* From every state with a worker, deadlines alone lead to a kill. */
        for (int s = 0; s < SUPERVISOR_STATE_MAX_; s++) {
                enum supervisor_state at = s;
                int killed = 0;

                for (int i = 0; i < 3 && worker_runs(s); i++) {
                        struct supervisor_step step = supervisor_step(at, SUPERVISOR_DEADLINE);

                        at = step.next;
                        killed |= step.effect == SUPERVISOR_KILL;
                }
                assert_int_equal(killed, worker_runs(s));
        }
}

static void every_state_and_event_has_a_name(void **state) {
        for (int a = 0; a < SUPERVISOR_STATE_MAX_; a++)
                for (int b = 0; b < a; b++)
                        assert_string_not_equal(supervisor_state_to_string(a), supervisor_state_to_string(b));
        for (int a = 0; a < SUPERVISOR_EVENT_MAX_; a++)
                for (int b = 0; b < a; b++)
                        assert_string_not_equal(supervisor_event_to_string(a), supervisor_event_to_string(b));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_timer_and_a_trigger_start_a_pass),
        cmocka_unit_test(triggers_during_a_pass_are_one_more_pass),
        cmocka_unit_test(a_pass_over_its_limit_is_ended_then_killed),
        cmocka_unit_test(a_trigger_outlives_the_pass_that_is_ended),
        cmocka_unit_test(stopping_waits_then_ends_then_kills),
        cmocka_unit_test(a_second_stop_does_not_wait),
        cmocka_unit_test(no_cell_starts_a_second_worker),
        cmocka_unit_test(nothing_leads_back_from_stopping),
        cmocka_unit_test(idle_is_reached_with_the_timer_armed),
        cmocka_unit_test(a_worker_that_is_told_to_end_has_a_deadline),
        cmocka_unit_test(every_state_and_event_has_a_name),
};

TEST_GROUP(supervisor, tests);
