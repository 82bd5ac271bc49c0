/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/settings.h"

#include "shared/base/limits.h"
#include "shared/base/reason.h"

#define AT(type, member) .at = offsetof(struct type, member)
#define POSITION(type)   .position = offsetof(struct type, at) + 1
#define SECOND           INT64_C(1000)
#define DAY              (24 * 60 * 60 * SECOND)

const char *const rollout_order_names[] = {
        [ORDER_AUTO] = "auto",
        [ORDER_START_FIRST] = "start-first",
        [ORDER_STOP_FIRST] = "stop-first",
        [ORDER_MAX_] = NULL,
};

const char *const progression_kind_names[] = {
        [PROGRESSION_LINEAR] = "linear",
        [PROGRESSION_EXPONENTIAL] = "exponential",
        [PROGRESSION_FIBONACCI] = "fibonacci",
        [PROGRESSION_MAX_] = NULL,
};

const char *const drift_mode_names[] = {
        [DRIFT_REPAIR] = "repair",
        [DRIFT_REPORT] = "report",
        [DRIFT_MODE_MAX_] = NULL,
};

const char *const rollout_failure_names[] = {
        [ON_FAILURE_ROLLBACK] = "rollback",
        [ON_FAILURE_PAUSE] = "pause",
        [ON_FAILURE_MAX_] = NULL,
};

const char *const rollout_strategy_names[] = {
        [STRATEGY_RECREATE] = "recreate",     [STRATEGY_ROLLING] = "rolling", [STRATEGY_CANARY] = "canary",
        [STRATEGY_BLUE_GREEN] = "blue-green", [STRATEGY_MAX_] = NULL,
};

static const struct field canary_fields[] = {
        { .key = "weight",
          .type = FIELD_INTEGER,
          AT(canary_step, weight),
          .flags = FIELD_REQUIRED,
          .minimum = 1,
          .maximum = 100,
          .doc = "The new release's share, percent." },
        { .key = "hold",
          .type = FIELD_DURATION,
          AT(canary_step, hold_ms),
          .minimum = 0,
          .maximum = 7 * DAY,
          .doc = "How long it must hold; default 0s." },
        { .key = NULL },
};

static const struct table canary_table = {
        .title = "CanaryStep",
        .size = sizeof(struct canary_step),
        .fields = canary_fields,
        POSITION(canary_step),
        .doc = "One step of a canary.",
};

static const struct field progression_fields[] = {
        { .key = "kind",
          .type = FIELD_ENUM,
          AT(progression, kind),
          .flags = FIELD_REQUIRED,
          .names = progression_kind_names,
          .doc = "The rule by which the share grows." },
        { .key = "start",
          .type = FIELD_INTEGER,
          AT(progression, start),
          .absent = 10,
          .minimum = 1,
          .maximum = 99,
          .doc = "The first share, percent; default 10." },
        { .key = "step",
          .type = FIELD_INTEGER,
          AT(progression, step),
          .flags = FIELD_OMIT,
          .minimum = 0,
          .maximum = 100,
          .doc = "What is added each time (linear; default: start), or the factor (exponential; default 2)." },
        { .key = "hold",
          .type = FIELD_DURATION,
          AT(progression, hold_ms),
          .absent = 30 * SECOND,
          .minimum = 0,
          .maximum = 7 * DAY,
          .doc = "How long each share must hold; default 30s." },
        { .key = NULL },
};

static const struct table progression_table = {
        .title = "Progression",
        .size = sizeof(struct progression),
        .fields = progression_fields,
        .doc = "Shares that grow by a rule until they are 100.",
};

/* The shares of a canary only grow, or a step would take back what the one before it proved. */
static int check_canary(const struct rollout_settings *s, const struct node *node, struct fault *reterr) {
        const struct canary_step *steps = s->steps.items;

        if (s->strategy != STRATEGY_CANARY && (s->steps.n > 0 || s->progression))
                return fault_set_code_at(reterr, &node_get(node, s->progression ? "progression" : "steps")->at,
                                         REASON_LOAD_INVALID, "only the strategy canary has %s, and this one is %s",
                                         s->progression ? "a progression" : "steps",
                                         rollout_strategy_names[s->strategy]);
        if (s->steps.n > 0 && s->progression)
                return fault_set_code_at(reterr, &node_get(node, "progression")->at, REASON_LOAD_INVALID,
                                         "a canary has steps or a progression, not both");
        for (size_t i = 1; i < s->steps.n; i++)
                if (steps[i].weight <= steps[i - 1].weight)
                        return fault_set_code_at(reterr, &steps[i].at, REASON_LOAD_INVALID,
                                                 "%lld %% does not follow %lld %%: the steps of a canary grow",
                                                 (long long)steps[i].weight, (long long)steps[i - 1].weight);
        return 0;
}

static int check_rollout(void *object, const struct node *node, struct fault *reterr) {
        struct rollout_settings *s = object;
        const struct node *strategy = node_get(node, "strategy");
        int r = check_canary(s, node, reterr);

        if (r < 0)
                return r;
        if (s->strategy == STRATEGY_CANARY && s->steps.n == 0 && !s->progression) {
                r = fault_set_code_at(reterr, strategy ? &strategy->at : &node->at, REASON_LOAD_INVALID,
                                      "a canary without steps");
                fault_hint(reterr, "write for example steps: [{weight: 10, hold: 1m}, {weight: 50, hold: 5m}]");
                return r;
        }
        if ((s->strategy == STRATEGY_CANARY || s->strategy == STRATEGY_BLUE_GREEN) && s->order == ORDER_STOP_FIRST)
                return fault_set_code_at(reterr, &node_get(node, "order")->at, REASON_LOAD_INVALID,
                                         "strategy %s runs the new beside the old; it cannot stop the old first",
                                         rollout_strategy_names[s->strategy]);
        return 0;
}

static const struct field rollout_settings_fields[] = {
        { .key = "strategy",
          .type = FIELD_ENUM,
          AT(rollout_settings, strategy),
          .flags = FIELD_OMIT,
          .names = rollout_strategy_names,
          .doc = "How the old instances are replaced." },
        { .key = "order",
          .type = FIELD_ENUM,
          AT(rollout_settings, order),
          .flags = FIELD_OMIT,
          .names = rollout_order_names,
          .doc = "What is first of starting the new and stopping the old; auto: starting, where a service can run twice." },
        { .key = "max_parallel",
          .type = FIELD_INTEGER,
          AT(rollout_settings, max_parallel),
          .absent = 1,
          .minimum = 0,
          .maximum = LIMIT_REPLICAS,
          .doc = "Rolling: how many instances of a service are replaced at a time; 0: all. Default 1." },
        { .key = "steps",
          .type = FIELD_STRUCT_LIST,
          AT(rollout_settings, steps),
          .flags = FIELD_OMIT,
          .sub = &canary_table,
          .doc = "Canary: the shares, and how long each must hold." },
        { .key = "progression",
          .type = FIELD_STRUCT_PTR,
          AT(rollout_settings, progression),
          .flags = FIELD_OMIT,
          .sub = &progression_table,
          .doc = "Canary: the shares by a rule." },
        { .key = "bake",
          .type = FIELD_DURATION,
          AT(rollout_settings, bake_ms),
          .absent = FLEET_BAKE_MS,
          .minimum = 0,
          .maximum = 7 * DAY,
          .doc = "Blue-green: how long the old set runs on after the switch; default 10s." },
        { .key = "min_healthy_time",
          .type = FIELD_DURATION,
          AT(rollout_settings, min_healthy_ms),
          .absent = FLEET_MIN_HEALTHY_MS,
          .minimum = 0,
          .maximum = DAY,
          .doc = "How long the new instances must stay healthy." },
        { .key = "healthy_deadline",
          .type = FIELD_DURATION,
          AT(rollout_settings, healthy_deadline_ms),
          .absent = FLEET_HEALTHY_DEADLINE_MS,
          .minimum = SECOND,
          .maximum = 7 * DAY,
          .doc = "How long they may take to become healthy." },
        { .key = "progress_deadline",
          .type = FIELD_DURATION,
          AT(rollout_settings, progress_deadline_ms),
          .absent = FLEET_PROGRESS_DEADLINE_MS,
          .minimum = SECOND,
          .maximum = 7 * DAY,
          .doc = "How long a rollout may make no progress." },
        { .key = "on_failure",
          .type = FIELD_ENUM,
          AT(rollout_settings, on_failure),
          .names = rollout_failure_names,
          .doc = "What follows a rollout that failed." },
        { .key = NULL },
};

const struct table rollout_settings_table = {
        .title = "Rollout",
        .size = sizeof(struct rollout_settings),
        .fields = rollout_settings_fields,
        .check = check_rollout,
        .doc = "How a new release takes over.",
};
