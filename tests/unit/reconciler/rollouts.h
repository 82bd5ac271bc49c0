/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of the rollout's machine begin with: a settled release, and another that is declared. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/simulation.h"

static const char *const V1[] = { "1", "1", "1", "1" }, *const V2[] = { "2", "2", "2", "2" },
                         *const V3[] = { "3", "3", "3", "3" };

struct rollouts {
        struct simulation s;
        struct workload *old, *new, *next;
};

/*
 * Three releases of @n services with health checks; a router carries the last service's requests when @drain_ms is not
 * negative.
 */
static inline void make_releases(struct rollouts *t, size_t n, int64_t replicas, int64_t drain_ms) {
        struct simulation *s = &t->s;

        sim_init(s);
        s->has_health_check = true;
        t->old = sim_workload(s, "1.0", n, replicas, V1);
        t->new = sim_workload(s, "2.0", n, replicas, V2);
        t->next = sim_workload(s, "3.0", n, replicas, V3);
        for (size_t i = 0; drain_ms >= 0 && i < 3; i++)
                sim_route_to(s, i == 0 ? t->old : i == 1 ? t->new : t->next, n - 1, ROUTER_MEMORY, drain_ms);
}

/* The old one serves. */
static inline void settle_old(struct rollouts *t) {
        sim_want(&t->s, t->old);
        assert_true(sim_run(&t->s, 200));
        assert_true(sim_is_exactly(&t->s, t->old));
        assert_int_equal(t->s.app.rollout.phase, PHASE_SETTLED);
}

static inline void begin_with(struct rollouts *t, size_t n, int64_t replicas, int64_t drain_ms) {
        make_releases(t, n, replicas, drain_ms);
        settle_old(t);
}

static inline void want_new(struct rollouts *t, const struct rollout_settings *settings,
                            const struct struct_list *steps) {
        sim_want(&t->s, t->new);
        sim_plan(&t->s, settings, steps);
}

/* One pass; then @ms go by. */
static inline struct decision pass_once(struct rollouts *t, int64_t ms) {
        struct decision d;

        assert_true(sim_pass(&t->s, &d));
        sim_wait(&t->s, ms);
        return d;
}

/* Passes until the step is in this state; fails when that takes too long. */
static inline void run_until(struct rollouts *t, const char *step, enum step_state state) {
        for (int n = 0; n < 2000; n++) {
                if (sim_state_of(&t->s, step) == state)
                        return;
                (void)pass_once(t, 100);
        }
        fail_msg("step %s is %s", step,
                 sim_step_of(&t->s, step) ? step_state_names[sim_state_of(&t->s, step)] : "not there");
}

static inline size_t count_actions(const struct decision *d, enum action_kind kind) {
        const struct action *actions = d->actions.items;
        size_t n = 0;

        for (size_t i = 0; i < d->actions.n; i++)
                n += actions[i].kind == kind;
        return n;
}

static inline const struct sim_router *router(const struct rollouts *t) {
        return &t->s.routers[ROUTER_MEMORY];
}

/* Of the specification that release @w has of service @at: how many serve. */
static inline size_t healthy(const struct rollouts *t, struct workload *w, size_t at) {
        return sim_healthy(&t->s, sim_service(w, at)->name, sim_service(w, at)->spec_digest);
}

static inline struct instance *first_of(struct rollouts *t, const char *spec) {
        struct instance *items = t->s.instances.items;

        for (size_t i = 0; i < t->s.instances.n; i++)
                if (str_eq(items[i].spec, spec))
                        return &items[i];
        return NULL;
}

/* It came to rest where it was, and the new release is poisoned for @code. */
static inline void expect_taken_back(struct rollouts *t, const char *code) {
        assert_true(sim_run(&t->s, 3000));
        assert_true(sim_is_exactly(&t->s, t->old));
        assert_true(sim_routes_exactly(&t->s, t->old));
        assert_true(rollout_is_poisoned(&t->s.app.rollout, t->new->release));
        assert_string_equal(t->s.app.rollout.failure_code, code);
        assert_int_equal(t->s.events[EVENT_REVERTED], 1);
        assert_string_equal(t->s.app.rollout.release, t->old->release);
        assert_string_equal(t->s.app.rollout.version, t->old->version);
}

static inline void expect_new(struct rollouts *t) {
        assert_true(sim_run(&t->s, 3000));
        assert_true(sim_is_exactly(&t->s, t->new));
        assert_true(sim_routes_exactly(&t->s, t->new));
        assert_string_equal(t->s.app.rollout.current_release, t->new->release);
}
