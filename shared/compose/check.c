/* SPDX-License-Identifier: Apache-2.0 */

/* What services may not do to each other, and what one may not do to itself */

#include "shared/compose/compose_private.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/compose/port_binding.h"

/*
 * One service
 */

static int fault_many(const struct compose_service *s, const struct source_pos *at, const char *what,
                      struct fault *reterr) {
        return fault_set_code_at(reterr, at, REASON_LOAD_INVALID, "service '%s' has %d replicas, but %s", s->name.text,
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
                        return fault_set_code_at(reterr, targets[i].at, REASON_LOAD_INVALID,
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
                                return fault_set_code_at(reterr, &s->labels.items[i].key.at, REASON_LOAD_INVALID,
                                                         "labels that begin with '%s' are set by Tallyman",
                                                         reserved[k]);
        return 0;
}

/*
 * Ports of the host
 */

static int fault_taken(const struct port_binding *first, const struct port_binding *second, struct fault *reterr) {
        const struct port_binding *later = first->port->at.line > second->port->at.line ? first : second;
        const struct port_binding *earlier = later == first ? second : first;
        int r = fault_set_code_at(reterr, &later->port->at, REASON_LOAD_INVALID,
                                  "port %d/%s of the host is published by service '%s' already",
                                  (int)later->port->published, compose_protocol_names[later->port->protocol],
                                  earlier->service->name.text);

        fault_hint(reterr, "the first one is at line %u", earlier->port->at.line);
        return r;
}

static int check_ports(const struct compose *c, struct fault *reterr) {
        const struct port_binding *first, *second;
        own_free struct port_binding *bindings = calloc(port_bindings_count(c) + 1, sizeof(*bindings));
        size_t n;

        if (!bindings)
                return fault_set_oom(reterr);
        n = port_bindings_put(c, 0, bindings);
        return port_bindings_clash(bindings, n, &first, &second) ? fault_taken(first, second, reterr) : 0;
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
                        return fault_set_code_at(reterr, &named[i]->container_name.at, REASON_LOAD_INVALID,
                                                 "service '%s' has this 'container_name' already",
                                                 named[i - 1]->name.text);
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
