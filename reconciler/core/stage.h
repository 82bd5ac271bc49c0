/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Stage: from the old instances towards the new ones, as far as one step of a plan asks. Pure.
 *
 * A stage wants `weight` percent of each primary service's instances to be new. It goes in batches of max_parallel; a
 * batch is proven when its instances are healthy, without a break, for min_healthy_time, and the checks pass.
 * Start-first, the old instances that a proven batch replaces stop after it; stop-first (services that cannot run
 * twice, and the strategy recreate) before it. What was done is seen in the instances; only the number of proven
 * batches is remembered.
 */

#include "reconciler/core/context.h"

enum stage_progress {
        STAGE_BUSY,    /* instances are made, started, stopped */
        STAGE_PROVING, /* they run; health and checks must hold */
        STAGE_DONE,
        STAGE_FAILED, /* the look's code and text say why */
};

enum stage_progress stage_tick(struct rollout_context *ctx, struct rollout_step *step);

/*
 * For a step that checks: all new instances that the steps so far asked for are up and steady, and the checks pass.
 * *ret_waits_for: what is missing.
 */
enum stage_progress stage_hold(struct rollout_context *ctx, const struct rollout_step *step,
                               const char **ret_waits_for);

/*
 * So far: up to which replica of a service the new ones were asked for, and how many of the old ones may run beside
 * them.
 */
void stage_reach(struct rollout_context *ctx, const struct workload_service *service, int64_t *ret_new,
                 int64_t *ret_old);

/* Mark the new instances that were proven by the steps so far, so that they get requests. */
void stage_admit(struct rollout_context *ctx);

/* The first new instance that stopped by itself or is ill; NULL when none. */
const struct instance *stage_first_failure(const struct rollout_context *ctx, const char **ret_code,
                                           const char **ret_text);
