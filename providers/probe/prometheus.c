/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/probe/probe_private.h"

#include <errno.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/model/micro.h"
#include "shared/net/http.h"

/* What all queries of one check share. */
struct asking {
        const struct check *check;
        struct http *http;
        struct arena *a;
};

static struct query_values values_of(const struct probe_target *t, bool current) {
        /* In the order of check_placeholder_names. */
        return (struct query_values){ .of = {
                                              current ? t->current_release : t->release,
                                              current ? t->current_version : t->version,
                                              t->app,
                                              t->service,
                                              t->host,
                                      } };
}

static int ask(const struct asking *x, const char *query, struct http_response *answer, struct fault *reterr) {
        const struct check_prometheus *p = x->check->prometheus;
        own_buffer struct buffer url = BUFFER_INIT;
        size_t n = strlen(p->url);
        struct http_request request;
        int r;

        while (n > 0 && p->url[n - 1] == '/')
                n--;
        buffer_printf(&url, "%.*s/api/v1/query?query=", (int)n, p->url);
        http_escape(&url, query, false);
        r = buffer_check(&url, "a query", reterr);
        if (r < 0)
                return r;
        request = (struct http_request){
                .url = buffer_str(&url),
                .connect_timeout_ms = (int)x->check->timeout_ms,
                .timeout_ms = (int)x->check->timeout_ms,
                .stall_timeout_ms = -1,
                .max_body = LIMIT_CHECK_ANSWER_BYTES,
        };
        return http_perform(x->http, &request, answer, reterr);
}

static struct finding measure(const struct asking *x, const char *what, const char *text,
                              const struct query_values *values) {
        own_http_response struct http_response answer = HTTP_RESPONSE_INIT;
        own_fault struct fault fault = FAULT_INIT;
        const char *query = query_fill(text, values, x->a);
        char limit[DURATION_TEXT_MAX];
        int r;

        if (!query)
                return finding_of(CHECK_INCONCLUSIVE, x->a, "%s: longer than %d bytes", what, LIMIT_CHECK_QUERY_BYTES);
        r = ask(x, query, &answer, &fault);
        if (r == 0)
                return query_answer(what, answer.status, answer.body.data, answer.body.size, x->a);
        if (r == -ETIMEDOUT)
                return finding_of(CHECK_INCONCLUSIVE, x->a, "%s: no answer from %s within %s", what,
                                  x->check->prometheus->url, format_duration(x->check->timeout_ms, limit));
        if (r == -EFBIG)
                return finding_of(CHECK_INCONCLUSIVE, x->a, "%s: the answer exceeds %d bytes: aggregate the series",
                                  what, LIMIT_CHECK_ANSWER_BYTES);
        return finding_of_fault(CHECK_INCONCLUSIVE, x->a, &fault);
}

static const char *text_of(const int64_t *value, char *buf) {
        return micro_format(*value, buf);
}

static struct finding measure_all(const struct asking *x, const struct probe_target *target) {
        const struct check_prometheus *p = x->check->prometheus;
        const struct query_values now = values_of(target, false), before = values_of(target, true);
        char value[MICRO_TEXT_MAX], baseline[MICRO_TEXT_MAX];
        struct finding traffic = { .verdict = CHECK_PASS }, found, old;

        if (p->traffic)
                traffic = measure(x, "traffic", p->traffic, &now);
        if (traffic.verdict != CHECK_PASS)
                return traffic;
        if (p->traffic && *traffic.value <= 0)
                return finding_of(CHECK_INCONCLUSIVE, x->a, "no traffic: %s", text_of(traffic.value, value));
        found = measure(x, "query", p->query, &now);
        if (found.verdict != CHECK_PASS || !p->baseline || !target->current_release) {
                if (found.verdict == CHECK_PASS)
                        found.detail = arena_strdup(x->a, text_of(found.value, value));
                return found;
        }
        old = measure(x, "baseline", p->baseline, &before);
        if (old.verdict != CHECK_PASS)
                return old;
        found.baseline = old.value;
        found.detail =
                arena_printf(x->a, "%s, baseline %s", text_of(found.value, value), text_of(found.baseline, baseline));
        return found;
}

struct finding probe_prometheus(const struct check *check, const struct probe_target *target, struct arena *a) {
        own_fault struct fault fault = FAULT_INIT;
        own_http struct http *http = NULL;
        struct asking x = { .check = check, .a = a };

        if (http_new(NULL, &http, &fault) < 0)
                return finding_of_fault(CHECK_INCONCLUSIVE, a, &fault);
        x.http = http;
        return measure_all(&x, target);
}
