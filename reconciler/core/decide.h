/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Decide: from the world to what is due. Pure: no I/O, no clock, no environment; the build proves it on the symbols.
 *
 * The same world gives the same decision, byte for byte, on any machine (`tally replay`).
 */

#include "shared/model/decision.h"
#include "shared/model/decision_input.h"

/* @ret points into @world and @a. The world's verdicts must be filled in (gate_judge). */
void decide(const struct decision_input *input, struct arena *a, struct decision *ret);
