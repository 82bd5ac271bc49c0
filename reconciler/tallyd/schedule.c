/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/tallyd/schedule.h"

#include <assert.h>
#include <stdbool.h>

#define ACCURACY_MAX_MS 1000

static const char *const outcome_names[OUTCOME_MAX_] = {
        [OUTCOME_GOOD] = "good",
        [OUTCOME_FAILED] = "failed",
        [OUTCOME_LOST] = "lost",
};

/* The exit codes of `tally`; a code that is none of them comes from a loader, a shell or a sanitizer. */
static const enum outcome outcomes[] = {
        [0] = OUTCOME_GOOD,                       /* converged */
        [1] = OUTCOME_FAILED, [2] = OUTCOME_GOOD, /* invalid documents: only a commit changes that */
        [3] = OUTCOME_GOOD,                       /* not there yet */
        [4] = OUTCOME_GOOD,                       /* refused */
        [5] = OUTCOME_GOOD,                       /* rolled back */
};

enum outcome outcome_of_exit(int code) {
        return code >= 0 && code < (int)(sizeof(outcomes) / sizeof(*outcomes)) ? outcomes[code] : OUTCOME_LOST;
}

const char *outcome_to_string(enum outcome outcome) {
        assert(outcome < OUTCOME_MAX_);
        return outcome_names[outcome];
}

static int64_t smaller(int64_t a, int64_t b) {
        return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b) {
        return a > b ? a : b;
}

/* The poll interval, doubled for every failure but the first; never shorter than the interval itself. */
static int64_t backed_off(const struct schedule *s) {
        int64_t top = larger(SCHEDULE_BACKOFF_MAX_MS, s->poll_ms), delay = s->poll_ms;

        for (unsigned i = 1; i < s->failures && delay < top; i++)
                delay *= 2;
        return smaller(delay, top);
}

/* Timers that need not be exact let the machine sleep: a fiftieth of the delay, at most a second. */
static int64_t accuracy_of(int64_t delay_ms) {
        return larger(1, smaller(delay_ms / 50, ACCURACY_MAX_MS));
}

/* A tenth less to a tenth more, what the timer may be late counted in. */
static struct wait spread(int64_t delay_ms, uint32_t dice) {
        int64_t accuracy = accuracy_of(delay_ms), span = larger(0, delay_ms / 5 - accuracy);

        return (struct wait){ delay_ms - delay_ms / 10 + (int64_t)dice % (span + 1), accuracy };
}

struct wait schedule_after(struct schedule *s, enum outcome outcome, int64_t wish_ms, uint32_t dice) {
        bool backs_off;

        assert(outcome < OUTCOME_MAX_ && s->poll_ms >= SCHEDULE_FLOOR_MS);

        if (outcome == OUTCOME_GOOD)
                s->failures = 0;
        else if (s->failures < UINT32_MAX)
                s->failures++;

        backs_off = outcome == OUTCOME_LOST || s->failures > 1;
        if (backs_off)
                return spread(backed_off(s), dice);
        /* A poll is never put off by a wish: the desired state may change before it. */
        if (wish_ms == SCHEDULE_NO_WISH || wish_ms >= s->poll_ms)
                return spread(s->poll_ms, dice);
        wish_ms = larger(wish_ms, SCHEDULE_FLOOR_MS);
        return (struct wait){ wish_ms, accuracy_of(wish_ms) };
}
