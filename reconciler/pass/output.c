/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Output: what instances printed last that failed, kept before they go. It is for people, so nothing waits for it: an
 * engine that does not give it, or a disk that does not take it, costs the output and no more.
 */

#include <string.h>

#include "reconciler/pass/context.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"
#include "shared/data/digest.h"

/* Of one app in one look: many replicas of one service say the same. */
#define WITNESSES_MAX 4
#define LOGGED_LINES  5

/*
 * Who is asked
 */

static bool has_run(const struct instance *i) {
        return i->state != INSTANCE_CREATED && i->state != INSTANCE_REMOVING;
}

/* Made for the release under way. */
static bool is_new(const struct app_input *app, const struct instance *i) {
        const struct workload_service *service = app->wanted ? workload_find(app->wanted, i->service) : NULL;

        return service && str_eq(service->spec_digest, i->spec) && has_run(i) &&
               !string_list_has(&app->rollout.previous, i->id);
}

static bool is_well(const struct app_input *app, const struct instance *i) {
        const struct workload_service *service = workload_find(app->wanted, i->service);

        if (i->state == INSTANCE_EXITED)
                return service_runs_once(service) && i->exit_code == 0;
        return i->state == INSTANCE_RUNNING && i->health != HEALTH_UNHEALTHY && i->restarts == 0;
}

/* A try that went wrong, about to be cleared away for the next one. */
static bool is_run_anew(const struct decision *d, const struct app_input *app, const struct instance *i) {
        const struct action *actions = d->actions.items;

        if (app->rollout.phase < PHASE_PREPARING || app->rollout.phase > PHASE_EVALUATING)
                return false;
        for (size_t n = 0; n < d->actions.n; n++)
                if (actions[n].kind == ACTION_REMOVE && str_eq(actions[n].app, app->app) &&
                    str_eq(actions[n].instance, i->id))
                        return true;
        return false;
}

static bool has_failed(const struct decision_app *d) {
        return d->event == EVENT_FAILED && d->rollout.failure_code;
}

/*
 * Those that are not well know most. Where all seem to be (a check failed, a deadline passed), they are asked all the
 * same.
 */
static size_t choose(const struct pass *p, const struct app_input *app, const struct decision_app *d,
                     const struct instance **ret) {
        const struct instance *items = app->instances.items;
        size_t n = 0;

        for (int want_well = 0; want_well < 2 && n == 0; want_well++)
                for (size_t i = 0; i < app->instances.n && n < WITNESSES_MAX; i++)
                        if (is_new(app, &items[i]) && is_well(app, &items[i]) == (want_well == 1) &&
                            (has_failed(d) || (!want_well && is_run_anew(&p->decision, app, &items[i]))))
                                ret[n++] = &items[i];
        return n;
}

/*
 * What they say
 */

/* Negative when it could not be asked, 0 when there is nothing to tell, 1 with *ret. */
static int hear(struct pass_app *mine, const struct instance *i, struct arena *a, struct failed_output *ret) {
        own_fault struct fault fault = FAULT_INIT;
        const char *text = NULL;
        int r = runtime_output(mine->runtime, i, a, &text, &fault);

        if (r < 0) {
                log_warning("%s", fault.message);
                return r;
        }
        if (!text || !*text)
                return 0;
        *ret = (struct failed_output){
                .id = i->id,
                .name = i->name,
                .service = i->service,
                .index = i->index,
                .state = i->state,
                .exit_code = i->exit_code,
                .at = clock_wall_ms(),
                .text = text,
        };
        return 1;
}

static void log_output(const struct app_input *app, const struct failed_output *output) {
        size_t size = 0;
        const char *line = text_last_lines(output->text, LOGGED_LINES, &size), *end = line + size;

        for (; line < end; line += size + 1) {
                const char *stop = memchr(line, '\n', (size_t)(end - line));

                size = (size_t)((stop ? stop : end) - line);
                if (size > 0)
                        log_write(LOG_LEVEL_WARNING, LOG_FIELDS({ "TALLY_APP", app->app }), "%s: %s printed: %.*s",
                                  app->app, output->name ? output->name : output->service, (int)size, line);
        }
}

static void keep(struct pass *p, const struct app_input *app, const struct failed_output *outputs, size_t n) {
        own_fault struct fault fault = FAULT_INIT;
        struct failed failed;

        failed_read(&p->state, app->app, p->arena, &failed);
        if (!str_eq(failed.release, app->rollout.release))
                failed = (struct failed){ .release = app->rollout.release, .version = app->rollout.version };
        for (size_t i = 0; i < n; i++)
                failed_add(&failed, &outputs[i], p->arena);
        if (failed_write(&p->state, app->app, &failed, &fault) < 0)
                log_warning("%s: what its instances printed cannot be kept: %s", app->app, fault.message);
}

static void hear_app(struct pass *p, const struct app_input *app, const struct decision_app *d, struct pass_app *mine) {
        const struct instance *witnesses[WITNESSES_MAX];
        size_t n = choose(p, app, d, witnesses), heard = 0;
        struct failed_output *outputs = arena_array(p->arena, WITNESSES_MAX, sizeof(*outputs));

        for (size_t i = 0; i < n; i++) {
                int r = hear(mine, witnesses[i], p->arena, &outputs[heard]);

                /* The others would be waited for in vain, too. */
                if (r < 0)
                        break;
                heard += (size_t)r;
        }
        for (size_t i = 0; i < heard; i++)
                log_output(app, &outputs[i]);
        if (heard > 0)
                keep(p, app, outputs, heard);
        mine->heard = (struct struct_list){ .items = outputs, .n = heard };
}

void pass_keep_output(struct pass *p) {
        const struct app_input *apps = p->input.apps.items;
        const struct decision_app *decided = p->decision.apps.items;

        for (size_t i = 0; i < p->decision.apps.n; i++)
                hear_app(p, &apps[i], &decided[i], &p->apps[i]);
}

json_t *pass_output_json(const struct pass_app *app) {
        const struct failed_output *outputs = app->heard.items;
        json_t *array;

        if (app->heard.n == 0)
                return NULL;
        array = json_array();
        for (size_t i = 0; i < app->heard.n; i++) {
                const struct failed_output *o = &outputs[i];
                struct digest digest = digest_of(o->text, strlen(o->text));
                json_t *entry = json_object();

                json_set_string(entry, "instance", o->id);
                json_set_string(entry, "service", o->service);
                json_object_set_new(entry, "index", json_integer(o->index));
                json_set_string(entry, "sha256", digest_hex(&digest));
                json_object_set_new(entry, "bytes", json_integer((json_int_t)strlen(o->text)));
                json_array_append_new(array, entry);
        }
        return array;
}
