/* SPDX-License-Identifier: Apache-2.0 */

/* What the app is, and how its story goes. */

#include "tests/simulation/story.h"

#include "shared/base/log.h"

uint32_t story_random(uint64_t *state, uint32_t below) {
        uint64_t z;

        /* splitmix64: https://prng.di.unimi.it/splitmix64.c */
        z = *state += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        z ^= z >> 31;
        return below ? (uint32_t)(z % below) : 0;
}

static uint32_t any(struct story *t, uint32_t below) {
        return story_random(&t->app_random, below);
}

static bool one_in(struct story *t, uint32_t n) {
        return any(t, n) == 0;
}

bool story_fails(struct story *t, const char *fmt, ...) {
        va_list args;

        if (t->failure[0])
                return false;
        va_start(args, fmt);
        (void)vsnprintf(t->failure, sizeof(t->failure), fmt, args);
        va_end(args);
        return false;
}

/*
 * The app
 */

struct shape {
        size_t n;
        enum service_role roles[6];
        bool exclusive[6];
        int64_t replicas[6];
        bool routed, depends[6][6];
        size_t served; /* the service that is routed */
        int64_t drain_ms;
        bool hooks, prune;
};

static void make_shape(struct story *t, struct shape *h) {
        static const enum service_role others[] = { ROLE_PRIMARY, ROLE_PRIMARY,   ROLE_PRIMARY,
                                                    ROLE_INIT,    ROLE_MIGRATION, ROLE_SIDECAR };

        *h = (struct shape){ .n = 1 + any(t, 4) };
        for (size_t i = 0; i < h->n; i++) {
                h->roles[i] = i == h->n - 1 ? ROLE_PRIMARY : others[any(t, 6)];
                h->replicas[i] = h->roles[i] == ROLE_PRIMARY ? (one_in(t, 12) ? 0 : 1 + any(t, 5)) : 1;
                h->exclusive[i] = h->roles[i] != ROLE_INIT && h->roles[i] != ROLE_MIGRATION && one_in(t, 7);
                for (size_t k = 0; k < i; k++)
                        h->depends[i][k] = one_in(t, 4);
        }
        h->hooks = one_in(t, 5);
        if (h->hooks) {
                h->roles[h->n] = ROLE_HOOK;
                h->replicas[h->n++] = 1;
        }
        h->routed = one_in(t, 2);
        h->served = h->hooks ? h->n - 2 : h->n - 1;
        h->drain_ms = any(t, 3) * 400;
        h->prune = one_in(t, 2);
}

static enum depend_condition condition(struct story *t, enum service_role on) {
        if (on == ROLE_INIT || on == ROLE_MIGRATION)
                return DEPEND_COMPLETED;
        return one_in(t, 2) ? DEPEND_HEALTHY : DEPEND_STARTED;
}

static struct workload *make_workload(struct story *t, const struct shape *h, int release) {
        struct simulation *s = &t->sim;
        const char *versions[6];
        struct workload *w;

        for (size_t i = 0; i < h->n; i++)
                versions[i] = arena_printf(s->arena, "%d", i == h->served || !one_in(t, 4) ? release : 0);
        w = sim_workload(s, arena_printf(s->arena, "%d.0", release), h->n, 1, versions);
        for (size_t i = 0; i < h->n; i++) {
                struct workload_service *service = sim_service(w, i);

                service->role = h->roles[i];
                service->replicas = h->roles[i] == ROLE_PRIMARY && one_in(t, 5) ? any(t, 6) : h->replicas[i];
                service->exclusive = h->exclusive[i];
                for (size_t k = 0; k < i; k++)
                        if (h->depends[i][k] && h->roles[k] != ROLE_HOOK && h->roles[i] != ROLE_HOOK)
                                sim_depend(s, w, i, k, condition(t, h->roles[k]));
        }
        if (h->routed)
                sim_route_to(s, w, h->served, ROUTER_MEMORY, h->drain_ms);
        return w;
}

/* An own plan: a gate, hooks, a wait, stages, in an order that plan_check() takes. */
static void make_steps(struct story *t, const struct shape *h, struct struct_list *steps) {
        struct simulation *s = &t->sim;
        int64_t weights[] = { 10 + any(t, 30), 50 + any(t, 30), 100 };
        struct plan_step *step;

        *steps = (struct struct_list){ .items = NULL };
        if (one_in(t, 3))
                sim_step(s, steps, "window", "")->gate.text = "window";
        sim_step(s, steps, "prepare", steps->n ? NULL : "")->prepare = true;
        if (h->hooks) {
                step = sim_step(s, steps, "before", "prepare");
                step->hook = arena_new_of(s->arena, struct step_hook);
                ((struct step_hook *)step->hook)->service.text = arena_printf(s->arena, "svc%04zu", h->n - 1);
                step->retries = any(t, 2);
        }
        for (size_t i = one_in(t, 2) ? 0 : 2; i < 3; i++) {
                step = sim_step(s, steps, arena_printf(s->arena, "stage-%zu", i), NULL);
                step->stage = arena_new_of(s->arena, struct step_stage);
                ((struct step_stage *)step->stage)->weight = weights[i];
                ((struct step_stage *)step->stage)->beside = h->routed && one_in(t, 2);
                if (h->routed && one_in(t, 2)) {
                        step = sim_step(s, steps, arena_printf(s->arena, "traffic-%zu", i), NULL);
                        step->traffic = arena_new_of(s->arena, struct step_traffic);
                        ((struct step_traffic *)step->traffic)->weight = weights[i];
                }
                if (one_in(t, 2)) {
                        step = sim_step(s, steps, arena_printf(s->arena, "check-%zu", i), NULL);
                        step->check = arena_new_of(s->arena, struct step_check);
                        ((struct step_check *)step->check)->for_ms = any(t, 8000);
                }
        }
        if (one_in(t, 2)) {
                step = sim_step(s, steps, "aside", "prepare");
                step->wait = arena_new_of(s->arena, struct step_wait);
                ((struct step_wait *)step->wait)->for_ms = any(t, 20000);
        }
        if (one_in(t, 2)) {
                step = sim_step(s, steps, "tell", NULL);
                step->notify.text = "tell";
                step->on_failure = STEP_CONTINUE;
        }
}

static void make_settings(struct story *t, const struct shape *h, struct story_release *r) {
        struct simulation *s = &t->sim;
        struct rollout_settings settings = { .strategy = any(t, STRATEGY_MAX_),
                                             .order = one_in(t, 4) ? ORDER_STOP_FIRST : ORDER_AUTO,
                                             .max_parallel = any(t, 3),
                                             .bake_ms = any(t, 8000),
                                             .on_failure = one_in(t, 7) ? ON_FAILURE_PAUSE : ON_FAILURE_ROLLBACK };
        struct progression progression = { .kind = any(t, PROGRESSION_MAX_),
                                           .start = 10 + any(t, 30),
                                           .hold_ms = any(t, 8000) };
        struct canary_step steps[2] = { { .weight = 1 + any(t, 50), .hold_ms = any(t, 8000) },
                                        { .weight = 51 + any(t, 50), .hold_ms = any(t, 8000) } };
        struct struct_list own = { .items = NULL };
        own_fault struct fault fault = FAULT_INIT;

        if (one_in(t, 2))
                settings.progression = &progression;
        else
                settings.steps = (struct struct_list){ .items = steps, .n = 2 };
        if (h->hooks || one_in(t, 5))
                make_steps(t, h, &own);
        assert_int_equal(plan_check(&own, &fault), 0);
        r->settings = (struct app_settings){
                .strategy = settings.strategy,
                .order = settings.order,
                .max_parallel = settings.max_parallel,
                .min_healthy_ms = any(t, 3) * 700,
                .healthy_deadline_ms = 60000,
                .progress_deadline_ms = 120000,
                .on_failure = settings.on_failure,
                .drift = one_in(t, 6) ? DRIFT_REPORT : DRIFT_REPAIR,
                .prune = h->prune,
        };
        plan_make(&settings, &own, h->routed, s->arena, &r->plan);
}

/* Whose instances fail: a service that this release changes, and that has any. */
static const struct workload_service *victim_of(struct story *t, const struct workload *w, bool job) {
        const struct workload_service *items = w->services.items, *before = t->releases[0].workload->services.items;
        size_t first = any(t, (uint32_t)w->services.n);

        for (size_t n = 0; n < w->services.n; n++) {
                size_t i = (first + n) % w->services.n;

                if (items[i].replicas > 0 && items[i].role != ROLE_HOOK && service_runs_once(&items[i]) == job &&
                    (w == t->releases[0].workload || !str_eq(items[i].spec_digest, before[i].spec_digest)))
                        return &items[i];
        }
        return NULL;
}

static void make_mood(struct story *t, struct story_release *r) {
        static const enum fate fates[MOOD_MAX_] = {
                [MOOD_ILL] = FATE_ILL,        [MOOD_DIES] = FATE_DIES,
                [MOOD_LOOPS] = FATE_LOOPS,    [MOOD_NEVER_HEALTHY] = FATE_STARTING,
                [MOOD_JOB_FAILS] = FATE_DIES,
        };
        struct simulation *s = &t->sim;
        const struct workload_service *victim = victim_of(t, r->workload, r->mood == MOOD_JOB_FAILS);
        struct check *check;

        if (r->mood == MOOD_NEVER_HEALTHY && !s->has_health_check)
                r->mood = MOOD_GOOD;
        if (r->mood == MOOD_GOOD || !victim) {
                r->mood = MOOD_GOOD;
                return;
        }
        r->bad = true;
        if (fates[r->mood]) {
                sim_fate(s, victim, fates[r->mood], 0);
                return;
        }
        s->app.checks = r->checks;
        check = sim_check(s, arena_printf(s->arena, "check-%s", r->workload->version), victim, 1000 + any(t, 4000),
                          1 + any(t, 3));
        check->start_period_ms = any(t, 3) * 1000;
        r->checks = s->app.checks;
        sim_say(s, check->name.text, victim, r->mood == MOOD_CHECK_FAILS ? CHECK_FAIL : CHECK_INCONCLUSIVE);
}

static void make_checks(struct story *t, struct story_release *r) {
        struct simulation *s = &t->sim;

        s->app.checks = (struct struct_list){ .items = NULL };
        for (size_t i = 0; i < r->workload->services.n; i++)
                if (sim_service(r->workload, i)->role == ROLE_PRIMARY && one_in(t, 3))
                        (void)sim_check(s, arena_printf(s->arena, "%s-tcp", sim_service(r->workload, i)->name),
                                        sim_service(r->workload, i), 1000 + any(t, 4000), 1 + any(t, 3));
        r->checks = s->app.checks;
}

static void make_host(struct story *t, uint64_t seed, uint32_t troubles) {
        *t = (struct story){ .app_random = seed,
                             .fate_random = ~seed,
                             .sample_random = seed << 1,
                             .troubles = troubles,
                             .wanted = -1,
                             .verbose = t->verbose,
                             .thorough = t->thorough };
        sim_init(&t->sim);
        sim_forget(&t->sim);
        t->sim.data = t;
        t->sim.judge = watch_judge;
        t->sim.witness = watch_action;
        t->sim.interfere = trouble_interfere;
        t->sim.gate = "window";
        t->sim.gate_says = VERDICT_ALLOW;
}

/*
 * A migration, three replicas of one primary, two of another that depends on it and is routed, and a hook that only an
 * own plan runs.
 */
void story_begin_plain(struct story *t, enum rollout_strategy strategy, enum rollout_order order, bool own_plan,
                       enum mood mood) {
        static const struct canary_step weights[] = { { .weight = 40, .hold_ms = 2000 } };
        const struct rollout_settings settings = { .strategy = strategy,
                                                   .order = order,
                                                   .max_parallel = 1,
                                                   .bake_ms = 2000,
                                                   .steps = { .items = (void *)weights, .n = 1 } };
        struct shape shape = { .n = 4,
                               .roles = { ROLE_MIGRATION, ROLE_PRIMARY, ROLE_PRIMARY, ROLE_HOOK },
                               .replicas = { 1, 3, 2, 1 },
                               .depends = { [2] = { true, true } },
                               .routed = true,
                               .served = 2,
                               .drain_ms = 300,
                               .hooks = true,
                               .prune = true };
        struct struct_list own = { .items = NULL };

        make_host(t, 1, 0);
        t->sim.has_health_check = true;
        if (own_plan)
                make_steps(t, &shape, &own);
        for (int i = 0; i < STORY_RELEASES; i++) {
                struct story_release *r = &t->releases[i];

                t->app_random = 3; /* the same shape of each */
                r->workload = make_workload(t, &shape, i);
                for (size_t n = 0; n < shape.n; n++) {
                        sim_service(r->workload, n)->replicas = shape.replicas[n];
                        sim_service(r->workload, n)->spec_digest =
                                sim_digest(&t->sim, arena_printf(t->sim.arena, "plain %zu %d", n, i));
                }
                r->mood = i == 1 ? mood : MOOD_GOOD;
                r->settings = (struct app_settings){
                        .strategy = strategy,
                        .order = order,
                        .max_parallel = 1,
                        .min_healthy_ms = 500,
                        .healthy_deadline_ms = 60000,
                        .progress_deadline_ms = 120000,
                        .drift = DRIFT_REPAIR,
                        .prune = true,
                };
                plan_make(&settings, &own, true, t->sim.arena, &r->plan);
                t->sim.app.checks = (struct struct_list){ .items = NULL };
                (void)sim_check(&t->sim, "up", sim_service(r->workload, 2), 1000, 2);
                r->checks = t->sim.app.checks;
                make_mood(t, r);
        }
        watch_begin(t);
}

void story_begin(struct story *t, uint64_t seed, uint64_t round, uint32_t troubles) {
        struct shape shape;

        make_host(t, seed ^ (round * 0x100000001b3u), troubles);
        t->sim.has_health_check = one_in(t, 2);
        make_shape(t, &shape);
        for (int i = 0; i < STORY_RELEASES; i++) {
                struct story_release *r = &t->releases[i];

                r->workload = make_workload(t, &shape, i);
                r->mood = one_in(t, i == 0 ? 6 : 2) ? any(t, MOOD_MAX_) : MOOD_GOOD;
                make_settings(t, &shape, r);
                make_checks(t, r);
                make_mood(t, r);
        }
        watch_begin(t);
}

void story_end(struct story *t) {
        sim_done(&t->sim);
}

void story_want(struct story *t, int release) {
        struct story_release *r = release >= 0 ? &t->releases[release] : NULL;

        t->wanted = release;
        sim_want(&t->sim, r ? r->workload : NULL);
        if (!r)
                return;
        t->sim.app.settings = r->settings;
        t->sim.app.checks = r->checks;
        t->sim.app.plan = r->plan;
}

/*
 * How it goes
 */

static void tell_look(struct story *t, const struct decision *d, bool whole) {
        const struct decision_app *out = d->apps.items;
        const struct action *actions = d->actions.items;
        const struct instance *items = t->sim.instances.items;

        print_message("%lld %lld: %s→%s want %d%s%s%s%s%s\n", (long long)t->looks, (long long)t->sim.mono,
                      event_names[out->event], phase_names[t->sim.app.rollout.phase], t->wanted, whole ? "" : " KILLED",
                      out->waits_for ? " waits for " : "", out->waits_for ? out->waits_for : "",
                      t->sim.app.rollout.failure_text ? " | " : "",
                      t->sim.app.rollout.failure_text ? t->sim.app.rollout.failure_text : "");
        for (size_t i = 0; i < t->sim.app.rollout.steps.n; i++)
                print_message(" %s=%s/%lld", ((struct rollout_step *)t->sim.app.rollout.steps.items)[i].step.name.text,
                              step_state_names[((struct rollout_step *)t->sim.app.rollout.steps.items)[i].state],
                              (long long)((struct rollout_step *)t->sim.app.rollout.steps.items)[i].batch);
        print_message("\n");
        for (size_t i = 0; i < d->actions.n; i++)
                print_message("    %s %s %lld %s (%s)\n", action_kind_names[actions[i].kind],
                              actions[i].service ? actions[i].service : "", (long long)actions[i].index,
                              actions[i].instance ? actions[i].instance : "", actions[i].why ? actions[i].why : "");
        for (size_t i = 0; i < t->sim.instances.n; i++)
                print_message("        %s %s %lld %.10s %s %s\n", items[i].id, items[i].service,
                              (long long)items[i].index, items[i].spec + 7, instance_state_names[items[i].state],
                              health_names[items[i].health]);
}

bool story_look(struct story *t, bool *ret_quiet) {
        struct decision d;
        const struct decision_app *out;
        int64_t pause;
        bool whole;

        t->looks++;
        t->failures = t->sim.failures;
        whole = sim_pass(&t->sim, &d);
        out = d.apps.items;
        if (t->verbose)
                tell_look(t, &d, whole);
        watch_after(t, &d, whole);
        if (!whole)
                t->sim.kill_at = -1;
        *ret_quiet = whole && d.actions.n == 0 && out->event == EVENT_NONE && !out->wake_at;
        pause = !whole || d.actions.n > 0 || out->event != EVENT_NONE ? 1 + story_random(&t->fate_random, 40)
                : out->wake_at                                        ? out->wake_at - t->sim.world.now
                                                                      : 30000;
        sim_wait(&t->sim, pause > 0 ? pause : 1);
        return !t->failure[0];
}

bool story_looks(struct story *t, int n, bool troubled) {
        bool quiet;
        int still = 0;

        for (int i = 0; i < n && still < 3; i++) {
                if (troubled)
                        trouble_strike(t);
                if (!story_look(t, &quiet))
                        return false;
                still = quiet ? still + 1 : 0;
        }
        return true;
}

static bool is_at(struct story *t, int release) {
        const struct workload *w = release >= 0 ? t->releases[release].workload : NULL;
        const struct rollout *r = &t->sim.app.rollout;

        return sim_is_exactly(&t->sim, w) && sim_routes_exactly(&t->sim, w) &&
               r->phase == (w ? PHASE_SETTLED : PHASE_ABSENT) && (!w || str_eq(r->current_release, w->release));
}

static int settled_index(const struct story *t) {
        for (int i = 0; i < STORY_RELEASES; i++)
                if (str_eq(t->releases[i].workload->release, t->sim.app.rollout.current_release))
                        return i;
        return -1;
}

bool story_converges(struct story *t) {
        int64_t before = t->looks;
        int at;

        trouble_end(t);
        /* What is only told would stay as it is, and so would what a person must decide. */
        for (int hour = 0; hour < 4; hour++) {
                t->sim.app.settings.drift = DRIFT_REPAIR;
                t->sim.app.settings.prune = true;
                t->sim.app.settings.on_failure = ON_FAILURE_ROLLBACK;
                if (!story_looks(t, 3000, false))
                        return false;
                if (t->sim.app.rollout.phase == PHASE_PAUSED)
                        story_want(t, settled_index(t));
                sim_wait(&t->sim, 3700000);
        }
        if (t->looks - before > 10000)
                return story_fails(t, "%lld looks, and no rest", (long long)(t->looks - before));
        at = settled_index(t);
        if (!is_at(t, at))
                return story_fails(t, "it rests at neither release: phase %s, settled %d, wanted %d, %zu instances%s",
                                   phase_names[t->sim.app.rollout.phase], at, t->wanted, t->sim.instances.n,
                                   sim_routes_exactly(&t->sim, t->sim.app.current) ? "" : ", and the route is another");
        if (at == t->wanted)
                return true;
        if (t->wanted >= 0 && rollout_is_poisoned(&t->sim.app.rollout, t->releases[t->wanted].workload->release))
                return true;
        return story_fails(t, "it rests at %d, and %d is wanted, and not poisoned", at, t->wanted);
}

bool story_tell(struct story *t) {
        story_want(t, 0);
        if (!story_looks(t, 400, one_in(t, 3)))
                return false;
        for (int i = 1; i < STORY_RELEASES - 1; i++) {
                story_want(t, i);
                if (!story_looks(t, 60 + (int)any(t, 200), true))
                        return false;
        }
        return story_converges(t);
}
