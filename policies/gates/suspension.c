/* SPDX-License-Identifier: Apache-2.0 */

/* Acting on this host is suspended by a person, with a reason. */

#include "policies/gate.h"
#include "shared/base/reason.h"

static void judge(const struct gate *gate, const struct decision_input *input, const struct app_input *app,
                  struct arena *a, struct struct_list *verdicts) {
        if (!input->suspended)
                verdict_add(verdicts, a, gate->name, VERDICT_ALLOW, NULL, NULL);
        else
                verdict_add(verdicts, a, gate->name, VERDICT_PENDING, REASON_GATE_SUSPENDED,
                            input->suspended_reason ? input->suspended_reason : "acting on this host is suspended");
}

const struct gate gate_suspension = {
        .name = "suspension",
        .judge = judge,
        .doc = "Holds every release while acting on this host is suspended.",
};
