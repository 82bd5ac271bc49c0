/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * World: everything that a decision depends on, as one document
 *
 * judge() and decide() see this and nothing else; time is a value in it. Its canonical JSON goes to the ledger as
 * worlds/<sha256>.json, its digest into the decision record; `tally replay` reads it back and must get the same
 * decision.
 */

#include "shared/model/instance.h"
#include "shared/model/rollout.h"
#include "shared/model/settings.h"
#include "shared/model/verdict.h"
#include "shared/model/workload.h"

#define DECISION_INPUT_SCHEMA "tallyman/world/v1"

/* An app's rollout settings as they stand in app.yaml, defaults filled in. */
struct app_settings {
        enum rollout_strategy strategy;
        enum rollout_order order;
        int64_t max_parallel; /* 0: all */
        int64_t min_healthy_ms, healthy_deadline_ms, progress_deadline_ms;
        enum rollout_failure on_failure;
        enum drift_mode drift;
        bool prune;
};

/* A signed permission, verified against the trust of the accepted commit. */
struct retry_permission {
        const char *id; /* SHA-256 of the statement: each is used once */
        const char *release;
        const char *principal; /* who signed it */
        const char *reason;
        int64_t expires_at; /* wall ms; 0: never */
};

/* A statement or a signature beside the release that does not count, and why: told, and else without effect. */
struct refused_retry {
        const char *path;
        const char *message; /* begins with the path, and line and column where there are some */
        const char *hint;    /* NULL: none */
};

struct app_input {
        const char *app;
        const char *runtime;
        bool declared;            /* a release is addressed to this host */
        struct workload *wanted;  /* the declared release; NULL when not declared */
        struct workload *current; /* the last proven release as it was rendered then; NULL: none */
        struct app_settings settings;
        struct struct_list plan;            /* struct rollout_step: how the declared release would be brought here */
        struct struct_list checks;          /* struct check: of the declared release */
        struct struct_list facts;           /* struct check_fact: what the checks that were due said */
        struct route_state route;           /* what the router has in force; when there is one (world_traffic) */
        struct struct_list retries;         /* struct world_retry: signed permissions to try a poisoned release again */
        struct struct_list refused_retries; /* struct world_refused_retry */
        struct rollout rollout;
        struct struct_list verdicts;  /* struct verdict, filled in by judge() */
        struct struct_list instances; /* struct instance: what the runtime shows of this app */
        bool observed;                /* the runtime could be asked */
        const char *unobserved;       /* why not; NULL when observed */
};

struct decision_input {
        const char *schema;
        const char *host, *environment;
        const char *commit; /* the accepted commit, hex */
        int64_t now;        /* wall clock, ms */
        bool suspended;
        const char *suspended_reason;
        bool ledger_writable;
        struct struct_list apps; /* struct world_app, sorted by app */
};

/*
 * The router that carries an app's requests as it stands: of the declared release while it is brought here and once it
 * is settled, of the settled one otherwise. NULL: none.
 */
const struct traffic *app_input_traffic(const struct app_input *app);

/* The permission to try @release again that is valid at @now and not used up yet; NULL: none. */
const struct retry_permission *app_input_retry_for(const struct app_input *app, const char *release, int64_t now);

extern const struct table app_settings_table;
extern const struct table retry_permission_table;
extern const struct table refused_retry_table;
extern const struct table app_input_table;
extern const struct table decision_input_table;
