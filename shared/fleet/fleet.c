/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/fleet/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/yaml.h"
#include "shared/fleet/fleet_private.h"

/*
 * Looking up
 */

/* Every list is sorted by a text at the start of its elements. */
static int compare_texts(const void *a, const void *b) {
        return strcmp(((const struct text_at *)a)->text, ((const struct text_at *)b)->text);
}

static int compare_releases(const void *a, const void *b) {
        const struct release *x = a, *y = b;
        int order = strcmp(x->environment, y->environment);

        return order ? order : strcmp(x->app.text, y->app.text);
}

static const void *find(const void *items, size_t n, size_t size, const char *name) {
        struct text_at key = { .text = name };

        return n > 0 && name ? bsearch(&key, items, n, size, compare_texts) : NULL;
}

const struct host *fleet_host(const struct fleet *f, const char *host) {
        return find(f->hosts, f->n_hosts, sizeof(*f->hosts), host);
}

const struct environment *fleet_environment(const struct fleet *f, const char *environment) {
        return find(f->environments, f->n_environments, sizeof(*f->environments), environment);
}

const struct app *fleet_app(const struct fleet *f, const char *app) {
        return find(f->apps, f->n_apps, sizeof(*f->apps), app);
}

const struct release *fleet_release(const struct fleet *f, const char *environment, const char *app) {
        struct release key = { .environment = environment, .app.text = app };

        if (f->n_releases == 0 || !environment || !app)
                return NULL;
        return bsearch(&key, f->releases, f->n_releases, sizeof(key), compare_releases);
}

static const char *map_get(const struct string_map *map, const char *key) {
        for (size_t i = 0; i < map->n; i++)
                if (str_eq(map->items[i].key.text, key))
                        return map->items[i].value.text;
        return NULL;
}

bool release_selects(const struct release *r, const struct host *h) {
        if (h->state != HOST_ACTIVE || !str_eq(h->environment.text, r->environment))
                return false;
        for (size_t i = 0; i < r->on.n; i++) {
                const char *value = map_get(&h->labels, r->on.items[i].key.text);

                if (!value || !str_eq(value, r->on.items[i].value.text))
                        return false;
        }
        return true;
}

const struct release *const *fleet_select(const struct fleet *f, const struct host *h, struct arena *a, size_t *ret_n) {
        const struct release **selected = NULL;
        size_t n = 0;

        for (size_t i = 0; i < f->n_releases; i++)
                if (release_selects(&f->releases[i], h))
                        *(const struct release **)arena_push(a, &selected, &n, sizeof(*selected)) = &f->releases[i];
        *ret_n = n;
        return selected;
}

/*
 * Reading documents
 */

struct loader {
        struct fleet *fleet;
        struct arena *arena;
        struct fault *reterr;
};

static int read_document(struct loader *l, const struct desired_entry *entry, const struct table *table, void *object) {
        const struct node *root;
        int r;

        if (entry->type != DESIRED_FILE && entry->type != DESIRED_EXECUTABLE)
                return fault_set_code(l->reterr, FAULT_CONFIG, REASON_LOAD_INVALID, "%s is not a file", entry->path);
        if (!entry->bytes && entry->size > 0)
                return fault_set(l->reterr, FAULT_INTERNAL, EINVAL, "%s was not read", entry->path);
        r = yaml_parse(entry->path, entry->bytes ? entry->bytes : "", entry->size, l->arena, &root, l->reterr);
        return r < 0 ? r : table_read(table, root, object, l->arena, l->reterr);
}

/* The name that a document gives itself is the one of its file or folder. */
static int check_name(struct loader *l, const struct text_at *name, const char *expected, const char *what) {
        int r;

        if (str_eq(name->text, expected))
                return 0;
        r = fault_set_code_at(l->reterr, &name->at, REASON_LOAD_REFERENCE, "this %s is called '%s', its %s '%s'", what,
                              name->text, str_eq(what, "host") || str_eq(what, "release") ? "file" : "folder",
                              expected);
        fault_hint(l->reterr, "write '%s' here, or rename it", expected);
        return r;
}

static int load_fleet(struct loader *l, const struct desired_entry *entry, const struct fleet_path *p) {
        struct fleet fleet;
        int r = read_document(l, entry, &fleet_table, &fleet);

        if (r < 0)
                return r;
        l->fleet->name = fleet.name;
        l->fleet->description = fleet.description;
        return 0;
}

static int load_host(struct loader *l, const struct desired_entry *entry, const struct fleet_path *p) {
        struct host *host = arena_push(l->arena, &l->fleet->hosts, &l->fleet->n_hosts, sizeof(*host));
        int r = read_document(l, entry, &host_table, host);

        return r < 0 ? r : check_name(l, &host->host, p->name, "host");
}

static struct environment *add_environment(struct loader *l, const char *name) {
        struct environment *last =
                l->fleet->n_environments ? &l->fleet->environments[l->fleet->n_environments - 1] : NULL;

        /* Entries come sorted, so those of one folder follow each other. */
        if (last && str_eq(last->environment.text, name))
                return last;
        last = arena_push(l->arena, &l->fleet->environments, &l->fleet->n_environments, sizeof(*last));
        last->environment.text = arena_strdup(l->arena, name);
        return last;
}

static int load_environment(struct loader *l, const struct desired_entry *entry, const struct fleet_path *p) {
        struct environment *environment = add_environment(l, p->folder);
        int r = read_document(l, entry, &environment_table, environment);

        return r < 0 ? r : check_name(l, &environment->environment, p->folder, "environment");
}

static int load_release(struct loader *l, const struct desired_entry *entry, const struct fleet_path *p) {
        const char *environment = add_environment(l, p->folder)->environment.text;
        struct release *release = arena_push(l->arena, &l->fleet->releases, &l->fleet->n_releases, sizeof(*release));
        int r = read_document(l, entry, &release_table, release);

        release->environment = environment;
        return r < 0 ? r : check_name(l, &release->app, p->name, "release");
}

static struct app *add_app(struct loader *l, const struct desired_entry *entry, const char *name) {
        struct app *last = l->fleet->n_apps ? &l->fleet->apps[l->fleet->n_apps - 1] : NULL;
        struct source *source;

        if (last && str_eq(last->app.text, name)) {
                last->n_entries++;
                return last;
        }
        last = arena_push(l->arena, &l->fleet->apps, &l->fleet->n_apps, sizeof(*last));
        source = arena_new_of(l->arena, struct source);
        source->name = arena_printf(l->arena, "apps/%s", name);
        memset(last, 0, sizeof(*last));
        last->app = (struct text_at){ .text = arena_strdup(l->arena, name), .at.source = source };
        last->at = last->app.at;
        last->file = (struct text_at){ .text = NULL, .at = last->at };
        last->entries = entry;
        last->n_entries = 1;
        return last;
}

static int load_app_file(struct loader *l, const struct desired_entry *entry, const struct fleet_path *p) {
        (void)add_app(l, entry, p->folder);
        return 0;
}

static int load_app(struct loader *l, const struct desired_entry *entry, const struct fleet_path *p) {
        struct app *app = add_app(l, entry, p->folder), folder = *app;
        int r = read_document(l, entry, &app_table, app);

        app->entries = folder.entries;
        app->n_entries = folder.n_entries;
        return r < 0 ? r : check_name(l, &app->app, p->folder, "app");
}

static int refuse_name(struct loader *l, const struct desired_entry *entry, const struct fleet_path *p) {
        int r = fault_set_code(l->reterr, FAULT_CONFIG, REASON_LOAD_INVALID,
                               "%s: nothing reads a file of this name here", entry->path);

        fault_hint(l->reterr,
                   "documents end in .yaml; names are lower-case letters, digits and . _ -, up to %d of them",
                   LIMIT_NAME_BYTES);
        return r;
}

static int ignore(struct loader *l, const struct desired_entry *entry, const struct fleet_path *p) {
        return 0;
}

static int (*const loaders[PLACE_MAX_])(struct loader *l, const struct desired_entry *entry,
                                        const struct fleet_path *p) = {
        [PLACE_NONE] = ignore,
        [PLACE_FLEET] = load_fleet,
        [PLACE_HOST] = load_host,
        [PLACE_ENVIRONMENT] = load_environment,
        [PLACE_RELEASE] = load_release,
        [PLACE_APP] = load_app,
        [PLACE_APP_FILE] = load_app_file,
        [PLACE_MISNAMED] = refuse_name,
};

/*
 * The fleet
 */

static int compare_entries(const void *a, const void *b) {
        return strcmp(((const struct desired_entry *)a)->path, ((const struct desired_entry *)b)->path);
}

static bool is_sorted(const struct desired_entry *entries, size_t n) {
        for (size_t i = 1; i < n; i++)
                if (compare_entries(&entries[i - 1], &entries[i]) >= 0)
                        return false;
        return true;
}

static const struct desired_entry *sort_entries(const struct desired_entry *entries, size_t n, struct arena *a) {
        if (is_sorted(entries, n))
                return entries;

        struct desired_entry *sorted = arena_array(a, n, sizeof(*sorted));

        if (n > 0)
                memcpy(sorted, entries, n * sizeof(*sorted));
        if (n > 1)
                qsort(sorted, n, sizeof(*sorted), compare_entries);
        return sorted;
}

/* Names in paths are sorted with their folders: "a-b/" stands before "a/". */
static void sort_fleet(struct fleet *f) {
        const struct {
                void *items;
                size_t n, size;
                int (*compare)(const void *, const void *);
        } lists[] = {
                { f->hosts, f->n_hosts, sizeof(*f->hosts), compare_texts },
                { f->environments, f->n_environments, sizeof(*f->environments), compare_texts },
                { f->apps, f->n_apps, sizeof(*f->apps), compare_texts },
                { f->releases, f->n_releases, sizeof(*f->releases), compare_releases },
        };

        for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
                if (lists[i].n > 1)
                        qsort(lists[i].items, lists[i].n, lists[i].size, lists[i].compare);
}

int fleet_read(const struct desired_entry *entries, size_t n, struct arena *a, struct fleet *ret,
               struct fault *reterr) {
        struct fleet fleet = { .name = "fleet" };
        struct loader l = { .fleet = &fleet, .arena = a, .reterr = reterr };
        const struct desired_entry *sorted = sort_entries(entries, n, a);
        size_t documents = 0;
        int r;

        for (size_t i = 0; i < n; i++) {
                struct fleet_path p = fleet_path_read(sorted[i].path);

                if (p.place >= PLACE_FLEET && p.place <= PLACE_APP && ++documents > LIMIT_FLEET_DOCUMENTS)
                        return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_LIMIT,
                                              "the fleet has more than %d documents (LIMIT_FLEET_DOCUMENTS)",
                                              LIMIT_FLEET_DOCUMENTS);
                r = loaders[p.place](&l, &sorted[i], &p);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < fleet.n_apps; i++)
                if ((r = app_complete(&fleet.apps[i], a, reterr)) < 0)
                        return r;
        sort_fleet(&fleet);
        r = fleet_check_documents(&fleet, reterr);
        if (r < 0)
                return r;
        *ret = fleet;
        return 0;
}
