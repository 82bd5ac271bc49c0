/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/repair.h"

#include "reconciler/core/breaker.h"
#include "reconciler/core/traffic.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/* A stopped instance starts again; what is wrong otherwise needs a new instance, made from verified content. */
static bool starts_in_place(const struct drift *d, const struct instance *instance) {
        return str_eq(d->code, REASON_DRIFT_STOPPED) && instance && instance->state != INSTANCE_DEAD;
}

static void repair_replica(struct rollout_context *ctx, const struct drift *d) {
        const struct workload_service *service = workload_index_service(ctx->index, d->service);
        const struct instance *instance = workload_index_instance(ctx->index, service, d->index);

        if (starts_in_place(d, instance)) {
                context_add_action(ctx, ACTION_START, service, d->index, instance, d->code, d->detail);
                return;
        }
        if (instance) {
                context_add_action(ctx, ACTION_STOP, service, d->index, instance, d->code, d->detail);
                context_add_action(ctx, ACTION_REMOVE, service, d->index, instance, d->code, d->detail);
        }
        context_add_action(ctx, ACTION_CREATE, service, d->index, NULL, d->code, d->detail);
        context_add_action(ctx, ACTION_START, service, d->index, NULL, d->code, d->detail);
}

/* Drift that a repair can do something about; ill health and a restarting engine are only told. */
static bool is_repairable(const struct rollout_context *ctx, const struct drift *d) {
        const struct workload_service *service = workload_index_service(ctx->index, d->service);
        const struct instance *instance = service ? workload_index_instance(ctx->index, service, d->index) : NULL;

        if (str_eq(d->code, REASON_DRIFT_UNHEALTHY))
                return false;
        if (str_eq(d->code, REASON_DRIFT_ROUTE))
                return true;
        if (str_eq(d->code, REASON_DRIFT_EXTRA))
                return service || ctx->app->settings.prune;
        return !instance || instance->state != INSTANCE_RESTARTING;
}

static void repair_extra(struct rollout_context *ctx, const struct drift *d) {
        const struct instance *items = ctx->app->instances.items;

        for (size_t i = 0; i < ctx->app->instances.n; i++)
                if (str_eq(items[i].id, d->instance)) {
                        context_add_action(ctx, ACTION_STOP, NULL, items[i].index, &items[i], d->code, d->detail);
                        context_add_action(ctx, ACTION_REMOVE, NULL, items[i].index, &items[i], d->code, d->detail);
                        return;
                }
}

/* Extra instances first: they may hold the name or the port of one that is missing. */
static void repair_all(struct rollout_context *ctx) {
        const struct drift *drift = ctx->out->drift.items;
        bool prepared = false;

        for (size_t i = 0; i < ctx->out->drift.n; i++)
                if (str_eq(drift[i].code, REASON_DRIFT_EXTRA) && is_repairable(ctx, &drift[i]))
                        repair_extra(ctx, &drift[i]);
        for (size_t i = 0; i < ctx->out->drift.n; i++) {
                const struct workload_service *service = workload_index_service(ctx->index, drift[i].service);

                /* The split is put right by itself, last, from what then runs. */
                if (str_eq(drift[i].code, REASON_DRIFT_EXTRA) || str_eq(drift[i].code, REASON_DRIFT_ROUTE) ||
                    !is_repairable(ctx, &drift[i]))
                        continue;
                if (!prepared &&
                    !starts_in_place(&drift[i], workload_index_instance(ctx->index, service, drift[i].index))) {
                        context_add_action(ctx, ACTION_PREPARE, NULL, 0, NULL, drift[i].code,
                                           "verify what new instances are made from");
                        prepared = true;
                }
                repair_replica(ctx, &drift[i]);
        }
}

/* The instance that a repair of @d would make anew; NULL: none. */
static const struct instance *made_anew(const struct rollout_context *ctx, const struct drift *d) {
        const struct workload_service *service = workload_index_service(ctx->index, d->service);
        const struct instance *instance = service ? workload_index_instance(ctx->index, service, d->index) : NULL;

        if (!instance || str_eq(d->code, REASON_DRIFT_EXTRA) || str_eq(d->code, REASON_DRIFT_ROUTE) ||
            !is_repairable(ctx, d) || starts_in_place(d, instance))
                return NULL;
        return instance;
}

/*
 * What has to be made anew and still takes requests leaves the route first. False while the router leads to any of it.
 */
static bool let_go(struct rollout_context *ctx) {
        const struct drift *drift = ctx->out->drift.items;
        bool free = true;

        /*
         * All of it first: they must not wait for each other. Where nobody else is left to serve, nothing is gained by
         * waiting.
         */
        for (size_t i = 0; ctx->traffic && i < ctx->out->drift.n; i++) {
                const struct instance *instance = made_anew(ctx, &drift[i]);

                if (instance)
                        ctx->retiring[context_index_of(ctx, instance)] = true;
        }
        for (size_t i = 0; ctx->traffic && i < ctx->out->drift.n; i++) {
                const struct instance *instance = made_anew(ctx, &drift[i]);

                if (instance)
                        free = traffic_releases(ctx, instance) && free;
        }
        return free;
}

void repair(struct rollout_context *ctx) {
        const struct drift *drift = ctx->out->drift.items;
        bool any = false, beside_route = false;
        int64_t wait;

        for (size_t i = 0; i < ctx->out->drift.n; i++)
                if (is_repairable(ctx, &drift[i])) {
                        any = true;
                        beside_route = beside_route || !str_eq(drift[i].code, REASON_DRIFT_ROUTE);
                }
        breaker_observe(&ctx->next->breaker, any, ctx->input->now);
        if (!any || ctx->app->settings.drift != DRIFT_REPAIR || ctx->input->suspended || !ctx->input->ledger_writable)
                return;
        wait = breaker_wait_ms(&ctx->next->breaker, ctx->input->now);
        if (wait > 0) {
                context_wait(ctx, breaker_why(&ctx->next->breaker), wait);
                return;
        }
        /* A router that fails holds up nobody but itself. */
        if (!beside_route && context_waits_to_route(ctx))
                return;
        if (!let_go(ctx)) {
                ctx->lets_go = true;
                return;
        }
        repair_all(ctx);
        breaker_repaired(&ctx->next->breaker, ctx->input->now, ctx->arena);
        ctx->out->event = EVENT_REPAIRING;
}
