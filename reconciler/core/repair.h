/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Repair: putting right what drifted from the settled release. Pure. */

#include "reconciler/core/context.h"

/* Add the actions that put the look's drift right, when the app's settings and the breaker let it. */
void repair(struct rollout_context *ctx);
