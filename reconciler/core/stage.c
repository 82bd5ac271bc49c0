/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/stage.h"

#include "reconciler/core/checks.h"
#include "reconciler/core/traffic.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/* An instance that the engine had to restart must stay up this long, whatever min_healthy_time says. */
#define RESTARTED_HOLD_MS (10 * 1000)

struct stage {
        struct rollout_context *look;
        const struct rollout_step *step;
        int64_t weight;
        int64_t parallel; /* 0: all */
        bool stop_first, beside;
};

static struct stage stage_of(struct rollout_context *ctx, const struct rollout_step *step) {
        const struct app_settings *settings = &ctx->app->settings;
        bool alone = ctx->next->previous.n == 0;

        return (struct stage){
                .look = ctx,
                .step = step,
                /* Where nothing was, there is nothing to compare with and nothing to spare. */
                .weight = alone ? 100 : step->step.stage->weight,
                .parallel = settings->strategy == STRATEGY_ROLLING && !alone ? settings->max_parallel : 0,
                .stop_first = settings->strategy == STRATEGY_RECREATE || settings->order == ORDER_STOP_FIRST,
                .beside = step->step.stage->beside,
        };
}

/* How many instances of a service are to be new when the stage is done. */
static int64_t target(const struct stage *g, const struct workload_service *service) {
        int64_t n;

        if (g->weight >= 100 || service->replicas == 0)
                return service->replicas;
        if (service->role != ROLE_PRIMARY)
                return service->exclusive ? 0 : service->replicas;
        n = (service->replicas * g->weight + 99) / 100;
        return n > 0 ? n : 1;
}

/* … and after so many batches. */
static int64_t limit(const struct stage *g, const struct workload_service *service, int64_t batches) {
        int64_t n = target(g, service);

        return batches == 0 ? 0 : g->parallel == 0 || batches * g->parallel > n ? n : batches * g->parallel;
}

static bool goes_stop_first(const struct stage *g, const struct workload_service *service) {
        return g->stop_first || service->exclusive;
}

/*
 * The old
 */

static const char *why_replaced(const struct rollout_context *ctx, const struct instance *old,
                                const struct workload_service *service) {
        if (!str_eq(old->image, service->image))
                return arena_printf(ctx->arena, "image %s → %s", old->image ? old->image : "(none)", service->image);
        return "its specification changed";
}

static bool is_old(const struct rollout_context *ctx, const struct instance *i) {
        return !workload_index_is_wanted(ctx->index, i) && i->state != INSTANCE_CREATED &&
               i->state != INSTANCE_REMOVING && i->state != INSTANCE_DEAD;
}

enum stopping {
        STOP_NOTHING, /* there is nothing to stop */
        STOP_NOW,     /* actions of this look stop all that must go */
        STOP_WAITS,   /* a router still leads to some of it */
};

/* What goes first: of a release that was overtaken, then what serves nobody. */
static int rank(const struct rollout_context *ctx, const struct instance *i) {
        return !context_is_previous(ctx, i) ? 0 : !instance_is_healthy(i, false) ? 1 : 2;
}

/* All that are to go are marked before the first one goes: none of them is who serves in the other's place. */
static void retire_down_to(struct rollout_context *ctx, const struct instance *first, const struct instance *end,
                           int64_t allowed) {
        int64_t running = 0;

        for (const struct instance *i = first; i < end; i++)
                running += is_old(ctx, i) && i->state != INSTANCE_EXITED;
        for (int first_to_last = 0; first_to_last < 3; first_to_last++)
                for (const struct instance *i = first; i < end && running > allowed; i++)
                        if (is_old(ctx, i) && i->state != INSTANCE_EXITED && rank(ctx, i) == first_to_last) {
                                ctx->retiring[context_index_of(ctx, i)] = true;
                                running--;
                        }
}

/*
 * Stop predecessors of a service until at most @allowed run, those of a release that was overtaken first. With @ended
 * also those that ended by themselves: they may still carry the name that a successor takes.
 */
static enum stopping stop_down_to(struct rollout_context *ctx, const struct workload_service *service, int64_t allowed,
                                  bool ended) {
        const struct instance *first, *end;
        enum stopping stopping = STOP_NOTHING;

        workload_index_range(ctx->index, service->name, &first, &end);
        retire_down_to(ctx, first, end, allowed);
        for (const struct instance *i = first; i < end; i++) {
                if (!is_old(ctx, i))
                        continue;
                if (i->state == INSTANCE_EXITED) {
                        if (ended && allowed == 0)
                                context_add_action(ctx, ACTION_STOP, service, i->index, i, NULL,
                                                   why_replaced(ctx, i, service));
                } else if (ctx->retiring[context_index_of(ctx, i)] && !traffic_releases(ctx, i)) {
                        stopping = STOP_WAITS;
                } else if (ctx->retiring[context_index_of(ctx, i)]) {
                        context_add_action(ctx, ACTION_STOP, service, i->index, i, NULL, why_replaced(ctx, i, service));
                        stopping = stopping == STOP_WAITS ? STOP_WAITS : STOP_NOW;
                }
        }
        return stopping;
}

/* Old instances that may run on while so many batches are there, proven when start-first. */
static int64_t allowed_old(const struct stage *g, const struct workload_service *service, int64_t batches) {
        int64_t new = limit(g, service, batches), rest = service->replicas - new;

        if (goes_stop_first(g, service))
                return g->weight >= 100 && new >= service->replicas ? 0 : rest;
        if (g->beside)
                return INT64_MAX;
        if (g->weight >= 100)
                return new >= service->replicas ? 0 : rest;
        /* A share below all leaves somebody to compare with. */
        return rest > 0 ? rest : 1;
}

void stage_reach(struct rollout_context *ctx, const struct workload_service *service, int64_t *ret_new,
                 int64_t *ret_old) {
        const struct rollout_step *steps = ctx->next->steps.items;

        *ret_new = 0;
        *ret_old = INT64_MAX;
        for (size_t i = 0; i < ctx->next->steps.n; i++) {
                /* Also while what it brought up is to be proven, and before its next try. */
                bool under_way = steps[i].started_at > 0 && !plan_step_is_over(steps[i].state);
                struct stage g;
                int64_t begun, made_room, new, old;

                if (!steps[i].step.stage || (!under_way && steps[i].batch == 0))
                        continue;
                g = stage_of(ctx, &steps[i]);
                begun = steps[i].batch + under_way;
                made_room = goes_stop_first(&g, service) ? begun : steps[i].batch;
                new = limit(&g, service, begun);
                old = made_room > 0 ? allowed_old(&g, service, made_room) : INT64_MAX;
                *ret_new = new > *ret_new ? new : *ret_new;
                *ret_old = old < *ret_old ? old : *ret_old;
        }
}

static bool retire_replaced(const struct stage *g) {
        const struct workload_service *services = g->look->goal->services.items;
        bool nothing = true;

        for (size_t n = 0; n < g->look->goal->services.n; n++)
                if (!service_runs_once(&services[n]) && limit(g, &services[n], g->step->batch) > 0)
                        nothing = stop_down_to(g->look, &services[n], allowed_old(g, &services[n], g->step->batch),
                                               false) == STOP_NOTHING &&
                                  nothing;
        return nothing;
}

/*
 * The new
 */

/*
 * It ran for the settled release from the same specification, or runs for this one: all of its instances have ended
 * well.
 */
static bool has_run(const struct rollout_context *ctx, const struct workload_service *service) {
        const struct workload_service *before =
                ctx->app->current ? workload_find(ctx->app->current, service->name) : NULL;

        if (before && str_eq(before->spec_digest, service->spec_digest))
                return true;
        for (int64_t index = 1; index <= service->replicas; index++) {
                const struct instance *i = workload_index_instance(ctx->index, service, index);

                if (!i || !instance_has_completed(i))
                        return false;
        }
        return true;
}

/* Whether what a service depends on is as far as it must be. */
static bool dependencies_met(const struct stage *g, const struct workload_service *service) {
        const struct rollout_context *s = g->look;
        const struct depend *depends = service->depends_on.items;

        for (size_t d = 0; d < service->depends_on.n; d++) {
                const struct workload_service *on = workload_index_service(s->index, depends[d].service);
                bool job = on && workload_index_is_job(s->index, on), any = false;

                /* What a later stage replaces serves as it is. */
                if (!on || target(g, on) == 0 || (service_runs_once(on) && (on->role == ROLE_HOOK || has_run(s, on))))
                        continue;
                for (int64_t index = 1; index <= on->replicas; index++) {
                        const struct instance *i = workload_index_instance(s->index, on, index);
                        bool met = i && (depends[d].condition == DEPEND_HEALTHY     ? instance_is_healthy(i, job)
                                         : depends[d].condition == DEPEND_COMPLETED ? instance_has_completed(i)
                                                                                    : instance_is_up(i, job));

                        any = any || met;
                        if (!met && (depends[d].required || (i && !instance_has_failed(i, job))) &&
                            /* Of those that run on, as many as this stage has must be there. */
                            (job || !any || i))
                                return false;
                }
        }
        return true;
}

static bool needs_start(const struct instance *i, bool job) {
        return !i || i->state == INSTANCE_CREATED || (i->state == INSTANCE_EXITED && !instance_is_up(i, job));
}

/* Make the first @n instances of a service, as far as they are missing. */
static void make_service(const struct stage *g, const struct workload_service *service, int64_t n) {
        for (int64_t index = 1; index <= n; index++)
                if (!workload_index_instance(g->look->index, service, index))
                        context_add_action(g->look, ACTION_CREATE, service, index, NULL, NULL,
                                           "the release declares it");
}

/* Bring up the first @n instances of a service, which were made. True when they are. */
static bool raise_service(const struct stage *g, const struct workload_service *service, int64_t n, int64_t allowed) {
        struct rollout_context *s = g->look;
        bool job = workload_index_is_job(s->index, service), up = true, start = false;

        for (int64_t index = 1; index <= n; index++) {
                const struct instance *i = workload_index_instance(s->index, service, index);

                if (i && instance_is_up(i, job))
                        continue;
                up = false;
                start = start || needs_start(i, job);
        }
        if (up)
                return !goes_stop_first(g, service) || stop_down_to(s, service, allowed, false) == STOP_NOTHING;
        if (!dependencies_met(g, service)) {
                context_wait(s, arena_printf(s->arena, "what %s depends on", service->name), CONTEXT_POLL_MS);
                return false;
        }
        if ((goes_stop_first(g, service) || service_runs_once(service)) &&
            stop_down_to(s, service, allowed, start) == STOP_WAITS)
                return false;
        for (int64_t index = 1; index <= n; index++) {
                const struct instance *i = workload_index_instance(s->index, service, index);

                if (needs_start(i, job))
                        context_add_action(s, ACTION_START, service, index, i, NULL, "it takes over");
        }
        return false;
}

/* Services of a role that run to their end. True when all have. */
static bool run_once(const struct stage *g, enum service_role role) {
        const struct workload_service *services = g->look->goal->services.items;
        bool all = true;

        for (size_t n = 0; n < g->look->goal->services.n; n++)
                if (services[n].role == role && !has_run(g->look, &services[n])) {
                        make_service(g, &services[n], services[n].replicas);
                        (void)raise_service(g, &services[n], services[n].replicas, 0);
                        context_wait(g->look, arena_printf(g->look->arena, "%s to run to its end", services[n].name),
                                     CONTEXT_POLL_MS);
                        all = false;
                }
        return all;
}

static bool raise_batch(const struct stage *g, int64_t batches) {
        const struct workload_service *services = g->look->goal->services.items;
        bool all = true;

        /* All are made before the first is stopped for them. */
        for (size_t n = 0; n < g->look->goal->services.n; n++)
                if (!service_runs_once(&services[n]))
                        make_service(g, &services[n], limit(g, &services[n], batches));
        for (size_t n = 0; n < g->look->goal->services.n; n++)
                if (!service_runs_once(&services[n]))
                        all = raise_service(g, &services[n], limit(g, &services[n], batches),
                                            allowed_old(g, &services[n], batches)) &&
                              all;
        return all;
}

/*
 * Health
 */

/* Up and healthy, and not just between two crashes. */
static bool is_steady(const struct rollout_context *ctx, const struct instance *i, bool job) {
        return i && instance_is_healthy(i, job) &&
               (i->restarts == 0 || ctx->input->now - i->started_at >= RESTARTED_HOLD_MS);
}

static bool is_batch_steady(const struct stage *g, int64_t batches, const char **ret_waits_for) {
        const struct rollout_context *s = g->look;
        const struct workload_service *services = s->goal->services.items;

        for (size_t n = 0; n < s->goal->services.n; n++)
                for (int64_t index = 1; !service_runs_once(&services[n]) && index <= limit(g, &services[n], batches);
                     index++)
                        if (!is_steady(s, workload_index_instance(s->index, &services[n], index),
                                       workload_index_is_job(s->index, &services[n]))) {
                                *ret_waits_for = arena_printf(s->arena, "%s to become healthy", services[n].name);
                                return false;
                        }
        return true;
}

/* What failed is the step's affair: it may be tried again, or have something of its own to do about it. */
static enum stage_progress fails(struct rollout_context *ctx, const char *code, const char *text) {
        ctx->code = code;
        ctx->text = text;
        return STAGE_FAILED;
}

/* The checks, once the instances are steady. */
static enum stage_progress judge(struct rollout_context *ctx, const char **ret_waits_for) {
        const struct check_state *check;

        switch (checks_verdict(ctx, &check)) {
        case CHECK_FAIL:
                return fails(ctx, REASON_ROLLOUT_CHECK,
                             arena_printf(ctx->arena, "check %s failed: %s", check->check,
                                          check->detail ? check->detail : "no detail"));
        case CHECK_INCONCLUSIVE:
                *ret_waits_for = arena_printf(ctx->arena, "check %s to come to a verdict (%s)", check->check,
                                              check->detail ? check->detail : "nothing yet");
                return STAGE_PROVING;
        case CHECK_PASS:
        case CHECK_VERDICT_MAX_:
                break;
        }
        return STAGE_DONE;
}

/* Too long without health, or without a verdict. */
static enum stage_progress proves(struct rollout_context *ctx, const struct rollout_step *step, bool steady,
                                  const char *waits_for) {
        int64_t from = ctx->next->progress_at > step->moved_at ? ctx->next->progress_at : step->moved_at;
        int64_t since = ctx->input->now - from;

        if (!steady && since > ctx->app->settings.healthy_deadline_ms)
                return fails(ctx, REASON_ROLLOUT_UNHEALTHY,
                             arena_printf(ctx->arena, "waited for %s until healthy_deadline", waits_for));
        if (steady && since > ctx->app->settings.progress_deadline_ms)
                return fails(ctx, REASON_ROLLOUT_INCONCLUSIVE,
                             arena_printf(ctx->arena, "waited for %s until progress_deadline", waits_for));
        return STAGE_PROVING;
}

static enum stage_progress prove(const struct stage *g, struct rollout_step *step, int64_t batches) {
        struct rollout_context *s = g->look;
        const char *waits_for = "health";
        bool steady = is_batch_steady(g, batches, &waits_for);
        enum stage_progress judged = steady ? judge(s, &waits_for) : STAGE_PROVING;
        int64_t left;

        if (judged == STAGE_FAILED)
                return judged;
        if (judged != STAGE_DONE) {
                step->since = 0;
                step->detail = waits_for;
                context_wait(s, waits_for, steady ? 0 : CONTEXT_POLL_MS);
                return proves(s, step, steady, waits_for);
        }
        if (!step->since)
                step->since = s->input->now;
        left = s->app->settings.min_healthy_ms - (s->input->now - step->since);
        if (left <= 0)
                return STAGE_DONE;
        step->detail = "health must hold for min_healthy_time";
        context_wait(s, "health to hold for min_healthy_time", left < CONTEXT_POLL_MS ? left : CONTEXT_POLL_MS);
        return STAGE_PROVING;
}

static bool is_complete(const struct stage *g) {
        const struct workload_service *services = g->look->goal->services.items;

        if (g->step->batch == 0)
                return false;
        for (size_t n = 0; n < g->look->goal->services.n; n++)
                if (!service_runs_once(&services[n]) &&
                    limit(g, &services[n], g->step->batch) < target(g, &services[n]))
                        return false;
        return true;
}

enum stage_progress stage_tick(struct rollout_context *ctx, struct rollout_step *step) {
        const struct stage g = stage_of(ctx, step);
        enum stage_progress proven;

        for (;;) {
                /* What the proven batches replace goes before the next one comes. */
                stage_admit(ctx);
                if (step->batch > 0 && !retire_replaced(&g))
                        return STAGE_BUSY;
                if (is_complete(&g))
                        return STAGE_DONE;
                if (!run_once(&g, ROLE_MIGRATION) || !run_once(&g, ROLE_INIT) || !raise_batch(&g, step->batch + 1)) {
                        step->since = 0;
                        context_wait(ctx, "the new instances to run", CONTEXT_POLL_MS);
                        return STAGE_BUSY;
                }
                proven = prove(&g, step, step->batch + 1);
                if (proven != STAGE_DONE)
                        return proven;
                step->batch++;
                step->since = 0;
                ctx->next->progress_at = ctx->input->now;
        }
}

enum stage_progress stage_hold(struct rollout_context *ctx, const struct rollout_step *step,
                               const char **ret_waits_for) {
        const struct rollout_step *steps = ctx->next->steps.items;

        for (size_t i = 0; i < ctx->next->steps.n; i++)
                if (steps[i].step.stage && steps[i].batch > 0) {
                        const struct stage g = stage_of(ctx, &steps[i]);

                        if (!is_batch_steady(&g, steps[i].batch, ret_waits_for))
                                return proves(ctx, step, false, *ret_waits_for);
                }
        switch (judge(ctx, ret_waits_for)) {
        case STAGE_FAILED:
                return STAGE_FAILED;
        case STAGE_PROVING:
                return proves(ctx, step, true, *ret_waits_for);
        case STAGE_BUSY:
        case STAGE_DONE:
                break;
        }
        return STAGE_DONE;
}

void stage_admit(struct rollout_context *ctx) {
        const struct rollout_step *steps = ctx->next->steps.items;
        const struct instance *items = ctx->app->instances.items;

        for (size_t n = 0; n < ctx->next->steps.n; n++) {
                struct stage g;

                if (!steps[n].step.stage || steps[n].batch == 0)
                        continue;
                g = stage_of(ctx, &steps[n]);
                for (size_t i = 0; i < ctx->app->instances.n; i++) {
                        const struct workload_service *service = workload_index_service(ctx->index, items[i].service);

                        if (service && items[i].index <= limit(&g, service, steps[n].batch))
                                ctx->admitted[i] = true;
                }
        }
}

/*
 * Whether an exit belongs to this rollout. What ran and ended before it began was stopped for another release, or
 * failed for one: it is started, and then judged.
 */
static bool ended_here(const struct rollout_context *ctx, const struct instance *i) {
        return i->state != INSTANCE_EXITED || (i->started_at > 0 && i->started_at >= ctx->next->started_at);
}

const struct instance *stage_first_failure(const struct rollout_context *ctx, const char **ret_code,
                                           const char **ret_text) {
        const struct instance *items = ctx->app->instances.items;

        for (size_t n = 0; n < ctx->app->instances.n; n++) {
                const struct instance *i = &items[n];
                const struct workload_service *service = workload_index_service(ctx->index, i->service);
                bool job = service && workload_index_is_job(ctx->index, service);

                if (!workload_index_is_wanted(ctx->index, i) || context_is_previous(ctx, i))
                        continue;
                if (instance_has_failed(i, job) && ended_here(ctx, i)) {
                        *ret_code = REASON_ROLLOUT_EXITED;
                        *ret_text = arena_printf(ctx->arena,
                                                 "%s stopped by itself (%s, exit code %lld, restarted %lld times)",
                                                 i->name, instance_state_names[i->state], (long long)i->exit_code,
                                                 (long long)i->restarts);
                        return i;
                }
                if (i->health == HEALTH_UNHEALTHY && i->state == INSTANCE_RUNNING) {
                        *ret_code = REASON_ROLLOUT_UNHEALTHY;
                        *ret_text = arena_printf(ctx->arena, "%s failed its health check", i->name);
                        return i;
                }
        }
        return NULL;
}
