/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/begin.h"

#include "shared/base/text.h"

static void keep_running(struct look *s) {
        const struct instance *instances = s->app->instances.items;

        s->next->kept = (struct string_list){ .items = NULL };
        for (size_t i = 0; i < s->app->instances.n; i++)
                if (instances[i].state == INSTANCE_RUNNING || instances[i].state == INSTANCE_RESTARTING ||
                    instances[i].state == INSTANCE_PAUSED) {
                        struct text_at *kept = arena_push(s->arena, &s->next->kept.items, &s->next->kept.n, sizeof(struct text_at));

                        kept->text = instances[i].id;
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
static void use_retry(struct look *s) {
        const char *release = s->app->wanted->release;
        const struct world_retry *retry = world_retry_for(s->app, release, s->world->now);
        struct string_list used = { .items = NULL };

        if (!retry || !rollout_is_poisoned(s->next, release))
                return;
        s->next->poisoned = without(&s->next->poisoned, release, s->arena);
        used = without(&s->next->retried, retry->id, s->arena);
        ((struct text_at *)arena_push(s->arena, &used.items, &used.n, sizeof(struct text_at)))->text = retry->id;
        s->next->retried = used;
}

/* The plan that the declared release comes with; a copy, for it is walked. */
static void take_plan(struct look *s) {
        const struct rollout_settings settings = { .strategy = s->app->settings.strategy };

        if (s->app->plan.n == 0) {
                plan_make(&settings, NULL, s->traffic != NULL, s->arena, &s->next->steps);
                return;
        }
        s->next->steps = (struct struct_list){
                .items = arena_array(s->arena, s->app->plan.n, sizeof(struct rollout_step)), .n = s->app->plan.n,
        };
        memcpy(s->next->steps.items, s->app->plan.items, s->app->plan.n * sizeof(struct rollout_step));
}

void begin(struct look *s) {
        const struct workload *wanted = s->app->wanted;

        /* A release that overtakes a running rollout goes back to the same old instances if it fails. */
        if (s->next->phase == PHASE_SETTLED || s->next->phase == PHASE_ABSENT)
                keep_running(s);
        use_retry(s);
        take_plan(s);
        s->next->runtime = wanted->runtime;
        s->next->release = wanted->release;
        s->next->version = wanted->version;
        s->next->prepared = false;
        s->next->doomed = false;
        s->next->checks = (struct struct_list){ .items = NULL };
        s->next->candidate = -1;
        s->next->started_at = s->world->now;
        s->next->seen_at = s->world->now;
        s->next->failure_code = NULL;
        s->next->failure_text = NULL;
        look_go(s, PHASE_PREPARING);
        s->out->event = EVENT_STARTED;
}

static bool gates_allow(const struct look *s) {
        return verdict_combined(&s->app->verdicts) == VERDICT_ALLOW;
}

bool begin_is_due(const struct look *s, const char *than) {
        return s->app->declared && s->app->wanted && !str_eq(s->app->wanted->release, than) && gates_allow(s);
}

bool begin_is_due_again(const struct look *s) {
        return s->app->declared && s->app->wanted && rollout_is_poisoned(s->next, s->app->wanted->release) &&
               world_retry_for(s->app, s->app->wanted->release, s->world->now) && gates_allow(s);
}
