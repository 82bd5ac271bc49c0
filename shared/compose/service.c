/* SPDX-License-Identifier: Apache-2.0 */

/* The keys of a service */

#include "shared/compose/compose_private.h"

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/*
 * deploy
 */

static int read_pids(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        if (node->type != NODE_INTEGER || node->integer < -1 || node->integer == 0)
                return compose_expected(node, "a number of processes", reterr);
        *(int64_t *)slot = node->integer;
        return 0;
}

static const struct field limits_fields[] = {
        { .key = "cpus",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(deploy_resources, nano_cpus),
          .read = compose_read_cpus,
          .schema = "{\"type\":[\"string\",\"number\"]}",
          .doc = "CPUs it may use." },
        { .key = "memory",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(deploy_resources, memory),
          .read = compose_read_bytes,
          .schema = COMPOSE_SCHEMA_BYTES,
          .doc = "Memory it may use." },
        { .key = "pids",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(deploy_resources, pids),
          .read = read_pids,
          .schema = "{\"type\":\"integer\"}",
          .doc = "Processes it may have." },
        { .key = NULL },
};
static const struct field reservations_fields[] = {
        { .key = "memory",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(deploy_resources, memory),
          .read = compose_read_bytes,
          .schema = COMPOSE_SCHEMA_BYTES,
          .doc = "Memory it should have." },
        { .key = NULL },
};
static const struct table limits_table = {
        .title = "Limits",
        .size = sizeof(struct deploy_resources),
        .fields = limits_fields,
        .position = offsetof(struct deploy_resources, at) + 1,
        .extension_prefix = "x-",
};
static const struct table reservations_table = {
        .title = "Reservations",
        .size = sizeof(struct deploy_resources),
        .fields = reservations_fields,
        .position = offsetof(struct deploy_resources, at) + 1,
        .extension_prefix = "x-",
};

static const struct field resources_fields[] = {
        { .key = "limits",
          .type = FIELD_STRUCT,
          COMPOSE_AT(deploy_limits, limits),
          .flags = FIELD_NULLABLE,
          .sub = &limits_table,
          .doc = "What it may use at most." },
        { .key = "reservations",
          .type = FIELD_STRUCT,
          COMPOSE_AT(deploy_limits, reservations),
          .flags = FIELD_NULLABLE,
          .sub = &reservations_table,
          .doc = "What it should have at least." },
        { .key = NULL },
};
static const struct table resources_table = {
        .title = "Resources",
        .size = sizeof(struct deploy_limits),
        .fields = resources_fields,
        .extension_prefix = "x-",
};

static int read_mode(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct text_at text;
        int r = compose_text(node, &text, reterr);

        if (r < 0)
                return r;
        *(const char **)slot = text.text;
        if (str_eq(text.text, "replicated"))
                return 0;
        r = fault_set_code_at(reterr, &text.at, REASON_LOAD_INVALID,
                              "the docker runtime knows the mode replicated only");
        fault_hint(reterr, "the release's `on` chooses the hosts; `replicas` counts the instances on each");
        return r;
}

static const struct field deploy_fields[] = {
        { .key = "replicas",
          .type = FIELD_INTEGER,
          COMPOSE_AT(deploy, replicas),
          .absent = -1,
          .minimum = 0,
          .maximum = LIMIT_REPLICAS,
          .doc = "How many instances run on a host." },
        { .key = "mode",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(deploy, mode),
          .read = read_mode,
          .schema = "{\"enum\":[\"replicated\"]}",
          .doc = "replicated." },
        { .key = "resources",
          .type = FIELD_STRUCT,
          COMPOSE_AT(deploy, resources),
          .flags = FIELD_NULLABLE,
          .sub = &resources_table,
          .doc = "Memory, CPUs and processes." },
        { .key = NULL },
};
static const struct table deploy_table = {
        .title = "Deploy",
        .size = sizeof(struct deploy),
        .fields = deploy_fields,
        .position = offsetof(struct deploy, at) + 1,
        .extension_prefix = "x-",
};

/*
 * logging and pull_policy
 */

static const struct field logging_fields[] = {
        { .key = "driver", .type = FIELD_STRING, COMPOSE_AT(compose_logging, driver), .doc = "json-file, journald, …" },
        { .key = "options",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(compose_logging, options),
          .read = compose_read_string_map,
          .schema = COMPOSE_SCHEMA_MAP,
          .doc = "Options of the driver." },
        { .key = NULL },
};
static const struct table logging_table = {
        .title = "Logging",
        .size = sizeof(struct compose_logging),
        .fields = logging_fields,
        .extension_prefix = "x-",
};

/* What is named by its digest is pulled when it is missing, and is never another one. */
static int read_pull_policy(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        static const char *const known[] = { "always", "missing", "if_not_present" };
        struct text_at text;
        int r = compose_text(node, &text, reterr);

        if (r < 0)
                return r;
        for (size_t i = 0; i < 3; i++)
                if (str_eq(text.text, known[i]))
                        return 0;
        r = fault_set_code_at(reterr, &text.at, REASON_LOAD_INVALID,
                              "'pull_policy: %s' is not carried out by the docker runtime", text.text);
        fault_hint(reterr, "an image is pulled by its digest when the host does not have it");
        return r;
}

/*
 * The service
 */

/* Namespaces of another service or container would end with its replacement. */
static int check_namespace(const char *key, const char *value, const char *const *known, const struct node *node,
                           struct fault *reterr) {
        int r;

        if (!value)
                return 0;
        for (size_t i = 0; known[i]; i++)
                if (str_eq(value, known[i]))
                        return 0;
        r = fault_set_code_at(reterr, &node_get(node, key)->at, REASON_LOAD_INVALID,
                              "'%s: %s' is not carried out by the docker runtime", key, value);
        fault_hint(reterr, "it takes '%s: %s'", key, known[0]);
        return r;
}

static int check_namespaces(const struct compose_service *s, const struct node *node, struct fault *reterr) {
        static const char *const ipc[] = { "host", "private", "shareable", "none", NULL };
        static const char *const host[] = { "host", NULL };
        static const char *const cgroup[] = { "host", "private", NULL };
        const struct {
                const char *key, *value;
                const char *const *known;
        } all[] = {
                { "ipc", s->ipc, ipc },  { "pid", s->pid, host },         { "userns_mode", s->userns_mode, host },
                { "uts", s->uts, host }, { "cgroup", s->cgroup, cgroup },
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < sizeof(all) / sizeof(all[0]); i++)
                r = check_namespace(all[i].key, all[i].value, all[i].known, node, reterr);
        return r;
}

/* What can be said in two places must not be said differently. */
static int merge(int64_t *value, int64_t other, const char *key, const char *other_key, const struct source_pos *at,
                 struct fault *reterr) {
        if (other == 0)
                return 0;
        if (*value != 0 && *value != other)
                return fault_set_code_at(reterr, at, REASON_LOAD_INVALID, "'%s' and 'deploy.%s' differ", key,
                                         other_key);
        *value = other;
        return 0;
}

static int merge_deploy(struct service_draft *d, struct fault *reterr) {
        const struct deploy_limits *resources = &d->deploy->resources;
        const struct deploy_resources *limits = &resources->limits, *reservations = &resources->reservations;
        const struct {
                int64_t *value;
                int64_t other;
                const char *key, *other_key;
                const struct source_pos *at;
        } all[] = {
                { &d->s.nano_cpus, limits->nano_cpus, "cpus", "resources.limits.cpus", &limits->at },
                { &d->s.memory, limits->memory, "mem_limit", "resources.limits.memory", &limits->at },
                { &d->s.pids_limit, limits->pids, "pids_limit", "resources.limits.pids", &limits->at },
                { &d->s.memory_reservation, reservations->memory, "mem_reservation", "resources.reservations.memory",
                  &reservations->at },
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < sizeof(all) / sizeof(all[0]); i++)
                r = merge(all[i].value, all[i].other, all[i].key, all[i].other_key, all[i].at, reterr);
        return r;
}

static int check_service(void *object, const struct node *node, struct fault *reterr) {
        struct service_draft *d = object;
        int r = check_namespaces(&d->s, node, reterr);

        if (r < 0)
                return r;
        d->s.node = node;
        d->s.replicas = d->scale >= 0 ? d->scale : 1;
        if (!node_get(node, "stop_grace_period"))
                d->s.stop_grace_ns = COMPOSE_DEFAULT_STOP_GRACE_NS;
        if (!d->deploy)
                return 0;
        if (d->deploy->replicas >= 0 && d->scale >= 0 && d->deploy->replicas != d->scale)
                return fault_set_code_at(reterr, &node_get(node, "scale")->at, REASON_LOAD_INVALID,
                                         "'scale' and 'deploy.replicas' differ");
        if (d->deploy->replicas >= 0)
                d->s.replicas = d->deploy->replicas;
        return merge_deploy(d, reterr);
}

static const struct field service_fields[] = {
        { .key = "image",
          .type = FIELD_TEXT,
          COMPOSE_AT(service_draft, s.image),
          .format = "image",
          .doc = "The image; the release pins it by digest." },
        { .key = "command",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.command),
          .read = compose_read_command,
          .schema = COMPOSE_SCHEMA_STRINGS,
          .doc = "Replaces the image's command." },
        { .key = "entrypoint",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.entrypoint),
          .read = compose_read_command,
          .schema = COMPOSE_SCHEMA_STRINGS,
          .doc = "Replaces the image's entry point." },
        { .key = "environment",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, environment),
          .read = compose_read_environment,
          .schema = COMPOSE_SCHEMA_MAP,
          .doc = "Variables of the container." },
        { .key = "env_file",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, env_files),
          .read = compose_read_env_files,
          .schema = "{\"type\":[\"string\",\"array\"]}",
          .doc = "Files with variables of the container." },
        { .key = "ports",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.ports),
          .read = compose_read_ports,
          .schema = "{\"type\":\"array\"}",
          .doc = "Ports that the host publishes." },
        { .key = "expose",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.expose),
          .read = compose_read_expose,
          .schema = "{\"type\":\"array\"}",
          .doc = "Ports that the container listens on." },
        { .key = "volumes",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, mounts),
          .read = compose_read_mounts,
          .schema = "{\"type\":\"array\"}",
          .doc = "What is mounted." },
        { .key = "tmpfs",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.tmpfs),
          .read = compose_read_tmpfs,
          .schema = COMPOSE_SCHEMA_STRINGS,
          .doc = "File systems in memory." },
        { .key = "configs",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, configs),
          .read = compose_read_grants,
          .schema = "{\"type\":\"array\"}",
          .doc = "Configs that it gets as files." },
        { .key = "secrets",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, secrets),
          .read = compose_read_grants,
          .schema = "{\"type\":\"array\"}",
          .doc = "Secrets that it gets as files." },
        { .key = "networks",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.networks),
          .read = compose_read_attachments,
          .schema = COMPOSE_SCHEMA_MAP,
          .doc = "Networks that it is on; default: the one named default." },
        { .key = "network_mode",
          .type = FIELD_TEXT,
          COMPOSE_AT(service_draft, network_mode),
          .doc = "none, host or bridge, instead of networks." },
        { .key = "labels",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.labels),
          .read = compose_read_string_map,
          .schema = COMPOSE_SCHEMA_MAP,
          .doc = "Labels of the container." },
        { .key = "annotations",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.annotations),
          .read = compose_read_string_map,
          .schema = COMPOSE_SCHEMA_MAP,
          .doc = "Annotations for the OCI runtime." },
        { .key = "restart",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s),
          .read = compose_read_restart,
          .schema = COMPOSE_SCHEMA_STRING,
          .doc = "What the engine does when it ends by itself." },
        { .key = "healthcheck",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.healthcheck),
          .read = compose_read_healthcheck,
          .schema = "{\"type\":\"object\"}",
          .doc = "How its health is tested." },
        { .key = "depends_on",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.depends_on),
          .read = compose_read_depends_on,
          .schema = COMPOSE_SCHEMA_MAP,
          .doc = "Services that come first." },
        { .key = "user",
          .type = FIELD_STRING,
          COMPOSE_AT(service_draft, s.user),
          .flags = FIELD_SCALAR | FIELD_NULLABLE,
          .doc = "User, and group, by name or number." },
        { .key = "working_dir",
          .type = FIELD_STRING,
          COMPOSE_AT(service_draft, s.working_dir),
          .flags = FIELD_SCALAR | FIELD_NULLABLE,
          .doc = "The folder that it starts in." },
        { .key = "hostname",
          .type = FIELD_STRING,
          COMPOSE_AT(service_draft, s.hostname),
          .flags = FIELD_SCALAR | FIELD_NULLABLE,
          .doc = "Its host name." },
        { .key = "domainname",
          .type = FIELD_STRING,
          COMPOSE_AT(service_draft, s.domainname),
          .flags = FIELD_SCALAR | FIELD_NULLABLE,
          .doc = "Its domain name." },
        { .key = "stop_signal",
          .type = FIELD_STRING,
          COMPOSE_AT(service_draft, s.stop_signal),
          .flags = FIELD_SCALAR | FIELD_NULLABLE,
          .doc = "The signal that asks it to end." },
        { .key = "platform",
          .type = FIELD_STRING,
          COMPOSE_AT(service_draft, s.platform),
          .flags = FIELD_SCALAR | FIELD_NULLABLE,
          .doc = "os/architecture of the image." },
        { .key = "runtime",
          .type = FIELD_STRING,
          COMPOSE_AT(service_draft, s.runtime),
          .flags = FIELD_SCALAR | FIELD_NULLABLE,
          .doc = "The OCI runtime." },
        { .key = "cgroup_parent",
          .type = FIELD_STRING,
          COMPOSE_AT(service_draft, s.cgroup_parent),
          .flags = FIELD_SCALAR | FIELD_NULLABLE,
          .doc = "The control group above it." },
        { .key = "container_name",
          .type = FIELD_TEXT,
          COMPOSE_AT(service_draft, s.container_name),
          .format = "non-empty",
          .doc = "A fixed name of its one container." },
        { .key = "scale",
          .type = FIELD_INTEGER,
          COMPOSE_AT(service_draft, scale),
          .absent = -1,
          .minimum = 0,
          .maximum = LIMIT_REPLICAS,
          .doc = "How many instances run." },
        { .key = "deploy",
          .type = FIELD_STRUCT_PTR,
          COMPOSE_AT(service_draft, deploy),
          .flags = FIELD_NULLABLE,
          .sub = &deploy_table,
          .doc = "Replicas and resources." },
        { .key = "stop_grace_period",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.stop_grace_ns),
          .read = compose_read_duration,
          .schema = COMPOSE_SCHEMA_STRING,
          .doc = "How long it may take to end; default 10s." },
        { .key = "read_only",
          .type = FIELD_BOOL,
          COMPOSE_AT(service_draft, s.read_only),
          .doc = "Its root file system cannot be written." },
        { .key = "privileged",
          .type = FIELD_BOOL,
          COMPOSE_AT(service_draft, s.privileged),
          .doc = "With all rights on the host." },
        { .key = "tty", .type = FIELD_BOOL, COMPOSE_AT(service_draft, s.tty), .doc = "With a terminal." },
        { .key = "stdin_open",
          .type = FIELD_BOOL,
          COMPOSE_AT(service_draft, s.stdin_open),
          .doc = "With an open standard input." },
        { .key = "init",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.init),
          .read = compose_read_bool,
          .schema = COMPOSE_SCHEMA_BOOL,
          .doc = "With an init that forwards signals and reaps processes." },
        { .key = "oom_kill_disable",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.oom_kill_disable),
          .read = compose_read_bool,
          .schema = COMPOSE_SCHEMA_BOOL,
          .doc = "Not ended when memory runs out." },
        { .key = "oom_score_adj",
          .type = FIELD_INTEGER,
          COMPOSE_AT(service_draft, s.oom_score_adj),
          .minimum = -1000,
          .maximum = 1000,
          .doc = "Which container ends first when memory runs out." },
        { .key = "ipc",
          .type = FIELD_STRING,
          COMPOSE_AT(service_draft, s.ipc),
          .doc = "host, private, shareable or none." },
        { .key = "pid", .type = FIELD_STRING, COMPOSE_AT(service_draft, s.pid), .doc = "host." },
        { .key = "userns_mode", .type = FIELD_STRING, COMPOSE_AT(service_draft, s.userns_mode), .doc = "host." },
        { .key = "uts", .type = FIELD_STRING, COMPOSE_AT(service_draft, s.uts), .doc = "host." },
        { .key = "cgroup", .type = FIELD_STRING, COMPOSE_AT(service_draft, s.cgroup), .doc = "host or private." },
        { .key = "cap_add",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.cap_add),
          .read = compose_read_strings,
          .schema = COMPOSE_SCHEMA_STRINGS,
          .doc = "Capabilities it gets." },
        { .key = "cap_drop",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.cap_drop),
          .read = compose_read_strings,
          .schema = COMPOSE_SCHEMA_STRINGS,
          .doc = "Capabilities it loses." },
        { .key = "security_opt",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.security_opt),
          .read = compose_read_strings,
          .schema = COMPOSE_SCHEMA_STRINGS,
          .doc = "Labels and profiles." },
        { .key = "group_add",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.group_add),
          .read = compose_read_strings,
          .schema = COMPOSE_SCHEMA_STRINGS,
          .doc = "Further groups." },
        { .key = "ulimits",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.ulimits),
          .read = compose_read_ulimits,
          .schema = "{\"type\":\"object\"}",
          .doc = "Limits of its processes." },
        { .key = "sysctls",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.sysctls),
          .read = compose_read_string_map,
          .schema = COMPOSE_SCHEMA_MAP,
          .doc = "Kernel settings of its namespaces." },
        { .key = "devices",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.devices),
          .read = compose_read_devices,
          .schema = "{\"type\":\"array\"}",
          .doc = "Devices of the host." },
        { .key = "device_cgroup_rules",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.device_cgroup_rules),
          .read = compose_read_strings,
          .schema = COMPOSE_SCHEMA_STRINGS,
          .doc = "Rules for device numbers." },
        { .key = "extra_hosts",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.extra_hosts),
          .read = compose_read_extra_hosts,
          .schema = COMPOSE_SCHEMA_MAP,
          .doc = "Further lines of /etc/hosts." },
        { .key = "dns",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.dns),
          .read = compose_read_strings,
          .schema = COMPOSE_SCHEMA_STRINGS,
          .doc = "Name servers." },
        { .key = "dns_search",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.dns_search),
          .read = compose_read_strings,
          .schema = COMPOSE_SCHEMA_STRINGS,
          .doc = "Search domains." },
        { .key = "dns_opt",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.dns_opt),
          .read = compose_read_strings,
          .schema = COMPOSE_SCHEMA_STRINGS,
          .doc = "Options of the resolver." },
        { .key = "logging",
          .type = FIELD_STRUCT,
          COMPOSE_AT(service_draft, s.logging),
          .flags = FIELD_NULLABLE,
          .sub = &logging_table,
          .doc = "Where its output goes." },
        { .key = "shm_size",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.shm_size),
          .read = compose_read_bytes,
          .schema = COMPOSE_SCHEMA_BYTES,
          .doc = "Size of /dev/shm." },
        { .key = "mem_limit",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.memory),
          .read = compose_read_bytes,
          .schema = COMPOSE_SCHEMA_BYTES,
          .doc = "Memory it may use." },
        { .key = "mem_reservation",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.memory_reservation),
          .read = compose_read_bytes,
          .schema = COMPOSE_SCHEMA_BYTES,
          .doc = "Memory it should have." },
        { .key = "memswap_limit",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.memory_swap),
          .read = compose_read_swap,
          .schema = COMPOSE_SCHEMA_BYTES,
          .doc = "Memory and swap it may use; -1: without limit." },
        { .key = "cpus",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s.nano_cpus),
          .read = compose_read_cpus,
          .schema = "{\"type\":[\"string\",\"number\"]}",
          .doc = "CPUs it may use." },
        { .key = "cpu_shares",
          .type = FIELD_INTEGER,
          COMPOSE_AT(service_draft, s.cpu_shares),
          .minimum = 0,
          .maximum = 262144,
          .doc = "Its weight when CPUs are short; 1024 is usual." },
        { .key = "cpuset",
          .type = FIELD_STRING,
          COMPOSE_AT(service_draft, s.cpuset),
          .flags = FIELD_SCALAR | FIELD_NULLABLE,
          .doc = "The CPUs it may use: 0-3, or 0,1." },
        { .key = "pids_limit",
          .type = FIELD_INTEGER,
          COMPOSE_AT(service_draft, s.pids_limit),
          .minimum = -1,
          .maximum = INT32_MAX,
          .doc = "Processes it may have; -1: without limit." },
        { .key = "pull_policy",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(service_draft, s),
          .read = read_pull_policy,
          .schema = COMPOSE_SCHEMA_STRING,
          .doc = "always, missing or if_not_present; all the same for an image named by its digest." },
        { .key = NULL },
};

const struct table compose_service_table = {
        .title = "Service",
        .size = sizeof(struct service_draft),
        .fields = service_fields,
        .position = offsetof(struct service_draft, s.at) + 1,
        .map_key = offsetof(struct service_draft, s.name) + 1,
        .map_key_format = "name",
        .extension_prefix = "x-",
        .check = check_service,
        .doc = "One service: instances made from one image.",
};
