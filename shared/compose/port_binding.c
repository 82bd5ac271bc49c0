/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/compose/port_binding.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"

/* In the order in which they must be looked at: what stands in the way of others first. */
enum address { ADDRESS_ANY, ADDRESS_ANY4, ADDRESS_ANY6, ADDRESS_4, ADDRESS_6 };

static enum address kind_of(const char *ip) {
        if (!ip)
                return ADDRESS_ANY;
        if (str_eq(ip, "0.0.0.0"))
                return ADDRESS_ANY4;
        if (str_eq(ip, "::"))
                return ADDRESS_ANY6;
        return strchr(ip, ':') ? ADDRESS_6 : ADDRESS_4;
}

static int compare_numbers(int64_t x, int64_t y) {
        return (x > y) - (x < y);
}

static bool same_port(const struct port_binding *x, const struct port_binding *y) {
        return x->port->published == y->port->published && x->port->protocol == y->port->protocol;
}

static int compare_bindings(const void *a, const void *b) {
        const struct port_binding *x = a, *y = b;
        int order = compare_numbers(x->port->protocol, y->port->protocol);

        if (order == 0)
                order = compare_numbers(x->port->published, y->port->published);
        if (order == 0)
                order = compare_numbers(kind_of(x->port->host_ip), kind_of(y->port->host_ip));
        if (order == 0)
                order = strcmp(x->port->host_ip ? x->port->host_ip : "", y->port->host_ip ? y->port->host_ip : "");
        if (order == 0)
                order = compare_numbers((int64_t)x->app, (int64_t)y->app);
        return order ? order : compare_numbers(x->port->at.line, y->port->at.line);
}

size_t port_bindings_count(const struct compose *c) {
        const struct compose_service *services = c->services.items;
        size_t n = 0;

        for (size_t i = 0; i < c->services.n; i++)
                n += services[i].ports.n;
        return n;
}

size_t port_bindings_put(const struct compose *c, size_t app, struct port_binding *out) {
        const struct compose_service *services = c->services.items;
        size_t n = 0;

        for (size_t i = 0; i < c->services.n; i++) {
                const struct compose_port *ports = services[i].ports.items;

                for (size_t k = 0; services[i].replicas > 0 && k < services[i].ports.n; k++)
                        if (ports[k].published && ports[k].published == ports[k].published_last)
                                out[n++] = (struct port_binding){ &services[i], &ports[k], app };
        }
        return n;
}

/* Wildcards come first within one port, so one look at each binding is enough. */
bool port_bindings_clash(struct port_binding *bindings, size_t n, const struct port_binding **ret_first,
                         const struct port_binding **ret_second) {
        const struct port_binding *any = NULL, *any4 = NULL, *any6 = NULL, *taken = NULL;

        if (n > 1)
                qsort(bindings, n, sizeof(*bindings), compare_bindings);
        for (size_t i = 0; i < n; i++) {
                const struct port_binding *b = &bindings[i], *previous = i > 0 ? b - 1 : NULL;
                enum address kind = kind_of(b->port->host_ip);

                if (!previous || !same_port(previous, b))
                        any = any4 = any6 = previous = NULL;
                if (any)
                        taken = any;
                else if (any4 && (kind == ADDRESS_ANY4 || kind == ADDRESS_4))
                        taken = any4;
                else if (any6 && (kind == ADDRESS_ANY6 || kind == ADDRESS_6))
                        taken = any6;
                else if (previous && str_eq(previous->port->host_ip, b->port->host_ip))
                        taken = previous;
                if (taken) {
                        *ret_first = taken;
                        *ret_second = b;
                        return true;
                }
                if (kind == ADDRESS_ANY)
                        any = b;
                else if (kind == ADDRESS_ANY4)
                        any4 = b;
                else if (kind == ADDRESS_ANY6)
                        any6 = b;
        }
        return false;
}
