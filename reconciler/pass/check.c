/* SPDX-License-Identifier: Apache-2.0 */

/* The checks of rollouts under way, made when they are due. */

#include "providers/probe.h"
#include "reconciler/core/checks.h"
#include "reconciler/pass/context.h"

void pass_observe_checks(struct pass *p, struct world_app *app) {
        struct struct_list list;
        const struct check_due *due;

        checks_due(app, p->world.now, p->arena, &list);
        due = list.items;
        for (size_t i = 0; i < list.n; i++) {
                const struct probe_target target = {
                        .runtime = pass_find_app(p, app->app)->runtime,
                        .instance = due[i].instance,
                        .host = p->world.host,
                        .app = app->app,
                        .service = due[i].check->service.text,
                        .release = app->rollout.release,
                        .version = app->rollout.version,
                        .settled_release = app->rollout.settled_release,
                        .settled_version = app->rollout.settled_version,
                };
                struct check_fact *fact = arena_push(p->arena, &app->facts.items, &app->facts.n, sizeof(struct check_fact));

                probe(due[i].check, &target, p->arena, fact);
        }
}
