/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Port bindings: which published ports of one host get in each other's way
 *
 * A port without an address stands in the way of every address, 0.0.0.0 of every IPv4 address, :: of every IPv6
 * address. Ports that the engine chooses, alone or out of a range, and those of services without instances get in
 * nobody's way.
 */

#include "shared/compose/compose.h"

struct port_binding {
        const struct compose_service *service;
        const struct compose_port *port;
        size_t app; /* a number for the app */
};

/* At least as many as port_bindings_put() writes. */
size_t port_bindings_count(const struct compose *c);
/* Write those of @c to @out; returns how many. */
size_t port_bindings_put(const struct compose *c, size_t app, struct port_binding *out);

/* Sorts @bindings. True when two of them clash: the outputs point to them. n log n. */
bool port_bindings_clash(struct port_binding *bindings, size_t n, const struct port_binding **ret_first,
                         const struct port_binding **ret_second);
