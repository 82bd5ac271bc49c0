/* SPDX-License-Identifier: Apache-2.0 */

/* The sticker: what is deployed on this host, small, for whoever stands in front of it (docs/ledger.md). */

#include "reconciler/pass/context.h"
#include "reconciler/version.h"
#include "shared/base/clock.h"

#define STICKER_SCHEMA "tallyman/sticker/v1"

static json_t *components_json(const struct workload *w) {
        const struct workload_service *services = w ? w->services.items : NULL;
        json_t *array = json_array();

        for (size_t i = 0; w && i < w->services.n; i++) {
                json_t *o = json_object();

                json_set_string(o, "service", services[i].name);
                json_set_string(o, "image", services[i].image);
                json_array_append_new(array, o);
        }
        return array;
}

static json_t *deployment_json(const struct current_origin *by) {
        json_t *o = json_object();
        char at[RFC3339_TEXT_MAX];

        json_set_string(o, "commit", by->commit);
        json_set_string(o, "strategy", by->strategy);
        json_set_string(o, "started", rfc3339_format(by->started_at, at));
        return o;
}

static json_t *app_json(const struct pass_app *app) {
        json_t *o = json_object();
        char at[RFC3339_TEXT_MAX];

        json_set_string(o, "app", app->app);
        json_set_string(o, "release", app->rollout.current_release);
        json_set_string(o, "version", app->rollout.current_version);
        json_set_string(o, "since", rfc3339_format(app->rollout.current_since, at));
        if (app->current_origin.commit)
                json_object_set_new(o, "deployment", deployment_json(&app->current_origin));
        json_object_set_new(o, "components", components_json(app->current));
        return o;
}

json_t *pass_sticker(const struct pass *p) {
        json_t *o = json_object(), *generator = json_object(), *apps = json_array();

        json_set_string(generator, "name", "tally");
        json_set_string(generator, "version", TALLY_VERSION);
        json_set_string(o, "schema", STICKER_SCHEMA);
        json_object_set_new(o, "generator", generator);
        json_set_string(o, "host", p->input.host);
        json_set_string(o, "environment", p->input.environment);
        for (size_t i = 0; i < p->n_apps; i++)
                if (p->apps[i].rollout.current_release)
                        json_array_append_new(apps, app_json(&p->apps[i]));
        json_object_set_new(o, "apps", apps);
        return o;
}
