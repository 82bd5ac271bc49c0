/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Compose, inside: what the tables read before it is resolved, and the readers that the files of this module share
 *
 * The tables (service.c, network.c, compose.c) give a draft: values are typed and short forms are
 * expanded, but nothing was looked up. env.c, mount.c and network.c then resolve names, files
 * and variables, check.c compares services, order.c sorts them.
 */

#include "shared/compose/compose.h"

#define COMPOSE_AT(type, member) .at = offsetof(struct type, member)

struct env_file {
        struct text_at path;
        bool required;
        bool raw;
};

struct deploy_resources {
        int64_t nano_cpus, memory, pids; /* 0: absent */
        struct source_pos at;
};

struct deploy_limits {
        struct deploy_resources limits, reservations;
};

struct deploy {
        int64_t replicas; /* -1: absent */
        const char *mode;
        struct deploy_limits resources;
        struct source_pos at;
};

/* `configs:` and `secrets:` of a service. */
struct grant_draft {
        struct text_at source, target;
        int64_t uid, gid, mode; /* -1: absent */
        struct source_pos at;
};

struct mount_bind {
        const char *propagation, *selinux;
        bool create_host_path;
};
struct mount_volume {
        bool nocopy;
        const char *subpath;
};
struct mount_tmpfs {
        int64_t size, mode;
};

/* One of `volumes:` of a service, with sources as written. */
struct mount_draft {
        int type; /* enum compose_mount_type */
        struct text_at source, target;
        bool read_only;
        struct mount_bind bind;
        struct mount_volume volume;
        struct mount_tmpfs tmpfs;
        struct source_pos at;
};

struct service_draft {
        struct compose_service s;
        struct string_map environment;       /* as written */
        struct struct_list env_files;        /* struct env_file */
        struct struct_list mounts;           /* struct mount_draft */
        struct struct_list configs, secrets; /* struct grant_draft */
        const struct deploy *deploy;
        int64_t scale; /* -1: absent */
        struct text_at network_mode;
};

/* A top-level config or secret. */
struct content_draft {
        struct text_at key;
        struct text_at file, content, environment;
        const char *name;
        struct source_pos at;
};

struct network_draft {
        struct text_at key;
        struct compose_network n;
};

struct volume_draft {
        struct text_at key;
        struct compose_volume v;
};

struct compose_draft {
        const char *name;
        const char *version;
        struct struct_list services;         /* struct service_draft */
        struct struct_list networks;         /* struct network_draft */
        struct struct_list volumes;          /* struct volume_draft */
        struct struct_list configs, secrets; /* struct content_draft */
        struct source_pos at;
};

extern const struct table compose_draft_table, compose_service_table, compose_network_table, compose_volume_table,
        compose_content_table;

/* What all the stages after the tables work on. */
struct compose_context {
        const struct compose_input *in;
        struct compose_draft *draft;
        struct compose *compose;
        struct arena *arena;
};

/*
 * Readers for FIELD_CUSTOM (value.c). Each takes the forms that the specification has for such a value.
 */

/* struct compose_command */
int compose_read_command(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* struct string_list: one or a list */
int compose_read_strings(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* struct string_map: a map, or a list of K=V; no value is "" */
int compose_read_string_map(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* the same; no value is NULL */
int compose_read_environment(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* int64_t */
int compose_read_bytes(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* int64_t, -1 too */
int compose_read_swap(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* int64_t, nano */
int compose_read_cpus(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* int64_t, ns */
int compose_read_duration(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* int64_t, permission bits */
int compose_read_mode(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* const bool * */
int compose_read_bool(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* struct compose_service */
int compose_read_restart(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
int compose_read_ulimits(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
int compose_read_extra_hosts(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
int compose_read_devices(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
int compose_read_depends_on(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* const struct compose_healthcheck * */
int compose_read_healthcheck(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* port.c */
int compose_read_ports(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
int compose_read_expose(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* mount.c */
int compose_read_mounts(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
int compose_read_tmpfs(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* grant.c */
int compose_read_grants(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* env.c */
int compose_read_env_files(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
/* network.c */
int compose_read_attachments(const struct node *node, void *slot, struct arena *a, struct fault *reterr);

#define COMPOSE_SCHEMA_STRINGS \
        "{\"type\":[\"string\",\"array\"],\"items\":{\"type\":[\"string\",\"number\",\"boolean\"]}}"
#define COMPOSE_SCHEMA_MAP    "{\"type\":[\"object\",\"array\"]}"
#define COMPOSE_SCHEMA_BYTES  "{\"type\":[\"string\",\"integer\"]}"
#define COMPOSE_SCHEMA_STRING "{\"type\":\"string\"}"
#define COMPOSE_SCHEMA_BOOL   "{\"type\":\"boolean\"}"

/* Any scalar but null, as text. */
int compose_text(const struct node *node, struct text_at *ret, struct fault *reterr);
/* "expected %s, found a list" at @node. */
int compose_expected(const struct node *node, const char *what, struct fault *reterr);
/*
 * What a list or a map holds, one by one, into @ret (items of @size bytes in @a). A null is none of them; what is not
 * of one of the @shapes is refused at its place.
 */
enum compose_shape { COMPOSE_LIST = 1, COMPOSE_MAP = 2 };
/* @entry: whose value it is; NULL: it stands in a list. @item is zero. */
typedef int (*compose_item_fn)(const struct node *value, const struct node_entry *entry, void *item, struct arena *a,
                               struct fault *reterr);
int compose_read_items(const struct node *node, unsigned shapes, size_t size, compose_item_fn read, struct arena *a,
                       struct struct_list *ret, struct fault *reterr);
/* "missing in the app's folder" at @at: @path as written. */
int compose_fault_missing(struct fault *reterr, const struct source_pos *at, const struct app_files *files,
                          const char *what, const char *path);
/* Absolute, without empty, "." and ".." components; a '/' at the end is dropped. In @a; NULL when it is none. */
const char *compose_target(const char *path, struct arena *a);
void compose_sort_map(struct string_map *map);
const char *compose_map_get(const struct string_map *map, const char *key);

/*
 * Keys of the specification that are not carried out (refuse.c), with their reasons. Walked before the tables
 * read, so that such a key is told apart from a misspelt one.
 */
int compose_refuse(const struct node *root, unsigned keys, struct fault *reterr);

/*
 * Keys that are left to the runtime, COMPOSE_KEYS_OTHER (other.c)
 */

/* Keys that docker compose itself would carry out, but not beside what Tallyman does (refuse.c). */
int compose_refuse_whole(const struct node *root, struct fault *reterr);
/* @root without them, as the tables read it; refuses those that not even docker compose carries out here. */
int compose_leave_other(const struct node *root, const struct variables *variables, struct arena *a,
                        const struct node **ret, struct fault *reterr);
/* After the resolution: each service gets all its keys back in its node; services that are needed must run. */
int compose_keep_other(struct compose *c, struct fault *reterr);
/* A service's key that the specification has and the docker runtime does not carry out. */
bool compose_is_refused(const char *key);

/*
 * Stages after the tables
 */

/* All of them, from a draft to a model. */
int compose_resolve(const struct compose_context *x, struct fault *reterr);

int compose_resolve_env(const struct compose_context *x, struct service_draft *d, struct fault *reterr);
int compose_resolve_mounts(const struct compose_context *x, struct service_draft *d, struct fault *reterr);
int compose_resolve_grants(const struct compose_context *x, struct service_draft *d, struct fault *reterr);
int compose_resolve_security(const struct compose_context *x, struct service_draft *d, struct fault *reterr);
int compose_resolve_attachments(const struct compose_context *x, struct service_draft *d, struct fault *reterr);
/* Networks and volumes that a service uses, with their names at the engine. */
int compose_resolve_resources(const struct compose_context *x, struct fault *reterr);
/* What services may not do to each other. */
int compose_check_services(const struct compose *c, struct fault *reterr);
/* Sort by dependency. */
int compose_order(struct compose *c, struct arena *a, struct fault *reterr);
