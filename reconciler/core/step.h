/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Step: one look at one app by the rollout's state table. Pure.
 *
 * A step has the app as the world shows it and writes three things: the actions that are due, the rollout's next state,
 * and what to tell. Used by the phases in rollout.c and nobody else.
 */

#include "reconciler/core/drift.h"
#include "shared/model/world.h"

struct step {
        const struct world *world;
        const struct world_app *app;
        struct arena *arena;
        struct struct_list *actions;   /* of the whole decision */
        struct decision_app *out;
        struct rollout *next;          /* &out->rollout */
        const struct workload *goal;   /* what the current phase works towards; NULL: nothing */
        struct lookup *lookup;         /* of goal and the app's instances; NULL without goal */
        bool acts;                     /* an action was added */
};

/* Set the goal and index it. */
void step_aim(struct step *s, const struct workload *goal);

/* Add an action about a service's replica or an instance. @why is borrowed from the arena or static. */
void step_act(struct step *s, enum action_verb verb, const struct workload_service *service, int64_t index,
              const struct instance *instance, const char *reason, const char *why);

/* Say what is waited for and when to look again: @in_ms from now, 0 at the next poll. The earliest wish wins. */
void step_wait(struct step *s, const char *what, int64_t in_ms);

/* Whether the rollout found @i running when it began. */
bool step_is_kept(const struct step *s, const struct instance *i);
