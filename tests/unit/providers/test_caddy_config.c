/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/providers/routes.h"

#include "providers/routers/caddy_config.h"
#include "shared/data/json.h"

static void objects_are_as_reviewed(void **state) {
        for (size_t i = 0; i < ROUTES_CASES; i++) {
                own_buffer struct buffer text = BUFFER_INIT;
                own_fault struct fault fault = FAULT_INIT;
                own_json json_t *object = caddy_render(&routes_cases[i].traffic, routes_cases[i].route);
                char name[64];

                routes_fine(json_pretty(object, &text, &fault), &fault);
                (void)snprintf(name, sizeof(name), "caddy-%s", routes_cases[i].name);
                routes_expect(name, "json", &text);
        }
}

static void an_object_is_its_route(void **state) {
        for (size_t i = 0; i < ROUTES_CASES; i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                own_json json_t *object = caddy_render(&routes_cases[i].traffic, routes_cases[i].route), *again = NULL;
                struct route route;

                routes_fine(caddy_parse(object, "shop", a, &route, &fault), &fault);
                assert_true(route_equal(&route, routes_cases[i].route));
                again = caddy_render(&routes_cases[i].traffic, &route);
                assert_true(json_equal(object, again));
        }
}

static void every_percent_is_read_back(void **state) {
        for (int64_t percent = 1; percent < 100; percent++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                struct route route = routes_split, back;
                own_json json_t *object = NULL;

                route.candidate = percent;
                object = caddy_render(&routes_cases[0].traffic, &route);
                routes_fine(caddy_parse(object, "shop", a, &back, &fault), &fault);
                assert_int_equal(back.candidate, percent);
        }
}

static void a_placeholder_is_empty(void **state) {
        own_json json_t *place = caddy_placeholder("shop"),
                        *object = caddy_render(&routes_cases[0].traffic, routes_cases[0].route);

        assert_true(caddy_is_empty(NULL));
        assert_true(caddy_is_empty(place));
        assert_false(caddy_is_empty(object));
}

static void what_is_not_ours_is_not_taken(void **state) {
        static const char *const bad[] = {
                "{}",
                "{\"listen\": [\":80\"]}",
                "{\"expression\": \"{http.request.uuid} < \\\"zzzzzzzz\\\"\"}",
                "{\"handler\": \"vars\", \"tally_share\": \"101\"}",
                "{\"handler\": \"vars\", \"tally_share\": \"50\"}",
                "[{\"handler\": \"vars\", \"tally_share\": \"0\"}, {\"@id\": \"tally_shop:current\", \"upstreams\": [{\"dial\": \"x\"}]}]",
                "[{\"handler\": \"vars\", \"tally_share\": \"0\"}, {\"@id\": \"tally_shop:current\", \"upstreams\": [{}]}]",
                "[{\"handler\": \"vars\", \"tally_share\": \"0\"}, {\"@id\": \"tally_shop:current\", \"upstreams\": [{}, {}]}]",
        };

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                own_json json_t *json = json_loads(bad[i], 0, NULL);
                struct route route;

                assert_non_null(json);
                assert_true(caddy_parse(json, "shop", a, &route, &fault) < 0);
                assert_int_equal(fault.kind, FAULT_TRANSIENT);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_as_reviewed),       cmocka_unit_test(an_object_is_its_route),
        cmocka_unit_test(every_percent_is_read_back),    cmocka_unit_test(a_placeholder_is_empty),
        cmocka_unit_test(what_is_not_ours_is_not_taken),
};

TEST_GROUP(caddy_config, tests);
