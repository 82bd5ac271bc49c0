/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/simulation.h"

#include "reconciler/core/checks.h"

#define LIFE(s) ((struct sim_life *)(s)->lives.items)
#define INSTANCE(s) ((struct instance *)(s)->instances.items)

/*
 * Making
 */

void sim_init(struct simulation *s) {
        *s = (struct simulation){ .arena = arena_new(), .next_port = 32768, .mono = 1, .job_ms = 300, .kill_at = -1 };
        s->scratch = s->arena;
        s->world = (struct world){
                .schema = WORLD_SCHEMA, .host = "web1", .environment = "prod",
                .commit = "0123456789012345678901234567890123456789", .now = 1000000000000, .ledger_writable = true,
        };
        s->app = (struct world_app){
                .app = "shop", .runtime = "fake", .observed = true,
                .settings = { .min_healthy_ms = 1000, .healthy_deadline_ms = 60000, .progress_deadline_ms = 120000 },
                .rollout = { .app = "shop", .intent = -1, .candidate = -1 },
        };
        for (size_t i = 0; i < ROUTER_KIND_MAX_; i++)
                s->routers[i].state.available = true;
}

void sim_done(struct simulation *s) {
        if (s->scratch != s->arena)
                arena_free(s->scratch);
        arena_free(s->arena);
}

void sim_forget(struct simulation *s) {
        if (s->scratch == s->arena)
                s->scratch = arena_new();
}

const char *sim_digest(struct simulation *s, const char *seed) {
        struct digest d = digest_of(seed, strlen(seed));

        return arena_strdup(s->arena, d.text);
}

struct workload *sim_workload(struct simulation *s, const char *version, size_t n, int64_t replicas, const char *const *versions) {
        struct workload *w = arena_new_of(s->arena, struct workload);

        w->app = "shop";
        w->version = version;
        w->runtime = "fake";
        w->release = sim_digest(s, arena_printf(s->arena, "release %s", version));
        w->services.items = arena_array(s->arena, n, sizeof(struct workload_service));
        w->services.n = n;
        for (size_t i = 0; i < n; i++) {
                struct workload_service *service = sim_service(w, i);

                service->name = arena_printf(s->arena, "svc%04zu", i);
                service->image = arena_printf(s->arena, "r/%zu@%s", i, sim_digest(s, versions[i]));
                service->spec_digest = sim_digest(s, arena_printf(s->arena, "spec %zu %s", i, versions[i]));
                service->replicas = replicas;
        }
        *(struct workload **)arena_push(s->arena, &s->releases.items, &s->releases.n, sizeof(struct workload *)) = w;
        return w;
}

struct workload_service *sim_service(struct workload *w, size_t at) {
        return (struct workload_service *)w->services.items + at;
}

void sim_depend(struct simulation *s, struct workload *w, size_t from, size_t on, enum depend_condition c) {
        struct workload_service *service = sim_service(w, from);
        struct depend *d = arena_push(s->arena, &service->depends_on.items, &service->depends_on.n, sizeof(struct depend));

        d->service = sim_service(w, on)->name;
        d->condition = c;
        d->required = true;
}

void sim_route_to(struct simulation *s, struct workload *w, size_t at, enum router_kind router, int64_t drain_ms) {
        struct traffic *t = arena_new_of(s->arena, struct traffic);

        *t = (struct traffic){ .router = router, .service = { .text = sim_service(w, at)->name }, .port = 80, .path = "/",
                               .drain_ms = drain_ms };
        w->traffic = t;
}

void sim_fate(struct simulation *s, const struct workload_service *service, enum fate fate, int64_t after_ms) {
        struct sim_fate *f = arena_push(s->arena, &s->fates.items, &s->fates.n, sizeof(struct sim_fate));

        *f = (struct sim_fate){ .spec = service->spec_digest, .fate = fate, .after_ms = after_ms };
}

void sim_say(struct simulation *s, const char *check, const struct workload_service *service, enum check_verdict verdict) {
        struct sim_saying *said = arena_push(s->arena, &s->sayings.items, &s->sayings.n, sizeof(struct sim_saying));

        *said = (struct sim_saying){ .check = check, .spec = service ? service->spec_digest : NULL, .verdict = verdict };
}

struct check *sim_check(struct simulation *s, const char *name, const struct workload_service *service, int64_t interval_ms,
                        int64_t retries) {
        struct check *c = arena_push(s->arena, &s->app.checks.items, &s->app.checks.n, sizeof(struct check));
        struct check_tcp *tcp = arena_new_of(s->arena, struct check_tcp);

        tcp->port = 80;
        *c = (struct check){ .name = { .text = name }, .service = { .text = service->name }, .tcp = tcp, .interval_ms = interval_ms,
                             .timeout_ms = 1000, .retries = retries };
        return c;
}

void sim_plan(struct simulation *s, const struct rollout_settings *settings, const struct struct_list *steps) {
        s->app.settings.strategy = settings->strategy;
        s->app.settings.order = settings->order;
        s->app.settings.max_parallel = settings->max_parallel;
        s->app.settings.on_failure = settings->on_failure;
        plan_make(settings, steps, s->app.wanted && s->app.wanted->traffic, s->arena, &s->app.plan);
}

void sim_want(struct simulation *s, struct workload *w) {
        s->app.wanted = w;
        s->app.declared = w != NULL;
        s->app.plan = (struct struct_list){ .items = NULL };
}

struct plan_step *sim_step(struct simulation *s, struct struct_list *steps, const char *name, const char *needs) {
        struct plan_step *step = arena_push(s->arena, &steps->items, &steps->n, sizeof(struct plan_step));
        char *rest = arena_strdup(s->arena, needs), *word, *save = NULL;

        step->name.text = name;
        step->needs_given = needs != NULL;
        for (word = rest ? strtok_r(rest, " ", &save) : NULL; word; word = strtok_r(NULL, " ", &save))
                ((struct text_at *)arena_push(s->arena, &step->needs.items, &step->needs.n, sizeof(struct text_at)))->text = word;
        return step;
}

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
 * Looking
 */

static int compare(const void *x, const void *y) {
        const struct instance *a = x, *b = y;
        int order = strcmp(a->service, b->service);

        if (order == 0)
                order = strcmp(a->spec, b->spec);
        if (order == 0)
                order = a->index < b->index ? -1 : a->index > b->index;
        return order ? order : strcmp(a->id, b->id);
}

static void observe(struct simulation *s) {
        s->app.instances = (struct struct_list){ .items = NULL };
        if (s->instances.n == 0 || !s->app.observed)
                return;
        s->app.instances.items = arena_array(s->scratch, s->instances.n, sizeof(struct instance));
        s->app.instances.n = s->instances.n;
        memcpy(s->app.instances.items, s->instances.items, s->instances.n * sizeof(struct instance));
        qsort(s->app.instances.items, s->instances.n, sizeof(struct instance), compare);
}

static void read_route(struct simulation *s) {
        const struct traffic *t = world_traffic(&s->app);
        const struct sim_router *router = t ? &s->routers[t->router] : NULL;

        s->app.route = (struct route_state){ .available = false };
        if (!t)
                return;
        if (router->away)
                s->app.route.reason = "it does not answer";
        else
                s->app.route = router->state;
        s->app.route.available = !router->away;
}

static const struct sim_saying *saying_of(const struct simulation *s, const struct check_due *due) {
        const struct sim_saying *items = s->sayings.items;

        for (size_t i = s->sayings.n; i-- > 0;)
                if (str_eq(items[i].check, due->check->name.text) &&
                    (!items[i].spec || (due->instance && str_eq(items[i].spec, due->instance->spec))))
                        return &items[i];
        return NULL;
}

static void note_passed(struct simulation *s, const struct check_fact *fact) {
        struct sim_life *life = fact->instance && fact->verdict == CHECK_PASS ? sim_life(s, fact->instance) : NULL;

        for (size_t i = 0; life && i < life->passed.n; i++)
                if (str_eq(life->passed.items[i].text, fact->check))
                        return;
        if (life)
                ((struct text_at *)arena_push(s->arena, &life->passed.items, &life->passed.n, sizeof(struct text_at)))->text = fact->check;
}

static void make_facts(struct simulation *s) {
        struct struct_list due;
        const struct check_due *items;

        s->app.facts = (struct struct_list){ .items = NULL };
        checks_due(&s->app, s->world.now, s->scratch, &due);
        items = due.items;
        for (size_t i = 0; i < due.n; i++) {
                struct check_fact *fact = arena_push(s->scratch, &s->app.facts.items, &s->app.facts.n, sizeof(struct check_fact));
                const struct sim_saying *said = saying_of(s, &items[i]);

                *fact = (struct check_fact){ .check = items[i].check->name.text, .instance = items[i].instance ? items[i].instance->id : NULL,
                                             .verdict = said ? said->verdict : CHECK_PASS, .detail = "as the script says" };
                if (said && said->measures) {
                        fact->value = &said->value;
                        fact->baseline = &said->baseline;
                }
                note_passed(s, fact);
                s->facts_made++;
        }
}

/* The rollout, as its file has it. */
static void reread(struct simulation *s) {
        own_fault struct fault fault = FAULT_INIT;
        own_json json_t *json = table_write(&rollout_table, &s->app.rollout);

        if (s->scratch != s->arena) {
                arena_free(s->scratch);
                s->scratch = arena_new();
        }
        if (table_read_json(&rollout_table, "rollout", json, &s->app.rollout, s->scratch, &fault) < 0)
                fail_msg("the rollout does not survive its file: %s", fault.message);
}

void sim_look(struct simulation *s) {
        reread(s);
        observe(s);
        read_route(s);
        make_facts(s);
        s->world.apps = (struct struct_list){ .items = &s->app, .n = 1 };
        gate_judge(&s->world, s->scratch);
        if (s->gate && s->app.declared && s->app.rollout.phase != PHASE_SETTLED && s->app.rollout.phase != PHASE_ABSENT)
                verdict_add(&s->app.verdicts, s->scratch, s->gate, s->gate_says, NULL, s->gate_says == VERDICT_ALLOW ? NULL : "not yet");
}

/* What the pass does with events before it persists the rollout. */
static void note_event(struct simulation *s, const struct decision_app *out) {
        s->last_event = out->event;
        s->events[out->event]++;
        if (out->event == EVENT_SETTLED)
                s->app.settled = s->app.wanted && str_eq(s->app.wanted->release, out->rollout.settled_release) ? s->app.wanted : s->app.settled;
        if (out->event == EVENT_REMOVED)
                s->app.settled = NULL;
}

struct decision sim_decide(struct simulation *s) {
        struct decision d;
        const struct decision_app *out;

        sim_look(s);
        decide(&s->world, s->scratch, &d);
        out = d.apps.items;
        note_event(s, out);
        s->app.rollout = out->rollout;
        return d;
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
                .id = arena_printf(s->arena, "i%06d", s->next_id++), .app = "shop", .service = service->name,
                .spec = service->spec_digest, .image = service->image, .image_matches = true, .index = action->index,
                .release = w->release, .state = INSTANCE_CREATED,
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
                                                    .variation = from[i].variation, .release = arena_strdup(s->arena, from[i].release) };
        router->state = (struct route_state){ .available = true, .present = true,
                                              .route = { .app = "shop", .candidate = r->candidate,
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
        if (action->verb == VERB_UNROUTE)
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

        switch (action->verb) {
        case VERB_CREATE:
                create(s, action);
                return 0;
        case VERB_START:
                i = action->instance ? i : made(s, action);
                if (i)
                        start(s, i);
                return 0;
        case VERB_STOP:
                if (i && i->state != INSTANCE_CREATED && i->state != INSTANCE_EXITED)
                        end_instance(i, 143);
                return 0;
        case VERB_REMOVE:
                sim_remove(s, action->instance);
                return 0;
        case VERB_ROUTE:
        case VERB_UNROUTE:
                return change_router(s, action, fault);
        case VERB_COMMAND:
                return command(s, action, fault);
        case VERB_PREPARE:
        case VERB_COLLECT:
        case VERB_MAX_:
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
        line->text = arena_printf(s->arena, "%s%s%s%s", verb_names[action->verb], action->service ? " " : "",
                                  action->service ? action->service : "",
                                  action->index ? arena_printf(s->arena, " %lld", (long long)action->index) : "");
}

bool sim_act(struct simulation *s, const struct action *action) {
        own_fault struct fault fault = FAULT_INIT;
        int r;

        /* What a runtime works from must be named, or the pass could not find it. */
        if (action->verb == VERB_PREPARE || action->verb == VERB_CREATE)
                assert_true(action->release && ((s->app.wanted && str_eq(action->release, s->app.wanted->release)) ||
                                                (s->app.settled && str_eq(action->release, s->app.settled->release))));
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

/* Whether the pass is killed here. */
static bool killed(struct simulation *s) {
        return s->points++ == s->kill_at;
}

static bool act_until_killed(struct simulation *s, const struct decision *d) {
        const struct action *actions = d->actions.items;

        for (size_t i = 0; i < d->actions.n; i++) {
                if (killed(s))
                        return false;
                if (!sim_act(s, &actions[i]))
                        break;
                if (killed(s))
                        return false;
        }
        return !killed(s);
}

static void restart(struct simulation *s, const json_t *persisted) {
        own_fault struct fault fault = FAULT_INIT;

        if (table_read_json(&rollout_table, "rollout", persisted, &s->app.rollout, s->scratch, &fault) < 0)
                fail_msg("%s", fault.message);
}

bool sim_pass(struct simulation *s, struct decision *ret) {
        own_json json_t *next = NULL;
        const struct decision_app *out;

        sim_look(s);
        decide(&s->world, s->scratch, ret);
        if (s->judge)
                s->judge(s, ret);
        if (killed(s))
                return false;
        out = ret->apps.items;
        note_event(s, out);
        if (killed(s))
                return false;
        s->app.rollout = out->rollout;
        /* Only who dies needs it: whoever lives on has it in memory. */
        next = s->kill_at >= 0 ? table_write(&rollout_table, &s->app.rollout) : NULL;
        if (act_until_killed(s, ret))
                return true;
        restart(s, next);
        return false;
}

bool sim_run(struct simulation *s, int limit) {
        int quiet = 0;

        for (int n = 0; n < limit; n++) {
                struct decision d;
                const struct decision_app *out;

                (void)sim_pass(s, &d);
                out = d.apps.items;
                sim_wait(s, 500);
                quiet = d.actions.n == 0 && out->event == EVENT_NONE && !out->wake_at ? quiet + 1 : 0;
                if (quiet > 3)
                        return true;
        }
        return false;
}

bool sim_run_to(struct simulation *s, enum phase phase, int limit) {
        for (int n = 0; n < limit && s->app.rollout.phase != phase; n++) {
                struct decision d;

                (void)sim_pass(s, &d);
                sim_wait(s, 100);
        }
        return s->app.rollout.phase == phase;
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
                n += INSTANCE(s)[i].state == INSTANCE_EXITED && INSTANCE(s)[i].exit_code == 0 && str_eq(INSTANCE(s)[i].spec, spec);
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
               s->routers[t->router].state.route.candidate == 0 && s->routers[t->router].state.route.targets.n == serving;
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
