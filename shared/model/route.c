/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/route.h"

#include <stdio.h>
#include <string.h>

#include "shared/base/buffer.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

const char *const router_kind_names[] = {
        [ROUTER_NGINX] = "nginx",     [ROUTER_HAPROXY] = "haproxy", [ROUTER_CADDY] = "caddy",
        [ROUTER_TRAEFIK] = "traefik", [ROUTER_MEMORY] = "memory",   [ROUTER_KIND_MAX_] = NULL,
};

const char *const split_kind_names[] = {
        [SPLIT_WEIGHT] = "weight",
        [SPLIT_HEADER] = "header",
        [SPLIT_COOKIE] = "cookie",
        [SPLIT_KIND_MAX_] = NULL,
};

const char *const variation_names[] = {
        [VARIATION_CURRENT] = "current",
        [VARIATION_CANDIDATE] = "candidate",
        [VARIATION_MAX_] = NULL,
};

#define AT(type, member) .at = offsetof(struct type, member)
#define SECOND           INT64_C(1000)
#define HOUR             (60 * 60 * SECOND)
#define TOKEN_MAX        128

/*
 * As declared. What ends up in a router's configuration is held to what cannot be mistaken there: no spaces, quotes, or
 * anything that means something to one of them.
 */

static bool is_token(const char *text, const char *more) {
        size_t n = strlen(text);

        if (n == 0 || n > TOKEN_MAX)
                return false;
        for (const char *p = text; *p; p++)
                if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
                      strchr(more, *p)))
                        return false;
        return true;
}

static int refuse(const struct node *node, const char *key, const char *text, const char *what, struct fault *reterr) {
        const struct node *value = node_get(node, key);

        return fault_set_code_at(reterr, value ? &value->at : &node->at, REASON_LOAD_INVALID, "'%s' is not %s", text,
                                 what);
}

static int check_split(void *object, const struct node *node, struct fault *reterr) {
        const struct split *s = object;

        if (s->by == SPLIT_WEIGHT) {
                if (s->name || s->value)
                        return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID,
                                                 "a split by weight has neither name nor value");
                return 0;
        }
        if (!s->name)
                return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID,
                                         "a split by %s needs the name of the %s", split_kind_names[s->by],
                                         split_kind_names[s->by]);
        if (!is_token(s->name, s->by == SPLIT_COOKIE ? "_" : "-_"))
                return refuse(node, "name", s->name,
                              s->by == SPLIT_COOKIE ? "a cookie's name: letters, digits and _"
                                                    : "a header's name: letters, digits, - and _",
                              reterr);
        if (s->value && !is_token(s->value, "._-"))
                return refuse(node, "value", s->value, "a value to compare with: letters, digits, ., _ and -", reterr);
        return 0;
}

static const struct field split_fields[] = {
        { .key = "by",
          .type = FIELD_ENUM,
          AT(split, by),
          .names = split_kind_names,
          .doc = "What tells requests apart: their share (weight), a header or a cookie." },
        { .key = "name",
          .type = FIELD_STRING,
          AT(split, name),
          .flags = FIELD_OMIT,
          .format = "non-empty",
          .doc = "Of the header or cookie." },
        { .key = "value",
          .type = FIELD_STRING,
          AT(split, value),
          .flags = FIELD_OMIT | FIELD_SCALAR,
          .format = "non-empty",
          .doc = "That it must have; default: any." },
        { .key = NULL },
};
static const struct table split_table = {
        .title = "Split",
        .size = sizeof(struct split),
        .fields = split_fields,
        .check = check_split,
        .doc = "How requests are told apart while two releases serve.",
};

static int check_sticky(void *object, const struct node *node, struct fault *reterr) {
        const struct sticky *s = object;

        return is_token(s->cookie, "_")
                       ? 0
                       : refuse(node, "cookie", s->cookie, "a cookie's name: letters, digits and _", reterr);
}

static const struct field sticky_fields[] = {
        { .key = "cookie",
          .type = FIELD_STRING,
          AT(sticky, cookie),
          .flags = FIELD_REQUIRED,
          .format = "non-empty",
          .doc = "The cookie that remembers which release a client met." },
        { .key = "duration",
          .type = FIELD_DURATION,
          AT(sticky, duration_ms),
          .absent = HOUR,
          .minimum = SECOND,
          .maximum = 30 * 24 * HOUR,
          .doc = "How long; default 1h." },
        { .key = NULL },
};
static const struct table sticky_table = {
        .title = "Sticky",
        .size = sizeof(struct sticky),
        .fields = sticky_fields,
        .check = check_sticky,
        .doc = "A client stays with the release that it met first.",
};

/* "127.0.0.1:8080", "[::1]:8080", ":8080" */
static bool is_listen(const char *text) {
        const char *colon = strrchr(text, ':');
        uint64_t port;

        if (!colon || parse_u64(colon + 1, &port) < 0 || port < 1 || port > 65535)
                return false;
        for (const char *p = text; p < colon; p++)
                if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f') || (*p >= 'A' && *p <= 'F') ||
                      strchr("[].:", *p)))
                        return false;
        return colon == text || *text == '[' ? colon == text || colon[-1] == ']'
                                             : !memchr(text, ':', (size_t)(colon - text));
}

static int check_traffic(void *object, const struct node *node, struct fault *reterr) {
        struct traffic *t = object;

        if (!t->path)
                t->path = "/";
        if (t->path[0] != '/' || !is_token(t->path, "/._-~"))
                return refuse(node, "path", t->path,
                              "a path prefix: it begins with / and has letters, digits and /._-~", reterr);
        if (t->listen && !is_listen(t->listen))
                return refuse(node, "listen", t->listen, "an address and port, as 127.0.0.1:8080 or :8080", reterr);
        if (t->server_name && !is_token(t->server_name, ".-*"))
                return refuse(node, "server_name", t->server_name, "a host name", reterr);
        return 0;
}

static const struct field traffic_fields[] = {
        { .key = "router",
          .type = FIELD_ENUM,
          AT(traffic, router),
          .flags = FIELD_REQUIRED,
          .names = router_kind_names,
          .hidden_from = ROUTER_MEMORY,
          .doc = "The router, as the host's tally.yaml sets it up." },
        { .key = "service",
          .type = FIELD_TEXT,
          AT(traffic, service),
          .flags = FIELD_REQUIRED,
          .format = "non-empty",
          .doc = "The service whose instances take the requests." },
        { .key = "port",
          .type = FIELD_INTEGER,
          AT(traffic, port),
          .flags = FIELD_REQUIRED,
          .minimum = 1,
          .maximum = 65535,
          .doc = "The container's port." },
        { .key = "listen",
          .type = FIELD_STRING,
          AT(traffic, listen),
          .flags = FIELD_OMIT,
          .format = "non-empty",
          .doc = "Where the router listens for this app; default: nowhere, the operator's configuration refers to the group of servers." },
        { .key = "server_name",
          .type = FIELD_STRING,
          AT(traffic, server_name),
          .flags = FIELD_OMIT,
          .format = "non-empty",
          .doc = "Host name of the requests; default: any." },
        { .key = "path",
          .type = FIELD_STRING,
          AT(traffic, path),
          .flags = FIELD_OMIT,
          .doc = "Prefix of the requests' paths; default /." },
        { .key = "split",
          .type = FIELD_STRUCT,
          AT(traffic, split),
          .flags = FIELD_OMIT,
          .sub = &split_table,
          .doc = "How requests are told apart while two releases serve." },
        { .key = "sticky",
          .type = FIELD_STRUCT_PTR,
          AT(traffic, sticky),
          .flags = FIELD_OMIT,
          .sub = &sticky_table,
          .doc = "Clients stay with the release that they met first." },
        { .key = "drain",
          .type = FIELD_DURATION,
          AT(traffic, drain_ms),
          .absent = SECOND,
          .minimum = 0,
          .maximum = HOUR,
          .doc = "How long an instance that left the route keeps running, to answer what it was asked; default 1s." },
        { .key = NULL },
};
const struct table traffic_table = {
        .title = "Traffic",
        .size = sizeof(struct traffic),
        .fields = traffic_fields,
        .position = offsetof(struct traffic, at) + 1,
        .doc = "The router that carries an app's requests.",
        .check = check_traffic,
};

/*
 * As put into force
 */

static const struct field target_fields[] = {
        { .key = "instance",
          .type = FIELD_STRING,
          AT(route_target, instance),
          .flags = FIELD_OMIT,
          .doc = "The instance's id." },
        { .key = "address",
          .type = FIELD_STRING,
          AT(route_target, address),
          .flags = FIELD_REQUIRED,
          .doc = "Where the router reaches it." },
        { .key = "variation",
          .type = FIELD_ENUM,
          AT(route_target, variation),
          .names = variation_names,
          .doc = "Whether it is of the release that serves or of the one that is tried." },
        { .key = "release",
          .type = FIELD_STRING,
          AT(route_target, release),
          .flags = FIELD_OMIT,
          .doc = "What the cookie of sticky sessions says." },
        { .key = NULL },
};
const struct table route_target_table = {
        .title = "RouteTarget",
        .size = sizeof(struct route_target),
        .fields = target_fields,
        .doc = "An instance that gets requests.",
};

static const struct field route_fields[] = {
        { .key = "app", .type = FIELD_STRING, AT(route, app), .flags = FIELD_OMIT, .doc = "The app." },
        { .key = "candidate",
          .type = FIELD_INTEGER,
          AT(route, candidate),
          .minimum = 0,
          .maximum = 100,
          .doc = "The candidate's share, percent." },
        { .key = "targets",
          .type = FIELD_STRUCT_LIST,
          AT(route, targets),
          .sub = &route_target_table,
          .doc = "Who gets requests." },
        { .key = NULL },
};
const struct table route_table = {
        .title = "Route",
        .size = sizeof(struct route),
        .fields = route_fields,
        .doc = "Which instances get which share of an app's requests.",
};

static const struct field state_fields[] = {
        { .key = "available", .type = FIELD_BOOL, AT(route_state, available), .doc = "The router could be asked." },
        { .key = "reason", .type = FIELD_STRING, AT(route_state, reason), .flags = FIELD_OMIT, .doc = "Why not." },
        { .key = "present", .type = FIELD_BOOL, AT(route_state, present), .doc = "The router knows this app." },
        { .key = "altered",
          .type = FIELD_BOOL,
          AT(route_state, altered),
          .flags = FIELD_OMIT,
          .doc = "What is in force is not what was put there." },
        { .key = "detail", .type = FIELD_STRING, AT(route_state, detail), .flags = FIELD_OMIT, .doc = "How." },
        { .key = "route", .type = FIELD_STRUCT, AT(route_state, route), .sub = &route_table, .doc = "As read back." },
        { .key = NULL },
};
const struct table route_state_table = {
        .title = "RouteState",
        .size = sizeof(struct route_state),
        .fields = state_fields,
        .doc = "What a router has in force for an app.",
};

bool route_equal(const struct route *x, const struct route *y) {
        const struct route_target *a = x->targets.items, *b = y->targets.items;

        if (x->candidate != y->candidate || x->targets.n != y->targets.n)
                return false;
        for (size_t i = 0; i < x->targets.n; i++)
                if (a[i].variation != b[i].variation || !str_eq(a[i].address, b[i].address))
                        return false;
        return true;
}

struct digest route_digest(const struct route *r) {
        const struct route_target *targets = r->targets.items;
        own_buffer struct buffer text = BUFFER_INIT;

        buffer_printf(&text, "%lld", (long long)r->candidate);
        for (size_t i = 0; i < r->targets.n; i++)
                buffer_printf(&text, " %s=%s", targets[i].address, variation_names[targets[i].variation]);
        return digest_of(buffer_str(&text), text.size);
}

const char *route_name(const char *app, char *buf) {
        (void)snprintf(buf, ROUTE_NAME_MAX, "tally_%s", app);
        return buf;
}

const char *route_identifier(const char *app, char *buf) {
        char *p = stpcpy(buf, "tally_");

        for (; *app && p < buf + ROUTE_NAME_MAX - 3; app++) {
                if (*app != '_' && *app != '-' && *app != '.') {
                        *p++ = *app;
                        continue;
                }
                *p++ = '_';
                *p++ = *app == '_' ? '_' : *app == '-' ? 'd' : 'p';
        }
        *p = '\0';
        return buf;
}
