/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A simulated host for tests of the pure core: instances that do what actions say, faults on demand, time as a number.
 * It is a world with a memory; decide() cannot tell it from a real one.
 */

#include <stdlib.h>
#include <string.h>

#include "policies/gate.h"
#include "reconciler/core/rollout.h"
#include "reconciler/pass/decide.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

struct simulation {
        struct arena *arena;
        struct world world;
        struct world_app app;
        struct struct_list instances; /* struct instance, unsorted */
        int next_id;
        const char *broken_spec;      /* instances of this specification turn unhealthy */
        const char *crashing_spec;    /* … or exit by themselves */
        bool has_health_check;
        int actions;                  /* carried out so far */
        enum event last_event;
        int events[EVENT_MAX_];
};

static inline const char *sim_digest(struct simulation *s, const char *seed) {
        struct digest d = digest_of(seed, strlen(seed));

        return arena_strdup(s->arena, d.text);
}

/* A workload of @n services svc0, svc1, … each of @replicas; the specification of service i changes with @versions[i]. */
static inline struct workload *sim_workload(struct simulation *s, const char *version, size_t n, int64_t replicas,
                                            const char *const *versions) {
        struct workload *w = arena_new_of(s->arena, struct workload);

        w->app = "shop";
        w->version = version;
        w->runtime = "fake";
        w->release = sim_digest(s, arena_printf(s->arena, "release %s", version));
        w->services.items = arena_array(s->arena, n, sizeof(struct workload_service));
        w->services.n = n;
        for (size_t i = 0; i < n; i++) {
                struct workload_service *service = (struct workload_service *)w->services.items + i;

                service->name = arena_printf(s->arena, "svc%04zu", i);
                service->image = arena_printf(s->arena, "r/%zu@%s", i, sim_digest(s, versions[i]));
                service->spec_digest = sim_digest(s, arena_printf(s->arena, "spec %zu %s", i, versions[i]));
                service->replicas = replicas;
        }
        return w;
}

static inline void sim_depend(struct simulation *s, struct workload *w, size_t from, size_t on, enum depend_condition c) {
        struct workload_service *services = w->services.items;
        struct depend *d = arena_push(s->arena, &services[from].depends_on.items, &services[from].depends_on.n,
                                      sizeof(struct depend));

        d->service = services[on].name;
        d->condition = c;
        d->required = true;
}

static inline void sim_init(struct simulation *s) {
        *s = (struct simulation){ .arena = arena_new() };
        s->world = (struct world){
                .schema = WORLD_SCHEMA, .host = "web1", .environment = "prod",
                .commit = "0123456789012345678901234567890123456789", .now = 1000000000000, .ledger_writable = true,
        };
        s->app = (struct world_app){
                .app = "shop", .runtime = "fake", .observed = true,
                .settings = { .min_healthy_ms = 1000, .healthy_deadline_ms = 60000, .progress_deadline_ms = 120000 },
                .rollout = { .app = "shop", .intent = -1 },
        };
}

static inline void sim_done(struct simulation *s) {
        arena_free(s->arena);
}

static inline void sim_want(struct simulation *s, struct workload *w) {
        s->app.wanted = w;
        s->app.declared = w != NULL;
}

static inline struct instance *sim_find(struct simulation *s, const char *id) {
        struct instance *items = s->instances.items;

        for (size_t i = 0; i < s->instances.n; i++)
                if (str_eq(items[i].id, id))
                        return &items[i];
        return NULL;
}

static inline int sim_compare(const void *x, const void *y) {
        const struct instance *a = x, *b = y;
        int order = strcmp(a->service, b->service);

        if (order == 0)
                order = strcmp(a->spec, b->spec);
        if (order == 0)
                order = a->index < b->index ? -1 : a->index > b->index;
        return order ? order : strcmp(a->id, b->id);
}

/* What time does to instances: checks pass or fail, processes end. */
static inline void sim_settle(struct simulation *s) {
        struct instance *items = s->instances.items;

        for (size_t i = 0; i < s->instances.n; i++) {
                if (items[i].state != INSTANCE_RUNNING)
                        continue;
                if (str_eq(items[i].spec, s->crashing_spec)) {
                        items[i].state = INSTANCE_EXITED;
                        items[i].exit_code = 1;
                }
                if (s->has_health_check)
                        items[i].health = str_eq(items[i].spec, s->broken_spec) ? HEALTH_UNHEALTHY : HEALTH_HEALTHY;
        }
}

/* Look and decide; the rollout's next state is kept, as the pass would persist it. */
static inline struct decision sim_decide(struct simulation *s) {
        struct decision d;
        struct decision_app *out;

        s->app.instances.items = arena_array(s->arena, s->instances.n, sizeof(struct instance));
        s->app.instances.n = s->instances.n;
        if (s->instances.n > 0) {
                memcpy(s->app.instances.items, s->instances.items, s->instances.n * sizeof(struct instance));
                qsort(s->app.instances.items, s->instances.n, sizeof(struct instance), sim_compare);
        }
        s->world.apps = (struct struct_list){ .items = &s->app, .n = 1 };
        gate_judge(&s->world, s->arena);
        decide(&s->world, s->arena, &d);
        out = d.apps.items;
        s->app.rollout = out->rollout;
        s->last_event = out->event;
        s->events[out->event]++;
        if (out->event == EVENT_SETTLED)
                s->app.settled = s->app.wanted;
        return d;
}

static inline void sim_remove(struct simulation *s, const char *id) {
        struct instance *items = s->instances.items;

        for (size_t i = 0; i < s->instances.n; i++)
                if (str_eq(items[i].id, id)) {
                        items[i] = items[s->instances.n - 1];
                        s->instances.n--;
                        return;
                }
}

static inline void sim_create(struct simulation *s, const struct action *action) {
        const struct workload *w = s->app.wanted && str_eq(s->app.wanted->release, action->release) ? s->app.wanted
                                                                                                     : s->app.settled;
        const struct workload_service *service = workload_find(w, action->service);
        struct instance *i = arena_push(s->arena, &s->instances.items, &s->instances.n, sizeof(struct instance));

        *i = (struct instance){
                .id = arena_printf(s->arena, "i%06d", s->next_id++), .app = "shop", .service = service->name,
                .spec = service->spec_digest, .image = service->image, .image_matches = true, .index = action->index,
                .release = w->release, .state = INSTANCE_CREATED,
        };
        i->name = i->id;
}

/* Carry out one action. An action on something that is gone does nothing, as in a real engine's idempotent calls. */
static inline void sim_act(struct simulation *s, const struct action *action) {
        struct instance *i = action->instance ? sim_find(s, action->instance) : NULL;
        struct instance *items;

        s->actions++;
        /* What a runtime works from must be named, or the pass could not find it. */
        if (action->verb == VERB_PREPARE || action->verb == VERB_CREATE)
                assert_true(action->release && ((s->app.wanted && str_eq(action->release, s->app.wanted->release)) ||
                                                (s->app.settled && str_eq(action->release, s->app.settled->release))));
        switch (action->verb) {
        case VERB_PREPARE:
                rollout_action_done(&s->app.rollout, action, s->world.now, s->arena);
                return;
        case VERB_CREATE:
                sim_create(s, action);
                return;
        case VERB_START:
                items = s->instances.items;
                for (size_t n = 0; !i && n < s->instances.n; n++)
                        if (str_eq(items[n].service, action->service) && items[n].index == action->index &&
                            items[n].state == INSTANCE_CREATED)
                                i = &items[n];
                if (i) {
                        i->state = INSTANCE_RUNNING;
                        i->started_at = s->world.now;
                        i->health = s->has_health_check ? HEALTH_STARTING : HEALTH_NONE;
                }
                return;
        case VERB_STOP:
                if (i)
                        i->state = i->state == INSTANCE_CREATED ? INSTANCE_CREATED : INSTANCE_EXITED;
                return;
        case VERB_REMOVE:
                sim_remove(s, action->instance);
                return;
        case VERB_ROUTE:
        case VERB_UNROUTE:
        case VERB_COMMAND:
        case VERB_COLLECT:
        case VERB_MAX_:
                return;
        }
}

/* Passes until nothing happens for a while; at most @limit looks. True when it came to rest. */
static inline bool sim_run(struct simulation *s, int limit) {
        int quiet = 0;

        for (int n = 0; n < limit; n++) {
                struct decision d = sim_decide(s);
                const struct action *actions = d.actions.items;
                const struct decision_app *out = d.apps.items;

                for (size_t i = 0; i < d.actions.n; i++)
                        sim_act(s, &actions[i]);
                s->world.now += 500;
                sim_settle(s);
                quiet = d.actions.n == 0 && out->event == EVENT_NONE && !out->wake_at ? quiet + 1 : 0;
                if (quiet > 3)
                        return true;
        }
        return false;
}

static inline size_t sim_running(const struct simulation *s, const char *spec) {
        const struct instance *items = s->instances.items;
        size_t n = 0;

        for (size_t i = 0; i < s->instances.n; i++)
                if (items[i].state == INSTANCE_RUNNING && (!spec || str_eq(items[i].spec, spec)))
                        n++;
        return n;
}

/* Exactly the instances of @w, all running, nothing else. */
static inline bool sim_is_exactly(const struct simulation *s, const struct workload *w) {
        const struct workload_service *services = w ? w->services.items : NULL;
        size_t wanted = 0;

        for (size_t i = 0; w && i < w->services.n; i++) {
                if (sim_running(s, services[i].spec_digest) != (size_t)services[i].replicas)
                        return false;
                wanted += (size_t)services[i].replicas;
        }
        return s->instances.n == wanted;
}
