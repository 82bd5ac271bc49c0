/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/revert.h"

#include "reconciler/core/split.h"
#include "shared/base/text.h"

static const struct workload_service *old_service(const struct look *s, const struct instance *i) {
        return s->lookup ? lookup_service(s->lookup, i->service) : NULL;
}

/* Belongs to the release that served before: found running when the rollout began, or one that it would have. */
static bool belongs_to_old(const struct look *s, const struct instance *i) {
        return look_is_kept(s, i) || (s->lookup && lookup_is_wanted(s->lookup, i));
}

/* It was started in this revert already and ended by itself. Repairs will try again, and slow down; the revert is over. */
static bool has_ended_again(const struct look *s, const struct instance *i) {
        return i->state == INSTANCE_EXITED && !i->lost && string_list_has(&s->next->restarted, i->id);
}

static bool is_down(const struct look *s, const struct instance *i) {
        return i->state != INSTANCE_RUNNING && i->state != INSTANCE_RESTARTING && i->state != INSTANCE_REMOVING &&
               !has_ended_again(s, i);
}

/* Whether two of a service can run at a time. Of a service that the old release does not know: nothing waits for it. */
static bool runs_beside(const struct look *s, const struct instance *i) {
        const struct workload_service *before = old_service(s, i);
        const struct workload_service *after = s->app->wanted ? workload_find(s->app->wanted, i->service) : NULL;

        return before && !before->exclusive && !(after && after->exclusive) && s->app->settings.strategy != STRATEGY_RECREATE &&
               s->app->settings.order != ORDER_STOP_FIRST;
}

/* An old instance of the same service is still on its way up: while it is, the new one serves on. */
static bool old_is_coming(const struct look *s, const struct instance *i) {
        const struct instance *items = s->app->instances.items;
        bool patient = s->world->now - s->next->progress_at <= s->app->settings.healthy_deadline_ms;

        for (size_t n = 0; n < s->app->instances.n; n++)
                if (str_eq(items[n].service, i->service) && look_is_kept(s, &items[n]) &&
                    (is_down(s, &items[n]) || (patient && items[n].state == INSTANCE_RUNNING && items[n].health == HEALTH_STARTING)))
                        return true;
        return false;
}

static bool goes(const struct look *s, const struct instance *i) {
        return !belongs_to_old(s, i) && i->state != INSTANCE_REMOVING;
}

/* Also what ended by itself: it may still carry the name that the old one takes back. */
static bool is_to_stop(const struct look *s, const struct instance *i, bool beside) {
        return goes(s, i) && i->state != INSTANCE_CREATED && runs_beside(s, i) == beside;
}

static bool serves_until_old_comes(const struct look *s, const struct instance *i, bool beside) {
        return beside && i->state == INSTANCE_RUNNING && old_is_coming(s, i);
}

/* Stop those of the new ones whose service can run twice, or the others. */
static void stop_new(struct look *s, bool beside) {
        const struct instance *items = s->app->instances.items;

        /* All of them first: none of them is who serves in the other's place. */
        for (size_t n = 0; n < s->app->instances.n; n++)
                if (is_to_stop(s, &items[n], beside) && !serves_until_old_comes(s, &items[n], beside))
                        s->retiring[n] = true;
        for (size_t n = 0; n < s->app->instances.n; n++) {
                const struct instance *i = &items[n];

                if (!is_to_stop(s, i, beside))
                        continue;
                if (serves_until_old_comes(s, i, beside))
                        look_wait(s, "the instances before to run again", LOOK_AGAIN_MS);
                else if (split_releases(s, i))
                        look_act(s, VERB_STOP, NULL, i->index, i, s->next->failure_code, "the release is taken back");
        }
}

static void start_old(struct look *s) {
        const struct instance *items = s->app->instances.items;

        for (size_t n = 0; n < s->app->instances.n; n++)
                if (look_is_kept(s, &items[n]) && is_down(s, &items[n]))
                        look_act(s, VERB_START, NULL, items[n].index, &items[n], NULL, "it takes over again");
}

/* What is stopped, or is being stopped by this very look, goes. */
static void remove_new(struct look *s) {
        const struct instance *items = s->app->instances.items;

        for (size_t n = 0; n < s->app->instances.n; n++) {
                const struct instance *i = &items[n];

                if (goes(s, i) && (s->stopped[n] || i->state == INSTANCE_CREATED || i->state == INSTANCE_DEAD))
                        look_act(s, VERB_REMOVE, NULL, i->index, i, s->next->failure_code, "the release is taken back");
        }
}

static bool anything_goes(const struct look *s) {
        const struct instance *items = s->app->instances.items;

        for (size_t n = 0; n < s->app->instances.n; n++)
                if (goes(s, &items[n]))
                        return true;
        return false;
}

bool revert(struct look *s) {
        s->next->candidate = 0;
        stop_new(s, false);
        start_old(s);
        stop_new(s, true);
        remove_new(s);
        /* Nobody ever served before: the router forgets the app. */
        if (s->next->kept.n == 0 && !s->next->settled_release && !split_end(s))
                return false;
        split_apply(s);
        return !s->acts && !anything_goes(s) && split_follows(s);
}
