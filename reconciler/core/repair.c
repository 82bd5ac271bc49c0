/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/repair.h"

#include "reconciler/core/breaker.h"
#include "reconciler/core/split.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/* A stopped instance starts again; what is wrong otherwise needs a new instance, made from verified content. */
static bool starts_in_place(const struct drift *d, const struct instance *instance) {
        return str_eq(d->code, REASON_DRIFT_STOPPED) && instance && instance->state != INSTANCE_DEAD;
}

static void repair_replica(struct look *s, const struct drift *d) {
        const struct workload_service *service = lookup_service(s->lookup, d->service);
        const struct instance *instance = lookup_instance(s->lookup, service, d->index);

        if (starts_in_place(d, instance)) {
                look_act(s, VERB_START, service, d->index, instance, d->code, d->detail);
                return;
        }
        if (instance) {
                look_act(s, VERB_STOP, service, d->index, instance, d->code, d->detail);
                look_act(s, VERB_REMOVE, service, d->index, instance, d->code, d->detail);
        }
        look_act(s, VERB_CREATE, service, d->index, NULL, d->code, d->detail);
        look_act(s, VERB_START, service, d->index, NULL, d->code, d->detail);
}

/* Drift that a repair can do something about; ill health and a restarting engine are only told. */
static bool is_repairable(const struct look *s, const struct drift *d) {
        const struct workload_service *service = lookup_service(s->lookup, d->service);
        const struct instance *instance = service ? lookup_instance(s->lookup, service, d->index) : NULL;

        if (str_eq(d->code, REASON_DRIFT_UNHEALTHY))
                return false;
        if (str_eq(d->code, REASON_DRIFT_ROUTE))
                return true;
        if (str_eq(d->code, REASON_DRIFT_EXTRA))
                return service || s->app->settings.prune;
        return !instance || instance->state != INSTANCE_RESTARTING;
}

static void repair_extra(struct look *s, const struct drift *d) {
        const struct instance *items = s->app->instances.items;

        for (size_t i = 0; i < s->app->instances.n; i++)
                if (str_eq(items[i].id, d->instance)) {
                        look_act(s, VERB_STOP, NULL, items[i].index, &items[i], d->code, d->detail);
                        look_act(s, VERB_REMOVE, NULL, items[i].index, &items[i], d->code, d->detail);
                        return;
                }
}

/* Extra instances first: they may hold the name or the port of one that is missing. */
static void repair_all(struct look *s) {
        const struct drift *drift = s->out->drift.items;
        bool prepared = false;

        for (size_t i = 0; i < s->out->drift.n; i++)
                if (str_eq(drift[i].code, REASON_DRIFT_EXTRA) && is_repairable(s, &drift[i]))
                        repair_extra(s, &drift[i]);
        for (size_t i = 0; i < s->out->drift.n; i++) {
                const struct workload_service *service = lookup_service(s->lookup, drift[i].service);

                /* The split is put right by itself, last, from what then runs. */
                if (str_eq(drift[i].code, REASON_DRIFT_EXTRA) || str_eq(drift[i].code, REASON_DRIFT_ROUTE) ||
                    !is_repairable(s, &drift[i]))
                        continue;
                if (!prepared && !starts_in_place(&drift[i], lookup_instance(s->lookup, service, drift[i].index))) {
                        look_act(s, VERB_PREPARE, NULL, 0, NULL, drift[i].code, "verify what new instances are made from");
                        prepared = true;
                }
                repair_replica(s, &drift[i]);
        }
}

/* The instance that a repair of @d would make anew; NULL: none. */
static const struct instance *made_anew(const struct look *s, const struct drift *d) {
        const struct workload_service *service = lookup_service(s->lookup, d->service);
        const struct instance *instance = service ? lookup_instance(s->lookup, service, d->index) : NULL;

        if (!instance || str_eq(d->code, REASON_DRIFT_EXTRA) || str_eq(d->code, REASON_DRIFT_ROUTE) || !is_repairable(s, d) ||
            starts_in_place(d, instance))
                return NULL;
        return instance;
}

/* What has to be made anew and still takes requests leaves the route first. False while the router leads to any of it. */
static bool let_go(struct look *s) {
        const struct drift *drift = s->out->drift.items;
        bool free = true;

        /* All of it first: they must not wait for each other. Where nobody else is left to serve, nothing is gained by waiting. */
        for (size_t i = 0; s->traffic && i < s->out->drift.n; i++) {
                const struct instance *instance = made_anew(s, &drift[i]);

                if (instance)
                        s->retiring[look_place(s, instance)] = true;
        }
        for (size_t i = 0; s->traffic && i < s->out->drift.n; i++) {
                const struct instance *instance = made_anew(s, &drift[i]);

                if (instance)
                        free = split_releases(s, instance) && free;
        }
        return free;
}

void repair(struct look *s) {
        const struct drift *drift = s->out->drift.items;
        bool any = false, beside_route = false;
        int64_t wait;

        for (size_t i = 0; i < s->out->drift.n; i++)
                if (is_repairable(s, &drift[i])) {
                        any = true;
                        beside_route = beside_route || !str_eq(drift[i].code, REASON_DRIFT_ROUTE);
                }
        breaker_look(&s->next->breaker, any, s->world->now);
        if (!any || s->app->settings.drift != DRIFT_REPAIR || s->world->suspended || !s->world->ledger_writable)
                return;
        wait = breaker_wait_ms(&s->next->breaker, s->world->now);
        if (wait > 0) {
                look_wait(s, breaker_why(&s->next->breaker), wait);
                return;
        }
        /* A router that fails holds up nobody but itself. */
        if (!beside_route && look_waits_to_route(s))
                return;
        if (!let_go(s)) {
                s->lets_go = true;
                return;
        }
        repair_all(s);
        breaker_repaired(&s->next->breaker, s->world->now, s->arena);
        s->out->event = EVENT_REPAIRING;
}
