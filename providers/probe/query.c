/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Query: the pure half of a Prometheus check: filling a query in, and reading the answer
 * (prometheus.io/docs/prometheus/latest/querying/api)
 */

#include <errno.h>
#include <string.h>

#include "providers/probe/probe_private.h"
#include "shared/base/buffer.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/model/micro.h"

/*
 * Filling in
 */

static bool is_safe(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               (c && strchr("_.:/@+-", c));
}

/* Values are valid UTF-8; a byte that is none is left out. */
static void put_value(struct buffer *out, const char *value) {
        for (size_t n = value ? strlen(value) : 0; n > 0;) {
                uint32_t c;
                size_t k = utf8_decode(value, n, &c);

                if (is_safe(*value))
                        buffer_putc(out, *value);
                else if (k > 0)
                        buffer_printf(out, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
                k = k > 0 ? k : 1;
                value += k;
                n -= k;
        }
}

/* At "${": the index of the placeholder and its end, or -1. */
static int placeholder_at(const char *text, const char **ret_end) {
        for (int i = 0; i < CHECK_PLACEHOLDERS; i++) {
                const char *rest = str_after(text + 2, check_placeholder_names[i]);

                if (!rest || *rest != '}')
                        continue;
                *ret_end = rest + 1;
                return i;
        }
        return -1;
}

const char *query_fill(const char *query, const struct query_values *values, struct arena *a) {
        own_buffer struct buffer out = BUFFER_INIT;

        out.max = LIMIT_CHECK_QUERY_BYTES;
        while (*query) {
                const char *end;
                int i = query[0] == '$' && query[1] == '{' ? placeholder_at(query, &end) : -1;

                if (i < 0) {
                        buffer_putc(&out, *query++);
                        continue;
                }
                put_value(&out, values->of[i]);
                query = end;
        }
        return out.failed ? NULL : arena_strdup(a, buffer_str(&out));
}

/*
 * The answer
 */

static struct finding unusable(const char *what, struct arena *a, const char *why) {
        return finding_of(CHECK_INCONCLUSIVE, a, "%s: %s", what, why);
}

/* [1435781451.781, "0.25"] */
static struct finding read_sample(const char *what, const json_t *sample, struct arena *a) {
        const char *text = json_string_value(json_array_get(sample, 1));
        int64_t value;
        int r;

        if (!text || json_array_size(sample) != 2)
                return unusable(what, a, "the answer is not a number");
        if (str_eq(text, "NaN") || strstr(text, "Inf"))
                return finding_of(CHECK_INCONCLUSIVE, a, "%s: the answer is %s, not a number", what, text);
        r = micro_parse(text, &value);
        if (r == -ERANGE)
                return unusable(what, a, "the answer is too large a number");
        if (r < 0)
                return unusable(what, a, "the answer is not a number");
        return (struct finding){
                .verdict = CHECK_PASS,
                .value = memcpy(arena_new_of(a, int64_t), &value, sizeof(value)),
        };
}

static struct finding read_vector(const char *what, const json_t *vector, struct arena *a) {
        size_t n = json_array_size(vector);

        if (!json_is_array(vector))
                return unusable(what, a, "the answer is not what the API promises");
        if (n == 0)
                return unusable(what, a, "no data");
        if (n > 1)
                return finding_of(CHECK_INCONCLUSIVE, a, "%s: %zu series instead of one number: aggregate them", what,
                                  n);
        /* A native histogram has `histogram` in its place. */
        return read_sample(what, json_object_get(json_array_get(vector, 0), "value"), a);
}

static struct finding read_data(const char *what, const json_t *data, struct arena *a) {
        const char *type = json_get_string(data, "resultType");
        const json_t *result = json_object_get(data, "result");

        if (str_eq(type, "vector"))
                return read_vector(what, result, a);
        if (str_eq(type, "scalar"))
                return read_sample(what, result, a);
        if (!type)
                return unusable(what, a, "the answer is not what the API promises");
        return finding_of(CHECK_INCONCLUSIVE, a, "%s: the answer is a %s, not a number", what, type);
}

static struct finding read_error(const char *what, int status, const json_t *answer, struct arena *a) {
        const char *error = json_get_string(answer, "error"), *type = json_get_string(answer, "errorType");

        if (error)
                return finding_of(CHECK_INCONCLUSIVE, a, "%s: the server says %s: %s", what, type ? type : "error",
                                  error);
        return finding_of(CHECK_INCONCLUSIVE, a, "%s: the server answers with status %d", what, status);
}

struct finding query_answer(const char *what, int status, const void *bytes, size_t size, struct arena *a) {
        own_fault struct fault ignored = FAULT_INIT;
        own_json json_t *answer = NULL;
        const json_t *warnings;
        int r = json_parse("the answer", bytes, size, &answer, &ignored);

        if (status != 200)
                return read_error(what, status, answer, a);
        if (r < 0 || !json_is_object(answer))
                return unusable(what, a, "the answer is not JSON: is this a Prometheus server?");
        if (!str_eq(json_get_string(answer, "status"), "success"))
                return read_error(what, status, answer, a);
        warnings = json_object_get(answer, "warnings");
        if (json_array_size(warnings) > 0) {
                const char *first = json_string_value(json_array_get(warnings, 0));

                return finding_of(CHECK_INCONCLUSIVE, a, "%s: the server warns: %s", what, first ? first : "?");
        }
        return read_data(what, json_object_get(answer, "data"), a);
}
