/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Repair: putting right what drifted from the settled release. Pure. */

#include "reconciler/core/look.h"

/* Add the actions that put the look's drift right, when the app's settings and the breaker let it. */
void repair(struct look *s);
