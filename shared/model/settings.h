/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Settings: how an app declares that a new release takes over, and how drift is handled
 *
 * The nouns that the plan, the core and an App document share. They know nothing of the app's compose file.
 */

#include "shared/data/table.h"

enum rollout_strategy { STRATEGY_RECREATE, STRATEGY_ROLLING, STRATEGY_CANARY, STRATEGY_BLUE_GREEN, STRATEGY_MAX_ };
extern const char *const rollout_strategy_names[]; /* recreate rolling canary blue-green */
enum rollout_order { ORDER_AUTO, ORDER_START_FIRST, ORDER_STOP_FIRST, ORDER_MAX_ };
extern const char *const rollout_order_names[]; /* auto start-first stop-first */
enum progression_kind { PROGRESSION_LINEAR, PROGRESSION_EXPONENTIAL, PROGRESSION_FIBONACCI, PROGRESSION_MAX_ };
extern const char *const progression_kind_names[]; /* linear exponential fibonacci */
enum rollout_failure { ON_FAILURE_ROLLBACK, ON_FAILURE_PAUSE, ON_FAILURE_MAX_ };
extern const char *const rollout_failure_names[]; /* rollback pause */
enum drift_mode { DRIFT_REPAIR, DRIFT_REPORT, DRIFT_MODE_MAX_ };
extern const char *const drift_mode_names[]; /* repair report */

/* What holds when a rollout says nothing. */
#define FLEET_MIN_HEALTHY_MS       INT64_C(2000)
#define FLEET_HEALTHY_DEADLINE_MS  (INT64_C(5) * 60 * 1000)
#define FLEET_BAKE_MS              (INT64_C(10) * 1000)
#define FLEET_PROGRESS_DEADLINE_MS (INT64_C(10) * 60 * 1000)

/* A step of a canary: this share of new instances (and of the requests, with a router), and how long it must hold. */
struct canary_step {
        int64_t weight; /* percent */
        int64_t hold_ms;
        struct source_pos at;
};

/* Shares that grow by a rule until they are 100. */
struct progression {
        enum progression_kind kind;
        int64_t start; /* the first share, percent: default 10 */
        /* linear: added each time (default: start); exponential: the factor (default 2) */
        int64_t step;
        int64_t hold_ms; /* how long each must hold: default 30s */
};

struct rollout_settings {
        enum rollout_strategy strategy;
        enum rollout_order order; /* auto: start-first where a service can run twice */
        int64_t max_parallel;     /* rolling: how many instances of a service at a time: default 1; 0: all */
        struct struct_list steps; /* struct canary_step */
        const struct progression *progression; /* NULL: none */
        /* blue-green: how long the old set is kept running after the switch: default 10s */
        int64_t bake_ms;
        int64_t min_healthy_ms;       /* health must hold this long: default 2s */
        int64_t healthy_deadline_ms;  /* default 5m */
        int64_t progress_deadline_ms; /* default 10m */
        enum rollout_failure on_failure;
};

/* `rollout:` of an App document. */
extern const struct table rollout_settings_table;
