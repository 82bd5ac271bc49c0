/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/docker/body.h"

#include <stdio.h>
#include <string.h>

#include "providers/runtime/docker/labels.h"
#include "providers/runtime/docker/render_private.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/* The first API that takes endpoints of several networks, and MAC addresses in them, when a container is created. */
#define API_MANY_ENDPOINTS 44

static const char *spec_short(const char *digest) {
        const char *hex = digest ? str_after(digest, "sha256:") : NULL;

        return hex ? hex : "";
}

const char *body_name(const struct body_input *in, char *buf) {
        const char *public = json_get_string(in->service->spec, "container_name"),
                   *hex = spec_short(in->service->spec_digest);

        if (public)
                (void)snprintf(buf, CONTAINER_NAME_MAX, "%s.next-%.8s", public, hex);
        else
                (void)snprintf(buf, CONTAINER_NAME_MAX, "%s-%s-%lld-%.8s", in->workload->app, in->service->name,
                               (long long)in->index, hex);
        return buf;
}

const char *body_name_stopped(const char *public_name, const char *spec_digest, char *buf) {
        (void)snprintf(buf, CONTAINER_NAME_MAX, "%s.prev-%.8s", public_name, spec_short(spec_digest));
        return buf;
}

const char *body_restart_text(const json_t *restart, char *buf) {
        const char *name = json_get_string(restart, "Name");
        int64_t retries = json_get_integer(restart, "MaximumRetryCount", 0);

        name = name && *name ? name : "no";
        if (retries > 0)
                (void)snprintf(buf, RESTART_TEXT_MAX, "%s:%lld", name, (long long)retries);
        else
                (void)snprintf(buf, RESTART_TEXT_MAX, "%s", name);
        return buf;
}

json_t *body_restart(const char *text) {
        const char *retries = text ? str_after(text, "on-failure:") : NULL;
        json_t *restart = json_object();
        uint64_t n = 0;

        if (retries && parse_u64(retries, &n) == 0 && n <= INT32_MAX) {
                put_text(restart, "Name", "on-failure");
                put_number(restart, "MaximumRetryCount", (int64_t)n);
                return restart;
        }
        for (int i = 0; i < RESTART_MAX_; i++)
                if (str_eq(text, compose_restart_names[i]))
                        put_text(restart, "Name", text);
        if (json_object_size(restart) == 0)
                put_text(restart, "Name", "no");
        return restart;
}

json_t *body_labels(const struct body_input *in) {
        const json_t *spec = in->service->spec, *declared = json_object_get(spec, "labels");
        json_t *labels = declared ? json_deep_copy(declared) : json_object();
        char index[24], restart[RESTART_TEXT_MAX];
        const struct {
                const char *key, *value;
        } ours[] = {
                { LABEL_HOST, in->settings->host },
                { LABEL_ENVIRONMENT, in->settings->environment },
                { LABEL_APP, in->workload->app },
                { LABEL_SERVICE, in->service->name },
                { LABEL_RELEASE, in->workload->release },
                { LABEL_VERSION, in->workload->version },
                { LABEL_SPEC, in->service->spec_digest },
                { LABEL_INDEX, index },
                { LABEL_IMAGE, in->service->image },
                { LABEL_IMAGE_ID, in->image_id },
                { LABEL_NAME, json_get_string(spec, "container_name") },
                { LABEL_RESTART, restart },
                { LABEL_COMPOSE_PROJECT, json_get_string(spec, "project") },
                { LABEL_COMPOSE_SERVICE, in->service->name },
                { LABEL_COMPOSE_NUMBER, index },
                { LABEL_COMPOSE_ONEOFF, "False" },
                { LABEL_COMPOSE_HASH, spec_short(in->service->spec_digest) },
        };

        (void)snprintf(index, sizeof(index), "%lld", (long long)in->index);
        (void)body_restart_text(json_object_get(spec, "restart"), restart);
        for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
                put_text(labels, ours[i].key, ours[i].value);
        return labels;
}

json_t *body_endpoint(const struct body_input *in, const json_t *network) {
        json_t *endpoint = json_object(), *ipam = json_object(), *aliases;
        json_t *own = json_sprintf("%s-%s-%lld", json_get_string(in->service->spec, "project"), in->service->name,
                                   (long long)in->index);
        const char *mac = json_get_string(network, "mac");

        aliases = json_deep_copy(json_object_get(network, "aliases"));
        aliases = aliases ? aliases : json_array();
        /* The name that docker compose gives its containers; ours has the specification in it. */
        if (json_array_append_new(aliases, own) < 0)
                abort();
        put(endpoint, "Aliases", aliases);
        put_text(ipam, "IPv4Address", json_get_string(network, "ipv4"));
        put_text(ipam, "IPv6Address", json_get_string(network, "ipv6"));
        if (json_object_get(network, "link_local"))
                put(ipam, "LinkLocalIPs", json_deep_copy(json_object_get(network, "link_local")));
        if (json_object_size(ipam) > 0)
                put(endpoint, "IPAMConfig", ipam);
        else
                json_decref(ipam);
        if (mac && in->api >= API_MANY_ENDPOINTS)
                put_text(endpoint, "MacAddress", mac);
        return endpoint;
}

static void body_networks(const struct body_input *in, json_t *body, json_t *host) {
        const json_t *networks = json_object_get(in->service->spec, "networks");
        const char *mode = json_get_string(in->service->spec, "network_mode"), *mac;
        json_t *endpoints, *network;
        size_t i;

        if (json_array_size(networks) == 0) {
                put_text(host, "NetworkMode", mode ? mode : "none");
                return;
        }
        endpoints = json_object();
        json_array_foreach(networks, i, network) if (i == 0 || in->api >= API_MANY_ENDPOINTS)
                put(endpoints, json_get_string(network, "name"), body_endpoint(in, network));
        put_text(host, "NetworkMode", json_get_string(json_array_get(networks, 0), "name"));
        put(body, "NetworkingConfig", json_pack("{so}", "EndpointsConfig", endpoints));
        mac = json_get_string(json_array_get(networks, 0), "mac");
        if (in->api < API_MANY_ENDPOINTS)
                put_text(body, "MacAddress", mac);
}

static void body_file(const struct body_input *in, const json_t *file, json_t *mounts, json_t *binds) {
        const char *name = json_get_string(file, "name"), *target = json_get_string(file, "target");
        const char *options = json_get_string(file, "options");
        json_t *value;

        if (options) {
                value = json_sprintf("%s/%s:%s:%s", in->settings->files, name, target, options);
                if (json_array_append_new(binds, value) < 0)
                        abort();
                return;
        }
        value = json_pack("{ss ss sb}", "Type", "bind", "Target", target, "ReadOnly", 1);
        put(value, "Source", json_sprintf("%s/%s", in->settings->files, name));
        if (json_array_append_new(mounts, value) < 0)
                abort();
}

static json_t *copy_list(const json_t *spec, const char *key) {
        const json_t *list = json_object_get(spec, key);

        return list ? json_deep_copy(list) : json_array();
}

static void body_mounts(const struct body_input *in, json_t *host) {
        json_t *mounts = copy_list(in->service->spec, "mounts"), *binds = copy_list(in->service->spec, "binds"), *file;
        size_t i;

        json_array_foreach(json_object_get(in->service->spec, "files"), i, file) body_file(in, file, mounts, binds);
        if (json_array_size(mounts) > 0)
                json_object_set(host, "Mounts", mounts);
        if (json_array_size(binds) > 0)
                json_object_set(host, "Binds", binds);
        json_decref(mounts);
        json_decref(binds);
}

int body_create(const struct body_input *in, json_t **ret, struct fault *reterr) {
        own_json json_t *body = json_deep_copy(json_object_get(in->service->spec, "config"));
        json_t *host;

        if (!body || !in->settings->files)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "service %s was not rendered", in->service->name);
        host = json_deep_copy(json_object_get(in->service->spec, "host"));
        host = host ? host : json_object();
        put(body, "HostConfig", host);
        put_text(body, "Image", in->service->image);
        put(body, "Labels", body_labels(in));
        /* start() gives it its own: what was never in service is not started by the engine. */
        put(host, "RestartPolicy", body_restart("no"));
        body_mounts(in, host);
        body_networks(in, body, host);
        *ret = take(body);
        return 0;
}

/*
 * What newer versions brought; older engines would ignore it in silence.
 */

static bool uses_host(const json_t *spec, const char *key) {
        return json_object_get(json_object_get(spec, "host"), key) != NULL;
}

static bool uses_annotations(const json_t *spec) {
        return uses_host(spec, "Annotations");
}

static bool uses_start_interval(const json_t *spec) {
        return json_object_get(json_object_get(json_object_get(spec, "config"), "Healthcheck"), "StartInterval") !=
               NULL;
}

static bool uses_subpath(const json_t *spec) {
        size_t i;
        json_t *mount;

        json_array_foreach(json_object_get(spec, "mounts"), i,
                           mount) if (json_object_get(json_object_get(mount, "VolumeOptions"), "Subpath")) return true;
        return false;
}

int body_check_api(const json_t *spec, int api, struct fault *reterr) {
        static const struct {
                const char *key;
                int api;
                bool (*uses)(const json_t *spec);
        } features[] = {
                { "annotations", 43, uses_annotations },
                { "healthcheck.start_interval", 44, uses_start_interval },
                { "volume.subpath", 45, uses_subpath },
        };

        for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
                if (api < features[i].api && features[i].uses(spec))
                        return fault_set_code(reterr, FAULT_CONFIG, REASON_RUNTIME_UNSUPPORTED,
                                              "'%s' needs an engine with API 1.%d, this one speaks 1.%d",
                                              features[i].key, features[i].api, api);
        return 0;
}
