/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * HAProxy, the files: what a route is in HAProxy's language (https://docs.haproxy.org/2.6/configuration.html)
 *
 * For the app "shop" the file tally_shop.cfg has a frontend, which chooses, and the backends tally_shop:current and
 * tally_shop:candidate with more places for servers than are used. What changes with a rollout is in what the runtime
 * API changes: the servers' addresses, and the map tally_shop-<digest>.map with the share and the releases:
 *
 *      share 25
 *      current 3f2a91c07be4
 *      candidate 9d0c4be1a377
 *
 * <digest> is that of everything else, so that the name of the map, which a running HAProxy tells, says which file it
 * runs. All of it is pure.
 */

#include "providers/routers/parts.h"
#include "shared/base/buffer.h"
#include "shared/data/digest.h"

/* Servers of the candidate's backend that take over when no candidate can be reached are a group of their own. */
enum haproxy_group { HAPROXY_CURRENT, HAPROXY_CANDIDATE, HAPROXY_BACKUP, HAPROXY_GROUP_MAX_ };

struct haproxy_place {
        const char *address; /* NULL: not used */
        bool odd;            /* read back only: drained, or of another weight */
};

/* Each group has the same number of places. */
struct haproxy_layout {
        size_t n;
        struct haproxy_place *places[HAPROXY_GROUP_MAX_];
        int64_t share;
        const char *release[VARIATION_MAX_];
};

/*
 * Places for @route: as many as @before has (NULL: nothing is before), more when they are too few. A target keeps its
 * place.
 */
void haproxy_layout_make(const struct route *route, const struct haproxy_layout *before, struct arena *a,
                         struct haproxy_layout *ret);
/* The route of a layout; *ret_odd: a server was changed in a way that no route has, "server s1 …"; NULL: none. */
void haproxy_layout_route(const struct haproxy_layout *l, const char *app, struct arena *a, struct route *ret,
                          const char **ret_odd);

struct haproxy_files {
        const char *folder;
        const char *app;
        const struct traffic *traffic;
};
#define HAPROXY_MAP_MAX 256
/* "tally_shop-<16 hex digits>.map" for @n places. @buf: HAPROXY_MAP_MAX; returned. */
const char *haproxy_map_name(const struct haproxy_files *f, size_t n, char *buf);
void haproxy_render(const struct haproxy_files *f, const struct haproxy_layout *l, struct buffer *out);
void haproxy_render_map(const struct haproxy_layout *l, struct buffer *out);

/*
 * What to tell a running HAProxy to get from one layout to another with as many places, a command in each line. Nothing
 * in between sends a request to a server that neither has.
 */
void haproxy_commands(const struct haproxy_files *f, const struct haproxy_layout *from, const struct haproxy_layout *to,
                      struct buffer *out);
