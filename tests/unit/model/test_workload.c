/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/workload.h"
#include "tests/lib/group.h"
#include "tests/unit/model/support.h"

static void a_workload_survives_json(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct depend depends[] = { { .service = "db", .condition = DEPEND_HEALTHY, .required = true } };
        struct workload_service services[] = {
                { .name = "db",
                  .image = "db@" DIGEST_A,
                  .spec_digest = DIGEST_A,
                  .replicas = 1,
                  .stop_grace_ms = 10000 },
                { .name = "web",
                  .image = "web@" DIGEST_B,
                  .spec_digest = DIGEST_B,
                  .replicas = 0,
                  .stop_grace_ms = 500,
                  .depends_on = { depends, 1 },
                  .health_checked = true,
                  .exclusive = true },
        };
        struct workload w = {
                .app = "shop", .release = DIGEST_A, .version = "1", .runtime = "docker", .services = { services, 2 },
                .artifact = "text", .artifact_digest = DIGEST_B,
        }, back;
        json_t *json = table_write(&workload_table, &w), *again;
        const struct workload_service *web;

        (void)state;
        assert_int_equal(table_read_json(&workload_table, "world", json, &back, a, &fault), 0);
        web = workload_find(&back, "web");
        assert_int_equal(web->replicas, 0);
        assert_int_equal(web->stop_grace_ms, 500);
        assert_true(web->health_checked && web->exclusive);
        assert_int_equal(((const struct depend *)web->depends_on.items)->condition, DEPEND_HEALTHY);
        assert_null(workload_find(&back, "api"));
        again = table_write(&workload_table, &back);
        assert_true(json_equal(json, again));
        json_decref(json);
        json_decref(again);
}

static void names_are_those_of_the_specification(void **state) {
        (void)state;
        assert_string_equal(depend_condition_names[DEPEND_STARTED], "service_started");
        assert_string_equal(depend_condition_names[DEPEND_HEALTHY], "service_healthy");
        assert_string_equal(depend_condition_names[DEPEND_COMPLETED], "service_completed_successfully");
        assert_null(depend_condition_names[DEPEND_CONDITION_MAX_]);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_workload_survives_json),
        cmocka_unit_test(names_are_those_of_the_specification),
};

TEST_GROUP(workload, tests);
