/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Instance: one container (allocation, task) that a runtime reports as ours. */

#include "shared/data/digest.h"
#include "shared/data/table.h"

enum instance_state {
        INSTANCE_CREATED, /* made, never started */
        INSTANCE_RUNNING,
        INSTANCE_RESTARTING, /* the engine restarts it after it stopped by itself */
        INSTANCE_PAUSED,
        INSTANCE_EXITED,
        INSTANCE_REMOVING,
        INSTANCE_DEAD,
        INSTANCE_STATE_MAX_,
};
/* the Engine API's words: created running restarting paused exited removing dead */
extern const char *const instance_state_names[];

enum health {
        HEALTH_NONE, /* no health check: running counts as healthy */
        HEALTH_STARTING,
        HEALTH_HEALTHY,
        HEALTH_UNHEALTHY,
        HEALTH_MAX_,
};
extern const char *const health_names[]; /* none starting healthy unhealthy */

/* Where a port of an instance can be reached from the host. */
struct endpoint {
        int64_t port;        /* of the container, TCP */
        const char *address; /* "127.0.0.1:32768", "[::1]:32768": a published port */
};

struct instance {
        const char *id;
        const char *name;
        /* from the labels tallyman.*; spec is the specification's digest */
        const char *app, *service, *release, *version, *spec;
        int64_t index;        /* 1-based number of the replica within its service and specification */
        const char *image;    /* the reference it was made from: repository@sha256:… */
        const char *image_id; /* what the engine says it really runs */
        /* image_id is what the engine holds for the pinned digest (index, manifest or config told apart) */
        bool image_matches;
        enum instance_state state;
        enum health health;
        int64_t exit_code;
        /* exited while its engine went down or came up: whether by itself, and how, is not known */
        bool lost;
        int64_t restarts;             /* how often the engine restarted it by itself */
        int64_t started_at;           /* wall clock, ms; 0: never */
        struct struct_list endpoints; /* struct endpoint: its published ports, one for each, by port */
        /* its own address in its first network by name; 127.0.0.1 on the host's network; NULL: none, or not known */
        const char *address;
        struct string_list networks_missing; /* networks of its specification that it is not attached to */
        struct string_list files_changed;    /* mounts whose source on the host is not the declared content any more */
};

extern const struct table instance_table;

/*
 * "host:port" at which port @port of an instance can be reached from this host: a published port, else its own address.
 * In @a; NULL when there is no way.
 */
const char *instance_reach(const struct instance *i, int64_t port, struct arena *a);

/* What one runtime runs for one host. */
struct observation {
        const char *runtime;
        /* false: the runtime could not be asked; instances is then empty and nothing may be concluded */
        bool available;
        const char *reason;           /* why not, for people; NULL when available */
        const char *version;          /* of the engine */
        struct struct_list instances; /* struct instance, sorted by app, service, spec, index, id */
        /* what the runtime showed first, boiled down; unset: none. For the pass, not in the table */
        struct digest fingerprint;
};
extern const struct table observation_table;
