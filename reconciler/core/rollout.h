/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rollout: the state table of delivery. Pure.
 *
 * One function a phase; each looks at the app, adds what is due, and says where the rollout goes. Every phase may be
 * entered again after a crash at any instant: what has been done is seen in the instances, not remembered.
 *
 *      absent, settled   compare; repair drift; begin a rollout when another release is wanted and the gates allow it
 *      preparing         pull and verify; nothing is touched yet
 *      staging           in dependency order: make the new, stop the old, start the new
 *      evaluating        all new instances run; health must hold for min_healthy_time
 *      finishing         the old instances go
 *      reverting         the new instances go, the old ones serve again; the release is poisoned
 *      paused, stuck     wait for a person, loudly; stuck tries the revert again now and then
 *      removing          the app is no longer declared and may be pruned
 */

#include "reconciler/core/step.h"
#include "shared/base/fault.h"

/* Look until the phase stays: a step may pass through several phases without an effect between them. */
void rollout_step(struct step *s);

/*
 * What became of actions, folded into the state that is persisted. The next decide() works from it.
 */
void rollout_prepared(struct rollout *r, int64_t now);
void rollout_progressed(struct rollout *r, int64_t now);
/*
 * An action failed. Preparing: transient faults back off and are tried again for ever, so are credentials that
 * the registry refuses; a digest mismatch and any other refusal end the rollout. Elsewhere the rollout fails and reverts,
 * but for a world that moved meanwhile, which is tried again. Strings are copied to @a.
 */
void rollout_action_failed(struct rollout *r, enum action_verb verb, const struct fault *fault, int64_t now, struct arena *a);

/* 1 s, 2 s, 4 s … up to 5 minutes. */
int64_t rollout_back_off_ms(int64_t attempts);
