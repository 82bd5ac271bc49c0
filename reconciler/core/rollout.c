/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/rollout.h"

#include "reconciler/core/begin.h"
#include "reconciler/core/checks.h"
#include "reconciler/core/repair.h"
#include "reconciler/core/rollback.h"
#include "reconciler/core/restart.h"
#include "reconciler/core/traffic.h"
#include "reconciler/core/stage.h"
#include "reconciler/core/execution.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/* A pause between two looks that is longer than this was not watching: deadlines don't run on. */
#define WATCH_GAP_MS (60 * 1000)

/*
 * Phases
 */

/*
 * The settled release as it was rendered; NULL when it is lost, or was written for another that a crash kept from
 * settling.
 */
static const struct workload *current_workload(const struct rollout_context *ctx) {
        return ctx->app->current && str_eq(ctx->app->current->release, ctx->next->current_release) ? ctx->app->current
                                                                                                   : NULL;
}

static void phase_undeclared(struct rollout_context *ctx) {
        const struct instance *items = ctx->app->instances.items;
        bool anything = ctx->app->instances.n > 0 || ctx->next->current_release;

        /* Nobody wants any more what failed. */
        ctx->next->failure_code = NULL;
        ctx->next->failure_text = NULL;
        if (anything && ctx->app->settings.prune && !ctx->input->suspended && ctx->input->ledger_writable) {
                context_enter_phase(ctx, PHASE_REMOVING);
                return;
        }
        for (size_t i = 0; i < ctx->app->instances.n; i++) {
                struct drift *d =
                        arena_push(ctx->arena, &ctx->out->drift.items, &ctx->out->drift.n, sizeof(struct drift));

                d->service = items[i].service;
                d->index = items[i].index;
                d->instance = items[i].id;
                d->code = REASON_DRIFT_EXTRA;
                d->detail = arena_printf(ctx->arena, "nothing declares %s any more", items[i].name);
        }
}

/* A repair that had nothing to do, or must wait, was none. */
static void put_right(struct rollout_context *ctx) {
        const struct breaker before = ctx->next->breaker;

        repair(ctx);
        /*
         * A split that somebody changed is put right only with what else drifted; otherwise it follows the instances.
         */
        if (ctx->out->event == EVENT_REPAIRING || ctx->lets_go || !context_has_drift(ctx, REASON_DRIFT_ROUTE))
                traffic_apply(ctx);
        if (ctx->acts || ctx->out->event != EVENT_REPAIRING)
                return;
        ctx->out->event = EVENT_NONE;
        ctx->next->breaker = before;
}

static void phase_settled(struct rollout_context *ctx) {
        if (!ctx->app->declared) {
                phase_undeclared(ctx);
                return;
        }
        if (begin_is_due(ctx, ctx->next->current_release)) {
                begin(ctx);
                return;
        }
        /* The settled release, freshly rendered when it is the declared one. */
        context_set_goal(ctx, ctx->app->wanted && str_eq(ctx->app->wanted->release, ctx->next->current_release)
                                      ? ctx->app->wanted
                                      : current_workload(ctx));
        if (!ctx->goal)
                return;
        /* What failed is no longer wanted: that it is poisoned stays, that it failed is history. */
        if (ctx->goal == ctx->app->wanted) {
                ctx->next->failure_code = NULL;
                ctx->next->failure_text = NULL;
        }
        drift_find(ctx->index, ctx->arena, &ctx->out->drift);
        traffic_drift(ctx);
        put_right(ctx);
}

/* What served before is declared again: going back to it is a revert, not a rollout with stages of its own. */
static bool is_withdrawn(const struct rollout_context *ctx) {
        return !ctx->app->declared ||
               (ctx->app->wanted && str_eq(ctx->app->wanted->release, ctx->next->current_release));
}

static bool may_overtake(const struct rollout_context *ctx) {
        return begin_is_due(ctx, ctx->next->release) && !is_withdrawn(ctx);
}

/* True when the release under way is no longer the one that is wanted, and the rollout was turned. */
static bool overtaken(struct rollout_context *ctx) {
        if (ctx->app->declared && ctx->app->wanted && str_eq(ctx->app->wanted->release, ctx->next->release))
                return false;
        if (may_overtake(ctx)) {
                begin(ctx);
                return true;
        }
        /* Withdrawn, or followed by one that may not begin: back to what ran before. It did not fail: no poison. */
        ctx->next->failure_code = NULL;
        ctx->next->failure_text = "the release was withdrawn while it was rolled out";
        ctx->out->event = EVENT_FAILED;
        context_enter_phase(ctx, PHASE_REVERTING);
        return true;
}

/* Deadlines count only the time in which somebody looked, and never run backwards with the clock. */
static void watch(struct rollout_context *ctx) {
        struct rollout_step *steps = ctx->next->steps.items;
        int64_t gap = ctx->input->now - ctx->next->seen_at;

        if (gap < 0 || gap > WATCH_GAP_MS || ctx->next->progress_at > ctx->input->now) {
                ctx->next->progress_at = ctx->input->now;
                context_reset_holds(ctx->next);
                /* What just has to wait may do so unwatched. */
                for (size_t i = 0; i < ctx->next->steps.n; i++)
                        if ((steps[i].state == STEP_RUNNING || steps[i].state == STEP_WAITING) && !steps[i].step.wait) {
                                steps[i].started_at += gap;
                                steps[i].moved_at = ctx->input->now;
                        }
        }
        ctx->next->seen_at = ctx->input->now;
}

/* A service that cannot run twice, where the strategy needs two of it: nothing is touched. */
static const struct workload_service *first_exclusive(const struct rollout_context *ctx) {
        const struct workload_service *services = ctx->goal->services.items;

        if (ctx->app->settings.strategy != STRATEGY_CANARY && ctx->app->settings.strategy != STRATEGY_BLUE_GREEN)
                return NULL;
        for (size_t i = 0; i < ctx->goal->services.n; i++) {
                const struct workload_service *before =
                        ctx->app->current ? workload_find(ctx->app->current, services[i].name) : NULL;

                if (services[i].exclusive && services[i].role == ROLE_PRIMARY && before &&
                    !str_eq(before->spec_digest, services[i].spec_digest))
                        return &services[i];
        }
        return NULL;
}

static bool failed(struct rollout_context *ctx) {
        const char *code = NULL, *text = NULL;
        const struct workload_service *exclusive;

        if (ctx->next->doomed) {
                ctx->next->doomed = false;
                context_fail(ctx, ctx->next->failure_code, ctx->next->failure_text);
                return true;
        }
        if (stage_first_failure(ctx, &code, &text)) {
                context_fail(ctx, code, text);
                return true;
        }
        exclusive = first_exclusive(ctx);
        if (exclusive) {
                context_fail(ctx, REASON_ROLLOUT_EXCLUSIVE,
                             arena_printf(ctx->arena,
                                          "strategy %s needs two of %s at a time, and it cannot run twice%s%s",
                                          rollout_strategy_names[ctx->app->settings.strategy], exclusive->name,
                                          exclusive->why_exclusive ? ": " : "",
                                          exclusive->why_exclusive ? exclusive->why_exclusive : ""));
                return true;
        }
        return false;
}

/* Only what can be tried for ever without harm may go on for longer: pulling, and what people take their time for. */
static bool is_stalled(struct rollout_context *ctx) {
        if (ctx->next->phase != PHASE_STAGING ||
            ctx->input->now - ctx->next->progress_at <= ctx->app->settings.progress_deadline_ms)
                return false;
        context_fail(ctx, REASON_ROLLOUT_TIMEOUT, "the rollout made no step forward before progress_deadline");
        return true;
}

/* preparing, staging, evaluating: the plan is walked. */
static void phase_walking(struct rollout_context *ctx) {
        enum phase phase;

        if (overtaken(ctx))
                return;
        context_set_goal(ctx, ctx->app->wanted);
        watch(ctx);
        if (failed(ctx) || is_stalled(ctx))
                return;
        if (context_waits_to_retry(ctx, ctx->next->phase == PHASE_PREPARING ? "the images" : "the engine")) {
                stage_admit(ctx);
                traffic_repair(ctx);
                return;
        }
        if (restart_interrupted(ctx)) {
                stage_admit(ctx);
                traffic_repair(ctx);
                context_wait(ctx, "what ended with its engine to run again", CONTEXT_POLL_MS);
                return;
        }
        checks_fold(ctx);
        if (!execution_run(ctx))
                return;
        traffic_apply(ctx);
        if (execution_is_over(ctx->next)) {
                context_enter_phase(ctx, PHASE_FINISHING);
                return;
        }
        phase = execution_phase(ctx);
        if (phase == ctx->next->phase)
                return;
        /* A phase of its own for people and deadlines; what is tried again is so in any of them. */
        ctx->next->phase = phase;
}

/* What the new release replaces, and what it no longer has where that is to be removed. */
static bool is_leaving(const struct rollout_context *ctx, const struct instance *i) {
        return ctx->goal && !workload_index_is_wanted(ctx->index, i) && i->state != INSTANCE_REMOVING &&
               (workload_index_service(ctx->index, i->service) || ctx->app->settings.prune);
}

static void mark_leaving(struct rollout_context *ctx) {
        const struct instance *items = ctx->app->instances.items;

        for (size_t i = 0; i < ctx->app->instances.n; i++)
                ctx->retiring[i] = is_leaving(ctx, &items[i]);
}

/* Until the requests are with the new instances nothing is proven: the old ones are still there to go back to. */
static void route_at_last(struct rollout_context *ctx) {
        if (ctx->input->now - ctx->next->progress_at > ctx->app->settings.progress_deadline_ms) {
                context_fail(ctx, REASON_ROUTER_UNAVAILABLE,
                             ctx->out->waits_for ? ctx->out->waits_for
                                                 : "the router did not follow before progress_deadline");
                return;
        }
        traffic_apply(ctx);
        context_wait(ctx, "the router to follow", CONTEXT_POLL_MS);
}

/* The new release is proven: what it replaces goes. True when nothing of it is left. */
static bool clear_away(struct rollout_context *ctx) {
        const struct instance *items = ctx->app->instances.items;
        bool nothing = true;

        for (size_t i = 0; i < ctx->app->instances.n; i++) {
                if (!is_leaving(ctx, &items[i]))
                        continue;
                nothing = false;
                if (!traffic_releases(ctx, &items[i]))
                        continue;
                if (items[i].state == INSTANCE_RUNNING || items[i].state == INSTANCE_RESTARTING ||
                    items[i].state == INSTANCE_PAUSED)
                        context_add_action(ctx, ACTION_STOP, NULL, items[i].index, &items[i], NULL,
                                           "the new release is proven");
                context_add_action(ctx, ACTION_REMOVE, NULL, items[i].index, &items[i], NULL,
                                   "the new release is proven");
        }
        return nothing;
}

/* The release is proven: from here on it is the settled one, while what makes it so is at hand. */
static void settle(struct rollout_context *ctx) {
        ctx->next->current_release = ctx->next->release;
        ctx->next->current_version = ctx->next->version;
        ctx->next->current_since = ctx->input->now;
        ctx->next->failure_code = NULL;
        ctx->next->failure_text = NULL;
        ctx->next->breaker = (struct breaker){ .state = BREAKER_CLOSED };
        ctx->out->event = EVENT_SETTLED;
        context_enter_phase(ctx, PHASE_FINISHING);
}

/* The plan is walked; nothing is proven until the requests are with the new instances. */
static void follow_and_settle(struct rollout_context *ctx) {
        if (overtaken(ctx))
                return;
        watch(ctx);
        if (failed(ctx))
                return;
        ctx->next->candidate = -1;
        mark_leaving(ctx);
        if (traffic_is_applied(ctx))
                settle(ctx);
        else
                route_at_last(ctx);
}

static void phase_finishing(struct rollout_context *ctx) {
        context_set_goal(ctx, ctx->app->wanted && str_eq(ctx->app->wanted->release, ctx->next->release)
                                      ? ctx->app->wanted
                                      : current_workload(ctx));
        if (!str_eq(ctx->next->current_release, ctx->next->release)) {
                follow_and_settle(ctx);
                return;
        }
        mark_leaving(ctx);
        if (context_waits_to_retry(ctx, "what was replaced to go")) {
                traffic_repair(ctx);
                return;
        }
        if (!clear_away(ctx)) {
                traffic_apply(ctx);
                return;
        }
        ctx->next->previous = (struct string_list){ .items = NULL };
        ctx->next->steps = (struct struct_list){ .items = NULL };
        ctx->next->checks = (struct struct_list){ .items = NULL };
        context_enter_phase(ctx, PHASE_SETTLED);
        context_add_action(ctx, ACTION_COLLECT, NULL, 0, NULL, NULL, "what no release needs");
}

/* A revert that waits for something for too long, a router that is away, needs a person as much as one that fails. */
static void be_loud_when_late(struct rollout_context *ctx) {
        if (ctx->next->phase != PHASE_REVERTING || ctx->acts ||
            ctx->input->now - ctx->next->progress_at <= ctx->app->settings.progress_deadline_ms)
                return;
        if (!ctx->next->failure_text)
                ctx->next->failure_text = ctx->out->waits_for;
        ctx->out->event = EVENT_STUCK;
        context_enter_phase(ctx, PHASE_STUCK);
}

static void phase_reverting(struct rollout_context *ctx) {
        context_set_goal(ctx, current_workload(ctx));
        watch(ctx);
        execution_end(ctx->next, ctx->input->now);
        if (context_waits_to_retry(ctx, "the release before")) {
                traffic_repair(ctx);
                return;
        }
        if (!rollback(ctx)) {
                be_loud_when_late(ctx);
                return;
        }
        ctx->next->previous = (struct string_list){ .items = NULL };
        ctx->next->steps = (struct struct_list){ .items = NULL };
        ctx->next->candidate = -1;
        ctx->next->release = ctx->next->current_release;
        ctx->next->version = ctx->next->current_version;
        ctx->out->event = EVENT_REVERTED;
        context_enter_phase(ctx, ctx->next->current_release ? PHASE_SETTLED : PHASE_ABSENT);
}

static void phase_paused(struct rollout_context *ctx) {
        execution_end(ctx->next, ctx->input->now);
        if (is_withdrawn(ctx)) {
                context_enter_phase(ctx, PHASE_REVERTING);
                return;
        }
        if (may_overtake(ctx) || begin_is_due_again(ctx)) {
                begin(ctx);
                return;
        }
        context_wait(
                ctx,
                "a person: the rollout is paused after a failure; merge another release, or a signed retry of this one",
                0);
        /* All stays, but for requests to what stays no more. */
        if (!ctx->app->wanted || !str_eq(ctx->app->wanted->release, ctx->next->release))
                return;
        context_set_goal(ctx, ctx->app->wanted);
        stage_admit(ctx);
        traffic_repair(ctx);
}

static void phase_stuck(struct rollout_context *ctx) {
        if (may_overtake(ctx))
                begin(ctx);
        else
                phase_reverting(ctx);
}

static void phase_removing(struct rollout_context *ctx) {
        const struct instance *items = ctx->app->instances.items;

        /* Declared again before all of it was gone: what is missing of the settled release is drift. */
        if (ctx->app->declared) {
                context_enter_phase(ctx, ctx->next->current_release ? PHASE_SETTLED : PHASE_ABSENT);
                return;
        }
        if (context_waits_to_retry(ctx, "the instances to go"))
                return;
        if (!traffic_end(ctx) && !ctx->acts)
                return;
        for (size_t i = 0; i < ctx->app->instances.n; i++) {
                context_add_action(ctx, ACTION_STOP, NULL, items[i].index, &items[i], NULL,
                                   "the app is no longer declared");
                context_add_action(ctx, ACTION_REMOVE, NULL, items[i].index, &items[i], NULL,
                                   "the app is no longer declared");
        }
        if (ctx->acts)
                return;
        ctx->next->release = ctx->next->version = NULL;
        ctx->next->current_release = ctx->next->current_version = NULL;
        ctx->next->previous = (struct string_list){ .items = NULL };
        ctx->out->event = EVENT_REMOVED;
        context_enter_phase(ctx, PHASE_ABSENT);
        context_add_action(ctx, ACTION_COLLECT, NULL, 0, NULL, NULL, "what no release needs");
}

static void (*const phases[PHASE_MAX_])(struct rollout_context *ctx) = {
        [PHASE_ABSENT] = phase_settled,      [PHASE_SETTLED] = phase_settled,    [PHASE_PREPARING] = phase_walking,
        [PHASE_STAGING] = phase_walking,     [PHASE_EVALUATING] = phase_walking, [PHASE_FINISHING] = phase_finishing,
        [PHASE_REVERTING] = phase_reverting, [PHASE_PAUSED] = phase_paused,      [PHASE_STUCK] = phase_stuck,
        [PHASE_REMOVING] = phase_removing,
};

/*
 * A pass that was killed when it had written the release down as the settled one, and had not yet written down the
 * rollout. What is proven stays proven; of the release before only the instances are left, and nothing to make new ones
 * from.
 */
static bool was_proven(const struct rollout_context *ctx) {
        const struct rollout *r = ctx->next;

        return ctx->app->current && r->current_release && str_eq(ctx->app->current->release, r->release) &&
               !str_eq(r->release, r->current_release) && r->phase >= PHASE_PREPARING && r->phase <= PHASE_FINISHING;
}

void rollout_advance(struct rollout_context *ctx) {
        enum phase before;

        if (ctx->next->phase != PHASE_SETTLED && ctx->next->phase != PHASE_ABSENT)
                traffic_notice(ctx);
        if (was_proven(ctx)) {
                ctx->next->candidate = -1;
                settle(ctx);
                return;
        }
        /* An event ends the look: it is recorded before anything follows from it. */
        do {
                before = ctx->next->phase;
                phases[before](ctx);
        } while (ctx->next->phase != before && !ctx->acts && ctx->out->event == EVENT_NONE);
}
