/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Walk: one look at a plan under way: which steps begin, go on, end. Pure.
 *
 * A step is ready when all that it needs are over; steps that need nothing of each other run side by side. Legal moves
 * are those of plan_may_move(). Everything a step has to remember is in its struct rollout_step; what it did is seen in
 * the world.
 */

#include "reconciler/core/context.h"

/* Walk on. False when the rollout ended with this look: a step failed for good, look_fail() or a pause was called. */
bool execution_run(struct rollout_context *ctx);

/* All steps are over. */
bool execution_is_over(const struct rollout *r);

/* preparing, staging or evaluating: what the steps under way amount to. */
enum phase execution_phase(const struct rollout_context *ctx);

/* The rollout ends: what was not started is skipped, what runs is cancelled. */
void execution_end(struct rollout *r, int64_t now);

/* What a command that a step asked for came to. @detail is copied to @a. */
void execution_command_done(struct rollout *r, const char *step, bool well, const char *detail, int64_t now,
                            struct arena *a);
