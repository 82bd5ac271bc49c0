/* SPDX-License-Identifier: Apache-2.0 */

/* What services may not do to each other, and what one may not do to itself */

#include "shared/model/compose_private.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"

/*
 * One service
 */

static int fault_many(const struct compose_service *s, const struct source_pos *at, const char *what,
                      struct fault *reterr) {
        return compose_fault(reterr, at, REASON_LOAD_INVALID, "service '%s' has %d replicas, but %s", s->name.text,
                             (int)s->replicas, what);
}

/* With more than one instance nothing may be there only once. */
static int check_replicas(const struct compose_service *s, struct fault *reterr) {
        const struct compose_port *ports = s->ports.items;
        const struct compose_attachment *networks = s->networks.items;

        if (s->replicas <= 1)
                return 0;
        if (s->container_name.text)
                return fault_many(s, &s->container_name.at, "one 'container_name' only", reterr);
        for (size_t i = 0; i < s->ports.n; i++)
                if (ports[i].published && ports[i].published_last - ports[i].published + 1 < s->replicas)
                        return fault_many(s, &ports[i].at, "this port of the host can be published once only", reterr);
        for (size_t i = 0; i < s->networks.n; i++)
                if (networks[i].ipv4_address.text || networks[i].ipv6_address.text || networks[i].mac_address.text)
                        return fault_many(s, &networks[i].at, "an address on this network belongs to one only", reterr);
        return 0;
}

struct target {
        const char *path;
        const struct source_pos *at;
};

static int compare_targets(const void *a, const void *b) {
        const struct target *x = a, *y = b;
        int order = strcmp(x->path, y->path);

        return order ? order : (x->at->line > y->at->line) - (x->at->line < y->at->line);
}

static int check_targets(const struct compose_service *s, struct fault *reterr) {
        const struct compose_mount *mounts = s->mounts.items;
        const struct compose_tmpfs *tmpfs = s->tmpfs.items;
        const struct compose_grant *grants = s->grants.items;
        size_t n = 0, room = s->mounts.n + s->tmpfs.n + s->grants.n;
        own_free struct target *targets = calloc(room + 1, sizeof(*targets));

        if (!targets)
                return fault_set_oom(reterr);
        for (size_t i = 0; i < s->mounts.n; i++)
                targets[n++] = (struct target){ mounts[i].target, &mounts[i].at };
        for (size_t i = 0; i < s->tmpfs.n; i++)
                targets[n++] = (struct target){ tmpfs[i].target, &tmpfs[i].at };
        for (size_t i = 0; i < s->grants.n; i++)
                targets[n++] = (struct target){ grants[i].target, &grants[i].at };
        qsort(targets, n, sizeof(*targets), compare_targets);
        for (size_t i = 1; i < n; i++)
                if (str_eq(targets[i - 1].path, targets[i].path))
                        return compose_fault(reterr, targets[i].at, REASON_LOAD_INVALID,
                                             "service '%s' mounts something at '%s' already", s->name.text,
                                             targets[i].path);
        return 0;
}

/* Labels by which Tallyman and docker compose find their own. */
static int check_labels(const struct compose_service *s, struct fault *reterr) {
        static const char *const reserved[] = { "tallyman.", "com.docker.compose." };

        for (size_t i = 0; i < s->labels.n; i++)
                for (size_t k = 0; k < 2; k++)
                        if (str_after(s->labels.items[i].key.text, reserved[k]))
                                return compose_fault(reterr, &s->labels.items[i].key.at, REASON_LOAD_INVALID,
                                                     "labels that begin with '%s' are set by Tallyman", reserved[k]);
        return 0;
}

/*
 * Ports of the host
 */

enum address { ADDRESS_ANY, ADDRESS_ANY4, ADDRESS_ANY6, ADDRESS_4, ADDRESS_6 };

struct binding {
        const struct compose_service *service;
        const struct compose_port *port;
        enum address kind;
};

static enum address kind_of(const char *ip) {
        if (!ip)
                return ADDRESS_ANY;
        if (str_eq(ip, "0.0.0.0"))
                return ADDRESS_ANY4;
        if (str_eq(ip, "::"))
                return ADDRESS_ANY6;
        return strchr(ip, ':') ? ADDRESS_6 : ADDRESS_4;
}

static int compare_bindings(const void *a, const void *b) {
        const struct binding *x = a, *y = b;
        int order;

        if (x->port->protocol != y->port->protocol)
                return x->port->protocol < y->port->protocol ? -1 : 1;
        if (x->port->published != y->port->published)
                return x->port->published < y->port->published ? -1 : 1;
        if (x->kind != y->kind)
                return x->kind < y->kind ? -1 : 1;
        order = strcmp(x->port->host_ip ? x->port->host_ip : "", y->port->host_ip ? y->port->host_ip : "");
        if (order)
                return order;
        return (x->port->at.line > y->port->at.line) - (x->port->at.line < y->port->at.line);
}

static int fault_taken(const struct binding *first, const struct binding *second, struct fault *reterr) {
        const struct binding *later = first->port->at.line > second->port->at.line ? first : second;
        const struct binding *earlier = later == first ? second : first;
        int r = compose_fault(reterr, &later->port->at, REASON_LOAD_INVALID,
                              "port %d/%s of the host is published by service '%s' already",
                              (int)later->port->published, compose_protocol_names[later->port->protocol],
                              earlier->service->name.text);

        fault_hint(reterr, "the first one is at line %u", earlier->port->at.line);
        return r;
}

/* Wildcards come first within one port, so one look at each binding is enough. */
static int check_sorted(const struct binding *bindings, size_t n, struct fault *reterr) {
        const struct binding *any = NULL, *any4 = NULL, *any6 = NULL;

        for (size_t i = 0; i < n; i++) {
                const struct binding *b = &bindings[i], *previous = i > 0 ? b - 1 : NULL;

                if (!previous || previous->port->published != b->port->published ||
                    previous->port->protocol != b->port->protocol)
                        any = any4 = any6 = previous = NULL;
                if (any)
                        return fault_taken(any, b, reterr);
                if (any4 && (b->kind == ADDRESS_ANY4 || b->kind == ADDRESS_4))
                        return fault_taken(any4, b, reterr);
                if (any6 && (b->kind == ADDRESS_ANY6 || b->kind == ADDRESS_6))
                        return fault_taken(any6, b, reterr);
                if (previous && str_eq(previous->port->host_ip, b->port->host_ip))
                        return fault_taken(previous, b, reterr);
                if (b->kind == ADDRESS_ANY)
                        any = b;
                else if (b->kind == ADDRESS_ANY4)
                        any4 = b;
                else if (b->kind == ADDRESS_ANY6)
                        any6 = b;
        }
        return 0;
}

static int check_ports(const struct compose *c, struct fault *reterr) {
        const struct compose_service *services = c->services.items;
        own_free struct binding *bindings = NULL;
        size_t n = 0, room = 1;

        for (size_t i = 0; i < c->services.n; i++)
                room += services[i].ports.n;
        bindings = calloc(room, sizeof(*bindings));
        if (!bindings)
                return fault_set_oom(reterr);
        for (size_t i = 0; i < c->services.n; i++) {
                const struct compose_port *ports = services[i].ports.items;

                for (size_t k = 0; services[i].replicas > 0 && k < services[i].ports.n; k++)
                        if (ports[k].published && ports[k].published == ports[k].published_last)
                                bindings[n++] = (struct binding){ &services[i], &ports[k], kind_of(ports[k].host_ip) };
        }
        qsort(bindings, n, sizeof(*bindings), compare_bindings);
        return check_sorted(bindings, n, reterr);
}

/*
 * Names
 */

static int compare_names(const void *a, const void *b) {
        const struct compose_service *x = *(const struct compose_service *const *)a,
                                     *y = *(const struct compose_service *const *)b;
        int order = strcmp(x->container_name.text, y->container_name.text);

        return order ? order : (x->at.line > y->at.line) - (x->at.line < y->at.line);
}

static int check_container_names(const struct compose *c, struct fault *reterr) {
        const struct compose_service *services = c->services.items;
        own_free const struct compose_service **named = calloc(c->services.n + 1, sizeof(*named));
        size_t n = 0;

        if (!named)
                return fault_set_oom(reterr);
        for (size_t i = 0; i < c->services.n; i++)
                if (services[i].container_name.text)
                        named[n++] = &services[i];
        qsort(named, n, sizeof(*named), compare_names);
        for (size_t i = 1; i < n; i++)
                if (str_eq(named[i - 1]->container_name.text, named[i]->container_name.text))
                        return compose_fault(reterr, &named[i]->container_name.at, REASON_LOAD_INVALID,
                                             "service '%s' has this 'container_name' already", named[i - 1]->name.text);
        return 0;
}

int compose_check_services(const struct compose *c, struct fault *reterr) {
        const struct compose_service *services = c->services.items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < c->services.n; i++) {
                r = check_replicas(&services[i], reterr);
                if (r == 0)
                        r = check_targets(&services[i], reterr);
                if (r == 0)
                        r = check_labels(&services[i], reterr);
        }
        if (r == 0)
                r = check_ports(c, reterr);
        return r < 0 ? r : check_container_names(c, reterr);
}
