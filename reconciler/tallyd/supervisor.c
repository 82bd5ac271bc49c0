/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/tallyd/supervisor.h"

#include <assert.h>

/*
 * One row per state, one column per event, in the order of the enums. A second request to stop does not wait
 * for the worker any longer; what has been told to end keeps its last deadline.
 */
static const struct supervisor_step steps[SUPERVISOR_STATE_MAX_][SUPERVISOR_EVENT_MAX_] = {
#define STAY(s) \
        { SUPERVISOR_##s, SUPERVISOR_NOTHING }
#define GO(s, e) \
        { SUPERVISOR_##s, SUPERVISOR_##e }
        /*
         *                            TIMER               TRIGGER             EXIT                STOP                  
         *  DEADLINE
         */
        [SUPERVISOR_IDLE] = { GO(RUNNING, START), GO(RUNNING, START), STAY(IDLE), GO(STOPPED, QUIT), STAY(IDLE) },
        [SUPERVISOR_RUNNING] = { STAY(RUNNING), STAY(AGAIN), GO(IDLE, ARM), GO(STOPPING, GRACE),
                                 GO(ENDING, TERMINATE) },
        [SUPERVISOR_AGAIN] = { STAY(AGAIN), STAY(AGAIN), GO(RUNNING, START), GO(STOPPING, GRACE),
                               GO(ENDING_AGAIN, TERMINATE) },
        [SUPERVISOR_ENDING] = { STAY(ENDING), STAY(ENDING_AGAIN), GO(IDLE, ARM), STAY(LEAVING), GO(ENDING, KILL) },
        [SUPERVISOR_ENDING_AGAIN] = { STAY(ENDING_AGAIN), STAY(ENDING_AGAIN), GO(RUNNING, START), STAY(LEAVING),
                                      GO(ENDING_AGAIN, KILL) },
        [SUPERVISOR_STOPPING] = { STAY(STOPPING), STAY(STOPPING), GO(STOPPED, QUIT), GO(LEAVING, TERMINATE),
                                  GO(LEAVING, TERMINATE) },
        [SUPERVISOR_LEAVING] = { STAY(LEAVING), STAY(LEAVING), GO(STOPPED, QUIT), STAY(LEAVING), GO(LEAVING, KILL) },
        [SUPERVISOR_STOPPED] = { STAY(STOPPED), STAY(STOPPED), STAY(STOPPED), STAY(STOPPED), STAY(STOPPED) },
#undef STAY
#undef GO
};

static const char *const state_names[SUPERVISOR_STATE_MAX_] = {
        [SUPERVISOR_IDLE] = "idle",
        [SUPERVISOR_RUNNING] = "running",
        [SUPERVISOR_AGAIN] = "again",
        [SUPERVISOR_ENDING] = "ending",
        [SUPERVISOR_ENDING_AGAIN] = "ending-again",
        [SUPERVISOR_STOPPING] = "stopping",
        [SUPERVISOR_LEAVING] = "leaving",
        [SUPERVISOR_STOPPED] = "stopped",
};

static const char *const event_names[SUPERVISOR_EVENT_MAX_] = {
        [SUPERVISOR_TIMER] = "timer", [SUPERVISOR_TRIGGER] = "trigger",   [SUPERVISOR_EXIT] = "exit",
        [SUPERVISOR_STOP] = "stop",   [SUPERVISOR_DEADLINE] = "deadline",
};

struct supervisor_step supervisor_step(enum supervisor_state state, enum supervisor_event event) {
        assert(state < SUPERVISOR_STATE_MAX_ && event < SUPERVISOR_EVENT_MAX_);
        return steps[state][event];
}

bool supervisor_is_stopping(enum supervisor_state state) {
        return state == SUPERVISOR_STOPPING || state == SUPERVISOR_LEAVING || state == SUPERVISOR_STOPPED;
}

const char *supervisor_state_to_string(enum supervisor_state state) {
        assert(state < SUPERVISOR_STATE_MAX_);
        return state_names[state];
}

const char *supervisor_event_to_string(enum supervisor_event event) {
        assert(event < SUPERVISOR_EVENT_MAX_);
        return event_names[event];
}
