/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The settled workload: what the last proven release was rendered to, with everything a runtime needs to make an
 * instance of it again. With it, drift of the running release is repaired and a revert completed without git, also
 * while another release is declared. Made again by the next release when it is lost.
 *
 * Beside it stands how it came here, for the sticker, and the releases that were proven before it, newest first, with
 * their images: so that collecting knows which images a rollback may want. When that is lost they are collected early,
 * no more.
 */

#include "reconciler/pass/context.h"
#include "shared/base/text.h"

static const char *file_name(const char *app, struct arena *a) {
        return arena_printf(a, "settled-%s.json", app);
}

#define AT(member) offsetof(struct earlier_release, member)
static const struct field earlier_fields[] = {
        { .key = "release", .type = FIELD_STRING, .at = AT(release), .flags = FIELD_REQUIRED, .doc = "The release." },
        { .key = "version", .type = FIELD_STRING, .at = AT(version), .flags = FIELD_OMIT, .doc = "Its version." },
        { .key = "until",
          .type = FIELD_INTEGER,
          .at = AT(until),
          .doc = "When the next one took over, in milliseconds." },
        { .key = "images", .type = FIELD_STRING_LIST, .at = AT(images), .doc = "What it ran." },
        {},
};
#undef AT

static const struct table earlier_table = {
        .title = "EarlierRelease",
        .size = sizeof(struct earlier_release),
        .fields = earlier_fields,
        .doc = "A release that was proven before the settled one.",
};

#define AT(member) offsetof(struct current_origin, member)
static const struct field by_fields[] = {
        { .key = "commit",
          .type = FIELD_STRING,
          .at = AT(commit),
          .flags = FIELD_REQUIRED,
          .doc = "What declared it." },
        { .key = "strategy",
          .type = FIELD_STRING,
          .at = AT(strategy),
          .flags = FIELD_REQUIRED,
          .doc = "How it was rolled out." },
        { .key = "started_at",
          .type = FIELD_INTEGER,
          .at = AT(started_at),
          .doc = "When its rollout began, in milliseconds." },
        {},
};
#undef AT

static const struct table by_table = {
        .title = "SettledBy",
        .size = sizeof(struct current_origin),
        .fields = by_fields,
        .doc = "How a settled release came here.",
};

static struct current_origin read_by(const json_t *document, struct arena *a) {
        own_fault struct fault ignored = FAULT_INIT;
        const json_t *json = json_object_get(document, "by");
        struct current_origin by;

        if (!json || table_read_json(&by_table, "settled release", json, &by, a, &ignored) < 0)
                return (struct current_origin){ .commit = NULL };
        return by;
}

static void read_earlier(const json_t *document, struct arena *a, struct struct_list *ret) {
        size_t i;
        json_t *item;

        json_array_foreach(json_object_get(document, "earlier"), i, item) {
                own_fault struct fault ignored = FAULT_INIT;
                struct earlier_release e;

                if (table_read_json(&earlier_table, "earlier release", item, &e, a, &ignored) == 0)
                        *(struct earlier_release *)arena_push(a, &ret->items, &ret->n, sizeof(e)) = e;
        }
}

void current_earlier(struct state *s, const char *app, struct arena *a, struct struct_list *ret) {
        own_fault struct fault ignored = FAULT_INIT;
        own_json json_t *document = NULL;

        *ret = (struct struct_list){ .items = NULL };
        if (state_json_read(s, file_name(app, a), &document, &ignored) == 0 && document)
                read_earlier(document, a, ret);
}

static void add_earlier(json_t *array, const struct earlier_release *e, const char *but) {
        if (json_array_size(array) < EARLIER_RELEASES_MAX && !str_eq(e->release, but))
                json_array_append_new(array, table_write(&earlier_table, e));
}

/* What the file that is replaced says of @w's app: its release becomes the newest of the earlier ones. */
static json_t *make_earlier(struct state *s, const struct workload *w, int64_t now, struct arena *a) {
        const struct workload *before = current_read(s, w->app, NULL, a);
        const struct earlier_release *items;
        struct struct_list list;
        json_t *array = json_array();

        current_earlier(s, w->app, a, &list);
        items = list.items;
        if (before) {
                const struct workload_service *services = before->services.items;
                struct earlier_release e = { .release = before->release, .version = before->version, .until = now };

                for (size_t i = 0; i < before->services.n; i++)
                        ((struct text_at *)arena_push(a, &e.images.items, &e.images.n, sizeof(struct text_at)))->text =
                                services[i].image;
                add_earlier(array, &e, w->release);
        }
        for (size_t i = 0; i < list.n; i++)
                if (!before || !str_eq(items[i].release, before->release))
                        add_earlier(array, &items[i], w->release);
        return array;
}

int current_write(struct state *s, const struct workload *w, const struct current_origin *by, int64_t now,
                  struct fault *reterr) {
        own_arena struct arena *scratch = arena_new();
        own_json json_t *document = json_object();
        const struct workload_service *services = w->services.items;
        json_t *specs = json_object();

        for (size_t i = 0; i < w->services.n; i++)
                if (services[i].spec)
                        json_object_set(specs, services[i].name, services[i].spec);
        json_object_set_new(document, "workload", table_write(&workload_table, w));
        json_object_set_new(document, "specs", specs);
        json_object_set_new(document, "by", table_write(&by_table, by));
        json_object_set_new(document, "earlier", make_earlier(s, w, now, scratch));
        if (w->resources)
                json_object_set(document, "resources", w->resources);
        return state_json_write(s, file_name(w->app, scratch), document, reterr);
}

static void release_json(void *json) {
        json_decref(json);
}

struct workload *current_read(struct state *s, const char *app, struct current_origin *ret_by, struct arena *a) {
        own_fault struct fault ignored = FAULT_INIT;
        struct workload *w = arena_new_of(a, struct workload);
        struct workload_service *services;
        json_t *document = NULL, *specs;
        const json_t *workload;

        if (ret_by)
                *ret_by = (struct current_origin){ .commit = NULL };
        if (state_json_read(s, file_name(app, a), &document, &ignored) < 0 || !document)
                return NULL;
        arena_defer(a, release_json, document);
        workload = json_object_get(document, "workload");
        if (!workload || table_read_json(&workload_table, "settled workload", workload, w, a, &ignored) < 0)
                return NULL;
        specs = json_object_get(document, "specs");
        services = w->services.items;
        for (size_t i = 0; i < w->services.n; i++) {
                services[i].spec = json_object_get(specs, services[i].name);
                if (!services[i].spec)
                        return NULL;
        }
        w->resources = json_object_get(document, "resources");
        if (!str_eq(w->app, app))
                return NULL;
        if (ret_by)
                *ret_by = read_by(document, a);
        return w;
}

int current_remove(struct state *s, const char *app, struct fault *reterr) {
        own_arena struct arena *scratch = arena_new();

        return state_json_remove(s, file_name(app, scratch), reterr);
}
