/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Child: work that may hang or meet hostile bytes, in a forked process with time-outs
 *
 * The child runs the function, sends its result (plain bytes) or its fault through a pipe and ends; it shares
 * nothing back. It dies with its parent. A child that crashes is a fault like any other. The caller has one
 * thread.
 */

#include <stddef.h>

#include "shared/base/fault.h"

struct child; /* the child's end: tells the parent that it lives */

struct child_work {
        const char *what; /* for messages: "fetching main from …"; no secrets */
        /* Runs in the child. Fills @result, which is zeroed, of result_size bytes. */
        int (*run)(struct child *c, void *data, void *result, struct fault *reterr);
        void *data;
        size_t result_size;   /* at most CHILD_RESULT_MAX; no pointers in it */
        int stall_timeout_ms; /* without child_alive(); 0: none */
        int timeout_ms;       /* in all; 0: none */
};

#define CHILD_RESULT_MAX 1024

/*
 * What run() returned, with its fault; or FAULT_TRANSIENT with -ETIMEDOUT, -EIO (it crashed), -EAGAIN (no
 * fork).
 */
int child_run(const struct child_work *work, void *ret_result, struct fault *reterr);

/* Called by the work whenever it got on. Cheap, never blocks. */
void child_alive(struct child *c);
