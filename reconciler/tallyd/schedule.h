/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Schedule: how long until the next pass
 *
 *   - A pass that ended well is followed by the next one after the poll interval, or earlier when it wished so.
 *   - A pass that failed for now (exit 1) is followed likewise the first time; from the second failure in a row
 *     on, and from the first when the worker was lost, the interval doubles, up to SCHEDULE_BACKOFF_MAX_MS.
 *   - Anything but a failure forgets the failures before. They are kept nowhere else: a restart begins anew.
 *   - Polls are spread by a tenth of the interval in both directions, so that a fleet does not ask in step.
 *     A wish is a deadline somebody computed, and is kept to.
 *
 * Pure: the clock and the dice are the caller's.
 */

#include <stdint.h>

#define SCHEDULE_POLL_MS        (30 * INT64_C(1000)) /* until a worker said what is configured */
#define SCHEDULE_BACKOFF_MAX_MS (10 * 60 * INT64_C(1000))
#define SCHEDULE_FLOOR_MS       INT64_C(100) /* no wish makes the host spin */
#define SCHEDULE_NO_WISH        INT64_C(-1)

enum outcome {
        OUTCOME_GOOD,   /* it ran to its end and knows what is so, be it converged or refused */
        OUTCOME_FAILED, /* exit 1: it failed and may work later */
        OUTCOME_LOST,   /* it crashed, was killed, said nothing we know, or could not be started */
        OUTCOME_MAX_,
};

struct schedule {
        int64_t poll_ms;
        unsigned failures; /* in a row */
};

#define SCHEDULE_INIT ((struct schedule){ .poll_ms = SCHEDULE_POLL_MS })

/* What the timer is armed with: it may fire up to @accuracy_ms later, together with others. */
struct wait {
        int64_t delay_ms;
        int64_t accuracy_ms;
};

/* @code: 0..255, or 128 + signal. */
enum outcome outcome_of_exit(int code);
const char *outcome_to_string(enum outcome outcome);

/* Take one outcome in. @wish_ms: what the worker asked for, or SCHEDULE_NO_WISH. @dice: any 32 random bits. */
struct wait schedule_after(struct schedule *s, enum outcome outcome, int64_t wish_ms, uint32_t dice);
