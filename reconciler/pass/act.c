/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/pass/act.h"

#include "shared/base/clock.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

struct acting {
        const struct world *world;
        const struct decision *decision;
        struct act_result *results;
        struct arena *arena;
        const struct act_hands *hands;
};

const struct workload *act_workload(const struct world_app *app, const struct action *action) {
        if (app->wanted && str_eq(app->wanted->release, action->release))
                return app->wanted;
        if (app->settled && str_eq(app->settled->release, action->release))
                return app->settled;
        return NULL;
}

bool action_changes_workload(const struct action *action) {
        return action->verb != VERB_PREPARE && action->verb != VERB_COLLECT;
}

static const struct world_app *find_app(const struct world *world, const char *name) {
        const struct world_app *apps = world->apps.items;

        for (size_t i = 0; i < world->apps.n; i++)
                if (str_eq(apps[i].app, name))
                        return &apps[i];
        return NULL;
}

static const struct instance *find_instance(const struct world_app *app, const char *id) {
        const struct instance *items = app->instances.items;

        for (size_t i = 0; i < app->instances.n; i++)
                if (str_eq(items[i].id, id))
                        return &items[i];
        return NULL;
}

/* What CREATE made for a service's replica earlier in this run. */
static const char *made_before(const struct acting *run, size_t before, const struct action *action) {
        for (size_t i = before; i-- > 0;) {
                const struct action *earlier = run->results[i].action;

                if (earlier->verb == VERB_CREATE && run->results[i].done && str_eq(earlier->app, action->app) &&
                    str_eq(earlier->service, action->service) && earlier->index == action->index)
                        return run->results[i].instance;
        }
        return NULL;
}

/* The instance an action is about: seen in the world, or made a moment ago. */
static int instance_of(const struct acting *run, size_t at, const struct world_app *app, struct instance *ret,
                       struct fault *reterr) {
        const struct action *action = run->results[at].action;
        const struct workload *w = act_workload(app, action);
        const struct workload_service *service = w && action->service ? workload_find(w, action->service) : NULL;
        const struct instance *seen = action->instance ? find_instance(app, action->instance) : NULL;

        if (seen) {
                *ret = *seen;
                return 0;
        }
        *ret = (struct instance){
                .id = action->instance ? action->instance : made_before(run, at, action),
                .app = action->app,
                .service = action->service,
                .release = action->release,
                .index = action->index,
                .spec = service ? service->spec_digest : NULL,
                .image = service ? service->image : NULL,
        };
        if (ret->id)
                return 0;
        return fault_set(reterr, FAULT_CONFLICT, 0, "%s of %s: the instance is not there any more", action->service,
                         action->app);
}

static int create(const struct acting *run, struct runtime *rt, const struct workload *w, struct act_result *result,
                  struct fault *reterr) {
        const struct workload_service *service = w ? workload_find(w, result->action->service) : NULL;

        if (!service)
                return fault_set(reterr, FAULT_CONFLICT, 0, "%s of %s: the release is not at hand any more",
                                 result->action->service, result->action->app);
        return runtime_create(rt, w, service, result->action->index, run->arena, &result->instance, reterr);
}

static int route(const struct acting *run, const struct world_app *app, const struct action *action, struct fault *reterr) {
        const struct traffic *traffic = world_traffic(app);
        struct router *router = NULL;
        int r = run->hands->router(run->hands->data, action->router, &router, reterr);

        if (r < 0)
                return r;
        if (action->verb == VERB_UNROUTE)
                return router_remove(router, app->app, reterr);
        if (!traffic || !str_eq(router_kind_names[traffic->router], action->router))
                return fault_set(reterr, FAULT_CONFLICT, 0, "%s: another router carries its requests now", app->app);
        return router_apply(router, traffic, action->route, reterr);
}

static int run_verb(const struct acting *run, size_t at, struct runtime *rt, const struct world_app *app,
                    struct fault *reterr) {
        struct act_result *result = &run->results[at];
        const struct workload *w = act_workload(app, result->action);
        struct instance instance;
        int r;

        switch (result->action->verb) {
        case VERB_PREPARE:
                if (!w)
                        return fault_set(reterr, FAULT_CONFLICT, 0, "%s: the release is not at hand any more", app->app);
                return runtime_prepare(rt, w, run->hands->progress, reterr);
        case VERB_CREATE:
                return create(run, rt, w, result, reterr);
        case VERB_ROUTE:
        case VERB_UNROUTE:
                return route(run, app, result->action, reterr);
        case VERB_COMMAND:
                return run->hands->command(run->hands->data, app, result->action, reterr);
        case VERB_COLLECT:
                return 0; /* after all apps: collect() needs every workload */
        case VERB_STOP:
        case VERB_START:
        case VERB_REMOVE:
                r = instance_of(run, at, app, &instance, reterr);
                if (r < 0)
                        return r;
                result->instance = instance.id;
                return result->action->verb == VERB_STOP    ? runtime_stop(rt, &instance, reterr)
                       : result->action->verb == VERB_START ? runtime_start(rt, &instance, reterr)
                                                            : runtime_remove(rt, &instance, reterr);
        case VERB_MAX_:
                break;
        }
        return fault_set(reterr, FAULT_INTERNAL, 0, "an action without a verb");
}

static bool app_failed_before(const struct acting *run, size_t at) {
        for (size_t i = at; i-- > 0;)
                if (str_eq(run->results[i].action->app, run->results[at].action->app))
                        return !run->results[i].done;
        return false;
}

static void run_action(const struct acting *run, size_t at) {
        struct act_result *result = &run->results[at];
        const struct world_app *app = find_app(run->world, result->action->app);
        own_fault struct fault fault = FAULT_INIT;
        int r;

        if (app_failed_before(run, at)) {
                result->skipped = true;
                return;
        }
        result->started_at = clock_wall_ms();
        r = run_verb(run, at, run->hands->runtime(run->hands->data, app), app, &fault);
        result->finished_at = clock_wall_ms();
        result->done = r == 0;
        if (r < 0) {
                result->code = fault.code;
                result->message = arena_strdup(run->arena, fault.message);
        }
        if (run->hands->done)
                run->hands->done(run->hands->data, app, result, r < 0 ? &fault : NULL);
}

struct act_result *act(const struct world *world, const struct decision *decision, const struct act_hands *hands,
                       struct arena *a) {
        const struct action *actions = decision->actions.items;
        struct acting run = {
                .world = world,
                .decision = decision,
                .results = arena_array(a, decision->actions.n, sizeof(struct act_result)),
                .arena = a,
                .hands = hands,
        };

        for (size_t i = 0; i < decision->actions.n; i++)
                run.results[i].action = &actions[i];
        for (size_t i = 0; i < decision->actions.n; i++)
                run_action(&run, i);
        return run.results;
}
