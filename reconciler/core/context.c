/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/context.h"

#include <stdlib.h>

#include "shared/base/text.h"

#define BACK_OFF_MAX_MS (5 * 60 * 1000)

static int compare_ids(const void *x, const void *y) {
        return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Once a look: an app may have a thousand instances, and be asked about each of them several times. */
static void find_previous(struct rollout_context *ctx) {
        const struct instance *items = ctx->app->instances.items;
        size_t n = ctx->next->previous.n;
        const char **ids = arena_array(ctx->arena, n, sizeof(*ids));

        ctx->previous = arena_array(ctx->arena, ctx->app->instances.n, sizeof(bool));
        for (size_t k = 0; k < n; k++)
                ids[k] = ctx->next->previous.items[k].text;
        if (n > 1)
                qsort(ids, n, sizeof(*ids), compare_ids);
        for (size_t i = 0; n > 0 && i < ctx->app->instances.n; i++)
                ctx->previous[i] = bsearch(&items[i].id, ids, n, sizeof(*ids), compare_ids) != NULL;
}

void context_init(struct rollout_context *ctx) {
        ctx->traffic = app_input_traffic(ctx->app);
        find_previous(ctx);
        ctx->retiring = arena_array(ctx->arena, ctx->app->instances.n, sizeof(bool));
        ctx->stopped = arena_array(ctx->arena, ctx->app->instances.n, sizeof(bool));
        ctx->admitted = arena_array(ctx->arena, ctx->app->instances.n, sizeof(bool));
}

void context_set_goal(struct rollout_context *ctx, const struct workload *goal) {
        ctx->goal = goal;
        ctx->index = goal ? workload_index_new(goal, &ctx->app->instances, ctx->arena) : NULL;
}

struct action *context_add_action(struct rollout_context *ctx, enum action_kind kind,
                                  const struct workload_service *service, int64_t index,
                                  const struct instance *instance, const char *reason, const char *why) {
        struct action *action = arena_push(ctx->arena, &ctx->actions->items, &ctx->actions->n, sizeof(struct action));

        action->kind = kind;
        action->app = ctx->app->app;
        action->release = ctx->goal ? ctx->goal->release : NULL;
        action->service = service ? service->name : instance ? instance->service : NULL;
        action->index = index;
        action->instance = instance ? instance->id : NULL;
        action->name = instance ? instance->name : NULL;
        action->reason = reason;
        action->why = why;
        ctx->acts = true;
        if (kind == ACTION_STOP && instance)
                ctx->stopped[context_index_of(ctx, instance)] = true;
        return action;
}

static void earliest(int64_t *at, int64_t wish) {
        if (!*at || wish < *at)
                *at = wish;
}

void context_wait(struct rollout_context *ctx, const char *what, int64_t in_ms) {
        if (!ctx->out->waits_for)
                ctx->out->waits_for = what;
        if (in_ms > 0) {
                earliest(&ctx->out->wake_at, ctx->input->now + in_ms);
                earliest(&ctx->out->due_at, ctx->input->now + in_ms);
        }
}

void context_hold(struct rollout_context *ctx, const char *what, int64_t due_ms) {
        if (!ctx->out->waits_for)
                ctx->out->waits_for = what;
        earliest(&ctx->out->due_at, ctx->input->now + due_ms);
        earliest(&ctx->out->wake_at, ctx->input->now + (due_ms < CONTEXT_HOLD_MS ? due_ms : CONTEXT_HOLD_MS));
}

size_t context_index_of(const struct rollout_context *ctx, const struct instance *i) {
        return (size_t)(i - (const struct instance *)ctx->app->instances.items);
}

bool context_is_previous(const struct rollout_context *ctx, const struct instance *i) {
        return ctx->previous[context_index_of(ctx, i)];
}

bool context_has_drift(const struct rollout_context *ctx, const char *code) {
        const struct drift *drift = ctx->out->drift.items;

        for (size_t i = 0; i < ctx->out->drift.n; i++)
                if (str_eq(drift[i].code, code))
                        return true;
        return false;
}

void context_enter_phase(struct rollout_context *ctx, enum phase phase) {
        ctx->next->phase = phase;
        ctx->next->progress_at = ctx->input->now;
        ctx->next->attempts = 0;
        ctx->next->retry_at = 0;
        ctx->next->trouble = NULL;
        ctx->next->restarted = (struct string_list){ .items = NULL };
}

static void poison(struct rollout_context *ctx) {
        struct string_list old = ctx->next->poisoned;

        if (!ctx->next->release || rollout_is_poisoned(ctx->next, ctx->next->release))
                return;
        /* A copy: the list that came in belongs to the world. */
        ctx->next->poisoned.items = arena_array(ctx->arena, old.n + 1, sizeof(struct text_at));
        if (old.n > 0)
                memcpy(ctx->next->poisoned.items, old.items, old.n * sizeof(struct text_at));
        ctx->next->poisoned.items[old.n].text = ctx->next->release;
        ctx->next->poisoned.n = old.n + 1;
}

void context_fail(struct rollout_context *ctx, const char *code, const char *text) {
        ctx->next->failure_code = code;
        ctx->next->failure_text = text;
        poison(ctx);
        ctx->out->event = EVENT_FAILED;
        context_enter_phase(ctx, ctx->app->settings.on_failure == ON_FAILURE_PAUSE ? PHASE_PAUSED : PHASE_REVERTING);
}

static bool waits_until(struct rollout_context *ctx, int64_t at, const char *what) {
        int64_t left = at - ctx->input->now;

        if (left <= 0 || left > BACK_OFF_MAX_MS)
                return false;
        context_wait(ctx,
                     ctx->next->trouble        ? ctx->next->trouble
                     : ctx->next->failure_text ? ctx->next->failure_text
                                               : what,
                     left);
        return true;
}

bool context_waits_to_retry(struct rollout_context *ctx, const char *what) {
        return waits_until(ctx, ctx->next->retry_at, what);
}

bool context_waits_to_route(struct rollout_context *ctx) {
        return waits_until(ctx, ctx->next->route_retry_at, "the router");
}

void context_reset_holds(struct rollout *r) {
        struct rollout_step *steps = r->steps.items;

        for (size_t i = 0; i < r->steps.n; i++)
                steps[i].since = 0;
}

int64_t context_back_off_ms(int64_t attempts) {
        int64_t wait = 1000;

        for (int64_t i = 1; i < attempts && wait < BACK_OFF_MAX_MS; i++)
                wait *= 2;
        return wait < BACK_OFF_MAX_MS ? wait : BACK_OFF_MAX_MS;
}
