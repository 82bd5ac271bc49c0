/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "providers/probe/probe_private.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/model/micro.h"
#include "tests/lib/group.h"

/*
 * Filling in
 */

static void assert_filled(const char *query, const struct query_values *values, const char *expected) {
        own_arena struct arena *a = arena_new();
        const char *filled = query_fill(query, values, a);

        if (!str_eq(filled, expected))
                fail_msg("%s: %s instead of %s", query, filled ? filled : "(nothing)", expected);
}

static void every_placeholder_is_filled_in(void **state) {
        const struct query_values v = { .of = { "sha256:0a", "1.4.2+rc-1", "shop", "web", "web1.example" } };

        assert_filled("${release} ${version} ${app} ${service} ${host} ${app}", &v,
                      "sha256:0a 1.4.2+rc-1 shop web web1.example shop");
        assert_filled("rate(errors{release=\"${release}\"}[1m])", &v, "rate(errors{release=\"sha256:0a\"}[1m])");
        assert_filled("", &v, "");
        /* Nothing else is touched: a regular expression may end in '$'. */
        assert_filled("up{a=~\"x$\"} $ ${ ${nothing} ${release $${app} ${app", &v,
                      "up{a=~\"x$\"} $ ${ ${nothing} ${release $shop ${app");
}

static void no_value_ends_the_string_it_stands_in(void **state) {
        const struct query_values v = { .of = { "a\"} or vector(0)", "it's \\ \n \x01 \xc3\xa4 \xf0\x9f\x98\x80 \xff!",
                                                "${release}", NULL, "`x`" } };

        assert_filled("up{a=\"${release}\"}", &v, "up{a=\"a\\u0022\\u007d\\u0020or\\u0020vector\\u00280\\u0029\"}");
        assert_filled(
                "${version}", &v,
                "it\\u0027s\\u0020\\u005c\\u0020\\u000a\\u0020\\u0001\\u0020\\u00e4\\u0020\\U0001f600\\u0020\\u0021");
        /* Not filled in again. */
        assert_filled("${app}", &v, "\\u0024\\u007brelease\\u007d");
        assert_filled("[${service}]", &v, "[]");
        assert_filled("`${host}`", &v, "`\\u0060x\\u0060`");
}

static void a_query_has_a_limit(void **state) {
        own_arena struct arena *a = arena_new();
        char *query = arena_alloc(a, LIMIT_CHECK_QUERY_BYTES + 2);
        const struct query_values v = { .of = { "x" } };

        memset(query, 'q', LIMIT_CHECK_QUERY_BYTES + 1);
        assert_null(query_fill(query, &v, a));
        query[LIMIT_CHECK_QUERY_BYTES] = '\0';
        assert_int_equal(strlen(query_fill(query, &v, a)), LIMIT_CHECK_QUERY_BYTES);
        memcpy(query, "${release}", 10);
        assert_int_equal(strlen(query_fill(query, &v, a)), LIMIT_CHECK_QUERY_BYTES - 9);
}

/*
 * Answers, as Prometheus 2.42 gives them unless they are made up
 */

#define VECTOR(result) "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" result "]}}"
#define SERIES(value)  "{\"metric\":{\"__name__\":\"up\",\"job\":\"shop\"},\"value\":[1700000000.123,\"" value "\"]}"
#define SCALAR(value) \
        "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1700000000.123,\"" value "\"]}}"

static struct finding answer(const char *text, int status, struct arena *a) {
        return query_answer("query", status, text, strlen(text), a);
}

static void a_scalar_and_a_vector_of_one_are_a_number(void **state) {
        static const struct {
                const char *text;
                int64_t value;
        } table[] = {
                { VECTOR(SERIES("0.25")), 250000 },
                { VECTOR(SERIES("1.5e-03")), 1500 },
                { VECTOR(SERIES("-3")), -3000000 },
                { VECTOR("{\"metric\":{},\"value\":[1700000000,\"12\"]}"), 12000000 },
                { SCALAR("1"), 1000000 },
                { SCALAR("0"), 0 },
                { "{\"status\":\"success\",\"infos\":[\"not a counter\"],\"warnings\":[],\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"2\"]}}",
                  2000000 },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                own_arena struct arena *a = arena_new();
                struct finding found = answer(table[i].text, 200, a);

                if (found.verdict != CHECK_PASS)
                        fail_msg("%s: %s", table[i].text, found.detail);
                assert_int_equal(*found.value, table[i].value);
        }
}

static void everything_else_is_inconclusive_and_says_why(void **state) {
        static const struct {
                int status;
                const char *text, *detail;
        } table[] = {
                { 200, VECTOR(""), "query: no data" },
                { 200, VECTOR(SERIES("NaN")), "query: the answer is NaN, not a number" },
                { 200, VECTOR(SERIES("+Inf")), "query: the answer is +Inf, not a number" },
                { 200, SCALAR("-Inf"), "query: the answer is -Inf, not a number" },
                { 200, SCALAR("1e+300"), "query: the answer is too large a number" },
                { 200, SCALAR("one"), "query: the answer is not a number" },
                { 200, SCALAR(""), "query: the answer is not a number" },
                { 200, VECTOR(SERIES("1") "," SERIES("2")), "query: 2 series instead of one number: aggregate them" },
                { 200, VECTOR("{\"metric\":{},\"histogram\":[1,{\"count\":\"1\",\"sum\":\"1\"}]}"),
                  "query: the answer is not a number" },
                { 200, VECTOR("{\"metric\":{},\"value\":[1700000000,12]}"), "query: the answer is not a number" },
                { 200, VECTOR("{\"metric\":{},\"value\":[1700000000]}"), "query: the answer is not a number" },
                { 200, VECTOR("[]"), "query: the answer is not a number" },
                { 200, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}",
                  "query: the answer is a matrix, not a number" },
                { 200, "{\"status\":\"success\",\"data\":{\"resultType\":\"string\",\"result\":[1,\"5\"]}}",
                  "query: the answer is a string, not a number" },
                { 200, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":{}}}",
                  "query: the answer is not what the API promises" },
                { 200, "{\"status\":\"success\",\"data\":{}}", "query: the answer is not what the API promises" },
                { 200, "{\"status\":\"success\"}", "query: the answer is not what the API promises" },
                { 200, "{}", "query: the server answers with status 200" },
                { 200, "[]", "query: the answer is not JSON: is this a Prometheus server?" },
                { 200, "", "query: the answer is not JSON: is this a Prometheus server?" },
                { 200, "<html>", "query: the answer is not JSON: is this a Prometheus server?" },
                { 200, VECTOR(SERIES("1")) "x", "query: the answer is not JSON: is this a Prometheus server?" },
                { 200,
                  "{\"status\":\"success\",\"warnings\":[\"a store is away\"],\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"2\"]}}",
                  "query: the server warns: a store is away" },
                { 400,
                  "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"1:2: parse error: unexpected <op:*>\"}",
                  "query: the server says bad_data: 1:2: parse error: unexpected <op:*>" },
                { 200, "{\"status\":\"error\",\"error\":\"odd\\u001b[31m\"}",
                  "query: the server says error: odd?[31m" },
                { 503, "{\"status\":\"error\",\"errorType\":\"timeout\",\"error\":\"query timed out\"}",
                  "query: the server says timeout: query timed out" },
                { 503, VECTOR(SERIES("1")), "query: the server answers with status 503" },
                { 302, "", "query: the server answers with status 302" },
                { 404, "404 page not found", "query: the server answers with status 404" },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                own_arena struct arena *a = arena_new();
                struct finding found = answer(table[i].text, table[i].status, a);

                assert_int_equal(found.verdict, CHECK_INCONCLUSIVE);
                assert_null(found.value);
                assert_string_equal(found.detail, table[i].detail);
        }
}

static void a_long_complaint_is_cut(void **state) {
        own_arena struct arena *a = arena_new();
        char text[3000];
        struct finding found;

        (void)snprintf(text, sizeof(text), "{\"status\":\"error\",\"error\":\"%02000d\"}", 0);
        found = answer(text, 400, a);
        assert_int_equal(strlen(found.detail), LIMIT_CHECK_DETAIL_BYTES - 1);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_placeholder_is_filled_in),
        cmocka_unit_test(no_value_ends_the_string_it_stands_in),
        cmocka_unit_test(a_query_has_a_limit),
        cmocka_unit_test(a_scalar_and_a_vector_of_one_are_a_number),
        cmocka_unit_test(everything_else_is_inconclusive_and_says_why),
        cmocka_unit_test(a_long_complaint_is_cut),
};

TEST_GROUP(query, tests);
