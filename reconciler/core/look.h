/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Look: one look at one app by the rollout's machine. Pure.
 *
 * A look has the app as the world shows it and writes three things: the actions that are due, the rollout's next state,
 * and what to tell. Used by the files of this folder and nobody else.
 */

#include "reconciler/core/drift.h"
#include "shared/model/world.h"

/* How soon to look again while instances start or health is awaited. */
#define LOOK_AGAIN_MS 200
/* … and while something only has to hold. */
#define LOOK_HOLD_MS 5000

struct look {
        const struct world *world;
        const struct world_app *app;
        struct arena *arena;
        struct struct_list *actions;   /* of the whole decision */
        struct decision_app *out;
        struct rollout *next;          /* &out->rollout */
        const struct workload *goal;   /* what the current phase works towards; NULL: nothing */
        struct lookup *lookup;         /* of goal and the app's instances; NULL without goal */
        const struct traffic *traffic; /* the router that carries the app's requests; NULL: none */
        bool *kept;                    /* beside app->instances: it ran when the rollout began */
        bool *retiring;                /* beside app->instances: what is to stop, and so gets no more requests */
        bool *stopped;                 /* beside app->instances: an action of this look stops it */
        bool *admitted;                /* beside app->instances: new instances that are proven enough to get requests */
        const char *code, *text;       /* why the stage or check that is looked at failed */
        bool lets_go;                  /* a repair waits until the router let go of what is to be made anew */
        bool folded;                   /* the facts of the checks were taken in */
        bool acts;                     /* an action was added */
};

void look_init(struct look *s);

/* Set the goal and index it. */
void look_aim(struct look *s, const struct workload *goal);

/* Add an action about a service's replica or an instance; it may be filled in further. @why is borrowed from the arena or static. */
struct action *look_act(struct look *s, enum action_verb verb, const struct workload_service *service, int64_t index,
                        const struct instance *instance, const char *reason, const char *why);

/* Say what is waited for and when to look again: @in_ms from now, 0 at the next poll. The earliest wish wins. */
void look_wait(struct look *s, const char *what, int64_t in_ms);

/*
 * Say that nothing is due for @due_ms, while what must hold is watched: a look in between that finds the engine as it was left needs
 * no more than that.
 */
void look_watch(struct look *s, const char *what, int64_t due_ms);

/* The place of @i among the app's instances. */
size_t look_place(const struct look *s, const struct instance *i);

/* Whether the rollout found @i running when it began. */
bool look_is_kept(const struct look *s, const struct instance *i);

/* Whether drift of this code was found in this look. */
bool look_has_drift(const struct look *s, const char *code);

/* A move of the machine; resets what belongs to the phase that is left. */
void look_go(struct look *s, enum phase phase);

/* The release under way failed: it is poisoned, and on_failure says what follows. */
void look_fail(struct look *s, const char *code, const char *text);

/* What failed is tried again after a while; a clock that was set back does not make the while any longer. */
bool look_waits_to_retry(struct look *s, const char *what);
/* The same for changes of the route, which nothing else has to wait for. */
bool look_waits_to_route(struct look *s);

/* Nothing holds without a break any more: the clock jumped, or nobody looked. */
void look_break(struct rollout *r);

/* 1 s, 2 s, 4 s … up to 5 minutes. */
int64_t look_back_off_ms(int64_t attempts);
