/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/routers/haproxy_config.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"

#define PLACES_MIN 8u
#define DIGITS     16

static const struct {
        enum variation backend;
        char letter;
} groups[HAPROXY_GROUP_MAX_] = {
        [HAPROXY_CURRENT] = { VARIATION_CURRENT, 's' },
        [HAPROXY_CANDIDATE] = { VARIATION_CANDIDATE, 's' },
        [HAPROXY_BACKUP] = { VARIATION_CANDIDATE, 'b' },
};

/*
 * Layout
 */

static size_t places_for(const struct route_parts *p, const struct haproxy_layout *before) {
        size_t n = before && before->n ? before->n : PLACES_MIN;

        while (n < p->n[VARIATION_CURRENT] || n < p->n[VARIATION_CANDIDATE])
                n *= 2;
        return n;
}

static bool has(const struct route_target *const *targets, size_t n, const char *address) {
        for (size_t i = 0; i < n; i++)
                if (str_eq(targets[i]->address, address))
                        return true;
        return false;
}

static bool is_placed(const struct haproxy_place *places, size_t n, const char *address) {
        for (size_t i = 0; i < n; i++)
                if (str_eq(places[i].address, address))
                        return true;
        return false;
}

/*
 * A place that nobody has; one that nobody had before, when there is one: nothing changes under requests that are on
 * their way.
 */
static size_t free_place(const struct haproxy_place *places, size_t n, const struct haproxy_place *before,
                         size_t n_before) {
        for (size_t i = 0; i < n; i++)
                if (!places[i].address && (i >= n_before || !before[i].address))
                        return i;
        for (size_t i = 0; i < n; i++)
                if (!places[i].address)
                        return i;
        return n;
}

static void fill(struct haproxy_place *places, size_t n, const struct haproxy_place *before, size_t n_before,
                 const struct route_target *const *targets, size_t n_targets) {
        for (size_t i = 0; i < n_before && i < n; i++)
                if (before[i].address && has(targets, n_targets, before[i].address) &&
                    !is_placed(places, i, before[i].address))
                        places[i].address = before[i].address;
        for (size_t i = 0; i < n_targets; i++) {
                size_t at = 0;

                while (at < n && !str_eq(places[at].address, targets[i]->address))
                        at++;
                if (at == n)
                        at = free_place(places, n, before, n_before);
                assert(at < n); /* places_for() made enough, and no address has two */
                places[at].address = targets[i]->address;
        }
}

void haproxy_layout_make(const struct route *route, const struct haproxy_layout *before, struct arena *a,
                         struct haproxy_layout *ret) {
        struct haproxy_layout l = { .share = route->candidate };
        struct route_parts p;

        route_parts_make(route, a, &p);
        l.n = places_for(&p, before);
        for (enum haproxy_group g = 0; g < HAPROXY_GROUP_MAX_; g++) {
                enum variation v = g == HAPROXY_CANDIDATE ? VARIATION_CANDIDATE : VARIATION_CURRENT;
                bool used = g != HAPROXY_BACKUP || p.n[VARIATION_CANDIDATE] > 0;

                l.places[g] = arena_array(a, l.n, sizeof(*l.places[g]));
                fill(l.places[g], l.n, before ? before->places[g] : NULL, before ? before->n : 0, p.of[v],
                     used ? p.n[v] : 0);
        }
        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                l.release[v] = p.release[v];
        *ret = l;
}

static size_t count(const struct haproxy_layout *l, enum haproxy_group g) {
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++)
                n += l->places[g][i].address != NULL;
        return n;
}

static const char *odd_of(const struct haproxy_layout *l, struct arena *a) {
        size_t backups = count(l, HAPROXY_CANDIDATE) > 0 ? count(l, HAPROXY_CURRENT) : 0;

        for (enum haproxy_group g = 0; g < HAPROXY_GROUP_MAX_; g++)
                for (size_t i = 0; i < l->n; i++)
                        if (l->places[g][i].odd)
                                return arena_printf(a, "server %c%zu of the %s ones is drained, or of another weight",
                                                    groups[g].letter, i + 1, variation_names[groups[g].backend]);
        if (count(l, HAPROXY_BACKUP) != backups)
                return "the servers behind the candidate are others";
        for (size_t i = 0; backups > 0 && i < l->n; i++)
                if (l->places[HAPROXY_CURRENT][i].address &&
                    !is_placed(l->places[HAPROXY_BACKUP], l->n, l->places[HAPROXY_CURRENT][i].address))
                        return "the servers behind the candidate are others";
        return NULL;
}

void haproxy_layout_route(const struct haproxy_layout *l, const char *app, struct arena *a, struct route *ret,
                          const char **ret_odd) {
        struct route route = { .app = app, .candidate = l->share };

        for (enum haproxy_group g = HAPROXY_CURRENT; g <= HAPROXY_CANDIDATE; g++) {
                enum variation v = groups[g].backend;

                for (size_t i = 0; i < l->n; i++)
                        if (l->places[g][i].address)
                                route_add(&route, l->places[g][i].address, v,
                                          str_eq(l->release[v], variation_names[v]) ? NULL : l->release[v], a);
        }
        route_sort(&route);
        *ret = route;
        *ret_odd = odd_of(l, a);
}

/*
 * The file
 */

static void put_frontend_head(const struct haproxy_files *f, const char *name, struct buffer *out) {
        const struct traffic *t = f->traffic;

        if (t->listen) {
                buffer_printf(out, "frontend %s\n    mode http\n    bind %s\n    option forwardfor\n", name, t->listen);
                if (t->server_name && t->server_name[0] == '*')
                        buffer_printf(
                                out,
                                "    http-request return status 404 unless { req.hdr(host),host_only,lower -m end -i %s }\n",
                                t->server_name + 1);
                else if (t->server_name)
                        buffer_printf(
                                out,
                                "    http-request return status 404 unless { req.hdr(host),host_only -m str -i %s }\n",
                                t->server_name);
                if (!str_eq(t->path, "/"))
                        buffer_printf(out, "    http-request return status 404 unless { path -m beg %s }\n", t->path);
        } else {
                own_buffer struct buffer key = BUFFER_INIT;
                struct digest digest;

                /*
                 * Choosing needs a frontend; the operator's own reaches it as a backend. Abstract sockets are one space
                 * for all.
                 */
                buffer_printf(&key, "%s %s", f->folder, f->app);
                digest = digest_of(buffer_str(&key), key.size);
                buffer_printf(out, "backend %s\n    mode http\n    server choice abns@tally-%.16s send-proxy-v2\n",
                              name, digest_hex(&digest));
                buffer_printf(out, "frontend %s:choice\n    mode http\n    bind abns@tally-%.16s accept-proxy\n", name,
                              digest_hex(&digest));
        }
}

static void put_split(const struct split *s, struct buffer *out) {
        buffer_puts(out, "    http-request set-var(txn.tally_to) str(candidate) if tally_some { ");
        if (s->by == SPLIT_WEIGHT)
                buffer_puts(out, "rand(100),sub(txn.tally_share) -m int lt 0");
        else {
                buffer_printf(out, "%s(%s)", s->by == SPLIT_HEADER ? "req.fhdr" : "req.cook", s->name);
                if (s->value)
                        buffer_printf(out, " -m str %s", s->value);
                else
                        buffer_puts(out, ",length gt 0");
        }
        buffer_puts(out, " }\n");
}

static void put_sticky(const struct traffic *t, const char *map, struct buffer *out) {
        const char *cookie = t->sticky->cookie;

        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                buffer_printf(out, "    http-request set-var(txn.tally_%s) str(%s),map(%s,-)\n", variation_names[v],
                              variation_names[v], map);
        if (t->split.by == SPLIT_WEIGHT)
                buffer_printf(
                        out,
                        "    http-request set-var(txn.tally_to) str(current) if { req.cook(%s),strcmp(txn.tally_current) eq 0 }\n",
                        cookie);
        buffer_printf(
                out,
                "    http-request set-var(txn.tally_to) str(candidate) if tally_some { req.cook(%s),strcmp(txn.tally_candidate) eq 0 }\n",
                cookie);
}

static void put_cookie(const struct sticky *s, struct buffer *out) {
        buffer_printf(
                out,
                "    http-request set-var(txn.tally_serves) var(txn.tally_current)\n"
                "    http-request set-var(txn.tally_serves) var(txn.tally_candidate) if { var(txn.tally_to) -m str candidate }\n"
                "    http-request set-var(txn.tally_met) str(yes) if { req.cook(%s),strcmp(txn.tally_serves) eq 0 }\n"
                "    http-after-response add-header Set-Cookie \"%s=%%[var(txn.tally_serves)]; Max-Age=%" PRId64
                "; Path=/; HttpOnly; SameSite=Lax\" unless { var(txn.tally_met) -m found }\n",
                s->cookie, s->cookie, s->duration_ms / 1000);
}

/*
 * The last lines are for a restart between two of our writes: a share that names a group without servers means the
 * other one.
 */
static void put_frontend(const struct haproxy_files *f, const char *name, const char *map, struct buffer *out) {
        const struct traffic *t = f->traffic;

        put_frontend_head(f, name, out);
        buffer_printf(out,
                      "    http-request set-var(txn.tally_share) str(share),map(%s,0),add(0)\n"
                      "    acl tally_some var(txn.tally_share) -m int gt 0\n"
                      "    acl tally_all var(txn.tally_share) -m int ge 100\n"
                      "    http-request set-var(txn.tally_to) str(current)\n",
                      map);
        put_split(&t->split, out);
        if (t->sticky)
                put_sticky(t, map, out);
        buffer_puts(out, "    http-request set-var(txn.tally_to) str(candidate) if tally_all\n");
        if (t->sticky)
                put_cookie(t->sticky, out);
        buffer_printf(
                out,
                "    use_backend %s:candidate if { var(txn.tally_to) -m str candidate } { nbsrv(%s:candidate) gt 0 }\n"
                "    use_backend %s:candidate if { nbsrv(%s:candidate) gt 0 } !{ nbsrv(%s:current) gt 0 }\n"
                "    default_backend %s:current\n",
                name, name, name, name, name, name);
}

static void put_servers(const struct haproxy_layout *l, enum haproxy_group g, struct buffer *out) {
        for (size_t i = 0; i < l->n; i++) {
                const char *address = l->places[g][i].address;

                buffer_printf(out, "    server %c%zu %s%s%s\n", groups[g].letter, i + 1,
                              address ? address : "127.0.0.1:1", g == HAPROXY_BACKUP ? " backup" : "",
                              address ? "" : " disabled");
        }
}

/*
 * Connections to servers are not kept: one that a server closes just when it is used would cost a request that cannot
 * be repeated. A candidate that cannot be connected to is out at once, so that the attempt after it goes to another, or
 * to a current one. A published port is taken by the engine's proxy, which closes when nobody listens behind it: to
 * HAProxy an empty answer, and sent again where that is safe (RFC 9110, 9.2.2).
 */
static void put_backend(const struct haproxy_layout *l, const char *name, enum variation v, struct buffer *out) {
        buffer_printf(
                out,
                "backend %s:%s\n    mode http\n    balance roundrobin\n    option http-server-close\n    option redispatch 1\n"
                "    retries 3\n    retry-on conn-failure empty-response\n"
                "    http-request disable-l7-retry unless { method GET HEAD OPTIONS PUT DELETE TRACE }\n"
                "    timeout connect 5s\n",
                name, variation_names[v]);
        if (v == VARIATION_CANDIDATE)
                buffer_puts(
                        out,
                        "    option allbackups\n"
                        "    default-server check inter 2s downinter 500ms fall 3 rise 1 observe layer4 error-limit 1 on-error mark-down\n");
        for (enum haproxy_group g = 0; l && g < HAPROXY_GROUP_MAX_; g++)
                if (groups[g].backend == v)
                        put_servers(l, g, out);
}

const char *haproxy_map_name(const struct haproxy_files *f, size_t n, char *buf) {
        own_buffer struct buffer text = BUFFER_INIT;
        char name[ROUTE_NAME_MAX];
        struct digest digest;

        route_name(f->app, name);
        put_frontend(f, name, "MAP", &text);
        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                put_backend(NULL, name, v, &text);
        buffer_printf(&text, "%zu\n", n);
        digest = digest_of(buffer_str(&text), text.size);
        (void)snprintf(buf, HAPROXY_MAP_MAX, "%s-%.*s.map", name, DIGITS, digest_hex(&digest));
        return buf;
}

void haproxy_render(const struct haproxy_files *f, const struct haproxy_layout *l, struct buffer *out) {
        own_buffer struct buffer map = BUFFER_INIT;
        char name[ROUTE_NAME_MAX], map_name[HAPROXY_MAP_MAX];

        route_name(f->app, name);
        buffer_printf(&map, "%s/%s", f->folder, haproxy_map_name(f, l->n, map_name));
        buffer_printf(out, "# Made by Tallyman for the app %s. What is changed here is put back.\n", f->app);
        put_frontend(f, name, buffer_str(&map), out);
        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                put_backend(l, name, v, out);
}

void haproxy_render_map(const struct haproxy_layout *l, struct buffer *out) {
        buffer_printf(out, "share %" PRId64 "\n", l->share);
        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                buffer_printf(out, "%s %s\n", variation_names[v], l->release[v]);
}

/*
 * Commands
 */

static void put_changes(const struct haproxy_files *f, enum haproxy_group g, bool adding,
                        const struct haproxy_layout *from, const struct haproxy_layout *to, struct buffer *out) {
        char name[ROUTE_NAME_MAX], server[ROUTE_NAME_MAX + 64], host[ROUTE_HOST_MAX];
        int64_t port;

        route_name(f->app, name);
        for (size_t i = 0; i < to->n; i++) {
                const struct haproxy_place *x = &from->places[g][i], *y = &to->places[g][i];

                (void)snprintf(server, sizeof(server), "set server %s:%s/%c%zu", name,
                               variation_names[groups[g].backend], groups[g].letter, i + 1);
                if (!adding && x->address && !y->address)
                        buffer_printf(out, "%s state maint\n", server);
                if (!adding || !y->address || (str_eq(x->address, y->address) && !x->odd) ||
                    !address_split(y->address, host, &port))
                        continue;
                buffer_printf(out, "%s addr %s port %" PRId64 "\n%s weight 1\n%s state ready\n", server, host, port,
                              server, server);
        }
}

static void put_group(const struct haproxy_files *f, enum haproxy_group g, const struct haproxy_layout *from,
                      const struct haproxy_layout *to, struct buffer *out) {
        put_changes(f, g, true, from, to, out);
        put_changes(f, g, false, from, to, out);
}

static void put_map_changes(const struct haproxy_files *f, const struct haproxy_layout *from,
                            const struct haproxy_layout *to, struct buffer *out) {
        char map[HAPROXY_MAP_MAX];

        haproxy_map_name(f, to->n, map);
        for (enum variation v = 0; v < VARIATION_MAX_; v++)
                if (!str_eq(from->release[v], to->release[v]))
                        buffer_printf(out, "set map %s/%s %s %s\n", f->folder, map, variation_names[v], to->release[v]);
        if (from->share != to->share)
                buffer_printf(out, "set map %s/%s share %" PRId64 "\n", f->folder, map, to->share);
}

void haproxy_commands(const struct haproxy_files *f, const struct haproxy_layout *from, const struct haproxy_layout *to,
                      struct buffer *out) {
        /* First whole groups that get nothing yet, then the share, then those that get nothing any more. */
        if (from->share >= 100) {
                put_group(f, HAPROXY_CURRENT, from, to, out);
                put_map_changes(f, from, to, out);
                put_group(f, HAPROXY_CANDIDATE, from, to, out);
                put_group(f, HAPROXY_BACKUP, from, to, out);
        } else if (from->share <= 0) {
                put_group(f, HAPROXY_CANDIDATE, from, to, out);
                put_group(f, HAPROXY_BACKUP, from, to, out);
                put_map_changes(f, from, to, out);
                put_group(f, HAPROXY_CURRENT, from, to, out);
        } else {
                for (enum haproxy_group g = 0; g < HAPROXY_GROUP_MAX_; g++)
                        put_changes(f, g, true, from, to, out);
                put_map_changes(f, from, to, out);
                for (enum haproxy_group g = 0; g < HAPROXY_GROUP_MAX_; g++)
                        put_changes(f, g, false, from, to, out);
        }
}
