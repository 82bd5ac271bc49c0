/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/execution.h"

#include <assert.h>

#include "reconciler/core/traffic.h"
#include "reconciler/core/stage.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/* What a step came to in this look. */
enum tick {
        TICK_GOES_ON, /* something of it is under way */
        TICK_WAITS,   /* it waits for something outside */
        TICK_DONE,
        TICK_FAILED, /* the step failed; step->detail says why */
};

#define COMMAND_TIMEOUT_MS (5 * 60 * 1000)

static void move(struct rollout_step *step, enum step_state to) {
        if (step->state == to)
                return;
        assert(plan_may_move(step->state, to));
        step->state = to;
}

/*
 * Kinds of steps
 */

static enum tick tick_gate(struct rollout_context *ctx, struct rollout_step *step) {
        const struct verdict *verdicts = ctx->app->verdicts.items;

        for (size_t i = 0; i < ctx->app->verdicts.n; i++) {
                if (!str_eq(verdicts[i].gate, step->step.gate.text))
                        continue;
                if (verdicts[i].verdict == VERDICT_ALLOW)
                        return TICK_DONE;
                step->detail = verdicts[i].message ? verdicts[i].message : verdicts[i].gate;
                context_wait(ctx, step->detail, 0);
                return TICK_WAITS;
        }
        step->detail = arena_printf(ctx->arena, "gate %s to say anything", step->step.gate.text);
        context_wait(ctx, step->detail, 0);
        return TICK_WAITS;
}

static enum tick tick_prepare(struct rollout_context *ctx, struct rollout_step *step) {
        if (ctx->next->prepared)
                return TICK_DONE;
        context_add_action(ctx, ACTION_PREPARE, NULL, 0, NULL, NULL,
                           "pull and verify the images before anything is stopped");
        return TICK_GOES_ON;
}

/* The same for a host's command, whether it does something or tells somebody. */
static enum tick tick_command(struct rollout_context *ctx, struct rollout_step *step, const char *command) {
        struct action *action = context_add_action(ctx, ACTION_COMMAND, NULL, 0, NULL, NULL,
                                                   arena_printf(ctx->arena, "step %s", step->step.name.text));

        action->command = command;
        action->step = step->step.name.text;
        action->timeout_ms = step->step.timeout_ms ? step->step.timeout_ms : COMMAND_TIMEOUT_MS;
        return TICK_GOES_ON;
}

/* What an earlier rollout, or an earlier try, left of a hook's instance. */
static bool clear_hook(struct rollout_context *ctx, const struct workload_service *service) {
        const struct instance *first, *end;
        bool any = false;

        workload_index_range(ctx->index, service->name, &first, &end);
        for (const struct instance *i = first; i < end; i++)
                if (i->state != INSTANCE_REMOVING) {
                        context_add_action(ctx, ACTION_REMOVE, service, i->index, i, NULL, "it is run anew");
                        any = true;
                }
        return any;
}

static enum tick tick_hook_service(struct rollout_context *ctx, struct rollout_step *step,
                                   const struct workload_service *service) {
        const struct instance *i = workload_index_instance(ctx->index, service, 1);

        if (!i) {
                context_add_action(ctx, ACTION_CREATE, service, 1, NULL, NULL,
                                   arena_printf(ctx->arena, "hook %s", step->step.name.text));
                context_add_action(ctx, ACTION_START, service, 1, NULL, NULL,
                                   arena_printf(ctx->arena, "hook %s", step->step.name.text));
                return TICK_GOES_ON;
        }
        if (i->state == INSTANCE_CREATED || (i->state == INSTANCE_EXITED && i->lost)) {
                context_add_action(ctx, ACTION_START, service, 1, i, NULL,
                                   arena_printf(ctx->arena, "hook %s", step->step.name.text));
                return TICK_GOES_ON;
        }
        if (i->state == INSTANCE_EXITED || i->state == INSTANCE_DEAD || i->restarts >= CRASH_LOOP_RESTARTS) {
                if (instance_has_completed(i))
                        return TICK_DONE;
                step->detail =
                        arena_printf(ctx->arena, "%s ended with exit code %lld", i->name, (long long)i->exit_code);
                return TICK_FAILED;
        }
        step->detail = arena_printf(ctx->arena, "%s to run to its end", service->name);
        context_wait(ctx, step->detail, CONTEXT_POLL_MS);
        return TICK_GOES_ON;
}

static enum tick tick_hook(struct rollout_context *ctx, struct rollout_step *step) {
        const struct step_hook *hook = step->step.hook;
        const struct workload_service *service;

        if (hook->command.text)
                return tick_command(ctx, step, hook->command.text);
        service = workload_index_service(ctx->index, hook->service.text);
        if (service)
                return tick_hook_service(ctx, step, service);
        step->detail = arena_printf(ctx->arena, "the release has no service '%s'", hook->service.text);
        return TICK_FAILED;
}

static enum tick tick_stage(struct rollout_context *ctx, struct rollout_step *step) {
        switch (stage_tick(ctx, step)) {
        case STAGE_BUSY:
                return TICK_GOES_ON;
        case STAGE_PROVING:
                return TICK_WAITS;
        case STAGE_DONE:
                return TICK_DONE;
        case STAGE_FAILED:
                break;
        }
        step->detail = ctx->text;
        return TICK_FAILED;
}

static enum tick tick_check(struct rollout_context *ctx, struct rollout_step *step) {
        /* Where nothing ran before, there is nobody to spare by holding back. */
        int64_t hold = ctx->next->previous.n > 0 ? step->step.check->for_ms : 0, left;
        const char *waits_for = "health";

        switch (stage_hold(ctx, step, &waits_for)) {
        case STAGE_FAILED:
                step->detail = ctx->text;
                return TICK_FAILED;
        case STAGE_BUSY:
        case STAGE_PROVING:
                step->since = 0;
                step->detail = waits_for;
                context_wait(ctx, waits_for, CONTEXT_HOLD_MS);
                return TICK_WAITS;
        case STAGE_DONE:
                break;
        }
        step->moved_at = ctx->input->now;
        if (!step->since)
                step->since = ctx->input->now;
        left = step->since + hold - ctx->input->now;
        if (left <= 0 || left > hold)
                return TICK_DONE;
        step->detail = "health and checks must hold";
        context_hold(ctx, arena_printf(ctx->arena, "health and checks to hold (step %s)", step->step.name.text), left);
        return TICK_WAITS;
}

static enum tick tick_wait(struct rollout_context *ctx, struct rollout_step *step) {
        int64_t left = step->started_at + step->step.wait->for_ms - ctx->input->now;

        /* A clock that was set back must not hold it up for longer than was asked for. */
        if (left > step->step.wait->for_ms) {
                step->started_at = ctx->input->now;
                left = step->step.wait->for_ms;
        }
        if (left <= 0)
                return TICK_DONE;
        step->detail = "time to pass";
        context_hold(ctx, arena_printf(ctx->arena, "time to pass (step %s)", step->step.name.text), left);
        return TICK_WAITS;
}

/* The share is a value; the split follows it (split.h). It is over when the router has it. */
static enum tick tick_traffic(struct rollout_context *ctx, struct rollout_step *step) {
        ctx->next->candidate = step->step.traffic->weight;
        if (traffic_is_applied(ctx))
                return TICK_DONE;
        if (ctx->input->now - ctx->next->progress_at > ctx->app->settings.progress_deadline_ms) {
                step->detail = ctx->out->waits_for ? ctx->out->waits_for
                                                   : "the router did not follow before progress_deadline";
                return TICK_FAILED;
        }
        step->detail = "the router to follow";
        context_wait(ctx, "the router to follow", CONTEXT_POLL_MS);
        return TICK_WAITS;
}

static enum tick tick(struct rollout_context *ctx, struct rollout_step *step) {
        switch (plan_step_kind(&step->step)) {
        case STEP_GATE:
                return tick_gate(ctx, step);
        case STEP_PREPARE:
                return tick_prepare(ctx, step);
        case STEP_HOOK:
                return tick_hook(ctx, step);
        case STEP_STAGE:
                return tick_stage(ctx, step);
        case STEP_CHECK:
                return tick_check(ctx, step);
        case STEP_WAIT:
                return tick_wait(ctx, step);
        case STEP_TRAFFIC:
                return tick_traffic(ctx, step);
        case STEP_NOTIFY:
                return tick_command(ctx, step, step->step.notify.text);
        case STEP_KIND_MAX_:
                break;
        }
        return TICK_DONE;
}

/*
 * States of steps
 */

static const struct rollout_step *find(const struct rollout *r, const char *name) {
        const struct rollout_step *items = r->steps.items;

        for (size_t i = 0; i < r->steps.n; i++)
                if (str_eq(items[i].step.name.text, name))
                        return &items[i];
        return NULL;
}

static bool is_ready(const struct rollout *r, const struct rollout_step *step) {
        for (size_t i = 0; i < step->step.needs.n; i++) {
                const struct rollout_step *need = find(r, step->step.needs.items[i].text);

                if (need && !plan_step_is_over(need->state))
                        return false;
        }
        return true;
}

static void over(struct rollout_context *ctx, struct rollout_step *step, enum step_state to) {
        move(step, to);
        step->ended_at = ctx->input->now;
        step->since = 0;
        if (to == STEP_SUCCEEDED)
                step->detail = NULL;
        ctx->next->progress_at = ctx->input->now;
}

/* A try failed: another one, after a while, or the end of the step. */
static void failed_once(struct rollout *r, struct rollout_step *step, int64_t now) {
        step->attempts++;
        step->since = 0;
        step->batch = 0;
        if (step->attempts <= step->step.retries) {
                move(step, STEP_READY);
                /* What the checks said of the last try says nothing about the next one. */
                if (step->step.stage || step->step.check)
                        r->checks = (struct struct_list){ .items = NULL };
                step->retry_at = now + context_back_off_ms(step->attempts);
                return;
        }
        move(step, STEP_FAILED);
        step->ended_at = now;
}

/* A step that is failed: what follows. False when the rollout ends. */
static bool answer_failure(struct rollout_context *ctx, const struct rollout_step *step) {
        const char *text = ctx->code ? ctx->text
                                     : arena_printf(ctx->arena, "step %s failed: %s", step->step.name.text,
                                                    step->detail ? step->detail : "no detail");
        const char *code = ctx->code ? ctx->code : step->step.hook ? REASON_HOOK_FAILED : REASON_ROLLOUT_STEP;

        switch (step->step.on_failure) {
        case STEP_CONTINUE:
                return true;
        case STEP_PAUSE:
                context_fail(ctx, code, text);
                context_enter_phase(ctx, PHASE_PAUSED);
                return false;
        case STEP_FAIL:
        case STEP_FAILURE_MAX_:
                break;
        }
        context_fail(ctx, code, text);
        return false;
}

/* What an earlier try left is cleared away before a step begins. True when something was. */
static bool clear(struct rollout_context *ctx, const struct rollout_step *step) {
        const struct workload_service *service =
                step->step.hook && step->step.hook->service.text
                        ? workload_index_service(ctx->index, step->step.hook->service.text)
                        : NULL;

        return service && clear_hook(ctx, service);
}

/* Another step runs the same service: there is one instance of it at a time. */
static bool is_taken(const struct rollout_context *ctx, const struct rollout_step *step) {
        const struct rollout_step *steps = ctx->next->steps.items;

        for (size_t i = 0; step->step.hook && step->step.hook->service.text && i < ctx->next->steps.n; i++)
                if (&steps[i] != step && (steps[i].state == STEP_RUNNING || steps[i].state == STEP_WAITING) &&
                    steps[i].step.hook && str_eq(steps[i].step.hook->service.text, step->step.hook->service.text))
                        return true;
        return false;
}

static bool may_start(struct rollout_context *ctx, struct rollout_step *step) {
        int64_t left = step->retry_at - ctx->input->now;

        if (is_taken(ctx, step))
                return false;
        if (left > 0 && left <= context_back_off_ms(step->attempts)) {
                context_wait(ctx, step->detail, left);
                return false;
        }
        return !clear(ctx, step);
}

static bool is_overdue(const struct rollout_context *ctx, const struct rollout_step *step) {
        return step->step.timeout_ms > 0 && ctx->input->now - step->started_at > step->step.timeout_ms;
}

/* Run a step that is under way. False when the rollout ends. */
static bool run(struct rollout_context *ctx, struct rollout_step *step) {
        enum tick came_to;

        ctx->code = ctx->text = NULL;
        came_to = tick(ctx, step);
        if (came_to == TICK_DONE) {
                over(ctx, step, STEP_SUCCEEDED);
                return true;
        }
        if (came_to != TICK_FAILED && is_overdue(ctx, step)) {
                step->detail = arena_printf(ctx->arena, "it was not over in time%s%s",
                                            step->detail ? ", waiting for " : "", step->detail ? step->detail : "");
                ctx->code = NULL;
                came_to = TICK_FAILED;
        }
        if (came_to == TICK_FAILED) {
                failed_once(ctx->next, step, ctx->input->now);
                return step->state != STEP_FAILED || answer_failure(ctx, step);
        }
        if (step->step.timeout_ms > 0)
                context_wait(ctx, NULL, step->started_at + step->step.timeout_ms + 1 - ctx->input->now);
        move(step, came_to == TICK_WAITS ? STEP_WAITING : STEP_RUNNING);
        return true;
}

/* One step, as far as it goes in this look. False when the rollout ends. */
static bool advance(struct rollout_context *ctx, struct rollout_step *step) {
        if (step->state == STEP_PENDING && is_ready(ctx->next, step))
                move(step, STEP_READY);
        if (step->state == STEP_READY && may_start(ctx, step)) {
                move(step, STEP_RUNNING);
                step->started_at = step->moved_at = ctx->input->now;
        }
        if (step->state == STEP_RUNNING || step->state == STEP_WAITING)
                return run(ctx, step);
        return true;
}

bool execution_run(struct rollout_context *ctx) {
        struct rollout_step *steps = ctx->next->steps.items;

        /* What an action of the last pass ended (walk_command_done). */
        for (size_t i = 0; i < ctx->next->steps.n; i++)
                if (steps[i].state == STEP_FAILED && steps[i].step.on_failure != STEP_CONTINUE)
                        return answer_failure(ctx, &steps[i]);
        stage_admit(ctx);
        /* Each stands after what it needs, so one round is enough. */
        for (size_t i = 0; i < ctx->next->steps.n; i++)
                if (!advance(ctx, &steps[i]))
                        return false;
        return true;
}

bool execution_is_over(const struct rollout *r) {
        const struct rollout_step *steps = r->steps.items;

        for (size_t i = 0; i < r->steps.n; i++)
                if (!plan_step_is_over(steps[i].state))
                        return false;
        return true;
}

enum phase execution_phase(const struct rollout_context *ctx) {
        const struct rollout_step *steps = ctx->next->steps.items;
        bool touched = false, busy = false;

        for (size_t i = 0; i < ctx->next->steps.n; i++) {
                bool touches = steps[i].step.stage || (steps[i].step.hook && steps[i].step.hook->service.text);

                touched = touched || (touches && steps[i].started_at > 0);
                busy = busy || (touches && steps[i].state == STEP_RUNNING);
        }
        return !touched ? PHASE_PREPARING : busy ? PHASE_STAGING : PHASE_EVALUATING;
}

void execution_end(struct rollout *r, int64_t now) {
        struct rollout_step *steps = r->steps.items;

        for (size_t i = 0; i < r->steps.n; i++) {
                if (plan_step_is_over(steps[i].state))
                        continue;
                move(&steps[i],
                     steps[i].state == STEP_RUNNING || steps[i].state == STEP_WAITING ? STEP_CANCELLED : STEP_SKIPPED);
                steps[i].ended_at = now;
        }
}

void execution_command_done(struct rollout *r, const char *step, bool well, const char *detail, int64_t now,
                            struct arena *a) {
        struct rollout_step *mine = (struct rollout_step *)find(r, step);

        if (!mine || (mine->state != STEP_RUNNING && mine->state != STEP_WAITING))
                return;
        mine->detail = detail ? arena_strdup(a, detail) : NULL;
        if (!well) {
                failed_once(r, mine, now);
                return;
        }
        move(mine, STEP_SUCCEEDED);
        mine->ended_at = now;
}
