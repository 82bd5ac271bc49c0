/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Begin: whether a rollout of the declared release may begin, and its first moment. Pure.
 */

#include "reconciler/core/context.h"

/* Another release than this one, the one under way or the settled one, is declared, and the gates allow it. */
bool begin_is_due(const struct rollout_context *ctx, const char *than);

/* The declared release failed, and may be tried once more: a signed retry names it. */
bool begin_is_due_again(const struct rollout_context *ctx);

/* The rollout of the declared release, from its beginning. */
void begin(struct rollout_context *ctx);
