/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/decide.h"

#include "reconciler/core/rollout.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/* How soon a settled app whose instances only start is looked at again. */
#define LOOK_SETTLED_MS 2000

static bool is_under_way(enum phase phase) {
        return phase != PHASE_ABSENT && phase != PHASE_SETTLED && phase != PHASE_PAUSED && phase != PHASE_STUCK;
}

/* Extra instances are told but don't make what is declared any worse. */
static bool has_harmful_drift(const struct decision_app *out) {
        const struct drift *drift = out->drift.items;

        for (size_t i = 0; i < out->drift.n; i++)
                if (!str_eq(drift[i].code, REASON_DRIFT_EXTRA))
                        return true;
        return false;
}

static enum app_state state_of(const struct rollout_context *ctx) {
        const struct rollout *r = ctx->next;

        if (!ctx->app->observed)
                return APP_DEGRADED;
        if (r->phase == PHASE_PAUSED || r->phase == PHASE_STUCK)
                return APP_FAILED;
        if (is_under_way(r->phase) || ctx->acts)
                return APP_PROGRESSING;
        if (ctx->app->wanted && !str_eq(ctx->app->wanted->release, r->current_release))
                return rollout_is_poisoned(r, ctx->app->wanted->release) ? APP_FAILED : APP_BLOCKED;
        if (has_harmful_drift(ctx->out) || ctx->out->health == HEALTH_UNHEALTHY)
                return APP_DEGRADED;
        return ctx->out->health == HEALTH_STARTING ? APP_PROGRESSING : APP_CONVERGED;
}

/* What a held release waits for, for people. A denial waits for nothing: the verdict says it. */
static void tell_gate(struct rollout_context *ctx) {
        const struct verdict *v = verdict_decisive(&ctx->app->verdicts);

        if (ctx->app->declared && v && v->verdict == VERDICT_PENDING &&
            !str_eq(ctx->app->wanted ? ctx->app->wanted->release : NULL, ctx->next->current_release))
                context_wait(ctx, v->message ? v->message : v->gate, 0);
}

/* What the machine changes in place must not be the world's. */
static void own_copy(struct struct_list *list, size_t size, struct arena *a) {
        void *copy = list->n > 0 ? arena_array(a, list->n, size) : NULL;

        if (copy)
                memcpy(copy, list->items, list->n * size);
        list->items = copy;
}

static void decide_app(const struct decision_input *input, const struct app_input *app, struct arena *a,
                       struct decision *d) {
        struct decision_app *out = arena_push(a, &d->apps.items, &d->apps.n, sizeof(struct decision_app));
        struct rollout_context s = {
                .input = input, .app = app, .arena = a, .actions = &d->actions, .out = out, .next = &out->rollout
        };

        out->app = app->app;
        out->rollout = app->rollout;
        out->rollout.app = app->app;
        own_copy(&out->rollout.steps, sizeof(struct rollout_step), a);
        own_copy(&out->rollout.checks, sizeof(struct check_state), a);
        context_init(&s);

        if (!app->observed) {
                /* Nothing may be concluded from an engine that doesn't answer; a hold starts over when it is back. */
                context_reset_holds(s.next);
                context_wait(&s, app->unobserved ? app->unobserved : "the runtime to answer", 0);
        } else if (input->suspended && is_under_way(app->rollout.phase)) {
                context_wait(&s, input->suspended_reason ? input->suspended_reason : "acting on this host is suspended",
                             0);
        } else {
                rollout_advance(&s);
        }
        if (!s.goal)
                context_set_goal(&s, app->current ? app->current : app->wanted);
        out->health =
                s.index && app->observed ? workload_index_health(s.index, is_under_way(s.next->phase)) : HEALTH_NONE;
        out->state = state_of(&s);
        /* What was started by hand or by a repair: nothing else would look again when it is well. */
        if (out->state == APP_PROGRESSING && !is_under_way(s.next->phase) && !s.acts)
                context_hold(&s, "the instances to become healthy", LOOK_SETTLED_MS);
        tell_gate(&s);
}

void decide(const struct decision_input *input, struct arena *a, struct decision *ret) {
        const struct app_input *apps = input->apps.items;

        *ret = (struct decision){ .actions = { .items = NULL } };
        for (size_t i = 0; i < input->apps.n; i++)
                decide_app(input, &apps[i], a, ret);
}
