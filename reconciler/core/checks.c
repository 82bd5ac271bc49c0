/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/checks.h"

#include "policies/analysis.h"
#include "shared/base/text.h"

static const struct check_state *find_state(const struct struct_list *states, const char *check) {
        const struct check_state *items = states->items;

        for (size_t i = 0; i < states->n; i++)
                if (str_eq(items[i].check, check))
                        return &items[i];
        return NULL;
}

static bool is_active(const struct rollout *r) {
        const struct rollout_step *steps = r->steps.items;

        for (size_t i = 0; i < r->steps.n; i++)
                if ((steps[i].step.stage || steps[i].step.check) &&
                    (steps[i].state == STEP_RUNNING || steps[i].state == STEP_WAITING))
                        return true;
        return false;
}

static void add_due(struct arena *a, struct struct_list *list, const struct check *check,
                    const struct instance *instance) {
        *(struct check_due *)arena_push(a, &list->items, &list->n, sizeof(struct check_due)) =
                (struct check_due){ .check = check, .instance = instance };
}

static void due_of_instances(const struct workload_index *l, const struct check *check, struct arena *a,
                             struct struct_list *ret) {
        const struct instance *first, *end;
        bool any = false;

        workload_index_range(l, check->service.text, &first, &end);
        for (const struct instance *i = first; i < end; i++) {
                if (i->state != INSTANCE_RUNNING || !workload_index_is_wanted(l, i))
                        continue;
                if (check_kind_of(check) != CHECK_PROMETHEUS)
                        add_due(a, ret, check, i);
                any = true;
        }
        if (any && check_kind_of(check) == CHECK_PROMETHEUS)
                add_due(a, ret, check, NULL);
}

/*
 * Wall ms: when the newest of the new instances of a check's service was started. A start in the future is one before
 * the clock was set back.
 */
static int64_t newest_start(const struct workload_index *l, const struct check *check, int64_t now) {
        const struct instance *first, *end;
        int64_t newest = 0;

        workload_index_range(l, check->service.text, &first, &end);
        for (const struct instance *i = first; i < end; i++)
                if (workload_index_is_wanted(l, i) && i->started_at > newest && i->started_at <= now)
                        newest = i->started_at;
        return newest;
}

/* A round from before the newest instance ran says nothing about it; one of the same millisecond may be. */
static bool is_outdated(const struct workload_index *l, const struct check *check, const struct check_state *state,
                        int64_t now) {
        return !state || state->at <= newest_start(l, check, now);
}

/* When the clock was set back, a round that lies in the future is as good as none. */
static int64_t due_in(const struct workload_index *l, const struct check *check, const struct check_state *state,
                      int64_t now) {
        int64_t left = state && !is_outdated(l, check, state, now) ? state->at + check->interval_ms - now : 0;

        return left > 0 && left <= check->interval_ms ? left : 0;
}

void checks_due(const struct app_input *app, int64_t now, struct arena *a, struct struct_list *ret) {
        const struct check *checks = app->checks.items;
        const struct workload_index *l = NULL;

        *ret = (struct struct_list){ .items = NULL };
        if (!app->wanted || app->checks.n == 0 || !app->observed || !is_active(&app->rollout) ||
            !str_eq(app->rollout.release, app->wanted->release))
                return;
        l = workload_index_new(app->wanted, &app->instances, a);
        for (size_t i = 0; i < app->checks.n; i++)
                if (due_in(l, &checks[i], find_state(&app->rollout.checks, checks[i].name.text), now) == 0)
                        due_of_instances(l, &checks[i], a, ret);
}

/*
 * Folding
 */

static struct check_state *state_of(struct rollout_context *ctx, const char *check) {
        struct check_state *items = ctx->next->checks.items, *added;

        for (size_t i = 0; i < ctx->next->checks.n; i++)
                if (str_eq(items[i].check, check))
                        return &items[i];
        added = arena_push(ctx->arena, &ctx->next->checks.items, &ctx->next->checks.n, sizeof(struct check_state));
        added->check = check;
        return added;
}

void checks_fold(struct rollout_context *ctx) {
        const struct check *checks = ctx->app->checks.items;
        const struct check_fact *facts = ctx->app->facts.items;

        /* A look may walk more than once; its facts count once. */
        if (ctx->folded)
                return;
        ctx->folded = true;
        for (size_t i = 0; i < ctx->app->checks.n; i++) {
                struct check_fact *mine = arena_array(ctx->arena, ctx->app->facts.n, sizeof(struct check_fact));
                size_t n = 0;

                for (size_t k = 0; k < ctx->app->facts.n; k++)
                        if (str_eq(facts[k].check, checks[i].name.text))
                                mine[n++] = facts[k];
                if (n > 0)
                        analysis_round(&checks[i], mine, n, ctx->input->now, ctx->arena,
                                       state_of(ctx, checks[i].name.text));
        }
}

/* A service of which this stage has nothing yet is not judged by its checks. */
static bool has_candidates(const struct rollout_context *ctx, const struct check *check) {
        const struct instance *first, *end;

        workload_index_range(ctx->index, check->service.text, &first, &end);
        for (const struct instance *i = first; i < end; i++)
                if (workload_index_is_wanted(ctx->index, i) && i->state != INSTANCE_CREATED)
                        return true;
        return false;
}

enum check_verdict checks_verdict(struct rollout_context *ctx, const struct check_state **ret_check) {
        static const struct check_state unseen = { .detail = "it was not made yet" };
        const struct check *checks = ctx->app->checks.items;
        enum check_verdict worst = CHECK_PASS;

        *ret_check = NULL;
        for (size_t i = 0; i < ctx->app->checks.n; i++) {
                const struct check_state *state = find_state(&ctx->next->checks, checks[i].name.text);
                enum check_verdict verdict = state ? state->verdict : CHECK_INCONCLUSIVE;

                if (!has_candidates(ctx, &checks[i]))
                        continue;
                if (verdict == CHECK_PASS && is_outdated(ctx->index, &checks[i], state, ctx->input->now)) {
                        verdict = CHECK_INCONCLUSIVE;
                        state = &unseen;
                }
                if (verdict == CHECK_FAIL || (verdict == CHECK_INCONCLUSIVE && worst == CHECK_PASS)) {
                        worst = verdict;
                        *ret_check = state ? state : &unseen;
                }
                context_wait(ctx, NULL, due_in(ctx->index, &checks[i], state, ctx->input->now) + 1);
                if (verdict == CHECK_FAIL)
                        return verdict;
        }
        return worst;
}
