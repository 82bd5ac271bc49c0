/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Workload: an app as a runtime will run it
 *
 * What `render` of a runtime makes from the app's compose file, its files and the release's pins. The pure core decides
 * on it; the runtime carries it out. It has a table, so that it can stand in the world document and be replayed.
 */

#include <jansson.h>

#include "shared/model/route.h"

enum depend_condition {
        DEPEND_STARTED,
        DEPEND_HEALTHY,
        DEPEND_COMPLETED,
        DEPEND_CONDITION_MAX_,
};
extern const char *const depend_condition_names[]; /* the Compose Specification's words: service_started, … */

/* What a service is for. */
enum service_role {
        ROLE_PRIMARY,
        ROLE_INIT,      /* runs to its end before the primaries of each release that changes it */
        ROLE_MIGRATION, /* the same, before anything else of the app is touched */
        ROLE_SIDECAR,   /* beside the primaries; may be one that cannot run twice */
        ROLE_HOOK,      /* runs only when a step of the plan says so */
        ROLE_MAX_,
};
extern const char *const service_role_names[]; /* primary init migration sidecar hook */

struct depend {
        const char *service;
        enum depend_condition condition;
        bool required; /* false: go on without it when it isn't there or fails */
};

/* One service: `replicas` instances made from one specification. */
struct workload_service {
        const char *name;
        const char *image;       /* repository@sha256:…, as pinned, without tag */
        const char *spec_digest; /* sha256 of the canonical specification: label tallyman.spec */
        int64_t replicas;
        enum service_role role;
        struct struct_list depends_on; /* struct depend */
        /* the container has a health check (its own or the image's is not known here) */
        bool health_checked;
        bool exclusive;            /* cannot run beside its predecessor: host port, container_name, … */
        const char *why_exclusive; /* for people: "it publishes port 8080 of the host"; NULL when it can */
        int64_t stop_grace_ms;
        /* the runtime's own instance specification; not in the world document, borrowed */
        json_t *spec;
};

struct workload {
        const char *app;
        const char *release; /* release id, sha256:… */
        const char *version;
        const char *runtime;
        /* struct workload_service, in dependency order (a service stands after what it depends on) */
        struct struct_list services;
        const struct traffic *traffic; /* the router that carries its requests; NULL: none */
        /* the runtime's networks, volumes and files to make first; not in the world document */
        json_t *resources;
        const char *artifact;        /* the immutable artifact (locked compose file), text */
        const char *artifact_digest; /* its sha256 */
};

extern const struct table depend_table;
extern const struct table workload_service_table;
extern const struct table workload_table;

/* Its instances run to their end, once a release: init, migration, hook. */
static inline bool service_runs_once(const struct workload_service *s) {
        return s->role == ROLE_INIT || s->role == ROLE_MIGRATION || s->role == ROLE_HOOK;
}

const struct workload_service *workload_find(const struct workload *w, const char *service);
