/* SPDX-License-Identifier: Apache-2.0 */

#include "recorded.h"

#include "providers/runtime/docker/observe.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "tests/lib/group.h"

static void status_texts_of_all_kinds(void **state) {
        static const struct {
                const char *text;
                enum health health;
                int64_t exit_code;
                bool young;
        } table[] = {
                { "Created", HEALTH_NONE, 0, false },
                { "Up Less than a second", HEALTH_NONE, 0, true },
                { "Up 59 seconds", HEALTH_NONE, 0, true },
                { "Up 1 second (health: starting)", HEALTH_STARTING, 0, true },
                { "Up About a minute (healthy)", HEALTH_HEALTHY, 0, true },
                { "Up 3 minutes (unhealthy)", HEALTH_UNHEALTHY, 0, false },
                { "Up About an hour", HEALTH_NONE, 0, false },
                { "Up 2 weeks (Paused)", HEALTH_NONE, 0, false },
                { "Exited (137) 2 hours ago", HEALTH_NONE, 137, false },
                { "Exited (0) 5 seconds ago", HEALTH_NONE, 0, false },
                { "Exited (-1) 5 seconds ago", HEALTH_NONE, -1, false },
                { "Restarting (1) 5 seconds ago", HEALTH_NONE, 1, false },
                { "Removal In Progress", HEALTH_NONE, 0, false },
                { "Dead", HEALTH_NONE, 0, false },
                { "Exited (99999999999999999999) x", HEALTH_NONE, 0, false },
                { "Exited (1", HEALTH_NONE, 0, false },
                { "Exited (", HEALTH_NONE, 0, false },
                { "", HEALTH_NONE, 0, false },
                { NULL, HEALTH_NONE, 0, false },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                struct status_text s = status_parse(table[i].text);

                assert_int_equal(s.health, table[i].health);
                assert_int_equal(s.exit_code, table[i].exit_code);
                assert_int_equal(s.young, table[i].young);
        }
}

static const struct sighting *by_service(const struct sighting *list, size_t n, const char *service) {
        for (size_t i = 0; i < n; i++)
                if (str_eq(list[i].instance.service, service))
                        return &list[i];
        fail_msg("%s was not seen", service);
        return NULL;
}

static void the_lists_of_both_stores_say_the_same(void **state) {
        for (size_t i = 0; recorded_stores[i]; i++) {
                own_json json_t *list = recorded_json(recorded_stores[i], "list"),
                                *spec = json_pack("{s[{ss}{ss}]}", "networks", "name", "n1", "name", "n2");
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                struct workload_service service = {
                        .name = "web", .image = RECORDED_PINNED, .spec_digest = RECORDED_SPEC, .spec = spec
                };
                const struct workload wanted = { .app = "shop", .services = { .items = &service, .n = 1 } };
                const struct sighting *web, *job, *loop, *new;
                struct sighting *seen;
                size_t n;

                assert_int_equal(observe_list(list, "web1", &wanted, 1, a, &seen, &n, &fault), 0);
                assert_int_equal(n, 4);
                web = by_service(seen, n, "web");
                assert_string_equal(web->instance.name, "web1");
                assert_int_equal(web->instance.state, INSTANCE_RUNNING);
                assert_int_equal(web->instance.health, HEALTH_HEALTHY);
                assert_int_equal(web->instance.index, 1);
                assert_int_equal(web->instance.networks_missing.n, 1);
                assert_string_equal(web->instance.networks_missing.items[0].text, "n2");
                assert_ptr_equal(web->spec, spec);
                assert_int_equal(web->instance.endpoints.n, 1);
                assert_string_equal(instance_reach(&web->instance, 80, a), "127.0.0.1:28080");
                assert_non_null(str_after(web->instance.address, "10."));
                assert_true(web->look_closer); /* it is young */
                assert_int_equal(web->image_verdict, str_eq(recorded_stores[i], "classic") ? IMAGE_ASK : IMAGE_MATCHES);
                assert_true(observe_mount_is(web->entry, "/t", "/tmp"));
                assert_false(observe_mount_is(web->entry, "/t", "/other"));
                assert_false(observe_mount_is(web->entry, "/nowhere", "/tmp"));
                job = by_service(seen, n, "job");
                assert_int_equal(job->instance.state, INSTANCE_EXITED);
                assert_int_equal(job->instance.exit_code, 3);
                assert_false(job->look_closer); /* stopped, and not of the wanted */
                loop = by_service(seen, n, "loop");
                assert_int_equal(loop->instance.state, INSTANCE_RESTARTING);
                assert_true(loop->look_closer);
                new = by_service(seen, n, "new");
                assert_int_equal(new->instance.state, INSTANCE_CREATED);
                assert_int_equal(new->instance.started_at, 0);
                assert_int_equal(new->instance.endpoints.n, 0);
                assert_null(new->instance.address);
        }
}

/* One container whose Ports and Networks are these. */
static struct instance reach_of(const char *ports, const char *networks, struct arena *a) {
        own_fault struct fault fault = FAULT_INIT;
        own_json json_t *list = recorded_json("containerd", "list"), *p = NULL, *n = NULL;
        json_t *web = json_array_get(list, 3);
        struct sighting *seen;
        size_t n_seen;

        assert_int_equal(json_parse("ports", ports, strlen(ports), &p, &fault), 0);
        assert_int_equal(json_parse("networks", networks, strlen(networks), &n, &fault), 0);
        json_object_set(web, "Ports", p);
        json_object_set(json_object_get(web, "NetworkSettings"), "Networks", n);
        assert_int_equal(observe_list(list, "web1", NULL, 0, a, &seen, &n_seen, &fault), 0);
        return by_service(seen, n_seen, "web")->instance;
}

static void assert_endpoints(const char *ports, const char *expected) {
        own_arena struct arena *a = arena_new();
        struct instance in = reach_of(ports, "{}", a);
        const struct endpoint *e = in.endpoints.items;
        const char *text = "";

        for (size_t i = 0; i < in.endpoints.n; i++)
                text = arena_printf(a, "%s%s%lld=%s", text, i ? " " : "", (long long)e[i].port, e[i].address);
        assert_string_equal(text, expected);
}

static void a_published_port_is_reached_on_this_host(void **state) {
        static const char any[] = "{\"IP\":\"0.0.0.0\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"}",
                          any6[] = "{\"IP\":\"::\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"}",
                          nine[] = "{\"IP\":\"0.0.0.0\",\"PrivatePort\":9,\"PublicPort\":9,\"Type\":\"tcp\"}";
        char text[1000];

        assert_endpoints("[]", "");
        assert_endpoints("null", "");
        assert_endpoints("{}", "");
        (void)snprintf(text, sizeof(text), "[%s,%s,%s]", any6, any, nine);
        assert_endpoints(text, "9=127.0.0.1:9 80=127.0.0.1:8080");
        (void)snprintf(text, sizeof(text), "[%s]", any6);
        assert_endpoints(text, "80=[::1]:8080");
        /* The address may be missing or one of the host's; the smaller text wins whatever the order. */
        assert_endpoints("[{\"PrivatePort\":80,\"PublicPort\":1,\"Type\":\"tcp\"}]", "80=127.0.0.1:1");
        assert_endpoints("[{\"IP\":\"\",\"PrivatePort\":80,\"PublicPort\":1,\"Type\":\"tcp\"}]", "80=127.0.0.1:1");
        assert_endpoints("[{\"IP\":\"192.168.1.2\",\"PrivatePort\":80,\"PublicPort\":2,\"Type\":\"tcp\"},"
                         "{\"IP\":\"127.0.0.1\",\"PrivatePort\":80,\"PublicPort\":3,\"Type\":\"tcp\"}]",
                         "80=127.0.0.1:3");
        /* Not published, not TCP, not a port, not an address. */
        assert_endpoints(
                "[{\"PrivatePort\":80,\"Type\":\"tcp\"},{\"IP\":\"0.0.0.0\",\"PrivatePort\":53,\"PublicPort\":53,\"Type\":\"udp\"},"
                "{\"IP\":\"0.0.0.0\",\"PrivatePort\":70000,\"PublicPort\":1,\"Type\":\"tcp\"},"
                "{\"IP\":\"0.0.0.0\",\"PrivatePort\":1,\"PublicPort\":-1,\"Type\":\"tcp\"},"
                "{\"IP\":\"evil.example/x\",\"PrivatePort\":2,\"PublicPort\":2,\"Type\":\"tcp\"},"
                "{\"IP\":\"0.0.0.0\",\"PrivatePort\":\"3\",\"PublicPort\":3,\"Type\":\"tcp\"},null,3]",
                "");
}

static void assert_address(const char *networks, const char *expected) {
        own_arena struct arena *a = arena_new();
        const char *address = reach_of("[]", networks, a).address;

        if (!str_eq(address, expected))
                fail_msg("%s: %s", networks, address ? address : "none");
}

static void the_address_is_that_of_the_first_network_by_name(void **state) {
        assert_address("{}", NULL);
        assert_address("[]", NULL);
        assert_address("{\"none\":{\"IPAddress\":\"\"}}", NULL);
        assert_address("{\"b\":{\"IPAddress\":\"10.0.0.2\"},\"a\":{\"IPAddress\":\"10.0.0.3\"}}", "10.0.0.3");
        assert_address("{\"b\":{\"IPAddress\":\"10.0.0.2\"},\"a\":{\"IPAddress\":\"\"}}", "10.0.0.2");
        assert_address("{\"a\":{\"IPAddress\":\"\",\"GlobalIPv6Address\":\"fd00::2\"}}", "fd00::2");
        assert_address("{\"a\":{\"GlobalIPv6Address\":\"fd00::2\"},\"b\":{\"IPAddress\":\"10.0.0.2\"}}", "10.0.0.2");
        assert_address("{\"a\":{\"IPAddress\":\"evil.example/x\"}}", NULL);
        assert_address("{\"a\":{\"IPAddress\":3},\"b\":null}", NULL);
        assert_address("{\"host\":{\"IPAddress\":\"\"}}", "127.0.0.1");
}

static void a_closer_look_tells_start_restarts_and_health(void **state) {
        for (size_t i = 0; recorded_stores[i]; i++) {
                own_json json_t *web = recorded_json(recorded_stores[i], "inspect"),
                                *loop = recorded_json(recorded_stores[i], "inspect-loop");
                own_arena struct arena *a = arena_new();
                struct sighting s = { .created_at = 0 }, l = { .created_at = 0 };

                observe_inspected(&s, web, a);
                assert_int_equal(s.instance.state, INSTANCE_RUNNING);
                assert_int_equal(s.instance.health, HEALTH_HEALTHY);
                assert_int_equal(s.instance.restarts, 0);
                assert_true(s.instance.started_at > INT64_C(1700000000000));
                observe_inspected(&l, loop, a);
                assert_true(l.instance.restarts > 0);
        }
}

static void an_end_with_the_engine_is_told_from_one_before_it(void **state) {
        static const struct {
                const char *status, *started, *finished;
                bool lost;
        } cases[] = {
                /* the engine that came up ended it */
                { "exited", "2026-11-30T00:44:00Z", "2026-11-30T00:45:19Z", true },
                { "exited", "2026-11-30T00:44:00Z", "2026-11-30T00:44:50Z", true },  /* the one that went down */
                { "exited", "2026-11-30T00:44:00Z", "0001-01-01T00:00:00Z", true },  /* nobody saw it */
                { "exited", "2026-11-30T00:10:00Z", "2026-11-30T00:20:00Z", false }, /* long before */
                { "exited", "2026-11-30T00:46:00Z", "2026-11-30T00:46:01Z", false }, /* since */
                { "running", "2026-11-30T00:44:00Z", "0001-01-01T00:00:00Z", false },
                { "exited", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", false },
                { "exited", "yesterday", "today", false },
        };
        int64_t began;

        assert_int_equal(rfc3339_parse("2026-11-30T00:45:00Z", &began), 0);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_json json_t *inspect = json_pack("{s{ssssss}}", "State", "Status", cases[i].status, "StartedAt",
                                                     cases[i].started, "FinishedAt", cases[i].finished);

                if (observe_is_lost(inspect, began) != cases[i].lost)
                        fail_msg("case %zu", i);
                assert_false(observe_is_lost(inspect, 0));
        }
}

static void other_hosts_and_half_labelled_containers_are_left_out(void **state) {
        own_json json_t *list = recorded_json("classic", "list");
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct sighting *seen;
        size_t n;

        assert_int_equal(observe_list(list, "web2", NULL, 0, a, &seen, &n, &fault), 0);
        assert_int_equal(n, 0);
        json_object_del(json_object_get(json_array_get(list, 0), "Labels"), "tallyman.app");
        json_object_set_new(json_object_get(json_array_get(list, 1), "Labels"), "tallyman.service",
                            json_string("../x"));
        json_object_set_new(json_array_get(list, 2), "Id", json_string("../x"));
        assert_int_equal(observe_list(list, "web1", NULL, 0, a, &seen, &n, &fault), 0);
        assert_int_equal(n, 1);
}

static void lists_of_anything_do_no_harm(void **state) {
        own_json json_t *odd =
                json_pack("[n i s [] {} {s{ss} si}]", 1, "x", "Labels", "tallyman.host", "web1", "Id", 3);
        own_json json_t *no_list = json_object();
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT, refused = FAULT_INIT;
        struct sighting *seen;
        size_t n;

        assert_int_equal(observe_list(odd, "web1", NULL, 0, a, &seen, &n, &fault), 0);
        assert_int_equal(n, 0);
        assert_true(observe_list(no_list, "web1", NULL, 0, a, &seen, &n, &refused) < 0);
        assert_int_equal(refused.kind, FAULT_TRANSIENT);
}

static void states_are_the_engines_words(void **state) {
        for (int i = 0; i < INSTANCE_STATE_MAX_; i++)
                assert_int_equal(observe_state(instance_state_names[i]), i);
        assert_int_equal(observe_state("something new"), INSTANCE_DEAD);
        assert_int_equal(observe_state(NULL), INSTANCE_DEAD);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_texts_of_all_kinds),
        cmocka_unit_test(the_lists_of_both_stores_say_the_same),
        cmocka_unit_test(a_published_port_is_reached_on_this_host),
        cmocka_unit_test(the_address_is_that_of_the_first_network_by_name),
        cmocka_unit_test(a_closer_look_tells_start_restarts_and_health),
        cmocka_unit_test(an_end_with_the_engine_is_told_from_one_before_it),
        cmocka_unit_test(other_hosts_and_half_labelled_containers_are_left_out),
        cmocka_unit_test(lists_of_anything_do_no_harm),
        cmocka_unit_test(states_are_the_engines_words),
};

TEST_GROUP(observe, tests);
