/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/docker/render.h"

#include "providers/runtime/docker/render_private.h"
#include "providers/runtime/outline.h"
#include "shared/base/text.h"

#define NS_PER_SECOND INT64_C(1000000000)

/*
 * JSON
 */

void put(json_t *object, const char *key, json_t *value) {
        if (!value || json_object_set_new(object, key, value) < 0)
                abort();
}

void put_text(json_t *object, const char *key, const char *value) {
        if (value)
                put(object, key, json_string(value));
}

void put_number(json_t *object, const char *key, int64_t value) {
        if (value != 0)
                put(object, key, json_integer(value));
}

void put_true(json_t *object, const char *key, bool value) {
        if (value)
                put(object, key, json_true());
}

static json_t *list_to_json(const struct string_list *list) {
        json_t *array = json_array();

        for (size_t i = 0; i < list->n; i++)
                if (json_array_append_new(array, json_string(list->items[i].text)) < 0)
                        abort();
        return array;
}

void put_list(json_t *object, const char *key, const struct string_list *list) {
        if (list->n > 0)
                put(object, key, list_to_json(list));
}

void put_map(json_t *object, const char *key, const struct string_map *map) {
        json_t *value;

        if (map->n == 0)
                return;
        value = json_object();
        for (size_t i = 0; i < map->n; i++)
                put(value, map->items[i].key.text,
                    json_string(map->items[i].value.text ? map->items[i].value.text : ""));
        put(object, key, value);
}

/*
 * The container's own configuration
 */

/* An empty list is not the same as none: it clears the image's command. */
static void put_command(json_t *config, const char *key, const struct compose_command *c) {
        if (c->set)
                put(config, key, list_to_json(&c->words));
}

/* A name without '=' takes a variable of the image away. */
static void put_environment(json_t *config, const struct string_map *environment) {
        json_t *array;

        if (environment->n == 0)
                return;
        array = json_array();
        for (size_t i = 0; i < environment->n; i++) {
                const struct string_pair *p = &environment->items[i];
                json_t *word =
                        p->value.text ? json_sprintf("%s=%s", p->key.text, p->value.text) : json_string(p->key.text);

                if (json_array_append_new(array, word) < 0)
                        abort();
        }
        put(config, "Env", array);
}

static void put_healthcheck(json_t *config, const struct compose_healthcheck *h) {
        json_t *value;

        if (!h)
                return;
        value = json_object();
        if (h->disable)
                put(value, "Test", json_pack("[s]", "NONE"));
        else
                put_list(value, "Test", &h->test);
        put_number(value, "Interval", h->interval_ns);
        put_number(value, "Timeout", h->timeout_ns);
        put_number(value, "StartPeriod", h->start_period_ns);
        put_number(value, "StartInterval", h->start_interval_ns);
        put_number(value, "Retries", h->retries);
        put(config, "Healthcheck", value);
}

json_t *render_port_key(const struct compose_port *p) {
        return json_sprintf("%lld/%s", (long long)p->target, compose_protocol_names[p->protocol]);
}

static void put_exposed(json_t *ports, const struct struct_list *list) {
        const struct compose_port *items = list->items;

        for (size_t i = 0; i < list->n; i++) {
                own_json json_t *key = render_port_key(&items[i]);

                put(ports, json_string_value(key), json_object());
        }
}

static json_t *render_config(const struct compose_service *s) {
        json_t *config = json_object(), *ports = json_object();
        /* The engine counts in seconds: rather one more than killed early. */
        int64_t grace = (s->stop_grace_ns + NS_PER_SECOND - 1) / NS_PER_SECOND;

        put_text(config, "Hostname", s->hostname);
        put_text(config, "Domainname", s->domainname);
        put_text(config, "User", s->user);
        put_text(config, "WorkingDir", s->working_dir);
        put_text(config, "StopSignal", s->stop_signal);
        put(config, "StopTimeout", json_integer(grace));
        put_true(config, "Tty", s->tty);
        put_true(config, "OpenStdin", s->stdin_open);
        put_command(config, "Cmd", &s->command);
        put_command(config, "Entrypoint", &s->entrypoint);
        put_environment(config, &s->environment);
        put_healthcheck(config, s->healthcheck);
        put_exposed(ports, &s->ports);
        put_exposed(ports, &s->expose);
        if (json_object_size(ports) > 0)
                put(config, "ExposedPorts", ports);
        else
                json_decref(ports);
        return config;
}

/*
 * Networks, restart
 */

/* The service's name is how the others reach it; container_name as well, as it is what people write down. */
static json_t *render_aliases(const struct compose_service *s, const struct compose_attachment *at) {
        own_json json_t *set = json_object();
        json_t *array = json_array();
        const char *names[2] = { s->name.text, s->container_name.text };

        for (size_t i = 0; i < 2 + at->aliases.n; i++) {
                const char *name = i < 2 ? names[i] : at->aliases.items[i - 2].text;

                if (!name || json_object_get(set, name))
                        continue;
                put(set, name, json_true());
                if (json_array_append_new(array, json_string(name)) < 0)
                        abort();
        }
        return array;
}

static int render_attachment(const struct compose *c, const struct compose_service *s,
                             const struct compose_attachment *at, json_t *networks, struct fault *reterr) {
        const struct compose_network *network = compose_find_network(c, at->network);
        json_t *value;

        if (!network)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "network '%s' is not in the model", at->network);
        value = json_object();
        put_text(value, "name", network->name);
        put(value, "aliases", render_aliases(s, at));
        put_text(value, "ipv4", at->ipv4_address.text);
        put_text(value, "ipv6", at->ipv6_address.text);
        put_list(value, "link_local", &at->link_local_ips);
        put_text(value, "mac", at->mac_address.text);
        if (json_array_append_new(networks, value) < 0)
                abort();
        return 0;
}

int render_networks(const struct compose *c, const struct compose_service *s, json_t *spec, struct fault *reterr) {
        const struct compose_attachment *items = s->networks.items;
        json_t *networks;
        int r;

        if (s->network_mode.text) {
                put_text(spec, "network_mode", s->network_mode.text);
                return 0;
        }
        networks = json_array();
        put(spec, "networks", networks);
        for (size_t i = 0; i < s->networks.n; i++) {
                r = render_attachment(c, s, &items[i], networks, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

json_t *render_restart(const struct compose_service *s) {
        json_t *restart = json_object();

        put_text(restart, "Name", compose_restart_names[s->restart]);
        if (s->restart == RESTART_ON_FAILURE)
                put_number(restart, "MaximumRetryCount", s->restart_retries);
        return restart;
}

int render_service(const struct compose *c, const struct compose_service *s, json_t **ret, struct fault *reterr) {
        own_json json_t *spec = json_object();
        int r;

        put_text(spec, "project", c->project);
        put_text(spec, "service", s->name.text);
        put_text(spec, "image", s->pinned);
        put_text(spec, "platform", s->platform);
        put_text(spec, "container_name", s->container_name.text);
        put(spec, "config", render_config(s));
        put(spec, "host", render_host(s));
        put_map(spec, "labels", &s->labels);
        put(spec, "restart", render_restart(s));
        r = render_mounts(c, s, spec, reterr);
        if (r == 0)
                r = render_networks(c, s, spec, reterr);
        if (r < 0)
                return r;
        *ret = take(spec);
        return 0;
}

int docker_render(const struct runtime_settings *settings, const struct compose *compose, const char *version,
                  const char *release_id, struct arena *a, struct workload *ret, struct fault *reterr) {
        static const struct outline_runtime docker = { .name = "docker",
                                                       .spec_of = render_service,
                                                       .resources_of = render_resources };

        return outline_render(&docker, settings, compose, version, release_id, a, ret, reterr);
}
