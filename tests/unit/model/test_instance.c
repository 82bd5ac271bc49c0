/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/instance.h"
#include "tests/lib/group.h"
#include "tests/unit/model/support.h"

static void an_observation_survives_json(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct text_at missing = { .text = "shop_default" };
        struct endpoint endpoints[] = { { .port = 80, .address = "127.0.0.1:32768" },
                                        { .port = 443, .address = "[::1]:32769" } };
        struct instance instances[] = {
                { .id = "0123",
                  .name = "shop-web-1",
                  .app = "shop",
                  .service = "web",
                  .release = DIGEST_A,
                  .version = "1",
                  .spec = DIGEST_B,
                  .index = 2,
                  .image = "web@" DIGEST_A,
                  .image_id = DIGEST_A,
                  .image_matches = true,
                  .state = INSTANCE_EXITED,
                  .health = HEALTH_UNHEALTHY,
                  .exit_code = 137,
                  .restarts = 3,
                  .started_at = 1,
                  .endpoints = { endpoints, 2 },
                  .address = "10.0.0.2",
                  .networks_missing = { &missing, 1 } },
        };
        struct observation o = {
                .runtime = "docker", .available = true, .version = "27.0.1", .instances = { instances, 1 },
        }, back;
        json_t *json = table_write(&observation_table, &o), *again;
        const struct instance *i;

        (void)state;
        assert_int_equal(table_read_json(&observation_table, "world", json, &back, a, &fault), 0);
        i = back.instances.items;
        assert_int_equal(i->state, INSTANCE_EXITED);
        assert_int_equal(i->health, HEALTH_UNHEALTHY);
        assert_int_equal(i->exit_code, 137);
        assert_int_equal(i->index, 2);
        assert_string_equal(i->networks_missing.items[0].text, "shop_default");
        assert_string_equal(instance_reach(i, 443, a), "[::1]:32769");
        assert_string_equal(i->address, "10.0.0.2");
        again = table_write(&observation_table, &back);
        assert_true(json_equal(json, again));
        json_decref(json);
        json_decref(again);
}

static void names_are_those_of_the_engine(void **state) {
        static const char *const states[] = {
                "created", "running", "restarting", "paused", "exited", "removing", "dead"
        };

        (void)state;
        for (int i = 0; i < INSTANCE_STATE_MAX_; i++)
                assert_string_equal(instance_state_names[i], states[i]);
        assert_null(instance_state_names[INSTANCE_STATE_MAX_]);
        assert_string_equal(health_names[HEALTH_UNHEALTHY], "unhealthy");
        assert_null(health_names[HEALTH_MAX_]);
}

static void a_port_is_reached_where_it_is_published_or_at_the_containers_address(void **state) {
        own_arena struct arena *a = arena_new();
        struct endpoint endpoints[] = { { .port = 80, .address = "127.0.0.1:32768" } };
        const struct instance both = { .endpoints = { endpoints, 1 }, .address = "10.0.0.2" },
                              six = { .address = "fd00::2" }, nothing = { .endpoints = { endpoints, 1 } };

        (void)state;
        assert_string_equal(instance_reach(&both, 80, a), "127.0.0.1:32768");
        assert_string_equal(instance_reach(&both, 81, a), "10.0.0.2:81");
        assert_string_equal(instance_reach(&six, 80, a), "[fd00::2]:80");
        assert_null(instance_reach(&nothing, 81, a));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_observation_survives_json),
        cmocka_unit_test(names_are_those_of_the_engine),
        cmocka_unit_test(a_port_is_reached_where_it_is_published_or_at_the_containers_address),
};

TEST_GROUP(instance, tests);
