/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Failed: what instances of a release printed last that failed here, failed-<app>.json in the state (docs/state.md)
 *
 * A release that is taken back goes with its instances, and with them what the engine kept of their output. What
 * programs print may be secret: it stays on the host, in the state folder (0700); the ledger gets digests.
 */

#include "reconciler/state/state.h"
#include "shared/model/instance.h"

#define FAILED_OUTPUTS_MAX 8 /* of one release; the newest stay */

struct failed_output {
        const char *id, *name, *service;
        int64_t index;
        enum instance_state state;
        int64_t exit_code;
        int64_t at;       /* wall ms: when it was read */
        const char *text; /* see runtime_ops.output */
};

struct failed {
        const char *release, *version; /* NULL: none failed, or nothing was heard */
        struct struct_list outputs;    /* struct failed_output, oldest first */
};

/* The last one of the app that was heard; empty when there is none, or when it cannot be read. In @a. */
void failed_read(const struct state *s, const char *app, struct arena *a, struct failed *ret);
int failed_write(struct state *s, const char *app, const struct failed *failed, struct fault *reterr);
int failed_remove(struct state *s, const char *app, struct fault *reterr);

/*
 * Add @output, in place of what was heard of the same instance before. What is beyond FAILED_OUTPUTS_MAX goes, oldest
 * first.
 */
void failed_add(struct failed *f, const struct failed_output *output, struct arena *a);
