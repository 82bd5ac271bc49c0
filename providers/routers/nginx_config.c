/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/routers/nginx_config.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "providers/routers/parts.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

/* One word of a configuration has at most 4096 bytes (NGX_CONF_BUFFER). */
#define WORD_MAX   3000
/*
 * variables_hash_bucket_size is 64 unless somebody changed it: with the longest suffix, a name of 46 characters still
 * fits.
 */
#define PREFIX_MAX 32

struct rendering {
        const struct traffic *traffic;
        const struct route_parts *parts;
        const char *app;
        /* "tally_shop": of the groups, and of what the operator's configuration may use */
        const char *group;
        const char *id; /* the same for variables of our own, or something shorter */
        struct buffer *out;
};

const char *nginx_host(const char *app, char *buf) {
        const struct digest digest = digest_of(app, strlen(app));

        /* Short whatever the app is called: server_names_hash_bucket_size bounds the longest name. */
        (void)snprintf(buf, NGINX_HOST_MAX, "tally-%.16s.invalid", digest_hex(&digest));
        return buf;
}

/* No app's identifier has "__" there: their names start with a letter or digit. */
static const char *short_prefix(const char *app, const char *group, char buf[static ROUTE_NAME_MAX]) {
        const struct digest digest = digest_of(app, strlen(app));

        if (strlen(group) <= PREFIX_MAX)
                return group;
        (void)snprintf(buf, ROUTE_NAME_MAX, "tally__%.16s", digest_hex(&digest));
        return buf;
}

/*
 * Groups
 */

/*
 * Not remembered which target failed: one that breaks a connection would be out for other requests as well, and with it
 * perhaps the last.
 */
static void put_servers(const struct rendering *r, enum variation v, const char *suffix) {
        for (size_t i = 0; i < r->parts->n[v]; i++)
                buffer_printf(r->out, "    server %s max_fails=0%s;\n", r->parts->of[v][i]->address, suffix);
}

static void put_groups(const struct rendering *r) {
        for (enum variation v = 0; v < VARIATION_MAX_; v++) {
                buffer_printf(r->out, "upstream %s_%s {\n", r->group, variation_names[v]);
                put_servers(r, v, "");
                if (v == VARIATION_CANDIDATE && r->parts->n[v] > 0)
                        put_servers(r, VARIATION_CURRENT, " backup");
                if (r->parts->n[v] == 0) /* a group must have one */
                        buffer_puts(r->out, "    server 127.0.0.1:1 down;\n");
                buffer_puts(r->out, "}\n");
        }
}

/*
 * Which group
 */

/* map compares strings without regard to case, regular expressions with it. */
static void put_exact(struct buffer *out, const char *value) {
        buffer_puts(out, "\"~^");
        for (; *value; value++)
                buffer_printf(out, "%s%c", *value == '.' ? "\\" : "", *value);
        buffer_puts(out, "$\"");
}

/* $<id>_told_apart: by what the split says alone. */
static void put_split(const struct rendering *r, const struct route *route) {
        const struct split *s = &r->traffic->split;

        if (s->by == SPLIT_WEIGHT) {
                buffer_printf(r->out,
                              "split_clients $request_id $%s_told_apart {\n    %" PRId64
                              "%% candidate;\n    * current;\n}\n",
                              r->id, route->candidate);
                return;
        }
        buffer_printf(r->out, "map $%s_", s->by == SPLIT_HEADER ? "http" : "cookie");
        for (const char *p = s->name; *p; p++)
                buffer_putc(r->out, *p == '-' ? '_' : (char)tolower((unsigned char)*p));
        buffer_printf(r->out, " $%s_told_apart {\n    ", r->id);
        if (s->value)
                put_exact(r->out, s->value);
        else
                buffer_puts(r->out, "\"~.\"");
        buffer_puts(r->out, " candidate;\n    default current;\n}\n");
}

/* $<id>_met: what the client's cookie says; "" when that is no release of these. */
static void put_met(const struct rendering *r) {
        buffer_printf(r->out, "map $cookie_%s $%s_met {\n", r->traffic->sticky->cookie, r->id);
        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                if (r->parts->n[v] > 0) {
                        buffer_puts(r->out, "    ");
                        put_exact(r->out, r->parts->release[v]);
                        buffer_printf(r->out, " %s;\n", variation_names[v]);
                }
        buffer_puts(r->out, "    default \"\";\n}\n");
}

/* $<id>_to: current or candidate. */
static void put_choice(const struct rendering *r, const struct route *route) {
        const char *id = r->id;

        if (!r->parts->split) {
                buffer_printf(r->out, "map \"\" $%s_to {\n    default %s;\n}\n", id, variation_names[r->parts->all]);
                return;
        }
        put_split(r, route);
        if (!r->traffic->sticky)
                buffer_printf(r->out, "map \"\" $%s_to {\n    default $%s_told_apart;\n}\n", id, id);
        else if (r->traffic->split.by == SPLIT_WEIGHT)
                buffer_printf(r->out, "map $%s_met $%s_to {\n    \"\" $%s_told_apart;\n    default $%s_met;\n}\n", id,
                              id, id, id);
        else
                buffer_printf(
                        r->out,
                        "map $%s_told_apart:$%s_met $%s_to {\n    ~candidate candidate;\n    default current;\n}\n", id,
                        id, id);
}

/*
 * $<id>_cookie: a Set-Cookie header for who has none of the release that serves; nginx sends no header that is empty.
 */
static void put_cookie(const struct rendering *r) {
        const struct sticky *s = r->traffic->sticky;
        const char *name = r->traffic->listen ? r->id : r->group;

        if (!s) {
                buffer_printf(r->out, "map \"\" $%s_cookie {\n    default \"\";\n}\n", name);
                return;
        }
        buffer_printf(r->out,
                      "map $%s_to:$%s_met $%s_cookie {\n    current:current \"\";\n    candidate:candidate \"\";\n",
                      r->id, r->id, name);
        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                buffer_printf(r->out, "    ~^%s: \"%s=%s; Max-Age=%" PRId64 "; Path=/; HttpOnly; SameSite=Lax\";\n",
                              variation_names[v], s->cookie, r->parts->release[v], s->duration_ms / 1000);
        buffer_puts(r->out, "}\n");
}

/*
 * Servers
 */

/*
 * proxy_next_upstream: what was sent and is not safe to repeat goes to no second server (the default without
 * non_idempotent). No connections to targets are kept: one that a target closes just when it is used would cost a
 * request that cannot be repeated.
 */
static void put_location(const struct rendering *r) {
        buffer_printf(r->out,
                      "    location ^~ %s {\n"
                      "        proxy_pass http://$%s_group;\n"
                      "        proxy_http_version 1.1;\n"
                      "        proxy_set_header Host $http_host;\n"
                      "        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
                      "        proxy_set_header X-Forwarded-Proto $scheme;\n"
                      "        proxy_set_header Upgrade $http_upgrade;\n"
                      "        proxy_set_header Connection $%s_connection;\n"
                      "        proxy_next_upstream error timeout;\n"
                      "        proxy_connect_timeout 5s;\n"
                      "        client_max_body_size 0;\n"
                      "        add_header Set-Cookie $%s_cookie always;\n"
                      "    }\n",
                      r->traffic->path, r->id, r->id, r->id);
}

/* The only server at an address gets the requests for all hosts. $host is in lower case and has no port. */
static void put_host(const char *name, struct buffer *out) {
        bool wild = name[0] == '*';

        buffer_puts(out, wild ? "    if ($host !~ \"" : "    if ($host != ");
        for (const char *p = name + wild; *p; p++)
                buffer_printf(out, "%s%c", wild && *p == '.' ? "\\" : "", tolower((unsigned char)*p));
        buffer_puts(out, wild ? "$\") {\n        return 404;\n    }\n" : ") {\n        return 404;\n    }\n");
}

static void put_server(const struct rendering *r) {
        const char *listen = r->traffic->listen, *name = r->traffic->server_name;
        char host[NGINX_HOST_MAX];

        buffer_printf(r->out, "map $http_upgrade $%s_connection {\n    \"\" close;\n    default upgrade;\n}\n", r->id);
        buffer_printf(r->out, "server {\n    listen %s%s;\n    server_name %s;\n",
                      listen[0] == ':' ? listen + 1 : listen, name ? "" : " default_server",
                      name ? name : nginx_host(r->app, host));
        if (name)
                put_host(name, r->out);
        put_location(r);
        if (!str_eq(r->traffic->path, "/"))
                buffer_puts(r->out, "    location / {\n        return 404;\n    }\n");
        buffer_puts(r->out, "}\n");
}

/* The only way to know what a running nginx has in force is to let it say so. */
static int put_teller(const struct rendering *r, const char *tell, const struct route *route,
                      const struct digest *digest, struct fault *reterr) {
        own_json json_t *told = json_pack("{ss so}", "digest", digest->text, "route", route_write(route));
        own_buffer struct buffer text = BUFFER_INIT;
        char host[NGINX_HOST_MAX];
        size_t n = 0;
        int e = told ? json_canonical(told, &text, reterr) : fault_set_oom(reterr);

        if (e < 0)
                return e;
        buffer_printf(
                r->out,
                "server {\n    listen %s;\n    server_name %s;\n    access_log off;\n    default_type application/json;\n"
                "    location / {\n",
                tell, nginx_host(r->app, host));
        for (size_t at = 0; at < text.size; at += WORD_MAX, n++)
                buffer_printf(r->out, "        set $%s_told%zu '%.*s';\n", r->id, n,
                              (int)(text.size - at < WORD_MAX ? text.size - at : WORD_MAX), buffer_str(&text) + at);
        buffer_puts(r->out, "        return 200 \"");
        for (size_t i = 0; i < n; i++)
                buffer_printf(r->out, "${%s_told%zu}", r->id, i);
        buffer_puts(r->out, "\";\n    }\n}\n");
        return 0;
}

int nginx_render(const char *tell, const struct traffic *traffic, const struct route *route, struct buffer *out,
                 struct digest *ret_digest, struct fault *reterr) {
        own_arena struct arena *a = arena_new();
        struct route_parts parts;
        char group[ROUTE_NAME_MAX], prefix[ROUTE_NAME_MAX];
        struct rendering r = { .traffic = traffic, .parts = &parts, .app = route->app, .out = out };
        struct digest digest;
        size_t start = out->size;
        int e;

        r.group = route_identifier(route->app, group);
        r.id = short_prefix(route->app, group, prefix);
        route_parts_make(route, a, &parts);
        buffer_printf(out, "# Made by Tallyman for the app %s. What is changed here is put back.\n", route->app);
        put_groups(&r);
        if (traffic->sticky)
                put_met(&r);
        put_choice(&r, route);
        buffer_printf(out, "map $%s_to $%s%s {\n    current %s_current;\n    candidate %s_candidate;\n}\n", r.id,
                      traffic->listen ? r.id : group, traffic->listen ? "_group" : "", group, group);
        put_cookie(&r);
        if (traffic->listen)
                put_server(&r);
        e = buffer_check(out, "a configuration for nginx", reterr);
        if (e < 0)
                return e;
        digest = digest_of(buffer_str(out) + start, out->size - start);
        e = put_teller(&r, tell, route, &digest, reterr);
        if (e == 0)
                e = buffer_check(out, "a configuration for nginx", reterr);
        if (e == 0)
                *ret_digest = digest;
        return e;
}

int nginx_parse_told(const char *app, const void *bytes, size_t size, struct arena *a, struct digest *ret_digest,
                     struct route *ret, struct fault *reterr) {
        own_fault struct fault why = FAULT_INIT;
        own_json json_t *told = NULL;
        const char *digest;
        int r;

        if (json_parse("what nginx tells", bytes, size, &told, &why) < 0)
                return fault_set(reterr, FAULT_TRANSIENT, EPROTO, "what nginx tells is not ours");
        digest = json_get_string(told, "digest");
        if (!digest || !digest_is_valid(digest))
                return fault_set(reterr, FAULT_TRANSIENT, EPROTO, "what nginx tells has no digest");
        r = route_read(json_object_get(told, "route"), app, a, ret, reterr);
        if (r == 0)
                memcpy(ret_digest->text, digest, strlen(digest) + 1);
        return r;
}
