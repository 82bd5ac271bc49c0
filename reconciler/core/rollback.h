/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Revert: the instances that served before take over again. Pure; needs neither registry nor network.
 *
 * Where a service can run twice, its old instances are up before its new ones stop, and the router has let go of those.
 */

#include "reconciler/core/context.h"

/* Add what is due; true when the app is as it was before the rollout began. */
bool rollback(struct rollout_context *ctx);
