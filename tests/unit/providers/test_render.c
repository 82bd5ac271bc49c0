/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/docker/render.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "tests/lib/group.h"
#include "tests/unit/providers/rendered.h"

static const char *canonical(struct rig *rig, const json_t *value) {
        own_buffer struct buffer text = BUFFER_INIT;

        rig_fine(json_canonical(value, &text, &fault));
        return arena_strdup(rig->arena, buffer_str(&text));
}

static void assert_spec(struct rig *rig, const char *yaml, const char *expected) {
        struct workload w = rig_workload(rig, "shop", "1", yaml);

        assert_string_equal(canonical(rig, rig_service(&w, "web")->spec), expected);
}

static void the_smallest_service(void **state) {
        assert_spec(*state, "services: {web: {image: '" IMAGE "'}}\n",
                    "{\"config\":{\"StopTimeout\":10},\"host\":{},\"image\":\"" IMAGE "\","
                    "\"networks\":[{\"aliases\":[\"web\"],\"name\":\"shop_default\"}],\"project\":\"shop\","
                    "\"restart\":{\"Name\":\"no\"},\"service\":\"web\"}");
}

static void a_service_with_everything(void **state) {
        struct rig *rig = *state;

        rig_file(rig, "conf/app.conf", "x");
        rig_file(rig, "key", "pssst");
        assert_spec(
                rig,
                "name: town\n"
                "services:\n"
                "  web:\n"
                "    image: '" IMAGE "'\n"
                "    container_name: the-web\n"
                "    command: [a, 'b c']\n"
                "    entrypoint: []\n"
                "    environment: {B: '2', A: '1', GONE: null}\n"
                "    ports: ['127.0.0.1:8080:80', '443', '9000-9001:90/udp']\n"
                "    expose: ['81']\n"
                "    volumes: ['data:/data', '/srv:/srv:ro', './conf/app.conf:/etc/app.conf:ro', '/anon']\n"
                "    secrets: [{source: key, mode: 0400}]\n"
                "    tmpfs: ['/run:size=1m']\n"
                "    networks: {back: {ipv4_address: 10.1.0.9}, front: {aliases: [www], priority: 9}}\n"
                "    labels: {team: shop}\n"
                "    restart: on-failure:3\n"
                "    healthcheck: {test: [CMD, check], interval: 5s, retries: 2}\n"
                "    user: '1000'\n"
                "    init: true\n"
                "    read_only: true\n"
                "    cap_drop: [ALL]\n"
                "    ulimits: {nofile: {soft: 1, hard: 2}}\n"
                "    sysctls: {net.core.somaxconn: 1}\n"
                "    devices: ['/dev/null:/dev/x:r']\n"
                "    stop_signal: SIGINT\n"
                "    stop_grace_period: 1500ms\n"
                "    extra_hosts: ['db:10.0.0.1']\n"
                "    logging: {driver: journald, options: {tag: t}}\n"
                "    deploy: {replicas: 1, resources: {limits: {cpus: '0.5', memory: 64m}}}\n"
                "networks: {front: {}, back: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}\n"
                "volumes: {data: {}}\n"
                "secrets: {key: {file: ./key}}\n",
                "{\"binds\":[\"/srv:/srv:ro\"],"
                "\"config\":{\"Cmd\":[\"a\",\"b c\"],\"Entrypoint\":[],\"Env\":[\"A=1\",\"B=2\",\"GONE\"],"
                "\"ExposedPorts\":{\"443/tcp\":{},\"80/tcp\":{},\"81/tcp\":{},\"90/udp\":{}},"
                "\"Healthcheck\":{\"Interval\":5000000000,\"Retries\":2,\"Test\":[\"CMD\",\"check\"]},"
                "\"StopSignal\":\"SIGINT\",\"StopTimeout\":2,\"User\":\"1000\"},"
                "\"container_name\":\"the-web\","
                "\"files\":[{\"digest\":\"sha256:d54f65b5a221fe83c56bcba8009fb5dcd9397e461e8825edfb2a10f2462d96bf\",\"name\":\"d54f65b5a221fe83c56bcba8009fb5dcd9397e461e8825edfb2a10f2462d96bf\",\"target\":\"/etc/app.conf\"},"
                "{\"digest\":\"sha256:14efa7c926377e19f20baeea500934f4f87c2ad7482ac966261d6d915f4cd372\",\"grant\":true,\"name\":\"14efa7c926377e19f20baeea500934f4f87c2ad7482ac966261d6d915f4cd372-0400--1--1\",\"target\":\"/run/secrets/key\"}],"
                "\"host\":{\"CapDrop\":[\"ALL\"],\"Devices\":[{\"CgroupPermissions\":\"r\",\"PathInContainer\":\"/dev/x\",\"PathOnHost\":\"/dev/null\"}],"
                "\"ExtraHosts\":[\"db:10.0.0.1\"],\"Init\":true,\"LogConfig\":{\"Config\":{\"tag\":\"t\"},\"Type\":\"journald\"},"
                "\"Memory\":67108864,\"NanoCpus\":500000000,"
                "\"PortBindings\":{\"443/tcp\":[{\"HostPort\":\"\"}],\"80/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"8080\"}],\"90/udp\":[{\"HostPort\":\"9000-9001\"}]},"
                "\"ReadonlyRootfs\":true,\"Sysctls\":{\"net.core.somaxconn\":\"1\"},\"Tmpfs\":{\"/run\":\"size=1m\"},"
                "\"Ulimits\":[{\"Hard\":2,\"Name\":\"nofile\",\"Soft\":1}]},"
                "\"image\":\"" IMAGE "\",\"labels\":{\"team\":\"shop\"},"
                "\"mounts\":[{\"Target\":\"/anon\",\"Type\":\"volume\"},{\"Source\":\"town_data\",\"Target\":\"/data\",\"Type\":\"volume\"}],"
                "\"networks\":[{\"aliases\":[\"web\",\"the-web\",\"www\"],\"name\":\"town_front\"},"
                "{\"aliases\":[\"web\",\"the-web\"],\"ipv4\":\"10.1.0.9\",\"name\":\"town_back\"}],"
                "\"project\":\"town\",\"restart\":{\"MaximumRetryCount\":3,\"Name\":\"on-failure\"},\"service\":\"web\"}");
}

static const char *spec_of(struct rig *rig, const char *version, const char *yaml) {
        struct workload w = rig_workload(rig, "shop", version, yaml);

        return rig_service(&w, "web")->spec_digest;
}

static void the_digest_follows_the_specification_only(void **state) {
        struct rig *rig = *state;
        const char *one = spec_of(rig, "1", "services: {web: {image: '" IMAGE "', environment: {A: '1'}}}\n");

        assert_true(digest_is_valid(one));
        assert_string_equal(one,
                            spec_of(rig, "2",
                                    "# another release\nservices: {web: {environment: [A=1], image: '" IMAGE "'}}\n"));
        assert_string_not_equal(one,
                                spec_of(rig, "1", "services: {web: {image: '" IMAGE "', environment: {A: '2'}}}\n"));
        assert_string_not_equal(one, spec_of(rig, "1",
                                             "services: {web: {image: '" IMAGE
                                             "', environment: {A: '1'}, restart: always}}\n"));
        /* How many, or what comes first, is no part of what one instance is made from. */
        assert_string_equal(one, spec_of(rig, "1",
                                         "services: {web: {image: '" IMAGE
                                         "', environment: {A: '1'}, scale: 3, depends_on: [db]}, db: {image: '" IMAGE
                                         "'}}\n"));
}

static void a_changed_file_changes_what_mounts_it_and_nothing_else(void **state) {
        static const char yaml[] =
                "services: {web: {image: '" IMAGE "', volumes: ['./conf:/conf']}, other: {image: '" IMAGE "'}}\n";
        struct rig *rig = *state;
        struct workload one, two;

        rig_file(rig, "conf/a", "1");
        one = rig_workload(rig, "shop", "1", yaml);
        rig->n_entries = 0;
        rig->entries = NULL;
        rig_file(rig, "conf/a", "2");
        two = rig_workload(rig, "shop", "1", yaml);
        assert_string_not_equal(rig_service(&one, "web")->spec_digest, rig_service(&two, "web")->spec_digest);
        assert_string_equal(rig_service(&one, "other")->spec_digest, rig_service(&two, "other")->spec_digest);
}

static void assert_refused(struct rig *rig, const char *yaml, unsigned line, const char *part) {
        own_fault struct fault fault = FAULT_INIT;
        struct workload w;

        assert_true(rig_try_workload(rig, "shop", "1", yaml, &w, &fault) < 0);
        assert_int_equal(fault.kind, FAULT_CONFIG);
        assert_int_equal(fault.line, line);
        if (!strstr(fault.message, part))
                fail_msg("%s", fault.message);
}

static void files_of_the_repository_are_not_mounted_for_writing(void **state) {
        struct rig *rig = *state;

        rig_file(rig, "a", "1");
        assert_refused(rig, "services:\n  web:\n    image: '" IMAGE "'\n    volumes:\n      - ./a:/a:rw\n", 5,
                       "cannot be mounted for writing");
        assert_refused(rig, "services:\n  web:\n    image: '" IMAGE "'\n    volumes:\n      - ./a:/a:z,rw\n", 5,
                       "cannot be mounted for writing");
        assert_refused(rig,
                       "services:\n  web:\n    image: '" IMAGE
                       "'\n    volumes:\n      - {type: bind, source: ./a, target: /a, read_only: false}\n",
                       5, "cannot be mounted for writing");
        (void)rig_workload(rig, "shop", "1",
                           "services: {web: {image: '" IMAGE
                           "', volumes: ['./a:/a', './a:/b:ro', './a:/rw', '/rw:/c:rw']}}\n");
}

static void our_labels_are_not_for_users(void **state) {
        assert_refused(*state, "services:\n  web:\n    image: '" IMAGE "'\n    labels:\n      tallyman.host: other\n",
                       5, "tallyman.");
        assert_refused(*state,
                       "services:\n  web:\n    image: '" IMAGE "'\n    labels:\n      - com.docker.compose.project=x\n",
                       5, "com.docker.compose.");
}

static void what_cannot_stand_twice_is_exclusive(void **state) {
        static const struct {
                const char *settings;
                const char *why;
        } table[] = {
                { "init: true", NULL },
                { "ports: ['80']", NULL },
                { "ports: ['8000-8009:80']", NULL },
                { "ports: ['8080:80']", "it publishes port 8080 of the host" },
                { "container_name: one", "it has the container_name one" },
                { "network_mode: host", "it uses the host's network" },
                { "volumes: ['data:/data']", "it writes to the volume data" },
                { "volumes: ['data:/data:ro']", NULL },
                { "volumes: ['/srv:/srv']", "it writes to the host's folder /srv" },
                { "volumes: ['/anonymous']", NULL },
                { "networks: {n: {ipv4_address: 10.1.0.2}}", "it has the fixed address 10.1.0.2 on the network n" },
        };
        struct rig *rig = *state;

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                bool volume = strstr(table[i].settings, "data:"), network = strstr(table[i].settings, "networks:");
                const char *yaml =
                        arena_printf(rig->arena, "services: {web: {image: '" IMAGE "', %s}}\n%s%s", table[i].settings,
                                     volume ? "volumes: {data: {}}\n" : "",
                                     network ? "networks: {n: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}\n" : "");
                struct workload w = rig_workload(rig, "shop", "1", yaml);

                assert_int_equal(rig_service(&w, "web")->exclusive, table[i].why != NULL);
                if (table[i].why)
                        assert_string_equal(rig_service(&w, "web")->why_exclusive, table[i].why);
                else
                        assert_null(rig_service(&w, "web")->why_exclusive);
        }
}

static void resources_are_what_the_services_use(void **state) {
        struct rig *rig = *state;
        struct workload w;
        const json_t *files;

        rig_file(rig, "conf/a", "text");
        rig_file(rig, "conf/b", "");
        rig_file(rig, "other", "never mounted");
        w = rig_workload(rig, "shop", "1",
                         "services:\n"
                         "  web: {image: '" IMAGE "', volumes: ['./conf:/conf', 'v:/v'], networks: [n]}\n"
                         "  two: {image: '" IMAGE "', volumes: ['./conf:/etc/conf'], networks: [n]}\n"
                         "networks: {n: {internal: true, labels: {a: b}}, unused: {}}\n"
                         "volumes: {v: {name: well, external: true}}\n");
        files = json_object_get(w.resources, "files");
        assert_int_equal(json_array_size(files), 1);
        assert_int_equal(json_array_size(json_object_get(json_array_get(files, 0), "entries")), 2);
        assert_string_equal(
                canonical(rig, json_object_get(w.resources, "networks")),
                "[{\"create\":{\"Internal\":true,\"Labels\":{\"a\":\"b\"},\"Name\":\"shop_n\"},\"external\":false,\"key\":\"n\",\"name\":\"shop_n\"}]");
        assert_string_equal(canonical(rig, json_object_get(w.resources, "volumes")),
                            "[{\"create\":{\"Name\":\"well\"},\"external\":true,\"key\":\"v\",\"name\":\"well\"}]");
        assert_null(strstr(canonical(rig, w.resources), "never mounted"));
}

static void a_workload_has_its_artifact(void **state) {
        struct workload w = rig_workload(*state, "shop", "1.2", "services: {web: {image: '" IMAGE "'}}\n");
        struct digest digest = digest_of(w.artifact, strlen(w.artifact));

        assert_string_equal(w.artifact_digest, digest.text);
        assert_non_null(strstr(w.artifact, IMAGE));
        assert_string_equal(w.runtime, "docker");
        assert_string_equal(w.version, "1.2");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
        CASE(the_smallest_service),
        CASE(a_service_with_everything),
        CASE(the_digest_follows_the_specification_only),
        CASE(a_changed_file_changes_what_mounts_it_and_nothing_else),
        CASE(files_of_the_repository_are_not_mounted_for_writing),
        CASE(our_labels_are_not_for_users),
        CASE(what_cannot_stand_twice_is_exclusive),
        CASE(resources_are_what_the_services_use),
        CASE(a_workload_has_its_artifact),
};

TEST_GROUP(render, tests);
