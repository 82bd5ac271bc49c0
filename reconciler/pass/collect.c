/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Collect: what of images, files and networks is still needed. What is declared and what is settled stays, whatever it
 * takes; of what was settled before, the images of the last `keep` releases of each app, as far as the host's budget
 * goes.
 */

#include <stdlib.h>

#include "reconciler/pass/context.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

#define KEEP_DEFAULT 1

static int64_t keep_of(const struct pass *p, const struct pass_app *app) {
        const struct app *declared = app->deployment ? app->deployment->app : fleet_app(&p->desired.fleet, app->app);

        return declared ? declared->keep : KEEP_DEFAULT;
}

static void add_older(struct pass *p, const struct pass_app *app, struct struct_list *older) {
        int64_t keep = keep_of(p, app);
        const struct earlier_release *items;
        struct struct_list earlier;

        current_earlier(&p->state, app->app, p->arena, &earlier);
        items = earlier.items;
        for (size_t i = 0; i < earlier.n && (int64_t)i < keep; i++)
                for (size_t k = 0; k < items[i].images.n; k++) {
                        struct runtime_image *image = arena_push(p->arena, &older->items, &older->n, sizeof(*image));

                        image->image = items[i].images.items[k].text;
                        image->at = items[i].until;
                }
}

static int newest_first(const void *x, const void *y) {
        const struct runtime_image *a = x, *b = y;

        if (a->at != b->at)
                return a->at > b->at ? -1 : 1;
        return strcmp(a->image, b->image);
}

static void collect_runtime(struct pass *p, struct runtime *runtime, struct workload *workloads) {
        own_fault struct fault fault = FAULT_INIT;
        struct struct_list older = { .items = NULL };
        struct runtime_keep keep = { .workloads = workloads, .budget = p->config->images.budget };

        for (size_t i = 0; i < p->n_apps; i++) {
                const struct pass_app *app = &p->apps[i];

                /*
                 * Of every runtime: docker and compose share an engine, and what one keeps the other must not collect.
                 */
                if (app->wanted)
                        workloads[keep.n_workloads++] = *app->wanted;
                if (app->current)
                        workloads[keep.n_workloads++] = *app->current;
                add_older(p, app, &older);
        }
        if (older.n > 1)
                qsort(older.items, older.n, sizeof(struct runtime_image), newest_first);
        keep.older = older.items;
        keep.n_older = older.n;
        /* Collecting late is no harm; failing to is only told. */
        if (runtime_collect(runtime, &keep, &fault) < 0)
                log_warning("%s", fault.message);
}

void pass_collect(struct pass *p) {
        struct workload *workloads = arena_array(p->arena, 2 * p->n_apps, sizeof(struct workload));

        for (size_t i = 0; i < p->n_runtimes; i++)
                collect_runtime(p, p->runtimes[i], workloads);
}
