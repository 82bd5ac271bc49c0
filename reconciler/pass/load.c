/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/pass/load.h"

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/model/deployment_clash.h"

#define LIMIT_TREE_ENTRIES (LIMIT_FLEET_DOCUMENTS + 100000)

static enum desired_type type_of(enum object_mode mode) {
        switch (mode) {
        case OBJECT_MODE_EXECUTABLE:
                return DESIRED_EXECUTABLE;
        case OBJECT_MODE_LINK:
                return DESIRED_SYMLINK;
        case OBJECT_MODE_SUBMODULE:
                return DESIRED_SUBMODULE;
        case OBJECT_MODE_FILE:
        case OBJECT_MODE_TREE:
                return DESIRED_FILE;
        }
        return DESIRED_FILE;
}

static int read_entry(struct mirror *m, const struct mirror_entry *from, size_t limit, struct arena *a,
                      struct desired_entry *entry, struct fault *reterr) {
        own_buffer struct buffer bytes = BUFFER_INIT;
        int r;

        if (entry->bytes || entry->type == DESIRED_SYMLINK || entry->type == DESIRED_SUBMODULE)
                return 0;
        r = mirror_read(m, &from->id, OBJECT_BLOB, limit, &bytes, reterr);
        if (r < 0)
                return fault_context(reterr, r, "%s", entry->path);
        entry->bytes = arena_strndup(a, buffer_str(&bytes), bytes.size);
        entry->size = bytes.size;
        return 0;
}

struct tree {
        struct mirror *mirror;
        const struct mirror_listing *listing;
        struct desired_entry *entries; /* beside the listing's items */
        struct arena *arena;
};

static int read_documents(struct tree *t, struct fault *reterr) {
        for (size_t i = 0; i < t->listing->n; i++) {
                int r;

                if (!fleet_path_is_document(t->entries[i].path))
                        continue;
                r = read_entry(t->mirror, &t->listing->items[i], LIMIT_DOCUMENT_BYTES, t->arena, &t->entries[i], reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The first entry of the app's folder; entries are sorted by path. */
static size_t app_begin(const struct tree *t, const char *prefix) {
        size_t low = 0, high = t->listing->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(t->entries[middle].path, prefix) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static int read_app(struct tree *t, const char *app, struct fault *reterr) {
        const char *prefix = arena_printf(t->arena, "apps/%s/", app);
        size_t total = 0;

        for (size_t i = app_begin(t, prefix); i < t->listing->n && str_after(t->entries[i].path, prefix); i++) {
                int r = read_entry(t->mirror, &t->listing->items[i], LIMIT_APP_BYTES, t->arena, &t->entries[i], reterr);

                if (r < 0)
                        return r;
                total += t->entries[i].size;
                if (total > LIMIT_APP_BYTES)
                        return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_LIMIT,
                                              "apps/%s holds more than %d bytes (LIMIT_APP_BYTES)", app, LIMIT_APP_BYTES);
        }
        return 0;
}

static int check_clashes(const struct desired *d, struct arena *a, struct fault *reterr) {
        const struct deployment **all = arena_array(a, d->n_deployments, sizeof(*all));

        for (size_t i = 0; i < d->n_deployments; i++)
                all[i] = &d->deployments[i];
        return deployment_clash(d->host->host.text, all, d->n_deployments, reterr);
}

static int resolve_releases(struct tree *t, struct desired *d, struct fault *reterr) {
        size_t n = 0;
        const struct release *const *releases = fleet_select(&d->fleet, d->host, t->arena, &n);

        d->deployments = arena_array(t->arena, n, sizeof(struct deployment));
        for (size_t i = 0; i < n; i++) {
                int r = read_app(t, releases[i]->app.text, reterr);

                if (r == 0)
                        r = fleet_resolve(&d->fleet, releases[i], t->arena, &d->deployments[d->n_deployments], reterr);
                if (r < 0)
                        return r;
                d->n_deployments++;
        }
        return check_clashes(d, t->arena, reterr);
}

int load(struct mirror *m, const struct object_id *commit, const char *host, struct arena *a, struct desired *ret,
         struct fault *reterr) {
        struct mirror_listing listing = { .items = NULL };
        struct desired d = { .host = NULL };
        struct tree t = { .mirror = m, .listing = &listing, .arena = a };
        int r = mirror_list(m, commit, "", LIMIT_TREE_ENTRIES, a, &listing, reterr);

        if (r < 0)
                return r;
        t.entries = arena_array(a, listing.n, sizeof(struct desired_entry));
        for (size_t i = 0; i < listing.n; i++)
                t.entries[i] = (struct desired_entry){ .path = listing.items[i].path,
                                                       .type = type_of(listing.items[i].mode) };
        r = read_documents(&t, reterr);
        if (r == 0)
                r = fleet_read(t.entries, listing.n, a, &d.fleet, reterr);
        if (r < 0)
                return r;
        d.host = fleet_host(&d.fleet, host);
        if (d.host) {
                d.environment = fleet_environment(&d.fleet, d.host->environment.text);
                r = resolve_releases(&t, &d, reterr);
        }
        if (r == 0)
                *ret = d;
        return r;
}
