/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/routers/caddy_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/buffer.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

#define ID_MAX (ROUTE_NAME_MAX + 16)
#define CHANCE "{http.request.uuid} < \""
/* Greater than every digit: all requests. */
#define EVERY  "g"

struct rendering {
        const struct traffic *traffic;
        const struct route *route;
        struct route_parts parts;
};

static const char *id_of(const char *app, enum variation v, char buf[static ID_MAX]) {
        char name[ROUTE_NAME_MAX];

        (void)snprintf(buf, ID_MAX, "%s:%s", route_name(app, name), variation_names[v]);
        return buf;
}

/*
 * Matchers
 */

/* Header @field matches @pattern. */
static json_t *match_header(const char *field, const char *pattern) {
        return json_pack("{s{s{ss}}}", "header_regexp", field, "pattern", pattern);
}

static void put_quoted(struct buffer *out, const char *text) {
        for (; *text; text++)
                buffer_printf(out, "%s%c", *text == '.' ? "\\" : "", *text);
}

/* The Cookie header has @name with @value (NULL: any but an empty one). RFC 6265, 4.2.1. */
static json_t *match_cookie(const char *name, const char *value) {
        own_buffer struct buffer pattern = BUFFER_INIT;

        buffer_printf(&pattern, "(^|; *)%s=", name);
        if (value) {
                put_quoted(&pattern, value);
                buffer_puts(&pattern, "(;|$)");
        } else
                buffer_puts(&pattern, "[^;]");
        return match_header("Cookie", buffer_str(&pattern));
}

static json_t *match_chance(int64_t percent) {
        char text[64];

        if (percent >= 100)
                (void)snprintf(text, sizeof(text), CHANCE EVERY "\"");
        else
                (void)snprintf(text, sizeof(text), CHANCE "%08" PRIx64 "\"", ((uint64_t)percent << 32) / 100);
        return json_pack("{ss}", "expression", text);
}

static json_t *match_split(const struct split *s) {
        own_buffer struct buffer pattern = BUFFER_INIT;

        if (s->by == SPLIT_COOKIE)
                return match_cookie(s->name, s->value);
        if (!s->value)
                return match_header(s->name, ".");
        buffer_putc(&pattern, '^');
        put_quoted(&pattern, s->value);
        buffer_putc(&pattern, '$');
        return match_header(s->name, buffer_str(&pattern));
}

/* Any of these sends a request to the candidate. */
static json_t *match_candidate(const struct rendering *r) {
        const struct sticky *sticky = r->traffic->sticky;
        const struct split *s = &r->traffic->split;
        json_t *any = json_array(), *chosen;

        if (!r->parts.split) {
                json_array_append_new(any, match_chance(r->parts.all == VARIATION_CANDIDATE ? 100 : 0));
                return any;
        }
        chosen = s->by == SPLIT_WEIGHT ? match_chance(r->route->candidate) : match_split(s);
        if (sticky) {
                json_array_append_new(any, match_cookie(sticky->cookie, r->parts.release[VARIATION_CANDIDATE]));
                if (s->by == SPLIT_WEIGHT)
                        json_object_set_new(chosen, "not",
                                            json_pack("[o]", match_cookie(sticky->cookie,
                                                                          r->parts.release[VARIATION_CURRENT])));
        }
        json_array_append_new(any, chosen);
        return any;
}

/*
 * Handlers
 */

/*
 * Connections to targets are not kept: one that a target closes just when it is used would cost a request that cannot
 * be repeated. @careful: a target that failed is out for a second.
 */
static json_t *proxy_to(const struct rendering *r, enum variation v, bool careful) {
        json_t *proxy, *upstreams = json_array();

        for (size_t i = 0; i < r->parts.n[v]; i++)
                json_array_append_new(upstreams, json_pack("{ss}", "dial", r->parts.of[v][i]->address));
        if (r->parts.n[v] == 0) {
                json_decref(upstreams);
                return json_pack("{ss si}", "handler", "static_response", "status_code", 503);
        }
        proxy = json_pack("{ss so s{s{ss} si ss} s{ss s{sb} ss}}", "handler", "reverse_proxy", "upstreams", upstreams,
                          "load_balancing", "selection_policy", "policy", "round_robin", "retries", (int)r->parts.n[v],
                          "try_interval", "1ms", "transport", "protocol", "http", "keep_alive", "enabled", 0,
                          "dial_timeout", "5s");
        if (careful)
                json_object_set_new(proxy, "health_checks", json_pack("{s{ss}}", "passive", "fail_duration", "1s"));
        return proxy;
}

/* Give the cookie of @v to who does not have it. */
static json_t *give_cookie(const struct rendering *r, enum variation v) {
        const struct sticky *s = r->traffic->sticky;
        own_buffer struct buffer cookie = BUFFER_INIT;

        buffer_printf(&cookie, "%s=%s; Max-Age=%" PRId64 "; Path=/; HttpOnly; SameSite=Lax", s->cookie,
                      r->parts.release[v], s->duration_ms / 1000);
        return json_pack("{s[{s[o]}] s[{ss s{s{s[s]}}}]}", "match", "not", match_cookie(s->cookie, r->parts.release[v]),
                         "handle", "handler", "headers", "response", "add", "Set-Cookie", buffer_str(&cookie));
}

/*
 * When no target could be connected to ("dial tcp …: connection refused"), or all have failed a moment ago, the request
 * was sent nowhere, and @handler may have it; when a target took it and gave no answer, only what is safe to repeat and
 * has no body. Any other error is passed on: what no route here takes would become an empty 200.
 */
static json_t *otherwise(json_t *handler) {
        return json_pack(
                "{s[{s[{ss} {s[sss]}] s[o] sb} {s[{ss ss}]}]}", "routes", "match", "expression",
                "{http.error.message}.startsWith(\"dial \") || {http.error.message}.endsWith(\"no upstreams available\")",
                "method", "GET", "HEAD", "OPTIONS", "handle", handler, "terminal", 1, "handle", "handler", "error",
                "status_code", "{http.error.status_code}");
}

/*
 * Caddy before 2.11 cannot send a request with a body to a second target, even if it could not connect to the first
 * (caddyserver/caddy 7546, 7713). So a target that failed is left out for a moment when there is somebody else. @named:
 * the one that is read back.
 */
static json_t *serve(const struct rendering *r, enum variation v, bool named) {
        bool others = v == VARIATION_CANDIDATE ? r->parts.n[VARIATION_CURRENT] > 0 : r->parts.n[v] > 1;
        json_t *routes = json_array(), *proxy = proxy_to(r, v, others), *subroute;
        char id[ID_MAX];

        if (named)
                json_set_string(proxy, "@id", id_of(r->route->app, v, id));
        if (named && r->traffic->sticky)
                json_array_append_new(routes, give_cookie(r, v));
        json_array_append_new(routes, json_pack("{s[o]}", "handle", proxy));
        subroute = json_pack("{ss so}", "handler", "subroute", "routes", routes);
        if (others)
                json_object_set_new(subroute, "errors",
                                    otherwise(v == VARIATION_CANDIDATE ? serve(r, VARIATION_CURRENT, false)
                                                                       : proxy_to(r, v, false)));
        return subroute;
}

static json_t *choose(const struct rendering *r) {
        json_t *routes = json_array(), *vars = json_pack("{ss}", "handler", "vars");
        char percent[24];

        (void)snprintf(percent, sizeof(percent), "%" PRId64, r->route->candidate);
        json_set_string(vars, "tally_share", percent);
        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                if (r->parts.n[v] > 0 && r->parts.of[v][0]->release)
                        json_object_set_new(vars, v == VARIATION_CURRENT ? "tally_current" : "tally_candidate",
                                            json_string(r->parts.release[v]));
        json_array_append_new(routes, json_pack("{s[o]}", "handle", vars));
        if (r->parts.n[VARIATION_CANDIDATE] > 0)
                json_array_append_new(routes, json_pack("{so s[o] sb}", "match", match_candidate(r), "handle",
                                                        serve(r, VARIATION_CANDIDATE, true), "terminal", 1));
        json_array_append_new(routes, json_pack("{s[o]}", "handle", serve(r, VARIATION_CURRENT, true)));
        return json_pack("{ss so}", "handler", "subroute", "routes", routes);
}

static json_t *server(const struct rendering *r) {
        const struct traffic *t = r->traffic;
        json_t *match = json_object(), *routes = json_array();
        json_t *route = json_pack("{s[o] sb}", "handle", choose(r), "terminal", 1);

        if (t->server_name)
                json_object_set_new(match, "host", json_pack("[s]", t->server_name));
        if (!str_eq(t->path, "/"))
                json_object_set_new(match, "path", json_pack("[s+]", t->path, "*"));
        if (json_object_size(match) > 0)
                json_object_set_new(route, "match", json_pack("[O]", match));
        json_decref(match);
        json_array_append_new(routes, route);
        if (json_object_get(route, "match"))
                json_array_append_new(routes, json_pack("{s[{ss si}]}", "handle", "handler", "static_response",
                                                        "status_code", 404));
        return json_pack("{s[s] s{sb} so}", "listen", t->listen, "automatic_https", "disable", 1, "routes", routes);
}

json_t *caddy_render(const struct traffic *traffic, const struct route *route) {
        own_arena struct arena *a = arena_new();
        struct rendering r = { .traffic = traffic, .route = route };
        char name[ROUTE_NAME_MAX];
        json_t *object;

        route_parts_make(route, a, &r.parts);
        object = traffic->listen ? server(&r) : choose(&r);
        json_set_string(object, "@id", route_name(route->app, name));
        return object;
}

json_t *caddy_placeholder(const char *app) {
        char name[ROUTE_NAME_MAX];

        return json_pack("{ss ss s[]}", "@id", route_name(app, name), "handler", "subroute", "routes");
}

bool caddy_is_empty(const json_t *object) {
        return !json_is_object(object) ||
               (!json_object_get(object, "listen") && json_array_size(json_object_get(object, "routes")) == 0);
}

/*
 * Reading back
 */

struct search {
        const char *id[VARIATION_MAX_];
        const json_t *proxy[VARIATION_MAX_];
        const json_t *vars;
        const char *chance; /* behind CHANCE */
};

/* LIMIT_JSON_DEPTH bounds the recursion: the text was parsed. */
static void search(const json_t *value, struct search *s) {
        const char *key;
        size_t i;
        json_t *item;

        if (json_is_array(value))
                json_array_foreach(value, i, item) search(item, s);
        if (!json_is_object(value))
                return;
        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                if (str_eq(json_get_string(value, "@id"), s->id[v]))
                        s->proxy[v] = value;
        if (str_eq(json_get_string(value, "handler"), "vars") && json_get_string(value, "tally_share"))
                s->vars = value;
        if (json_get_string(value, "expression") && str_after(json_get_string(value, "expression"), CHANCE))
                s->chance = str_after(json_get_string(value, "expression"), CHANCE);
        json_object_foreach((json_t *)value, key, item) search(item, s);
}

/* What chance says is in force; the variable is only what was said. */
static int read_share(const struct search *s, int64_t *ret, struct fault *reterr) {
        uint64_t share = UINT64_MAX;
        char digits[9] = "";

        if (!s->chance) {
                const char *text = json_get_string(s->vars, "tally_share");

                if (!text || parse_u64(text, &share) < 0)
                        share = UINT64_MAX;
        } else if (str_eq(s->chance, EVERY "\""))
                share = 100;
        else if (strlen(s->chance) == 9 && s->chance[8] == '"') {
                memcpy(digits, s->chance, 8);
                if (hex_is_valid(digits, 8))
                        share = (strtoull(digits, NULL, 16) * 100 + (UINT64_C(1) << 31)) >> 32;
        }
        if (share > 100)
                return fault_set(reterr, FAULT_TRANSIENT, EPROTO, "what Caddy has has no share");
        *ret = (int64_t)share;
        return 0;
}

int caddy_parse(const json_t *object, const char *app, struct arena *a, struct route *ret, struct fault *reterr) {
        const struct traffic nothing = { .path = "/" };
        struct route route = { .app = app };
        char id[VARIATION_MAX_][ID_MAX];
        struct search s = { .vars = NULL };
        size_t i;
        json_t *upstream;
        int r;

        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                s.id[v] = id_of(app, v, id[v]);
        search(object, &s);
        r = read_share(&s, &route.candidate, reterr);
        if (r < 0)
                return r;
        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                json_array_foreach(json_object_get(s.proxy[v], "upstreams"), i, upstream)
                        route_add(&route, json_get_string(upstream, "dial"), v,
                                  json_get_string(s.vars, v == VARIATION_CURRENT ? "tally_current" : "tally_candidate"),
                                  a);
        route_sort(&route);
        r = route_check(&nothing, &route, reterr);
        if (r < 0) {
                reterr->kind = FAULT_TRANSIENT;
                return r;
        }
        *ret = route;
        return 0;
}
