/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Routers: the only code that talks to nginx, HAProxy, Caddy or Traefik
 *
 * A router is a `static const struct router_ops` plus a private struct whose first member is `struct router`. It puts
 * routes (shared/model/route.h) into force and reads them back; which route is right is decided elsewhere. Contract,
 * held to by tests/conformance on every router, the one in memory included:
 *
 *   - check() is pure.
 *   - observe() has no side effects and tells what is in force, not what was once asked for, as far as the router lets
 *     itself be asked.
 *   - apply() validates before it activates: a configuration that does not validate is never active, and the one before
 *     stays in force, on disk as well. It is idempotent; being killed at any instant leaves the old route or the new
 *     one.
 *   - apply() loses no request that the router took before or takes meanwhile.
 *   - While both variations have targets and the share is above 0 and below 100, requests are told apart as
 *     traffic.split says. At 0 the current targets get everything and at 100 the candidate's do, whatever a header or a
 *     cookie says. A split by header or cookie goes before stickiness, and stickiness before chance.
 *   - A target that cannot be connected to is passed over for another of its variation, and when the candidate has none
 *     left, for a current one. What a target may have begun to carry out is not sent again, unless it is safe to repeat
 *     (RFC 9110, 9.2.2).
 *   - A route without targets is put into force, too: requests are answered with 502 or 503.
 *   - Nothing that is not ours is changed: our own files, backends or configuration paths only, named after the app.
 */

#include "shared/base/cleanup.h"
#include "shared/base/fault.h"
#include "shared/model/route.h"

#define ROUTER_ABI 1u

/*
 * How the host's tally.yaml sets one router up: `routers: {nginx: {…}}`; which keys a router has is in
 * reconciler/config/config.c and tally.yaml(5). What a router does not use stays NULL. Borrowed for the router's life.
 */
struct router_settings {
        /* nginx, haproxy, traefik: where our files go; the router's configuration includes it */
        const char *folder;
        /* nginx, haproxy: validates the whole configuration; empty: the usual command */
        struct string_list test;
        /* nginx, haproxy: activates it without losing a request; empty: the usual command */
        struct string_list reload;
        const char *socket; /* haproxy: the runtime API's unix socket */
        /*
         * "http://127.0.0.1:2019" or "unix:///run/caddy/admin.sock". caddy, traefik: the API; nginx, by http only:
         * where our own files make it tell what it has in force.
         */
        const char *admin;
        const char *state; /* <state>/routes: a folder of ours, for what the router cannot remember */
};

struct router;

struct router_ops {
        /* Always ROUTER_ABI. First, and never moved. */
        unsigned abi;

        /* As app.yaml and tally.yaml name it; one of router_kind_names. */
        const char *name;

        /* Required. Allocate; does not connect yet. FAULT_CONFIG when the settings lack something that it needs. */
        int (*open)(const struct router_settings *settings, struct router **ret, struct fault *reterr);

        /* Required. Accepts a half-opened router. Must not fail. */
        void (*close)(struct router *r);

        /* Required. Pure: FAULT_CONFIG at the position of what this router cannot carry out. */
        int (*check)(struct router *r, const char *app, const struct traffic *traffic, struct fault *reterr);

        /*
         * Required. What is in force for @app. A router that cannot be asked: 0 with ret->available false and the
         * reason. Targets come sorted by address, without instance. Strings live in @a.
         */
        int (*observe)(struct router *r, const char *app, const struct traffic *traffic, struct arena *a,
                       struct route_state *ret, struct fault *reterr);

        /*
         * Required. Put @route into force. A configuration that does not validate: FAULT_DENIED/ROUTE_INVALID with what
         * the router says; a router that is away: FAULT_TRANSIENT/ROUTER_UNAVAILABLE. Returns once new requests follow
         * it.
         */
        int (*apply)(struct router *r, const struct traffic *traffic, const struct route *route, struct fault *reterr);

        /* Required. Take @app out of the router; gone already: 0. */
        int (*remove)(struct router *r, const char *app, struct fault *reterr);

        /*
         * Optional. One line each for `tally doctor`; appended to @out as JSON objects {"check", "state", "detail",
         * "hint"?}, as runtimes do.
         */
        int (*doctor)(struct router *r, json_t *out, struct fault *reterr);
};

struct router {
        const struct router_ops *ops;
};

/* Every router compiled in, by kind; NULL: not compiled in. */
extern const struct router_ops *const router_table[ROUTER_KIND_MAX_];

/* Refuse an incomplete vtable at start-up rather than crash at three at night. */
int router_ops_verify(const struct router_ops *ops, struct fault *reterr);

/*
 * Callers go through these, never through ->ops. They prefix faults with what was being done. router_apply() refuses,
 * as FAULT_INTERNAL, a route that is not one: unsorted, with a share that does not fit its targets, or with text that
 * means something to a router.
 */
int router_open(enum router_kind kind, const struct router_settings *settings, struct router **ret,
                struct fault *reterr);
void router_close(struct router *r); /* accepts NULL */
DEFINE_OWN(struct router, router_close)
#define own_router own(router_close_p)
int router_check(struct router *r, const char *app, const struct traffic *traffic, struct fault *reterr);
int router_observe(struct router *r, const char *app, const struct traffic *traffic, struct arena *a,
                   struct route_state *ret, struct fault *reterr);
int router_apply(struct router *r, const struct traffic *traffic, const struct route *route, struct fault *reterr);
int router_remove(struct router *r, const char *app, struct fault *reterr);
int router_doctor(struct router *r, json_t *out, struct fault *reterr);
