/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/pass/act.h"

#include "reconciler/pass/workers.h"
#include "reconciler/pass/worker_runtimes.h"
#include "shared/base/clock.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

struct acting {
        const struct decision_input *input;
        const struct decision *decision;
        struct act_result *results;
        struct arena *arena;
        const struct act_ports *ports;
};

const struct workload *act_workload(const struct app_input *app, const struct action *action) {
        if (app->wanted && str_eq(app->wanted->release, action->release))
                return app->wanted;
        if (app->current && str_eq(app->current->release, action->release))
                return app->current;
        return NULL;
}

bool action_changes_workload(const struct action *action) {
        return action->kind != ACTION_PREPARE && action->kind != ACTION_COLLECT;
}

static const struct app_input *find_app(const struct decision_input *input, const char *name) {
        const struct app_input *apps = input->apps.items;

        for (size_t i = 0; i < input->apps.n; i++)
                if (str_eq(apps[i].app, name))
                        return &apps[i];
        return NULL;
}

static const struct instance *find_instance(const struct app_input *app, const char *id) {
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

                if (earlier->kind == ACTION_CREATE && run->results[i].done && str_eq(earlier->app, action->app) &&
                    str_eq(earlier->service, action->service) && earlier->index == action->index)
                        return run->results[i].instance;
        }
        return NULL;
}

/* The instance an action is about: seen in the world, or made a moment ago. */
static int instance_of(const struct acting *run, size_t at, const struct app_input *app, struct instance *ret,
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

static int create(struct runtime *rt, const struct workload *w, struct act_result *result, struct arena *a,
                  struct fault *reterr) {
        const struct workload_service *service = w ? workload_find(w, result->action->service) : NULL;

        if (!service)
                return fault_set(reterr, FAULT_CONFLICT, 0, "%s of %s: the release is not at hand any more",
                                 result->action->service, result->action->app);
        return runtime_create(rt, w, service, result->action->index, a, &result->instance, reterr);
}

static int route(const struct acting *run, const struct app_input *app, const struct action *action,
                 struct fault *reterr) {
        const struct traffic *traffic = app_input_traffic(app);
        struct router *router = NULL;
        int r = run->ports->router(run->ports->data, action->router, &router, reterr);

        if (r < 0)
                return r;
        if (action->kind == ACTION_UNROUTE)
                return router_remove(router, app->app, reterr);
        if (!traffic || !str_eq(router_kind_names[traffic->router], action->router))
                return fault_set(reterr, FAULT_CONFLICT, 0, "%s: another router carries its requests now", app->app);
        return router_apply(router, traffic, action->route, reterr);
}

/* What the result points to is in @a. */
static int run_action_kind(const struct acting *run, size_t at, struct runtime *rt, const struct app_input *app,
                           struct arena *a, struct fault *reterr) {
        struct act_result *result = &run->results[at];
        const struct workload *w = act_workload(app, result->action);
        struct instance instance;
        int r;

        switch (result->action->kind) {
        case ACTION_PREPARE:
                if (!w)
                        return fault_set(reterr, FAULT_CONFLICT, 0, "%s: the release is not at hand any more",
                                         app->app);
                return runtime_prepare(rt, w, run->ports->progress, reterr);
        case ACTION_CREATE:
                return create(rt, w, result, a, reterr);
        case ACTION_ROUTE:
        case ACTION_UNROUTE:
                return route(run, app, result->action, reterr);
        case ACTION_COMMAND:
                return run->ports->command(run->ports->data, app, result->action, reterr);
        case ACTION_COLLECT:
                return 0; /* after all apps: collect() needs every workload */
        case ACTION_STOP:
        case ACTION_START:
        case ACTION_REMOVE:
                r = instance_of(run, at, app, &instance, reterr);
                if (r < 0)
                        return r;
                result->instance = instance.id;
                return result->action->kind == ACTION_STOP    ? runtime_stop(rt, &instance, reterr)
                       : result->action->kind == ACTION_START ? runtime_start(rt, &instance, reterr)
                                                              : runtime_remove(rt, &instance, reterr);
        case ACTION_MAX_:
                break;
        }
        return fault_set(reterr, FAULT_INTERNAL, 0, "an action without a verb");
}

static bool app_failed_before(const struct acting *run, size_t at) {
        for (size_t i = at; i-- > 0;)
                if (str_eq(run->results[i].action->app, run->results[at].action->app) && !run->results[i].done)
                        return true;
        return false;
}

static int run_timed(const struct acting *run, size_t at, struct runtime *rt, struct arena *a, struct fault *reterr) {
        struct act_result *result = &run->results[at];
        int r;

        result->started_at = clock_wall_ms();
        r = run_action_kind(run, at, rt, find_app(run->input, result->action->app), a, reterr);
        result->finished_at = clock_wall_ms();
        result->done = r == 0;
        return r;
}

/* @fault: NULL when it was done. */
static void tell(const struct acting *run, size_t at, const struct fault *fault) {
        struct act_result *result = &run->results[at];

        if (fault) {
                result->code = fault->code;
                result->message = arena_strdup(run->arena, fault->message);
        }
        if (run->ports->done)
                run->ports->done(run->ports->data, find_app(run->input, result->action->app), result, fault);
}

static struct runtime *runtime_of(const struct acting *run, size_t at) {
        return run->ports->runtime(run->ports->data, find_app(run->input, run->results[at].action->app));
}

static void run_action(const struct acting *run, size_t at) {
        own_fault struct fault fault = FAULT_INIT;
        int r;

        if (app_failed_before(run, at)) {
                run->results[at].skipped = true;
                return;
        }
        r = run_timed(run, at, runtime_of(run, at), run->arena, &fault);
        tell(run, at, r < 0 ? &fault : NULL);
}

/*
 * Side by side
 */

static bool is_about_instance(const struct action *action) {
        return action->kind == ACTION_CREATE || action->kind == ACTION_STOP || action->kind == ACTION_START ||
               action->kind == ACTION_REMOVE;
}

/* The end of the actions from @at on that may be carried out side by side: those of one app about its instances. */
static size_t end_of_side(const struct acting *run, size_t at) {
        const char *app = run->results[at].action->app;
        size_t end = at;

        while (end < run->decision->actions.n && str_eq(run->results[end].action->app, app) &&
               is_about_instance(run->results[end].action))
                end++;
        return end > at && runtime_of(run, at)->ops->clone ? end : at;
}

struct side {
        const struct acting *run;
        size_t first;
        struct fault *faults; /* one an action */
        struct arena **arenas;
};

/*
 * Everything is made before anything is stopped or started, and everything is stopped before anything starts that stood
 * behind it: a port or a name may go from one service to another. Within a service the order stays.
 */
static bool follows(const void *data, size_t item, size_t earlier) {
        const struct side *side = data;
        const struct action *x = side->run->results[side->first + earlier].action,
                            *y = side->run->results[side->first + item].action;

        if (x->kind == y->kind)
                return false;
        return x->kind == ACTION_CREATE || (x->kind == ACTION_STOP && y->kind == ACTION_START) ||
               str_eq(x->service, y->service);
}

static int run_item(void *data, size_t item, void *tool) {
        struct side *side = data;

        return run_timed(side->run, side->first + item, tool, side->arenas[item], &side->faults[item]);
}

/* What was done is told in order, then what failed: nothing that went well afterwards may hide it. */
static void tell_side(const struct side *side, const enum worker_state *states, size_t n) {
        for (size_t i = 0; i < n; i++) {
                struct act_result *result = &side->run->results[side->first + i];

                result->instance = arena_strdup(side->run->arena, result->instance);
                result->skipped = states[i] == WORKER_WAITING;
                if (states[i] == WORKER_DONE)
                        tell(side->run, side->first + i, NULL);
        }
        for (size_t i = 0; i < n; i++)
                if (states[i] == WORKER_FAILED)
                        tell(side->run, side->first + i, &side->faults[i]);
}

static void run_side(const struct acting *run, size_t at, size_t end) {
        size_t n = end - at, n_workers;
        struct side side = {
                .run = run,
                .first = at,
                .faults = arena_array(run->arena, n, sizeof(struct fault)),
                .arenas = arena_array(run->arena, n, sizeof(struct arena *)),
        };
        enum worker_state *states = arena_array(run->arena, n, sizeof(*states));
        const struct worker_job work = { .n = n, .follows = follows, .run = run_item, .data = &side };
        void *ports[PASS_WORKERS];

        for (size_t i = 0; i < n; i++) {
                side.faults[i] = (struct fault)FAULT_INIT;
                side.arenas[i] = arena_new();
        }
        n_workers = worker_runtimes_open(runtime_of(run, at), n, ports);
        workers_run(&work, ports, n_workers, states);
        tell_side(&side, states, n);
        worker_runtimes_close(ports, n_workers);
        for (size_t i = 0; i < n; i++) {
                fault_done(&side.faults[i]);
                arena_free(side.arenas[i]);
        }
}

struct act_result *act(const struct decision_input *input, const struct decision *decision,
                       const struct act_ports *ports, struct arena *a) {
        const struct action *actions = decision->actions.items;
        struct acting run = {
                .input = input,
                .decision = decision,
                .results = arena_array(a, decision->actions.n, sizeof(struct act_result)),
                .arena = a,
                .ports = ports,
        };

        for (size_t i = 0; i < decision->actions.n; i++)
                run.results[i].action = &actions[i];
        for (size_t i = 0; i < decision->actions.n;) {
                size_t end = app_failed_before(&run, i) ? i : end_of_side(&run, i);

                if (end - i > 1) {
                        run_side(&run, i, end);
                        i = end;
                } else
                        run_action(&run, i++);
        }
        return run.results;
}
