/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/desired/desired.h"

#include <errno.h>

#include "policies/trust.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/fleet/deployment_clash.h"

static int read_fleet(struct tree *t, struct fleet *ret, struct fault *reterr) {
        int r = tree_read_documents(t, reterr);

        return r < 0 ? r : fleet_read(t->entries, t->n, t->arena, ret, reterr);
}

/*
 * Approvals
 */

/* A file that is too large is left unread, and told by approvals_judge(). */
static int read_approvals(struct tree *t, const char *prefix, struct fault *reterr) {
        size_t first = entries_begin(t->entries, t->n, prefix), last = first + LIMIT_APPROVALS;

        for (size_t i = first; i < t->n && i < last && str_after(t->entries[i].path, prefix); i++) {
                own_fault struct fault fault = FAULT_INIT;
                int r = tree_read(t, i, LIMIT_APPROVAL_BYTES, &fault);

                if (r < 0 && r != -EFBIG) {
                        fault_move(reterr, &fault);
                        return r;
                }
        }
        return 0;
}

/* The tree's own trust; a commit that was accepted has one that can be read. */
static int read_signers(struct tree *t, struct approval_signers *ret, struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        size_t i;
        int r;

        *ret = (struct approval_signers){ .unusable = "there is no " TRUST_PATH };
        if (!tree_find(t, TRUST_PATH, &i))
                return 0;
        r = tree_read(t, i, LIMIT_SIGNERS_BYTES, &fault);
        if (r < 0 && t->ops->is_damaged(t)) {
                fault_move(reterr, &fault);
                return r;
        }
        if (r == 0 && !t->entries[i].bytes)
                return 0;
        if (r == 0)
                r = signers_parse(TRUST_PATH, t->entries[i].bytes, t->entries[i].size, t->arena, &ret->signers, &fault);
        ret->unusable = r < 0 ? arena_strdup(t->arena, fault.message) : NULL;
        return 0;
}

static int judge_approvals(struct tree *t, const struct fleet *fleet, const struct deployment *deployments, size_t n,
                           const struct approval_signers *signers, const struct approval_rules *rules,
                           struct approvals **ret, struct fault *reterr) {
        struct approvals *approvals = arena_array(t->arena, n, sizeof(*approvals));

        for (size_t i = 0; i < n; i++) {
                int r = read_approvals(t, approvals_folder(&deployments[i], t->arena), reterr);

                if (r < 0)
                        return r;
                approvals_judge(fleet, &deployments[i], t->entries, t->n, signers, rules, t->arena, &approvals[i]);
        }
        *ret = approvals;
        return 0;
}

/*
 * A host's part of a commit
 */

static bool has_approvals(struct tree *t, const struct desired *d) {
        for (size_t i = 0; i < d->n_deployments; i++) {
                const char *prefix = approvals_folder(&d->deployments[i], t->arena);
                size_t first = entries_begin(t->entries, t->n, prefix);

                if (first < t->n && str_after(t->entries[first].path, prefix))
                        return true;
        }
        return false;
}

static int check_clashes(const struct desired *d, struct arena *a, struct fault *reterr) {
        const struct deployment **all = arena_array(a, d->n_deployments, sizeof(*all));

        for (size_t i = 0; i < d->n_deployments; i++)
                all[i] = &d->deployments[i];
        return deployment_clash(d->host->host.text, all, d->n_deployments, reterr);
}

static int resolve_selected(struct tree *t, struct desired *d, struct fault *reterr) {
        size_t n = 0;
        const struct release *const *releases = fleet_select(&d->fleet, d->host, t->arena, &n);

        d->deployments = arena_array(t->arena, n, sizeof(struct deployment));
        for (size_t i = 0; i < n; i++) {
                int r = tree_read_app(t, releases[i]->app.text, reterr);

                if (r == 0)
                        r = fleet_resolve(&d->fleet, releases[i], t->arena, &d->deployments[d->n_deployments], reterr);
                if (r < 0)
                        return r;
                d->n_deployments++;
        }
        return check_clashes(d, t->arena, reterr);
}

/* The trust is read only when there is something that it could verify. */
static int judge_selected(struct tree *t, const struct approval_rules *rules, struct desired *d, struct fault *reterr) {
        struct approval_signers signers = { .unusable = NULL };
        int r = has_approvals(t, d) ? read_signers(t, &signers, reterr) : 0;

        return r < 0 ? r
                     : judge_approvals(t, &d->fleet, d->deployments, d->n_deployments, &signers, rules, &d->approvals,
                                       reterr);
}

int desired_load_commit(struct mirror *m, const struct object_id *commit, const char *host,
                        const struct approval_rules *rules, struct arena *a, struct desired *ret,
                        struct fault *reterr) {
        struct desired d = { .host = NULL };
        struct tree *t;
        int r = tree_of_commit(m, commit, a, &t, reterr);

        if (r == 0)
                r = read_fleet(t, &d.fleet, reterr);
        if (r < 0)
                return r;
        d.host = fleet_host(&d.fleet, host);
        if (d.host) {
                d.environment = fleet_environment(&d.fleet, d.host->environment.text);
                r = resolve_selected(t, &d, reterr);
                if (r == 0)
                        r = judge_selected(t, rules, &d, reterr);
        }
        if (r == 0)
                *ret = d;
        return r;
}

/*
 * A working tree
 */

static int resolve_all(struct tree *t, struct loaded_tree *l, struct fault *reterr) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < l->fleet.n_releases; i++)
                r = tree_read_app(t, l->fleet.releases[i].app.text, reterr);
        return r < 0 ? r : fleet_check(&l->fleet, t->arena, &l->deployments, reterr);
}

int desired_load_folder(const char *folder, const struct approval_rules *rules, struct arena *a,
                        struct loaded_tree *ret, struct fault *reterr) {
        struct loaded_tree l = { .deployments = NULL };
        struct tree *t;
        int r = tree_of_folder(folder, NULL, a, &t, reterr);

        if (r == 0)
                r = read_fleet(t, &l.fleet, reterr);
        if (r == 0)
                r = resolve_all(t, &l, reterr);
        if (r == 0)
                r = read_signers(t, &l.signers, reterr);
        if (r == 0)
                r = judge_approvals(t, &l.fleet, l.deployments, l.fleet.n_releases, &l.signers, rules, &l.approvals,
                                    reterr);
        if (r < 0)
                return r;
        approvals_find_misplaced(&l.fleet, t->entries, t->n, a, &l.misplaced);
        *ret = l;
        return 0;
}
