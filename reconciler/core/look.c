/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/look.h"

#include <stdlib.h>

#include "shared/base/text.h"

#define BACK_OFF_MAX_MS (5 * 60 * 1000)

static int compare_ids(const void *x, const void *y) {
        return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Once a look: an app may have a thousand instances, and be asked about each of them several times. */
static void find_kept(struct look *s) {
        const struct instance *items = s->app->instances.items;
        size_t n = s->next->kept.n;
        const char **ids = arena_array(s->arena, n, sizeof(*ids));

        s->kept = arena_array(s->arena, s->app->instances.n, sizeof(bool));
        for (size_t k = 0; k < n; k++)
                ids[k] = s->next->kept.items[k].text;
        if (n > 1)
                qsort(ids, n, sizeof(*ids), compare_ids);
        for (size_t i = 0; n > 0 && i < s->app->instances.n; i++)
                s->kept[i] = bsearch(&items[i].id, ids, n, sizeof(*ids), compare_ids) != NULL;
}

void look_init(struct look *s) {
        s->traffic = world_traffic(s->app);
        find_kept(s);
        s->retiring = arena_array(s->arena, s->app->instances.n, sizeof(bool));
        s->stopped = arena_array(s->arena, s->app->instances.n, sizeof(bool));
        s->admitted = arena_array(s->arena, s->app->instances.n, sizeof(bool));
}

void look_aim(struct look *s, const struct workload *goal) {
        s->goal = goal;
        s->lookup = goal ? lookup_new(goal, &s->app->instances, s->arena) : NULL;
}

struct action *look_act(struct look *s, enum action_verb verb, const struct workload_service *service, int64_t index,
                        const struct instance *instance, const char *reason, const char *why) {
        struct action *action = arena_push(s->arena, &s->actions->items, &s->actions->n, sizeof(struct action));

        action->verb = verb;
        action->app = s->app->app;
        action->release = s->goal ? s->goal->release : NULL;
        action->service = service ? service->name : instance ? instance->service : NULL;
        action->index = index;
        action->instance = instance ? instance->id : NULL;
        action->name = instance ? instance->name : NULL;
        action->reason = reason;
        action->why = why;
        s->acts = true;
        if (verb == VERB_STOP && instance)
                s->stopped[look_place(s, instance)] = true;
        return action;
}

static void earliest(int64_t *at, int64_t wish) {
        if (!*at || wish < *at)
                *at = wish;
}

void look_wait(struct look *s, const char *what, int64_t in_ms) {
        if (!s->out->waits_for)
                s->out->waits_for = what;
        if (in_ms > 0) {
                earliest(&s->out->wake_at, s->world->now + in_ms);
                earliest(&s->out->due_at, s->world->now + in_ms);
        }
}

void look_watch(struct look *s, const char *what, int64_t due_ms) {
        if (!s->out->waits_for)
                s->out->waits_for = what;
        earliest(&s->out->due_at, s->world->now + due_ms);
        earliest(&s->out->wake_at, s->world->now + (due_ms < LOOK_HOLD_MS ? due_ms : LOOK_HOLD_MS));
}

size_t look_place(const struct look *s, const struct instance *i) {
        return (size_t)(i - (const struct instance *)s->app->instances.items);
}

bool look_is_kept(const struct look *s, const struct instance *i) {
        return s->kept[look_place(s, i)];
}

bool look_has_drift(const struct look *s, const char *code) {
        const struct drift *drift = s->out->drift.items;

        for (size_t i = 0; i < s->out->drift.n; i++)
                if (str_eq(drift[i].code, code))
                        return true;
        return false;
}

void look_go(struct look *s, enum phase phase) {
        s->next->phase = phase;
        s->next->progress_at = s->world->now;
        s->next->attempts = 0;
        s->next->retry_at = 0;
        s->next->trouble = NULL;
        s->next->restarted = (struct string_list){ .items = NULL };
}

static void poison(struct look *s) {
        struct string_list old = s->next->poisoned;

        if (!s->next->release || rollout_is_poisoned(s->next, s->next->release))
                return;
        /* A copy: the list that came in belongs to the world. */
        s->next->poisoned.items = arena_array(s->arena, old.n + 1, sizeof(struct text_at));
        if (old.n > 0)
                memcpy(s->next->poisoned.items, old.items, old.n * sizeof(struct text_at));
        s->next->poisoned.items[old.n].text = s->next->release;
        s->next->poisoned.n = old.n + 1;
}

void look_fail(struct look *s, const char *code, const char *text) {
        s->next->failure_code = code;
        s->next->failure_text = text;
        poison(s);
        s->out->event = EVENT_FAILED;
        look_go(s, s->app->settings.on_failure == ON_FAILURE_PAUSE ? PHASE_PAUSED : PHASE_REVERTING);
}

static bool waits_until(struct look *s, int64_t at, const char *what) {
        int64_t left = at - s->world->now;

        if (left <= 0 || left > BACK_OFF_MAX_MS)
                return false;
        look_wait(s, s->next->trouble ? s->next->trouble : s->next->failure_text ? s->next->failure_text : what, left);
        return true;
}

bool look_waits_to_retry(struct look *s, const char *what) {
        return waits_until(s, s->next->retry_at, what);
}

bool look_waits_to_route(struct look *s) {
        return waits_until(s, s->next->route_retry_at, "the router");
}

void look_break(struct rollout *r) {
        struct rollout_step *steps = r->steps.items;

        for (size_t i = 0; i < r->steps.n; i++)
                steps[i].since = 0;
}

int64_t look_back_off_ms(int64_t attempts) {
        int64_t wait = 1000;

        for (int64_t i = 1; i < attempts && wait < BACK_OFF_MAX_MS; i++)
                wait *= 2;
        return wait < BACK_OFF_MAX_MS ? wait : BACK_OFF_MAX_MS;
}
