/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The invariants
 *
 *   - the same world gives the same bytes, also when it went through its JSON (at every look of the first thousand,
 *     then of a sample)
 *   - steps move as plan_may_move() allows, and what is over stays over
 *   - never two routes in one look
 *   - no release is proven whose checks did not pass on each of its instances
 *   - poison stays, but for a signed retry that names the release, is valid and was never used before
 *   - what served before is not removed before the new release is proven
 *   - nothing of a release starts, and nothing is stopped for it, before its migrations have run
 *   - where the strategy promises instances in service, they are there, unless something else took them
 *   - what serves is not stopped before the route let go of it and the requests under way had their time
 *   - the route names nobody who stopped while another could serve
 */

#include "tests/simulation/story.h"

/*
 * One look in so many is decided three times: once more as it is, and once more through its JSON. That takes ten times
 * as long as the look.
 */
#define SAMPLE 16

static const struct rollout *now_of(const struct simulation *s) {
        return &s->app.rollout;
}

static bool is_walking(enum phase phase) {
        return phase == PHASE_PREPARING || phase == PHASE_STAGING || phase == PHASE_EVALUATING;
}

static bool lists(const struct string_list *list, const char *text) {
        for (size_t i = 0; i < list->n; i++)
                if (str_eq(list->items[i].text, text))
                        return true;
        return false;
}

static struct string_list copy_of(struct simulation *s, const struct string_list *list) {
        struct string_list copy = { .items = NULL };

        for (size_t i = 0; i < list->n; i++)
                ((struct text_at *)arena_push(s->arena, &copy.items, &copy.n, sizeof(struct text_at)))->text =
                        arena_strdup(s->arena, list->items[i].text);
        return copy;
}

void watch_begin(struct story *t) {
        t->promises = false;
}

void watch_taken(struct story *t) {
        t->taken = true;
}

/*
 * The same world, the same bytes
 */

static json_t *decide_again(const struct decision_input *world) {
        own_arena struct arena *a = arena_new();
        struct decision d;

        decide(world, a, &d);
        return table_write(&decision_table, &d);
}

static void judge_determinism(struct story *t, const struct decision *d) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        own_json json_t *first = table_write(&decision_table, d), *second = decide_again(&t->sim.world), *world = NULL,
                        *third = NULL;
        struct decision_input reread;

        if (!json_equal(first, second))
                (void)story_fails(t, "the same world gave another decision");
        world = table_write(&decision_input_table, &t->sim.world);
        if (table_read_json(&decision_input_table, "world", world, &reread, a, &fault) < 0) {
                (void)story_fails(t, "the world does not survive its JSON: %s", fault.message);
                return;
        }
        third = decide_again(&reread);
        if (!json_equal(first, third))
                (void)story_fails(t, "the world gave another decision once it went through its JSON");
}

/*
 * Steps
 */

/* In one look a step may make several moves. */
static bool may_become(enum step_state from, enum step_state to) {
        if (from == to)
                return true;
        for (int next = 0; next < STEP_STATE_MAX_; next++)
                if (plan_may_move(from, next) &&
                    (next == (int)to || (from < STEP_RUNNING && may_become(next, to)) ||
                     ((next == STEP_READY || next == STEP_RUNNING || next == STEP_WAITING) && plan_may_move(next, to))))
                        return true;
        return false;
}

static bool is_same_rollout(const struct story *t, const struct rollout *r) {
        return t->states_of && t->states_of == r->started_at && str_eq(t->states_release, r->release) &&
               t->n_states == r->steps.n;
}

static void judge_steps(struct story *t, const struct rollout *r, const char *when) {
        const struct rollout_step *steps = r->steps.items;

        for (size_t i = 0; is_same_rollout(t, r) && i < r->steps.n; i++)
                if (!may_become(t->states[i], steps[i].state))
                        (void)story_fails(t, "step %s went from %s to %s %s", steps[i].step.name.text,
                                          step_state_names[t->states[i]], step_state_names[steps[i].state], when);
}

static void remember_steps(struct story *t, const struct rollout *r) {
        const struct rollout_step *steps = r->steps.items;

        t->n_states = r->steps.n < 64 ? r->steps.n : 64;
        t->states_of = r->steps.n ? r->started_at : 0;
        for (int i = 0; i < STORY_RELEASES; i++)
                if (str_eq(t->releases[i].workload->release, r->release))
                        t->states_release = t->releases[i].workload->release;
        for (size_t i = 0; i < t->n_states; i++)
                t->states[i] = steps[i].state;
}

/*
 * Poison
 */

static bool is_permitted(const struct story *t, const char *id, const char *release) {
        const struct retry_permission *items = t->sim.app.retries.items;

        for (size_t i = 0; i < t->sim.app.retries.n; i++)
                if (str_eq(items[i].id, id))
                        return str_eq(items[i].release, release) &&
                               (!items[i].expires_at || t->sim.world.now < items[i].expires_at);
        return false;
}

static void judge_poison(struct story *t, const struct decision_app *out) {
        const struct rollout *before = now_of(&t->sim), *after = &out->rollout;
        const struct text_at *items = before->poisoned.items;
        size_t used = 0;

        for (size_t i = 0; i < after->retried.n; i++) {
                const char *id = after->retried.items[i].text;

                if (lists(&before->retried, id))
                        continue;
                used++;
                if (out->event != EVENT_STARTED || !lists(&before->poisoned, after->release) ||
                    !is_permitted(t, id, after->release))
                        (void)story_fails(t, "retry %s was used where it permits nothing", id);
                if (lists(&t->used, id))
                        (void)story_fails(t, "retry %s was used twice", id);
        }
        for (size_t i = 0; i < before->poisoned.n; i++)
                if (!lists(&after->poisoned, items[i].text) && (used != 1 || !str_eq(after->release, items[i].text)))
                        (void)story_fails(t, "poison was lost");
        for (size_t i = 0; i < before->retried.n; i++)
                if (!lists(&after->retried, before->retried.items[i].text))
                        (void)story_fails(t, "it was forgotten that a retry is used up");
        if (out->event == EVENT_STARTED && lists(&before->poisoned, after->release) && used != 1)
                (void)story_fails(t, "a poisoned release began without a signed retry");
        for (size_t i = 0; i < t->poisoned.n; i++)
                if (!lists(&before->poisoned, t->poisoned.items[i].text))
                        (void)story_fails(t, "poison that was persisted is gone");
}

/*
 * What the strategy promises
 */

static int64_t smaller(int64_t a, int64_t b) {
        return a < b ? a : b;
}

static int64_t promise(const struct story *t, const struct workload_service *service) {
        const struct app_settings *settings = &t->sim.app.settings;
        const struct workload_service *before = workload_find(t->sim.app.current, service->name);
        bool stop_first = settings->order == ORDER_STOP_FIRST;
        int64_t n, at_a_time;

        if (!before || service->role != ROLE_PRIMARY || service->exclusive || before->exclusive ||
            settings->strategy == STRATEGY_RECREATE)
                return 0;
        n = smaller(smaller(before->replicas, service->replicas), (int64_t)sim_healthy(&t->sim, service->name, NULL));
        if (!stop_first)
                return n;
        at_a_time = settings->strategy == STRATEGY_ROLLING ? settings->max_parallel : 0;
        n = smaller(before->replicas, service->replicas) - at_a_time;
        return at_a_time && n > 0 &&
                               (int64_t)sim_healthy(&t->sim, service->name, NULL) >=
                                       smaller(before->replicas, service->replicas)
                       ? n
                       : 0;
}

static void make_promises(struct story *t, bool anew) {
        const struct workload_service *services = t->sim.app.wanted->services.items;

        if (!t->sim.app.current) {
                t->promises = false;
                return;
        }
        for (size_t i = 0; i < t->sim.app.wanted->services.n; i++)
                t->promised[i] = anew ? promise(t, &services[i]) : smaller(t->promised[i], promise(t, &services[i]));
        t->promises = anew || t->promises;
        if (anew)
                t->taken = false;
}

/* Going back may be as abrupt as the settings of the moment say. */
static bool goes_back_stop_first(const struct story *t) {
        const struct app_settings *settings = &t->sim.app.settings;

        return (now_of(&t->sim)->phase == PHASE_REVERTING || now_of(&t->sim)->phase == PHASE_STUCK) &&
               (settings->order == ORDER_STOP_FIRST || settings->strategy == STRATEGY_RECREATE);
}

static void check_promises(struct story *t) {
        const struct workload_service *services = t->releases[0].workload->services.items;

        /* Of what nobody declares any more nothing is promised. */
        if (goes_back_stop_first(t) || now_of(&t->sim)->phase == PHASE_REMOVING ||
            now_of(&t->sim)->phase == PHASE_ABSENT)
                t->promises = false;
        if (!t->promises || t->taken)
                return;
        for (size_t i = 0; i < t->releases[0].workload->services.n; i++)
                if ((int64_t)sim_healthy(&t->sim, services[i].name, NULL) < t->promised[i])
                        (void)story_fails(t, "%zu of %s in service, and %lld were promised",
                                          sim_healthy(&t->sim, services[i].name, NULL), services[i].name,
                                          (long long)t->promised[i]);
}

/*
 * Checks
 */

static void judge_proof(struct story *t) {
        const struct check *checks = t->sim.app.checks.items;
        const struct instance *items = t->sim.instances.items;

        for (size_t c = 0; c < t->sim.app.checks.n; c++)
                for (size_t i = 0; i < t->sim.instances.n; i++) {
                        const struct workload_service *service = workload_find(t->sim.app.wanted, items[i].service);

                        if (!str_eq(checks[c].service.text, items[i].service) || items[i].state != INSTANCE_RUNNING ||
                            !service || !str_eq(items[i].spec, service->spec_digest) ||
                            items[i].index > service->replicas)
                                continue;
                        if (!t->jumped && !t->taken &&
                            !lists(&sim_life(&t->sim, items[i].id)->passed, checks[c].name.text))
                                (void)story_fails(t, "the release is proven, and check %s was not passed by %s",
                                                  checks[c].name.text, items[i].id);
                }
}

/*
 * A look
 */

/* A job that ran has run, also when somebody removes its instance afterwards. */
static void remember_ran(struct story *t, bool anew) {
        const struct instance *items = t->sim.instances.items;

        if (anew)
                t->ran = (struct string_list){ .items = NULL };
        for (size_t i = 0; i < t->sim.instances.n; i++)
                if (instance_has_completed(&items[i]) && !lists(&t->ran, items[i].spec))
                        ((struct text_at *)arena_push(t->sim.arena, &t->ran.items, &t->ran.n, sizeof(struct text_at)))
                                ->text = items[i].spec;
}

void watch_judge(struct simulation *s, const struct decision *d) {
        struct story *t = s->data;
        const struct decision_app *out = d->apps.items;
        const struct action *actions = d->actions.items;
        size_t routes = 0;

        t->decision = d;
        remember_ran(t, out->event == EVENT_STARTED);
        if (t->thorough || story_random(&t->sample_random, SAMPLE) == 0)
                judge_determinism(t, d);
        judge_steps(t, now_of(s), "between two looks");
        remember_steps(t, now_of(s));
        if (out->event != EVENT_STARTED)
                judge_steps(t, &out->rollout, "in a look");
        judge_poison(t, out);
        for (size_t i = 0; i < d->actions.n; i++)
                routes += actions[i].kind == ACTION_ROUTE;
        if (routes > 1)
                (void)story_fails(t, "two routes in one look");
        if (out->event == EVENT_SETTLED)
                judge_proof(t);
        if (out->event == EVENT_STARTED)
                make_promises(t, now_of(s)->phase == PHASE_SETTLED || now_of(s)->phase == PHASE_ABSENT);
        /* The rollout is over, or it never was safe to begin with. */
        if (out->event == EVENT_SETTLED || out->event == EVENT_REVERTED || out->event == EVENT_REPAIRING)
                t->promises = false;
}

/*
 * An action
 */

static bool has_run(const struct story *t, const struct workload_service *service) {
        const struct workload_service *before =
                t->sim.app.current ? workload_find(t->sim.app.current, service->name) : NULL;

        return (before && str_eq(before->spec_digest, service->spec_digest)) || lists(&t->ran, service->spec_digest);
}

static void watch_migrations(struct story *t, const struct action *action) {
        const struct workload *w = t->sim.app.wanted;
        const struct workload_service *services, *mine;
        const struct instance *started;

        if (!w || !is_walking(now_of(&t->sim)->phase) || !action->service || action->kind == ACTION_ROUTE)
                return;
        mine = workload_find(w, action->service);
        if (!mine || service_runs_once(mine))
                return;
        /* One of the old goes on. */
        started = action->kind == ACTION_START && action->instance ? sim_find(&t->sim, action->instance) : NULL;
        if (started && started->lost && !str_eq(started->spec, mine->spec_digest))
                return;
        services = w->services.items;
        for (size_t i = 0; i < w->services.n; i++)
                if (services[i].role == ROLE_MIGRATION && !has_run(t, &services[i]))
                        (void)story_fails(t, "%s %s before migration %s has run", action_kind_names[action->kind],
                                          action->service, services[i].name);
}

/* The look that is carried out stops it. */
static bool is_to_stop(const struct story *t, const struct instance *i) {
        const struct action *actions = t->decision->actions.items;

        for (size_t n = 0; n < t->decision->actions.n; n++)
                if (actions[n].kind == ACTION_STOP && str_eq(actions[n].instance, i->id))
                        return true;
        return false;
}

static bool another_serves(const struct story *t, const struct instance *than) {
        const struct route *r = &t->sim.routers[ROUTER_MEMORY].state.route;
        const struct route_target *targets = r->targets.items;
        const struct instance *items = t->sim.instances.items;

        for (size_t i = 0; i < r->targets.n; i++)
                for (size_t k = 0; k < t->sim.instances.n; k++)
                        if (&items[k] != than && str_eq(items[k].id, targets[i].instance) &&
                            instance_is_healthy(&items[k], false) && !is_to_stop(t, &items[k]))
                                return true;
        return false;
}

static void watch_stop(struct story *t, const struct action *action) {
        const struct instance *i = sim_find(&t->sim, action->instance);
        const struct traffic *traffic = app_input_traffic(&t->sim.app);
        const struct sim_life *life;

        if (!i || i->state != INSTANCE_RUNNING || !traffic || !str_eq(i->service, traffic->service.text) || t->taken ||
            now_of(&t->sim)->phase == PHASE_SETTLED || now_of(&t->sim)->phase == PHASE_REMOVING ||
            !another_serves(t, i))
                return;
        life = sim_life(&t->sim, i->id);
        if (life->routed)
                (void)story_fails(t, "%s is stopped while the route leads to it", i->id);
        else if (life->let_go && !t->jumped && t->sim.mono - life->let_go < traffic->drain_ms)
                (void)story_fails(t, "%s is stopped %lld ms after the route let go of it, not %lld", i->id,
                                  (long long)(t->sim.mono - life->let_go), (long long)traffic->drain_ms);
}

void watch_action(struct simulation *s, const struct action *action) {
        struct story *t = s->data;
        const struct instance *i = action->instance ? sim_find(s, action->instance) : NULL;
        const struct workload_service *service = i && s->app.current ? workload_find(s->app.current, i->service) : NULL;

        watch_migrations(t, action);
        if (action->kind == ACTION_STOP)
                watch_stop(t, action);
        if (action->kind == ACTION_REMOVE && i && lists(&now_of(s)->previous, i->id) &&
            !(service && service->role == ROLE_HOOK) &&
            (is_walking(now_of(s)->phase) || now_of(s)->phase == PHASE_REVERTING))
                (void)story_fails(t, "%s, which served before, is removed while %s", i->id,
                                  phase_names[now_of(s)->phase]);
}

/*
 * After a look
 */

/* Whoever it leads to runs, when anybody whom it should lead to does. */
static void check_route(struct story *t, const struct decision *d) {
        const struct traffic *traffic = t->sim.app.current ? t->sim.app.current->traffic : NULL;
        const struct sim_router *router = &t->sim.routers[ROUTER_MEMORY];
        const struct route_target *targets = router->state.route.targets.items;
        const struct instance *items = t->sim.instances.items;
        const struct workload_service *service =
                traffic ? workload_find(t->sim.app.current, traffic->service.text) : NULL;
        bool could = false;

        /* Who could serve whatever happens: an instance of the settled release. */
        for (size_t i = 0; service && i < t->sim.instances.n; i++)
                could = could || (str_eq(items[i].spec, service->spec_digest) &&
                                  lists(&now_of(&t->sim)->previous, items[i].id) &&
                                  instance_is_healthy(&items[i], false) && items[i].endpoints.n > 0);
        for (size_t i = 0; could && router->state.present && i < router->state.route.targets.n; i++) {
                const struct instance *target = sim_find(&t->sim, targets[i].instance);

                if (!target || target->state != INSTANCE_RUNNING)
                        (void)story_fails(t, "the route leads to %s, which does not run, and another could serve",
                                          targets[i].instance);
        }
}

void watch_after(struct story *t, const struct decision *d, bool whole) {
        const struct decision_app *out = d->apps.items;

        check_promises(t);
        if (whole && t->sim.app.observed && !t->sim.world.suspended && t->failures == t->sim.failures &&
            !t->sim.routers[ROUTER_MEMORY].away && out->event == EVENT_NONE &&
            t->sim.app.rollout.route_retry_at <= t->sim.world.now && is_walking(now_of(&t->sim)->phase))
                check_route(t, d);
        /* What was persisted is what there is; a pass that was killed early persisted nothing. */
        t->used = copy_of(&t->sim, &now_of(&t->sim)->retried);
        t->poisoned = copy_of(&t->sim, &now_of(&t->sim)->poisoned);
        remember_steps(t, now_of(&t->sim));
}
