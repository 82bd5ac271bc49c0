/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Parts: a route as every router needs it
 *
 * Which targets are of which variation, whether requests are told apart at all, and who gets them when they are not.
 * Pure.
 */

#include "shared/base/arena.h"
#include "shared/base/fault.h"
#include "shared/model/route.h"

struct route_parts {
        const struct route_target **of[VARIATION_MAX_]; /* sorted by address, in the arena */
        size_t n[VARIATION_MAX_];
        /* what the cookie of sticky sessions says; of a variation without targets its name */
        const char *release[VARIATION_MAX_];
        bool split;         /* both get requests */
        enum variation all; /* when not split: who gets them */
};

/* Borrows from @route. */
void route_parts_make(const struct route *route, struct arena *a, struct route_parts *ret);

/* FAULT_INTERNAL when @route or @traffic could be misread by a router, or contradicts itself. */
int route_check(const struct traffic *traffic, const struct route *route, struct fault *reterr);

/*
 * "127.0.0.1:80", "[::1]:80": addresses only, in the one way that inet_ntop() writes them. Copies the host without
 * brackets. False when it is none.
 */
#define ROUTE_HOST_MAX 256
bool address_split(const char *address, char host[static ROUTE_HOST_MAX], int64_t *ret_port);

/*
 * Add a target to what is read back; route_check() tells later whether it is one. @address and @release (may be NULL)
 * are copied.
 */
void route_add(struct route *route, const char *address, enum variation variation, const char *release,
               struct arena *a);
/* The order that routes have. */
void route_sort(struct route *route);

/* Read @json, an object of route_table that a router gave back, for @app: FAULT_TRANSIENT when it is none. */
int route_read(const json_t *json, const char *app, struct arena *a, struct route *ret, struct fault *reterr);
/* A new reference; without ids of instances. */
json_t *route_write(const struct route *route);
