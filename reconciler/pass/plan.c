/* SPDX-License-Identifier: Apache-2.0 */

/* Plans under way, for the log and for the records. */

#include "reconciler/journal/message.h"
#include "reconciler/pass/context.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

static const struct rollout_step *find(const struct struct_list *steps, const char *name) {
        const struct rollout_step *items = steps->items;

        for (size_t i = 0; i < steps->n; i++)
                if (str_eq(items[i].step.name.text, name))
                        return &items[i];
        return NULL;
}

/* Beginnings and ends; what a step waits for in between is in the status. */
static void log_move(const struct pass_app *app, const struct rollout_step *before, const struct rollout_step *now) {
        bool began = now->state == STEP_RUNNING || now->state == STEP_WAITING;
        bool had_begun = before && (before->state == STEP_RUNNING || before->state == STEP_WAITING);

        if (before && before->state == now->state)
                return;
        if (!(began && !had_begun) && !plan_step_is_over(now->state))
                return;
        log_write(now->state == STEP_FAILED ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
                  LOG_FIELDS({ "MESSAGE_ID", MESSAGE_STEP }, { "TALLY_APP", app->app },
                             { "TALLY_STEP", now->step.name.text }, { "TALLY_PHASE", phase_names[app->rollout.phase] }),
                  "%s: step %s (%s) %s%s%s", app->app, now->step.name.text, step_kind_names[plan_step_kind(&now->step)],
                  began ? "begins" : step_state_names[now->state], now->detail && !began ? ": " : "",
                  now->detail && !began ? now->detail : "");
}

void pass_note_plan(struct pass *p, struct pass_app *app, const struct decision_app *decided) {
        const struct rollout_step *steps = decided->rollout.steps.items;
        bool same = str_eq(app->rollout.release, decided->rollout.release) &&
                    app->rollout.started_at == decided->rollout.started_at;

        app->rollout = decided->rollout;
        for (size_t i = 0; i < decided->rollout.steps.n && !p->options->dry; i++)
                log_move(app, same ? find(&app->walked, steps[i].step.name.text) : NULL, &steps[i]);
        if (decided->rollout.steps.n > 0)
                app->walked = decided->rollout.steps;
        if (decided->rollout.checks.n > 0)
                app->checked = decided->rollout.checks;
}

json_t *pass_plan_json(const struct pass_app *app) {
        const struct rollout_step *steps = app->walked.items;
        json_t *array = app->walked.n > 0 ? json_array() : NULL;
        char at[RFC3339_TEXT_MAX];

        for (size_t i = 0; i < app->walked.n; i++) {
                json_t *o = json_object();

                json_set_string(o, "step", steps[i].step.name.text);
                json_set_string(o, "kind", step_kind_names[plan_step_kind(&steps[i].step)]);
                json_set_string(o, "state", step_state_names[steps[i].state]);
                if (steps[i].started_at)
                        json_set_string(o, "started", rfc3339_format(steps[i].started_at, at));
                if (steps[i].ended_at)
                        json_set_string(o, "finished", rfc3339_format(steps[i].ended_at, at));
                if (steps[i].attempts)
                        json_object_set_new(o, "failures", json_integer(steps[i].attempts));
                json_set_string(o, "detail", steps[i].detail);
                json_array_append_new(array, o);
        }
        return array;
}

json_t *pass_checks_json(const struct pass_app *app) {
        const struct check_state *checks = app->checked.items;
        json_t *array = app->checked.n > 0 ? json_array() : NULL;

        for (size_t i = 0; i < app->checked.n; i++)
                json_array_append_new(array, table_write(&check_state_table, &checks[i]));
        return array;
}
