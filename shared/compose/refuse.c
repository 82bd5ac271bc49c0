/* SPDX-License-Identifier: Apache-2.0 */

/* Keys of the Compose Specification that a runtime does not carry out, by the place they stand at */

#include "shared/compose/compose_private.h"

#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"

struct refusal {
        const char *key;
        const char *hint; /* NULL: the one that fits all */
        unsigned keys;    /* enum compose_keys: not refused for a runtime that takes these; 0: always refused */
};

static const char use_compose[] =
        "the docker runtime takes what the Engine API does by itself; `runtime: compose` in the app's app.yaml hands the "
        "whole file to docker compose";

static const struct refusal of_document[] = {
        { "include", NULL, COMPOSE_KEYS_FILES },
        { "models", NULL },
        { .key = NULL },
};

static const struct refusal of_service[] = {
        { "attach", NULL },
        { "blkio_config", NULL },
        { "build", "build the image in CI and put its digest into the release" },
        { "cpu_count", NULL },
        { "cpu_percent", NULL },
        { "cpu_period", "write `cpus`" },
        { "cpu_quota", "write `cpus`" },
        { "cpu_rt_period", NULL },
        { "cpu_rt_runtime", NULL },
        { "credential_spec", NULL },
        { "develop", NULL },
        { "extends", "write the service out, or use a YAML anchor and a merge key", COMPOSE_KEYS_FILES },
        { "external_links", "put both containers on one network" },
        { "gpus", NULL },
        { "isolation", NULL },
        { "label_file", "write `labels`" },
        { "links", "services of one network find each other by name; `networks` has `aliases`" },
        { "mac_address", "write `mac_address` at the service's network" },
        { "mem_swappiness", NULL },
        { "models", NULL },
        { "net", "write `networks` or `network_mode`" },
        { "post_start", NULL },
        { "pre_stop", NULL },
        { "profiles", "what runs is declared by the release; keep such services in an app of their own" },
        { "provider", NULL },
        { "storage_opt", NULL },
        { "use_api_socket", "mount /run/docker.sock where it is really needed" },
        { "volume_driver", "write `driver` at the top-level volume" },
        { "volumes_from", "name the volumes" },
        { .key = NULL },
};

static const struct refusal of_deploy[] = {
        { "endpoint_mode", NULL },
        { "labels", "write `labels` at the service" },
        { "placement", "write `on` in the release to choose hosts" },
        { "restart_policy", "write `restart` at the service" },
        { "rollback_config", "write `rollout` in app.yaml" },
        { "update_config", "write `rollout` in app.yaml" },
        { .key = NULL },
};

static const struct refusal of_limits[] = { { "devices", NULL }, { "generic_resources", NULL }, { .key = NULL } };
static const struct refusal of_reservations[] = {
        { "cpus", "the engine cannot reserve CPUs; `cpu_shares` weighs them" },
        { "devices", NULL },
        { "generic_resources", NULL },
        { "pids", "the engine limits processes, it does not reserve them" },
        { .key = NULL },
};
static const struct refusal of_network[] = { { "config_only", NULL }, { "config_from", NULL }, { .key = NULL } };
static const struct refusal of_attachment[] = {
        { "driver_opts", NULL },
        { "gw_priority", NULL },
        { "interface_name", NULL },
        { .key = NULL },
};
static const struct refusal of_content[] = {
        { "driver", NULL }, { "driver_opts", NULL },     { "external", "docker has these only as a swarm" },
        { "labels", NULL }, { "template_driver", NULL }, { .key = NULL },
};
static const struct refusal of_secret[] = {
        { "content", "put it in a file" },
        { "environment", "put it in a file" },
        { "driver", NULL },
        { "driver_opts", NULL },
        { "external", "docker has these only as a swarm" },
        { "labels", NULL },
        { "template_driver", NULL },
        { .key = NULL },
};
static const struct refusal of_mount[] = {
        { "consistency", NULL }, { "image", NULL }, { "cluster", NULL }, { .key = NULL }
};
static const struct refusal of_mount_bind[] = { { "recursive", NULL }, { .key = NULL } };
static const struct refusal of_mount_volume[] = { { "labels", NULL }, { .key = NULL } };

bool compose_is_refused(const char *key) {
        for (const struct refusal *f = of_service; f->key; f++)
                if (str_eq(f->key, key))
                        return true;
        return false;
}

static int refuse_for(const char *runtime, const struct node *map, const struct refusal *table, unsigned keys,
                      struct fault *reterr) {
        if (!map || map->type != NODE_MAP)
                return 0;
        for (size_t i = 0; i < map->n; i++)
                for (const struct refusal *f = table; f->key; f++)
                        if (!(f->keys & keys) && str_eq(map->entries[i].key, f->key)) {
                                int r = fault_set_code_at(reterr, &map->entries[i].at, REASON_LOAD_INVALID,
                                                          "'%s' is not carried out by the %s runtime", f->key, runtime);

                                fault_hint(reterr, "%s", f->hint ? f->hint : use_compose);
                                return r;
                        }
        return 0;
}

static int refuse_keys(const struct node *map, const struct refusal *table, struct fault *reterr) {
        return refuse_for("docker", map, table, 0, reterr);
}

/* The values of a map, or the items of a list: @n of them; a scalar has none. */
static const struct node *child(const struct node *node, size_t i) {
        return node->type == NODE_MAP ? node->entries[i].value : node->items[i];
}

static int refuse_in_all(const struct node *node, const struct refusal *table, struct fault *reterr) {
        int r = 0;

        for (size_t i = 0; r == 0 && node && !node_is_scalar(node) && i < node->n; i++)
                r = refuse_keys(child(node, i), table, reterr);
        return r;
}

static int refuse_in_mounts(const struct node *mounts, struct fault *reterr) {
        int r = refuse_in_all(mounts, of_mount, reterr);

        for (size_t i = 0; r == 0 && mounts && !node_is_scalar(mounts) && i < mounts->n; i++) {
                r = refuse_keys(node_get(child(mounts, i), "bind"), of_mount_bind, reterr);
                if (r == 0)
                        r = refuse_keys(node_get(child(mounts, i), "volume"), of_mount_volume, reterr);
        }
        return r;
}

static int refuse_in_service(const struct node *service, unsigned keys, struct fault *reterr) {
        const struct node *deploy = node_get(service, "deploy"), *resources = node_get(deploy, "resources");
        const struct {
                const struct node *node;
                const struct refusal *table;
        } places[] = {
                { service, of_service },
                { deploy, of_deploy },
                { node_get(resources, "limits"), of_limits },
                { node_get(resources, "reservations"), of_reservations },
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < sizeof(places) / sizeof(places[0]); i++)
                r = refuse_for("docker", places[i].node, places[i].table, keys, reterr);
        if (r == 0)
                r = refuse_in_all(node_get(service, "networks"), of_attachment, reterr);
        return r < 0 ? r : refuse_in_mounts(node_get(service, "volumes"), reterr);
}

int compose_refuse(const struct node *root, unsigned keys, struct fault *reterr) {
        const struct {
                const char *key;
                const struct refusal *table;
        } maps[] = {
                { "networks", of_network },
                { "configs", of_content },
                { "secrets", of_secret },
        };
        const struct node *services = node_get(root, "services");
        int r = refuse_for("docker", root, of_document, keys, reterr);

        for (size_t i = 0; r == 0 && services && services->type == NODE_MAP && i < services->n; i++)
                r = refuse_in_service(services->entries[i].value, keys, reterr);
        for (size_t i = 0; r == 0 && i < sizeof(maps) / sizeof(maps[0]); i++)
                r = refuse_in_all(node_get(root, maps[i].key), maps[i].table, reterr);
        return r;
}

/*
 * With docker compose
 */

static const struct refusal whole_document[] = {
        { "models", "run the model as a service of its own" },
        { .key = NULL },
};

static const struct refusal whole_service[] = {
        { "build", "build the image in CI and put its digest into the release" },
        { "credential_spec", "it is for Windows" },
        { "label_file", "write `labels`" },
        { "links", "services of one network find each other by name; `networks` has `aliases`" },
        { "models", "run the model as a service of its own" },
        { "post_start", "instances are started by the engine: put it into the command, or into a step of the rollout" },
        { "pre_stop", "instances are stopped by the engine: let the container handle its stop signal" },
        { "provider", "what runs is a container with a pinned image" },
        { "use_api_socket", "mount /run/docker.sock where it is really needed" },
        { "volumes_from", "name the volumes" },
        { .key = NULL },
};

static const struct refusal whole_content[] = {
        { "external", "docker has these only as a swarm" },
        { .key = NULL },
};
static const struct refusal whole_secret[] = {
        { "content", "put it in a file" },
        { "environment", "put it in a file" },
        { "external", "docker has these only as a swarm" },
        { .key = NULL },
};

/* Namespaces that would end with the replacement of the container that they are borrowed from. */
static int refuse_borrowed(const struct node *service, struct fault *reterr) {
        static const char *const keys[] = { "network_mode", "ipc", "pid" };

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                const struct node *value = node_get(service, keys[i]);
                int r;

                if (!value || !node_is_scalar(value) || !str_after(value->text, "service:"))
                        continue;
                r = fault_set_code_at(
                        reterr, &value->at, REASON_LOAD_INVALID,
                        "'%s: %s' is not carried out: it would end with the other container's replacement", keys[i],
                        value->text);
                fault_hint(reterr, "put both services on one network, or both programs into one image");
                return r;
        }
        return 0;
}

/* A mounted image has no pin in the release; a folder of the app is no volume that anybody may write to. */
static int refuse_mounts_whole(const struct node *mounts, struct fault *reterr) {
        for (size_t i = 0; mounts && mounts->type == NODE_LIST && i < mounts->n; i++) {
                const struct node *type = node_get(mounts->items[i], "type");

                if (type && node_is_scalar(type) && str_eq(type->text, "image"))
                        return fault_set_code_at(reterr, &type->at, REASON_LOAD_TAG_ONLY,
                                                 "an image that is mounted cannot be pinned by the release");
        }
        return 0;
}

/* driver_opts: {o: bind, device: ./data} */
static int refuse_volumes_whole(const struct node *volumes, struct fault *reterr) {
        for (size_t i = 0; volumes && volumes->type == NODE_MAP && i < volumes->n; i++) {
                const struct node *options = node_get(volumes->entries[i].value, "driver_opts"),
                                  *device = node_get(options, "device"), *o = node_get(options, "o");
                int r;

                if (!device || !o || !node_is_scalar(device) || !node_is_scalar(o) || !strstr(o->text, "bind") ||
                    device->text[0] == '/')
                        continue;
                r = fault_set_code_at(reterr, &device->at, REASON_LOAD_INVALID,
                                      "'%s' is not an absolute path of the host", device->text);
                fault_hint(reterr, "files of the app are mounted by the service: `volumes: [./…:/…]`");
                return r;
        }
        return 0;
}

int compose_refuse_whole(const struct node *root, struct fault *reterr) {
        const struct node *services = node_get(root, "services");
        const struct {
                const char *key;
                const struct refusal *table;
        } maps[] = {
                { "configs", whole_content },
                { "secrets", whole_secret },
        };
        int r = refuse_for("compose", root, whole_document, 0, reterr);

        for (size_t i = 0; r == 0 && services && services->type == NODE_MAP && i < services->n; i++) {
                const struct node *service = services->entries[i].value;

                r = refuse_for("compose", service, whole_service, 0, reterr);
                if (r == 0)
                        r = refuse_borrowed(service, reterr);
                if (r == 0)
                        r = refuse_mounts_whole(node_get(service, "volumes"), reterr);
        }
        for (size_t m = 0; r == 0 && m < sizeof(maps) / sizeof(maps[0]); m++) {
                const struct node *map = node_get(root, maps[m].key);

                for (size_t i = 0; r == 0 && map && map->type == NODE_MAP && i < map->n; i++)
                        r = refuse_for("compose", map->entries[i].value, maps[m].table, 0, reterr);
        }
        return r < 0 ? r : refuse_volumes_whole(node_get(root, "volumes"), reterr);
}
