/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/compose/locked.h"

#include <stdlib.h>
#include <string.h>

#include "providers/runtime/docker/docker_private.h"
#include "providers/runtime/docker/render_private.h"
#include "providers/runtime/outline.h"
#include "shared/base/text.h"

/*
 * Values
 */

/* "0440": octal to docker compose, as to all of YAML 1.1. */
static json_t *integer_of(const struct node *node) {
        const char *digits = node->text;

        if (digits[0] == '0' && digits[1] && strspn(digits, "01234567") == strlen(digits))
                return json_integer(strtoll(digits, NULL, 8));
        return json_integer(node->integer);
}

static json_t *value_of(const struct node *node) {
        json_t *value;

        switch (node->type) {
        case NODE_INTEGER:
                return integer_of(node);
        case NODE_LIST:
                value = json_array();
                for (size_t i = 0; i < node->n; i++)
                        if (json_array_append_new(value, value_of(node->items[i])) < 0)
                                abort();
                return value;
        case NODE_MAP:
                value = json_object();
                for (size_t i = 0; i < node->n; i++)
                        if (!str_after(node->entries[i].key, "x-"))
                                put(value, node->entries[i].key, value_of(node->entries[i].value));
                return value;
        case NODE_NULL:
        case NODE_BOOL:
        case NODE_REAL:
        case NODE_STRING:
        case NODE_TYPE_MAX_:
                break;
        }
        return node_to_json(node);
}

/*
 * The definition of a service
 */

static bool is_one_of(const char *key, const char *const *keys) {
        for (; *keys; keys++)
                if (str_eq(key, *keys))
                        return true;
        return false;
}

/* What we put in ourselves, or have no use for where one container is made at a time. */
static const char *const ours[] = {
        "configs",     "container_name", "depends_on", "deploy",       "develop",  "env_file",
        "environment", "image",          "labels",     "platform",     "profiles", "pull_policy",
        "restart",     "scale",          "secrets",    "security_opt", "volumes",  NULL,
};
/* What docker compose makes nothing of, or what is ours. */
static const char *const ours_of_deploy[] = {
        "endpoint_mode",  "labels",          "mode",          "placement", "replicas",
        "restart_policy", "rollback_config", "update_config", NULL,
};

static void put_deploy(json_t *definition, const struct node *deploy) {
        json_t *value = json_object();

        for (size_t i = 0; deploy && deploy->type == NODE_MAP && i < deploy->n; i++)
                if (!is_one_of(deploy->entries[i].key, ours_of_deploy) && !str_after(deploy->entries[i].key, "x-"))
                        put(value, deploy->entries[i].key, value_of(deploy->entries[i].value));
        if (json_object_size(value) > 0)
                put(definition, "deploy", value);
        else
                json_decref(value);
}

/* Env files and `environment` together. A name without value takes a variable of the image away. */
static void put_environment(json_t *definition, const struct string_map *environment) {
        json_t *value;

        if (environment->n == 0)
                return;
        value = json_object();
        for (size_t i = 0; i < environment->n; i++) {
                const struct string_pair *p = &environment->items[i];

                put(value, p->key.text, p->value.text ? json_string(p->value.text) : json_null());
        }
        put(definition, "environment", value);
}

static bool is_file_of_app(const struct compose_service *s, const struct node *item) {
        const struct compose_mount *mounts = s->mounts.items;
        const struct node *source = node_get(item, "source");
        const struct source_pos *at = source ? &source->at : &item->at;

        for (size_t i = 0; i < s->mounts.n; i++)
                if (mounts[i].type == MOUNT_FILES && mounts[i].at.source == at->source &&
                    mounts[i].at.line == at->line && mounts[i].at.column == at->column)
                        return true;
        return false;
}

/* Files of the app are mounted from where we put them. */
static void put_volumes(json_t *definition, const struct compose_service *s) {
        const struct node *volumes = node_get(s->node, "volumes");
        json_t *list;

        if (!volumes || volumes->type != NODE_LIST)
                return;
        list = json_array();
        for (size_t i = 0; i < volumes->n; i++)
                if (!is_file_of_app(s, volumes->items[i]) &&
                    json_array_append_new(list, value_of(volumes->items[i])) < 0)
                        abort();
        if (json_array_size(list) > 0)
                put(definition, "volumes", list);
        else
                json_decref(list);
}

/* A seccomp profile is a file of the app: docker compose reads it from where we put it. Its text, or NULL. */
static const char *seccomp_of(const struct compose_service *s) {
        for (size_t i = 0; i < s->security_opt.n; i++) {
                const char *profile = str_after(s->security_opt.items[i].text, "seccomp=");

                if (profile && !str_eq(profile, "unconfined") && !str_eq(profile, "builtin"))
                        return profile;
        }
        return NULL;
}

/* As app_files_digest() of a file with this text. */
static struct digest seccomp_digest(const char *profile) {
        struct digest content = digest_of(profile, strlen(profile));
        own_json json_t *file = json_pack("{s{sb ss}}", "", "executable", 0, "sha256", digest_hex(&content));

        return digest_of_json(file);
}

static void put_security(json_t *definition, json_t *spec, const struct compose_service *s) {
        const char *profile = seccomp_of(s);
        json_t *list = json_array();

        for (size_t i = 0; i < s->security_opt.n; i++) {
                const char *option = s->security_opt.items[i].text;

                if (profile && str_eq(str_after(option, "seccomp="), profile))
                        continue;
                if (json_array_append_new(list, json_string(option)) < 0)
                        abort();
        }
        if (json_array_size(list) > 0)
                put(definition, "security_opt", list);
        else
                json_decref(list);
        if (profile) {
                struct digest digest = seccomp_digest(profile);

                put_text(spec, "seccomp", digest_hex(&digest));
        }
}

static json_t *definition_of(const struct compose_service *s, json_t *spec) {
        json_t *definition = json_object();

        for (size_t i = 0; i < s->node->n; i++) {
                const struct node_entry *e = &s->node->entries[i];

                if (!is_one_of(e->key, ours) && !str_after(e->key, "x-"))
                        put(definition, e->key, value_of(e->value));
        }
        put_deploy(definition, node_get(s->node, "deploy"));
        put_environment(definition, &s->environment);
        put_volumes(definition, s);
        put_security(definition, spec, s);
        return definition;
}

/*
 * The specification
 */

static void put_keys(json_t *spec, const struct compose *c, const struct compose_service *s) {
        const struct compose_attachment *networks = s->networks.items;
        const struct compose_mount *mounts = s->mounts.items;
        json_t *network_keys = json_object(), *volume_keys = json_object();

        for (size_t i = 0; i < s->networks.n; i++) {
                const struct compose_network *n = compose_find_network(c, networks[i].network);

                put_text(network_keys, networks[i].network, n ? n->name : NULL);
        }
        for (size_t i = 0; i < s->mounts.n; i++)
                if (mounts[i].type == MOUNT_VOLUME && mounts[i].source) {
                        const struct compose_volume *v = compose_find_volume(c, mounts[i].source);

                        put_text(volume_keys, mounts[i].source, v ? v->name : NULL);
                }
        put(spec, "network_keys", network_keys);
        put(spec, "volume_keys", volume_keys);
}

static int spec_of(const struct compose *c, const struct compose_service *s, json_t **ret, struct fault *reterr) {
        own_json json_t *spec = json_object();
        int r;

        put_text(spec, "project", c->project);
        put_text(spec, "service", s->name.text);
        put_text(spec, "image", s->pinned);
        put_text(spec, "platform", s->platform);
        put_text(spec, "container_name", s->container_name.text);
        put_map(spec, "labels", &s->labels);
        put(spec, "restart", render_restart(s));
        put(spec, "definition", definition_of(s, spec));
        put_keys(spec, c, s);
        r = render_mounted_files(s, spec, reterr);
        if (r == 0)
                r = render_networks(c, s, spec, reterr);
        if (r < 0)
                return r;
        *ret = take(spec);
        return 0;
}

/*
 * Resources
 */

/* One of the file's "networks" or "volumes"; what is not declared (the network "default") is empty. */
static void put_resource(json_t *list, const struct node *declared, const char *key, const char *name, bool external) {
        const struct node *labels = node_get(declared, "labels");
        json_t *create = json_object(), *resource;

        for (size_t i = 0; declared && declared->type == NODE_MAP && i < declared->n; i++) {
                const struct node_entry *e = &declared->entries[i];

                if (!str_eq(e->key, "labels") && !str_eq(e->key, "name") && !str_eq(e->key, "external") &&
                    !str_after(e->key, "x-"))
                        put(create, e->key, value_of(e->value));
        }
        resource = json_pack("{ss ss sb so}", "key", key, "name", name, "external", external, "create", create);
        if (labels)
                put(resource, "labels", value_of(labels));
        if (json_array_append_new(list, resource) < 0)
                abort();
}

static void put_seccomp_files(json_t *files, const struct compose *c) {
        const struct compose_service *services = c->services.items;
        own_json json_t *seen = json_object();

        for (size_t i = 0; i < c->services.n; i++) {
                const char *profile = seccomp_of(&services[i]);
                struct digest digest = profile ? seccomp_digest(profile) : (struct digest){ .text = "" };

                if (!profile || json_object_get(seen, digest.text))
                        continue;
                put(seen, digest.text, json_true());
                if (json_array_append_new(files, json_pack("{ss ss sb s[{ss sb ss}]}", "name", digest_hex(&digest),
                                                           "digest", digest.text, "folder", 0, "entries", "path", "",
                                                           "executable", 0, "text", profile)) < 0)
                        abort();
        }
}

static int resources_of(const struct compose *c, json_t **ret, struct fault *reterr) {
        const struct compose_network *networks = c->networks.items;
        const struct compose_volume *volumes = c->volumes.items;
        json_t *resources = json_object(), *list = json_array();

        put_text(resources, "project", c->project);
        for (size_t i = 0; i < c->networks.n; i++)
                put_resource(list, node_get(node_get(c->root, "networks"), networks[i].key), networks[i].key,
                             networks[i].name, networks[i].external);
        put(resources, "networks", list);
        list = json_array();
        for (size_t i = 0; i < c->volumes.n; i++)
                put_resource(list, node_get(node_get(c->root, "volumes"), volumes[i].key), volumes[i].key,
                             volumes[i].name, volumes[i].external);
        put(resources, "volumes", list);
        render_files(resources, c);
        put_seccomp_files(json_object_get(resources, "files"), c);
        *ret = resources;
        return 0;
}

int locked_render(const struct runtime_settings *settings, const struct compose *compose, const char *version,
                  const char *release_id, struct arena *a, struct workload *ret, struct fault *reterr) {
        static const struct outline_runtime runtime = { .name = "compose",
                                                        .spec_of = spec_of,
                                                        .resources_of = resources_of };

        return outline_render(&runtime, settings, compose, version, release_id, a, ret, reterr);
}
