/* SPDX-License-Identifier: Apache-2.0 */

/* What a compose file means that docker compose carries out. What is refused in one is in tests/golden/whole-…. */

#include "shared/compose/merge.h"
#include "tests/lib/group.h"
#include "tests/unit/model/support.h"

#define IMAGE "image: 'web@" DIGEST_A "'"

static int read_with(const char *yaml, const char *profiles, struct arena *a, struct compose *ret,
                     struct fault *reterr) {
        const struct desired_entry entries[] = {
                entry_of("apps/shop/web.env", "A=file\nB=file\n"),
                entry_of("apps/shop/conf/x", "x"),
                entry_of("apps/shop/sub/conf/y", "y"),
                entry_of("apps/shop/sub/more.yaml",
                         "services:\n"
                         "  base:\n"
                         "    " IMAGE "\n"
                         "    env_file: ../web.env\n"
                         "    environment: [B=base, 'C=$GIVEN']\n"
                         "    volumes: ['./conf/y:/etc/y', '../conf/x:/etc/x', 'data:/data:ro']\n"
                         "    ports: ['80']\n"
                         "    command: [one, two]\n"
                         "    labels: {a: base, b: base}\n"
                         "    logging: {driver: json-file, options: {max-size: 1m}}\n"
                         "    healthcheck: {test: [CMD, 'true'], retries: 3}\n"
                         "    depends_on: [db]\n"
                         "    restart: always\n"
                         "  db: {" IMAGE "}\n"
                         "volumes: {data: {}}\n"
                         "configs: {plain: {file: ./conf/y}}\n"),
        };
        struct variable items[] = { { "COMPOSE_PROFILES", profiles }, { "GIVEN", "g" } };
        struct variables *variables = arena_new_of(a, struct variables);
        struct app_files *files = arena_new_of(a, struct app_files);
        struct compose_input in = { .app = "shop", .files = files, .variables = variables, .keys = COMPOSE_KEYS_ALL };

        *variables = variables_make(items, 2, a);
        assert_int_equal(app_files_make("apps/shop", entries, 4, a, files, reterr), 0);
        return compose_read(parse_yaml(yaml, a), &in, a, ret, reterr);
}

static void read_ok(const char *yaml, const char *profiles, struct arena *a, struct compose *ret) {
        own_fault struct fault fault = FAULT_INIT;

        if (read_with(yaml, profiles, a, ret, &fault) < 0)
                fail_msg("%u:%u: %s", fault.line, fault.column, fault.message);
}

static const char *variable(const struct compose_service *s, const char *key) {
        for (size_t i = 0; i < s->environment.n; i++)
                if (strcmp(s->environment.items[i].key.text, key) == 0)
                        return s->environment.items[i].value.text;
        return NULL;
}

static const char extending[] = "include: [sub/more.yaml]\n"
                                "services:\n"
                                "  web:\n"
                                "    extends: {service: base, file: sub/more.yaml}\n"
                                "    environment: {B: mine}\n"
                                "    volumes: ['./conf/x:/etc/y']\n"
                                "    ports: ['81']\n"
                                "    command: [three]\n"
                                "    labels: ['b=mine']\n"
                                "    logging: {driver: journald}\n"
                                "    healthcheck: {test: [CMD, 'false']}\n"
                                "    networks: [front]\n"
                                "    blkio_config: {weight: 100}\n"
                                "networks: {front: {}}\n";

static void what_is_extended_and_included_is_put_in(void **state) {
        own_arena struct arena *a = arena_new();
        const struct compose_service *web;
        const struct compose_mount *mounts;
        struct compose c;

        (void)state;
        read_ok(extending, "", a, &c);
        web = compose_find(&c, "web");
        assert_int_equal(c.services.n, 3);
        assert_non_null(compose_find(&c, "base"));
        /* Env files, then the base's variables, then its own. */
        assert_string_equal(variable(web, "A"), "file");
        assert_string_equal(variable(web, "B"), "mine");
        assert_string_equal(variable(web, "C"), "g");
        assert_string_equal(variable(compose_find(&c, "base"), "B"), "base");
        /* The mount with the same target is replaced; paths are those of the folder that they were written in. */
        mounts = web->mounts.items;
        assert_int_equal(web->mounts.n, 3);
        assert_string_equal(mounts[0].target, "/data");
        assert_string_equal(mounts[1].source, "conf/x");
        assert_string_equal(mounts[2].target, "/etc/y");
        assert_string_equal(mounts[2].source, "conf/x");
        mounts = compose_find(&c, "base")->mounts.items;
        assert_string_equal(mounts[2].source, "sub/conf/y");
        assert_int_equal(web->ports.n, 2);
        assert_int_equal(web->restart, RESTART_ALWAYS);
        assert_int_equal(web->depends_on.n, 1);
        assert_string_equal(((struct compose_attachment *)web->networks.items)->network, "front");
        /* All of it stands in the node. */
        assert_int_equal(node_get(web->node, "command")->n, 1);
        assert_string_equal(node_get(node_get(web->node, "labels"), "a")->text, "base");
        assert_string_equal(node_get(node_get(web->node, "labels"), "b")->text, "mine");
        assert_null(node_get(node_get(web->node, "logging"), "options"));
        assert_int_equal(node_get(node_get(web->node, "healthcheck"), "test")->n, 2);
        assert_int_equal(node_get(node_get(web->node, "healthcheck"), "retries")->integer, 3);
        assert_int_equal(node_get(node_get(web->node, "blkio_config"), "weight")->integer, 100);
        assert_null(node_get(web->node, "extends"));
        assert_null(node_get(c.root, "include"));
        assert_string_equal(node_get(node_get(node_get(c.root, "configs"), "plain"), "file")->text, "./sub/conf/y");
}

static void a_profile_decides_whether_a_service_runs(void **state) {
        static const char yaml[] = "services:\n"
                                   "  web: {" IMAGE "}\n"
                                   "  debug: {" IMAGE ", profiles: [debug, all], deploy: {replicas: 2}}\n";
        own_arena struct arena *a = arena_new();
        struct compose c;

        (void)state;
        read_ok(yaml, "", a, &c);
        assert_int_equal(compose_find(&c, "web")->replicas, 1);
        assert_int_equal(compose_find(&c, "debug")->replicas, 0);
        read_ok(yaml, "x,all", a, &c);
        assert_int_equal(compose_find(&c, "debug")->replicas, 2);
        read_ok(yaml, "*", a, &c);
        assert_int_equal(compose_find(&c, "debug")->replicas, 2);
        read_ok(yaml, "al", a, &c);
        assert_int_equal(compose_find(&c, "debug")->replicas, 0);
}

static void the_restart_policy_of_deploy_wins(void **state) {
        static const struct {
                const char *policy;
                enum compose_restart restart;
                int64_t retries;
        } table[] = {
                { "{condition: on-failure, max_attempts: 4}", RESTART_ON_FAILURE, 4 },
                { "{condition: none}", RESTART_NO, 0 },
                { "{condition: any}", RESTART_ALWAYS, 0 },
                { "{delay: 5s}", RESTART_ALWAYS, 0 },
        };
        own_arena struct arena *a = arena_new();
        struct compose c;

        (void)state;
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                read_ok(arena_printf(a,
                                     "services: {web: {" IMAGE
                                     ", restart: unless-stopped, deploy: {restart_policy: %s}}}\n",
                                     table[i].policy),
                        "", a, &c);
                assert_int_equal(compose_find(&c, "web")->restart, table[i].restart);
                assert_int_equal(compose_find(&c, "web")->restart_retries, table[i].retries);
        }
}

static void a_mode_that_only_docker_compose_knows_has_no_networks(void **state) {
        own_arena struct arena *a = arena_new();
        struct compose c;

        (void)state;
        read_ok("services: {web: {" IMAGE ", network_mode: 'container:other'}}\n", "", a, &c);
        assert_int_equal(compose_find(&c, "web")->networks.n, 0);
        assert_int_equal(c.networks.n, 0);
        assert_string_equal(node_get(compose_find(&c, "web")->node, "network_mode")->text, "container:other");
}

static void the_same_file_means_the_same_to_both_readers(void **state) {
        static const char yaml[] =
                "services:\n"
                "  web: {" IMAGE
                ", env_file: [web.env], environment: {C: '$GIVEN'}, volumes: ['./conf:/conf', 'd:/d'],\n"
                "        ports: ['8080:80'], depends_on: {db: {condition: service_healthy}}, stop_grace_period: 3s, scale: 1}\n"
                "  db: {" IMAGE ", container_name: db, healthcheck: {test: [CMD, x]}}\n"
                "volumes: {d: {}}\n";
        const struct desired_entry entries[] = { entry_of("apps/shop/web.env", "A=file\nB=file\n"),
                                                 entry_of("apps/shop/conf/x", "x") };
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct variable items[] = { { "GIVEN", "g" } };
        struct variables variables = variables_make(items, 1, a);
        struct app_files files;
        struct compose_input in = { .app = "shop", .files = &files, .variables = &variables };
        struct compose strict, whole;
        const struct compose_service *x, *y;

        (void)state;
        assert_int_equal(app_files_make("apps/shop", entries, 2, a, &files, &fault), 0);
        assert_int_equal(compose_read(parse_yaml(yaml, a), &in, a, &strict, &fault), 0);
        in.keys = COMPOSE_KEYS_ALL;
        assert_int_equal(compose_read(parse_yaml(yaml, a), &in, a, &whole, &fault), 0);
        assert_int_equal(strict.services.n, whole.services.n);
        for (size_t i = 0; i < strict.services.n; i++) {
                x = (const struct compose_service *)strict.services.items + i;
                y = (const struct compose_service *)whole.services.items + i;
                assert_string_equal(x->name.text, y->name.text);
                assert_int_equal(x->environment.n, y->environment.n);
                assert_int_equal(x->ports.n, y->ports.n);
                assert_int_equal(x->mounts.n, y->mounts.n);
                assert_int_equal(x->depends_on.n, y->depends_on.n);
                assert_int_equal(x->stop_grace_ns, y->stop_grace_ns);
                assert_int_equal(!x->healthcheck, !y->healthcheck);
                for (size_t m = 0; m < x->mounts.n; m++)
                        assert_string_equal(((struct compose_mount *)x->mounts.items)[m].digest.text,
                                            ((struct compose_mount *)y->mounts.items)[m].digest.text);
        }
}

static void paths_move_and_cannot_leave(void **state) {
        static const struct {
                const char *folder, *path, *expected;
        } table[] = {
                { "", "./x", "x" },   { "sub", "x", "sub/x" }, { "sub", "../x", "x" }, { "a/b", "../../x/./y", "x/y" },
                { "a/b", "..", "a" }, { "a", "..", "" },       { "", ".", "" },        { "a", "../..", NULL },
                { "", "../x", NULL }, { "a", "/x", NULL },     { "a", "~/x", NULL },   { "a", "b/../../../c", NULL },
        };
        own_arena struct arena *a = arena_new();

        (void)state;
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                const char *found = compose_path_from(table[i].folder, table[i].path, a);

                if (table[i].expected)
                        assert_string_equal(found, table[i].expected);
                else
                        assert_null(found);
        }
}

/* Forms that say the same meet. */
static void forms_are_merged(void **state) {
        static const struct {
                const char *base, *over, *expected;
        } table[] = {
                { "{dns: 1.1.1.1}", "{dns: [2.2.2.2, 1.1.1.1]}", "{\"dns\":[\"1.1.1.1\",\"2.2.2.2\"]}" },
                { "{depends_on: [a]}", "{depends_on: {a: {condition: service_healthy}}}",
                  "{\"depends_on\":{\"a\":{\"condition\":\"service_healthy\"}}}" },
                { "{networks: [a]}", "{networks: {b: {aliases: [x]}}}",
                  "{\"networks\":{\"a\":null,\"b\":{\"aliases\":[\"x\"]}}}" },
                { "{extra_hosts: {a: '1'}}", "{extra_hosts: ['b=2', 'a=1']}", "{\"extra_hosts\":[\"a=1\",\"b=2\"]}" },
                { "{ports: [{target: 80, published: 1}]}", "{ports: [{target: 80, published: 1, host_ip: ''}, 80]}",
                  "{\"ports\":[{\"host_ip\":\"\",\"published\":1,\"target\":80},80]}" },
                { "{secrets: [s]}", "{secrets: [{source: s, target: s}]}",
                  "{\"secrets\":[{\"source\":\"s\",\"target\":\"s\"}]}" },
                { "{cap_add: [A, B]}", "{cap_add: [B, C]}", "{\"cap_add\":[\"A\",\"B\",\"C\"]}" },
                { "{environment: {A: 1}}", "{environment: }", "{\"environment\":{\"A\":1}}" },
                { "{read_only: true}", "{read_only: false}", "{\"read_only\":false}" },
                { "{group_add: [a]}", "{group_add: [a]}", "{\"group_add\":[\"a\",\"a\"]}" },
                { "{logging: {driver: a, options: {x: 1}}}", "{logging: {options: {y: 2}}}",
                  "{\"logging\":{\"driver\":\"a\",\"options\":{\"x\":1,\"y\":2}}}" },
        };
        own_arena struct arena *a = arena_new();

        (void)state;
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                const struct node *merged =
                        compose_merge_service(parse_yaml(table[i].base, a), parse_yaml(table[i].over, a), a);
                json_t *json = node_to_json(merged);
                own_free char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

                json_decref(json);
                assert_string_equal(text, table[i].expected);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_extended_and_included_is_put_in),
        cmocka_unit_test(a_profile_decides_whether_a_service_runs),
        cmocka_unit_test(the_restart_policy_of_deploy_wins),
        cmocka_unit_test(a_mode_that_only_docker_compose_knows_has_no_networks),
        cmocka_unit_test(the_same_file_means_the_same_to_both_readers),
        cmocka_unit_test(paths_move_and_cannot_leave),
        cmocka_unit_test(forms_are_merged),
};

TEST_GROUP(compose_whole, tests);
