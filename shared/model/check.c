/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/check.h"

#include <stdio.h>
#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/model/micro.h"

const char *const check_verdict_names[] = {
        [CHECK_INCONCLUSIVE] = "inconclusive",
        [CHECK_PASS] = "pass",
        [CHECK_FAIL] = "fail",
        [CHECK_VERDICT_MAX_] = NULL,
};

const char *const check_kind_names[] = {
        [CHECK_HTTP] = "http",    [CHECK_TCP] = "tcp", [CHECK_EXEC] = "exec", [CHECK_PROMETHEUS] = "prometheus",
        [CHECK_KIND_MAX_] = NULL,
};

const char *const check_worse_names[] = {
        [WORSE_HIGHER] = "higher",
        [WORSE_LOWER] = "lower",
        [WORSE_MAX_] = NULL,
};

const char *const check_placeholder_names[CHECK_PLACEHOLDERS + 1] = { "release", "version", "app",
                                                                      "service", "host",    NULL };

#define AT(type, member) .at = offsetof(struct type, member)
#define SECOND           INT64_C(1000)
#define HOUR             (60 * 60 * SECOND)

enum check_kind check_kind_of(const struct check *c) {
        return c->http ? CHECK_HTTP : c->tcp ? CHECK_TCP : c->exec ? CHECK_EXEC : CHECK_PROMETHEUS;
}

/*
 * As declared
 */

static int invalid(const struct node *map, const char *key, struct fault *reterr, const char *what) {
        const struct node *value = node_get(map, key);

        return fault_set_code_at(reterr, value ? &value->at : &map->at, REASON_LOAD_INVALID, "%s '%s' %s", key,
                                 value && node_is_scalar(value) ? value->text : "", what);
}

/* Printable ASCII without blanks, and nothing of @without: what may stand in a request line or a header as it is. */
static bool is_plain(const char *text, const char *without) {
        for (; *text; text++)
                if (*text <= ' ' || *text > '~' || strchr(without, *text))
                        return false;
        return true;
}

static int check_http(void *object, const struct node *node, struct fault *reterr) {
        struct check_http *http = object;

        if (!http->path)
                http->path = "/";
        if (http->path[0] != '/')
                return invalid(node, "path", reterr, "does not begin with '/'");
        if (!is_plain(http->path, "#\\"))
                return invalid(node, "path", reterr,
                               "is not as it stands in a request: write blanks and the like as %20");
        if (http->host && !is_plain(http->host, "/@?#\\"))
                return invalid(node, "host", reterr, "is not the name of a host");
        if (http->status != 0 && (http->status < 200 || http->status > 599))
                return invalid(node, "status", reterr, "is not a status from 200 to 599");
        return 0;
}

static const struct field http_fields[] = {
        { .key = "port",
          .type = FIELD_INTEGER,
          AT(check_http, port),
          .flags = FIELD_REQUIRED,
          .minimum = 1,
          .maximum = 65535,
          .doc = "The container's port." },
        { .key = "path",
          .type = FIELD_STRING,
          AT(check_http, path),
          .flags = FIELD_OMIT,
          .doc = "What is asked for; default /." },
        { .key = "host",
          .type = FIELD_STRING,
          AT(check_http, host),
          .flags = FIELD_OMIT,
          .format = "non-empty",
          .doc = "The Host header; default: the address." },
        { .key = "status",
          .type = FIELD_INTEGER,
          AT(check_http, status),
          .flags = FIELD_OMIT,
          .minimum = 0,
          .maximum = 599,
          .doc = "The status that must come; default: any from 200 to 399. Redirects are not followed." },
        { .key = "contains",
          .type = FIELD_STRING,
          AT(check_http, contains),
          .flags = FIELD_OMIT,
          .format = "non-empty",
          .doc = "A text that the first 64 KiB of the body must hold." },
        { .key = NULL },
};
static const struct table http_table = {
        .title = "HttpCheck",
        .size = sizeof(struct check_http),
        .fields = http_fields,
        .check = check_http,
        .doc = "A GET that must be answered as said.",
};

static const struct field tcp_fields[] = {
        { .key = "port",
          .type = FIELD_INTEGER,
          AT(check_tcp, port),
          .flags = FIELD_REQUIRED,
          .minimum = 1,
          .maximum = 65535,
          .doc = "The container's port." },
        { .key = NULL },
};
static const struct table tcp_table = {
        .title = "TcpCheck",
        .size = sizeof(struct check_tcp),
        .fields = tcp_fields,
        .doc = "A connection that must be taken.",
};

static int check_exec(void *object, const struct node *node, struct fault *reterr) {
        if (((struct check_exec *)object)->command.n > 0)
                return 0;
        return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID, "the command is empty");
}

static const struct field exec_fields[] = {
        { .key = "command",
          .type = FIELD_STRING_LIST,
          AT(check_exec, command),
          .flags = FIELD_REQUIRED,
          .doc = "Program and arguments, run in the container; exit code 0 passes." },
        { .key = "output",
          .type = FIELD_BOOL,
          AT(check_exec, output),
          .flags = FIELD_OMIT,
          .doc = "Keep the last line that it prints in the evidence, where everyone who reads the ledger sees it; default false." },
        { .key = NULL },
};
static const struct table exec_table = {
        .title = "ExecCheck",
        .size = sizeof(struct check_exec),
        .fields = exec_fields,
        .check = check_exec,
        .doc = "A command in the container that must succeed.",
};

/* Only what we know may stand in ${}: what is misspelt would match no series, and look like no data. */
static int check_query(const struct node *map, const char *key, struct fault *reterr) {
        const struct node *node = node_get(map, key);
        const char *p = node && node_is_scalar(node) ? node->text : "";

        while ((p = strstr(p, "${"))) {
                char name[32];
                size_t n = strcspn(p += 2, "}");
                const char *near;
                int i = 0;

                (void)snprintf(name, sizeof(name), "%.*s", (int)(n < sizeof(name) ? n : sizeof(name) - 1), p);
                while (i < CHECK_PLACEHOLDERS && !str_eq(check_placeholder_names[i], name))
                        i++;
                if (p[n] != '}')
                        return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID, "%s: a ${ has no }", key);
                if (i < CHECK_PLACEHOLDERS)
                        continue;
                (void)fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID, "%s: there is nothing to put for ${%s}",
                                        key, name);
                near = closest_name(name, check_placeholder_names);
                if (near)
                        fault_hint(reterr, "did you mean ${%s}?", near);
                else
                        fault_hint(reterr, "there are ${release}, ${version}, ${app}, ${service} and ${host}");
                return -EINVAL;
        }
        return 0;
}

static bool is_server(const char *url) {
        const char *rest = str_after(url, "http://");

        if (!rest)
                rest = str_after(url, "https://");
        return rest && *rest && *rest != '/' && is_plain(rest, "?#\\");
}

static int check_bounds(const struct check_prometheus *p, const struct node *node, struct fault *reterr) {
        if (!p->baseline && !p->min && !p->max)
                return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID,
                                         "nothing says what is good: give min, max or baseline");
        if (p->min && p->max && *p->min > *p->max)
                return fault_set_code_at(reterr, &node_get(node, "min")->at, REASON_LOAD_INVALID, "min is above max");
        if (p->z && *p->z <= 0)
                return fault_set_code_at(reterr, &node_get(node, "z")->at, REASON_LOAD_INVALID, "z must be above 0");
        if (!p->baseline && (p->z || node_get(node, "worse")))
                return fault_set_code_at(reterr, &node_get(node, p->z ? "z" : "worse")->at, REASON_LOAD_INVALID,
                                         "%s says how to compare with a baseline, and there is none",
                                         p->z ? "z" : "worse");
        return 0;
}

static int check_prometheus(void *object, const struct node *node, struct fault *reterr) {
        static const char *const queries[] = { "query", "baseline", "traffic" };
        const struct check_prometheus *p = object;
        int r = 0;

        if (!is_server(p->url))
                return invalid(node, "url", reterr, "is not that of a server, as http://127.0.0.1:9090");
        /* It is written in the desired state, for everybody to read, and told in every message. */
        if (strchr(p->url, '@'))
                return fault_set_code_at(reterr, &node_get(node, "url")->at, REASON_LOAD_INVALID,
                                         "a URL here takes no user or password");
        for (size_t i = 0; r == 0 && i < sizeof(queries) / sizeof(queries[0]); i++)
                r = check_query(node, queries[i], reterr);
        return r < 0 ? r : check_bounds(p, node, reterr);
}

static const struct field prometheus_fields[] = {
        { .key = "url",
          .type = FIELD_STRING,
          AT(check_prometheus, url),
          .flags = FIELD_REQUIRED,
          .format = "non-empty",
          .doc = "The server, as http://127.0.0.1:9090." },
        { .key = "query",
          .type = FIELD_STRING,
          AT(check_prometheus, query),
          .flags = FIELD_REQUIRED,
          .format = "non-empty",
          .doc = "A PromQL query that gives one number; ${release}, ${version}, ${app}, ${service}, ${host} are filled in." },
        { .key = "baseline",
          .type = FIELD_STRING,
          AT(check_prometheus, baseline),
          .flags = FIELD_OMIT,
          .format = "non-empty",
          .doc = "The same of the old release, asked at the same time." },
        { .key = "traffic",
          .type = FIELD_STRING,
          AT(check_prometheus, traffic),
          .flags = FIELD_OMIT,
          .format = "non-empty",
          .doc = "A query that must be above 0, or nothing is concluded." },
        { .key = "min",
          .type = FIELD_CUSTOM,
          AT(check_prometheus, min),
          .read = micro_read_optional,
          .write = micro_write_optional,
          .schema = MICRO_SCHEMA,
          .doc = "The value must not be below it." },
        { .key = "max",
          .type = FIELD_CUSTOM,
          AT(check_prometheus, max),
          .read = micro_read_optional,
          .write = micro_write_optional,
          .schema = MICRO_SCHEMA,
          .doc = "The value must not be above it." },
        { .key = "z",
          .type = FIELD_CUSTOM,
          AT(check_prometheus, z),
          .read = micro_read_optional,
          .write = micro_write_optional,
          .schema = MICRO_SCHEMA,
          .doc = "How many standard deviations away from the baseline fail; default 3." },
        { .key = "worse",
          .type = FIELD_ENUM,
          AT(check_prometheus, worse),
          .flags = FIELD_OMIT,
          .names = check_worse_names,
          .doc = "Which way is worse than the baseline; default higher." },
        { .key = "samples",
          .type = FIELD_INTEGER,
          AT(check_prometheus, samples),
          .absent = 5,
          .minimum = 1,
          .maximum = CHECK_SAMPLES_MAX,
          .doc = "How many samples are needed before anything is concluded; default 5." },
        { .key = NULL },
};
static const struct table prometheus_table = {
        .title = "PrometheusCheck",
        .size = sizeof(struct check_prometheus),
        .fields = prometheus_fields,
        .check = check_prometheus,
        .doc = "A number that a Prometheus server gives, held against bounds or the old release.",
};

static int check_check(void *object, const struct node *node, struct fault *reterr) {
        const struct check *c = object;
        int n = !!c->http + !!c->tcp + !!c->exec + !!c->prometheus;

        if (n == 1)
                return 0;
        return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID,
                                 "a check has %s of http, tcp, exec and prometheus", n == 0 ? "none" : "more than one");
}

static const struct field check_fields[] = {
        { .key = "name",
          .type = FIELD_TEXT,
          AT(check, name),
          .flags = FIELD_OMIT,
          .format = "name",
          .doc = "What steps and messages call it; default: <service>-<kind>." },
        { .key = "service",
          .type = FIELD_TEXT,
          AT(check, service),
          .flags = FIELD_REQUIRED,
          .format = "non-empty",
          .doc = "The service whose new instances are checked." },
        { .key = "http",
          .type = FIELD_STRUCT_PTR,
          AT(check, http),
          .flags = FIELD_OMIT,
          .sub = &http_table,
          .doc = "A GET that must be answered as said." },
        { .key = "tcp",
          .type = FIELD_STRUCT_PTR,
          AT(check, tcp),
          .flags = FIELD_OMIT,
          .sub = &tcp_table,
          .doc = "A connection that must be taken." },
        { .key = "exec",
          .type = FIELD_STRUCT_PTR,
          AT(check, exec),
          .flags = FIELD_OMIT,
          .sub = &exec_table,
          .doc = "A command in the container that must succeed." },
        { .key = "prometheus",
          .type = FIELD_STRUCT_PTR,
          AT(check, prometheus),
          .flags = FIELD_OMIT,
          .sub = &prometheus_table,
          .doc = "A number from a Prometheus server." },
        { .key = "interval",
          .type = FIELD_DURATION,
          AT(check, interval_ms),
          .absent = 5 * SECOND,
          .minimum = 100,
          .maximum = HOUR,
          .doc = "How often it is made; default 5s." },
        { .key = "timeout",
          .type = FIELD_DURATION,
          AT(check, timeout_ms),
          .absent = 2 * SECOND,
          .minimum = 10,
          .maximum = 60 * SECOND,
          .doc = "How long the answer may take; default 2s." },
        { .key = "start_period",
          .type = FIELD_DURATION,
          AT(check, start_period_ms),
          .minimum = 0,
          .maximum = HOUR,
          .doc = "How long after the start of an instance failures do not count; default 0s." },
        { .key = "retries",
          .type = FIELD_INTEGER,
          AT(check, retries),
          .absent = 3,
          .minimum = 1,
          .maximum = 1000,
          .doc = "How many failures in a row make it fail; default 3." },
        { .key = NULL },
};
const struct table check_table = {
        .title = "Check",
        .size = sizeof(struct check),
        .fields = check_fields,
        .position = offsetof(struct check, at) + 1,
        .doc = "How new instances are judged, beyond the engine's health check.",
        .check = check_check,
};

/*
 * As found
 */

static const struct field fact_fields[] = {
        { .key = "check", .type = FIELD_STRING, AT(check_fact, check), .flags = FIELD_REQUIRED, .doc = "The check." },
        { .key = "instance",
          .type = FIELD_STRING,
          AT(check_fact, instance),
          .flags = FIELD_OMIT,
          .doc = "The instance that was checked." },
        { .key = "verdict",
          .type = FIELD_ENUM,
          AT(check_fact, verdict),
          .names = check_verdict_names,
          .doc = "What came out." },
        { .key = "value",
          .type = FIELD_CUSTOM,
          AT(check_fact, value),
          .read = micro_read_optional,
          .write = micro_write_optional,
          .schema = MICRO_SCHEMA,
          .doc = "The number that was measured." },
        { .key = "baseline",
          .type = FIELD_CUSTOM,
          AT(check_fact, baseline),
          .read = micro_read_optional,
          .write = micro_write_optional,
          .schema = MICRO_SCHEMA,
          .doc = "The same of the old release." },
        { .key = "detail", .type = FIELD_STRING, AT(check_fact, detail), .flags = FIELD_OMIT, .doc = "For people." },
        { .key = "took_ms",
          .type = FIELD_INTEGER,
          AT(check_fact, took_ms),
          .flags = FIELD_OMIT,
          .doc = "How long it took, ms." },
        { .key = "started_at",
          .type = FIELD_INTEGER,
          AT(check_fact, started_at),
          .flags = FIELD_OMIT,
          .doc = "When the instance was started, ms." },
        { .key = NULL },
};
const struct table check_fact_table = {
        .title = "CheckFact",
        .size = sizeof(struct check_fact),
        .fields = fact_fields,
        .doc = "What one look made of a check.",
};

static const struct field sample_fields[] = {
        { .key = "value",
          .type = FIELD_CUSTOM,
          AT(check_sample, value),
          .read = micro_read,
          .write = micro_write,
          .schema = MICRO_SCHEMA,
          .doc = "The number that was measured." },
        { .key = "baseline",
          .type = FIELD_CUSTOM,
          AT(check_sample, baseline),
          .read = micro_read,
          .write = micro_write,
          .schema = MICRO_SCHEMA,
          .doc = "The same of the old release." },
        { .key = "has_baseline", .type = FIELD_BOOL, AT(check_sample, has_baseline), .doc = "Whether there was one." },
        { .key = NULL },
};
static const struct table sample_table = {
        .title = "CheckSample",
        .size = sizeof(struct check_sample),
        .fields = sample_fields,
        .doc = "One measurement.",
};

static const struct field state_fields[] = {
        { .key = "check", .type = FIELD_STRING, AT(check_state, check), .flags = FIELD_REQUIRED, .doc = "The check." },
        { .key = "verdict",
          .type = FIELD_ENUM,
          AT(check_state, verdict),
          .names = check_verdict_names,
          .doc = "As it stands." },
        { .key = "passes",
          .type = FIELD_INTEGER,
          AT(check_state, passes),
          .flags = FIELD_OMIT,
          .doc = "Passed rounds in a row." },
        { .key = "failures",
          .type = FIELD_INTEGER,
          AT(check_state, failures),
          .flags = FIELD_OMIT,
          .doc = "Failed rounds in a row." },
        { .key = "at",
          .type = FIELD_INTEGER,
          AT(check_state, at),
          .flags = FIELD_OMIT,
          .doc = "When the last round was, ms." },
        { .key = "score",
          .type = FIELD_CUSTOM,
          AT(check_state, score),
          .read = micro_read_optional,
          .write = micro_write_optional,
          .schema = MICRO_SCHEMA,
          .doc = "Standard deviations between the new release and the baseline." },
        { .key = "detail", .type = FIELD_STRING, AT(check_state, detail), .flags = FIELD_OMIT, .doc = "For people." },
        { .key = "samples",
          .type = FIELD_STRUCT_LIST,
          AT(check_state, samples),
          .flags = FIELD_OMIT,
          .sub = &sample_table,
          .doc = "The measurements, oldest first." },
        { .key = NULL },
};
const struct table check_state_table = {
        .title = "CheckState",
        .size = sizeof(struct check_state),
        .fields = state_fields,
        .doc = "What a rollout remembers of a check.",
};
