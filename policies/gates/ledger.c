/* SPDX-License-Identifier: Apache-2.0 */

/* No record, no change: a release begins only when its intent can be stored on this host. */

#include "policies/gate.h"
#include "shared/base/reason.h"

static void judge(const struct gate *gate, const struct decision_input *input, const struct app_input *app,
                  struct arena *a, struct struct_list *verdicts) {
        if (input->ledger_writable)
                verdict_add(verdicts, a, gate->name, VERDICT_ALLOW, NULL, NULL);
        else
                verdict_add(verdicts, a, gate->name, VERDICT_PENDING, REASON_GATE_LEDGER,
                            "the ledger on this host cannot be written");
}

const struct gate gate_ledger = {
        .name = "ledger",
        .judge = judge,
        .doc = "Holds every release while records cannot be stored on this host.",
};
