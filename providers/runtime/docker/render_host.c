/* SPDX-License-Identifier: Apache-2.0 */

/* HostConfig: what a container may use of the host */

#include <stddef.h>

#include "providers/runtime/docker/render_private.h"

enum host_type { HOST_TEXT, HOST_NUMBER, HOST_TRUE, HOST_OPTIONAL_BOOL, HOST_LIST, HOST_MAP };

#define FIELD(key_, type_, member_) \
        { .key = key_, .type = type_, .at = offsetof(struct compose_service, member_) }

/* Docker Engine API, HostConfig. What takes more than copying is below. */
static const struct {
        const char *key;
        enum host_type type;
        size_t at;
} host_fields[] = {
        FIELD("ReadonlyRootfs", HOST_TRUE, read_only),
        FIELD("Privileged", HOST_TRUE, privileged),
        FIELD("Init", HOST_OPTIONAL_BOOL, init),
        FIELD("OomKillDisable", HOST_OPTIONAL_BOOL, oom_kill_disable),
        FIELD("OomScoreAdj", HOST_NUMBER, oom_score_adj),
        FIELD("IpcMode", HOST_TEXT, ipc),
        FIELD("PidMode", HOST_TEXT, pid),
        FIELD("UsernsMode", HOST_TEXT, userns_mode),
        FIELD("UTSMode", HOST_TEXT, uts),
        FIELD("CgroupnsMode", HOST_TEXT, cgroup),
        FIELD("CgroupParent", HOST_TEXT, cgroup_parent),
        FIELD("Runtime", HOST_TEXT, runtime),
        FIELD("CapAdd", HOST_LIST, cap_add),
        FIELD("CapDrop", HOST_LIST, cap_drop),
        FIELD("SecurityOpt", HOST_LIST, security_opt),
        FIELD("GroupAdd", HOST_LIST, group_add),
        FIELD("DeviceCgroupRules", HOST_LIST, device_cgroup_rules),
        FIELD("ExtraHosts", HOST_LIST, extra_hosts),
        FIELD("Dns", HOST_LIST, dns),
        FIELD("DnsSearch", HOST_LIST, dns_search),
        FIELD("DnsOptions", HOST_LIST, dns_opt),
        FIELD("Sysctls", HOST_MAP, sysctls),
        FIELD("Annotations", HOST_MAP, annotations),
        FIELD("ShmSize", HOST_NUMBER, shm_size),
        FIELD("Memory", HOST_NUMBER, memory),
        FIELD("MemoryReservation", HOST_NUMBER, memory_reservation),
        FIELD("MemorySwap", HOST_NUMBER, memory_swap),
        FIELD("NanoCpus", HOST_NUMBER, nano_cpus),
        FIELD("CpuShares", HOST_NUMBER, cpu_shares),
        FIELD("CpusetCpus", HOST_TEXT, cpuset),
        FIELD("PidsLimit", HOST_NUMBER, pids_limit),
};

static void put_field(json_t *host, const struct compose_service *s, size_t i) {
        const void *slot = (const char *)s + host_fields[i].at;
        const char *key = host_fields[i].key;

        switch (host_fields[i].type) {
        case HOST_TEXT:
                put_text(host, key, *(const char *const *)slot);
                break;
        case HOST_NUMBER:
                put_number(host, key, *(const int64_t *)slot);
                break;
        case HOST_TRUE:
                put_true(host, key, *(const bool *)slot);
                break;
        case HOST_OPTIONAL_BOOL:
                if (*(const bool *const *)slot)
                        put(host, key, json_boolean(**(const bool *const *)slot));
                break;
        case HOST_LIST:
                put_list(host, key, slot);
                break;
        case HOST_MAP:
                put_map(host, key, slot);
                break;
        }
}

static void put_ulimits(json_t *host, const struct compose_service *s) {
        const struct compose_ulimit *items = s->ulimits.items;
        json_t *array;

        if (s->ulimits.n == 0)
                return;
        array = json_array();
        for (size_t i = 0; i < s->ulimits.n; i++)
                if (json_array_append_new(array,
                                          json_pack("{ss sI sI}", "Name", items[i].name, "Soft",
                                                    (json_int_t)items[i].soft, "Hard", (json_int_t)items[i].hard)) < 0)
                        abort();
        put(host, "Ulimits", array);
}

static void put_devices(json_t *host, const struct compose_service *s) {
        const struct compose_device *items = s->devices.items;
        json_t *array;

        if (s->devices.n == 0)
                return;
        array = json_array();
        for (size_t i = 0; i < s->devices.n; i++)
                if (json_array_append_new(array,
                                          json_pack("{ss ss ss}", "PathOnHost", items[i].host, "PathInContainer",
                                                    items[i].container, "CgroupPermissions", items[i].permissions)) < 0)
                        abort();
        put(host, "Devices", array);
}

/* "" lets the engine choose; a range lets it choose within. */
static json_t *host_port(const struct compose_port *p) {
        if (p->published == 0)
                return json_string("");
        if (p->published_last > p->published)
                return json_sprintf("%lld-%lld", (long long)p->published, (long long)p->published_last);
        return json_sprintf("%lld", (long long)p->published);
}

static void put_ports(json_t *host, const struct compose_service *s) {
        const struct compose_port *items = s->ports.items;
        json_t *ports;

        if (s->ports.n == 0)
                return;
        ports = json_object();
        for (size_t i = 0; i < s->ports.n; i++) {
                own_json json_t *key = render_port_key(&items[i]);
                json_t *list = json_object_get(ports, json_string_value(key)), *binding = json_object();

                if (!list) {
                        put(ports, json_string_value(key), json_array());
                        list = json_object_get(ports, json_string_value(key));
                }
                put_text(binding, "HostIp", items[i].host_ip);
                put(binding, "HostPort", host_port(&items[i]));
                if (json_array_append_new(list, binding) < 0)
                        abort();
        }
        put(host, "PortBindings", ports);
}

static void put_tmpfs(json_t *host, const struct compose_service *s) {
        const struct compose_tmpfs *items = s->tmpfs.items;
        json_t *value;

        if (s->tmpfs.n == 0)
                return;
        value = json_object();
        for (size_t i = 0; i < s->tmpfs.n; i++)
                put_text(value, items[i].target, items[i].options);
        put(host, "Tmpfs", value);
}

static void put_logging(json_t *host, const struct compose_logging *logging) {
        json_t *value;

        if (!logging->driver && logging->options.n == 0)
                return;
        value = json_object();
        put_text(value, "Type", logging->driver);
        put_map(value, "Config", &logging->options);
        put(host, "LogConfig", value);
}

json_t *render_host(const struct compose_service *s) {
        json_t *host = json_object();

        for (size_t i = 0; i < sizeof(host_fields) / sizeof(host_fields[0]); i++)
                put_field(host, s, i);
        put_ulimits(host, s);
        put_devices(host, s);
        put_ports(host, s);
        put_tmpfs(host, s);
        put_logging(host, &s->logging);
        return host;
}
