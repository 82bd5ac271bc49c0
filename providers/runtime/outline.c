/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/outline.h"

#include <string.h>

#include "shared/base/text.h"
#include "shared/data/digest.h"
#include "shared/compose/exclusive.h"
#include "shared/compose/lockfile.h"

static struct struct_list outline_depends(const struct compose_service *s, struct arena *a) {
        const struct compose_depend *from = s->depends_on.items;
        struct depend *to = arena_array(a, s->depends_on.n, sizeof(*to));

        for (size_t i = 0; i < s->depends_on.n; i++)
                to[i] = (struct depend){
                        .service = from[i].service.text,
                        .condition = from[i].condition,
                        .required = from[i].required,
                };
        return (struct struct_list){ .items = to, .n = s->depends_on.n };
}

static struct workload_service outline_service(const struct compose_service *s, struct arena *a) {
        const char *why = exclusive_find(s, a).why;

        return (struct workload_service){
                .name = s->name.text,
                .image = s->pinned,
                .replicas = s->replicas,
                .depends_on = outline_depends(s, a),
                .health_checked = s->healthcheck && !s->healthcheck->disable && s->healthcheck->test.n > 0,
                .exclusive = why != NULL,
                .why_exclusive = why,
                .stop_grace_ms = s->stop_grace_ns / 1000000,
        };
}

static int outline_artifact(const struct runtime_settings *settings, const struct compose *compose, struct workload *w,
                            struct arena *a, struct fault *reterr) {
        const struct lockfile_input in = {
                .host = settings->host,
                .environment = settings->environment,
                .app = w->app,
                .version = w->version,
                .release = w->release,
        };
        own_buffer struct buffer text = BUFFER_INIT;
        struct digest digest;
        int r;

        r = lockfile_write(compose, &in, &text, reterr);
        if (r == 0)
                r = buffer_check(&text, "the locked compose file", reterr);
        if (r < 0)
                return r;
        digest = digest_of(text.data, text.size);
        w->artifact = arena_strndup(a, buffer_str(&text), text.size);
        w->artifact_digest = arena_strdup(a, digest.text);
        return 0;
}

static int outline_make(const struct runtime_settings *settings, const char *runtime, const struct compose *compose,
                        const char *version, const char *release_id, struct arena *a, struct workload *ret,
                        struct fault *reterr) {
        const struct compose_service *from = compose->services.items;
        struct workload_service *to = arena_array(a, compose->services.n, sizeof(*to));
        struct workload w = {
                .app = compose->app,
                .release = release_id,
                .version = version,
                .runtime = runtime,
                .services = { .items = to, .n = compose->services.n },
        };
        int r;

        for (size_t i = 0; i < compose->services.n; i++) {
                if (!from[i].pinned)
                        return fault_set(reterr, FAULT_INTERNAL, EINVAL, "service '%s' has no pinned image",
                                         from[i].name.text);
                to[i] = outline_service(&from[i], a);
        }
        r = outline_artifact(settings, compose, &w, a, reterr);
        if (r < 0)
                return r;
        *ret = w;
        return 0;
}

static void release_json(void *p) {
        json_decref(p);
}

static int outline_specs(const struct outline_runtime *runtime, const struct compose *compose, struct arena *a,
                         struct workload *w, struct fault *reterr) {
        const struct compose_service *from = compose->services.items;
        struct workload_service *to = w->services.items;

        for (size_t i = 0; i < w->services.n; i++) {
                struct digest digest;
                int r = runtime->spec_of(compose, &from[i], &to[i].spec, reterr);

                if (r < 0)
                        return r;
                arena_defer(a, release_json, to[i].spec);
                digest = digest_of_json(to[i].spec);
                to[i].spec_digest = arena_strdup(a, digest.text);
        }
        return 0;
}

int outline_render(const struct outline_runtime *runtime, const struct runtime_settings *settings,
                   const struct compose *compose, const char *version, const char *release_id, struct arena *a,
                   struct workload *ret, struct fault *reterr) {
        struct workload w;
        int r = outline_make(settings, runtime->name, compose, version, release_id, a, &w, reterr);

        if (r == 0)
                r = outline_specs(runtime, compose, a, &w, reterr);
        if (r == 0 && runtime->resources_of)
                r = runtime->resources_of(compose, &w.resources, reterr);
        if (r < 0)
                return r;
        if (w.resources)
                arena_defer(a, release_json, w.resources);
        *ret = w;
        return 0;
}

static int compare_text(const char *x, const char *y) {
        return strcmp(x ? x : "", y ? y : "");
}

static int by_identity(const void *pa, const void *pb) {
        const struct instance *x = pa, *y = pb;
        int c = compare_text(x->app, y->app);

        if (c == 0)
                c = compare_text(x->service, y->service);
        if (c == 0)
                c = compare_text(x->spec, y->spec);
        if (c == 0)
                c = (x->index > y->index) - (x->index < y->index);
        return c != 0 ? c : compare_text(x->id, y->id);
}

void outline_sort_instances(struct instance *instances, size_t n) {
        if (n > 1)
                qsort(instances, n, sizeof(*instances), by_identity);
}
