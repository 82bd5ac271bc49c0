/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The kinds of checks, one file each, and the pure half of a Prometheus query. */

#include <jansson.h>

#include "providers/probe.h"

/* What one look found; probe() adds whom it is about and how long it took. Strings live in @a. */
struct finding {
        enum check_verdict verdict;
        const char *detail;
        const int64_t *value, *baseline; /* millionths; NULL: none */
};

struct finding finding_pass(const char *detail);
/* The text is made harmless and cut to LIMIT_CHECK_DETAIL_BYTES. */
struct finding finding_of(enum check_verdict verdict, struct arena *a, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
/* Of a fault: what it says, and its cause. */
struct finding finding_of_fault(enum check_verdict verdict, struct arena *a, const struct fault *f);

/* @address: "host:port" of the port that is checked. */
struct finding probe_http(const struct check *check, const char *address, struct arena *a);
/*
 * @published: the address is a published port. A proxy of the engine may take the connection then, and closes it as
 * soon as it finds nobody behind; so what is closed at once, without a word, fails.
 */
struct finding probe_tcp(const struct check *check, const char *address, bool published, struct arena *a);
struct finding probe_exec(const struct check *check, const struct probe_target *target, struct arena *a);
struct finding probe_prometheus(const struct check *check, const struct probe_target *target, struct arena *a);

/*
 * query.c. Pure.
 */

/* What is put for the placeholders, in the order of check_placeholder_names; NULL is "". */
struct query_values {
        const char *of[CHECK_PLACEHOLDERS];
};

/*
 * The query with every ${name} of check_placeholder_names replaced by its value. In a value, what is not a letter, a
 * digit or one of _.:/@+- becomes \uXXXX (\UXXXXXXXX), which stands for itself between "" and '' and ends neither
 * (Prometheus, strutil.Unquote). NULL: beyond LIMIT_CHECK_QUERY_BYTES.
 */
const char *query_fill(const char *query, const struct query_values *values, struct arena *a);

/*
 * An answer of HTTP API v1, /api/v1/query, with this HTTP status: CHECK_PASS with its number as the value when it is a
 * scalar or a vector of one element; else CHECK_INCONCLUSIVE and why. An answer with warnings is one that the server
 * does not stand up for. @what is the query's name in the detail: "query", "traffic".
 */
struct finding query_answer(const char *what, int status, const void *bytes, size_t size, struct arena *a);
