/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/decision_input.h"

#include "shared/base/text.h"

#define AT(member) offsetof(struct app_settings, member)
static const struct field settings_fields[] = {
        { .key = "strategy",
          .type = FIELD_ENUM,
          .at = AT(strategy),
          .names = rollout_strategy_names,
          .doc = "How the old instances are replaced." },
        { .key = "order",
          .type = FIELD_ENUM,
          .at = AT(order),
          .flags = FIELD_OMIT,
          .names = rollout_order_names,
          .doc = "What is first of starting the new and stopping the old." },
        { .key = "max_parallel",
          .type = FIELD_INTEGER,
          .at = AT(max_parallel),
          .flags = FIELD_OMIT,
          .doc = "How many instances of a service are replaced at a time; 0: all." },
        { .key = "min_healthy_time",
          .type = FIELD_DURATION,
          .at = AT(min_healthy_ms),
          .doc = "How long health must hold without a break." },
        { .key = "healthy_deadline",
          .type = FIELD_DURATION,
          .at = AT(healthy_deadline_ms),
          .doc = "How long new instances may take to become healthy." },
        { .key = "progress_deadline",
          .type = FIELD_DURATION,
          .at = AT(progress_deadline_ms),
          .doc = "How long a rollout may go without a step forward." },
        { .key = "on_failure",
          .type = FIELD_ENUM,
          .at = AT(on_failure),
          .names = rollout_failure_names,
          .doc = "What to do when the new release fails." },
        { .key = "drift",
          .type = FIELD_ENUM,
          .at = AT(drift),
          .names = drift_mode_names,
          .doc = "Whether drift is repaired or only reported." },
        { .key = "prune", .type = FIELD_BOOL, .at = AT(prune), .doc = "Remove what is no longer declared." },
        {},
};
#undef AT

const struct table app_settings_table = {
        .title = "WorldSettings",
        .size = sizeof(struct app_settings),
        .fields = settings_fields,
        .doc = "An app's rollout settings.",
};

#define AT(member) offsetof(struct retry_permission, member)
static const struct field retry_fields[] = {
        { .key = "id",
          .type = FIELD_STRING,
          .at = AT(id),
          .flags = FIELD_REQUIRED,
          .doc = "SHA-256 of the statement." },
        { .key = "release", .type = FIELD_STRING, .at = AT(release), .flags = FIELD_REQUIRED, .doc = "The release." },
        { .key = "principal", .type = FIELD_STRING, .at = AT(principal), .flags = FIELD_OMIT, .doc = "Who signed it." },
        { .key = "reason", .type = FIELD_STRING, .at = AT(reason), .flags = FIELD_OMIT, .doc = "Why." },
        { .key = "expires_at",
          .type = FIELD_INTEGER,
          .at = AT(expires_at),
          .flags = FIELD_OMIT,
          .doc = "Until when, ms." },
        {},
};
#undef AT

const struct table retry_permission_table = {
        .title = "WorldRetry",
        .size = sizeof(struct retry_permission),
        .fields = retry_fields,
        .doc = "A signed permission to try a release again.",
};

#define AT(member) offsetof(struct refused_retry, member)
static const struct field refused_fields[] = {
        { .key = "path", .type = FIELD_STRING, .at = AT(path), .flags = FIELD_REQUIRED, .doc = "The file." },
        { .key = "message",
          .type = FIELD_STRING,
          .at = AT(message),
          .flags = FIELD_REQUIRED,
          .doc = "Why it does not count." },
        { .key = "hint", .type = FIELD_STRING, .at = AT(hint), .flags = FIELD_OMIT, .doc = "What helps." },
        {},
};
#undef AT

const struct table refused_retry_table = {
        .title = "WorldRefusedRetry",
        .size = sizeof(struct refused_retry),
        .fields = refused_fields,
        .doc = "A statement or a signature that does not count.",
};

#define AT(member) offsetof(struct app_input, member)
static const struct field app_fields[] = {
        { .key = "app", .type = FIELD_STRING, .at = AT(app), .flags = FIELD_REQUIRED, .doc = "The app." },
        { .key = "runtime",
          .type = FIELD_STRING,
          .at = AT(runtime),
          .flags = FIELD_REQUIRED,
          .doc = "The runtime that carries it." },
        { .key = "declared", .type = FIELD_BOOL, .at = AT(declared), .doc = "A release is addressed to this host." },
        { .key = "wanted",
          .type = FIELD_STRUCT_PTR,
          .at = AT(wanted),
          .flags = FIELD_OMIT,
          .sub = &workload_table,
          .doc = "The declared release as it will run." },
        { .key = "settled",
          .type = FIELD_STRUCT_PTR,
          .at = AT(current),
          .flags = FIELD_OMIT,
          .sub = &workload_table,
          .doc = "The last release proven here, as it was rendered then." },
        { .key = "settings",
          .type = FIELD_STRUCT,
          .at = AT(settings),
          .sub = &app_settings_table,
          .doc = "Rollout settings." },
        { .key = "plan",
          .type = FIELD_STRUCT_LIST,
          .at = AT(plan),
          .flags = FIELD_OMIT,
          .sub = &rollout_step_table,
          .doc = "How the declared release would be brought here." },
        { .key = "checks",
          .type = FIELD_STRUCT_LIST,
          .at = AT(checks),
          .flags = FIELD_OMIT,
          .sub = &check_table,
          .doc = "The checks of the declared release." },
        { .key = "facts",
          .type = FIELD_STRUCT_LIST,
          .at = AT(facts),
          .flags = FIELD_OMIT,
          .sub = &check_fact_table,
          .doc = "What the checks that were due said." },
        { .key = "route",
          .type = FIELD_STRUCT,
          .at = AT(route),
          .flags = FIELD_OMIT,
          .sub = &route_state_table,
          .doc = "What the router has in force." },
        { .key = "retries",
          .type = FIELD_STRUCT_LIST,
          .at = AT(retries),
          .flags = FIELD_OMIT,
          .sub = &retry_permission_table,
          .doc = "Signed permissions to try a poisoned release again." },
        { .key = "refused_retries",
          .type = FIELD_STRUCT_LIST,
          .at = AT(refused_retries),
          .flags = FIELD_OMIT,
          .sub = &refused_retry_table,
          .doc = "Statements and signatures that do not count." },
        { .key = "rollout",
          .type = FIELD_STRUCT,
          .at = AT(rollout),
          .sub = &rollout_table,
          .doc = "Where the app stands." },
        { .key = "verdicts",
          .type = FIELD_STRUCT_LIST,
          .at = AT(verdicts),
          .sub = &verdict_table,
          .doc = "What the gates say." },
        { .key = "instances",
          .type = FIELD_STRUCT_LIST,
          .at = AT(instances),
          .sub = &instance_table,
          .doc = "What the runtime shows." },
        { .key = "observed", .type = FIELD_BOOL, .at = AT(observed), .doc = "The runtime could be asked." },
        { .key = "unobserved",
          .type = FIELD_STRING,
          .at = AT(unobserved),
          .flags = FIELD_OMIT,
          .doc = "Why the runtime could not be asked." },
        {},
};
#undef AT

const struct table app_input_table = {
        .title = "WorldApp",
        .size = sizeof(struct app_input),
        .fields = app_fields,
        .doc = "One app of the world.",
};

#define AT(member) offsetof(struct decision_input, member)
static const struct field world_fields[] = {
        { .key = "schema",
          .type = FIELD_STRING,
          .at = AT(schema),
          .flags = FIELD_REQUIRED,
          .doc = "Always " DECISION_INPUT_SCHEMA "." },
        { .key = "host", .type = FIELD_STRING, .at = AT(host), .flags = FIELD_REQUIRED, .doc = "This host." },
        { .key = "environment",
          .type = FIELD_STRING,
          .at = AT(environment),
          .flags = FIELD_REQUIRED,
          .doc = "The host's environment." },
        { .key = "commit",
          .type = FIELD_STRING,
          .at = AT(commit),
          .flags = FIELD_REQUIRED,
          .doc = "The accepted commit." },
        { .key = "now",
          .type = FIELD_INTEGER,
          .at = AT(now),
          .flags = FIELD_REQUIRED,
          .doc = "Wall clock, milliseconds since 1970." },
        { .key = "suspended", .type = FIELD_BOOL, .at = AT(suspended), .doc = "Acting on this host is suspended." },
        { .key = "suspended_reason",
          .type = FIELD_STRING,
          .at = AT(suspended_reason),
          .flags = FIELD_OMIT,
          .doc = "Why." },
        { .key = "ledger_writable",
          .type = FIELD_BOOL,
          .at = AT(ledger_writable),
          .doc = "Records can be stored locally." },
        { .key = "apps",
          .type = FIELD_STRUCT_LIST,
          .at = AT(apps),
          .sub = &app_input_table,
          .doc = "Every app that is declared for this host or has instances on it, sorted." },
        {},
};
#undef AT

const struct table decision_input_table = {
        .title = "World",
        .size = sizeof(struct decision_input),
        .fields = world_fields,
        .doc = "Everything that a decision depends on.",
};

const struct traffic *app_input_traffic(const struct app_input *app) {
        bool under_way = app->rollout.phase == PHASE_PREPARING || app->rollout.phase == PHASE_STAGING ||
                         app->rollout.phase == PHASE_EVALUATING || app->rollout.phase == PHASE_FINISHING;
        const char *release = under_way ? app->rollout.release : app->rollout.current_release;

        /* A release that leaves the router does so when it is proven. */
        if (app->wanted && str_eq(app->wanted->release, release) && (app->wanted->traffic || !under_way))
                return app->wanted->traffic;
        return app->current ? app->current->traffic : NULL;
}

const struct retry_permission *app_input_retry_for(const struct app_input *app, const char *release, int64_t now) {
        const struct retry_permission *retries = app->retries.items;

        for (size_t i = 0; release && i < app->retries.n; i++)
                if (str_eq(retries[i].release, release) && (!retries[i].expires_at || now < retries[i].expires_at) &&
                    !rollout_has_used(&app->rollout, retries[i].id))
                        return &retries[i];
        return NULL;
}
