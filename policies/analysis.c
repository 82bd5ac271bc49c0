/* SPDX-License-Identifier: Apache-2.0 */

#include "policies/analysis.h"

void analysis_round(const struct check *check, const struct check_fact *facts, size_t n, int64_t now, struct arena *a,
                    struct check_state *state) {
        enum check_verdict round = n > 0 ? CHECK_PASS : CHECK_INCONCLUSIVE;

        for (size_t i = 0; i < n; i++)
                if (facts[i].verdict == CHECK_FAIL || (facts[i].verdict == CHECK_INCONCLUSIVE && round == CHECK_PASS)) {
                        round = facts[i].verdict;
                        state->detail = facts[i].detail;
                }
        state->at = now;
        state->passes = round == CHECK_PASS ? state->passes + 1 : 0;
        state->failures = round == CHECK_FAIL ? state->failures + 1 : 0;
        state->verdict = round == CHECK_FAIL && state->failures < check->retries ? CHECK_INCONCLUSIVE : round;
}
