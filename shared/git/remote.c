/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/remote.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <git2.h>

#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/git/child.h"
#include "shared/git/compact.h"
#include "shared/git/copy.h"
#include "shared/git/error.h"
#include "shared/git/refs.h"
#include "shared/git/transport.h"

#define HEADS            "refs/heads/"
#define STALL_TIMEOUT_MS 30000
#define TIMEOUT_MS       (10 * 60 * 1000)
#define STATUS_MAX       256 /* what a server says about a refused push */

DEFINE_OWN(git_remote, git_remote_free)
DEFINE_OWN(git_repository, git_repository_free)

/* What the child needs; prepared by the parent, so that a wrong setting never starts one. */
struct job {
        struct transport transport;
        const char *url;
        const char *branch;
        const char *repository; /* path; NULL: only ask */
        const char *local_ref;  /* to push; NULL: fetch */
        char head[sizeof(HEADS) + LIMIT_BRANCH_BYTES];
        char status[STATUS_MAX]; /* why the server refused the push, "" when it did not */
};

/* What it answers. */
struct outcome {
        struct object_id tip;
        enum remote_pushed pushed;
};

const char *remote_ref(const char *branch, char *buf) {
        (void)snprintf(buf, REMOTE_REF_MAX, "refs/tally/remote/%s", branch);
        return buf;
}

/*
 * In the child
 */

static git_oid to_oid(const struct object_id *id) {
        git_oid oid;

        memset(&oid, 0, sizeof(oid));
        memcpy(oid.id, id->raw, sizeof(id->raw));
        return oid;
}

/* 1 found, 0 not there. */
static int find_head(git_remote *remote, const struct job *job, struct object_id *ret, struct fault *reterr) {
        const git_remote_head **heads;
        size_t n;
        int rc = git_remote_ls(&heads, &n, remote);

        if (rc < 0)
                return git_fault(reterr, rc, "listing %s", job->transport.shown);
        for (size_t i = 0; i < n; i++)
                if (str_eq(heads[i]->name, job->head)) {
                        memcpy(ret->raw, heads[i]->oid.id, sizeof(ret->raw));
                        return 1;
                }
        return 0;
}

static int fault_missing(const struct job *job, struct fault *reterr) {
        (void)fault_set_code(reterr, FAULT_TRANSIENT, REASON_FETCH_BRANCH_MISSING, "%s has no branch '%s'",
                             job->transport.shown, job->branch);
        return -ENOENT;
}

static int connect_to(git_remote *remote, struct job *job, git_direction direction, struct fault *reterr) {
        git_remote_connect_options options = GIT_REMOTE_CONNECT_OPTIONS_INIT;
        int rc;

        transport_callbacks(&job->transport, &options.callbacks);
        options.proxy_opts.type = GIT_PROXY_AUTO;
        options.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
        rc = git_remote_connect_ext(remote, direction, &options);
        return rc < 0 ? transport_fault(&job->transport, reterr, rc, "connecting to") : 0;
}

static int download(git_remote *remote, struct job *job, struct fault *reterr) {
        git_fetch_options options = GIT_FETCH_OPTIONS_INIT;
        char into[REMOTE_REF_MAX], spec[sizeof(job->head) + REMOTE_REF_MAX + 2];
        char *specs[] = { spec };
        git_strarray list = { .strings = specs, .count = 1 };
        int rc;

        (void)snprintf(spec, sizeof(spec), "+%s:%s", job->head, remote_ref(job->branch, into));
        transport_callbacks(&job->transport, &options.callbacks);
        options.prune = GIT_FETCH_NO_PRUNE;
        options.update_fetchhead = 0;
        options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
        options.proxy_opts.type = GIT_PROXY_AUTO;
        options.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
        rc = git_remote_download(remote, &list, &options);
        return rc < 0 ? transport_fault(&job->transport, reterr, rc, "fetching from") : 0;
}

static int download_here(git_repository *repo, struct job *job, const git_oid *tip, struct fault *reterr) {
        git_remote_callbacks callbacks = GIT_REMOTE_CALLBACKS_INIT;
        int rc;

        transport_callbacks(&job->transport, &callbacks);
        rc = copy_history(job->transport.url.path, repo, tip, callbacks.transfer_progress, callbacks.payload);
        return rc < 0 ? transport_fault(&job->transport, reterr, rc, "fetching from") : 0;
}

static bool has_object(git_repository *repo, const struct object_id *id) {
        git_oid oid = to_oid(id);
        git_odb *odb = NULL;
        bool there = git_repository_odb(&odb, repo) == 0 && git_odb_exists(odb, &oid) == 1;

        git_odb_free(odb);
        return there;
}

static int fetch(git_repository *repo, struct job *job, struct outcome *out, struct fault *reterr) {
        own(git_remote_free_p) git_remote *remote = NULL;
        git_oid tip;
        int r, rc = repo ? git_remote_create_anonymous(&remote, repo, job->url)
                         : git_remote_create_detached(&remote, job->url);

        if (rc < 0)
                return git_fault(reterr, rc, "preparing %s", job->transport.shown);
        r = connect_to(remote, job, GIT_DIRECTION_FETCH, reterr);
        if (r < 0)
                return r;
        r = find_head(remote, job, &out->tip, reterr);
        if (r <= 0)
                return r < 0 ? r : fault_missing(job, reterr);
        if (!repo || has_object(repo, &out->tip))
                return 0;
        tip = to_oid(&out->tip);
        return job->transport.url.scheme == GIT_SCHEME_LOCAL ? download_here(repo, job, &tip, reterr)
                                                             : download(remote, job, reterr);
}

/*
 * Pushing, still in the child
 */

static int on_push_status(const char *refname, const char *status, void *payload) {
        struct transport *t = payload;
        struct job *job = (struct job *)((char *)t - offsetof(struct job, transport));

        if (status)
                (void)snprintf(job->status, sizeof(job->status), "%s", status);
        return 0;
}

static int fault_diverged(const struct job *job, struct fault *reterr) {
        (void)fault_set_code(reterr, FAULT_CONFLICT, REASON_LEDGER_DIVERGED,
                             "branch '%s' of %s has commits that ours does not descend from", job->branch,
                             job->transport.shown);
        return -ESTALE;
}

static int fault_refused(const struct job *job, struct fault *reterr) {
        static const char *const raced[] = { "non-fast-forward", "fetch first",          "stale info",
                                             "cannot lock ref",  "failed to update ref", "reference already exists" };
        char status[STATUS_MAX];

        for (size_t i = 0; i < sizeof(raced) / sizeof(raced[0]); i++)
                if (strstr(job->status, raced[i]))
                        return fault_diverged(job, reterr);
        memcpy(status, job->status, sizeof(status));
        text_make_harmless(status, "");
        (void)fault_set_code(reterr, FAULT_TRANSIENT, REASON_LEDGER_PUSH_FAILED, "%s does not take branch '%s': %s",
                             job->transport.shown, job->branch, status);
        return -EPERM;
}

/* Ours must descend from what is there. */
static int check_forward(git_repository *repo, const struct job *job, const struct object_id *there,
                         const git_oid *ours, struct fault *reterr) {
        git_oid theirs = to_oid(there);
        int rc;

        if (!has_object(repo, there))
                return fault_diverged(job, reterr);
        rc = git_graph_descendant_of(repo, ours, &theirs);
        if (rc < 0)
                return git_fault(reterr, rc, "comparing with %s", job->transport.shown);
        return rc == 1 ? 0 : fault_diverged(job, reterr);
}

static int upload(git_remote *remote, struct job *job, struct fault *reterr) {
        git_push_options options = GIT_PUSH_OPTIONS_INIT;
        own_free char *spec = NULL;
        git_strarray list = { .strings = &spec, .count = 1 };
        int rc;

        if (asprintf(&spec, "%s:%s", job->local_ref, job->head) < 0)
                return fault_set_oom(reterr);
        transport_callbacks(&job->transport, &options.callbacks);
        options.callbacks.push_update_reference = on_push_status;
        options.proxy_opts.type = GIT_PROXY_AUTO;
        options.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
        rc = git_remote_upload(remote, &list, &options);
        if (rc == GIT_ENONFASTFORWARD)
                return fault_diverged(job, reterr);
        if (rc < 0)
                return transport_fault(&job->transport, reterr, rc, "pushing to");
        return job->status[0] ? fault_refused(job, reterr) : 0;
}

/*
 * A push to a repository of this machine writes there itself, and one that was killed leaves the branch locked. Nobody
 * else writes this branch, and no writer holds it for so long: without this no push would ever succeed again.
 */
#define STALE_LOCK_S 2

static void drop_stale_lock(const struct job *job) {
        own(git_repository_free_p) git_repository *there = NULL;
        own_free char *path = NULL;
        struct stat st;

        if (job->transport.url.scheme != GIT_SCHEME_LOCAL || git_repository_open(&there, job->transport.url.path) < 0 ||
            asprintf(&path, "%s%s.lock", git_repository_commondir(there), job->head) < 0)
                return;
        if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && clock_wall_ms() / 1000 - st.st_mtime > STALE_LOCK_S)
                (void)unlink(path); /* the push tells when that failed */
}

static int push(git_repository *repo, struct job *job, struct outcome *out, struct fault *reterr) {
        own(git_remote_free_p) git_remote *remote = NULL;
        git_oid ours;
        int r, rc = git_reference_name_to_id(&ours, repo, job->local_ref);

        if (rc >= 0)
                rc = git_remote_create_anonymous(&remote, repo, job->url);
        if (rc < 0)
                return git_fault(reterr, rc, "pushing %s", job->local_ref);
        r = connect_to(remote, job, GIT_DIRECTION_PUSH, reterr);
        if (r < 0)
                return r;
        r = find_head(remote, job, &out->tip, reterr);
        if (r > 0 && memcmp(out->tip.raw, ours.id, sizeof(out->tip.raw)) == 0) {
                out->pushed = REMOTE_UP_TO_DATE;
                return 0;
        }
        if (r > 0)
                r = check_forward(repo, job, &out->tip, &ours, reterr);
        if (r >= 0) {
                drop_stale_lock(job);
                r = upload(remote, job, reterr);
        }
        if (r < 0)
                return r;
        memcpy(out->tip.raw, ours.id, sizeof(out->tip.raw));
        out->pushed = REMOTE_PUSHED;
        return 0;
}

static int run(struct child *c, void *data, void *result, struct fault *reterr) {
        own(git_repository_free_p) git_repository *repo = NULL;
        struct job *job = data;
        int r, rc = 0;

        job->transport.child = c;
        r = transport_begin(&job->transport, reterr);
        if (r < 0)
                return r;
        if (job->repository)
                rc = git_repository_open_ext(&repo, job->repository,
                                             GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_BARE, NULL);
        if (rc < 0)
                return git_fault(reterr, rc, "opening %s", job->repository);
        return job->local_ref ? push(repo, job, result, reterr) : fetch(repo, job, result, reterr);
}

/*
 * In the parent
 */

static void job_done(struct job *job) {
        transport_done(&job->transport);
}

static int job_prepare(struct job *job, const struct remote_settings *settings, const char *url, const char *branch,
                       struct fault *reterr) {
        if (!branch_is_valid(branch))
                return fault_set(reterr, FAULT_CONFIG, EINVAL, "the branch has no name that git takes");
        job->url = url;
        job->branch = branch;
        (void)snprintf(job->head, sizeof(job->head), "%s%s", HEADS, branch);
        return transport_prepare(&job->transport, settings, url, reterr);
}

static int job_run(struct job *job, const char *kind, struct outcome *ret, struct fault *reterr) {
        const struct remote_settings *s = job->transport.settings;
        own_free char *what = NULL;
        struct child_work work = {
                .run = run,
                .data = job,
                .result_size = sizeof(*ret),
                .stall_timeout_ms = s->stall_timeout_ms > 0 ? s->stall_timeout_ms : STALL_TIMEOUT_MS,
                .timeout_ms = s->timeout_ms > 0 ? s->timeout_ms : TIMEOUT_MS,
        };

        if (asprintf(&what, "%s %s", kind, job->transport.shown) < 0)
                return fault_set_oom(reterr);
        work.what = what;
        return child_run(&work, ret, reterr);
}

/* A shallow remote would give us a history that ends in the air. Others show it only after the fetch. */
static int check_local_remote(const struct job *job, struct fault *reterr) {
        static const char *const places[] = { "shallow", ".git/shallow" };
        const struct git_url *u = &job->transport.url;

        for (size_t i = 0; u->scheme == GIT_SCHEME_LOCAL && i < sizeof(places) / sizeof(places[0]); i++) {
                own_free char *path = NULL;
                struct stat st;

                if (asprintf(&path, "%s/%s", u->path, places[i]) > 0 && stat(path, &st) == 0 && st.st_size > 0)
                        return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_SHALLOW,
                                              "the repository %s is shallow", job->transport.shown);
        }
        return 0;
}

int remote_tip(const struct remote_settings *settings, const char *url, const char *branch, struct object_id *ret,
               struct fault *reterr) {
        own(job_done) struct job job = { .url = NULL };
        struct outcome outcome;
        int r = job_prepare(&job, settings, url, branch, reterr);

        if (r < 0)
                return r;
        switch (refs_local_tip(url, branch, ret)) {
        case REF_FOUND:
                return 0;
        case REF_MISSING:
                return fault_missing(&job, reterr);
        case REF_DONT_KNOW:
        case REF_ANSWER_MAX_:
                break;
        }
        r = job_run(&job, "asking", &outcome, reterr);
        if (r >= 0)
                *ret = outcome.tip;
        return r < 0 ? r : 0;
}

int remote_fetch(struct mirror *m, const struct remote_settings *settings, const char *url, const char *branch,
                 struct object_id *ret_tip, struct fault *reterr) {
        own(job_done) struct job job = { .repository = mirror_path(m) };
        char ref[REMOTE_REF_MAX];
        struct outcome outcome;
        int r = job_prepare(&job, settings, url, branch, reterr);

        mirror_sweep(m);
        if (r >= 0)
                r = check_local_remote(&job, reterr);
        if (r >= 0)
                r = mirror_check(m, reterr);
        if (r >= 0) {
                r = job_run(&job, "fetching from", &outcome, reterr);
                if (r < 0 && reterr->kind == FAULT_CONFIG && !reterr->code) {
                        /* The settings were fine before the first byte: the server answers with a tip that is no commit. */
                        reterr->kind = FAULT_DENIED;
                        reterr->code = REASON_TRUST_BAD_OBJECT;
                }
        }
        if (r >= 0)
                r = mirror_refresh(m, reterr);
        if (r >= 0)
                r = mirror_check(m, reterr);
        if (r >= 0)
                r = mirror_set_ref(m, remote_ref(branch, ref), &outcome.tip, reterr);
        if (r < 0)
                return r;
        *ret_tip = outcome.tip;
        return 0;
}

int remote_push(struct git_repository *repository, const struct remote_settings *settings, const char *url,
                const char *local_ref, const char *branch, enum remote_pushed *ret, struct fault *reterr) {
        own(job_done) struct job job = { .repository = git_repository_path(repository), .local_ref = local_ref };
        struct outcome outcome;
        int r = job_prepare(&job, settings, url, branch, reterr);

        if (r >= 0)
                r = job_run(&job, "pushing to", &outcome, reterr);
        if (r < 0)
                return r;
        *ret = outcome.pushed;
        return 0;
}
