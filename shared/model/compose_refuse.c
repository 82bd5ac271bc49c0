/* SPDX-License-Identifier: Apache-2.0 */

/* Keys of the Compose Specification that the docker runtime does not carry out, by the place they stand at */

#include "shared/model/compose_private.h"

#include "shared/base/reason.h"
#include "shared/base/text.h"

struct refusal {
        const char *key;
        const char *hint;  /* NULL: the one that fits all */
};

static const char use_compose[] =
        "the docker runtime takes what the Engine API does by itself; `runtime: compose` in the app's app.yaml hands the "
        "whole file to docker compose";

static const struct refusal of_document[] = {
        { "include", NULL }, { "models", NULL }, { .key = NULL },
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
        { "extends", "write the service out, or use a YAML anchor and a merge key" },
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
        { "driver_opts", NULL }, { "gw_priority", NULL }, { "interface_name", NULL }, { .key = NULL },
};
static const struct refusal of_content[] = {
        { "driver", NULL }, { "driver_opts", NULL }, { "external", "docker has these only as a swarm" },
        { "labels", NULL }, { "template_driver", NULL }, { .key = NULL },
};
static const struct refusal of_secret[] = {
        { "content", "put it in a file" },
        { "environment", "put it in a file" },
        { "driver", NULL }, { "driver_opts", NULL }, { "external", "docker has these only as a swarm" },
        { "labels", NULL }, { "template_driver", NULL }, { .key = NULL },
};
static const struct refusal of_mount[] = { { "consistency", NULL }, { "image", NULL }, { "cluster", NULL }, { .key = NULL } };
static const struct refusal of_mount_bind[] = { { "recursive", NULL }, { .key = NULL } };
static const struct refusal of_mount_volume[] = { { "labels", NULL }, { .key = NULL } };

static int refuse_keys(const struct node *map, const struct refusal *table, struct fault *reterr) {
        if (!map || map->type != NODE_MAP)
                return 0;
        for (size_t i = 0; i < map->n; i++)
                for (const struct refusal *f = table; f->key; f++)
                        if (str_eq(map->entries[i].key, f->key)) {
                                int r = fault_set_code_at(reterr, &map->entries[i].at, REASON_LOAD_INVALID,
                                                          "'%s' is not carried out by the docker runtime", f->key);

                                fault_hint(reterr, "%s", f->hint ? f->hint : use_compose);
                                return r;
                        }
        return 0;
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

static int refuse_in_service(const struct node *service, struct fault *reterr) {
        const struct node *deploy = node_get(service, "deploy"), *resources = node_get(deploy, "resources");
        const struct { const struct node *node; const struct refusal *table; } places[] = {
                { service, of_service },
                { deploy, of_deploy },
                { node_get(resources, "limits"), of_limits },
                { node_get(resources, "reservations"), of_reservations },
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < sizeof(places) / sizeof(places[0]); i++)
                r = refuse_keys(places[i].node, places[i].table, reterr);
        if (r == 0)
                r = refuse_in_all(node_get(service, "networks"), of_attachment, reterr);
        return r < 0 ? r : refuse_in_mounts(node_get(service, "volumes"), reterr);
}

int compose_refuse(const struct node *root, struct fault *reterr) {
        const struct { const char *key; const struct refusal *table; } maps[] = {
                { "networks", of_network }, { "configs", of_content }, { "secrets", of_secret },
        };
        const struct node *services = node_get(root, "services");
        int r = refuse_keys(root, of_document, reterr);

        for (size_t i = 0; r == 0 && services && services->type == NODE_MAP && i < services->n; i++)
                r = refuse_in_service(services->entries[i].value, reterr);
        for (size_t i = 0; r == 0 && i < sizeof(maps) / sizeof(maps[0]); i++)
                r = refuse_in_all(node_get(root, maps[i].key), maps[i].table, reterr);
        return r;
}
