/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/revive.h"

#include <string.h>

#include "reconciler/core/stage.h"

/* Of the old ones of a service: how many run. */
static int64_t running_old(const struct look *s, const char *service) {
        const struct instance *first, *end;
        int64_t n = 0;

        lookup_range(s->lookup, service, &first, &end);
        for (const struct instance *i = first; i < end; i++)
                n += look_is_kept(s, i) && !lookup_is_wanted(s->lookup, i) &&
                     (i->state == INSTANCE_RUNNING || i->state == INSTANCE_RESTARTING);
        return n;
}

bool revive(struct look *s) {
        const struct instance *items = s->app->instances.items;
        const char *counted = NULL;
        int64_t new = 0, old = INT64_MAX, running = 0;
        bool any = false;

        /* They are sorted by service. */
        for (size_t n = 0; n < s->app->instances.n; n++) {
                const struct instance *i = &items[n];
                const struct workload_service *service = lookup_service(s->lookup, i->service);
                bool wanted = lookup_is_wanted(s->lookup, i);

                if (i->state != INSTANCE_EXITED || !i->lost || (service && lookup_is_job(s->lookup, service)))
                        continue;
                if (!counted || strcmp(counted, i->service) != 0) {
                        counted = i->service;
                        running = running_old(s, i->service);
                        old = INT64_MAX;
                        if (service)
                                stage_reach(s, service, &new, &old);
                }
                if (wanted ? !look_is_kept(s, i) && i->index > new : !look_is_kept(s, i) || running >= old)
                        continue;
                running += !wanted;
                look_act(s, VERB_START, service, i->index, i, NULL, "it ended with its engine");
                any = true;
        }
        return any;
}
