/* SPDX-License-Identifier: Apache-2.0 */

/* Acting on this host is suspended by a person, with a reason. */

#include "policies/gate.h"
#include "shared/base/reason.h"

static void judge(const struct gate *gate, const struct world *world, const struct world_app *app, struct arena *a,
                  struct struct_list *verdicts) {
        if (!world->suspended)
                verdict_add(verdicts, a, gate->name, VERDICT_ALLOW, NULL, NULL);
        else
                verdict_add(verdicts, a, gate->name, VERDICT_PENDING, REASON_GATE_SUSPENDED,
                            world->suspended_reason ? world->suspended_reason : "acting on this host is suspended");
}

const struct gate gate_suspension = {
        .name = "suspension",
        .judge = judge,
        .doc = "Holds every release while acting on this host is suspended.",
};
