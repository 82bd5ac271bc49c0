/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Severity: how grave drift is, by its reason code. Pure. */

#include "shared/model/decision.h"

enum severity {
        SEVERITY_WARNING,  /* what is declared runs as declared; something beside it is not as it should be */
        SEVERITY_CRITICAL, /* something that is declared does not run, or not from what was signed */
        SEVERITY_MAX_,
};
extern const char *const severity_names[]; /* warning critical */

/* A code that is not of drift is critical: what is not known is not belittled. */
enum severity drift_severity(const char *code);

/* Of a list of struct drift: 10 for each critical one and 1 for each warning, at most 100. */
int64_t drift_score(const struct struct_list *drift);
