/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/routers/traefik_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/data/yaml.h"

#define SERVICE_NAME_MAX (ROUTE_NAME_MAX + ROUTE_RELEASE_MAX + 32)

bool traefik_has_routers(const struct traffic *t) {
        return t->listen || t->server_name || !str_eq(t->path, "/");
}

struct rendering {
        const struct traffic *traffic;
        const struct route *route;
        struct route_parts parts;
        const char *name;                               /* "tally_shop" */
        char service[VARIATION_MAX_][SERVICE_NAME_MAX]; /* "tally_shop:current:3f2a91c07be4" */
        const char *entry_point;
};

/*
 * Services
 */

static void name_services(struct rendering *r) {
        for (enum variation v = 0; v < VARIATION_MAX_; v++) {
                const char *release = r->parts.n[v] > 0 ? r->parts.of[v][0]->release : NULL;

                (void)snprintf(r->service[v], sizeof(r->service[v]), "%s:%s%s%s", r->name, variation_names[v],
                               release ? ":" : "", release ? release : "");
        }
}

static json_t *servers(const struct rendering *r, enum variation v) {
        json_t *list = json_array();

        for (size_t i = 0; i < r->parts.n[v]; i++)
                json_array_append_new(list, json_pack("{ss+}", "url", "http://", r->parts.of[v][i]->address));
        return json_pack("{s{so sb}}", "loadBalancer", "servers", list, "passHostHeader", 1);
}

static json_t *weighted(const struct rendering *r) {
        const struct sticky *s = r->traffic->sticky;
        json_t *list = json_array(), *service;

        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                if (r->parts.n[v] > 0)
                        json_array_append_new(list, json_pack("{ss sI}", "name", r->service[v], "weight",
                                                              (json_int_t)(v == VARIATION_CANDIDATE
                                                                                   ? r->route->candidate
                                                                                   : 100 - r->route->candidate)));
        if (json_array_size(list) == 0) /* a service must have one */
                json_array_append_new(list, json_pack("{ss si}", "name", r->service[VARIATION_CURRENT], "weight", 100));
        service = json_pack("{so}", "services", list);
        if (s)
                json_object_set_new(service, "sticky",
                                    json_pack("{s{ss sb ss sI}}", "cookie", "name", s->cookie, "httpOnly", 1,
                                              "sameSite", "lax", "maxAge", (json_int_t)(s->duration_ms / 1000)));
        return json_pack("{so}", "weighted", service);
}

/*
 * Routers
 */

static void put_rule(const struct traffic *t, struct buffer *out) {
        if (t->server_name)
                buffer_printf(out, "Host(`%s`) && ", t->server_name);
        buffer_printf(out, "PathPrefix(`%s`)", t->path);
}

static void put_split_rule(const struct split *s, struct buffer *out) {
        char quoted[2 * ROUTE_HOST_MAX + 1];
        size_t n = 0;

        for (const char *p = s->value ? s->value : ""; *p; p++) {
                if (*p == '.')
                        quoted[n++] = '\\';
                quoted[n++] = *p;
        }
        quoted[n] = '\0';
        if (s->by == SPLIT_COOKIE)
                buffer_printf(out, " && HeaderRegexp(`Cookie`, `(^|; *)%s=%s%s`)", s->name, s->value ? quoted : "[^;]",
                              s->value ? "(;|$)" : "");
        else if (s->value)
                buffer_printf(out, " && Header(`%s`, `%s`)", s->name, s->value);
        else
                buffer_printf(out, " && HeaderRegexp(`%s`, `.`)", s->name);
}

static json_t *router(const struct rendering *r, const char *rule, const char *service) {
        json_t *router = json_pack("{ss ss s[s]}", "rule", rule, "service", service, "middlewares", r->name);

        if (r->entry_point)
                json_object_set_new(router, "entryPoints", json_pack("[s]", r->entry_point));
        return router;
}

/* The longer rule comes first (Traefik, routers, priority). */
static json_t *routers(const struct rendering *r) {
        own_buffer struct buffer rule = BUFFER_INIT;
        bool told_apart = r->parts.split && r->traffic->split.by != SPLIT_WEIGHT;
        json_t *all = json_object();

        put_rule(r->traffic, &rule);
        json_object_set_new(all, r->name,
                            router(r, buffer_str(&rule), told_apart ? r->service[VARIATION_CURRENT] : r->name));
        if (told_apart) {
                char name[ROUTE_NAME_MAX + 16];

                put_split_rule(&r->traffic->split, &rule);
                (void)snprintf(name, sizeof(name), "%s:candidate", r->name);
                json_object_set_new(all, name, router(r, buffer_str(&rule), r->service[VARIATION_CANDIDATE]));
        }
        return all;
}

json_t *traefik_render(const struct traffic *traffic, const struct route *route, const char *entry_point) {
        own_arena struct arena *a = arena_new();
        struct rendering r = { .traffic = traffic, .route = route, .entry_point = entry_point };
        char name[ROUTE_NAME_MAX];
        json_t *http, *services = json_object();

        r.name = route_name(route->app, name);
        route_parts_make(route, a, &r.parts);
        name_services(&r);
        json_object_set_new(services, r.name, weighted(&r));
        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                if (r.parts.n[v] > 0 || (v == VARIATION_CURRENT && r.parts.n[VARIATION_CANDIDATE] == 0))
                        json_object_set_new(services, r.service[v], servers(&r, v));
        /* Only what was not sent yet is tried again. */
        http = json_pack("{s{s{s{si ss}}} so}", "middlewares", r.name, "retry", "attempts", 4, "initialInterval",
                         "10ms", "services", services);
        if (traefik_has_routers(traffic))
                json_object_set_new(http, "routers", routers(&r));
        return json_pack("{so}", "http", http);
}

int traefik_write(const char *app, const json_t *config, struct buffer *out, struct fault *reterr) {
        buffer_printf(out, "# Made by Tallyman for the app %s. What is changed here is put back.\n", app);
        return json_pretty(config, out, reterr);
}

/*
 * Reading back
 */

int traefik_read(const void *bytes, size_t size, json_t **ret, struct fault *reterr) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault why = FAULT_INIT;
        const struct node *root;

        if (yaml_parse("the file", bytes, size, a, &root, &why) < 0)
                return fault_set(reterr, FAULT_TRANSIENT, EPROTO, "%s",
                                 why.message ? why.message : "the file is not YAML");
        *ret = node_to_json(root);
        return *ret ? 0 : fault_set_oom(reterr);
}

/* The variation and release that a service's name says; false: another service. */
static bool read_name(const char *key, const char *app, const char *provider, struct arena *a, enum variation *ret,
                      const char **ret_release) {
        char name[ROUTE_NAME_MAX];
        size_t n = strlen(key), suffix = strlen(provider);
        const char *rest;

        if (n < suffix || !str_eq(key + n - suffix, provider))
                return false;
        rest = str_after(arena_strndup(a, key, n - suffix), route_name(app, name));
        if (!rest || rest[0] != ':')
                return false;
        for (enum variation v = 0; v < VARIATION_MAX_; v++) {
                const char *release = str_after(rest + 1, variation_names[v]);

                if (!release || (release[0] != '\0' && release[0] != ':'))
                        continue;
                *ret = v;
                *ret_release = release[0] ? release + 1 : NULL;
                return true;
        }
        return false;
}

static int not_ours(const char *what, struct fault *reterr) {
        return fault_set(reterr, FAULT_TRANSIENT, EPROTO, "what Traefik has is not ours: %s", what);
}

static int read_share(const json_t *service, const char *app, struct arena *a, int64_t *ret, struct fault *reterr) {
        const json_t *list = json_object_get(json_object_get(service, "weighted"), "services");
        int64_t weight[VARIATION_MAX_] = { 0 };
        size_t i;
        json_t *child;

        if (!json_is_array(list) || json_array_size(list) > VARIATION_MAX_)
                return not_ours("a service without weights", reterr);
        json_array_foreach(list, i, child) {
                const char *name = json_get_string(child, "name"), *release;
                enum variation v;

                if (!name ||
                    (!read_name(name, app, "", a, &v, &release) && !read_name(name, app, "@file", a, &v, &release)))
                        return not_ours("weights for other services", reterr);
                weight[v] = json_get_integer(child, "weight", 1);
        }
        if (weight[VARIATION_CURRENT] < 0 || weight[VARIATION_CANDIDATE] < 0 || weight[VARIATION_CURRENT] > 1000000 ||
            weight[VARIATION_CANDIDATE] > 1000000)
                return not_ours("weights out of range", reterr);
        *ret = weight[VARIATION_CANDIDATE] == 0
                       ? 0
                       : weight[VARIATION_CANDIDATE] * 100 / (weight[VARIATION_CURRENT] + weight[VARIATION_CANDIDATE]);
        return 0;
}

int traefik_parse(const json_t *services, const char *app, const char *provider, struct arena *a, bool *ret_present,
                  struct route *ret, struct fault *reterr) {
        const struct traffic nothing = { .path = "/" };
        struct route route = { .app = app };
        char name[ROUTE_NAME_MAX], own_name[ROUTE_NAME_MAX + 16];
        const char *key;
        json_t *service, *server;
        size_t i;
        int r;

        (void)snprintf(own_name, sizeof(own_name), "%s%s", route_name(app, name), provider);
        if (!json_object_get(services, own_name)) {
                *ret_present = false;
                return 0;
        }
        r = read_share(json_object_get(services, own_name), app, a, &route.candidate, reterr);
        json_object_foreach((json_t *)services, key, service) {
                const char *release;
                enum variation v;

                if (r < 0 || !read_name(key, app, provider, a, &v, &release))
                        continue;
                json_array_foreach(json_object_get(json_object_get(service, "loadBalancer"), "servers"), i, server) {
                        const char *url = json_get_string(server, "url"),
                                   *address = url ? str_after(url, "http://") : NULL;

                        if (!address)
                                return not_ours("a server without address", reterr);
                        route_add(&route, address, v, release, a);
                }
        }
        if (r < 0)
                return r;
        route_sort(&route);
        r = route_check(&nothing, &route, reterr);
        if (r < 0) {
                reterr->kind = FAULT_TRANSIENT;
                return r;
        }
        *ret_present = true;
        *ret = route;
        return 0;
}

/*
 * What runs
 */

/* Traefik adds defaults of its own: what we asked for must be in what it has. */
static bool contains(const json_t *live, const json_t *wanted) {
        const char *key;
        size_t i;
        json_t *item;

        if (json_is_object(wanted)) {
                json_object_foreach((json_t *)wanted, key,
                                    item) if (!contains(json_object_get(live, key), item)) return false;
                return json_is_object(live);
        }
        if (json_is_array(wanted)) {
                if (!json_is_array(live) || json_array_size(live) != json_array_size(wanted))
                        return false;
                json_array_foreach(wanted, i, item) if (!contains(json_array_get(live, i), item)) return false;
                return true;
        }
        return live && json_equal(live, wanted);
}

static const char *differs(const json_t *wanted, const json_t *live, const char *what, struct arena *a) {
        own_buffer struct buffer name = BUFFER_INIT;
        const char *key, *status;
        const json_t *there;
        json_t *item;

        json_object_foreach((json_t *)wanted, key, item) {
                buffer_clear(&name);
                buffer_printf(&name, "%s@file", key);
                there = json_object_get(live, buffer_str(&name));
                status = json_get_string(there, "status");
                if (!there)
                        return arena_printf(a, "Traefik has no %s %s", what, key);
                if (status && !str_eq(status, "enabled")) {
                        const char *error = json_string_value(json_array_get(json_object_get(there, "error"), 0));

                        return arena_printf(a, "Traefik does not use the %s %s: %.300s", what, key,
                                            error ? error : status);
                }
                if (!contains(there, item))
                        return arena_printf(a, "Traefik has another %s %s", what, key);
        }
        return NULL;
}

const char *traefik_difference(const json_t *config, const json_t *rawdata, struct arena *a) {
        const json_t *http = json_object_get(config, "http");
        const char *r = differs(json_object_get(http, "services"), json_object_get(rawdata, "services"), "service", a);

        return r ? r : differs(json_object_get(http, "routers"), json_object_get(rawdata, "routers"), "router", a);
}

const char *traefik_entry_point(const json_t *entry_points, const char *listen) {
        size_t i;
        json_t *item;

        json_array_foreach(entry_points, i, item) {
                const char *address = json_get_string(item, "address"), *name = json_get_string(item, "name");

                /* ":80/tcp" is ":80", too. */
                if (address && name && strncmp(address, listen, strlen(listen)) == 0 &&
                    (address[strlen(listen)] == '\0' || str_eq(address + strlen(listen), "/tcp")))
                        return name;
        }
        return NULL;
}
