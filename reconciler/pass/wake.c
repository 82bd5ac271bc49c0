/* SPDX-License-Identifier: Apache-2.0 */

/* Wake: when the next pass is due, and until when one with nothing to do need not look */

#include "reconciler/pass/context.h"
#include "reconciler/launcher/unchanged.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

/*
 * What a revert brought back is not waited for: the exit code is known. But status says that it starts until the next
 * pass, so that one is soon; less and less so the longer it starts, for each one asks the repository, too.
 */
#define STARTING_LOOK_MS 2000

static int64_t youngest_start(const struct app_input *app) {
        const struct instance *items = app->instances.items;
        int64_t youngest = 0;

        for (size_t i = 0; i < app->instances.n; i++)
                if (items[i].health == HEALTH_STARTING && items[i].started_at > youngest)
                        youngest = items[i].started_at;
        return youngest;
}

/* How soon to look again at what starts and nothing else waits for; INT64_MAX: there is none. */
static int64_t starting_ms_of(const struct pass *p, int64_t now) {
        const struct decision_app *decided = p->decision.apps.items;
        const struct app_input *apps = p->input.apps.items;
        int64_t soonest = INT64_MAX;

        for (size_t i = 0; i < p->decision.apps.n; i++) {
                int64_t age;

                if (decided[i].health != HEALTH_STARTING || decided[i].wake_at)
                        continue;
                age = now - youngest_start(&apps[i]);
                age = age > 0 ? age : 0;
                soonest = STARTING_LOOK_MS + age / 2 < soonest ? STARTING_LOOK_MS + age / 2 : soonest;
        }
        return soonest;
}

int64_t pass_next_ms(const struct pass *p) {
        int64_t now = clock_wall_ms(), starting = starting_ms_of(p, now);
        int64_t next = starting < p->config->poll_ms ? starting : p->config->poll_ms;

        if (p->wake_at && p->wake_at - now < next)
                next = p->wake_at > now ? p->wake_at - now : 1;
        return next;
}

static bool uses_engine(const struct pass *p) {
        for (size_t i = 0; i < p->n_runtimes; i++)
                if (str_eq(p->runtimes[i]->ops->name, "docker") || str_eq(p->runtimes[i]->ops->name, "compose"))
                        return true;
        return false;
}

/* A router cannot be asked cheaply, and somebody may have changed its split. */
#define ROUTER_LOOK_MS (60 * 1000)

/*
 * Until when nothing happens by itself: at a host that is as declared, or where all that is under way only has to hold.
 * 0: a pass is needed every time.
 */
static int64_t unchanged_until(const struct pass *p, int exit_code) {
        const struct decision_app *apps = p->decision.apps.items;
        int64_t now = clock_wall_ms(), until = now + p->config->heartbeat_ms;

        if (exit_code != 0 && exit_code != 3)
                return 0;
        for (size_t i = 0; i < p->decision.apps.n; i++) {
                if (apps[i].state != APP_CONVERGED && !apps[i].due_at)
                        return 0;
                if (apps[i].due_at && apps[i].due_at < until)
                        until = apps[i].due_at;
                if (apps[i].rollout.router && now + ROUTER_LOOK_MS < until)
                        until = now + ROUTER_LOOK_MS;
        }
        return until > now ? until : 0;
}

void pass_remember_unchanged(struct pass *p, const struct pass_result *result) {
        const struct unchanged_state quiet = {
                .tip = p->facts.tip,
                .engine = uses_engine(p) ? &p->engine : NULL,
                .exit_code = result->exit_code,
                .until = unchanged_until(p, result->exit_code),
                .again_ms = result->next_ms,
        };

        if (quiet.until && (!quiet.engine || digest_is_set(&p->engine)))
                unchanged_remember(p->config, &p->state, &quiet);
}
