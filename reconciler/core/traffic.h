/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Traffic: which instances get an app's requests. Pure.
 *
 * The route follows from the instances: it leads to those that are healthy, are not about to stop, and, when they are
 * new, were proven. Each decision computes it and compares it with the route that the router has in force. So no memory
 * is needed of the route that a crash or a person changed. An instance is stopped only after the route has left it, and
 * after `drain`.
 */

#include "reconciler/core/context.h"

/*
 * Mark @i as retiring. True when it may stop now: no route leads to it, and `drain` has passed since. False sets the
 * text of the wait.
 */
bool traffic_releases(struct rollout_context *ctx, const struct instance *i);

/*
 * Remember which route is in force. A route other than the last one that we applied was put there by a person or by an
 * interrupted pass: the instances that it left are drained from now on. Not where such a route is drift that
 * traffic_drift() still has to report.
 */
void traffic_notice(struct rollout_context *ctx);

/* Add the action that puts the route of this decision into force, when another route is. */
void traffic_apply(struct rollout_context *ctx);

/*
 * The same while the rollout waits and decides nothing about instances: only when the route leads to an instance that
 * does not run.
 */
void traffic_repair(struct rollout_context *ctx);

/*
 * True when the route of this decision is in force, when there is no router, or when no instance could be a target.
 * Sets the text of the wait when an instance cannot be reached.
 */
bool traffic_is_applied(struct rollout_context *ctx);

/* Take the app out of its router. True when the router has nothing of it any more. */
bool traffic_end(struct rollout_context *ctx);

/*
 * For an app at rest: a route in force that we did not apply is drift, and is added to the decision's. Otherwise the
 * route only follows the instances (a restarted instance has another port).
 */
void traffic_drift(struct rollout_context *ctx);
