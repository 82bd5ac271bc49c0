/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Revive: what ended with its engine in the middle of a rollout, old or new, runs on. Pure.
 *
 * An engine that was killed ends, when it comes up, what still runs, and leaves most of it stopped. That says nothing
 * about a release.
 */

#include "reconciler/core/context.h"

/* Start again what should run as far as the plan has come. False: there is nothing of that kind. */
bool restart_interrupted(struct rollout_context *ctx);
