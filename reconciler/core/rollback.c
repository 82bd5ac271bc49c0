/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/rollback.h"

#include "reconciler/core/traffic.h"
#include "shared/base/text.h"

static const struct workload_service *old_service(const struct rollout_context *ctx, const struct instance *i) {
        return ctx->index ? workload_index_service(ctx->index, i->service) : NULL;
}

/* Belongs to the release that served before: found running when the rollout began, or one that it would have. */
static bool belongs_to_old(const struct rollout_context *ctx, const struct instance *i) {
        return context_is_previous(ctx, i) || (ctx->index && workload_index_is_wanted(ctx->index, i));
}

/*
 * It was started in this revert already and ended by itself. Repairs will try again, and slow down; the revert is over.
 */
static bool has_ended_again(const struct rollout_context *ctx, const struct instance *i) {
        return i->state == INSTANCE_EXITED && !i->lost && string_list_has(&ctx->next->restarted, i->id);
}

static bool is_down(const struct rollout_context *ctx, const struct instance *i) {
        return i->state != INSTANCE_RUNNING && i->state != INSTANCE_RESTARTING && i->state != INSTANCE_REMOVING &&
               !has_ended_again(ctx, i);
}

/* Whether two of a service can run at a time. Of a service that the old release does not know: nothing waits for it. */
static bool runs_beside(const struct rollout_context *ctx, const struct instance *i) {
        const struct workload_service *before = old_service(ctx, i);
        const struct workload_service *after = ctx->app->wanted ? workload_find(ctx->app->wanted, i->service) : NULL;

        return before && !before->exclusive && !(after && after->exclusive) &&
               ctx->app->settings.strategy != STRATEGY_RECREATE && ctx->app->settings.order != ORDER_STOP_FIRST;
}

/* An old instance of the same service is still on its way up: while it is, the new one serves on. */
static bool old_is_coming(const struct rollout_context *ctx, const struct instance *i) {
        const struct instance *items = ctx->app->instances.items;
        bool patient = ctx->input->now - ctx->next->progress_at <= ctx->app->settings.healthy_deadline_ms;

        for (size_t n = 0; n < ctx->app->instances.n; n++)
                if (str_eq(items[n].service, i->service) && context_is_previous(ctx, &items[n]) &&
                    (is_down(ctx, &items[n]) ||
                     (patient && items[n].state == INSTANCE_RUNNING && items[n].health == HEALTH_STARTING)))
                        return true;
        return false;
}

static bool goes(const struct rollout_context *ctx, const struct instance *i) {
        return !belongs_to_old(ctx, i) && i->state != INSTANCE_REMOVING;
}

/* Also what ended by itself: it may still carry the name that the old one takes back. */
static bool is_to_stop(const struct rollout_context *ctx, const struct instance *i, bool beside) {
        return goes(ctx, i) && i->state != INSTANCE_CREATED && runs_beside(ctx, i) == beside;
}

static bool serves_until_old_comes(const struct rollout_context *ctx, const struct instance *i, bool beside) {
        return beside && i->state == INSTANCE_RUNNING && old_is_coming(ctx, i);
}

/* Stop those of the new ones whose service can run twice, or the others. */
static void stop_new(struct rollout_context *ctx, bool beside) {
        const struct instance *items = ctx->app->instances.items;

        /* All of them first: none of them is who serves in the other's place. */
        for (size_t n = 0; n < ctx->app->instances.n; n++)
                if (is_to_stop(ctx, &items[n], beside) && !serves_until_old_comes(ctx, &items[n], beside))
                        ctx->retiring[n] = true;
        for (size_t n = 0; n < ctx->app->instances.n; n++) {
                const struct instance *i = &items[n];

                if (!is_to_stop(ctx, i, beside))
                        continue;
                if (serves_until_old_comes(ctx, i, beside))
                        context_wait(ctx, "the instances before to run again", CONTEXT_POLL_MS);
                else if (traffic_releases(ctx, i))
                        context_add_action(ctx, ACTION_STOP, NULL, i->index, i, ctx->next->failure_code,
                                           "the release is taken back");
        }
}

static void start_old(struct rollout_context *ctx) {
        const struct instance *items = ctx->app->instances.items;

        for (size_t n = 0; n < ctx->app->instances.n; n++)
                if (context_is_previous(ctx, &items[n]) && is_down(ctx, &items[n]))
                        context_add_action(ctx, ACTION_START, NULL, items[n].index, &items[n], NULL,
                                           "it takes over again");
}

/* What is stopped, or is being stopped by this very look, goes. */
static void remove_new(struct rollout_context *ctx) {
        const struct instance *items = ctx->app->instances.items;

        for (size_t n = 0; n < ctx->app->instances.n; n++) {
                const struct instance *i = &items[n];

                if (goes(ctx, i) && (ctx->stopped[n] || i->state == INSTANCE_CREATED || i->state == INSTANCE_DEAD))
                        context_add_action(ctx, ACTION_REMOVE, NULL, i->index, i, ctx->next->failure_code,
                                           "the release is taken back");
        }
}

static bool anything_goes(const struct rollout_context *ctx) {
        const struct instance *items = ctx->app->instances.items;

        for (size_t n = 0; n < ctx->app->instances.n; n++)
                if (goes(ctx, &items[n]))
                        return true;
        return false;
}

bool rollback(struct rollout_context *ctx) {
        ctx->next->candidate = 0;
        stop_new(ctx, false);
        start_old(ctx);
        stop_new(ctx, true);
        remove_new(ctx);
        /* Nobody ever served before: the router forgets the app. */
        if (ctx->next->previous.n == 0 && !ctx->next->current_release && !traffic_end(ctx))
                return false;
        traffic_apply(ctx);
        return !ctx->acts && !anything_goes(ctx) && traffic_is_applied(ctx);
}
