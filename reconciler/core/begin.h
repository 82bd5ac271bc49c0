/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Begin: whether a rollout of the declared release may begin, and its first state. Pure.
 */

#include "reconciler/core/context.h"

/* The declared release is another than @than (the release under way, or the current one), and the gates allow it. */
bool begin_is_due(const struct rollout_context *ctx, const char *than);

/* The declared release failed before, and a signed retry allows one more rollout of it. */
bool begin_is_due_again(const struct rollout_context *ctx);

/* Begin the rollout of the declared release. */
void begin(struct rollout_context *ctx);
