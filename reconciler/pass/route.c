/* SPDX-License-Identifier: Apache-2.0 */

/* Routers of this host: opened when an app needs one, and asked what they have in force. */

#include "reconciler/pass/context.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

static int open_router(struct pass *p, enum router_kind kind, struct router **ret, struct fault *reterr) {
        const struct router_settings *settings = p->config->routers[kind];
        int r;

        if (p->routers[kind]) {
                *ret = p->routers[kind];
                return 0;
        }
        if (!settings) {
                r = fault_set_code(reterr, FAULT_TRANSIENT, REASON_ROUTER_UNAVAILABLE, "this host has no router %s",
                                   router_kind_names[kind]);
                fault_hint(reterr, "set it up in %s: routers: {%s: {…}}; see tally.yaml(5)",
                           p->config->path ? p->config->path : "tally.yaml", router_kind_names[kind]);
                return r;
        }
        r = router_open(kind, settings, &p->routers[kind], reterr);
        if (r == 0)
                *ret = p->routers[kind];
        return r;
}

int pass_router_of(void *data, const char *name, struct router **ret, struct fault *reterr) {
        for (int kind = 0; kind < ROUTER_KIND_MAX_; kind++)
                if (str_eq(router_kind_names[kind], name))
                        return open_router(data, (enum router_kind)kind, ret, reterr);
        return fault_set(reterr, FAULT_INTERNAL, EINVAL, "there is no router '%s'", name);
}

/* A router that is not to be had is a fact about the world: the app waits, the others go on. */
void pass_observe_route(struct pass *p, struct app_input *app) {
        const struct traffic *traffic = app_input_traffic(app);
        own_fault struct fault fault = FAULT_INIT;
        struct router *router = NULL;
        int r;

        if (!traffic)
                return;
        r = open_router(p, traffic->router, &router, &fault);
        if (r == 0)
                r = router_check(router, app->app, traffic, &fault);
        if (r == 0)
                r = router_observe(router, app->app, traffic, p->arena, &app->route, &fault);
        if (r < 0)
                app->route = (struct route_state){ .reason = arena_strdup(p->arena, fault.message) };
}
