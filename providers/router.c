/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/router.h"

#include "providers/routers/caddy.h"
#include "providers/routers/haproxy.h"
#include "providers/routers/memory.h"
#include "providers/routers/nginx.h"
#include "providers/routers/parts.h"
#include "providers/routers/traefik.h"
#include "providers/vtable.h"
#include "shared/base/text.h"

const struct router_ops *const router_table[ROUTER_KIND_MAX_] = {
        [ROUTER_NGINX] = &nginx_router_ops,   [ROUTER_HAPROXY] = &haproxy_router_ops,
        [ROUTER_CADDY] = &caddy_router_ops,   [ROUTER_TRAEFIK] = &traefik_router_ops,
        [ROUTER_MEMORY] = &memory_router_ops,
};

int router_ops_verify(const struct router_ops *ops, struct fault *reterr) {
        const struct vtable_slot required[] = {
                { "open", ops->open },       { "close", ops->close }, { "check", ops->check },
                { "observe", ops->observe }, { "apply", ops->apply }, { "remove", ops->remove },
        };
        const struct vtable vtable = {
                .what = "router",
                .name = ops->name,
                .abi = ops->abi,
                .wanted_abi = ROUTER_ABI,
                .required = required,
                .n_required = sizeof(required) / sizeof(required[0]),
        };

        return vtable_verify(&vtable, reterr);
}

int router_open(enum router_kind kind, const struct router_settings *settings, struct router **ret,
                struct fault *reterr) {
        const struct router_ops *ops = (unsigned)kind < ROUTER_KIND_MAX_ ? router_table[kind] : NULL;
        int r;

        if (!ops)
                return fault_set(reterr, FAULT_CONFIG, ENOTSUP, "this router was not compiled in");
        r = router_ops_verify(ops, reterr);
        if (r < 0)
                return r;
        r = ops->open(settings, ret, reterr);
        return r < 0 ? fault_context(reterr, r, "router %s", ops->name) : 0;
}

void router_close(struct router *r) {
        if (r)
                r->ops->close(r);
}

/* Positions speak for themselves: a prefix would stand between them and the sentence. */
int router_check(struct router *r, const char *app, const struct traffic *traffic, struct fault *reterr) {
        return r->ops->check(r, app, traffic, reterr);
}

int router_observe(struct router *r, const char *app, const struct traffic *traffic, struct arena *a,
                   struct route_state *ret, struct fault *reterr) {
        struct route_state state = { .route.app = app };
        int n = r->ops->observe(r, app, traffic, a, &state, reterr);

        if (n < 0)
                return fault_context(reterr, n, "%s: cannot tell how %s is routed", r->ops->name, app);
        route_sort(&state.route);
        *ret = state;
        return 0;
}

int router_apply(struct router *r, const struct traffic *traffic, const struct route *route, struct fault *reterr) {
        int n = route_check(traffic, route, reterr);

        if (n == 0)
                n = r->ops->apply(r, traffic, route, reterr);
        return n < 0 ? fault_context(reterr, n, "%s: cannot route %s", r->ops->name, route->app) : 0;
}

int router_remove(struct router *r, const char *app, struct fault *reterr) {
        int n;

        if (!name_is_valid(app))
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "'%s' is not an app's name", app);
        n = r->ops->remove(r, app, reterr);
        return n < 0 ? fault_context(reterr, n, "%s: cannot take %s out", r->ops->name, app) : 0;
}

int router_doctor(struct router *r, json_t *out, struct fault *reterr) {
        int n = r->ops->doctor ? r->ops->doctor(r, out, reterr) : 0;

        return n < 0 ? fault_context(reterr, n, "%s", r->ops->name) : 0;
}
