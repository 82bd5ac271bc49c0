/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/step.h"

#include "shared/base/text.h"

void step_aim(struct step *s, const struct workload *goal) {
        s->goal = goal;
        s->lookup = goal ? lookup_new(goal, &s->app->instances, s->arena) : NULL;
}

void step_act(struct step *s, enum action_verb verb, const struct workload_service *service, int64_t index,
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
}

void step_wait(struct step *s, const char *what, int64_t in_ms) {
        int64_t at = in_ms > 0 ? s->world->now + in_ms : 0;

        if (!s->out->waits_for)
                s->out->waits_for = what;
        if (at && (!s->out->wake_at || at < s->out->wake_at))
                s->out->wake_at = at;
}

bool step_is_kept(const struct step *s, const struct instance *i) {
        for (size_t k = 0; k < s->next->kept.n; k++)
                if (str_eq(s->next->kept.items[k].text, i->id))
                        return true;
        return false;
}
