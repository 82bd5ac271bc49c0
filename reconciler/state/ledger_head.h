/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ledger head: where the host's ledger ends, kept beside the clone (head.json)
 *
 * It stands outside ledger.git, so that a clone that went back is noticed, and it can be read without opening a
 * repository: a quiet pass learns from it whether a heartbeat or a push is due.
 */

#include "reconciler/state/state.h"
#include "shared/data/digest.h"
#include "shared/git/object.h"

#define LEDGER_OPEN_INTENTS 1024 /* apps that are changed at once */

struct ledger_head {
        bool any;    /* false: there is no ledger yet, the rest is empty */
        int64_t seq; /* of the last record */
        int64_t epoch;
        struct digest record;          /* SHA-256 of the last envelope */
        struct digest genesis;         /* of the first */
        struct object_id commit;       /* the branch here */
        int64_t wall_ms, monotonic_ns; /* of the last record */
        char boot_id[37];
        char key[FINGERPRINT_TEXT_MAX];            /* that signed it */
        int64_t open_intents[LEDGER_OPEN_INTENTS]; /* numbers of intents without result, oldest first */
        size_t n_open_intents;
        struct object_id pushed;   /* the last commit that the remote took; zero: none */
        struct object_id diverged; /* the foreign tip that was recorded; zero: none */
        int64_t pushed_at;         /* wall ms; 0: never */
};

/* No file: any is false. One that cannot be read is set aside; STATE_CORRUPT, -EUCLEAN. */
int ledger_head_read(const struct state *s, struct ledger_head *ret, struct fault *reterr);
int ledger_head_write(struct state *s, const struct ledger_head *head, struct fault *reterr);

/* The list `openIntents` of a record or of the file. false when it is none. */
bool ledger_head_take_intents(struct ledger_head *head, const json_t *list);

/* Commits wait to be pushed. */
bool ledger_head_is_behind(const struct ledger_head *head);
/* The wall clock is behind the last record's by more than LEDGER_CLOCK_TOLERANCE_MS: a clock-event, CLOCK_BACKWARDS. */
#define LEDGER_CLOCK_TOLERANCE_MS 1000
bool ledger_head_clock_went_back(const struct ledger_head *head, int64_t now_ms);
