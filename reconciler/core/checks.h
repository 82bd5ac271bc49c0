/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Checks: which are due, and what their facts mean for the rollout. Pure; the judging itself is policies/analysis.h. */

#include "reconciler/core/context.h"

/* A check that is to be made now. */
struct check_due {
        const struct check *check;
        const struct instance *instance; /* NULL: once for the release */
};

/*
 * The checks that a rollout under way is due to make at @now, as struct check_due in @a: of new instances that run,
 * `interval` after the last round. None when no stage and no check step is under way. Instances as observe() gives
 * them.
 */
void checks_due(const struct app_input *app, int64_t now, struct arena *a, struct struct_list *ret);

/* Fold the world's facts into the rollout's memory of its checks. */
void checks_fold(struct rollout_context *ctx);

/*
 * All of them together; *ret_check is the one that decides (NULL without checks). Wishes for the next round when it is
 * not failed.
 */
enum check_verdict checks_verdict(struct rollout_context *ctx, const struct check_state **ret_check);
