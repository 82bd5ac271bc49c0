/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/routers/parts.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"

void route_parts_make(const struct route *route, struct arena *a, struct route_parts *ret) {
        const struct route_target *targets = route->targets.items;
        struct route_parts p = { .all = VARIATION_CURRENT };

        for (enum variation v = 0; v < VARIATION_MAX_; v++) {
                p.of[v] = arena_array(a, route->targets.n, sizeof(*p.of[v]));
                p.release[v] = variation_names[v];
        }
        for (size_t i = 0; i < route->targets.n; i++) {
                enum variation v = targets[i].variation;

                p.of[v][p.n[v]++] = &targets[i];
                if (targets[i].release)
                        p.release[v] = targets[i].release;
        }
        if (p.n[VARIATION_CANDIDATE] > 0 && (p.n[VARIATION_CURRENT] == 0 || route->candidate == 100))
                p.all = VARIATION_CANDIDATE;
        p.split = p.n[VARIATION_CURRENT] > 0 && p.n[VARIATION_CANDIDATE] > 0 && route->candidate > 0 &&
                  route->candidate < 100;
        *ret = p;
}

/*
 * Checks
 */

/* Nothing that ends a word, a string or a statement anywhere, or begins a variable. */
static bool is_plain(const char *text, size_t max) {
        size_t n = strnlen(text, max + 1);

        if (n == 0 || n > max)
                return false;
        for (size_t i = 0; i < n; i++)
                if (!isalnum((unsigned char)text[i]) && !strchr("._-:[]/~*", text[i]))
                        return false;
        return true;
}

static bool is_token(const char *text, size_t max) {
        return is_plain(text, max) && !strpbrk(text, ":[]/~*");
}

/* As inet_ntop() writes it: what is read back is compared as text. */
static bool is_canonical(int family, const char *host) {
        unsigned char bytes[sizeof(struct in6_addr)];
        char text[INET6_ADDRSTRLEN];

        return inet_pton(family, host, bytes) == 1 && inet_ntop(family, bytes, text, sizeof(text)) &&
               str_eq(text, host);
}

bool address_split(const char *address, char host[static ROUTE_HOST_MAX], int64_t *ret_port) {
        const char *colon = address ? strrchr(address, ':') : NULL;
        size_t n = colon ? (size_t)(colon - address) : 0;
        bool v6 = address && address[0] == '[';
        uint64_t port;

        if (n == 0 || n >= ROUTE_HOST_MAX || parse_u64(colon + 1, &port) < 0 || port < 1 || port > 65535)
                return false;
        if (v6 && address[n - 1] != ']')
                return false;
        (void)snprintf(host, ROUTE_HOST_MAX, "%.*s", (int)(v6 ? n - 2 : n), v6 ? address + 1 : address);
        if (!is_canonical(v6 ? AF_INET6 : AF_INET, host))
                return false;
        *ret_port = (int64_t)port;
        return true;
}

static int refuse(const char *what, const char *text, struct fault *reterr) {
        return fault_set(reterr, FAULT_INTERNAL, EINVAL, "a route with %s '%s'", what, text ? text : "");
}

static int check_traffic(const struct traffic *t, struct fault *reterr) {
        const struct {
                const char *what, *text;
        } all[] = {
                { "a place to listen", t->listen },
                { "a host name", t->server_name },
                { "a path", t->path },
                { "a name to split by", t->split.name },
                { "a value to split by", t->split.value },
                { "a cookie", t->sticky ? t->sticky->cookie : NULL },
        };

        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
                if (all[i].text && !is_plain(all[i].text, ROUTE_HOST_MAX))
                        return refuse(all[i].what, all[i].text, reterr);
        return t->path ? 0 : refuse("a path", NULL, reterr);
}

static int check_target(const struct route *route, size_t i, struct fault *reterr) {
        const struct route_target *targets = route->targets.items, *t = &targets[i];
        char host[ROUTE_HOST_MAX];
        int64_t port;

        if (!address_split(t->address, host, &port))
                return refuse("an address", t->address, reterr);
        if (i > 0 && strcmp(targets[i - 1].address, t->address) >= 0)
                return refuse("an address out of order,", t->address, reterr);
        if (t->release && !is_token(t->release, ROUTE_RELEASE_MAX))
                return refuse("a release", t->release, reterr);
        if ((unsigned)t->variation >= VARIATION_MAX_)
                return refuse("no variation for", t->address, reterr);
        return 0;
}

int route_check(const struct traffic *traffic, const struct route *route, struct fault *reterr) {
        const struct route_target *targets = route->targets.items;
        size_t n[VARIATION_MAX_] = { 0 };
        int r = check_traffic(traffic, reterr);

        if (r < 0)
                return r;
        if (!route->app || !name_is_valid(route->app))
                return refuse("an app", route->app, reterr);
        if (route->targets.n > LIMIT_ROUTE_TARGETS)
                return refuse("too many targets for", route->app, reterr);
        for (size_t i = 0; i < route->targets.n; i++) {
                r = check_target(route, i, reterr);
                if (r < 0)
                        return r;
                n[targets[i].variation]++;
        }
        if (route->candidate < 0 || route->candidate > 100 || (n[VARIATION_CANDIDATE] == 0 && route->candidate != 0) ||
            (n[VARIATION_CURRENT] == 0 && n[VARIATION_CANDIDATE] > 0 && route->candidate != 100))
                return refuse("a share that does not fit its targets, of", route->app, reterr);
        return 0;
}

/*
 * Reading back
 */

void route_add(struct route *route, const char *address, enum variation variation, const char *release,
               struct arena *a) {
        struct route_target *items = route->targets.items, *t;

        t = arena_push(a, &items, &route->targets.n, sizeof(*items));
        route->targets.items = items;
        *t = (struct route_target){ .address = arena_strdup(a, address ? address : ""),
                                    .variation = variation,
                                    .release = arena_strdup(a, release) };
}

static int by_address(const void *a, const void *b) {
        const struct route_target *x = a, *y = b;
        int r = strcmp(x->address, y->address);

        return r ? r : (int)x->variation - (int)y->variation;
}

void route_sort(struct route *route) {
        if (route->targets.n > 0)
                qsort(route->targets.items, route->targets.n, sizeof(struct route_target), by_address);
}

int route_read(const json_t *json, const char *app, struct arena *a, struct route *ret, struct fault *reterr) {
        own_fault struct fault why = FAULT_INIT;
        const struct traffic nothing = { .path = "/" };

        if (!json_is_object(json))
                return fault_set(reterr, FAULT_TRANSIENT, EPROTO, "what is read back is no route");
        if (table_read_json(&route_table, "route", json, ret, a, &why) < 0 || route_check(&nothing, ret, &why) < 0)
                return fault_set(reterr, FAULT_TRANSIENT, EPROTO, "what is read back is no route: %s",
                                 why.message ? why.message : "");
        if (!str_eq(ret->app, app))
                return fault_set(reterr, FAULT_TRANSIENT, EPROTO, "what is read back is the route of '%s'", ret->app);
        return 0;
}

json_t *route_write(const struct route *route) {
        json_t *json = table_write(&route_table, route);
        size_t i;
        json_t *target;

        json_array_foreach(json_object_get(json, "targets"), i, target)(void) json_object_del(target, "instance");
        return json;
}
