/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Plans of steps, written out by tests. */

#include "tests/unit/reconciler/rollouts.h"

static inline struct plan_step *add_hook(struct rollouts *t, struct struct_list *steps, const char *name,
                                         const char *needs, const char *service, const char *command) {
        struct plan_step *step = sim_step(&t->s, steps, name, needs);
        struct step_hook *hook = arena_new_of(t->s.arena, struct step_hook);

        hook->service.text = service;
        hook->command.text = command;
        step->hook = hook;
        return step;
}

static inline struct plan_step *add_stage(struct rollouts *t, struct struct_list *steps, const char *name,
                                          const char *needs, int64_t weight) {
        struct plan_step *step = sim_step(&t->s, steps, name, needs);
        struct step_stage *stage = arena_new_of(t->s.arena, struct step_stage);

        stage->weight = weight;
        step->stage = stage;
        return step;
}

static inline struct plan_step *add_wait(struct rollouts *t, struct struct_list *steps, const char *name,
                                         const char *needs, int64_t for_ms) {
        struct plan_step *step = sim_step(&t->s, steps, name, needs);
        struct step_wait *wait = arena_new_of(t->s.arena, struct step_wait);

        wait->for_ms = for_ms;
        step->wait = wait;
        return step;
}

static inline struct plan_step *add_check(struct rollouts *t, struct struct_list *steps, const char *name,
                                          const char *needs, int64_t for_ms) {
        struct plan_step *step = sim_step(&t->s, steps, name, needs);
        struct step_check *check = arena_new_of(t->s.arena, struct step_check);

        check->for_ms = for_ms;
        step->check = check;
        return step;
}

static inline void add_prepare(struct rollouts *t, struct struct_list *steps) {
        sim_step(&t->s, steps, "prepare", "")->prepare = true;
}

/* A service of every release that runs only when a step says so. */
static inline void make_hook_service(struct rollouts *t, size_t at) {
        for (int i = 0; i < 3; i++)
                sim_service(i == 0 ? t->old : i == 1 ? t->new : t->next, at)->role = ROLE_HOOK;
}
