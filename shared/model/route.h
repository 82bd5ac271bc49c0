/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Route: which instances of an app get which share of its requests
 *
 * An app may name a router of the host and what it carries (`traffic:` in app.yaml). decide() makes the route of the
 * moment from it; a router (providers/router.h) puts it into force and reads it back. A route is declarative: the same
 * route put into force twice is one.
 */

#include "shared/data/digest.h"
#include "shared/data/table.h"

enum router_kind { ROUTER_NGINX, ROUTER_HAPROXY, ROUTER_CADDY, ROUTER_TRAEFIK, ROUTER_MEMORY, ROUTER_KIND_MAX_ };
/* nginx haproxy caddy traefik memory; the last is for tests and offered to nobody */
extern const char *const router_kind_names[];

/* How requests are told apart while two releases serve. */
enum split_kind {
        SPLIT_WEIGHT, /* a share of all, by chance */
        /* those with a header go to the candidate; nothing else does until it has all */
        SPLIT_HEADER,
        SPLIT_COOKIE, /* … with a cookie */
        SPLIT_KIND_MAX_,
};
extern const char *const split_kind_names[];

struct split {
        enum split_kind by;
        const char *name;  /* of the header or cookie; NULL for weight */
        const char *value; /* that it must have; NULL: any */
};

struct sticky {
        const char *cookie;  /* a client stays with the release that it met first */
        int64_t duration_ms; /* default 1h */
};

/* As declared in app.yaml. */
struct traffic {
        enum router_kind router;
        struct text_at service; /* whose instances take the requests */
        int64_t port;           /* of the container */
        /*
         * "127.0.0.1:8080", ":8080"; NULL: only the group of servers is made, the operator's own configuration uses it
         */
        const char *listen;
        const char *server_name; /* host name of the requests; NULL: any */
        const char *path;        /* prefix of the requests; default "/" */
        struct split split;
        const struct sticky *sticky; /* NULL: no */
        int64_t drain_ms;            /* how long an instance that left the route keeps running: default 1s */
        struct source_pos at;
};
extern const struct table traffic_table;

enum variation { VARIATION_CURRENT, VARIATION_CANDIDATE, VARIATION_MAX_ };
extern const char *const variation_names[]; /* current candidate */

struct route_target {
        const char *instance; /* id */
        const char *address;  /* "127.0.0.1:32768": where the router reaches it */
        enum variation variation;
        /*
         * what the cookie of sticky sessions says: ROUTE_RELEASE_MAX letters, digits, ., _ and -; NULL: the variation's
         * name
         */
        const char *release;
};
/* Enough of a release's id to tell it from those before. The same for all targets of one variation. */
#define ROUTE_RELEASE_MAX 64

/*
 * The share of the candidate in percent; the rest goes to the current ones. Targets of one variation share alike. With
 * only one variation among the targets it gets everything, and candidate is 0 or 100 to match.
 */
struct route {
        const char *app;
        int64_t candidate;          /* percent */
        struct struct_list targets; /* struct route_target, sorted by address */
};
extern const struct table route_table, route_target_table;

/* The same split to the same addresses? Ids of instances and releases don't count. */
bool route_equal(const struct route *x, const struct route *y);
/* The same for equal routes and for no others. */
struct digest route_digest(const struct route *r);

/* What routers call the group of an app's servers: "tally_<app>". @buf: ROUTE_NAME_MAX; returned. */
#define ROUTE_NAME_MAX 160
const char *route_name(const char *app, char *buf);
/*
 * The same where only letters, digits and _ may stand, still different for different apps: '_' as "__", '-' as "_d",
 * '.' as "_p".
 */
const char *route_identifier(const char *app, char *buf);

/* What a router has in force for an app. */
struct route_state {
        bool available;     /* false: the router could not be asked; nothing may be concluded */
        const char *reason; /* why not, for people; NULL when available */
        bool present;       /* the router knows this app */
        /* what is in force is not what was put there, or its settings changed since: put it there again */
        bool altered;
        const char *detail; /* how, for people; NULL: not altered */
        struct route route; /* as read back; when present */
};
extern const struct table route_state_table;
