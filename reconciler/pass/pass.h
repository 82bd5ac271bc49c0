/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pass: the one code path. From what is on disk and what is observed, do what is due, record it, say when to look
 * again.
 *
 *      fetch → verify → load → observe → judge → decide → act → record
 *
 * Crash-only: a pass may be killed at any instant, and the next one goes on from there.
 */

#include <jansson.h>

#include "providers/runtime/runtime.h"
#include "reconciler/config/config.h"

struct pass_options {
        const struct progress *progress; /* NULL: none */
        int64_t linger_ms;               /* stay this long while a rollout's next step is near */
        bool dry;                        /* decide, but change and record nothing (`tally diff`) */
        /* dry: judge this commit, hex, instead of the remote's tip; not verified. NULL: no */
        const char *commit;
        int lock_wait_ms; /* how long to wait for another pass */
};

struct pass_result {
        int exit_code;    /* by docs/exit-codes.md */
        json_t *status;   /* status.json as it stands now; a new reference */
        json_t *decision; /* dry: what would be done; a new reference, else NULL */
        int64_t next_ms;  /* wish for the next pass, in ms from now */
        /* dry: the plans of rollouts under way, else of the declared releases, in DOT; in the arena */
        const char *graph;
};

/* Strings live in @a. A fault means the pass could not do its work at all; failures of apps are in the status. */
int pass_run(const struct config *config, const struct pass_options *options, struct arena *a, struct pass_result *ret,
             struct fault *reterr);

/* The host file to merge, as `init` prints it, for a host that is not enrolled. In @a. */
const char *pass_host_document(const char *host, const char *public_key, struct arena *a);

/*
 * Ask a running pass to end after its current action; async-signal-safe. A second SIGINT ends the process at once, as a
 * kill would; the next pass goes on from there.
 */
void pass_interrupt(int number);
