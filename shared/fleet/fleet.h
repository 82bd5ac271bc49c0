/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fleet: the desired state as documents: Fleet, Host, Environment, App, Release
 *
 * fleet_read() makes it from the entries of the accepted commit's tree, purely: fleet.yaml, hosts/<host>.yaml,
 * environments/<env>/environment.yaml, environments/<env>/<app>.yaml and what stands under apps/<app>/; everything else
 * is ignored. It reads the documents and checks what they say about each other. What an app runs (its compose file) is
 * read by fleet_resolve(), one release at a time, so that a host pays for its own apps only.
 */

#include "shared/compose/compose.h"
#include "shared/data/table.h"
#include "shared/fleet/release.h"
#include "shared/model/check.h"
#include "shared/model/files.h"
#include "shared/model/plan.h"
#include "shared/model/route.h"
#include "shared/model/settings.h"
#include "shared/model/workload.h"

enum host_state {
        HOST_ACTIVE,
        HOST_RETIRED, /* gone on purpose: nothing is addressed to it, its ledger stays valid */
        HOST_REVOKED, /* its key is not trusted any more */
        HOST_STATE_MAX_,
};
extern const char *const host_state_names[]; /* active retired revoked */

enum app_runtime { APP_DOCKER, APP_COMPOSE, APP_FAKE, APP_RUNTIME_MAX_ };
/* docker compose fake; the last runs nothing, is for tests and offered to nobody */
extern const char *const app_runtime_names[];

struct host {
        struct text_at host; /* first, as the name is in all of these */
        struct text_at environment;
        struct string_map labels;
        struct text_at key; /* "ssh-ed25519 AAAA… comment"; text NULL: not enrolled yet */
        enum host_state state;
        struct source_pos at;
};

struct promotion {
        struct text_at from; /* environment */
};

struct environment {
        struct text_at environment;        /* set from the folder's name when there is no environment.yaml */
        int64_t order;                     /* for display and promotion, lowest first */
        const struct promotion *promotion; /* NULL: none */
        struct string_map variables;       /* for the compose files of this environment; win over the app's .env */
        struct source_pos at;
};

struct app {
        struct text_at app;       /* set from the folder's name when there is no app.yaml */
        enum app_runtime runtime; /* app_runtime_names[] gives the runtime's name */
        struct text_at file;      /* in the app's folder; default compose.yaml */
        struct rollout_settings rollout;
        struct string_map roles;       /* service: role; default primary */
        struct struct_list checks;     /* struct check, each with its name */
        const struct traffic *traffic; /* NULL: no router carries its requests */
        struct struct_list steps;      /* struct plan_step; none: the strategy's plan */
        enum drift_mode drift;
        bool prune;   /* default false */
        int64_t keep; /* images of how many older releases stay: default 1 */
        struct source_pos at;
        const struct desired_entry *entries; /* under apps/<app>/, sorted by path */
        size_t n_entries;
};

struct release_source {
        const char *repository, *commit, *branch, *build, *pipeline; /* each NULL when absent */
};

struct release {
        struct text_at app;
        struct text_at version;
        struct string_map images;            /* service: reference with a digest */
        struct string_map on;                /* label selector; n 0: every host of the environment */
        const struct release_source *source; /* NULL: absent */
        const char *created, *by;            /* what `tally lock` wrote down; NULL: absent */
        struct source_pos at;
        const char *environment; /* from the path */
        const struct app *of;    /* the app */
};

struct fleet {
        const char *name;        /* of fleet.yaml; "fleet" when there is none */
        const char *description; /* NULL: none */
        struct host *hosts;      /* sorted by name, as all of these */
        size_t n_hosts;
        struct environment *environments;
        size_t n_environments;
        struct app *apps;
        size_t n_apps;
        struct release *releases; /* by environment, then app */
        size_t n_releases;
};

/* One per kind, for `tally schema` and for writing. */
extern const struct table fleet_table, host_table, environment_table, app_table, release_table;
/* All of the above, NULL-terminated, in the order people read them. */
extern const struct table *const fleet_tables[];

/*
 * Read the desired state. @entries (any order) and what they point at are borrowed. Entries whose bytes are NULL are
 * known to be there and not read: that is enough for files under apps/ whose app is not resolved, and a fault for
 * documents. Entries that come sorted by path are used where they are, so the bytes of an app may be filled in before
 * fleet_resolve().
 */
int fleet_read(const struct desired_entry *entries, size_t n, struct arena *a, struct fleet *ret, struct fault *reterr);

/* True when fleet_read() wants the bytes of @path: a document, app.yaml included. */
bool fleet_path_is_document(const char *path);
/* The app that @path belongs to (apps/<app>/…), copied to @buf of LIMIT_NAME_BYTES + 1; NULL when to none. */
const char *fleet_path_app(const char *path, char *buf);

/* Logarithmic; NULL when there is none. */
const struct host *fleet_host(const struct fleet *f, const char *host);
const struct environment *fleet_environment(const struct fleet *f, const char *environment);
const struct app *fleet_app(const struct fleet *f, const char *app);
const struct release *fleet_release(const struct fleet *f, const char *environment, const char *app);

/* Does the release's selector take this host, which is active and of its environment? */
bool release_selects(const struct release *r, const struct host *h);
/* The releases addressed to @h, sorted by app; in @a. None unless the host is active. */
/* What a service of an app is for. */
enum service_role app_role(const struct app *app, const char *service);
const struct release *const *fleet_select(const struct fleet *f, const struct host *h, struct arena *a, size_t *ret_n);

/* A release with all it needs to run. */
struct deployment {
        const struct release *release;
        const struct app *app;
        const struct environment *environment;
        const struct app_files *files;
        struct compose compose; /* with every image pinned */
        const char *id;         /* release id, sha256:… */
};

/*
 * Read the app's compose file with the environment's variables, pin its images, compute the release id. The bytes of
 * every entry under apps/<app>/ must have been read.
 */
int fleet_resolve(const struct fleet *f, const struct release *r, struct arena *a, struct deployment *ret,
                  struct fault *reterr);

/*
 * fleet_resolve() and deployment_check_exclusive() for every release, and deployment_clash() for every host: what `tally check`
 * does. Stops at the first fault. @ret (may be NULL): one for each release, in their order, in @a.
 */
int fleet_check(const struct fleet *f, struct arena *a, struct deployment **ret, struct fault *reterr);
