/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/pass/load.h"

#include <errno.h>

#include "policies/trust.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/fleet/deployment_clash.h"

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
                r = read_entry(t->mirror, &t->listing->items[i], LIMIT_DOCUMENT_BYTES, t->arena, &t->entries[i],
                               reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_app(struct tree *t, const char *app, struct fault *reterr) {
        const char *prefix = arena_printf(t->arena, "apps/%s/", app);
        size_t total = 0;

        for (size_t i = entries_begin(t->entries, t->listing->n, prefix);
             i < t->listing->n && str_after(t->entries[i].path, prefix); i++) {
                int r = read_entry(t->mirror, &t->listing->items[i], LIMIT_APP_BYTES, t->arena, &t->entries[i], reterr);

                if (r < 0)
                        return r;
                total += t->entries[i].size;
                if (total > LIMIT_APP_BYTES)
                        return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_LIMIT,
                                              "apps/%s holds more than %d bytes (LIMIT_APP_BYTES)", app,
                                              LIMIT_APP_BYTES);
        }
        return 0;
}

/* What is too large is left unread, and told by approvals_judge(). */
static int read_approvals(struct tree *t, const struct deployment *d, struct fault *reterr) {
        const char *prefix = approvals_folder(d, t->arena);
        size_t first = entries_begin(t->entries, t->listing->n, prefix), last = first + LIMIT_APPROVALS;

        for (size_t i = first; i < t->listing->n && i < last && str_after(t->entries[i].path, prefix); i++) {
                own_fault struct fault fault = FAULT_INIT;

                if (read_entry(t->mirror, &t->listing->items[i], LIMIT_APPROVAL_BYTES, t->arena, &t->entries[i],
                               &fault) == 0)
                        continue;
                if (fault.code != REASON_LOAD_LIMIT) {
                        int r = fault.errno_value ? -fault.errno_value : -EINVAL;

                        fault_move(reterr, &fault);
                        return r;
                }
        }
        return 0;
}

/* The commit's own trust; a commit that was accepted has one that can be read. */
static int read_signers(struct tree *t, const struct object_id *commit, struct approval_signers *ret,
                        struct fault *reterr) {
        own_buffer struct buffer bytes = BUFFER_INIT;
        own_fault struct fault fault = FAULT_INIT;
        enum object_mode mode;
        struct object_id id;
        int r = mirror_find(t->mirror, commit, TRUST_PATH, &mode, &id, &fault);

        if (r == 0)
                r = mirror_read(t->mirror, &id, OBJECT_BLOB, LIMIT_SIGNERS_BYTES, &bytes, &fault);
        if (r < 0 && mirror_is_damaged(t->mirror)) {
                fault_move(reterr, &fault);
                return r;
        }
        if (r == 0)
                r = signers_parse(TRUST_PATH, buffer_str(&bytes), bytes.size, t->arena, &ret->signers, &fault);
        if (r < 0)
                ret->unusable = arena_strdup(t->arena, fault.message);
        return 0;
}

static int judge_approvals(struct tree *t, const struct object_id *commit, const struct approval_rules *rules,
                           struct desired *d, struct fault *reterr) {
        struct approval_signers signers = { .unusable = NULL };
        bool have_signers = false;

        d->approvals = arena_array(t->arena, d->n_deployments, sizeof(struct approvals));
        for (size_t i = 0; i < d->n_deployments; i++) {
                const char *prefix = approvals_folder(&d->deployments[i], t->arena);
                size_t first = entries_begin(t->entries, t->listing->n, prefix);
                int r = 0;

                if (first == t->listing->n || !str_after(t->entries[first].path, prefix))
                        continue;
                if (!have_signers)
                        r = read_signers(t, commit, &signers, reterr);
                have_signers = true;
                if (r == 0)
                        r = read_approvals(t, &d->deployments[i], reterr);
                if (r < 0)
                        return r;
                approvals_judge(&d->fleet, &d->deployments[i], t->entries, t->listing->n, &signers, rules, t->arena,
                                &d->approvals[i]);
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

int load(struct mirror *m, const struct object_id *commit, const char *host, const struct approval_rules *rules,
         struct arena *a, struct desired *ret, struct fault *reterr) {
        struct mirror_listing listing = { .items = NULL };
        struct desired d = { .host = NULL };
        struct tree t = { .mirror = m, .listing = &listing, .arena = a };
        int r = mirror_list(m, commit, "", LIMIT_TREE_ENTRIES, a, &listing, reterr);

        if (r < 0)
                return r;
        t.entries = arena_array(a, listing.n, sizeof(struct desired_entry));
        for (size_t i = 0; i < listing.n; i++)
                t.entries[i] =
                        (struct desired_entry){ .path = listing.items[i].path, .type = type_of(listing.items[i].mode) };
        r = read_documents(&t, reterr);
        if (r == 0)
                r = fleet_read(t.entries, listing.n, a, &d.fleet, reterr);
        if (r < 0)
                return r;
        d.host = fleet_host(&d.fleet, host);
        if (d.host) {
                d.environment = fleet_environment(&d.fleet, d.host->environment.text);
                r = resolve_releases(&t, &d, reterr);
                if (r == 0)
                        r = judge_approvals(&t, commit, rules, &d, reterr);
        }
        if (r == 0)
                *ret = d;
        return r;
}
