/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One app of two instances and two that replace them, beside a router: a world that stands still, for single looks. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reconciler/core/rollout.h"
#include "reconciler/core/decide.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

#define NOW      1000000000000
#define DRAIN_MS 1000

static const char OLD_SPEC[] = "sha256:0000000000000000000000000000000000000000000000000000000000000001";
static const char NEW_SPEC[] = "sha256:0000000000000000000000000000000000000000000000000000000000000002";

/* An app of one service with two instances of each release, beside a router. */
struct rig {
        struct arena *arena;
        struct traffic traffic;
        struct workload_service old_service, new_service;
        struct workload old, new;
        struct instance instances[4]; /* web 1 and 2 of the old, then of the new specification */
        struct endpoint endpoints[4];
        struct app_input app;
        struct decision_input world;
        struct decision decision;
};

static inline void make_workload(struct rig *r, struct workload *w, struct workload_service *service,
                                 const char *release, const char *spec) {
        *service = (struct workload_service){ .name = "web", .image = "r/web@x", .spec_digest = spec, .replicas = 2 };
        *w = (struct workload){
                .app = "shop",
                .release = release,
                .version = release,
                .runtime = "fake",
                .traffic = &r->traffic,
                .services = { .items = service, .n = 1 },
        };
}

static inline void make_instance(struct rig *r, int at) {
        r->endpoints[at] =
                (struct endpoint){ .port = 80, .address = arena_printf(r->arena, "127.0.0.1:%d", 32768 + at) };
        r->instances[at] = (struct instance){
                .id = arena_printf(r->arena, "i%d", at),
                .name = arena_printf(r->arena, "i%d", at),
                .app = "shop",
                .service = "web",
                .index = at % 2 + 1,
                .spec = at < 2 ? OLD_SPEC : NEW_SPEC,
                .release = at < 2 ? "old" : "new",
                .image = "r/web@x",
                .image_matches = true,
                .state = INSTANCE_RUNNING,
                .started_at = NOW - 60000,
                .endpoints = { .items = &r->endpoints[at], .n = 1 },
        };
}

static inline void setup(struct rig *r) {
        *r = (struct rig){ .arena = arena_new() };
        r->traffic = (struct traffic){
                .router = ROUTER_NGINX, .service.text = "web", .port = 80, .path = "/", .drain_ms = DRAIN_MS
        };
        make_workload(r, &r->old, &r->old_service, "old", OLD_SPEC);
        make_workload(r, &r->new, &r->new_service, "new", NEW_SPEC);
        for (int i = 0; i < 4; i++)
                make_instance(r, i);
        r->app = (struct app_input){
                .app = "shop", .runtime = "fake", .observed = true, .declared = true, .wanted = &r->new, .current = &r->old,
                .settings = { .strategy = STRATEGY_ROLLING, .max_parallel = 2, .healthy_deadline_ms = 60000, .progress_deadline_ms = 60000 },
                .instances = { .items = r->instances, .n = 4 },
                .route = { .available = true, .present = true, .route.app = "shop" },
                .rollout = {
                        .app = "shop", .intent = -1, .candidate = -1, .current_release = "old", .current_version = "old", .router = "nginx",
                        .seen_at = NOW, .progress_at = NOW,
                },
        };
}

/* In force: a route to these instances, all alike. */
static inline void in_force(struct rig *r, int from, int to) {
        struct route *route = &r->app.route.route;

        route->targets.n = 0;
        for (int i = from; i <= to; i++) {
                struct route_target *t = arena_push(r->arena, &route->targets.items, &route->targets.n, sizeof(*t));

                *t = (struct route_target){ .instance = r->instances[i].id, .address = r->endpoints[i].address };
        }
}

/* What is in force is what the rollout remembers to have put there. */
static inline void note_route(struct rig *r) {
        r->app.rollout.routed = arena_strdup(r->arena, route_digest(&r->app.route.route).text);
}

/* The old one is what is declared, and nothing of the new one was made. */
static inline void setup_settled(struct rig *r) {
        setup(r);
        r->app.wanted = &r->old;
        r->app.instances.n = 2;
        r->app.rollout.phase = PHASE_SETTLED;
}

static inline void keep_old(struct rig *r) {
        r->app.rollout.previous.n = 0;
        for (int i = 0; i < 2; i++)
                ((struct text_at *)arena_push(r->arena, &r->app.rollout.previous.items, &r->app.rollout.previous.n,
                                              sizeof(struct text_at)))
                        ->text = r->instances[i].id;
}

/* The new one is proven, and what it replaced is still there. */
static inline void setup_finishing(struct rig *r) {
        setup(r);
        r->app.rollout.phase = PHASE_FINISHING;
        r->app.rollout.release = r->app.rollout.version = "new";
        keep_old(r);
}

static inline const struct decision_app *look(struct rig *r, int64_t now) {
        const struct decision_app *out;

        r->world = (struct decision_input){
                .schema = DECISION_INPUT_SCHEMA,
                .host = "web1",
                .environment = "prod",
                .commit = "0123456789012345678901234567890123456789",
                .now = now,
                .ledger_writable = true,
                .apps = { .items = &r->app, .n = 1 },
        };
        decide(&r->world, r->arena, &r->decision);
        out = r->decision.apps.items;
        r->app.rollout = out->rollout;
        return out;
}

static inline int count(const struct rig *r, enum action_kind kind) {
        const struct action *actions = r->decision.actions.items;
        int n = 0;

        for (size_t i = 0; i < r->decision.actions.n; i++)
                n += actions[i].kind == kind;
        return n;
}

static inline const struct action *first(const struct rig *r, enum action_kind kind) {
        const struct action *actions = r->decision.actions.items;

        for (size_t i = 0; i < r->decision.actions.n; i++)
                if (actions[i].kind == kind)
                        return &actions[i];
        fail_msg("no action '%s'", action_kind_names[kind]);
        return NULL;
}
