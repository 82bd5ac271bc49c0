/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>

#include "providers/runtime/docker/body.h"
#include "providers/runtime/docker/labels.h"
#include "shared/base/reason.h"
#include "shared/data/json.h"
#include "tests/lib/group.h"
#include "tests/unit/providers/rendered.h"

static const json_t *body_of(struct rig *rig, struct workload *w, const char *yaml, int api) {
        struct body_input in = {
                .settings = &settings, .workload = w, .index = 2, .image_id = "sha256:id", .api = api
        };
        json_t *body = NULL;

        *w = rig_workload(rig, "shop", "1.2", yaml);
        in.service = rig_service(w, "web");
        rig_fine(body_create(&in, &body, &fault));
        arena_defer(rig->arena, (void (*)(void *))json_decref, body);
        return body;
}

static void labels_say_whose_it_is_and_how_it_is_run(void **state) {
        struct workload w;
        const json_t *body =
                body_of(*state, &w,
                        "services: {web: {image: '" IMAGE "', restart: always, container_name: www, labels: {a: b}}}\n",
                        47);
        const json_t *labels = json_object_get(body, "Labels"), *host = json_object_get(body, "HostConfig");
        const char *const expected[][2] = {
                { LABEL_HOST, "web1" },
                { LABEL_ENVIRONMENT, "prod" },
                { LABEL_APP, "shop" },
                { LABEL_SERVICE, "web" },
                { LABEL_RELEASE, w.release },
                { LABEL_VERSION, "1.2" },
                { LABEL_SPEC, rig_service(&w, "web")->spec_digest },
                { LABEL_INDEX, "2" },
                { LABEL_IMAGE, IMAGE },
                { LABEL_IMAGE_ID, "sha256:id" },
                { LABEL_NAME, "www" },
                { LABEL_RESTART, "always" },
                { LABEL_COMPOSE_PROJECT, "shop" },
                { LABEL_COMPOSE_SERVICE, "web" },
                { LABEL_COMPOSE_NUMBER, "2" },
                { LABEL_COMPOSE_ONEOFF, "False" },
                { "a", "b" },
        };

        for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
                assert_string_equal(json_get_string(labels, expected[i][0]), expected[i][1]);
        /* Before it is in service, no engine restart brings it up. */
        assert_string_equal(json_get_string(json_object_get(host, "RestartPolicy"), "Name"), "no");
}

static void several_networks_wait_for_an_api_that_takes_them(void **state) {
        static const char yaml[] =
                "services: {web: {image: '" IMAGE
                "', networks: {a: {priority: 5, mac_address: '02:42:ac:11:65:43'}, b: {}}}}\nnetworks: {a: {}, b: {}}\n";
        struct workload w;
        const json_t *old = body_of(*state, &w, yaml, 43), *new = body_of(*state, &w, yaml, 44);
        const json_t *few = json_object_get(json_object_get(old, "NetworkingConfig"), "EndpointsConfig");
        const json_t *all = json_object_get(json_object_get(new, "NetworkingConfig"), "EndpointsConfig");

        assert_int_equal(json_object_size(few), 1);
        assert_int_equal(json_object_size(all), 2);
        assert_string_equal(json_get_string(json_object_get(old, "HostConfig"), "NetworkMode"), "shop_a");
        assert_string_equal(json_get_string(old, "MacAddress"), "02:42:ac:11:65:43");
        assert_null(json_object_get(new, "MacAddress"));
        assert_string_equal(json_get_string(json_object_get(all, "shop_a"), "MacAddress"), "02:42:ac:11:65:43");
}

static void files_are_mounted_read_only_from_their_folder(void **state) {
        struct rig *rig = *state;
        struct workload w;
        const json_t *mount, *body;

        rig_file(rig, "a", "1");
        body = body_of(rig, &w, "services: {web: {image: '" IMAGE "', volumes: ['./a:/a', './a:/b:z']}}\n", 47);
        mount = json_array_get(json_object_get(json_object_get(body, "HostConfig"), "Mounts"), 0);
        assert_true(json_get_bool(mount, "ReadOnly", false));
        assert_non_null(strstr(json_get_string(mount, "Source"), "/var/lib/tally/files/"));
        assert_non_null(
                strstr(json_string_value(
                               json_array_get(json_object_get(json_object_get(body, "HostConfig"), "Binds"), 0)),
                       ":/b:ro,z"));
}

static void names_let_old_and_new_stand_side_by_side(void **state) {
        struct workload plain, named;
        struct body_input in = { .settings = &settings, .workload = &plain, .index = 3 };
        char name[CONTAINER_NAME_MAX], expected[CONTAINER_NAME_MAX];

        plain = rig_workload(*state, "shop", "1", "services: {web: {image: '" IMAGE "'}}\n");
        in.service = rig_service(&plain, "web");
        (void)snprintf(expected, sizeof(expected), "shop-web-3-%.8s", in.service->spec_digest + 7);
        assert_string_equal(body_name(&in, name), expected);
        named = rig_workload(*state, "shop", "1", "services: {web: {image: '" IMAGE "', container_name: www}}\n");
        in.service = rig_service(&named, "web");
        (void)snprintf(expected, sizeof(expected), "www.next-%.8s", in.service->spec_digest + 7);
        assert_string_equal(body_name(&in, name), expected);
        assert_string_equal(body_name_stopped("www", "sha256:0011223344", name), "www.prev-00112233");
}

static void restart_policies_survive_as_text(void **state) {
        static const char *const texts[] = { "no", "always", "unless-stopped", "on-failure", "on-failure:3", NULL };
        char buf[RESTART_TEXT_MAX];

        for (size_t i = 0; texts[i]; i++) {
                own_json json_t *restart = body_restart(texts[i]);

                assert_string_equal(body_restart_text(restart, buf), texts[i]);
        }
        for (size_t i = 0; i < 4; i++) {
                static const char *const odd[] = { "", "sometimes", "on-failure:x", NULL };
                own_json json_t *restart = body_restart(odd[i]);

                assert_string_equal(body_restart_text(restart, buf), "no");
        }
        assert_string_equal(body_restart_text(NULL, buf), "no");
}

static void newer_features_are_refused_on_older_engines(void **state) {
        static const struct {
                const char *settings, *key;
                int api;
        } table[] = {
                { "annotations: {a: b}", "annotations", 43 },
                { "healthcheck: {test: [CMD, x], start_interval: 1s}", "healthcheck.start_interval", 44 },
                { "volumes: [{type: volume, source: v, target: /v, volume: {subpath: a}}]", "volume.subpath", 45 },
        };
        struct rig *rig = *state;

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                struct workload w =
                        rig_workload(rig, "shop", "1",
                                     arena_printf(rig->arena,
                                                  "services: {web: {image: '" IMAGE "', %s}}\nvolumes: {v: {}}\n",
                                                  table[i].settings));
                own_fault struct fault refused = FAULT_INIT, fine = FAULT_INIT;

                assert_true(body_check_api(rig_service(&w, "web")->spec, table[i].api - 1, &refused) < 0);
                assert_string_equal(refused.code, REASON_RUNTIME_UNSUPPORTED);
                assert_non_null(strstr(refused.message, table[i].key));
                assert_int_equal(body_check_api(rig_service(&w, "web")->spec, table[i].api, &fine), 0);
        }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
        CASE(labels_say_whose_it_is_and_how_it_is_run),
        CASE(several_networks_wait_for_an_api_that_takes_them),
        CASE(files_are_mounted_read_only_from_their_folder),
        CASE(names_let_old_and_new_stand_side_by_side),
        CASE(restart_policies_survive_as_text),
        CASE(newer_features_are_refused_on_older_engines),
};

TEST_GROUP(body, tests);
