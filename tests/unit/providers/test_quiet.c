/* SPDX-License-Identifier: Apache-2.0 */

#include "recorded.h"

#include "providers/runtime/docker/docker_private.h"
#include "providers/runtime/docker/fingerprint.h"
#include "tests/lib/group.h"

static struct digest print_of(const json_t *list) {
        struct digest d;

        assert_true(docker_listing_fingerprint(list, &d));
        return d;
}

/* What @change does to the container that runs. */
static bool changes(const char *store, void (*change)(json_t *list)) {
        own_json json_t *list = recorded_json(store, "list");
        struct digest before = print_of(list), after;

        change(list);
        after = print_of(list);
        return !digest_equal(&before, &after);
}

static json_t *web(json_t *list) {
        return json_array_get(list, 3);
}

static void time_passes(json_t *list) {
        json_object_set_new(web(list), "Status", json_string("Up 3 weeks (healthy)"));
        json_object_set_new(json_array_get(list, 2), "Status", json_string("Exited (3) 9 days ago"));
}

static void order_differs(json_t *list) {
        json_t *first = json_incref(json_array_get(list, 0)), *mounts = json_object_get(web(list), "Mounts");
        json_t *mount = json_incref(json_array_get(mounts, 0));

        json_array_remove(list, 0);
        json_array_append_new(list, first);
        mounts = json_object_get(json_array_get(list, 2), "Mounts");
        json_array_remove(mounts, 0);
        json_array_append_new(mounts, mount);
}

static void new_fields(json_t *list) {
        json_object_set_new(web(list), "SizeRw", json_integer(12345));
        json_object_set_new(web(list), "Brand", json_string("new"));
}

static void health_flips(json_t *list) {
        json_object_set_new(web(list), "Status", json_string("Up 3 weeks (unhealthy)"));
}

static void it_stops(json_t *list) {
        json_object_set_new(web(list), "State", json_string("exited"));
}

static void it_restarts(json_t *list) {
        json_t *network =
                json_object_get(json_object_get(json_object_get(web(list), "NetworkSettings"), "Networks"), "n1");

        assert_non_null(network);
        json_object_set_new(network, "EndpointID", json_string("another"));
}

static void its_port_moves(json_t *list) {
        json_object_set_new(json_array_get(json_object_get(web(list), "Ports"), 0), "PublicPort", json_integer(28081));
}

static void its_address_changes(json_t *list) {
        json_t *network =
                json_object_get(json_object_get(json_object_get(web(list), "NetworkSettings"), "Networks"), "n1");

        json_object_set_new(network, "IPAddress", json_string("10.0.0.99"));
}

static void it_is_disconnected(json_t *list) {
        json_object_clear(json_object_get(json_object_get(web(list), "NetworkSettings"), "Networks"));
}

static void a_label_changes(json_t *list) {
        json_object_set_new(json_object_get(web(list), "Labels"), "tallyman.spec", json_string("other"));
}

static void its_image_changes(json_t *list) {
        json_object_set_new(web(list), "ImageID", json_string("sha256:0"));
}

static void a_container_more(json_t *list) {
        json_array_append_new(list, json_pack("{ss}", "Id", "1"));
}

static void it_is_renamed(json_t *list) {
        json_object_set_new(web(list), "Names", json_pack("[s]", "/other"));
}

static void what_changes_by_itself_is_left_out(void **state) {
        for (size_t i = 0; recorded_stores[i]; i++) {
                assert_false(changes(recorded_stores[i], time_passes));
                assert_false(changes(recorded_stores[i], order_differs));
                assert_false(changes(recorded_stores[i], new_fields));
        }
}

static void what_matters_is_seen(void **state) {
        for (size_t i = 0; recorded_stores[i]; i++) {
                assert_true(changes(recorded_stores[i], health_flips));
                assert_true(changes(recorded_stores[i], it_stops));
                assert_true(changes(recorded_stores[i], it_restarts));
                assert_true(changes(recorded_stores[i], its_port_moves));
                assert_true(changes(recorded_stores[i], its_address_changes));
                assert_true(changes(recorded_stores[i], it_is_disconnected));
                assert_true(changes(recorded_stores[i], a_label_changes));
                assert_true(changes(recorded_stores[i], its_image_changes));
                assert_true(changes(recorded_stores[i], a_container_more));
                assert_true(changes(recorded_stores[i], it_is_renamed));
        }
}

static void only_lists_have_a_fingerprint(void **state) {
        own_json json_t *object = json_object(), *odd = json_pack("[n i [] {si}]", 1, "Names", 3);
        struct digest d;

        assert_false(docker_listing_fingerprint(object, &d));
        assert_false(docker_listing_fingerprint(NULL, &d));
        assert_true(docker_listing_fingerprint(odd, &d));
}

/* Whether what was once asked about the container that runs still holds after @change. */
static bool still_known(const char *store, void (*change)(json_t *list)) {
        const struct runtime_settings settings = { .endpoint = "unix:///nowhere" };
        own_json json_t *list = recorded_json(store, "list"), *inspect = json_object();
        struct docker d;
        bool known;

        assert_int_equal(docker_init(&d, NULL, &settings, NULL), 0);
        assert_null(docker_inspected(&d, web(list)));
        docker_note_inspected(&d, web(list), inspect);
        change(list);
        known = docker_inspected(&d, web(list)) == inspect;
        docker_done(&d);
        return known;
}

static void one_run_is_looked_at_closely_once(void **state) {
        for (size_t i = 0; recorded_stores[i]; i++) {
                assert_true(still_known(recorded_stores[i], time_passes));
                assert_true(still_known(recorded_stores[i], new_fields));
                assert_false(still_known(recorded_stores[i], health_flips));
                assert_false(still_known(recorded_stores[i], it_restarts));
                assert_false(still_known(recorded_stores[i], it_stops));
                /* No endpoint: the list could not show that it began anew. */
                assert_false(still_known(recorded_stores[i], it_is_disconnected));
        }
}

static void what_does_not_run_is_asked_each_time(void **state) {
        const struct runtime_settings settings = { .endpoint = "unix:///nowhere" };
        own_json json_t *list = recorded_json(recorded_stores[0], "list"), *inspect = json_object();
        struct docker d;

        it_stops(list);
        assert_int_equal(docker_init(&d, NULL, &settings, NULL), 0);
        docker_note_inspected(&d, web(list), inspect);
        assert_null(docker_inspected(&d, web(list)));
        docker_done(&d);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_changes_by_itself_is_left_out),   cmocka_unit_test(what_matters_is_seen),
        cmocka_unit_test(only_lists_have_a_fingerprint),        cmocka_unit_test(one_run_is_looked_at_closely_once),
        cmocka_unit_test(what_does_not_run_is_asked_each_time),
};

TEST_GROUP(quiet, tests);
