/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rollout: the state table of delivery. Pure.
 *
 * One function a phase; each looks at the app, adds what is due, and says where the rollout goes. Every phase may be
 * entered again after a crash at any instant: what has been done is seen in the instances, not remembered.
 *
 *      absent, settled   compare; repair drift; begin a rollout when another release is wanted and the gates allow it
 *      preparing         the plan is walked (walk.h); nothing is touched yet
 *      staging           … instances are made, started, stopped (stage.h)
 *      evaluating        … health and checks must hold, time must pass, somebody must allow
 *      finishing         the new release is settled; the old instances go
 *      reverting         the new instances go, the old ones serve again (revert.h); the release is poisoned
 *      paused, stuck     wait for a person, loudly; stuck tries the revert again now and then
 *      removing          the app is no longer declared and may be pruned
 */

#include "reconciler/core/context.h"
#include "shared/base/fault.h"

/* Look until the phase stays: a look may pass through several phases without an effect between them. */
void rollout_advance(struct rollout_context *ctx);

/*
 * What became of an action, folded into the state that is persisted. The next decide() works from it. Strings are
 * copied to @a.
 */
void rollout_action_done(struct rollout *r, const struct action *action, int64_t now, struct arena *a);
/*
 * Preparing and routing: transient faults back off and are tried again for ever, so are credentials that the registry
 * refuses; a digest mismatch, an invalid route and any other refusal end the rollout. Elsewhere the rollout fails and
 * reverts, but for a world that moved meanwhile, which is tried again. A command fails its step.
 */
void rollout_action_failed(struct rollout *r, const struct action *action, const struct fault *fault, int64_t now,
                           struct arena *a);
