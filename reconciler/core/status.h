/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Status: what is so now, as status.json (docs/ledger.md). Pure.
 *
 * From the world and the decision made of it; the ledger's head and the time are put in by the record stage.
 */

#include <jansson.h>

#include "shared/model/decision.h"
#include "shared/model/decision_input.h"

#define STATUS_SCHEMA "tallyman/status/v1"

enum host_status {
        STATUS_CONVERGED,
        STATUS_PROGRESSING,
        STATUS_BLOCKED,
        STATUS_DEGRADED,
        STATUS_REFUSED,
        STATUS_FAILED,
        STATUS_MAX_,
};
extern const char *const host_status_names[];

struct status_refusal {
        const char *commit; /* hex; NULL: nothing is refused */
        const char *code;
        const char *message;
        const char *hint; /* what helps; NULL: none */
        int64_t at;       /* wall ms: first refused */
};

/* What the pass knows beside the world. Strings may be NULL where nothing is known. */
struct status_facts {
        const char *fleet;
        const char *branch;
        const char *tip;      /* last seen at the remote, hex */
        const char *accepted; /* hex */
        struct status_refusal refusal;
        const char *stale;   /* why the remote could not be asked */
        int64_t fetched_at;  /* wall ms: when it was last asked with success; 0: never */
        const char *blocked; /* why nothing is done on this host at all: not enrolled, … */
        const char *blocked_code;
        int blocked_exit; /* the exit code for that: 1, 3 or 4 */
};

/* The state of the host: the gravest of what is refused, blocked, and its apps. */
enum host_status status_of(const struct decision *d, const struct status_facts *facts);

/* The document without `ledger` and `at`; a new reference. */
json_t *status_document(const struct decision_input *input, const struct decision *decision,
                        const struct status_facts *facts);

/* The exit code of a pass that ended so: 0, 1, 3, 4 or 5 (interfaces: exit codes). */
int status_exit_code(const struct decision_input *input, const struct decision *decision,
                     const struct status_facts *facts);
