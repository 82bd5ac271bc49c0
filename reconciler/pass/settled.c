/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The settled workload: what the last proven release was rendered to, with everything a runtime needs to make an instance of
 * it again. With it, drift of the running release is repaired and a revert completed without git, also while another
 * release is declared. Made again by the next release when it is lost.
 */

#include "reconciler/pass/context.h"
#include "shared/base/text.h"

static const char *file_name(const char *app, struct arena *a) {
        return arena_printf(a, "settled-%s.json", app);
}

int settled_write(struct state *s, const struct workload *w, struct fault *reterr) {
        own_arena struct arena *scratch = arena_new();
        own_json json_t *document = json_object();
        const struct workload_service *services = w->services.items;
        json_t *specs = json_object();

        for (size_t i = 0; i < w->services.n; i++)
                if (services[i].spec)
                        json_object_set(specs, services[i].name, services[i].spec);
        json_object_set_new(document, "workload", table_write(&workload_table, w));
        json_object_set_new(document, "specs", specs);
        if (w->resources)
                json_object_set(document, "resources", w->resources);
        return state_json_write(s, file_name(w->app, scratch), document, reterr);
}

static void release_json(void *json) {
        json_decref(json);
}

struct workload *settled_read(struct state *s, const char *app, struct arena *a) {
        own_fault struct fault ignored = FAULT_INIT;
        struct workload *w = arena_new_of(a, struct workload);
        struct workload_service *services;
        json_t *document = NULL, *specs;

        if (state_json_read(s, file_name(app, a), &document, &ignored) < 0 || !document)
                return NULL;
        arena_defer(a, release_json, document);
        if (table_read_json(&workload_table, "settled workload", json_object_get(document, "workload"), w, a, &ignored) < 0)
                return NULL;
        specs = json_object_get(document, "specs");
        services = w->services.items;
        for (size_t i = 0; i < w->services.n; i++) {
                services[i].spec = json_object_get(specs, services[i].name);
                if (!services[i].spec)
                        return NULL;
        }
        w->resources = json_object_get(document, "resources");
        return str_eq(w->app, app) ? w : NULL;
}

int settled_remove(struct state *s, const char *app, struct fault *reterr) {
        own_arena struct arena *scratch = arena_new();

        return state_json_remove(s, file_name(app, scratch), reterr);
}
