/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/status.h"

#include "reconciler/core/drift.h"
#include "reconciler/core/severity.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/model/micro.h"

const char *const host_status_names[] = {
        [STATUS_CONVERGED] = "converged",
        [STATUS_PROGRESSING] = "progressing",
        [STATUS_BLOCKED] = "blocked",
        [STATUS_DEGRADED] = "degraded",
        [STATUS_REFUSED] = "refused",
        [STATUS_FAILED] = "failed",
        NULL,
};

static const enum host_status status_of_app[APP_STATE_MAX_] = {
        [APP_CONVERGED] = STATUS_CONVERGED, [APP_PROGRESSING] = STATUS_PROGRESSING, [APP_BLOCKED] = STATUS_BLOCKED,
        [APP_DEGRADED] = STATUS_DEGRADED,   [APP_FAILED] = STATUS_FAILED,
};

enum host_status status_of(const struct decision *d, const struct status_facts *facts) {
        const struct decision_app *apps = d->apps.items;
        enum host_status worst = facts->blocked ? STATUS_BLOCKED : STATUS_CONVERGED;

        if (facts->refusal.commit)
                worst = STATUS_REFUSED;
        for (size_t i = 0; i < d->apps.n; i++)
                if (status_of_app[apps[i].state] > worst)
                        worst = status_of_app[apps[i].state];
        return worst;
}

static json_t *release_json(const char *release, const char *version) {
        json_t *o;

        if (!release)
                return json_null();
        o = json_object();
        json_set_string(o, "release", release);
        json_set_string(o, "version", version);
        return o;
}

static json_t *string_list_json(const struct string_list *list) {
        json_t *array = json_array();

        for (size_t i = 0; i < list->n; i++)
                json_array_append_new(array, json_text(list->items[i].text));
        return array;
}

static json_t *list_json(const struct table *t, const struct struct_list *list) {
        json_t *array = json_array();

        for (size_t i = 0; i < list->n; i++)
                json_array_append_new(array, table_write(t, (const char *)list->items + i * t->size));
        return array;
}

/* The signed permissions to try a release again, and what became of each. */
static json_t *retries_json(const struct app_input *app, const struct rollout *r, int64_t now) {
        const struct retry_permission *items = app->retries.items;
        json_t *array = json_array();
        char at[RFC3339_TEXT_MAX];

        for (size_t i = 0; i < app->retries.n; i++) {
                json_t *o = json_object();
                bool expired = items[i].expires_at && now >= items[i].expires_at;

                json_set_string(o, "id", items[i].id);
                json_set_string(o, "release", items[i].release);
                json_set_string(o, "principal", items[i].principal);
                json_set_string(o, "reason", items[i].reason);
                if (items[i].expires_at)
                        json_set_string(o, "expires", rfc3339_format(items[i].expires_at, at));
                json_set_string(o, "state", rollout_has_used(r, items[i].id) ? "used" : expired ? "expired" : "open");
                json_array_append_new(array, o);
        }
        return array;
}

/* What an instance is in its app: of the release that serves, of one on its way in or out, or of none. */
static const char *role_of(const struct workload_index *wanted, const struct workload_index *current,
                           const struct instance *i) {
        if (current && workload_index_is_wanted(current, i))
                return "current";
        if (wanted && workload_index_is_wanted(wanted, i))
                return current ? "next" : "current";
        return current && workload_index_service(current, i->service) ? "previous" : "extra";
}

static json_t *instances_json(const struct app_input *app, const struct rollout *r, struct arena *a) {
        const struct instance *items = app->instances.items;
        bool same = app->wanted && str_eq(app->wanted->release, r->current_release);
        struct workload_index *wanted = app->wanted ? workload_index_new(app->wanted, &app->instances, a) : NULL;
        struct workload_index *current = same           ? wanted
                                         : app->current ? workload_index_new(app->current, &app->instances, a)
                                                        : NULL;
        json_t *array = json_array();

        for (size_t i = 0; i < app->instances.n; i++) {
                json_t *o = json_object();

                json_set_string(o, "id", items[i].id);
                json_set_string(o, "name", items[i].name);
                json_set_string(o, "service", items[i].service);
                json_set_string(o, "image", items[i].image);
                json_set_string(o, "state", instance_state_names[items[i].state]);
                json_set_string(o, "health", health_names[items[i].health]);
                json_set_string(o, "role", role_of(wanted, current, &items[i]));
                json_array_append_new(array, o);
        }
        return array;
}

static const char *app_health(const struct app_input *app, const struct decision_app *d) {
        if (!app->observed)
                return "unknown";
        if (d->health == HEALTH_NONE)
                return d->state == APP_CONVERGED && app->instances.n > 0 ? "healthy" : "none";
        return health_names[d->health];
}

/* How far the plan is. */
static json_t *steps_json(const struct rollout *r) {
        const struct rollout_step *steps = r->steps.items;
        json_t *array = json_array();

        for (size_t i = 0; i < r->steps.n; i++) {
                json_t *o = json_object();

                json_set_string(o, "name", steps[i].step.name.text);
                json_set_string(o, "kind", step_kind_names[plan_step_kind(&steps[i].step)]);
                json_set_string(o, "state", step_state_names[steps[i].state]);
                json_set_string(o, "detail", steps[i].detail);
                json_array_append_new(array, o);
        }
        return array;
}

/* How the checks stand; what they measured is in the evidence. */
static json_t *checks_json(const struct rollout *r) {
        const struct check_state *checks = r->checks.items;
        json_t *array = json_array();

        for (size_t i = 0; i < r->checks.n; i++) {
                json_t *o = json_object();

                json_set_string(o, "check", checks[i].check);
                json_set_string(o, "verdict", check_verdict_names[checks[i].verdict]);
                json_set_string(o, "detail", checks[i].detail);
                if (checks[i].score)
                        json_object_set_new(o, "score", micro_write(checks[i].score));
                json_array_append_new(array, o);
        }
        return array;
}

/* Who gets the requests. */
static json_t *route_json(const struct app_input *app) {
        const struct route_target *targets = app->route.route.targets.items;
        json_t *o = json_object(), *array = json_array();

        json_set_string(o, "router", router_kind_names[app_input_traffic(app)->router]);
        json_object_set_new(o, "available", json_boolean(app->route.available));
        json_set_string(o, "reason", app->route.reason);
        json_object_set_new(o, "candidate", json_integer(app->route.route.candidate));
        for (size_t i = 0; i < app->route.route.targets.n; i++) {
                json_t *target = json_object();

                json_set_string(target, "address", targets[i].address);
                json_set_string(target, "variation", variation_names[targets[i].variation]);
                json_array_append_new(array, target);
        }
        json_object_set_new(o, "targets", array);
        return o;
}

static json_t *drift_json(const struct decision_app *d) {
        const struct drift *drift = d->drift.items;
        json_t *array = json_array();

        for (size_t i = 0; i < d->drift.n; i++) {
                json_t *o = table_write(&drift_table, &drift[i]);

                json_set_string(o, "severity", severity_names[drift_severity(drift[i].code)]);
                json_array_append_new(array, o);
        }
        return array;
}

/* Why drift is not repaired at once, when it is not. */
static json_t *breaker_json(const struct breaker *b) {
        json_t *o = json_object();
        char at[RFC3339_TEXT_MAX];

        json_set_string(o, "state", breaker_state_names[b->state]);
        json_object_set_new(o, "repairs", json_integer(b->repairs));
        if (b->next_at)
                json_set_string(o, "next", rfc3339_format(b->next_at, at));
        return o;
}

static json_t *app_json(const struct app_input *app, const struct decision_app *d, int64_t now, struct arena *a) {
        json_t *o = json_object();

        json_set_string(o, "app", app->app);
        json_set_string(o, "state", app_state_names[d->state]);
        json_set_string(o, "phase", phase_names[d->rollout.phase]);
        json_set_string(o, "health", app_health(app, d));
        json_object_set_new(o, "desired",
                            app->wanted ? release_json(app->wanted->release, app->wanted->version) : json_null());
        json_object_set_new(o, "running", release_json(d->rollout.current_release, d->rollout.current_version));
        json_object_set_new(o, "poisoned", string_list_json(&d->rollout.poisoned));
        if (app->retries.n > 0)
                json_object_set_new(o, "retries", retries_json(app, &d->rollout, now));
        if (app->refused_retries.n > 0)
                json_object_set_new(o, "refused_retries", list_json(&refused_retry_table, &app->refused_retries));
        json_object_set_new(o, "drift", drift_json(d));
        json_object_set_new(o, "gates", list_json(&verdict_table, &app->verdicts));
        json_object_set_new(o, "instances", instances_json(app, &d->rollout, a));
        if (d->rollout.steps.n > 0)
                json_object_set_new(o, "steps", steps_json(&d->rollout));
        if (d->rollout.checks.n > 0)
                json_object_set_new(o, "checks", checks_json(&d->rollout));
        if (d->rollout.breaker.repairs > 0)
                json_object_set_new(o, "breaker", breaker_json(&d->rollout.breaker));
        if (app_input_traffic(app))
                json_object_set_new(o, "route", route_json(app));
        if (d->rollout.failure_code) {
                json_t *failure = json_object();

                json_set_string(failure, "code", d->rollout.failure_code);
                json_set_string(failure, "message", d->rollout.failure_text);
                json_object_set_new(o, "failure", failure);
        }
        json_set_string(o, "waits_for", d->waits_for);
        return o;
}

static json_t *desired_json(const struct status_facts *facts) {
        json_t *o = json_object(), *refusal;
        char at[RFC3339_TEXT_MAX];

        json_set_string(o, "branch", facts->branch);
        json_object_set_new(o, "tip", json_text(facts->tip));
        json_object_set_new(o, "accepted", json_text(facts->accepted));
        json_set_string(o, "stale", facts->stale);
        if (facts->fetched_at)
                json_set_string(o, "fetched", rfc3339_format(facts->fetched_at, at));
        if (!facts->refusal.commit) {
                json_object_set_new(o, "refusal", json_null());
                return o;
        }
        refusal = json_object();
        json_set_string(refusal, "commit", facts->refusal.commit);
        json_set_string(refusal, "code", facts->refusal.code);
        json_set_string(refusal, "message", facts->refusal.message);
        json_set_string(refusal, "hint", facts->refusal.hint);
        json_set_string(refusal, "at", rfc3339_format(facts->refusal.at, at));
        json_object_set_new(o, "refusal", refusal);
        return o;
}

/* An app that was removed is told by the records of that, no longer by what is. */
static bool is_gone(const struct app_input *app, const struct decision_app *d) {
        return !app->declared && app->observed && app->instances.n == 0 && rollout_is_over(&d->rollout);
}

json_t *status_document(const struct decision_input *input, const struct decision *decision,
                        const struct status_facts *facts) {
        const struct app_input *apps = input->apps.items;
        const struct decision_app *decided = decision->apps.items;
        own_arena struct arena *scratch = arena_new();
        json_t *o = json_object(), *array = json_array();

        json_set_string(o, "schema", STATUS_SCHEMA);
        json_set_string(o, "host", input->host);
        json_set_string(o, "environment", input->environment);
        json_set_string(o, "fleet", facts->fleet);
        json_set_string(o, "state", host_status_names[status_of(decision, facts)]);
        json_object_set_new(o, "desired", desired_json(facts));
        if (facts->blocked) {
                json_t *blocked = json_object();

                json_set_string(blocked, "code", facts->blocked_code);
                json_set_string(blocked, "message", facts->blocked);
                json_object_set_new(o, "blocked", blocked);
        }
        for (size_t i = 0; i < decision->apps.n; i++)
                if (!is_gone(&apps[i], &decided[i]))
                        json_array_append_new(array, app_json(&apps[i], &decided[i], input->now, scratch));
        json_object_set_new(o, "apps", array);
        return o;
}

static int app_exit_code(const struct app_input *app, const struct decision_app *d) {
        switch (d->state) {
        case APP_CONVERGED:
                return 0;
        case APP_PROGRESSING:
                return 3;
        case APP_BLOCKED:
                return verdict_combined(&app->verdicts) == VERDICT_DENY ? 4 : 3;
        case APP_DEGRADED:
                return app->observed && app->settings.drift == DRIFT_REPORT ? 3 : 1;
        case APP_FAILED:
        case APP_STATE_MAX_:
                break;
        }
        return 5;
}

/* Documents that cannot be read are the author's to mend; everything else is a matter of trust. */
static int refusal_exit_code(const struct status_refusal *refusal) {
        return refusal->code && str_after(refusal->code, "LOAD_") ? 2 : 4;
}

int status_exit_code(const struct decision_input *input, const struct decision *decision,
                     const struct status_facts *facts) {
        /* Which of several codes a script should see first. */
        static const int rank[] = { [0] = 0, [3] = 1, [1] = 2, [2] = 3, [4] = 4, [5] = 5 };
        const struct app_input *apps = input->apps.items;
        const struct decision_app *decided = decision->apps.items;
        int worst = facts->refusal.commit ? refusal_exit_code(&facts->refusal) : facts->stale ? 1 : 0;

        if (facts->blocked && rank[facts->blocked_exit] > rank[worst])
                worst = facts->blocked_exit;
        for (size_t i = 0; i < decision->apps.n; i++) {
                int code = app_exit_code(&apps[i], &decided[i]);

                if (rank[code] > rank[worst])
                        worst = code;
        }
        return worst;
}
