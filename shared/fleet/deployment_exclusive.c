/* SPDX-License-Identifier: Apache-2.0 */

/* The strategies canary and blue-green need two of each primary service at a time: services that cannot run twice */

#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/compose/exclusive.h"
#include "shared/fleet/fleet_private.h"

static int refuse(const struct deployment *d, const struct compose_service *s, const struct exclusive_reason *reason,
                  struct fault *reterr) {
        int r = fault_set_code_at(reterr, &reason->at, REASON_ROLLOUT_EXCLUSIVE,
                                  "strategy %s needs two of %s at a time, and it cannot run twice: %s",
                                  rollout_strategy_names[d->app->rollout.strategy], s->name.text, reason->why);

        if (reason->claim == CLAIM_PORT)
                fault_hint(
                        reterr,
                        "let the engine choose the port and put a router before it; or have it replaced in place, in app.yaml: "
                        "roles: {%s: sidecar}",
                        s->name.text);
        else
                fault_hint(reterr,
                           "leave it out; or have the service replaced in place, in app.yaml: roles: {%s: sidecar}",
                           s->name.text);
        return r;
}

int deployment_check_exclusive(const struct deployment *d, struct fault *reterr) {
        const struct compose_service *services = d->compose.services.items;
        own_arena struct arena *scratch = arena_new();

        if (d->app->rollout.strategy != STRATEGY_CANARY && d->app->rollout.strategy != STRATEGY_BLUE_GREEN)
                return 0;
        for (size_t i = 0; i < d->compose.services.n; i++) {
                struct exclusive_reason reason = exclusive_find(&services[i], scratch);

                if (reason.claim != CLAIM_NOTHING && app_role(d->app, services[i].name.text) == ROLE_PRIMARY)
                        return refuse(d, &services[i], &reason, reterr);
        }
        return 0;
}
