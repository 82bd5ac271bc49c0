/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/decision.h"

const char *const action_kind_names[] = {
        [ACTION_PREPARE] = "prepare", [ACTION_CREATE] = "create",
        [ACTION_STOP] = "stop",       [ACTION_START] = "start",
        [ACTION_REMOVE] = "remove",   [ACTION_ROUTE] = "route",
        [ACTION_UNROUTE] = "unroute", [ACTION_COMMAND] = "command",
        [ACTION_COLLECT] = "collect", NULL,
};

const char *const event_names[] = {
        [EVENT_NONE] = "none",           [EVENT_STARTED] = "started",   [EVENT_SETTLED] = "settled",
        [EVENT_FAILED] = "failed",       [EVENT_REVERTED] = "reverted", [EVENT_STUCK] = "stuck",
        [EVENT_REPAIRING] = "repairing", [EVENT_REMOVED] = "removed",   NULL,
};

const char *const app_state_names[] = {
        [APP_CONVERGED] = "converged", [APP_PROGRESSING] = "progressing", [APP_BLOCKED] = "blocked",
        [APP_DEGRADED] = "degraded",   [APP_FAILED] = "failed",           NULL,
};

#define AT(member) offsetof(struct action, member)
static const struct field action_fields[] = {
        { .key = "verb",
          .type = FIELD_ENUM,
          .at = AT(kind),
          .flags = FIELD_REQUIRED,
          .names = action_kind_names,
          .doc = "What to do." },
        { .key = "app", .type = FIELD_STRING, .at = AT(app), .flags = FIELD_REQUIRED, .doc = "The app." },
        { .key = "release",
          .type = FIELD_STRING,
          .at = AT(release),
          .flags = FIELD_OMIT,
          .doc = "The release that is worked from." },
        { .key = "service", .type = FIELD_STRING, .at = AT(service), .flags = FIELD_OMIT, .doc = "The service." },
        { .key = "index", .type = FIELD_INTEGER, .at = AT(index), .flags = FIELD_OMIT, .doc = "The replica, from 1." },
        { .key = "instance",
          .type = FIELD_STRING,
          .at = AT(instance),
          .flags = FIELD_OMIT,
          .doc = "The instance's id." },
        { .key = "name", .type = FIELD_STRING, .at = AT(name), .flags = FIELD_OMIT, .doc = "The instance's name." },
        { .key = "route",
          .type = FIELD_STRUCT_PTR,
          .at = AT(route),
          .flags = FIELD_OMIT,
          .sub = &route_table,
          .doc = "The route to put into force." },
        { .key = "router", .type = FIELD_STRING, .at = AT(router), .flags = FIELD_OMIT, .doc = "The router." },
        { .key = "command",
          .type = FIELD_STRING,
          .at = AT(command),
          .flags = FIELD_OMIT,
          .doc = "The command, as the host's configuration names it." },
        { .key = "step",
          .type = FIELD_STRING,
          .at = AT(step),
          .flags = FIELD_OMIT,
          .doc = "The step that it belongs to." },
        { .key = "timeout",
          .type = FIELD_DURATION,
          .at = AT(timeout_ms),
          .flags = FIELD_OMIT,
          .doc = "How long it may take." },
        { .key = "reason", .type = FIELD_STRING, .at = AT(reason), .flags = FIELD_OMIT, .doc = "A reason code." },
        { .key = "why", .type = FIELD_STRING, .at = AT(why), .flags = FIELD_OMIT, .doc = "Why, for people." },
        {},
};
#undef AT

const struct table action_table = {
        .title = "Action",
        .size = sizeof(struct action),
        .fields = action_fields,
        .doc = "One step on a runtime.",
};

#define AT(member) offsetof(struct drift, member)
static const struct field drift_fields[] = {
        { .key = "service", .type = FIELD_STRING, .at = AT(service), .flags = FIELD_OMIT, .doc = "The service." },
        { .key = "index", .type = FIELD_INTEGER, .at = AT(index), .flags = FIELD_OMIT, .doc = "The replica, from 1." },
        { .key = "instance",
          .type = FIELD_STRING,
          .at = AT(instance),
          .flags = FIELD_OMIT,
          .doc = "The instance's id." },
        { .key = "code", .type = FIELD_STRING, .at = AT(code), .flags = FIELD_REQUIRED, .doc = "The reason code." },
        { .key = "detail", .type = FIELD_STRING, .at = AT(detail), .flags = FIELD_OMIT, .doc = "The same for people." },
        {},
};
#undef AT

const struct table drift_table = {
        .title = "Drift",
        .size = sizeof(struct drift),
        .fields = drift_fields,
        .doc = "One difference between what is declared and what runs.",
};

#define AT(member) offsetof(struct decision_app, member)
static const struct field app_fields[] = {
        { .key = "app", .type = FIELD_STRING, .at = AT(app), .flags = FIELD_REQUIRED, .doc = "The app." },
        { .key = "state", .type = FIELD_ENUM, .at = AT(state), .names = app_state_names, .doc = "How it stands." },
        { .key = "event", .type = FIELD_ENUM, .at = AT(event), .names = event_names, .doc = "What happened." },
        { .key = "health",
          .type = FIELD_ENUM,
          .at = AT(health),
          .names = health_names,
          .doc = "The worst health of its instances." },
        { .key = "rollout",
          .type = FIELD_STRUCT,
          .at = AT(rollout),
          .sub = &rollout_table,
          .doc = "The rollout's next state." },
        { .key = "drift",
          .type = FIELD_STRUCT_LIST,
          .at = AT(drift),
          .sub = &drift_table,
          .doc = "Differences found." },
        { .key = "waits_for",
          .type = FIELD_STRING,
          .at = AT(waits_for),
          .flags = FIELD_OMIT,
          .doc = "What it waits for." },
        { .key = "wake_at",
          .type = FIELD_INTEGER,
          .at = AT(wake_at),
          .flags = FIELD_OMIT,
          .doc = "When to look again, milliseconds since 1970." },
        { .key = "due_at",
          .type = FIELD_INTEGER,
          .at = AT(due_at),
          .flags = FIELD_OMIT,
          .doc = "Until then nothing happens by itself, milliseconds since 1970." },
        {},
};
#undef AT

const struct table decision_app_table = {
        .title = "DecisionApp",
        .size = sizeof(struct decision_app),
        .fields = app_fields,
        .doc = "What was decided for one app.",
};

static const struct field decision_fields[] = {
        { .key = "actions",
          .type = FIELD_STRUCT_LIST,
          .at = offsetof(struct decision, actions),
          .sub = &action_table,
          .doc = "What to do, in order." },
        { .key = "apps",
          .type = FIELD_STRUCT_LIST,
          .at = offsetof(struct decision, apps),
          .sub = &decision_app_table,
          .doc = "How each app stands." },
        {},
};

const struct table decision_table = {
        .title = "Decision",
        .size = sizeof(struct decision),
        .fields = decision_fields,
        .doc = "What decide() made of a world.",
};
