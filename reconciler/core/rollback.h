/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rollback: the previous instances take over again. Pure; needs neither registry nor network.
 *
 * Where a service can run twice, its previous instances are up before its new ones stop, and the router has left the
 * new ones before.
 */

#include "reconciler/core/context.h"

/* Add the actions that are due. True when the app is as it was before the rollout began. */
bool rollback(struct rollout_context *ctx);
