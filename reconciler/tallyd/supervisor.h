/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Supervisor: what tallyd does next
 *
 * A table of states by events. supervisor_step() looks one cell up and
 * performs nothing; tallyd's loop performs the effect, and feeds what comes of
 * it back as the next event. So every path is walked in a unit test, without a
 * clock, a process or a signal.
 *
 * There is never more than one worker. Requests that come while one runs are
 * remembered as one: a single pass follows right behind it.
 */

#include <stdbool.h>

enum supervisor_state {
        SUPERVISOR_IDLE,         /* no worker; the poll timer is armed */
        SUPERVISOR_RUNNING,      /* a worker runs */
        SUPERVISOR_AGAIN,        /* a worker runs, and another pass was asked for */
        SUPERVISOR_ENDING,       /* the worker is over its limit and was told to end */
        SUPERVISOR_ENDING_AGAIN, /* the same, and another pass was asked for */
        SUPERVISOR_STOPPING,     /* we were told to stop; the worker may finish what it does */
        SUPERVISOR_LEAVING,      /* we were told to stop, and so was the worker */
        SUPERVISOR_STOPPED,      /* nothing runs, nothing will */
        SUPERVISOR_STATE_MAX_,
};

enum supervisor_event {
        SUPERVISOR_TIMER,    /* it is time for a pass */
        SUPERVISOR_TRIGGER,  /* somebody asks for a pass now */
        SUPERVISOR_EXIT,     /* the worker has ended, or could not be started */
        SUPERVISOR_STOP,     /* tallyd shall end */
        SUPERVISOR_DEADLINE, /* the worker was given until now */
        SUPERVISOR_EVENT_MAX_,
};

enum supervisor_effect {
        SUPERVISOR_NOTHING,
        SUPERVISOR_START,     /* disarm the poll timer, start a worker, give it until its limit */
        SUPERVISOR_ARM,       /* arm the poll timer */
        SUPERVISOR_GRACE,     /* give the worker a little time to end by itself */
        SUPERVISOR_TERMINATE, /* SIGTERM to the worker's group, and a last deadline */
        SUPERVISOR_KILL,      /* SIGKILL to the worker's group */
        SUPERVISOR_QUIT,      /* leave the loop */
        SUPERVISOR_EFFECT_MAX_,
};

struct supervisor_step {
        enum supervisor_state next;
        enum supervisor_effect effect;
};

struct supervisor_step supervisor_step(enum supervisor_state state, enum supervisor_event event);

/* Whether tallyd was told to stop. */
bool supervisor_is_stopping(enum supervisor_state state);

/* "idle", "running", "again", …; "timer", "trigger", … */
const char *supervisor_state_to_string(enum supervisor_state state);
const char *supervisor_event_to_string(enum supervisor_event event);
