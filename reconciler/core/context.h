/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Context: one decision about one app, as the files of this folder share it. Pure; private to the folder.
 *
 * It holds the app as the decision input shows it, and receives three results: the actions that are due, the rollout's
 * next state, and the text that status shows.
 */

#include "reconciler/core/drift.h"
#include "shared/model/decision_input.h"

/* The time to the next decision while instances start or health is awaited. */
#define CONTEXT_POLL_MS 200
/* The same while health or a route only has to last. */
#define CONTEXT_HOLD_MS 5000

struct rollout_context {
        const struct decision_input *input;
        const struct app_input *app;
        struct arena *arena;
        struct struct_list *actions; /* of the whole decision */
        struct decision_app *out;
        struct rollout *next;          /* &out->rollout */
        const struct workload *goal;   /* the workload that the phase works towards; NULL: none */
        struct workload_index *index;  /* of goal and the app's instances; NULL without goal */
        const struct traffic *traffic; /* the router that carries the app's requests; NULL: none */
        bool *previous;                /* for each of app->instances: it ran when the rollout began */
        bool *retiring;                /* for each of app->instances: it is to stop and gets no more requests */
        bool *stopped;                 /* for each of app->instances: an action of this decision stops it */
        bool *admitted;                /* for each of app->instances: it is new and proven, so it may get requests */
        const char *code, *text;       /* why the stage or check failed that is judged now */
        bool lets_go; /* a repair waits until the router has left the instance that is to be recreated */
        bool folded;  /* the facts of the checks are part of the rollout's state */
        bool acts;    /* an action was added */
};

void context_init(struct rollout_context *ctx);

/* Set the workload to work towards, and index it. */
void context_set_goal(struct rollout_context *ctx, const struct workload *goal);

/*
 * Add an action about a service's replica or an instance; it may be filled in further. @why is borrowed from the arena
 * or static.
 */
struct action *context_add_action(struct rollout_context *ctx, enum action_kind kind,
                                  const struct workload_service *service, int64_t index,
                                  const struct instance *instance, const char *reason, const char *why);

/* Wait for @what; the next decision is due in @in_ms, 0: at the next poll. The earliest of several waits counts. */
void context_wait(struct rollout_context *ctx, const char *what, int64_t in_ms);

/*
 * Wait for @what to last for @due_ms. Nothing is due before; a pass in between that finds the engine unchanged ends
 * early.
 */
void context_hold(struct rollout_context *ctx, const char *what, int64_t due_ms);

/* The index of @i in app->instances. */
size_t context_index_of(const struct rollout_context *ctx, const struct instance *i);

/* Whether the rollout found @i running when it began. */
bool context_is_previous(const struct rollout_context *ctx, const struct instance *i);

/* Whether this decision found drift of this code. */
bool context_has_drift(const struct rollout_context *ctx, const char *code);

/* Enter a phase; resets the state that belongs to the phase before. */
void context_enter_phase(struct rollout_context *ctx, enum phase phase);

/* Fail the release under way: it is poisoned, and on_failure decides about the next phase. */
void context_fail(struct rollout_context *ctx, const char *code, const char *text);

/* True while the back-off after a failed action lasts. A clock that was set back does not prolong it. */
bool context_waits_to_retry(struct rollout_context *ctx, const char *what);
/* The same for changes of the route, which have a back-off of their own. */
bool context_waits_to_route(struct rollout_context *ctx);

/* Start all times anew that health, checks and waits must last: the clock jumped, or no pass ran for too long. */
void context_reset_holds(struct rollout *r);

/* 1 s, 2 s, 4 s … up to 5 minutes. */
int64_t context_back_off_ms(int64_t attempts);
