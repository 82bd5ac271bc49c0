/* SPDX-License-Identifier: Apache-2.0 */

/* What docker compose is given, and what it says. */

#include <unistd.h>

#include "providers/runtime/compose/compose.h"
#include "providers/runtime/compose/locked.h"
#include "providers/runtime/compose/program.h"
#include "providers/runtime/docker/docker_private.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

#define RENDERED_BY "compose"
#include "tests/lib/group.h"
#include "tests/unit/providers/rendered.h"

static const char *canonical(struct rig *rig, json_t *value) {
        own_buffer struct buffer text = BUFFER_INIT;

        rig_fine(json_canonical(value, &text, &fault));
        json_decref(value);
        return arena_strdup(rig->arena, buffer_str(&text));
}

static json_t *instance_of(const struct workload *w, const char *service, int64_t index) {
        const struct body_input in = {
                .settings = &settings,
                .workload = w,
                .service = rig_service(w, service),
                .index = index,
                .image_id = "sha256:id",
        };

        return locked_instance(&in);
}

static void the_smallest_service_is_locked(void **state) {
        struct rig *rig = *state;
        struct workload w = rig_workload(rig, "shop", "1.2", "services: {web: {image: '" IMAGE "'}}\n");
        const struct workload_service *web = rig_service(&w, "web");

        assert_string_equal(w.runtime, "compose");
        assert_string_equal(canonical(rig, json_incref(web->spec)),
                            "{\"definition\":{},\"image\":\"" IMAGE
                            "\",\"network_keys\":{\"default\":\"shop_default\"},"
                            "\"networks\":[{\"aliases\":[\"web\"],\"name\":\"shop_default\"}],\"project\":\"shop\","
                            "\"restart\":{\"Name\":\"no\"},\"service\":\"web\",\"volume_keys\":{}}");
        assert_string_equal(
                canonical(rig, instance_of(&w, "web", 2)),
                arena_printf(
                        rig->arena,
                        "{\"name\":\"shop\",\"networks\":{\"default\":{\"external\":true,\"name\":\"shop_default\"}},"
                        "\"services\":{\"web\":{\"image\":\"" IMAGE "\",\"labels\":{\"tallyman.app\":\"shop\","
                        "\"tallyman.environment\":\"prod\",\"tallyman.host\":\"web1\",\"tallyman.image\":\"" IMAGE "\","
                        "\"tallyman.image-id\":\"sha256:id\",\"tallyman.index\":\"2\",\"tallyman.release\":\"%s\","
                        "\"tallyman.restart\":\"no\",\"tallyman.service\":\"web\",\"tallyman.spec\":\"%s\","
                        "\"tallyman.version\":\"1.2\"},\"pull_policy\":\"never\",\"restart\":\"no\"}},\"volumes\":{}}",
                        w.release, web->spec_digest));
}

static void a_service_with_everything_is_locked(void **state) {
        struct rig *rig = *state;
        struct workload w;
        json_t *document, *service;

        rig_file(rig, "app.env", "A=from-file\nB=it's $$5\n");
        rig_file(rig, "conf/app.conf", "text");
        rig_file(rig, "profile.json", "{}");
        w = rig_workload(
                rig, "shop", "1",
                "services:\n"
                "  web:\n"
                "    image: '" IMAGE "'\n"
                "    container_name: the-web\n"
                "    env_file: app.env\n"
                "    environment: {C: '$${HOME}', D: }\n"
                "    volumes: ['./conf:/conf:ro,z', 'data:/data', {type: tmpfs, target: /t, tmpfs: {mode: 01777}}]\n"
                "    secrets: [{source: s, mode: 0400}]\n"
                "    security_opt: ['seccomp:./profile.json', 'no-new-privileges:true']\n"
                "    deploy: {replicas: 1, placement: {constraints: [x]}, restart_policy: {condition: any}, resources: {limits: {memory: 64m}}}\n"
                "    labels: ['team=a$$b']\n"
                "    networks: {front: {aliases: [store]}}\n"
                "    blkio_config: {weight: 100}\n"
                "    cpus: 0.5\n"
                "    pull_policy: always\n"
                "    x-note: {any: thing}\n"
                "networks: {front: {driver_opts: {a: '$$1'}, labels: [l=m]}}\n"
                "volumes: {data: {name: well, external: true}}\n"
                "secrets: {s: {file: ./conf/app.conf}}\n");
        document = instance_of(&w, "web", 1);
        service = json_object_get(json_object_get(document, "services"), "web");
        assert_string_equal(json_get_string(json_object_get(service, "environment"), "A"), "from-file");
        assert_string_equal(json_get_string(json_object_get(service, "environment"), "B"), "it's $$5");
        assert_string_equal(json_get_string(json_object_get(service, "environment"), "C"), "$${HOME}");
        assert_true(json_is_null(json_object_get(json_object_get(service, "environment"), "D")));
        assert_string_equal(json_get_string(json_object_get(service, "labels"), "team"), "a$$b");
        assert_string_equal(json_get_string(json_object_get(service, "labels"), "tallyman.name"), "the-web");
        assert_string_equal(json_get_string(json_object_get(service, "labels"), "tallyman.restart"), "always");
        assert_null(json_object_get(service, "container_name"));
        assert_null(json_object_get(service, "env_file"));
        assert_null(json_object_get(service, "secrets"));
        assert_null(json_object_get(service, "x-note"));
        assert_string_equal(json_get_string(service, "pull_policy"), "never");
        assert_string_equal(canonical(rig, json_incref(json_object_get(service, "deploy"))),
                            "{\"resources\":{\"limits\":{\"memory\":\"64m\"}}}");
        assert_string_equal(json_get_string(service, "cpus"), "0.5");
        assert_int_equal(json_get_integer(json_object_get(service, "blkio_config"), "weight", 0), 100);
        /* What we bring lies in our folder; what docker compose mounts is as it was, octal numbers too. */
        assert_int_equal(json_array_size(json_object_get(service, "volumes")), 4);
        assert_string_equal(json_string_value(json_array_get(json_object_get(service, "volumes"), 0)), "data:/data");
        assert_int_equal(json_get_integer(json_object_get(json_array_get(json_object_get(service, "volumes"), 1),
                                                          "tmpfs"),
                                          "mode", 0),
                         01777);
        assert_int_equal(strncmp(json_get_string(json_array_get(json_object_get(service, "volumes"), 2), "source"),
                                 "/var/lib/tally/files/", 21),
                         0);
        assert_string_equal(json_get_string(json_object_get(json_array_get(json_object_get(service, "volumes"), 2),
                                                            "bind"),
                                            "selinux"),
                            "z");
        assert_string_equal(json_get_string(json_array_get(json_object_get(service, "volumes"), 3), "target"),
                            "/run/secrets/s");
        assert_int_equal(strncmp(json_string_value(json_array_get(json_object_get(service, "security_opt"), 1)),
                                 "seccomp=/var/lib/tally/files/", 29),
                         0);
        assert_string_equal(canonical(rig, json_incref(json_object_get(document, "volumes"))),
                            "{\"data\":{\"external\":true,\"name\":\"well\"}}");
        assert_string_equal(canonical(rig, json_incref(json_object_get(document, "networks"))),
                            "{\"front\":{\"external\":true,\"name\":\"shop_front\"}}");
        assert_string_equal(
                canonical(rig, json_incref(json_object_get(w.resources, "networks"))),
                "[{\"create\":{\"driver_opts\":{\"a\":\"$1\"}},\"external\":false,\"key\":\"front\",\"labels\":[\"l=m\"],\"name\":\"shop_front\"}]");
        assert_int_equal(json_array_size(json_object_get(w.resources, "files")), 3);
        json_decref(document);
}

static void networks_and_volumes_are_made_by_a_service_without_instances(void **state) {
        struct rig *rig = *state;
        struct workload w = rig_workload(rig, "shop", "1",
                                         "services: {web: {image: '" IMAGE "', networks: [n], volumes: ['v:/v']}}\n"
                                         "networks: {n: {internal: true, labels: [l=m$$]}}\nvolumes: {v: {}}\n");
        const struct docker *d = docker_of(rig->runtime);
        json_t *document = locked_resources(d, &w, json_object_get(w.resources, "networks"),
                                            json_object_get(w.resources, "volumes"));
        const json_t *network = json_object_get(json_object_get(document, "networks"), "n");
        const json_t *service = json_object_get(json_object_get(document, "services"), LOCKED_NO_SERVICE);

        assert_string_equal(json_get_string(network, "name"), "shop_n");
        assert_true(json_get_bool(network, "internal", false));
        assert_string_equal(json_get_string(json_object_get(network, "labels"), "l"), "m$$");
        assert_string_equal(json_get_string(json_object_get(network, "labels"), "tallyman.host"), "web1");
        assert_string_equal(json_get_string(json_object_get(network, "labels"), "tallyman.runtime"), "compose");
        assert_null(json_object_get(json_object_get(network, "labels"), "tallyman.release"));
        assert_string_equal(canonical(rig, json_incref(json_object_get(service, "networks"))), "{\"n\":null}");
        assert_string_equal(canonical(rig, json_incref(json_object_get(service, "volumes"))),
                            "[{\"source\":\"v\",\"target\":\"/0\",\"type\":\"volume\"}]");
        json_decref(document);
        assert_false(name_is_valid(LOCKED_NO_SERVICE));
}

static const char *digest_of_web(struct rig *rig, const char *settings_of_web) {
        struct workload w =
                rig_workload(rig, "shop", "1",
                             arena_printf(rig->arena, "services: {web: {image: '" IMAGE "'%s}}\n", settings_of_web));

        return rig_service(&w, "web")->spec_digest;
}

static void the_digest_follows_what_the_container_is_made_of(void **state) {
        static const char *const same[] = {
                ", deploy: {replicas: 3}",
                ", scale: 2",
                ", deploy: {update_config: {parallelism: 2}}",
                ", x-note: 1",
                ", pull_policy: always",
                ", develop: {watch: []}",
                ", profiles: [a]",
        };
        static const char *const other[] = {
                ", command: [x]",          ", blkio_config: {weight: 10}", ", environment: {A: b}", ", labels: {a: b}",
                ", restart: always",       ", networks: [default]",        ", tomorrow: 1",         ", volumes: ['/x']",
                ", platform: linux/amd64",
        };
        struct rig *rig = *state;
        const char *plain = digest_of_web(rig, "");

        for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
                assert_string_equal(digest_of_web(rig, same[i]), plain);
        for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
                assert_string_not_equal(digest_of_web(rig, other[i]), plain);
}

/* Where our files lie is this host's, not the release's. */
static void no_path_of_the_host_is_in_the_specification(void **state) {
        struct rig *rig = *state;
        struct workload w;

        rig_file(rig, "a", "text");
        w = rig_workload(rig, "shop", "1",
                         "services: {web: {image: '" IMAGE
                         "', volumes: ['./a:/a'], configs: [c]}}\nconfigs: {c: {file: ./a}}\n");
        assert_null(strstr(canonical(rig, json_incref(rig_service(&w, "web")->spec)), "/var/lib"));
        assert_null(strstr(w.artifact, "/var/lib"));
        assert_null(strstr(canonical(rig, json_incref(w.resources)), "/var/lib"));
}

static void what_docker_compose_says_is_read(void **state) {
        static const struct {
                const char *text;
                bool valid;
                uint64_t major, minor;
        } versions[] = {
                { "2.26.1-4", true, 2, 26 },
                { "v2.24.6", true, 2, 24 },
                { "5.0.0", true, 5, 0 },
                { "1.29.2", true, 1, 29 },
                { "2.20.2+ds1-0ubuntu1", true, 2, 20 },
                { "dev", false, 0, 0 },
                { "", false, 0, 0 },
                { "2", false, 0, 0 },
                { "2.", false, 0, 0 },
                { "99999999999999999999.1", false, 0, 0 },
        };
        static const char said[] =
                " Container shop-web-1  Creating\n"
                "time=\"2026-01-01T00:00:00Z\" level=warning msg=\"something\"\n"
                "Error response from daemon: Conflict. The container name \"/shop-web-1\" is already in use by container \"abc\".\x1b[0m\n\n";
        struct rig *rig = *state;
        uint64_t major, minor;
        own_free char *complaint = program_complaint(said), *nothing = program_complaint(" Network x  Created\n"),
                      *many = program_complaint("1\n2\n3\n4\n5\n");

        for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
                assert_int_equal(program_version(versions[i].text, &major, &minor), versions[i].valid);
                if (versions[i].valid) {
                        assert_int_equal(major, versions[i].major);
                        assert_int_equal(minor, versions[i].minor);
                }
        }
        assert_string_equal(
                complaint,
                "Error response from daemon: Conflict. The container name \"/shop-web-1\" is already in use by container \"abc\".?[0m");
        assert_string_equal(nothing, "it does not say why");
        assert_string_equal(many, "3; 4; 5");
        assert_string_equal(program_name_in_use(said, rig->arena), "shop-web-1");
        assert_null(program_name_in_use("The container name \"/", rig->arena));
        assert_null(program_name_in_use("all is well", rig->arena));
}

static void a_runtime_knows_neither_roles_nor_routers(void **state) {
        struct rig *rig = *state;
        struct compose compose;
        struct workload w;

        rig_fine(rig_try_compose(rig, "shop", "services: {web: {image: '" IMAGE "'}, job: {image: '" IMAGE "'}}\n",
                                 &compose, &fault));
        rig_fine(runtime_render(rig->runtime, &compose, "1", "sha256:" HEX, rig->arena, &w, &fault));
        assert_int_equal(rig_service(&w, "job")->role, ROLE_PRIMARY);
        assert_int_equal(rig_service(&w, "web")->role, ROLE_PRIMARY);
        assert_string_equal(w.version, "1");
        assert_null(w.traffic);
}

/* Nothing is installed under these paths. */
static void without_docker_compose_it_says_how_to_get_it(void **state) {
        own_fault struct fault fault = FAULT_INIT;
        own_free char *path_before = strdup(getenv("PATH"));
        struct program p = { .path = NULL };
        int r;

        (void)state;
        if (access("/usr/libexec/docker/cli-plugins/docker-compose", X_OK) == 0 ||
            access("/usr/lib/docker/cli-plugins/docker-compose", X_OK) == 0)
                skip();
        assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
        r = program_find(&p, &fault);
        assert_int_equal(setenv("PATH", path_before, 1), 0);
        assert_true(r < 0);
        assert_string_equal(fault.code, "RUNTIME_UNSUPPORTED");
        assert_int_equal(fault.kind, FAULT_CONFIG);
        assert_non_null(strstr(fault.hint, "docker-compose"));
        program_done(&p);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
        CASE(the_smallest_service_is_locked),
        CASE(a_service_with_everything_is_locked),
        CASE(networks_and_volumes_are_made_by_a_service_without_instances),
        CASE(the_digest_follows_what_the_container_is_made_of),
        CASE(no_path_of_the_host_is_in_the_specification),
        CASE(what_docker_compose_says_is_read),
        CASE(a_runtime_knows_neither_roles_nor_routers),
        CASE(without_docker_compose_it_says_how_to_get_it),
};

TEST_GROUP(locked, tests);
