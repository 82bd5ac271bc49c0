/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Breaker: how often drift is repaired that keeps coming back. Pure.
 *
 *      closed      Three repairs come at once; the fourth waits 10 s after the third, then 30 s, 1 min, and 5 min each.
 *                  The fifth repair within an hour opens it.
 *      open        Nothing is repaired: 10 min at first, twice as long each time, up to 6 h. Then, if there still is
 *                  drift:
 *      half-open   One repair is tried. Drift that is there BREAKER_SETTLE_MS later, or comes back, opens it again.
 *
 * An hour without drift closes it and forgets everything. Only what changes is written: quiet looks and looks at an
 * open breaker leave it as it is. Stored times that lie in the future belong to a clock that was set back: they are
 * taken as now, so that no wait gets longer than the longest of its kind.
 *
 * At each look at a settled app, with whether there is drift that could be repaired:
 *
 *      breaker_look(b, drifts, now);
 *      if (drifts && breaker_wait_ms(b, now) == 0) { …repair…; breaker_repaired(b, now, arena); }
 */

#include <stdbool.h>

#include "shared/model/breaker.h"

#define BREAKER_REPAIRS_MAX 5
#define BREAKER_WINDOW_MS   (INT64_C(60) * 60 * 1000)
#define BREAKER_QUIET_MS    (INT64_C(60) * 60 * 1000)
#define BREAKER_OPEN_MS     (INT64_C(10) * 60 * 1000)
#define BREAKER_OPEN_MAX_MS (INT64_C(6) * 60 * 60 * 1000)
#define BREAKER_SETTLE_MS   (INT64_C(10) * 1000)
#define BREAKER_WAIT_MAX_MS (INT64_C(5) * 60 * 1000)

/* A look at the app at @now: moves the state. */
void breaker_observe(struct breaker *b, bool drifts, int64_t now);

/* After breaker_look() that found drift: how long the next repair must wait; 0: not at all. */
int64_t breaker_wait_ms(const struct breaker *b, int64_t now);

/* A repair is made at @now. The list that @b had is not changed; the new one is in @a. */
void breaker_repaired(struct breaker *b, int64_t now, struct arena *a);

/* Why a repair waits, one clause for people. */
const char *breaker_why(const struct breaker *b);
