/* SPDX-License-Identifier: Apache-2.0 */

/* Ports: "[[address:]host[-host]:]container[-container][/protocol]", and the long form */

#include "shared/compose/compose_private.h"

#include <arpa/inet.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

const char *const compose_protocol_names[] = {
        [PROTOCOL_TCP] = "tcp",
        [PROTOCOL_UDP] = "udp",
        [PROTOCOL_SCTP] = "sctp",
        [PROTOCOL_MAX_] = NULL,
};

struct range {
        int64_t first, last;
};

/* What a port says before ranges are taken apart. */
struct port_draft {
        struct text_at host_ip;
        struct range target, published; /* published.first 0: none */
        enum compose_protocol protocol;
        struct source_pos at;
};

static int refuse(const struct source_pos *at, const char *text, const char *what, struct fault *reterr) {
        int r = fault_set_code_at(reterr, at, REASON_LOAD_INVALID, "'%s' is not a port: %s", text, what);

        fault_hint(reterr, "write \"[[address:]host:]container[/protocol]\", each port or range from 1 to 65535");
        return r;
}

static int parse_port(const char *s, size_t n, int64_t *ret) {
        int64_t port = 0;

        if (n == 0 || n > 5)
                return -EINVAL;
        for (size_t i = 0; i < n; i++) {
                if (s[i] < '0' || s[i] > '9')
                        return -EINVAL;
                port = port * 10 + (s[i] - '0');
        }
        if (port < 1 || port > 65535)
                return -ERANGE;
        *ret = port;
        return 0;
}

/* "80" or "8000-8010" */
static int parse_range(const char *s, size_t n, struct range *ret) {
        const char *dash = memchr(s, '-', n);
        size_t first = dash ? (size_t)(dash - s) : n;
        struct range range;

        if (parse_port(s, first, &range.first) < 0)
                return -EINVAL;
        range.last = range.first;
        if (dash && parse_port(dash + 1, n - first - 1, &range.last) < 0)
                return -EINVAL;
        if (range.last < range.first)
                return -EINVAL;
        *ret = range;
        return 0;
}

static int parse_protocol(const char *s, enum compose_protocol *ret) {
        for (int i = 0; i < PROTOCOL_MAX_; i++)
                if (str_eq(s, compose_protocol_names[i])) {
                        *ret = (enum compose_protocol)i;
                        return 0;
                }
        return -EINVAL;
}

/* An IPv4 address, or an IPv6 address with brackets or without. */
static const char *read_address(const char *s, size_t n, struct arena *a) {
        unsigned char bytes[sizeof(struct in6_addr)];
        const char *text;

        if (n >= 2 && s[0] == '[' && s[n - 1] == ']') {
                text = arena_strndup(a, s + 1, n - 2);
                return inet_pton(AF_INET6, text, bytes) == 1 ? text : NULL;
        }
        text = arena_strndup(a, s, n);
        return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1 ? text : NULL;
}

static int read_short(const struct text_at *text, struct port_draft *d, struct arena *a, struct fault *reterr) {
        const char *s = text->text, *slash = strchr(s, '/'), *end = slash ? slash : s + strlen(s), *colon;

        if (slash && parse_protocol(slash + 1, &d->protocol) < 0)
                return refuse(&text->at, s, "the protocol is none of tcp, udp and sctp", reterr);

        colon = memrchr(s, ':', (size_t)(end - s));
        if (parse_range(colon ? colon + 1 : s, (size_t)(end - (colon ? colon + 1 : s)), &d->target) < 0)
                return refuse(&text->at, s, "the container's port is no port or range", reterr);
        if (!colon)
                return 0;

        end = colon;
        colon = memrchr(s, ':', (size_t)(end - s));
        /* "address::port" leaves the host's port to the engine. */
        if ((end > s && end[-1] != ':') &&
            parse_range(colon ? colon + 1 : s, (size_t)(end - (colon ? colon + 1 : s)), &d->published) < 0)
                return refuse(&text->at, s, "the host's port is no port or range", reterr);
        if (end == s)
                return refuse(&text->at, s, "the host's port is missing", reterr);
        if (colon) {
                d->host_ip = (struct text_at){ .text = read_address(s, (size_t)(colon - s), a), .at = text->at };
                if (!d->host_ip.text)
                        return refuse(&text->at, s, "the address is neither IPv4 nor IPv6", reterr);
        }
        return 0;
}

/*
 * The long form
 */

struct port_long {
        int64_t target;
        struct text_at published, host_ip, protocol;
        const char *mode, *name, *app_protocol;
};

static const struct field port_fields[] = {
        { .key = "target",
          .type = FIELD_INTEGER,
          COMPOSE_AT(port_long, target),
          .flags = FIELD_REQUIRED,
          .minimum = 1,
          .maximum = 65535,
          .doc = "The container's port." },
        { .key = "published",
          .type = FIELD_TEXT,
          COMPOSE_AT(port_long, published),
          .flags = FIELD_SCALAR,
          .doc = "The host's port or range; without it the engine chooses." },
        { .key = "host_ip",
          .type = FIELD_TEXT,
          COMPOSE_AT(port_long, host_ip),
          .doc = "The host's address; without it every one." },
        { .key = "protocol", .type = FIELD_TEXT, COMPOSE_AT(port_long, protocol), .doc = "tcp, udp or sctp." },
        { .key = "mode",
          .type = FIELD_STRING,
          COMPOSE_AT(port_long, mode),
          .doc = "host or ingress; the same on a single host." },
        { .key = "name", .type = FIELD_STRING, COMPOSE_AT(port_long, name), .doc = "A name for people." },
        { .key = "app_protocol", .type = FIELD_STRING, COMPOSE_AT(port_long, app_protocol), .doc = "For people." },
        { .key = NULL },
};
static const struct table port_table = {
        .title = "Port",
        .size = sizeof(struct port_long),
        .fields = port_fields,
        .extension_prefix = "x-",
};

static int read_long(const struct node *node, struct port_draft *d, struct arena *a, struct fault *reterr) {
        struct port_long l;
        int r = table_read(&port_table, node, &l, a, reterr);

        if (r < 0)
                return r;
        d->target = (struct range){ l.target, l.target };
        if (l.published.text && *l.published.text &&
            parse_range(l.published.text, strlen(l.published.text), &d->published) < 0)
                return refuse(&l.published.at, l.published.text, "it is no port or range", reterr);
        if (l.protocol.text && parse_protocol(l.protocol.text, &d->protocol) < 0)
                return refuse(&l.protocol.at, l.protocol.text, "the protocol is none of tcp, udp and sctp", reterr);
        if (l.host_ip.text) {
                d->host_ip = l.host_ip;
                d->host_ip.text = read_address(l.host_ip.text, strlen(l.host_ip.text), a);
                if (!d->host_ip.text)
                        return refuse(&l.host_ip.at, l.host_ip.text, "the address is neither IPv4 nor IPv6", reterr);
        }
        return 0;
}

/*
 * Lists
 */

static int add_ports(struct struct_list *list, const struct port_draft *d, struct arena *a, struct fault *reterr) {
        int64_t targets = d->target.last - d->target.first, published = d->published.last - d->published.first;
        bool one_by_one = d->published.first && published == targets;

        /* Several ports of the host for one of the container: the engine takes a free one of them. */
        if (d->published.first && published != targets && targets != 0)
                return fault_set_code_at(reterr, &d->at, REASON_LOAD_INVALID,
                                         "the host's range and the container's range have different lengths");
        for (int64_t i = 0; i <= targets; i++) {
                if (list->n >= LIMIT_PORTS)
                        return fault_set_code_at(reterr, &d->at, REASON_LOAD_LIMIT,
                                                 "the service has more than %d ports (LIMIT_PORTS)", LIMIT_PORTS);
                *(struct compose_port *)arena_push(a, &list->items, &list->n, sizeof(struct compose_port)) =
                        (struct compose_port){
                                .host_ip = d->host_ip.text,
                                .target = d->target.first + i,
                                .published = one_by_one ? d->published.first + i : d->published.first,
                                .published_last = one_by_one ? d->published.first + i : d->published.last,
                                .protocol = d->protocol,
                                .at = d->at,
                        };
        }
        return 0;
}

static int read_port(const struct node *value, const struct node_entry *entry, void *item, struct arena *a,
                     struct fault *reterr) {
        struct port_draft *d = item;
        struct text_at text;
        int r;

        d->at = value->at;
        if (value->type == NODE_MAP)
                return read_long(value, d, a, reterr);
        r = compose_text(value, &text, reterr);
        return r < 0 ? r : read_short(&text, d, a, reterr);
}

static int read_exposed(const struct node *value, const struct node_entry *entry, void *item, struct arena *a,
                        struct fault *reterr) {
        struct port_draft *d = item;
        struct text_at text;
        int r = compose_text(value, &text, reterr);

        d->at = value->at;
        if (r < 0)
                return r;
        if (strchr(text.text, ':'))
                return refuse(&text.at, text.text, "`expose` takes ports of the container only", reterr);
        return read_short(&text, d, a, reterr);
}

static int read_all(const struct node *node, compose_item_fn read, struct struct_list *ports, struct arena *a,
                    struct fault *reterr) {
        struct struct_list drafts = { 0 };
        int r = compose_read_items(node, COMPOSE_LIST, sizeof(struct port_draft), read, a, &drafts, reterr);
        const struct port_draft *items = drafts.items;

        for (size_t i = 0; r == 0 && i < drafts.n; i++)
                r = add_ports(ports, &items[i], a, reterr);
        return r;
}

int compose_read_ports(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        return read_all(node, read_port, slot, a, reterr);
}

int compose_read_expose(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        return read_all(node, read_exposed, slot, a, reterr);
}
