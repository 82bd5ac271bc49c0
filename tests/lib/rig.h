/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rig: from the text of a compose file to a workload, for tests of runtimes
 *
 *      struct rig rig;
 *      rig_open(&rig, "docker", &settings);
 *      rig_file(&rig, "conf/app.conf", "text");                    // of the app, before rig_workload()
 *      struct workload w = rig_workload(&rig, "shop", "1.0", "services: {web: {image: x@sha256:…}}");
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "providers/runtime/runtime.h"
#include "shared/base/arena.h"
#include "shared/data/yaml.h"
#include "shared/fleet/release.h"

struct rig {
        struct arena *arena;
        const struct runtime_settings *settings;
        struct runtime *runtime;
        struct desired_entry *entries;
        size_t n_entries;
};

/* A fault that the test did not expect ends it, with what it says. */
static inline void rig_expect_fine(int r, const struct fault *f) {
        if (r < 0)
                fail_msg("%s%s%s (%s)", f->message ? f->message : "a fault without message", f->hint ? " - " : "",
                         f->hint ? f->hint : "", f->code ? f->code : "no code");
}

#define rig_fine(call) \
        do { \
                own_fault struct fault fault = FAULT_INIT; \
                int r_ = (call); \
                rig_expect_fine(r_, &fault); \
        } while (0)

static inline void rig_open(struct rig *rig, const char *runtime, const struct runtime_settings *settings) {
        const struct runtime_ops *ops = runtime_find(runtime);

        *rig = (struct rig){ .arena = arena_new(), .settings = settings };
        assert_non_null(ops);
        rig_fine(runtime_open(ops, settings, &rig->runtime, &fault));
}

static inline void rig_close(struct rig *rig) {
        runtime_close(rig->runtime);
        arena_free(rig->arena);
}

/* A file of the app "shop". */
static inline void rig_file(struct rig *rig, const char *path, const char *text) {
        struct desired_entry *e = arena_push(rig->arena, &rig->entries, &rig->n_entries, sizeof(*e));

        *e = (struct desired_entry){ .path = arena_printf(rig->arena, "apps/shop/%s", path),
                                     .type = DESIRED_FILE,
                                     .bytes = text,
                                     .size = strlen(text) };
}

static inline int rig_try_compose(struct rig *rig, const char *app, const char *text, struct compose *ret,
                                  struct fault *reterr) {
        struct app_files *files = arena_new_of(rig->arena, struct app_files);
        const struct compose_input in = {
                .app = app,
                .files = files,
                .keys = strcmp(rig->runtime->ops->name, "compose") == 0 ? COMPOSE_KEYS_ALL : 0,
        };
        const struct node *root;
        int r;

        r = app_files_make("apps/shop", rig->entries, rig->n_entries, rig->arena, files, reterr);
        if (r == 0)
                r = yaml_parse("apps/shop/compose.yaml", text, strlen(text), rig->arena, &root, reterr);
        if (r == 0)
                r = compose_read(root, &in, rig->arena, ret, reterr);
        return r < 0 ? r : compose_pin(ret, NULL, rig->arena, reterr);
}

static inline int rig_try_workload(struct rig *rig, const char *app, const char *version, const char *text,
                                   struct workload *ret, struct fault *reterr) {
        struct compose *compose = arena_new_of(rig->arena, struct compose);
        struct digest id;
        int r = rig_try_compose(rig, app, text, compose, reterr);

        if (r < 0)
                return r;
        id = release_id(app, version, compose, compose->files);
        return runtime_render(rig->runtime, compose, version, arena_strdup(rig->arena, id.text), rig->arena, ret,
                              reterr);
}

static inline struct workload rig_workload(struct rig *rig, const char *app, const char *version, const char *text) {
        struct workload w;

        rig_fine(rig_try_workload(rig, app, version, text, &w, &fault));
        return w;
}

static inline const struct workload_service *rig_service(const struct workload *w, const char *name) {
        const struct workload_service *s = workload_find(w, name);

        assert_non_null(s);
        return s;
}

/* What the runtime shows, with @w wanted (NULL: nothing). */
static inline struct observation rig_observe(struct rig *rig, const struct workload *w) {
        struct observation o;

        rig_fine(runtime_observe(rig->runtime, w, w ? 1 : 0, rig->arena, &o, &fault));
        return o;
}

/* The instance with this id, which must be there. */
static inline const struct instance *rig_find(const struct observation *o, const char *id) {
        const struct instance *items = o->instances.items;

        for (size_t i = 0; i < o->instances.n; i++)
                if (strcmp(items[i].id, id) == 0)
                        return &items[i];
        fail_msg("there is no instance %s", id);
        return NULL;
}
