/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Doctor: what providers tell a person who looks for what is wrong, {"check", "state", "detail", "hint"?} each. */

#include <jansson.h>

#include "shared/base/fault.h"

/* Append a line to @out. @state: "ok", "warn" or "fail". @hint: what helps; NULL: nothing is known to. */
int doctor_say(json_t *out, const char *check, const char *state, const char *detail, const char *hint,
               struct fault *reterr);
/* Append that @check fails, and @why. */
int doctor_say_fault(json_t *out, const char *check, const struct fault *why, struct fault *reterr);
