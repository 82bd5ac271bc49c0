/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/routers/caddy.h"

#include <fcntl.h>
#include <string.h>

#include "providers/doctor.h"
#include "providers/routers/admin.h"
#include "providers/routers/caddy_config.h"
#include "shared/base/file.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

#define PATH_LIMIT (ROUTE_NAME_MAX + 64)
#define SERVERS    "/config/apps/http/servers"

struct caddy {
        struct router router;
        struct admin *admin;
};

static struct caddy *caddy_of(struct router *r) {
        return (struct caddy *)r;
}

static void caddy_close(struct router *r) {
        struct caddy *c = caddy_of(r);

        if (!c)
                return;
        admin_free(c->admin);
        free(c);
}

static int caddy_open(const struct router_settings *settings, struct router **ret, struct fault *reterr) {
        struct caddy *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return fault_set_oom(reterr);
        c->router.ops = &caddy_router_ops;
        r = admin_new(settings->admin ? settings->admin : "http://127.0.0.1:2019", &c->admin, reterr);
        if (r < 0) {
                caddy_close(&c->router);
                return r;
        }
        *ret = &c->router;
        return 0;
}

static int caddy_check(struct router *r, const char *app, const struct traffic *t, struct fault *reterr) {
        return 0;
}

/* Names of apps need no escaping: name_is_valid(). */
static const char *id_path(const char *app, char buf[static PATH_LIMIT]) {
        char name[ROUTE_NAME_MAX];

        (void)snprintf(buf, PATH_LIMIT, "/id/%s", route_name(app, name));
        return buf;
}

/* Caddy changes its whole configuration or nothing: what it refuses was never in force. */
static int refused(const struct admin_answer *answer, struct fault *reterr) {
        own_fault struct fault why = FAULT_INIT;
        own_json json_t *json = NULL;
        const char *said = admin_json(answer, &json, &why) == 0 ? json_get_string(json, "error") : NULL;

        return fault_set_code(reterr, FAULT_DENIED, REASON_ROUTE_INVALID, "Caddy refuses the configuration: %s",
                              said ? said : "it does not say why");
}

/* *ret: a new reference; NULL when there is nothing at @path. */
static int get(struct caddy *c, const char *path, json_t **ret, struct fault *reterr) {
        own_admin_answer struct admin_answer answer = ADMIN_ANSWER_INIT;
        own_json json_t *json = NULL;
        int r = admin_call(c->admin, &(struct admin_request){ .path = path }, &answer, reterr);

        if (r < 0)
                return r;
        if (answer.status == 403)
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_ROUTER_UNAVAILABLE,
                                      "Caddy does not let us ask: %.200s", buffer_str(&answer.body));
        /* /id/ without such an id is 404, a path that leads nowhere 400, one that ends too early null. */
        if (answer.status == 200) {
                r = admin_json(&answer, &json, reterr);
                if (r < 0)
                        return r;
        } else if (answer.status != 404 && answer.status != 400)
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_ROUTER_UNAVAILABLE, "Caddy answers HTTP %d",
                                      answer.status);
        *ret = json_is_null(json) ? NULL : take(json);
        return 0;
}

static int change(struct caddy *c, const char *method, const char *path, const json_t *body, struct fault *reterr) {
        own_admin_answer struct admin_answer answer = ADMIN_ANSWER_INIT;
        int r = admin_call(c->admin, &(struct admin_request){ .method = method, .path = path, .body = body }, &answer,
                           reterr);

        if (r < 0)
                return r;
        return answer.status >= 200 && answer.status < 300 ? 0 : refused(&answer, reterr);
}

static int caddy_observe(struct router *r, const char *app, const struct traffic *traffic, struct arena *a,
                         struct route_state *ret, struct fault *reterr) {
        struct caddy *c = caddy_of(r);
        own_fault struct fault why = FAULT_INIT;
        own_json json_t *live = NULL, *wanted = NULL;
        char path[PATH_LIMIT];

        if (get(c, id_path(app, path), &live, &why) < 0) {
                ret->reason = arena_strdup(a, why.message);
                return 0;
        }
        ret->available = true;
        if (caddy_is_empty(live))
                return 0;
        if (caddy_parse(live, app, a, &ret->route, &why) < 0) {
                ret->altered = true;
                ret->detail =
                        arena_printf(a, "what Caddy has is not ours any more: %s", why.message ? why.message : "");
                return 0;
        }
        ret->present = true;
        wanted = caddy_render(traffic, &ret->route);
        if (!json_equal(wanted, live)) {
                ret->altered = true;
                ret->detail = "what Caddy has was changed, or its settings were";
        }
        return 0;
}

/* A server where there is none yet: at the first part of the path that is missing, with the rest inside. */
static int create(struct caddy *c, const char *app, json_t *server, struct fault *reterr) {
        static const char *const paths[] = { "/config/", "/config/apps", "/config/apps/http", SERVERS };
        static const char *const keys[] = { "apps", "http", "servers" };
        char name[ROUTE_NAME_MAX], path[PATH_LIMIT];
        own_json json_t *body = json_incref(server), *there = NULL;
        size_t depth = 0;
        int r = 0;

        for (; depth < sizeof(paths) / sizeof(paths[0]); depth++) {
                own_json json_t *part = NULL;

                r = get(c, paths[depth], &part, reterr);
                if (r < 0)
                        return r;
                if (!part)
                        break;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", SERVERS, route_name(app, name));
        if (depth == sizeof(paths) / sizeof(paths[0])) {
                r = get(c, path, &there, reterr);
                return r < 0 ? r : change(c, there ? "PATCH" : "PUT", path, server, reterr);
        }
        body = json_pack("{so}", name, body);
        for (size_t i = sizeof(keys) / sizeof(keys[0]); i-- > depth;)
                body = json_pack("{so}", keys[i], body);
        return change(c, depth == 0 ? "POST" : "PUT", paths[depth], body, reterr);
}

static int put(struct caddy *c, const char *app, const struct traffic *t, const json_t *live, json_t *wanted,
               struct fault *reterr) {
        bool is_server = json_object_get(live, "listen");
        char path[PATH_LIMIT];
        int r;

        if (live && is_server == (t->listen != NULL))
                return change(c, "PATCH", id_path(app, path), wanted, reterr);
        if (live && is_server) {
                r = change(c, "DELETE", id_path(app, path), NULL, reterr);
                if (r < 0)
                        return r;
                live = NULL;
        }
        if (!live && t->listen)
                return create(c, app, wanted, reterr);
        r = fault_set_code(reterr, FAULT_DENIED, REASON_ROUTE_INVALID,
                           live ? "Caddy's configuration has a place for it, but `listen` wants a server of its own"
                                : "Caddy's configuration has no place for it, and `listen` wants no server of its own");
        fault_hint(reterr, "such a place is the handler {\"@id\": \"%s\", \"handler\": \"subroute\"}",
                   id_path(app, path) + strlen("/id/"));
        return r;
}

static int caddy_apply(struct router *r, const struct traffic *traffic, const struct route *route,
                       struct fault *reterr) {
        struct caddy *c = caddy_of(r);
        own_json json_t *wanted = caddy_render(traffic, route), *before = NULL, *after = NULL;
        char path[PATH_LIMIT];
        int e = get(c, id_path(route->app, path), &before, reterr);

        if (e < 0 || (before && json_equal(before, wanted)))
                return e;
        e = put(c, route->app, traffic, before, wanted, reterr);
        if (e == 0)
                e = get(c, path, &after, reterr);
        if (e < 0)
                return e;
        return json_equal(after, wanted) ? 0
                                         : fault_set_code(reterr, FAULT_CONFLICT, REASON_ROUTE_INVALID,
                                                          "somebody else changes Caddy's configuration");
}

static int caddy_remove(struct router *r, const char *app, struct fault *reterr) {
        struct caddy *c = caddy_of(r);
        own_json json_t *live = NULL, *nothing = NULL;
        char path[PATH_LIMIT];
        int e = get(c, id_path(app, path), &live, reterr);

        if (e < 0 || caddy_is_empty(live))
                return e;
        if (json_object_get(live, "listen"))
                return change(c, "DELETE", path, NULL, reterr);
        nothing = caddy_placeholder(app);
        return change(c, "PATCH", path, nothing, reterr);
}

/*
 * Caddy opens its sockets anew whenever its configuration changes (SO_REUSEPORT); what waits at an old one is lost,
 * unless the kernel moves it.
 */
static int say_migration(json_t *out, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT;
        own_fault struct fault why = FAULT_INIT;

        if (file_read(AT_FDCWD, "/proc/sys/net/ipv4/tcp_migrate_req", 64, &text, &why) == 0 &&
            buffer_str(&text)[0] == '1')
                return 0;
        return doctor_say(out, "caddy-sockets", "warn",
                          "connections that come in just while Caddy changes its configuration may be reset",
                          "sysctl net.ipv4.tcp_migrate_req=1 (Linux 5.14 and later)", reterr);
}

static int caddy_doctor(struct router *r, json_t *out, struct fault *reterr) {
        own_buffer struct buffer detail = BUFFER_INIT;
        own_json json_t *servers = NULL;
        own_fault struct fault why = FAULT_INIT;
        int e;

        if (get(caddy_of(r), SERVERS, &servers, &why) < 0) {
                e = doctor_say_fault(out, "caddy", &why, reterr);
        } else {
                buffer_printf(&detail, "%zu servers", json_object_size(servers));
                e = doctor_say(out, "caddy", "ok", buffer_str(&detail), NULL, reterr);
        }
        return e < 0 ? e : say_migration(out, reterr);
}

const struct router_ops caddy_router_ops = {
        .abi = ROUTER_ABI,
        .name = "caddy",
        .open = caddy_open,
        .close = caddy_close,
        .check = caddy_check,
        .observe = caddy_observe,
        .apply = caddy_apply,
        .remove = caddy_remove,
        .doctor = caddy_doctor,
};
