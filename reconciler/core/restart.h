/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Restart: instances that ended with their engine in the middle of a rollout run again, previous and new ones. Pure.
 *
 * After an engine crash, containers are reported as exited. This is not a release failure: restart them.
 */

#include "reconciler/core/context.h"

/* Start the instances again that run at this point of the plan. False: none ended with its engine. */
bool restart_interrupted(struct rollout_context *ctx);
