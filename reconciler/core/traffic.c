/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/traffic.h"

#include <stdlib.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"

static bool takes_requests(const struct rollout_context *ctx, const struct instance *i) {
        return ctx->traffic && str_eq(i->service, ctx->traffic->service.text);
}

static bool is_well(const struct instance *i) {
        return i->state == INSTANCE_RUNNING && (i->health == HEALTH_NONE || i->health == HEALTH_HEALTHY);
}

static bool is_new(const struct rollout_context *ctx, const struct instance *i) {
        return ctx->index && workload_index_is_wanted(ctx->index, i) && !context_is_previous(ctx, i);
}

/* Whether requests may go to @i: well, staying, and proven when it is new. */
static bool may_serve(const struct rollout_context *ctx, const struct instance *i) {
        size_t at = context_index_of(ctx, i);
        bool wanted = ctx->index && workload_index_is_wanted(ctx->index, i);

        if (!takes_requests(ctx, i) || !is_well(i) || ctx->retiring[at])
                return false;
        /*
         * Neither what was there before nor what is to come: left over from a release that was overtaken, or somebody's
         * own.
         */
        if (!wanted && !context_is_previous(ctx, i))
                return false;
        return !is_new(ctx, i) || ctx->admitted[at] || ctx->next->phase == PHASE_SETTLED ||
               ctx->next->phase == PHASE_FINISHING;
}

static const struct route_target *in_force(const struct rollout_context *ctx, const char *address) {
        const struct route_target *targets = ctx->app->route.route.targets.items;

        for (size_t i = 0; ctx->app->route.present && i < ctx->app->route.route.targets.n; i++)
                if (str_eq(targets[i].address, address))
                        return &targets[i];
        return NULL;
}

void traffic_notice(struct rollout_context *ctx) {
        const struct route_state *state = &ctx->app->route;
        struct digest found;

        if (!ctx->traffic || !state->available || !state->present)
                return;
        found = route_digest(&state->route);
        if (!str_eq(found.text, ctx->next->routed)) {
                ctx->next->routed = arena_strdup(ctx->arena, found.text);
                ctx->next->routed_at = ctx->input->now;
        }
        /* Another one is a router that the app is still to leave. */
        if (!ctx->next->router)
                ctx->next->router = router_kind_names[ctx->traffic->router];
}

static const char *address_of(const struct rollout_context *ctx, const struct instance *i) {
        return instance_reach(i, ctx->traffic->port, ctx->arena);
}

/*
 * What serves already, though it should not any more, is better than nobody: left over from a release that was
 * overtaken.
 */
static bool may_serve_on(const struct rollout_context *ctx, const struct instance *i) {
        const char *address = takes_requests(ctx, i) && is_well(i) && !ctx->retiring[context_index_of(ctx, i)]
                                      ? address_of(ctx, i)
                                      : NULL;

        return address && in_force(ctx, address);
}

/*
 * Letting go
 */

static bool another_serves(const struct rollout_context *ctx, const struct instance *i) {
        const struct instance *items = ctx->app->instances.items;

        for (size_t n = 0; n < ctx->app->instances.n; n++)
                if (&items[n] != i &&
                    ((may_serve(ctx, &items[n]) && address_of(ctx, &items[n])) || may_serve_on(ctx, &items[n])))
                        return true;
        return false;
}

bool traffic_releases(struct rollout_context *ctx, const struct instance *i) {
        const struct traffic *t = ctx->traffic;
        const char *address = t ? address_of(ctx, i) : NULL;
        int64_t left;

        ctx->retiring[context_index_of(ctx, i)] = true;
        if (!takes_requests(ctx, i) || i->state != INSTANCE_RUNNING || !another_serves(ctx, i))
                return true;
        if (!ctx->app->route.available) {
                context_wait(ctx,
                             arena_printf(ctx->arena, "the router (%s)",
                                          ctx->app->route.reason ? ctx->app->route.reason : "no answer"),
                             CONTEXT_POLL_MS);
                return false;
        }
        if (address && in_force(ctx, address)) {
                context_wait(ctx, "the router to let go of what is to stop", CONTEXT_POLL_MS);
                return false;
        }
        traffic_notice(ctx);
        left = ctx->next->routed_at + t->drain_ms - ctx->input->now;
        if (left <= 0 || left > t->drain_ms)
                return true;
        context_wait(ctx, "requests under way to be answered", left);
        return false;
}

/*
 * The route of the moment
 */

static int compare_targets(const void *x, const void *y) {
        const struct route_target *a = x, *b = y;

        return strcmp(a->address, b->address);
}

static size_t count(const struct route *r, enum variation v) {
        const struct route_target *targets = r->targets.items;
        size_t n = 0;

        for (size_t i = 0; i < r->targets.n; i++)
                n += targets[i].variation == v;
        return n;
}

/* Only those of one variation stay, and they are what serves. */
static void reduce(struct route *r, enum variation keep) {
        struct route_target *targets = r->targets.items;
        size_t n = 0;

        for (size_t i = 0; i < r->targets.n; i++)
                if (targets[i].variation == keep) {
                        targets[n] = targets[i];
                        targets[n++].variation = VARIATION_CURRENT;
                }
        r->targets.n = n;
        r->candidate = 0;
}

/* How the share falls on whom there is. */
static void share(struct route *r, int64_t candidate) {
        struct route_target *targets = r->targets.items;
        size_t current = count(r, VARIATION_CURRENT), candidates = count(r, VARIATION_CANDIDATE);

        r->candidate = candidate;
        if (candidate < 0) {
                /* Both releases in one: a client has met neither. */
                for (size_t i = 0; i < r->targets.n; i++) {
                        targets[i].variation = VARIATION_CURRENT;
                        targets[i].release = current > 0 && candidates > 0 ? NULL : targets[i].release;
                }
                r->candidate = 0;
        } else if (candidates == 0 || (candidate == 0 && current > 0)) {
                reduce(r, VARIATION_CURRENT);
        } else if (current == 0 || candidate >= 100) {
                reduce(r, VARIATION_CANDIDATE);
        }
}

/*
 * What the cookie of a client says that met the new release, or the one before. A word that outlives the rollout: who
 * met the candidate of today must not be taken for one who met that of the next release.
 */
static const char *cookie_of(const struct rollout_context *ctx, bool new) {
        const char *release = new ? ctx->goal->release : ctx->next->current_release;

        return ctx->traffic->sticky && release ? str_after(release, "sha256:") : NULL;
}

static struct route *route_to(struct rollout_context *ctx,
                              bool (*may)(const struct rollout_context *ctx, const struct instance *i)) {
        const struct instance *items = ctx->app->instances.items;
        struct route *r = arena_new_of(ctx->arena, struct route);

        r->app = ctx->app->app;
        for (size_t i = 0; i < ctx->app->instances.n; i++) {
                struct route_target *target;

                if (!may(ctx, &items[i]) || !address_of(ctx, &items[i]))
                        continue;
                target = arena_push(ctx->arena, &r->targets.items, &r->targets.n, sizeof(struct route_target));
                *target = (struct route_target){
                        .instance = items[i].id,
                        .address = address_of(ctx, &items[i]),
                        .variation = is_new(ctx, &items[i]) ? VARIATION_CANDIDATE : VARIATION_CURRENT,
                        .release = cookie_of(ctx, is_new(ctx, &items[i])),
                };
        }
        share(r, ctx->next->candidate);
        if (r->targets.n > 1)
                qsort(r->targets.items, r->targets.n, sizeof(struct route_target), compare_targets);
        return r;
}

static struct route *route_of(struct rollout_context *ctx) {
        return route_to(ctx, may_serve);
}

static bool is_in_force(const struct rollout_context *ctx, const struct route *r) {
        return ctx->app->route.present && !ctx->app->route.altered && route_equal(&ctx->app->route.route, r);
}

/*
 * An instance of the release under way that should get requests, and that no router could reach. What was there before
 * is as it is.
 */
static const struct instance *first_out_of_reach(const struct rollout_context *ctx) {
        const struct instance *items = ctx->app->instances.items;

        /* A release that leaves the router need not be in its reach. */
        if (!ctx->goal || !ctx->goal->traffic)
                return NULL;
        for (size_t i = 0;
             i < ctx->app->instances.n && ctx->next->phase != PHASE_REVERTING && ctx->next->phase != PHASE_STUCK; i++)
                if (is_new(ctx, &items[i]) && may_serve(ctx, &items[i]) && !address_of(ctx, &items[i]))
                        return &items[i];
        return NULL;
}

/* Somebody who may take requests soon: up, and not healthy yet. */
static bool somebody_comes(const struct rollout_context *ctx) {
        const struct instance *items = ctx->app->instances.items;

        if (ctx->input->now - ctx->next->progress_at > ctx->app->settings.healthy_deadline_ms)
                return false;
        for (size_t i = 0; i < ctx->app->instances.n; i++)
                if (takes_requests(ctx, &items[i]) && items[i].state == INSTANCE_RUNNING &&
                    items[i].health == HEALTH_STARTING &&
                    (context_is_previous(ctx, &items[i]) ||
                     (ctx->index && workload_index_is_wanted(ctx->index, &items[i]))))
                        return true;
        return false;
}

bool traffic_is_applied(struct rollout_context *ctx) {
        const struct instance *lost;
        const struct route *r;

        if (!ctx->traffic)
                return true;
        lost = first_out_of_reach(ctx);
        if (lost) {
                context_wait(
                        ctx,
                        arena_printf(
                                ctx->arena,
                                "a way to %s, port %lld: publish the port (ports: [\"127.0.0.1::%lld\"]), or give it a network",
                                lost->name, (long long)ctx->traffic->port, (long long)ctx->traffic->port),
                        CONTEXT_POLL_MS);
                return false;
        }
        r = route_of(ctx);
        if (r->targets.n == 0)
                return !somebody_comes(ctx);
        return ctx->app->route.available && is_in_force(ctx, r);
}

static const char *describe(const struct rollout_context *ctx, const struct route *r) {
        if (r->candidate > 0)
                return arena_printf(ctx->arena, "%lld %% of the requests to the new release", (long long)r->candidate);
        return arena_printf(ctx->arena, "requests to %zu instance%s", r->targets.n, r->targets.n == 1 ? "" : "s");
}

static void put_into_force(struct rollout_context *ctx, const struct route *r, const char *reason) {
        struct action *action = context_add_action(ctx, ACTION_ROUTE, NULL, 0, NULL, reason, describe(ctx, r));

        action->service = ctx->traffic->service.text;
        action->route = r;
        action->router = router_kind_names[ctx->traffic->router];
        /* Written down before it is so: whatever happens next, it is known where to take the app out again. */
        ctx->next->router = action->router;
}

bool traffic_end(struct rollout_context *ctx) {
        struct action *action;

        if (!ctx->next->router)
                return true;
        if (context_waits_to_route(ctx))
                return false;
        action = context_add_action(ctx, ACTION_UNROUTE, NULL, 0, NULL, NULL, "nothing is left that it could lead to");
        action->router = ctx->next->router;
        return false;
}

/* The app left its router, or moved to another: the one before forgets it. */
static bool leave_former(struct rollout_context *ctx) {
        const char *now = ctx->traffic ? router_kind_names[ctx->traffic->router] : NULL;

        return !ctx->next->router || !ctx->app->declared || str_eq(ctx->next->router, now) || traffic_end(ctx);
}

void traffic_apply(struct rollout_context *ctx) {
        const struct route *r;

        /* One at a time: where it is in force is remembered of one router. */
        if (!leave_former(ctx) || !ctx->traffic)
                return;
        r = route_of(ctx);
        if (r->targets.n == 0) {
                if (somebody_comes(ctx))
                        context_wait(ctx, "an instance that can take requests", CONTEXT_POLL_MS);
                r = route_to(ctx, may_serve_on);
        }
        /* Nobody at all: what is in force stays, it cannot get better. */
        if (r->targets.n == 0)
                return;
        if (is_in_force(ctx, r)) {
                traffic_notice(ctx);
                return;
        }
        if (!ctx->app->route.available) {
                context_wait(ctx,
                             arena_printf(ctx->arena, "the router (%s)",
                                          ctx->app->route.reason ? ctx->app->route.reason : "no answer"),
                             0);
                return;
        }
        if (!context_waits_to_route(ctx))
                put_into_force(ctx, r, NULL);
}

static bool runs(const struct rollout_context *ctx, const char *address) {
        const struct instance *items = ctx->app->instances.items;

        for (size_t i = 0; i < ctx->app->instances.n; i++)
                if (items[i].state == INSTANCE_RUNNING && takes_requests(ctx, &items[i]) &&
                    str_eq(instance_reach(&items[i], ctx->traffic->port, ctx->arena), address))
                        return true;
        return false;
}

void traffic_repair(struct rollout_context *ctx) {
        const struct route_target *targets = ctx->app->route.route.targets.items;

        for (size_t i = 0; ctx->traffic && ctx->app->route.present && i < ctx->app->route.route.targets.n; i++)
                if (!runs(ctx, targets[i].address)) {
                        traffic_apply(ctx);
                        return;
                }
}

void traffic_drift(struct rollout_context *ctx) {
        const struct route_state *state = &ctx->app->route;
        struct digest found;
        struct drift *d;

        if (!ctx->traffic || !state->available || !ctx->next->routed ||
            !str_eq(ctx->next->router, router_kind_names[ctx->traffic->router]))
                return;
        found = route_digest(&state->route);
        if (state->present && !state->altered &&
            (str_eq(found.text, ctx->next->routed) || route_equal(&state->route, route_of(ctx))))
                return;
        d = arena_push(ctx->arena, &ctx->out->drift.items, &ctx->out->drift.n, sizeof(struct drift));
        d->service = ctx->traffic->service.text;
        d->code = REASON_DRIFT_ROUTE;
        d->detail = !state->present ? "the router does not know the app any more"
                    : state->detail ? state->detail
                                    : "the router splits requests otherwise than it was told";
}
