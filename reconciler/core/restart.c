/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/restart.h"

#include <string.h>

#include "reconciler/core/stage.h"

/* Of the old ones of a service: how many run. */
static int64_t running_old(const struct rollout_context *ctx, const char *service) {
        const struct instance *first, *end;
        int64_t n = 0;

        workload_index_range(ctx->index, service, &first, &end);
        for (const struct instance *i = first; i < end; i++)
                n += context_is_previous(ctx, i) && !workload_index_is_wanted(ctx->index, i) &&
                     (i->state == INSTANCE_RUNNING || i->state == INSTANCE_RESTARTING);
        return n;
}

bool restart_interrupted(struct rollout_context *ctx) {
        const struct instance *items = ctx->app->instances.items;
        const char *counted = NULL;
        int64_t new = 0, old = INT64_MAX, running = 0;
        bool any = false;

        /* They are sorted by service. */
        for (size_t n = 0; n < ctx->app->instances.n; n++) {
                const struct instance *i = &items[n];
                const struct workload_service *service = workload_index_service(ctx->index, i->service);
                bool wanted = workload_index_is_wanted(ctx->index, i);

                if (i->state != INSTANCE_EXITED || !i->lost || (service && workload_index_is_job(ctx->index, service)))
                        continue;
                if (!counted || strcmp(counted, i->service) != 0) {
                        counted = i->service;
                        running = running_old(ctx, i->service);
                        old = INT64_MAX;
                        if (service)
                                stage_reach(ctx, service, &new, &old);
                }
                if (wanted ? !context_is_previous(ctx, i) && i->index > new
                           : !context_is_previous(ctx, i) || running >= old)
                        continue;
                running += !wanted;
                context_add_action(ctx, ACTION_START, service, i->index, i, NULL, "it ended with its engine");
                any = true;
        }
        return any;
}
