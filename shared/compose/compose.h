/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Compose: the part of the Compose Specification that maps on the Engine API
 *
 * compose_read() takes a parsed compose file, the app's files and the variables, and gives a model in which everything
 * is typed, interpolated, resolved and checked: short forms are expanded, ports are numbers, sizes bytes, durations
 * nanoseconds, env files are read, files of the repository are known to be there, services stand in dependency order.
 * Values that a later stage can fail on keep their position. Keys outside this part are errors at their position that
 * name the key; unknown keys get a "did you mean"; `x-` keys and `version` are ignored.
 *
 * Everything lives in the arena, or is borrowed from the files and the tree.
 */

#include "shared/data/table.h"
#include "shared/model/files.h"
#include "shared/model/image.h"
#include "shared/compose/interpolate.h"
#include "shared/model/workload.h"

#define COMPOSE_DEFAULT_STOP_GRACE_NS (INT64_C(10) * 1000 * 1000 * 1000)

/*
 * A command line: not the same when it is absent (the image's is kept) and when it is empty (the image's is cleared).
 */
struct compose_command {
        bool set;
        struct string_list words;
};

enum compose_protocol { PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_SCTP, PROTOCOL_MAX_ };
extern const char *const compose_protocol_names[]; /* tcp udp sctp */

/* One port of the container. Ranges of equal length are expanded to one of these each. */
struct compose_port {
        const char *host_ip;    /* without brackets; NULL: every address */
        int64_t target;         /* 1..65535 */
        int64_t published;      /* 0: the engine chooses */
        int64_t published_last; /* >= published: the engine chooses within published..published_last */
        enum compose_protocol protocol;
        struct source_pos at;
};

enum compose_mount_type {
        MOUNT_BIND,   /* source: an absolute path on the host */
        MOUNT_VOLUME, /* source: key in compose.volumes; NULL: anonymous */
        MOUNT_TMPFS,  /* no source */
        MOUNT_FILES,  /* source: a file or folder of the app ("" is the whole folder), to be materialised by digest */
        MOUNT_TYPE_MAX_,
};
extern const char *const compose_mount_type_names[]; /* bind volume tmpfs files */

struct compose_mount {
        enum compose_mount_type type;
        const char *source;
        const char *target; /* an absolute, clean path in the container */
        bool read_only;
        bool folder;             /* MOUNT_FILES: source is a folder */
        bool create_host_path;   /* MOUNT_BIND: make the folder on the host when it is missing */
        bool nocopy;             /* MOUNT_VOLUME */
        const char *subpath;     /* MOUNT_VOLUME; NULL: none */
        const char *propagation; /* MOUNT_BIND, MOUNT_FILES: "rprivate", …; NULL: the engine's default */
        const char *selinux;     /* "z", "Z" or NULL */
        int64_t tmpfs_size;      /* MOUNT_TMPFS: bytes, 0: no limit */
        int64_t tmpfs_mode;      /* MOUNT_TMPFS: -1: the engine's default */
        struct digest digest;    /* MOUNT_FILES: app_files_digest() of source */
        struct source_pos at;
};

/* `tmpfs:` of a service. */
struct compose_tmpfs {
        const char *target;
        const char *options; /* "size=64m,mode=1777"; "" when there are none */
        struct source_pos at;
};

/* A config or secret as a service gets it: one file at @target, with its bytes. */
struct compose_grant {
        const char *source; /* the key under top-level configs or secrets */
        bool secret;
        const char *target; /* absolute path in the container */
        int64_t uid, gid;   /* -1: whoever materialises it */
        int64_t mode;       /* permission bits; default 0444 */
        const char *path;   /* in the app's folder; NULL: inline */
        const void *bytes;
        size_t size;
        struct digest digest; /* of the bytes */
        struct source_pos at;
};

struct compose_attachment {
        const char *network;                       /* key in compose.networks */
        struct string_list aliases;                /* as written; the service's own name is an alias in any case */
        struct text_at ipv4_address, ipv6_address; /* text NULL: any */
        struct string_list link_local_ips;
        struct text_at mac_address; /* text NULL: any */
        int64_t priority;
        struct source_pos at;
};

enum compose_restart { RESTART_NO, RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_UNLESS_STOPPED, RESTART_MAX_ };
extern const char *const compose_restart_names[]; /* the Engine API's words: no always on-failure unless-stopped */

struct compose_healthcheck {
        /* {"NONE"}, {"CMD", …}, {"CMD-SHELL", …}; n 0: the image's own test, with these times */
        struct string_list test;
        bool disable; /* test is {"NONE"} then */
        /* 0: the image's or the engine's default */
        int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns;
        int64_t retries; /* 0: likewise */
};

struct compose_ulimit {
        const char *name;
        int64_t soft, hard;
};
struct compose_device {
        const char *host, *container, *permissions;
};
struct compose_depend {
        struct text_at service;
        enum depend_condition condition;
        bool required;
};
struct compose_logging {
        const char *driver; /* NULL: the engine's default */
        struct string_map options;
};

struct compose_service {
        struct text_at name;
        struct text_at image; /* as written, text NULL when it was not */
        /* parsed; compose_pin() puts the release's in its place. registry NULL: none */
        struct image_ref ref;
        const char *pinned; /* "repository@sha256:…" after compose_pin(), NULL before */
        struct compose_command command, entrypoint;
        /* env files and environment together, sorted by key, each key positioned in the file it stems from;
         * value.text NULL: unset it */
        struct string_map environment;
        struct struct_list ports;  /* struct compose_port */
        struct struct_list expose; /* struct compose_port, published 0: exposed only */
        struct struct_list mounts; /* struct compose_mount, of `volumes`, sorted by target */
        struct struct_list tmpfs;  /* struct compose_tmpfs */
        struct struct_list grants; /* struct compose_grant: configs, then secrets */
        /* struct compose_attachment, highest priority first, then by name; none with network_mode */
        struct struct_list networks;
        struct text_at network_mode; /* none host bridge; text NULL: `networks` counts */
        struct string_map labels;    /* as written */
        struct string_map annotations;
        enum compose_restart restart;
        int64_t restart_retries;                       /* RESTART_ON_FAILURE: 0 is without limit */
        const struct compose_healthcheck *healthcheck; /* NULL: the image's own */
        struct struct_list depends_on;                 /* struct compose_depend, as written */

        const char *user, *working_dir, *hostname, *domainname, *stop_signal, *platform, *runtime, *cgroup_parent;
        struct text_at container_name; /* text NULL: the runtime names it */
        int64_t replicas;              /* scale or deploy.replicas; default 1; 0 is allowed */
        int64_t stop_grace_ns;
        bool read_only, privileged, tty, stdin_open;
        const bool *init;             /* NULL: the engine's default */
        const bool *oom_kill_disable; /* NULL: the engine's default */
        int64_t oom_score_adj;
        const char *ipc, *pid, *userns_mode, *uts, *cgroup; /* "host", …; NULL: the engine's default */

        /* a seccomp profile of the app is put in as "seccomp=<JSON>" */
        struct string_list cap_add, cap_drop, security_opt, group_add;
        struct struct_list ulimits; /* struct compose_ulimit */
        struct string_map sysctls;
        struct struct_list devices; /* struct compose_device */
        struct string_list device_cgroup_rules;
        struct string_list extra_hosts; /* "host:address" */
        struct string_list dns, dns_search, dns_opt;
        struct compose_logging logging;

        int64_t shm_size;                                /* bytes; 0: the engine's default, here and below */
        int64_t memory, memory_reservation, memory_swap; /* bytes; memory_swap -1: without limit */
        int64_t nano_cpus;                               /* 1e9 is one CPU */
        int64_t cpu_shares;
        const char *cpuset;
        int64_t pids_limit; /* -1: without limit */

        const struct node *node; /* the service, interpolated; for the locked artifact */
        struct source_pos at;    /* of its key */
};

struct compose_subnet {
        struct text_at subnet, ip_range, gateway; /* text NULL: absent */
        struct string_map aux_addresses;
};

struct compose_network {
        const char *key;
        const char *name;   /* at the engine: `name:`, or <project>_<key> */
        bool external;      /* must be there already, and is never made, changed or removed */
        const char *driver; /* NULL: the engine's default */
        struct string_map driver_opts;
        bool internal, attachable;
        const bool *enable_ipv4, *enable_ipv6; /* NULL: the engine's default */
        struct string_map labels;
        const char *ipam_driver;        /* NULL: the engine's default */
        struct struct_list ipam_config; /* struct compose_subnet */
        struct string_map ipam_options;
        struct source_pos at;
};

struct compose_volume {
        const char *key;
        const char *name; /* at the engine: `name:`, or <project>_<key> */
        bool external;
        const char *driver;
        struct string_map driver_opts;
        struct string_map labels;
        struct source_pos at;
};

struct compose {
        const char *app;
        const char *project; /* top-level `name:`, or the app's name: com.docker.compose.project */
        /* struct compose_service; a service stands after all it depends on, else by name */
        struct struct_list services;
        /* struct compose_network that a service uses ("default" too), sorted by key */
        struct struct_list networks;
        struct struct_list volumes;    /* struct compose_volume that a service uses, sorted by key */
        const struct app_files *files; /* borrowed */
        /* the whole file, interpolated; with COMPOSE_KEYS_FILES the files that it includes stand in it */
        const struct node *root;
};

/* Which keys of the specification a runtime takes beyond those that the tables read. */
enum compose_keys {
        COMPOSE_KEYS_FILES = 1, /* `include` and `extends` of files of the app: they are put in */
        COMPOSE_KEYS_OTHER = 2, /* all others: they stay in each service's node, for the runtime to carry out */
        COMPOSE_KEYS_ALL = COMPOSE_KEYS_FILES | COMPOSE_KEYS_OTHER,
};

struct compose_input {
        const char *app;
        const struct app_files *files;
        const struct variables *variables;
        unsigned keys; /* enum compose_keys */
};

/*
 * Read @root. FAULT_CONFIG with the position and code LOAD_INVALID, LOAD_REFERENCE or LOAD_LIMIT.
 *
 * A key that neither the tables nor in->keys take is refused. With COMPOSE_KEYS_OTHER a service whose profile is not in
 * the variable COMPOSE_PROFILES has no replicas, and the model holds only the keys that are decided about or are ours
 * to bring: images, order, replicas, ports, names, mounts, environment, configs, secrets, networks, health. Refused at
 * their position then: remote files and files outside of the app, builds, and keys that would end with another
 * container's replacement.
 */
int compose_read(const struct node *root, const struct compose_input *in, struct arena *a, struct compose *ret,
                 struct fault *reterr);

/*
 * @root, interpolated, with the files of the app that it includes and extends put in; the first thing that the above
 * does.
 */
int compose_flatten(const struct node *root, const struct compose_input *in, struct arena *a, const struct node **ret,
                    struct fault *reterr);

/*
 * Put the release's pins (service: reference) on the services. Every pin names a service and has a digest, every
 * service has one afterwards, its own or the release's: else FAULT_CONFIG, code LOAD_REFERENCE or LOAD_TAG_ONLY. @pins
 * may be NULL.
 */
int compose_pin(struct compose *c, const struct string_map *pins, struct arena *a, struct fault *reterr);

/* The service of that name, or NULL. Linear. */
const struct compose_service *compose_find(const struct compose *c, const char *service);
const struct compose_network *compose_find_network(const struct compose *c, const char *key);
const struct compose_volume *compose_find_volume(const struct compose *c, const char *key);

/* JSON Schema (draft 2020-12) of the compose files that this runtime takes; a new reference. */
json_t *compose_schema(void);
