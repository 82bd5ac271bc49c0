/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Plan execution: which steps of the plan begin, continue and end. Pure.
 *
 * A step is ready when all steps that it needs are over. Steps that do not need each other run side by side. Legal
 * moves are those of plan_may_move(). The state of a step is its struct rollout_step; its effect is observed in the decision
 * input.
 */

#include "reconciler/core/context.h"

/* Execute the plan. False when the rollout ended with this decision: a step failed for good, or the rollout pauses. */
bool execution_run(struct rollout_context *ctx);

/* All steps are over. */
bool execution_is_over(const struct rollout *r);

/* The phase that follows from the steps under way: preparing, staging or evaluating. */
enum phase execution_phase(const struct rollout_context *ctx);

/* End the rollout: steps that did not start are skipped, steps that run are cancelled. */
void execution_end(struct rollout *r, int64_t now);

/* Take in the result of a step's command. @detail is copied to @a. */
void execution_command_done(struct rollout *r, const char *step, bool well, const char *detail, int64_t now,
                            struct arena *a);
