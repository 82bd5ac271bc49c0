/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Split: who gets an app's requests. Pure.
 *
 * The route of the moment follows from the instances: those that are healthy, are not about to stop, and, when they are
 * new, were proven. It is made anew at every look and compared with what the router has in force, so a crash or
 * somebody's hand in between needs no memory of what was asked for. An instance is stopped only after the route let go
 * of it, and a while later.
 */

#include "reconciler/core/context.h"

/*
 * Whether @i, which is to stop, may do so now: no route leads to it, and what it was asked before is answered. Marks it
 * as retiring; says what is waited for when it may not.
 */
bool traffic_releases(struct rollout_context *ctx, const struct instance *i);

/*
 * Write down which route is in force. One that is not the one before was put there by somebody, or by a pass that was
 * killed before it could write that down: whom it let go is let go as of now. Not where such a route is a drift that is
 * still to be told (split_drift).
 */
void traffic_notice(struct rollout_context *ctx);

/* Put the route into force that follows from this look, when another one is. */
void traffic_apply(struct rollout_context *ctx);

/*
 * The same while something else is waited for, and nothing was decided about the instances: only when the route leads
 * to somebody who does not run.
 */
void traffic_repair(struct rollout_context *ctx);

/*
 * The route that follows from this look is in force, or there is no router, or nobody it could lead to. Says what is
 * waited for when an instance cannot be reached.
 */
bool traffic_is_applied(struct rollout_context *ctx);

/* The app's router has nothing of it any more. True when it is so already, and nothing is to be done. */
bool traffic_end(struct rollout_context *ctx);

/*
 * A settled app whose router does not do what it was told: a drift, added to the look's; otherwise the route is only
 * followed (a restarted instance has another port).
 */
void traffic_drift(struct rollout_context *ctx);
