/* SPDX-License-Identifier: Apache-2.0 */

/* A release that failed here is not tried again until the desired release changes or a signed retry names it. */

#include "policies/gate.h"
#include "shared/base/reason.h"

static void judge(const struct gate *gate, const struct world *world, const struct world_app *app, struct arena *a,
                  struct struct_list *verdicts) {
        if (!app->wanted || !app->wanted->release)
                verdict_add(verdicts, a, gate->name, VERDICT_DENY, REASON_GATE_POISONED,
                            "the declared release is not known");
        else if (rollout_is_poisoned(&app->rollout, app->wanted->release))
                verdict_add(verdicts, a, gate->name, VERDICT_DENY, REASON_GATE_POISONED,
                            arena_printf(a, "release %s failed on this host; merge another one to go on",
                                         app->wanted->version ? app->wanted->version : app->wanted->release));
        else
                verdict_add(verdicts, a, gate->name, VERDICT_ALLOW, NULL, NULL);
}

const struct gate gate_poison = {
        .name = "poison",
        .judge = judge,
        .doc = "Denies a release that failed on this host.",
};
