/* SPDX-License-Identifier: Apache-2.0 */

/* What a wrong check says is in tests/golden/fleet-app-check-*. */

#include "shared/data/json.h"
#include "shared/model/check.h"
#include "tests/lib/group.h"
#include "tests/unit/model/support.h"

static const char all_kinds[] =
        "- {service: web, http: {port: 8080}}\n"
        "- {service: web, name: deep, http: {port: 8080, path: /health?x=1, host: shop.example, status: 204, contains: ok}, interval: 1s,\n"
        "   timeout: 500ms, start_period: 10s, retries: 1}\n"
        "- {service: db, tcp: {port: 5432}}\n"
        "- {service: db, exec: {command: [pg_isready, -q], output: true}}\n"
        "- service: web\n"
        "  prometheus:\n"
        "    url: https://prometheus.example:9090/base/\n"
        "    query: 'sum(rate(errors{release=\"${release}\",app=\"${app}\",service=\"${service}\",host=\"${host}\"}[1m]))'\n"
        "    baseline: 'sum(rate(errors{version=\"${version}\"}[1m]))'\n"
        "    traffic: 'sum(rate(requests[1m]))'\n"
        "    min: -0.5\n"
        "    max: '0.05'\n"
        "    z: 2.5\n"
        "    worse: lower\n"
        "    samples: 10\n"
        "- {service: web, name: simple, prometheus: {url: 'http://127.0.0.1:9090', query: up, max: 1}}\n";

static struct check *read_all(const char *yaml, struct arena *a, size_t *ret_n) {
        const struct node *list = parse_yaml(yaml, a);
        struct check *checks = arena_array(a, list->n, sizeof(*checks));

        for (size_t i = 0; i < list->n; i++) {
                own_fault struct fault fault = FAULT_INIT;

                if (table_read(&check_table, list->items[i], &checks[i], a, &fault) < 0)
                        fail_msg("%zu: %s", i, fault.message);
        }
        *ret_n = list->n;
        return checks;
}

static void what_is_not_said_has_a_default(void **state) {
        own_arena struct arena *a = arena_new();
        size_t n;
        const struct check *c = read_all(all_kinds, a, &n);

        assert_int_equal(n, 6);
        assert_int_equal(check_kind_of(&c[0]), CHECK_HTTP);
        assert_null(c[0].name.text);
        assert_string_equal(c[0].http->path, "/");
        assert_null(c[0].http->host);
        assert_int_equal(c[0].http->status, 0);
        assert_int_equal(c[0].interval_ms, 5000);
        assert_int_equal(c[0].timeout_ms, 2000);
        assert_int_equal(c[0].start_period_ms, 0);
        assert_int_equal(c[0].retries, 3);
        assert_int_equal(check_kind_of(&c[2]), CHECK_TCP);
        assert_int_equal(check_kind_of(&c[3]), CHECK_EXEC);
        assert_int_equal(check_kind_of(&c[5]), CHECK_PROMETHEUS);
        assert_int_equal(c[5].prometheus->samples, 5);
        assert_int_equal(c[5].prometheus->worse, WORSE_HIGHER);
        assert_null(c[5].prometheus->z);
        assert_null(c[5].prometheus->min);
        assert_int_equal(*c[5].prometheus->max, 1000000);
}

static void what_is_said_is_read(void **state) {
        own_arena struct arena *a = arena_new();
        size_t n;
        const struct check *c = read_all(all_kinds, a, &n);
        const struct check_prometheus *p = c[4].prometheus;

        assert_string_equal(c[1].name.text, "deep");
        assert_int_equal(c[1].http->status, 204);
        assert_string_equal(c[1].http->contains, "ok");
        assert_int_equal(c[1].timeout_ms, 500);
        assert_int_equal(c[1].start_period_ms, 10000);
        assert_int_equal(c[3].exec->command.n, 2);
        assert_string_equal(c[3].exec->command.items[1].text, "-q");
        assert_true(c[3].exec->output);
        assert_int_equal(*p->min, -500000);
        assert_int_equal(*p->max, 50000);
        assert_int_equal(*p->z, 2500000);
        assert_int_equal(p->worse, WORSE_LOWER);
        assert_int_equal(p->samples, 10);
}

/* Reads what the table wrote, and writes it again: equal. */
static void assert_survives(const struct table *t, const void *object) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        own_json json_t *once = table_write(t, object), *twice = NULL;
        void *back = arena_alloc(a, t->size);

        if (table_read_json(t, t->title, once, back, a, &fault) < 0)
                fail_msg("%s", fault.message);
        twice = table_write(t, back);
        assert_true(json_equal(once, twice));
}

static void checks_survive_json(void **state) {
        own_arena struct arena *a = arena_new();
        size_t n;
        const struct check *c = read_all(all_kinds, a, &n);

        for (size_t i = 0; i < n; i++)
                assert_survives(&check_table, &c[i]);
}

static void facts_and_states_survive_json(void **state) {
        const int64_t value = -1, baseline = INT64_MAX, score = 3500000;
        struct check_sample samples[] = { { .value = 1, .baseline = -2500000, .has_baseline = true },
                                          { .value = -INT64_MAX } };
        const struct check_fact bare = { .check = "web-http" }, full = { .check = "web-http",
                                                                         .instance = "c1",
                                                                         .verdict = CHECK_FAIL,
                                                                         .value = &value,
                                                                         .baseline = &baseline,
                                                                         .detail = "status 503, not 200",
                                                                         .took_ms = 12,
                                                                         .started_at = 1700000000000 };
        const struct check_state fresh = { .check = "web-http" }, old = { .check = "web-http",
                                                                          .verdict = CHECK_PASS,
                                                                          .passes = 2,
                                                                          .failures = 3,
                                                                          .at = 4,
                                                                          .score = &score,
                                                                          .detail = "mean 1",
                                                                          .samples = { samples, 2 } };
        own_json json_t *json = table_write(&check_state_table, &old);

        assert_survives(&check_fact_table, &bare);
        assert_survives(&check_fact_table, &full);
        assert_survives(&check_state_table, &fresh);
        assert_survives(&check_state_table, &old);
        assert_string_equal(json_get_string(json, "score"), "3.5");
        assert_string_equal(json_get_string(json_array_get(json_object_get(json, "samples"), 1), "value"),
                            "-9223372036854.775807");
}

/* A fact that nobody filled in, or from which the verdict was lost, proves nothing. */
static void nothing_said_is_inconclusive(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        own_json json_t *json = json_pack("{ss}", "check", "web-http");
        struct check_fact fact;
        struct check_state s;

        assert_int_equal(table_read_json(&check_fact_table, "fact", json, &fact, a, &fault), 0);
        assert_int_equal(fact.verdict, CHECK_INCONCLUSIVE);
        assert_int_equal(table_read_json(&check_state_table, "state", json, &s, a, &fault), 0);
        assert_int_equal(s.verdict, CHECK_INCONCLUSIVE);
        assert_int_equal(s.samples.n, 0);
}

static void every_value_has_a_word(void **state) {
        for (int i = 0; i < CHECK_VERDICT_MAX_; i++)
                assert_non_null(check_verdict_names[i]);
        for (int i = 0; i < CHECK_KIND_MAX_; i++)
                assert_non_null(check_kind_names[i]);
        for (int i = 0; i < CHECK_PLACEHOLDERS; i++)
                assert_non_null(check_placeholder_names[i]);
        assert_null(check_verdict_names[CHECK_VERDICT_MAX_]);
        assert_null(check_kind_names[CHECK_KIND_MAX_]);
        assert_null(check_worse_names[WORSE_MAX_]);
        assert_null(check_placeholder_names[CHECK_PLACEHOLDERS]);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_has_a_default),
        cmocka_unit_test(what_is_said_is_read),
        cmocka_unit_test(checks_survive_json),
        cmocka_unit_test(facts_and_states_survive_json),
        cmocka_unit_test(nothing_said_is_inconclusive),
        cmocka_unit_test(every_value_has_a_word),
};

TEST_GROUP(check, tests);
