/* SPDX-License-Identifier: Apache-2.0 */

/* The table of an App document: how it runs and how it is judged. How a release takes over stands in settings.c. */

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/fleet/fleet_private.h"

#define AT(type, member) .at = offsetof(struct type, member)
#define POSITION(type)   .position = offsetof(struct type, at) + 1

const char *const app_runtime_names[] = {
        [APP_DOCKER] = "docker",
        [APP_COMPOSE] = "compose",
        [APP_FAKE] = "fake",
        [APP_RUNTIME_MAX_] = NULL,
};

/*
 * App
 */

static int check_roles(const struct app *app, struct fault *reterr) {
        for (size_t i = 0; i < app->roles.n; i++) {
                const struct text_at *word = &app->roles.items[i].value;
                int role = 0;

                while (role < ROLE_MAX_ && !str_eq(service_role_names[role], word->text))
                        role++;
                if (role == ROLE_MAX_) {
                        int r = fault_set_code_at(reterr, &word->at, REASON_LOAD_INVALID, "'%s' is not a role",
                                                  word->text);

                        fault_hint(reterr, "the roles are primary, init, migration, sidecar and hook");
                        return r;
                }
        }
        return 0;
}

enum service_role app_role(const struct app *app, const char *service) {
        for (size_t i = 0; i < app->roles.n; i++)
                for (int role = 0; role < ROLE_MAX_ && str_eq(app->roles.items[i].key.text, service); role++)
                        if (str_eq(service_role_names[role], app->roles.items[i].value.text))
                                return (enum service_role)role;
        return ROLE_PRIMARY;
}

int app_complete(struct app *app, struct arena *a, struct fault *reterr) {
        struct check *checks = app->checks.items;

        if (!app->at.line) {
                app->keep = 1;
                app->rollout = (struct rollout_settings){
                        .max_parallel = 1,
                        .bake_ms = FLEET_BAKE_MS,
                        .min_healthy_ms = FLEET_MIN_HEALTHY_MS,
                        .healthy_deadline_ms = FLEET_HEALTHY_DEADLINE_MS,
                        .progress_deadline_ms = FLEET_PROGRESS_DEADLINE_MS,
                };
        }
        if (!app->file.text)
                app->file = (struct text_at){ .text = "compose.yaml", .at = app->at };
        for (size_t i = 0; i < app->checks.n; i++)
                if (!checks[i].name.text)
                        checks[i].name = (struct text_at){
                                .text = arena_printf(a, "%s-%s", checks[i].service.text,
                                                     check_kind_names[check_kind_of(&checks[i])]),
                                .at = checks[i].at,
                        };
        for (size_t i = 0; i < app->checks.n; i++)
                for (size_t k = 0; k < i; k++) {
                        int r;

                        if (!str_eq(checks[i].name.text, checks[k].name.text))
                                continue;
                        r = fault_set_code_at(reterr, &checks[i].at, REASON_LOAD_INVALID, "there are two checks '%s'",
                                              checks[i].name.text);
                        fault_hint(reterr, "give one of them a `name:`");
                        return r;
                }
        return 0;
}

static int check_app(void *object, const struct node *node, struct fault *reterr) {
        const struct app *app = object;
        int r = check_roles(app, reterr);

        if (r == 0 && app->steps.n > LIMIT_PLAN_STEPS)
                return fault_set_code_at(reterr, &node_get(node, "steps")->at, REASON_LOAD_LIMIT,
                                         "more than %d steps (LIMIT_PLAN_STEPS)", LIMIT_PLAN_STEPS);
        if (r == 0 && app->checks.n > LIMIT_CHECKS)
                return fault_set_code_at(reterr, &node_get(node, "checks")->at, REASON_LOAD_LIMIT,
                                         "more than %d checks (LIMIT_CHECKS)", LIMIT_CHECKS);

        return r < 0 ? r : plan_check(&app->steps, reterr);
}

static const struct field app_fields[] = {
        { .key = "app",
          .type = FIELD_TEXT,
          AT(app, app),
          .flags = FIELD_REQUIRED,
          .format = "name",
          .doc = "The app's name, as the folder's." },
        { .key = "runtime",
          .type = FIELD_ENUM,
          AT(app, runtime),
          .names = app_runtime_names,
          .hidden_from = APP_FAKE,
          .doc = "What runs it." },
        { .key = "file",
          .type = FIELD_TEXT,
          AT(app, file),
          .flags = FIELD_OMIT,
          .format = "path",
          .doc = "The compose file in the app's folder; default compose.yaml." },
        { .key = "rollout",
          .type = FIELD_STRUCT,
          AT(app, rollout),
          .sub = &rollout_settings_table,
          .doc = "How a new release takes over." },
        { .key = "roles",
          .type = FIELD_STRING_MAP,
          AT(app, roles),
          .flags = FIELD_OMIT,
          .doc = "What services are for: primary (the default), init, migration, sidecar or hook." },
        { .key = "checks",
          .type = FIELD_STRUCT_LIST,
          AT(app, checks),
          .flags = FIELD_OMIT,
          .sub = &check_table,
          .doc = "How new instances are judged, beyond the engine's health checks." },
        { .key = "traffic",
          .type = FIELD_STRUCT_PTR,
          AT(app, traffic),
          .flags = FIELD_OMIT,
          .sub = &traffic_table,
          .doc = "The router that carries the app's requests." },
        { .key = "steps",
          .type = FIELD_STRUCT_LIST,
          AT(app, steps),
          .flags = FIELD_OMIT,
          .sub = &plan_step_table,
          .doc = "The steps of a rollout, instead of those that the strategy gives." },
        { .key = "drift",
          .type = FIELD_ENUM,
          AT(app, drift),
          .names = drift_mode_names,
          .doc = "Whether changes made by hand are put right or only reported." },
        { .key = "prune",
          .type = FIELD_BOOL,
          AT(app, prune),
          .doc = "Remove instances that the app does not declare any more; volumes never." },
        { .key = "keep",
          .type = FIELD_INTEGER,
          AT(app, keep),
          .absent = 1,
          .minimum = 0,
          .maximum = 100,
          .doc = "Of how many older releases the images stay on the host." },
        { .key = NULL },
};

const struct table app_table = {
        .title = "App",
        .kind = "App",
        .size = sizeof(struct app),
        .fields = app_fields,
        POSITION(app),
        .check = check_app,
        .doc = "apps/<app>/app.yaml: how an app is run.",
};
