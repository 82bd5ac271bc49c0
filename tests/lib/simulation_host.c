/* SPDX-License-Identifier: Apache-2.0 */

/* The simulated host itself: what becomes of its instances, what actions do to it, and what came of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/simulation.h"

#define LIFE(s)     ((struct sim_life *)(s)->lives.items)
#define INSTANCE(s) ((struct instance *)(s)->instances.items)

/*
 * Instances
 */

static size_t place_of(const struct simulation *s, const char *id) {
        size_t i = 0;

        while (i < s->instances.n && !str_eq(INSTANCE(s)[i].id, id))
                i++;
        return i;
}

struct instance *sim_find(struct simulation *s, const char *id) {
        size_t i = place_of(s, id);

        return i < s->instances.n ? &INSTANCE(s)[i] : NULL;
}

struct sim_life *sim_life(struct simulation *s, const char *id) {
        struct sim_life *life;

        for (size_t i = 0; i < s->lives.n; i++)
                if (str_eq(LIFE(s)[i].id, id))
                        return &LIFE(s)[i];
        life = arena_push(s->arena, &s->lives.items, &s->lives.n, sizeof(struct sim_life));
        life->id = id;
        return life;
}

void sim_remove(struct simulation *s, const char *id) {
        size_t i = place_of(s, id);

        if (i < s->instances.n)
                INSTANCE(s)[i] = INSTANCE(s)[--s->instances.n];
        for (i = 0; i < s->lives.n; i++)
                if (str_eq(LIFE(s)[i].id, id)) {
                        LIFE(s)[i] = LIFE(s)[--s->lives.n];
                        return;
                }
}

static const struct sim_fate *fate_of(const struct simulation *s, const char *spec) {
        static const struct sim_fate well = { .fate = FATE_WELL };
        const struct sim_fate *items = s->fates.items;

        for (size_t i = s->fates.n; i-- > 0;)
                if (str_eq(items[i].spec, spec))
                        return &items[i];
        return &well;
}

static void end_instance(struct instance *i, int64_t code) {
        i->state = INSTANCE_EXITED;
        i->exit_code = code;
        i->health = HEALTH_NONE;
        i->endpoints.n = 0;
}

static enum health healthy_when(const struct simulation *s, bool is_so) {
        return !s->has_health_check ? HEALTH_NONE : is_so ? HEALTH_HEALTHY : HEALTH_STARTING;
}

static void live(struct simulation *s, struct instance *i, const struct sim_life *life) {
        const struct sim_fate *f = fate_of(s, i->spec);
        int64_t age = s->mono - life->started;

        switch (f->fate) {
        case FATE_STARTING:
                i->health = healthy_when(s, false);
                return;
        case FATE_ILL:
                i->health = age >= f->after_ms ? HEALTH_UNHEALTHY : healthy_when(s, true);
                return;
        case FATE_DIES:
                if (age >= f->after_ms)
                        end_instance(i, 1);
                else
                        i->health = healthy_when(s, true);
                return;
        case FATE_LOOPS:
                if (age >= f->after_ms) {
                        i->restarts++;
                        i->started_at = s->world.now;
                }
                return;
        case FATE_SLOW:
                i->health = healthy_when(s, age >= f->after_ms);
                return;
        case FATE_WELL:
        case FATE_MAX_:
                break;
        }
        if (life->job && age >= s->job_ms)
                end_instance(i, 0);
        else if (str_eq(i->spec, s->crashing_spec))
                end_instance(i, 1);
        else if (s->has_health_check && !life->job)
                i->health = str_eq(i->spec, s->broken_spec) ? HEALTH_UNHEALTHY : HEALTH_HEALTHY;
}

void sim_settle(struct simulation *s) {
        for (size_t i = 0; i < s->instances.n; i++)
                if (INSTANCE(s)[i].state == INSTANCE_RUNNING)
                        live(s, &INSTANCE(s)[i], sim_life(s, INSTANCE(s)[i].id));
}

void sim_wait(struct simulation *s, int64_t ms) {
        s->world.now += ms;
        s->mono += ms;
        sim_settle(s);
}

/*
 * Acting
 */

static struct workload *release_of(const struct simulation *s, const char *release) {
        struct workload *const *items = s->releases.items;

        for (size_t i = 0; i < s->releases.n; i++)
                if (str_eq(items[i]->release, release))
                        return items[i];
        return NULL;
}

static void create(struct simulation *s, const struct action *action) {
        const struct workload *w = release_of(s, action->release);
        const struct workload_service *service = workload_find(w, action->service);
        struct instance *i = arena_push(s->arena, &s->instances.items, &s->instances.n, sizeof(struct instance));
        struct sim_life *life;

        *i = (struct instance){
                .id = arena_printf(s->arena, "i%06d", s->next_id++),
                .app = "shop",
                .service = service->name,
                .spec = service->spec_digest,
                .image = service->image,
                .image_matches = true,
                .index = action->index,
                .release = w->release,
                .state = INSTANCE_CREATED,
        };
        i->name = i->id;
        life = sim_life(s, i->id);
        life->job = service_runs_once(service);
        life->port = w->traffic && str_eq(w->traffic->service.text, service->name) ? w->traffic->port : 0;
}

static struct instance *made(struct simulation *s, const struct action *action) {
        struct instance *found = NULL;

        /* The last one made: what CREATE before it in the same look made. */
        for (size_t n = 0; n < s->instances.n; n++)
                if (str_eq(INSTANCE(s)[n].service, action->service) && INSTANCE(s)[n].index == action->index &&
                    INSTANCE(s)[n].state == INSTANCE_CREATED && (!found || strcmp(found->id, INSTANCE(s)[n].id) < 0))
                        found = &INSTANCE(s)[n];
        return found;
}

static void start(struct simulation *s, struct instance *i) {
        struct sim_life *life;
        struct endpoint *e;

        if (i->state == INSTANCE_RUNNING)
                return;
        life = sim_life(s, i->id);
        i->state = INSTANCE_RUNNING;
        i->lost = false;
        i->started_at = s->world.now;
        i->exit_code = 0;
        i->restarts = 0;
        i->health = s->has_health_check && !life->job ? HEALTH_STARTING : HEALTH_NONE;
        life->started = s->mono;
        life->let_go = 0;
        life->routed = false;
        life->passed = (struct string_list){ .items = NULL };
        if (!life->port)
                return;
        i->endpoints = (struct struct_list){ .items = NULL };
        e = arena_push(s->arena, &i->endpoints.items, &i->endpoints.n, sizeof(struct endpoint));
        e->port = life->port;
        e->address = arena_printf(s->arena, "127.0.0.1:%d", s->next_port++);
}

/* To where it is now: an address from before it was started again leads nowhere. */
static bool leads_to(const struct route *r, const struct instance *i) {
        const struct route_target *targets = r->targets.items;
        const struct endpoint *own = i->endpoints.items;

        for (size_t n = 0; n < r->targets.n && i->endpoints.n > 0; n++)
                if (str_eq(targets[n].instance, i->id) && str_eq(targets[n].address, own->address))
                        return true;
        return false;
}

static void note_routed(struct simulation *s, const struct route *r) {
        for (size_t n = 0; n < s->instances.n; n++) {
                struct sim_life *life = sim_life(s, INSTANCE(s)[n].id);
                bool now = r && leads_to(r, &INSTANCE(s)[n]);

                if (life->routed && !now)
                        life->let_go = s->mono;
                if (now)
                        life->let_go = 0;
                life->routed = now;
        }
}

void sim_reroute(struct simulation *s, enum router_kind router) {
        const struct route_state *state = &s->routers[router].state;

        note_routed(s, state->present ? &state->route : NULL);
}

static struct sim_router *router_of(struct simulation *s, const struct action *action) {
        for (size_t i = 0; i < ROUTER_KIND_MAX_; i++)
                if (str_eq(router_kind_names[i], action->router))
                        return &s->routers[i];
        fail_msg("there is no router '%s'", action->router ? action->router : "(null)");
        return NULL;
}

static void put_route(struct simulation *s, struct sim_router *router, const struct route *r) {
        struct route_target *targets = arena_array(s->arena, r->targets.n, sizeof(struct route_target));
        const struct route_target *from = r->targets.items;

        for (size_t i = 0; i < r->targets.n; i++)
                targets[i] = (struct route_target){ .instance = arena_strdup(s->arena, from[i].instance),
                                                    .address = arena_strdup(s->arena, from[i].address),
                                                    .variation = from[i].variation,
                                                    .release = arena_strdup(s->arena, from[i].release) };
        router->state = (struct route_state){ .available = true,
                                              .present = true,
                                              .route = { .app = "shop",
                                                         .candidate = r->candidate,
                                                         .targets = { .items = targets, .n = r->targets.n } } };
}

static int change_router(struct simulation *s, const struct action *action, struct fault *fault) {
        struct sim_router *router = router_of(s, action);

        if (router->away)
                return fault_set_code(fault, FAULT_TRANSIENT, REASON_RUNTIME_UNAVAILABLE, "the router does not answer");
        if (router->refuses) {
                router->refuses -= router->refuses > 0;
                return fault_set(fault, router->for_good ? FAULT_CONFIG : FAULT_TRANSIENT, 0, "the router refuses");
        }
        router->moves++;
        if (action->kind == ACTION_UNROUTE)
                router->state = (struct route_state){ .available = true };
        else
                put_route(s, router, action->route);
        sim_reroute(s, (enum router_kind)(router - s->routers));
        return 0;
}

static int command(struct simulation *s, const struct action *action, struct fault *fault) {
        s->commands++;
        if (!s->failing_commands)
                return 0;
        s->failing_commands -= s->failing_commands > 0;
        return fault_set(fault, FAULT_TRANSIENT, 0, "command %s ended with exit code 1", action->command);
}

static int effect(struct simulation *s, const struct action *action, struct fault *fault) {
        struct instance *i = action->instance ? sim_find(s, action->instance) : NULL;

        switch (action->kind) {
        case ACTION_CREATE:
                create(s, action);
                return 0;
        case ACTION_START:
                i = action->instance ? i : made(s, action);
                if (i)
                        start(s, i);
                return 0;
        case ACTION_STOP:
                if (i && i->state != INSTANCE_CREATED && i->state != INSTANCE_EXITED)
                        end_instance(i, 143);
                return 0;
        case ACTION_REMOVE:
                sim_remove(s, action->instance);
                return 0;
        case ACTION_ROUTE:
        case ACTION_UNROUTE:
                return change_router(s, action, fault);
        case ACTION_COMMAND:
                return command(s, action, fault);
        case ACTION_PREPARE:
        case ACTION_COLLECT:
        case ACTION_MAX_:
                break;
        }
        return 0;
}

static void note_action(struct simulation *s, const struct action *action) {
        struct text_at *line;

        s->actions++;
        if (s->witness)
                s->witness(s, action);
        if (!s->trace)
                return;
        line = arena_push(s->arena, &s->trace->items, &s->trace->n, sizeof(struct text_at));
        line->text = arena_printf(s->arena, "%s%s%s%s", action_kind_names[action->kind], action->service ? " " : "",
                                  action->service ? action->service : "",
                                  action->index ? arena_printf(s->arena, " %lld", (long long)action->index) : "");
}

bool sim_act(struct simulation *s, const struct action *action) {
        own_fault struct fault fault = FAULT_INIT;
        int r;

        /* What a runtime works from must be named, or the pass could not find it. */
        if (action->kind == ACTION_PREPARE || action->kind == ACTION_CREATE)
                assert_true(action->release && ((s->app.wanted && str_eq(action->release, s->app.wanted->release)) ||
                                                (s->app.current && str_eq(action->release, s->app.current->release))));
        note_action(s, action);
        r = s->interfere ? s->interfere(s, action, &fault) : 0;
        if (r == 0)
                r = effect(s, action, &fault);
        if (r == 0)
                rollout_action_done(&s->app.rollout, action, s->world.now, s->scratch);
        else
                rollout_action_failed(&s->app.rollout, action, &fault, s->world.now, s->scratch);
        s->failures += r < 0;
        return r == 0;
}

bool sim_act_all(struct simulation *s, const struct decision *d) {
        const struct action *actions = d->actions.items;

        for (size_t i = 0; i < d->actions.n; i++)
                if (!sim_act(s, &actions[i]))
                        return false;
        return true;
}

/*
 * Looking at what came of it
 */

size_t sim_running(const struct simulation *s, const char *spec) {
        size_t n = 0;

        for (size_t i = 0; i < s->instances.n; i++)
                if (INSTANCE(s)[i].state == INSTANCE_RUNNING && (!spec || str_eq(INSTANCE(s)[i].spec, spec)))
                        n++;
        return n;
}

size_t sim_healthy(const struct simulation *s, const char *name, const char *spec) {
        size_t n = 0;

        for (size_t i = 0; i < s->instances.n; i++)
                if (str_eq(INSTANCE(s)[i].service, name) && (!spec || str_eq(INSTANCE(s)[i].spec, spec)) &&
                    instance_is_healthy(&INSTANCE(s)[i], false))
                        n++;
        return n;
}

static size_t ended_well(const struct simulation *s, const char *spec) {
        size_t n = 0;

        for (size_t i = 0; i < s->instances.n; i++)
                n += instance_has_completed(&INSTANCE(s)[i]) && str_eq(INSTANCE(s)[i].spec, spec);
        return n;
}

bool sim_is_exactly(const struct simulation *s, const struct workload *w) {
        const struct workload_service *services = w ? w->services.items : NULL;
        size_t wanted = 0;

        for (size_t i = 0; w && i < w->services.n; i++) {
                if (service_runs_once(&services[i])) {
                        size_t ended = ended_well(s, services[i].spec_digest);

                        if (services[i].role == ROLE_HOOK ? ended > 0 : ended > (size_t)services[i].replicas)
                                return false;
                        wanted += ended;
                        continue;
                }
                if (sim_running(s, services[i].spec_digest) != (size_t)services[i].replicas)
                        return false;
                wanted += (size_t)services[i].replicas;
        }
        return s->instances.n == wanted;
}

bool sim_routes_exactly(const struct simulation *s, const struct workload *w) {
        const struct traffic *t = w ? w->traffic : NULL;
        size_t serving = 0;

        for (size_t k = 0; k < ROUTER_KIND_MAX_; k++)
                if (s->routers[k].state.present && !(t && t->router == (enum router_kind)k))
                        return false;
        if (!t)
                return true;
        for (size_t i = 0; i < s->instances.n; i++)
                if (INSTANCE(s)[i].state == INSTANCE_RUNNING && str_eq(INSTANCE(s)[i].service, t->service.text)) {
                        if (!leads_to(&s->routers[t->router].state.route, &INSTANCE(s)[i]))
                                return false;
                        serving++;
                }
        if (serving == 0)
                return true;
        return s->routers[t->router].state.present && !s->routers[t->router].state.altered &&
               s->routers[t->router].state.route.candidate == 0 &&
               s->routers[t->router].state.route.targets.n == serving;
}

const struct rollout_step *sim_step_of(const struct simulation *s, const char *name) {
        const struct rollout_step *items = s->app.rollout.steps.items;

        for (size_t i = 0; i < s->app.rollout.steps.n; i++)
                if (str_eq(items[i].step.name.text, name))
                        return &items[i];
        return NULL;
}

enum step_state sim_state_of(const struct simulation *s, const char *name) {
        const struct rollout_step *step = sim_step_of(s, name);

        return step ? step->state : STEP_STATE_MAX_;
}
