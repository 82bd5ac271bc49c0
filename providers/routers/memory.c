/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/routers/memory.h"

#include <string.h>

#include "providers/doctor.h"
#include "providers/fake/script.h"
#include "providers/routers/parts.h"
#include "shared/base/buffer.h"
#include "shared/base/file.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/digest.h"

struct memory {
        struct router router;
        struct script script;
        char *path;
};

static struct memory *memory_of(struct router *r) {
        return (struct memory *)r;
}

json_t *memory_world(struct router *r) {
        return memory_of(r)->script.world;
}

static void memory_close(struct router *r) {
        struct memory *m = memory_of(r);

        if (!m)
                return;
        script_done(&m->script);
        free(m->path);
        free(m);
}

static int memory_prepare(struct memory *m, const char *state, struct fault *reterr) {
        if (state && asprintf(&m->path, "%s/memory.json", state) < 0)
                return fault_set_oom(reterr);
        return script_init(&m->script, m->path, reterr);
}

static int memory_open(const struct router_settings *settings, struct router **ret, struct fault *reterr) {
        struct memory *m = calloc(1, sizeof(*m));
        int r;

        if (!m)
                return fault_set_oom(reterr);
        m->router.ops = &memory_router_ops;
        r = memory_prepare(m, settings ? settings->state : NULL, reterr);
        if (r < 0) {
                memory_close(&m->router);
                return r;
        }
        *ret = &m->router;
        return 0;
}

static int memory_check(struct router *r, const char *app, const struct traffic *traffic, struct fault *reterr) {
        return 0;
}

static const char *settings_of(const struct traffic *traffic, char buf[static DIGEST_TEXT_MAX]) {
        own_json json_t *json = table_write(&traffic_table, traffic);
        struct digest digest = digest_of_json(json);

        memcpy(buf, digest.text, DIGEST_TEXT_MAX);
        return buf;
}

static int memory_begin(struct memory *m, const char *name, const char *what, struct script_call *ret,
                        struct fault *reterr) {
        int r = script_begin(&m->script, name, what, ret, reterr);

        if (r == 0 && script_is_away(&m->script) && !str_eq(name, "observe"))
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_ROUTER_UNAVAILABLE, "%s",
                                      script_reason(&m->script, "the router in memory is away"));
        return r;
}

static int memory_read(struct memory *m, const char *app, const struct traffic *traffic, struct arena *a,
                       struct route_state *ret, struct fault *reterr) {
        const json_t *entry = json_object_get(json_object_get(m->script.world, "routes"), app);
        const char *altered = json_get_string(json_object_get(m->script.world, "altered"), app);
        char settings[DIGEST_TEXT_MAX];
        int r;

        ret->available = true;
        if (!entry)
                return 0;
        ret->present = true;
        r = route_read(json_object_get(entry, "route"), app, a, &ret->route, reterr);
        if (r < 0)
                return r;
        if (!altered && !str_eq(json_get_string(entry, "settings"), settings_of(traffic, settings)))
                altered = "its settings changed";
        ret->altered = altered;
        ret->detail = arena_strdup(a, altered);
        return 0;
}

static int memory_observe(struct router *r, const char *app, const struct traffic *traffic, struct arena *a,
                          struct route_state *ret, struct fault *reterr) {
        struct memory *m = memory_of(r);
        struct script_call call;
        int n = memory_begin(m, "observe", app, &call, reterr);

        if (n < 0)
                return n;
        if (script_is_away(&m->script))
                ret->reason = arena_strdup(a, script_reason(&m->script, "the router in memory is away"));
        else
                n = memory_read(m, app, traffic, a, ret, reterr);
        return n < 0 ? n : script_end(&m->script, &call, reterr);
}

/* "apply shop 25: current 127.0.0.1:1, candidate 127.0.0.1:2" */
static void describe(const struct route *route, struct buffer *out) {
        const struct route_target *targets = route->targets.items;

        buffer_printf(out, "%s %lld:", route->app, (long long)route->candidate);
        for (size_t i = 0; i < route->targets.n; i++)
                buffer_printf(out, "%s %s %s", i ? "," : "", variation_names[targets[i].variation], targets[i].address);
}

static int memory_apply(struct router *r, const struct traffic *traffic, const struct route *route,
                        struct fault *reterr) {
        struct memory *m = memory_of(r);
        own_buffer struct buffer what = BUFFER_INIT;
        char settings[DIGEST_TEXT_MAX];
        struct script_call call;
        const char *refused;
        int n;

        describe(route, &what);
        n = memory_begin(m, "apply", buffer_str(&what), &call, reterr);
        if (n < 0)
                return n;
        refused = json_get_string(json_object_get(m->script.world, "refuse"), route->app);
        if (refused)
                return fault_set_code(reterr, FAULT_DENIED, REASON_ROUTE_INVALID, "%s", refused);
        json_object_set_new(script_member(m->script.world, "routes", json_object), route->app,
                            json_pack("{ss so}", "settings", settings_of(traffic, settings), "route",
                                      route_write(route)));
        (void)json_object_del(json_object_get(m->script.world, "altered"), route->app);
        return script_end(&m->script, &call, reterr);
}

static int memory_remove(struct router *r, const char *app, struct fault *reterr) {
        struct memory *m = memory_of(r);
        struct script_call call;
        int n = memory_begin(m, "remove", app, &call, reterr);

        if (n < 0)
                return n;
        (void)json_object_del(json_object_get(m->script.world, "routes"), app);
        return script_end(&m->script, &call, reterr);
}

static int memory_doctor(struct router *r, json_t *out, struct fault *reterr) {
        return doctor_say(out, "memory", "ok", "the router in memory", NULL, reterr);
}

const struct router_ops memory_router_ops = {
        .abi = ROUTER_ABI,
        .name = "memory",
        .open = memory_open,
        .close = memory_close,
        .check = memory_check,
        .observe = memory_observe,
        .apply = memory_apply,
        .remove = memory_remove,
        .doctor = memory_doctor,
};
