/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Check: how an app's new instances are judged, beyond the engine's own health check
 *
 * A check is declared in app.yaml. While a rollout stages or evaluates, it is made every `interval` on each new
 * instance of its service (a Prometheus query: once for all of them). What came out is a fact in the world; decide()
 * folds the facts into the rollout, and a check passes, fails, or is inconclusive. Inconclusive is never a pass.
 */

#include "shared/data/table.h"

enum check_verdict {
        CHECK_INCONCLUSIVE, /* zero, so that a fact nobody filled in proves nothing */
        CHECK_PASS,
        CHECK_FAIL,
        CHECK_VERDICT_MAX_,
};
extern const char *const check_verdict_names[]; /* inconclusive pass fail */

enum check_kind { CHECK_HTTP, CHECK_TCP, CHECK_EXEC, CHECK_PROMETHEUS, CHECK_KIND_MAX_ };
extern const char *const check_kind_names[];

struct check_http {
        int64_t port;         /* of the container */
        const char *path;     /* begins with '/' */
        const char *host;     /* Host header; NULL: the address */
        int64_t status;       /* what must come; 0: any 200 to 399 */
        const char *contains; /* text that the first 64 KiB of the body must hold; NULL: none */
};

struct check_tcp {
        int64_t port; /* of the container */
};

struct check_exec {
        struct string_list command; /* in the container; exit code 0 passes */
        /* the last line that it prints goes into the fact, and so into the ledger; default false */
        bool output;
};

/* Which way is worse than the baseline. */
enum check_worse { WORSE_HIGHER, WORSE_LOWER, WORSE_MAX_ };
extern const char *const check_worse_names[]; /* higher lower */

/*
 * Instant queries (HTTP API v1, /api/v1/query) whose answer is one number. ${release}, ${version}, ${app}, ${service}
 * and ${host} in them are those of the new release in `query` and `traffic`, those of the settled one in `baseline`.
 *
 * What a look finds is CHECK_PASS when there is a number (what it means is not said yet), else CHECK_INCONCLUSIVE.
 */
#define CHECK_PLACEHOLDERS 5
extern const char *const check_placeholder_names[]; /* release version app service host, then NULL */

struct check_prometheus {
        const char *url; /* of the server: http://127.0.0.1:9090 */
        const char *query;
        const char *baseline;     /* the same of the old release, asked at the same time; NULL: none */
        const char *traffic;      /* must be above 0, or nothing is concluded; NULL: not asked */
        const int64_t *min, *max; /* bounds of the value, millionths; NULL: none */
        /* millionths: how many standard deviations of the baseline are too many; NULL: 3 */
        const int64_t *z;
        enum check_worse worse;
        int64_t samples; /* how many are needed at least before anything is concluded; default 5 */
};

struct check {
        struct text_at name; /* unique in the app; default: <service>-<kind> */
        struct text_at service;
        const struct check_http *http; /* exactly one of these is not NULL */
        const struct check_tcp *tcp;
        const struct check_exec *exec;
        const struct check_prometheus *prometheus;
        int64_t interval_ms;     /* default 5s */
        int64_t timeout_ms;      /* default 2s */
        int64_t start_period_ms; /* after an instance's start, failures don't count; default 0 */
        int64_t retries;         /* failures in a row that make it fail; default 3 */
        struct source_pos at;
};
extern const struct table check_table;

enum check_kind check_kind_of(const struct check *c);

/* What one look made of a check on one instance. */
struct check_fact {
        const char *check;    /* its name */
        const char *instance; /* id; NULL: about the release as a whole */
        enum check_verdict verdict;
        const int64_t *value, *baseline; /* millionths; NULL: no such number */
        const char *detail;              /* for people: "status 503, not 200" */
        int64_t took_ms;
        /* wall ms: when the instance was started; 0: about the release as a whole, or not known */
        int64_t started_at;
};
extern const struct table check_fact_table;

/* Samples that are remembered of a check: the oldest goes first. */
#define CHECK_SAMPLES_MAX 60

struct check_sample {
        int64_t value, baseline; /* millionths */
        bool has_baseline;
};

/* What a rollout remembers of a check: persisted with it. */
struct check_state {
        const char *check;
        enum check_verdict verdict; /* as it stands */
        int64_t passes, failures;   /* rounds in a row */
        int64_t at;                 /* wall ms: of the last round; 0: none yet */
        const int64_t *score;       /* millionths: z of the new release against the baseline; NULL: none */
        const char *detail;         /* of the last round, for people */
        struct struct_list samples; /* struct check_sample, oldest first */
};
extern const struct table check_state_table;
