/* SPDX-License-Identifier: Apache-2.0 */

/* Resources: networks, volumes and files that must be there before a container is made */

#include <stdlib.h>
#include <string.h>

#include "providers/runtime/docker/render_private.h"
#include "shared/base/text.h"
#include "shared/data/base64.h"

/*
 * Networks and volumes
 */

static json_t *render_ipam(const struct compose_network *n) {
        const struct compose_subnet *subnets = n->ipam_config.items;
        json_t *ipam = json_object(), *config = json_array();

        put_text(ipam, "Driver", n->ipam_driver);
        put_map(ipam, "Options", &n->ipam_options);
        for (size_t i = 0; i < n->ipam_config.n; i++) {
                json_t *subnet = json_object();

                put_text(subnet, "Subnet", subnets[i].subnet.text);
                put_text(subnet, "IPRange", subnets[i].ip_range.text);
                put_text(subnet, "Gateway", subnets[i].gateway.text);
                put_map(subnet, "AuxiliaryAddresses", &subnets[i].aux_addresses);
                if (json_array_append_new(config, subnet) < 0)
                        abort();
        }
        if (json_array_size(config) > 0)
                put(ipam, "Config", config);
        else
                json_decref(config);
        return ipam;
}

static json_t *render_network(const struct compose_network *n) {
        json_t *create = json_object(), *ipam = render_ipam(n);

        put_text(create, "Name", n->name);
        put_text(create, "Driver", n->driver);
        put_map(create, "Options", &n->driver_opts);
        put_true(create, "Internal", n->internal);
        put_true(create, "Attachable", n->attachable);
        if (n->enable_ipv4)
                put(create, "EnableIPv4", json_boolean(*n->enable_ipv4));
        if (n->enable_ipv6)
                put(create, "EnableIPv6", json_boolean(*n->enable_ipv6));
        if (json_object_size(ipam) > 0)
                put(create, "IPAM", ipam);
        else
                json_decref(ipam);
        put_map(create, "Labels", &n->labels);
        return create;
}

static json_t *render_volume(const struct compose_volume *v) {
        json_t *create = json_object();

        put_text(create, "Name", v->name);
        put_text(create, "Driver", v->driver);
        put_map(create, "DriverOpts", &v->driver_opts);
        put_map(create, "Labels", &v->labels);
        return create;
}

static json_t *render_resource(const char *key, const char *name, bool external, json_t *create) {
        return json_pack("{ss ss sb so}", "key", key, "name", name, "external", external, "create", create);
}

static void put_networks(json_t *resources, const struct compose *c) {
        const struct compose_network *items = c->networks.items;
        json_t *array = json_array();

        for (size_t i = 0; i < c->networks.n; i++)
                if (json_array_append_new(array, render_resource(items[i].key, items[i].name, items[i].external,
                                                                 render_network(&items[i]))) < 0)
                        abort();
        put(resources, "networks", array);
}

static void put_volumes(json_t *resources, const struct compose *c) {
        const struct compose_volume *items = c->volumes.items;
        json_t *array = json_array();

        for (size_t i = 0; i < c->volumes.n; i++)
                if (json_array_append_new(array, render_resource(items[i].key, items[i].name, items[i].external,
                                                                 render_volume(&items[i]))) < 0)
                        abort();
        put(resources, "volumes", array);
}

/*
 * Files
 */

/* JSON strings hold text; what isn't goes as base64. */
static void put_bytes(json_t *entry, const void *bytes, size_t size) {
        own_buffer struct buffer text = BUFFER_INIT;

        if (size == 0 || (utf8_is_valid(bytes, size) && !memchr(bytes, '\0', size))) {
                put(entry, "text", json_stringn(size ? bytes : "", size));
                return;
        }
        base64_encode(bytes, size, false, &text);
        if (text.failed)
                abort();
        put_text(entry, "base64", buffer_str(&text));
}

static void append_entry(json_t *entries, const char *path, bool executable, const void *bytes, size_t size) {
        json_t *entry = json_pack("{ss sb}", "path", path, "executable", executable);

        put_bytes(entry, bytes, size);
        if (json_array_append_new(entries, entry) < 0)
                abort();
}

static json_t *mount_entries(const struct compose *c, const struct compose_mount *m) {
        const struct app_file *file = app_files_find(c->files, m->source), *first = NULL;
        json_t *entries = json_array();
        size_t skip = m->source[0] ? strlen(m->source) + 1 : 0;

        if (!m->folder && file)
                append_entry(entries, "", file->executable, file->bytes, file->size);
        for (size_t i = 0, n = m->folder ? app_files_under(c->files, m->source, &first) : 0; i < n; i++)
                append_entry(entries, first[i].path + skip, first[i].executable, first[i].bytes, first[i].size);
        return entries;
}

static void add_mount(json_t *by_name, const struct compose *c, const struct compose_mount *m) {
        char name[FILES_NAME_MAX];
        json_t *value;

        if (m->type != MOUNT_FILES || json_object_get(by_name, render_mount_name(m, name)))
                return;
        value = json_pack("{ss ss sb so}", "name", name, "digest", m->digest.text, "folder", m->folder, "entries",
                          mount_entries(c, m));
        put(by_name, name, value);
}

static void add_grant(json_t *by_name, const struct compose_grant *g) {
        char name[FILES_NAME_MAX];
        json_t *value, *entries;

        if (json_object_get(by_name, render_grant_name(g, name)))
                return;
        entries = json_array();
        append_entry(entries, "", false, g->bytes, g->size);
        value = json_pack("{ss ss sb so s{sI sI sI}}", "name", name, "digest", g->digest.text, "folder", 0, "entries",
                          entries, "grant", "mode", (json_int_t)g->mode, "uid", (json_int_t)g->uid, "gid",
                          (json_int_t)g->gid);
        put(by_name, name, value);
}

void render_files(json_t *resources, const struct compose *c) {
        const struct compose_service *services = c->services.items;
        own_json json_t *by_name = json_object();
        json_t *array = json_array(), *value;
        const char *name;

        for (size_t i = 0; i < c->services.n; i++) {
                const struct compose_mount *mounts = services[i].mounts.items;
                const struct compose_grant *grants = services[i].grants.items;

                for (size_t j = 0; j < services[i].mounts.n; j++)
                        add_mount(by_name, c, &mounts[j]);
                for (size_t j = 0; j < services[i].grants.n; j++)
                        add_grant(by_name, &grants[j]);
        }
        json_object_foreach(by_name, name, value) if (json_array_append(array, value) < 0) abort();
        put(resources, "files", array);
}

int render_resources(const struct compose *c, json_t **ret, struct fault *reterr) {
        own_json json_t *resources = json_object();

        if (!resources)
                return fault_set_oom(reterr);
        put_text(resources, "project", c->project);
        put_networks(resources, c);
        put_volumes(resources, c);
        render_files(resources, c);
        *ret = take(resources);
        return 0;
}
