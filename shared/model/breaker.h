/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Breaker: what is remembered of the repairs of one app's drift (reconciler/core/breaker.h moves it). All zero is
 * closed.
 */

#include "shared/data/table.h"

enum breaker_state {
        BREAKER_CLOSED,    /* drift is repaired, at a limited rate */
        BREAKER_OPEN,      /* drift keeps coming back: nothing is repaired for a while */
        BREAKER_HALF_OPEN, /* one repair is tried: if it lasts an hour the breaker closes */
        BREAKER_STATE_MAX_,
};
extern const char *const breaker_state_names[]; /* closed open half-open */

struct breaker_repair {
        int64_t at; /* wall ms */
};

struct breaker {
        enum breaker_state state;
        int64_t repairs;           /* since the last hour without drift */
        struct struct_list recent; /* struct breaker_repair: those of the last hour, oldest first, while closed */
        int64_t next_at;           /* wall ms: no repair before this; 0: none is held back */
        int64_t opened_at;         /* wall ms: when it last opened; 0: never since the last hour without drift */
        int64_t open_ms;           /* for how long it opened then */
        int64_t tried_at;          /* wall ms: half-open: of the repair that is on trial; 0: it is still to come */
        /* wall ms: since when there is no drift; 0: there is, or there is nothing to forget */
        int64_t unchanged_at;
};

extern const struct table breaker_table;
