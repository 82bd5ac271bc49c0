/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/begin.h"

#include "shared/base/text.h"

static void keep_running(struct rollout_context *ctx) {
        const struct instance *instances = ctx->app->instances.items;

        ctx->next->previous = (struct string_list){ .items = NULL };
        for (size_t i = 0; i < ctx->app->instances.n; i++)
                if (instances[i].state == INSTANCE_RUNNING || instances[i].state == INSTANCE_RESTARTING ||
                    instances[i].state == INSTANCE_PAUSED) {
                        struct text_at *previous = arena_push(ctx->arena, &ctx->next->previous.items,
                                                              &ctx->next->previous.n, sizeof(struct text_at));

                        previous->text = instances[i].id;
                }
}

static struct string_list without(const struct string_list *list, const char *text, struct arena *a) {
        struct string_list rest = { .items = NULL };

        for (size_t i = 0; i < list->n; i++)
                if (!str_eq(list->items[i].text, text))
                        *(struct text_at *)arena_push(a, &rest.items, &rest.n, sizeof(struct text_at)) = list->items[i];
        return rest;
}

/* A signed retry lets a poisoned release begin once more, and is used up by it. */
static void use_retry(struct rollout_context *ctx) {
        const char *release = ctx->app->wanted->release;
        const struct retry_permission *retry = app_input_retry_for(ctx->app, release, ctx->input->now);
        struct string_list used = { .items = NULL };

        if (!retry || !rollout_is_poisoned(ctx->next, release))
                return;
        ctx->next->poisoned = without(&ctx->next->poisoned, release, ctx->arena);
        used = without(&ctx->next->retried, retry->id, ctx->arena);
        ((struct text_at *)arena_push(ctx->arena, &used.items, &used.n, sizeof(struct text_at)))->text = retry->id;
        ctx->next->retried = used;
}

/* The plan that the declared release comes with; a copy, for it is walked. */
static void take_plan(struct rollout_context *ctx) {
        const struct rollout_settings settings = { .strategy = ctx->app->settings.strategy };

        if (ctx->app->plan.n == 0) {
                plan_make(&settings, NULL, ctx->traffic != NULL, ctx->arena, &ctx->next->steps);
                return;
        }
        ctx->next->steps = (struct struct_list){
                .items = arena_array(ctx->arena, ctx->app->plan.n, sizeof(struct rollout_step)),
                .n = ctx->app->plan.n,
        };
        memcpy(ctx->next->steps.items, ctx->app->plan.items, ctx->app->plan.n * sizeof(struct rollout_step));
}

void begin(struct rollout_context *ctx) {
        const struct workload *wanted = ctx->app->wanted;

        /* A release that overtakes a running rollout goes back to the same old instances if it fails. */
        if (ctx->next->phase == PHASE_SETTLED || ctx->next->phase == PHASE_ABSENT)
                keep_running(ctx);
        use_retry(ctx);
        take_plan(ctx);
        ctx->next->runtime = wanted->runtime;
        ctx->next->release = wanted->release;
        ctx->next->version = wanted->version;
        ctx->next->prepared = false;
        ctx->next->doomed = false;
        ctx->next->checks = (struct struct_list){ .items = NULL };
        ctx->next->candidate = -1;
        ctx->next->started_at = ctx->input->now;
        ctx->next->seen_at = ctx->input->now;
        ctx->next->failure_code = NULL;
        ctx->next->failure_text = NULL;
        context_enter_phase(ctx, PHASE_PREPARING);
        ctx->out->event = EVENT_STARTED;
}

static bool gates_allow(const struct rollout_context *ctx) {
        return verdict_combined(&ctx->app->verdicts) == VERDICT_ALLOW;
}

bool begin_is_due(const struct rollout_context *ctx, const char *than) {
        return ctx->app->declared && ctx->app->wanted && !str_eq(ctx->app->wanted->release, than) && gates_allow(ctx);
}

bool begin_is_due_again(const struct rollout_context *ctx) {
        return ctx->app->declared && ctx->app->wanted && rollout_is_poisoned(ctx->next, ctx->app->wanted->release) &&
               app_input_retry_for(ctx->app, ctx->app->wanted->release, ctx->input->now) && gates_allow(ctx);
}
