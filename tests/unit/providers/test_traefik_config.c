/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/providers/routes.h"

#include "providers/routers/traefik.h"
#include "providers/routers/traefik_config.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

static void files_are_as_reviewed(void **state) {
        for (size_t i = 0; i < ROUTES_CASES; i++) {
                own_buffer struct buffer text = BUFFER_INIT;
                own_fault struct fault fault = FAULT_INIT;
                own_json json_t *config = traefik_render(&routes_cases[i].traffic, routes_cases[i].route,
                                                         routes_cases[i].traffic.listen ? "web" : NULL);

                routes_fine(traefik_write("shop", config, &text, &fault), &fault);
                routes_expect(routes_cases[i].name, "yml", &text);
        }
}

static void a_file_is_its_route(void **state) {
        for (size_t i = 0; i < ROUTES_CASES; i++) {
                own_arena struct arena *a = arena_new();
                own_buffer struct buffer text = BUFFER_INIT;
                own_fault struct fault fault = FAULT_INIT;
                own_json json_t *config = traefik_render(&routes_cases[i].traffic, routes_cases[i].route, NULL),
                                *read = NULL;
                struct route route;
                bool present;

                routes_fine(traefik_write("shop", config, &text, &fault), &fault);
                routes_fine(traefik_read(buffer_str(&text), text.size, &read, &fault), &fault);
                assert_true(json_equal(config, read));
                routes_fine(traefik_parse(json_object_get(json_object_get(read, "http"), "services"), "shop", "", a,
                                          &present, &route, &fault),
                            &fault);
                assert_true(present);
                assert_true(route_equal(&route, routes_cases[i].route));
        }
}

/* As /api/rawdata shows it: names with their provider, defaults filled in. */
static json_t *shown(const json_t *config) {
        const json_t *http = json_object_get(config, "http");
        json_t *raw = json_pack("{s{} s{}}", "services", "routers"), *item;
        const char *const kinds[] = { "services", "routers" };
        const char *key;

        for (size_t i = 0; i < 2; i++)
                json_object_foreach(json_object_get(http, kinds[i]), key, item) {
                        json_t *copy = json_deep_copy(item);
                        char name[256];

                        json_object_set_new(copy, "status", json_string("enabled"));
                        json_object_set_new(copy, "usedBy", json_array());
                        (void)snprintf(name, sizeof(name), "%s@file", key);
                        json_object_set_new(json_object_get(raw, kinds[i]), name, copy);
                }
        return raw;
}

static void what_runs_is_compared_with_the_file(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        own_json json_t *config = traefik_render(&routes_cases[0].traffic, &routes_split, "web"), *raw = shown(config);
        json_t *services = json_object_get(raw, "services"), *routers = json_object_get(raw, "routers");
        struct route route;
        bool present;

        assert_null(traefik_difference(config, raw, a));
        routes_fine(traefik_parse(services, "shop", "@file", a, &present, &route, &fault), &fault);
        assert_true(present && route_equal(&route, &routes_split));
        json_object_set_new(json_object_get(routers, "tally_shop@file"), "status", json_string("disabled"));
        json_object_set_new(json_object_get(routers, "tally_shop@file"), "error",
                            json_pack("[s]", "entryPoint \"web\" doesn't exist"));
        assert_non_null(strstr(traefik_difference(config, raw, a), "doesn't exist"));
        json_object_del(routers, "tally_shop@file");
        assert_non_null(strstr(traefik_difference(config, raw, a), "no router"));
        json_object_set_new(json_array_get(json_object_get(json_object_get(json_object_get(services, "tally_shop@file"),
                                                                           "weighted"),
                                                           "services"),
                                           1),
                            "weight", json_integer(80));
        assert_non_null(strstr(traefik_difference(config, raw, a), "another service"));
        json_object_clear(services);
        routes_fine(traefik_parse(services, "shop", "@file", a, &present, &route, &fault), &fault);
        assert_false(present);
}

static void entry_points_are_found_by_address(void **state) {
        own_json json_t *list = json_pack("[{ss ss} {ss ss} {s[]}]", "name", "web", "address", ":80", "name", "admin",
                                          "address", "127.0.0.1:8080/tcp", "x");

        assert_string_equal(traefik_entry_point(list, ":80"), "web");
        assert_string_equal(traefik_entry_point(list, "127.0.0.1:8080"), "admin");
        assert_null(traefik_entry_point(list, "127.0.0.1:80"));
        assert_null(traefik_entry_point(list, ":8"));
        assert_null(traefik_entry_point(NULL, ":80"));
}

static void what_it_cannot_carry_is_refused(void **state) {
        static const struct router_settings settings = { .folder = "/nowhere" };
        static const struct traffic bad[] = {
                { .listen = ":80", .path = "/" },
                { .path = "/", .split = { .by = SPLIT_HEADER, .name = "X" } },
                { .path = "/x", .split = { .by = SPLIT_COOKIE, .name = "x" }, .sticky = &routes_sticky },
                { .path = "/", .server_name = "*.example" },
        };
        static const struct traffic good[] = { { .path = "/" },
                                               { .path = "/x", .split = { .by = SPLIT_HEADER, .name = "X" } } };
        own_router struct router *r = NULL;
        own_fault struct fault fault = FAULT_INIT;

        routes_fine(router_open(ROUTER_TRAEFIK, &settings, &r, &fault), &fault);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                own_fault struct fault why = FAULT_INIT;

                assert_true(router_check(r, "shop", &bad[i], &why) < 0);
                assert_int_equal(why.kind, FAULT_CONFIG);
        }
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
                routes_fine(router_check(r, "shop", &good[i], &fault), &fault);
}

static void what_is_not_ours_is_not_taken(void **state) {
        static const char *const bad[] = {
                "{\"tally_shop\": {}}",
                "{\"tally_shop\": {\"weighted\": {\"services\": [{\"name\": \"other\"}]}}}",
                "{\"tally_shop\": {\"weighted\": {\"services\": [{\"name\": \"tally_shop:current\", \"weight\": -1}]}}}",
                "{\"tally_shop\": {\"weighted\": {\"services\": [{\"name\": \"tally_shop:current\"}]}}, \"tally_shop:current\": {\"loadBalancer\": {\"servers\": [{\"url\": \"ftp://x\"}]}}}",
                "{\"tally_shop\": {\"weighted\": {\"services\": [{\"name\": \"tally_shop:current\"}]}}, \"tally_shop:current\": {\"loadBalancer\": {\"servers\": [{\"url\": \"http://x\"}]}}}",
        };

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                own_json json_t *json = json_loads(bad[i], 0, NULL);
                struct route route;
                bool present;

                assert_non_null(json);
                assert_true(traefik_parse(json, "shop", "", a, &present, &route, &fault) < 0);
                assert_int_equal(fault.kind, FAULT_TRANSIENT);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_as_reviewed),
        cmocka_unit_test(a_file_is_its_route),
        cmocka_unit_test(what_runs_is_compared_with_the_file),
        cmocka_unit_test(entry_points_are_found_by_address),
        cmocka_unit_test(what_it_cannot_carry_is_refused),
        cmocka_unit_test(what_is_not_ours_is_not_taken),
};

TEST_GROUP(traefik_config, tests);
