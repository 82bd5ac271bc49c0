/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/severity.h"

#include "shared/base/reason.h"
#include "shared/base/text.h"

#define SCORE_MAX 100

const char *const severity_names[] = {
        [SEVERITY_WARNING] = "warning",
        [SEVERITY_CRITICAL] = "critical",
        NULL,
};

/* Everything else is critical. */
static const char *const warnings[] = { REASON_DRIFT_EXTRA, REASON_DRIFT_STICKER, REASON_DRIFT_UNHEALTHY };

enum severity drift_severity(const char *code) {
        for (size_t i = 0; i < sizeof(warnings) / sizeof(warnings[0]); i++)
                if (str_eq(code, warnings[i]))
                        return SEVERITY_WARNING;
        return SEVERITY_CRITICAL;
}

int64_t drift_score(const struct struct_list *drift) {
        const struct drift *items = drift->items;
        int64_t score = 0;

        for (size_t i = 0; i < drift->n && score < SCORE_MAX; i++)
                score += drift_severity(items[i].code) == SEVERITY_CRITICAL ? 10 : 1;
        return score < SCORE_MAX ? score : SCORE_MAX;
}
