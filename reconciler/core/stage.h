/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Stage: replaces the share of the instances that one step of a plan asks for. Pure.
 *
 * A stage wants `weight` percent of each primary service's instances to be new. It goes in batches of max_parallel; a
 * batch is proven when its instances are healthy, without a break, for min_healthy_time, and the checks pass.
 * Start-first, the old instances that a proven batch replaces stop after it; stop-first (services that cannot run
 * twice, and the strategy recreate) before it. Progress is observed in the instances; only the number of proven batches
 * is remembered.
 */

#include "reconciler/core/context.h"

enum stage_progress {
        STAGE_BUSY,    /* instances are made, started, stopped */
        STAGE_PROVING, /* they run; health and checks must hold */
        STAGE_DONE,
        STAGE_FAILED, /* the context's code and text say why */
};

enum stage_progress stage_tick(struct rollout_context *ctx, struct rollout_step *step);

/*
 * For a check step: whether all new instances that the steps so far asked for have been healthy for long enough, and
 * the checks pass. *ret_waits_for: the missing condition.
 */
enum stage_progress stage_hold(struct rollout_context *ctx, const struct rollout_step *step,
                               const char **ret_waits_for);

/*
 * At this point of the plan: the last replica of a service that is new, and the number of old ones that may run beside
 * the new ones.
 */
void stage_reach(struct rollout_context *ctx, const struct workload_service *service, int64_t *ret_new,
                 int64_t *ret_old);

/* Admit the new instances to requests that the steps so far have proven. */
void stage_admit(struct rollout_context *ctx);

/* The first new instance that stopped by itself or is unhealthy; NULL: none. */
const struct instance *stage_first_failure(const struct rollout_context *ctx, const char **ret_code,
                                           const char **ret_text);
