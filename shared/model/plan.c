/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/plan.h"

#include "shared/base/reason.h"
#include "shared/base/text.h"

const char *const step_kind_names[] = {
        [STEP_GATE] = "gate",       [STEP_PREPARE] = "prepare", [STEP_HOOK] = "hook",
        [STEP_STAGE] = "stage",     [STEP_CHECK] = "check",     [STEP_WAIT] = "wait",
        [STEP_TRAFFIC] = "traffic", [STEP_NOTIFY] = "notify",   [STEP_KIND_MAX_] = NULL,
};

const char *const step_failure_names[] = {
        [STEP_FAIL] = "fail",
        [STEP_CONTINUE] = "continue",
        [STEP_PAUSE] = "pause",
        [STEP_FAILURE_MAX_] = NULL,
};

const char *const step_state_names[] = {
        [STEP_PENDING] = "pending", [STEP_READY] = "ready",         [STEP_RUNNING] = "running",
        [STEP_WAITING] = "waiting", [STEP_SUCCEEDED] = "succeeded", [STEP_FAILED] = "failed",
        [STEP_SKIPPED] = "skipped", [STEP_CANCELLED] = "cancelled", [STEP_STATE_MAX_] = NULL,
};

#define AT(type, member) .at = offsetof(struct type, member)
#define SECOND           INT64_C(1000)
#define DAY              (24 * 60 * 60 * SECOND)

/*
 * The table
 */

static int check_hook(void *object, const struct node *node, struct fault *reterr) {
        const struct step_hook *h = object;

        if (!!h->service.text + !!h->command.text == 1)
                return 0;
        return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID, "a hook has %s service and command",
                                 h->service.text ? "both of" : "neither of");
}

static const struct field hook_fields[] = {
        { .key = "service",
          .type = FIELD_TEXT,
          AT(step_hook, service),
          .flags = FIELD_OMIT,
          .format = "non-empty",
          .doc = "A service of the app whose role is hook: run once, to its end." },
        { .key = "command",
          .type = FIELD_TEXT,
          AT(step_hook, command),
          .flags = FIELD_OMIT,
          .format = "name",
          .doc = "A command that the host's tally.yaml allows by this name." },
        { .key = NULL },
};
static const struct table hook_table = {
        .title = "Hook",
        .size = sizeof(struct step_hook),
        .fields = hook_fields,
        .check = check_hook,
        .doc = "Something that runs once, to its end.",
};

static int read_weight(const struct node *node, int64_t *ret, struct fault *reterr) {
        if (node->type != NODE_INTEGER || node->integer < 0 || node->integer > 100)
                return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID,
                                         "a weight is a number of percent, from 0 to 100");
        *ret = node->integer;
        return 0;
}

static int read_stage_short(const struct node *node, void *object, struct arena *a, struct fault *reterr) {
        return read_weight(node, &((struct step_stage *)object)->weight, reterr);
}

static int read_traffic_short(const struct node *node, void *object, struct arena *a, struct fault *reterr) {
        return read_weight(node, &((struct step_traffic *)object)->weight, reterr);
}

static const struct field stage_fields[] = {
        { .key = "weight",
          .type = FIELD_INTEGER,
          AT(step_stage, weight),
          .flags = FIELD_REQUIRED,
          .minimum = 1,
          .maximum = 100,
          .doc = "The share of new instances, percent." },
        { .key = "beside",
          .type = FIELD_BOOL,
          AT(step_stage, beside),
          .doc = "The old instances run on until the rollout ends." },
        { .key = NULL },
};
static const struct table stage_table = {
        .title = "Stage",
        .size = sizeof(struct step_stage),
        .fields = stage_fields,
        .read_short = read_stage_short,
        .short_schema = "{\"type\":\"integer\",\"minimum\":1,\"maximum\":100}",
        .doc = "Bring up new instances.",
};

static const struct field traffic_fields[] = {
        { .key = "weight",
          .type = FIELD_INTEGER,
          AT(step_traffic, weight),
          .flags = FIELD_REQUIRED,
          .minimum = 0,
          .maximum = 100,
          .doc = "The new release's share of the requests, percent." },
        { .key = NULL },
};
static const struct table traffic_table_ = {
        .title = "TrafficStep",
        .size = sizeof(struct step_traffic),
        .fields = traffic_fields,
        .read_short = read_traffic_short,
        .short_schema = "{\"type\":\"integer\",\"minimum\":0,\"maximum\":100}",
        .doc = "Shift requests to the new release.",
};

static int read_duration(const struct node *node, int64_t *ret, struct fault *reterr) {
        if (!node_is_scalar(node) || parse_duration(node->text, ret) < 0 || *ret > 7 * DAY)
                return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID,
                                         "this must be a time like 30s, 10m or 2h, at most 7d");
        return 0;
}

static int read_check_short(const struct node *node, void *object, struct arena *a, struct fault *reterr) {
        return read_duration(node, &((struct step_check *)object)->for_ms, reterr);
}

static int read_wait_short(const struct node *node, void *object, struct arena *a, struct fault *reterr) {
        return read_duration(node, &((struct step_wait *)object)->for_ms, reterr);
}

static const struct field check_fields[] = {
        { .key = "for",
          .type = FIELD_DURATION,
          AT(step_check, for_ms),
          .minimum = 0,
          .maximum = 7 * DAY,
          .doc = "How long health and checks must hold without a break." },
        { .key = NULL },
};
static const struct table check_table_ = {
        .title = "CheckStep",
        .size = sizeof(struct step_check),
        .fields = check_fields,
        .read_short = read_check_short,
        .short_schema = "{\"type\":\"string\"}",
        .doc = "Health and checks must hold.",
};

static const struct field wait_fields[] = {
        { .key = "for",
          .type = FIELD_DURATION,
          AT(step_wait, for_ms),
          .flags = FIELD_REQUIRED,
          .minimum = 0,
          .maximum = 7 * DAY,
          .doc = "How long." },
        { .key = NULL },
};
static const struct table wait_table = {
        .title = "WaitStep",
        .size = sizeof(struct step_wait),
        .fields = wait_fields,
        .read_short = read_wait_short,
        .short_schema = "{\"type\":\"string\"}",
        .doc = "Let time pass.",
};

static int check_step(void *object, const struct node *node, struct fault *reterr) {
        struct plan_step *s = object;
        int n = !!s->hook + !!s->stage + !!s->check + !!s->traffic + !!s->gate.text + !!s->notify.text + !!s->wait +
                s->prepare;

        s->needs_given = node_get(node, "needs") != NULL;
        /* What only tells somebody fails nothing, unless it is said to. */
        if (s->notify.text && !node_get(node, "on_failure"))
                s->on_failure = STEP_CONTINUE;
        if (n == 1)
                return 0;
        return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID,
                                 "step '%s' has %s of gate, prepare, hook, stage, check, wait, traffic and notify",
                                 s->name.text, n == 0 ? "none" : "more than one");
}

static const struct field step_fields[] = {
        { .key = "name",
          .type = FIELD_TEXT,
          AT(plan_step, name),
          .flags = FIELD_REQUIRED,
          .format = "name",
          .doc = "What other steps call it." },
        { .key = "needs",
          .type = FIELD_STRING_LIST,
          AT(plan_step, needs),
          .doc = "The steps that must be over before it; default: the one above it." },
        { .key = "gate",
          .type = FIELD_TEXT,
          AT(plan_step, gate),
          .flags = FIELD_OMIT,
          .format = "name",
          .doc = "Wait until this gate allows." },
        { .key = "prepare",
          .type = FIELD_BOOL,
          AT(plan_step, prepare),
          .flags = FIELD_OMIT,
          .doc = "Pull and verify the images; needed before anything that runs them." },
        { .key = "hook",
          .type = FIELD_STRUCT_PTR,
          AT(plan_step, hook),
          .flags = FIELD_OMIT,
          .sub = &hook_table,
          .doc = "Run something once, to its end." },
        { .key = "stage",
          .type = FIELD_STRUCT_PTR,
          AT(plan_step, stage),
          .flags = FIELD_OMIT,
          .sub = &stage_table,
          .doc = "Bring up this share of new instances, healthy." },
        { .key = "check",
          .type = FIELD_STRUCT_PTR,
          AT(plan_step, check),
          .flags = FIELD_OMIT,
          .sub = &check_table_,
          .doc = "Health and checks must hold for this long." },
        { .key = "wait",
          .type = FIELD_STRUCT_PTR,
          AT(plan_step, wait),
          .flags = FIELD_OMIT,
          .sub = &wait_table,
          .doc = "Let this much time pass." },
        { .key = "traffic",
          .type = FIELD_STRUCT_PTR,
          AT(plan_step, traffic),
          .flags = FIELD_OMIT,
          .sub = &traffic_table_,
          .doc = "Give the new release this share of the requests." },
        { .key = "notify",
          .type = FIELD_TEXT,
          AT(plan_step, notify),
          .flags = FIELD_OMIT,
          .format = "name",
          .doc = "Tell a command that the host's tally.yaml names." },
        { .key = "timeout",
          .type = FIELD_DURATION,
          AT(plan_step, timeout_ms),
          .flags = FIELD_OMIT,
          .minimum = 0,
          .maximum = 7 * DAY,
          .doc = "How long it may take; default: the rollout's own deadlines." },
        { .key = "retries",
          .type = FIELD_INTEGER,
          AT(plan_step, retries),
          .flags = FIELD_OMIT,
          .minimum = 0,
          .maximum = 100,
          .doc = "How often a step that failed is tried again." },
        { .key = "on_failure",
          .type = FIELD_ENUM,
          AT(plan_step, on_failure),
          .names = step_failure_names,
          .doc = "What follows when it failed for good." },
        { .key = NULL },
};

const struct table plan_step_table = {
        .title = "Step",
        .size = sizeof(struct plan_step),
        .fields = step_fields,
        .position = offsetof(struct plan_step, at) + 1,
        .doc = "One step of a rollout.",
        .check = check_step,
};

static const struct field rollout_step_fields[] = {
        { .key = "step",
          .type = FIELD_STRUCT,
          AT(rollout_step, step),
          .flags = FIELD_REQUIRED,
          .sub = &plan_step_table,
          .doc = "What it is." },
        { .key = "state",
          .type = FIELD_ENUM,
          AT(rollout_step, state),
          .names = step_state_names,
          .doc = "How far it is." },
        { .key = "attempts",
          .type = FIELD_INTEGER,
          AT(rollout_step, attempts),
          .flags = FIELD_OMIT,
          .doc = "Failed tries." },
        { .key = "started_at",
          .type = FIELD_INTEGER,
          AT(rollout_step, started_at),
          .flags = FIELD_OMIT,
          .doc = "When it began, ms." },
        { .key = "ended_at",
          .type = FIELD_INTEGER,
          AT(rollout_step, ended_at),
          .flags = FIELD_OMIT,
          .doc = "When it was over, ms." },
        { .key = "moved_at",
          .type = FIELD_INTEGER,
          AT(rollout_step, moved_at),
          .flags = FIELD_OMIT,
          .doc = "When it last went forward, ms." },
        { .key = "since",
          .type = FIELD_INTEGER,
          AT(rollout_step, since),
          .flags = FIELD_OMIT,
          .doc = "Since when what it waits for holds, ms; 0: it does not." },
        { .key = "batch",
          .type = FIELD_INTEGER,
          AT(rollout_step, batch),
          .flags = FIELD_OMIT,
          .doc = "The batch under way, from 1." },
        { .key = "retry_at",
          .type = FIELD_INTEGER,
          AT(rollout_step, retry_at),
          .flags = FIELD_OMIT,
          .doc = "The next try is not before this, ms." },
        { .key = "detail", .type = FIELD_STRING, AT(rollout_step, detail), .flags = FIELD_OMIT, .doc = "For people." },
        { .key = NULL },
};

const struct table rollout_step_table = {
        .title = "RolloutStep",
        .size = sizeof(struct rollout_step),
        .fields = rollout_step_fields,
        .doc = "A step of a rollout and how far it is.",
};

enum step_kind plan_step_kind(const struct plan_step *s) {
        return s->gate.text ? STEP_GATE
               : s->prepare ? STEP_PREPARE
               : s->hook    ? STEP_HOOK
               : s->stage   ? STEP_STAGE
               : s->check   ? STEP_CHECK
               : s->wait    ? STEP_WAIT
               : s->traffic ? STEP_TRAFFIC
                            : STEP_NOTIFY;
}

bool plan_step_is_over(enum step_state s) {
        return s >= STEP_SUCCEEDED;
}

#define BIT(state) (1u << (state))

bool plan_may_move(enum step_state from, enum step_state to) {
        static const unsigned moves[STEP_STATE_MAX_] = {
                [STEP_PENDING] = BIT(STEP_READY) | BIT(STEP_SKIPPED),
                [STEP_READY] = BIT(STEP_RUNNING) | BIT(STEP_SKIPPED),
                [STEP_RUNNING] = BIT(STEP_WAITING) | BIT(STEP_READY) | BIT(STEP_SUCCEEDED) | BIT(STEP_FAILED) |
                                 BIT(STEP_CANCELLED),
                [STEP_WAITING] = BIT(STEP_RUNNING) | BIT(STEP_READY) | BIT(STEP_SUCCEEDED) | BIT(STEP_FAILED) |
                                 BIT(STEP_CANCELLED),
        };

        return from < STEP_STATE_MAX_ && to < STEP_STATE_MAX_ && (moves[from] & BIT(to));
}
