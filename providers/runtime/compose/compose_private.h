/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The compose runtime's state, and its functions that stand in files of their own. */

#include "providers/runtime/compose/program.h"
#include "providers/runtime/docker/docker_private.h"

struct compose_runtime {
        struct docker docker; /* first: its functions do all but prepare and create */
        struct program program;
};

static inline struct compose_runtime *compose_runtime_of(struct runtime *rt) {
        return (struct compose_runtime *)rt;
}

int compose_prepare(struct runtime *rt, const struct workload *w, const struct progress *progress,
                    struct fault *reterr);
int compose_create(struct runtime *rt, const struct workload *w, const struct workload_service *service, int64_t index,
                   struct arena *a, const char **ret_id, struct fault *reterr);
