/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Look: one look at one app by the rollout's machine. Pure.
 *
 * A look has the app as the world shows it and writes three things: the actions that are due, the rollout's next state,
 * and what to tell. Used by the files of this folder and nobody else.
 */

#include "reconciler/core/drift.h"
#include "shared/model/decision_input.h"

/* How soon to look again while instances start or health is awaited. */
#define CONTEXT_POLL_MS 200
/* … and while something only has to hold. */
#define CONTEXT_HOLD_MS 5000

struct rollout_context {
        const struct decision_input *input;
        const struct app_input *app;
        struct arena *arena;
        struct struct_list *actions; /* of the whole decision */
        struct decision_app *out;
        struct rollout *next;          /* &out->rollout */
        const struct workload *goal;   /* what the current phase works towards; NULL: nothing */
        struct workload_index *index;  /* of goal and the app's instances; NULL without goal */
        const struct traffic *traffic; /* the router that carries the app's requests; NULL: none */
        bool *previous;                /* beside app->instances: it ran when the rollout began */
        bool *retiring;                /* beside app->instances: what is to stop, and so gets no more requests */
        bool *stopped;                 /* beside app->instances: an action of this look stops it */
        bool *admitted;                /* beside app->instances: new instances that are proven enough to get requests */
        const char *code, *text;       /* why the stage or check that is looked at failed */
        bool lets_go;                  /* a repair waits until the router let go of what is to be made anew */
        bool folded;                   /* the facts of the checks were taken in */
        bool acts;                     /* an action was added */
};

void context_init(struct rollout_context *ctx);

/* Set the goal and index it. */
void context_set_goal(struct rollout_context *ctx, const struct workload *goal);

/*
 * Add an action about a service's replica or an instance; it may be filled in further. @why is borrowed from the arena
 * or static.
 */
struct action *context_add_action(struct rollout_context *ctx, enum action_kind kind,
                                  const struct workload_service *service, int64_t index,
                                  const struct instance *instance, const char *reason, const char *why);

/* Say what is waited for and when to look again: @in_ms from now, 0 at the next poll. The earliest wish wins. */
void context_wait(struct rollout_context *ctx, const char *what, int64_t in_ms);

/*
 * Say that nothing is due for @due_ms, while what must hold is watched: a look in between that finds the engine as it
 * was left needs no more than that.
 */
void context_hold(struct rollout_context *ctx, const char *what, int64_t due_ms);

/* The place of @i among the app's instances. */
size_t context_index_of(const struct rollout_context *ctx, const struct instance *i);

/* Whether the rollout found @i running when it began. */
bool context_is_previous(const struct rollout_context *ctx, const struct instance *i);

/* Whether drift of this code was found in this look. */
bool context_has_drift(const struct rollout_context *ctx, const char *code);

/* A move of the machine; resets what belongs to the phase that is left. */
void context_enter_phase(struct rollout_context *ctx, enum phase phase);

/* The release under way failed: it is poisoned, and on_failure says what follows. */
void context_fail(struct rollout_context *ctx, const char *code, const char *text);

/* What failed is tried again after a while; a clock that was set back does not make the while any longer. */
bool context_waits_to_retry(struct rollout_context *ctx, const char *what);
/* The same for changes of the route, which nothing else has to wait for. */
bool context_waits_to_route(struct rollout_context *ctx);

/* Nothing holds without a break any more: the clock jumped, or nobody looked. */
void context_reset_holds(struct rollout *r);

/* 1 s, 2 s, 4 s … up to 5 minutes. */
int64_t context_back_off_ms(int64_t attempts);
