/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Next: what a worker tells its supervisor
 *
 * Lines on a pipe, each ended by '\n', in any order, the last one of a kind
 * counts:
 *
 *     next_ms=<decimal>    wake me after so many milliseconds from my end
 *     poll_ms=<decimal>    the configured interval between two passes
 *     limit_ms=<decimal>   the configured time limit of a pass, from its start
 *     status=<text>        one line for people: `systemctl status` shows it
 *
 * Nothing else is taken: an unknown key, a malformed number, a number out of
 * range, a line or a sum of lines beyond its limit (LIMIT_WORKER_LINE,
 * LIMIT_WORKER_BYTES) ends the reading; what was said before stays. No memory is
 * allocated but for faults.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/fault.h"
#include "shared/base/limits.h"

#define NEXT_UNSAID INT64_C(-1)

struct next {
        int64_t next_ms;                    /* 0 or more, or NEXT_UNSAID */
        int64_t poll_ms;                    /* NEXT_POLL_MIN_MS or more, or NEXT_UNSAID */
        int64_t limit_ms;                   /* NEXT_LIMIT_MIN_MS or more, or NEXT_UNSAID */
        char status[LIMIT_WORKER_LINE + 1]; /* harmless for terminals; "" when unsaid */

        /* Reading */
        char line[LIMIT_WORKER_LINE + 1];
        size_t used;
        size_t total;
        bool refused;
};

#define NEXT_POLL_MIN_MS  100
#define NEXT_LIMIT_MIN_MS 100
#define NEXT_MAX_MS       (7 * 24 * 3600 * INT64_C(1000))

/* Before every worker: nothing was said. */
void next_clear(struct next *n);
/* Take bytes as they come. After the first fault everything is ignored, and 0 returned. */
int next_feed(struct next *n, const void *data, size_t size, struct fault *reterr);
/* The worker has ended: a line without its end is a fault, and is not taken. */
int next_end(struct next *n, struct fault *reterr);
