/* SPDX-License-Identifier: Apache-2.0 */

/* What a compose file means. What is refused in one is in tests/golden. */

#include "shared/base/limits.h"
#include "tests/lib/group.h"
#include "tests/unit/model/support.h"

#define WEB "services:\n  web:\n    image: web@" DIGEST_A "\n"

static int read_with(const char *yaml, const struct desired_entry *entries, size_t n, struct arena *a,
                     struct compose *ret, struct fault *reterr) {
        static const struct variable items[] = { { "GIVEN", "g" } };
        static const struct variables variables = { .items = items, .n = 1 };
        struct app_files *files = arena_new_of(a, struct app_files);
        struct compose_input in = { .app = "shop", .files = files, .variables = &variables };

        assert_int_equal(app_files_make("apps/shop", entries, n, a, files, reterr), 0);
        return compose_read(parse_yaml(yaml, a), &in, a, ret, reterr);
}

static void read_ok(const char *yaml, struct arena *a, struct compose *ret) {
        const struct desired_entry entries[] = {
                entry_of("apps/shop/web.env", "A=file\nB=\"file $GIVEN\"\nC\n"),
                entry_of("apps/shop/conf/x", "x"),
                entry_of("apps/shop/conf/y", "y"),
                entry_of("apps/shop/key", "secret"),
                entry_of("apps/shop/seccomp.json", "{\"a\": 1}"),
        };
        own_fault struct fault fault = FAULT_INIT;

        if (read_with(yaml, entries, 5, a, ret, &fault) < 0)
                fail_msg("%u:%u: %s", fault.line, fault.column, fault.message);
}

static const struct compose_service *first(const struct compose *c) {
        return c->services.items;
}

static void the_smallest_file_has_defaults(void **state) {
        own_arena struct arena *a = arena_new();
        struct compose c;
        const struct compose_service *s;
        const struct compose_attachment *n;

        (void)state;
        read_ok("version: '3.8'\nx-any: {thing: 1}\n" WEB, a, &c);
        s = first(&c);
        assert_string_equal(c.project, "shop");
        assert_string_equal(s->name.text, "web");
        assert_int_equal(s->replicas, 1);
        assert_int_equal(s->stop_grace_ns, COMPOSE_DEFAULT_STOP_GRACE_NS);
        assert_int_equal(s->restart, RESTART_NO);
        assert_false(s->command.set);
        assert_null(s->init);
        assert_null(s->healthcheck);
        n = s->networks.items;
        assert_int_equal(s->networks.n, 1);
        assert_string_equal(n->network, "default");
        assert_string_equal(compose_find_network(&c, "default")->name, "shop_default");
        assert_null(compose_find(&c, "api"));
        assert_ptr_equal(compose_find(&c, "web"), s);
}

static void commands_are_words(void **state) {
        own_arena struct arena *a = arena_new();
        struct compose c;

        (void)state;
        read_ok(WEB "    command: run 'a b'\n    entrypoint: []\n", a, &c);
        assert_int_equal(first(&c)->command.words.n, 2);
        assert_string_equal(first(&c)->command.words.items[1].text, "a b");
        assert_true(first(&c)->entrypoint.set);
        assert_int_equal(first(&c)->entrypoint.words.n, 0);
        read_ok(WEB "    command: [run, 1, true]\n    entrypoint: null\n", a, &c);
        assert_string_equal(first(&c)->command.words.items[2].text, "true");
        assert_false(first(&c)->entrypoint.set);
}

static const char *env(const struct compose *c, const char *key) {
        const struct string_map *map = &first(c)->environment;

        for (size_t i = 0; i < map->n; i++)
                if (strcmp(map->items[i].key.text, key) == 0)
                        return map->items[i].value.text ? map->items[i].value.text : "(unset)";
        return "(absent)";
}

static void the_environment_is_files_then_values(void **state) {
        own_arena struct arena *a = arena_new();
        struct compose c;

        (void)state;
        read_ok(WEB "    env_file: [web.env, {path: other.env, required: false}]\n"
                    "    environment: {B: here, N: 1, GIVEN: , EMPTY: ''}\n",
                a, &c);
        assert_string_equal(env(&c, "A"), "file");
        assert_string_equal(env(&c, "B"), "here");
        assert_string_equal(env(&c, "C"), "(unset)");
        assert_string_equal(env(&c, "N"), "1");
        assert_string_equal(env(&c, "GIVEN"), "g");
        assert_string_equal(env(&c, "EMPTY"), "");
        for (size_t i = 1; i < first(&c)->environment.n; i++)
                assert_true(strcmp(first(&c)->environment.items[i - 1].key.text,
                                   first(&c)->environment.items[i].key.text) < 0);
        read_ok(WEB "    env_file: web.env\n    environment: [A=$GIVEN, C]\n", a, &c);
        assert_string_equal(env(&c, "A"), "g");
        assert_string_equal(env(&c, "B"), "file g");
        read_ok(WEB "    env_file: {path: web.env, format: raw}\n", a, &c);
        assert_string_equal(env(&c, "B"), "\"file $GIVEN\"");
}

static void every_form_of_a_port_is_read(void **state) {
        static const struct {
                const char *in;
                size_t n;
                const char *ip;
                int published, last, target, protocol;
        } cases[] = {
                { "80", 1, NULL, 0, 0, 80, PROTOCOL_TCP },
                { "'80'", 1, NULL, 0, 0, 80, PROTOCOL_TCP },
                { "'80/udp'", 1, NULL, 0, 0, 80, PROTOCOL_UDP },
                { "'8080:80'", 1, NULL, 8080, 8080, 80, PROTOCOL_TCP },
                { "'127.0.0.1:8080:80/sctp'", 1, "127.0.0.1", 8080, 8080, 80, PROTOCOL_SCTP },
                { "'127.0.0.1::80'", 1, "127.0.0.1", 0, 0, 80, PROTOCOL_TCP },
                { "'[::1]:8080:80'", 1, "::1", 8080, 8080, 80, PROTOCOL_TCP },
                { "'::1:8080:80'", 1, "::1", 8080, 8080, 80, PROTOCOL_TCP },
                { "'8000-8002:80-82'", 3, NULL, 8000, 8000, 80, PROTOCOL_TCP },
                { "'80-82'", 3, NULL, 0, 0, 80, PROTOCOL_TCP },
                { "'8000-8010:80'", 1, NULL, 8000, 8010, 80, PROTOCOL_TCP },
                { "{target: 80}", 1, NULL, 0, 0, 80, PROTOCOL_TCP },
                { "{target: 80, published: 8080, protocol: udp, host_ip: '::1', mode: host, name: x}", 1, "::1", 8080,
                  8080, 80, PROTOCOL_UDP },
                { "{target: 80, published: '8000-8010'}", 1, NULL, 8000, 8010, 80, PROTOCOL_TCP },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_arena struct arena *a = arena_new();
                const struct compose_port *p;
                struct compose c;

                read_ok(arena_printf(a, WEB "    ports: [%s]\n", cases[i].in), a, &c);
                p = first(&c)->ports.items;
                assert_int_equal(first(&c)->ports.n, cases[i].n);
                assert_true((p->host_ip == NULL) == (cases[i].ip == NULL));
                if (p->host_ip)
                        assert_string_equal(p->host_ip, cases[i].ip);
                assert_int_equal(p->published, cases[i].published);
                assert_int_equal(p->published_last, cases[i].last);
                assert_int_equal(p->target, cases[i].target);
                assert_int_equal(p->protocol, cases[i].protocol);
                for (size_t k = 1; k < cases[i].n; k++) {
                        assert_int_equal(p[k].target, cases[i].target + (int)k);
                        assert_int_equal(p[k].published, cases[i].published ? cases[i].published + (int)k : 0);
                }
        }
}

static void ports_on_different_addresses_do_not_clash(void **state) {
        own_arena struct arena *a = arena_new();
        struct compose c;

        (void)state;
        read_ok(WEB "    ports: ['127.0.0.1:80:1', '127.0.0.2:80:1', '[::1]:80:1', '80:1/udp', '81:1']\n"
                    "  off:\n    image: web\n    scale: 0\n    ports: ['81:1']\n",
                a, &c);
        assert_int_equal(c.services.n, 2);
}

static void every_form_of_a_mount_is_read(void **state) {
        own_arena struct arena *a = arena_new();
        const struct compose_mount *m;
        struct compose c;

        (void)state;
        read_ok(WEB
                "    volumes:\n"
                "      - ./conf:/g/\n"
                "      - /srv/data:/a:ro,Z,rslave\n"
                "      - data:/b:nocopy\n"
                "      - /c\n"
                "      - ./conf/x:/d:ro\n"
                "      - {type: tmpfs, target: /e, tmpfs: {size: 1m, mode: 0700}}\n"
                "      - {type: bind, source: /x, target: /f, read_only: true, bind: {create_host_path: false, propagation: shared}}\n"
                "volumes:\n  data:\n  unused: {}\n",
                a, &c);
        m = first(&c)->mounts.items;
        assert_int_equal(first(&c)->mounts.n, 7);
        assert_int_equal(m[0].type, MOUNT_BIND);
        assert_string_equal(m[0].source, "/srv/data");
        assert_true(m[0].read_only && m[0].create_host_path);
        assert_string_equal(m[0].selinux, "Z");
        assert_string_equal(m[0].propagation, "rslave");
        assert_int_equal(m[1].type, MOUNT_VOLUME);
        assert_true(m[1].nocopy);
        assert_int_equal(m[2].type, MOUNT_VOLUME);
        assert_null(m[2].source);
        assert_int_equal(m[3].type, MOUNT_FILES);
        assert_string_equal(m[3].source, "conf/x");
        assert_false(m[3].folder);
        assert_int_equal(m[4].type, MOUNT_TMPFS);
        assert_int_equal(m[4].tmpfs_size, 1024 * 1024);
        assert_int_equal(m[4].tmpfs_mode, 0700);
        assert_false(m[5].create_host_path);
        assert_string_equal(m[5].propagation, "shared");
        assert_string_equal(m[6].target, "/g");
        assert_true(m[6].folder);
        assert_true(digest_is_set(&m[6].digest));
        assert_int_equal(c.volumes.n, 1);
        assert_string_equal(compose_find_volume(&c, "data")->name, "shop_data");
}

static void configs_and_secrets_are_files_with_their_bytes(void **state) {
        own_arena struct arena *a = arena_new();
        const struct compose_grant *g;
        struct compose c;

        (void)state;
        read_ok(WEB "    configs: [c1, {source: c2, target: /etc/c2, uid: 7, gid: '8', mode: 0640}, c3]\n"
                    "    secrets: [s1, {source: s1, target: other}]\n"
                    "configs: {c1: {file: ./conf/x}, c2: {content: 'hi ${GIVEN}'}, c3: {environment: GIVEN}}\n"
                    "secrets: {s1: {file: key}}\n",
                a, &c);
        g = first(&c)->grants.items;
        assert_int_equal(first(&c)->grants.n, 5);
        assert_string_equal(g[0].target, "/c1");
        assert_string_equal(g[0].path, "conf/x");
        assert_int_equal(g[0].mode, 0444);
        assert_int_equal(g[0].uid, -1);
        assert_string_equal(g[1].target, "/etc/c2");
        assert_memory_equal(g[1].bytes, "hi g", 4);
        assert_int_equal(g[1].uid, 7);
        assert_int_equal(g[1].gid, 8);
        assert_int_equal(g[1].mode, 0640);
        assert_memory_equal(g[2].bytes, "g", 1);
        assert_string_equal(g[3].target, "/run/secrets/s1");
        assert_true(g[3].secret);
        assert_string_equal(g[4].target, "/run/secrets/other");
}

static void networks_are_ordered_by_priority(void **state) {
        own_arena struct arena *a = arena_new();
        const struct compose_attachment *n;
        const struct compose_network *net;
        struct compose c;

        (void)state;
        read_ok("name: other\n" WEB
                "    networks: {b: , a: {priority: 1, aliases: [x, y]}, c: {ipv4_address: 10.0.0.9}}\n"
                "networks:\n  a: {driver: bridge, driver_opts: {mtu: 1400}, internal: true, enable_ipv6: true, labels: [k=v],\n"
                "      ipam: {driver: default, config: [{subnet: 10.0.0.0/24, gateway: 10.0.0.1}]}}\n"
                "  b: {external: true, name: outside}\n  c:\n  unused:\n",
                a, &c);
        n = first(&c)->networks.items;
        assert_string_equal(n[0].network, "a");
        assert_int_equal(n[0].aliases.n, 2);
        assert_string_equal(n[1].network, "b");
        assert_string_equal(n[2].ipv4_address.text, "10.0.0.9");
        assert_int_equal(c.networks.n, 3);
        net = compose_find_network(&c, "a");
        assert_string_equal(net->name, "other_a");
        assert_true(net->internal && *net->enable_ipv6);
        assert_null(net->enable_ipv4);
        assert_int_equal(net->ipam_config.n, 1);
        assert_string_equal(net->driver_opts.items[0].value.text, "1400");
        assert_string_equal(compose_find_network(&c, "b")->name, "outside");
        read_ok(WEB "    network_mode: host\n", a, &c);
        assert_int_equal(first(&c)->networks.n, 0);
        assert_string_equal(first(&c)->network_mode.text, "host");
}

static void health_checks_and_restarts_are_read(void **state) {
        own_arena struct arena *a = arena_new();
        const struct compose_healthcheck *h;
        struct compose c;

        (void)state;
        read_ok(WEB "    healthcheck: {test: curl localhost, interval: 1m30s, retries: 3, start_interval: 500ms}\n"
                    "    restart: on-failure:5\n    stop_grace_period: 1m\n",
                a, &c);
        h = first(&c)->healthcheck;
        assert_int_equal(h->test.n, 2);
        assert_string_equal(h->test.items[0].text, "CMD-SHELL");
        assert_int_equal(h->interval_ns, INT64_C(90) * 1000 * 1000 * 1000);
        assert_int_equal(h->start_interval_ns, 500 * 1000 * 1000);
        assert_int_equal(h->retries, 3);
        assert_int_equal(first(&c)->restart, RESTART_ON_FAILURE);
        assert_int_equal(first(&c)->restart_retries, 5);
        assert_int_equal(first(&c)->stop_grace_ns, INT64_C(60) * 1000 * 1000 * 1000);
        read_ok(WEB "    healthcheck: {test: [CMD, a, b]}\n    restart: 'no'\n", a, &c);
        assert_int_equal(first(&c)->healthcheck->test.n, 3);
        read_ok(WEB "    healthcheck: {disable: true}\n    restart: unless-stopped\n", a, &c);
        assert_string_equal(first(&c)->healthcheck->test.items[0].text, "NONE");
        read_ok(WEB "    healthcheck: {test: NONE}\n", a, &c);
        assert_true(first(&c)->healthcheck->disable);
        read_ok(WEB "    healthcheck: {interval: 1s}\n", a, &c);
        assert_int_equal(first(&c)->healthcheck->test.n, 0);
}

static void limits_are_numbers(void **state) {
        own_arena struct arena *a = arena_new();
        const struct compose_ulimit *u;
        const struct compose_service *s;
        struct compose c;

        (void)state;
        read_ok(WEB
                "    deploy: {replicas: 3, mode: replicated, resources: {limits: {cpus: '0.5', memory: 64M, pids: 10},"
                " reservations: {memory: 32m}}}\n"
                "    memswap_limit: -1\n    shm_size: 1gb\n    cpu_shares: 512\n    cpuset: '0,1'\n"
                "    ulimits: {nofile: 1024, core: {soft: 0, hard: -1}}\n",
                a, &c);
        s = first(&c);
        assert_int_equal(s->replicas, 3);
        assert_int_equal(s->nano_cpus, 500000000);
        assert_int_equal(s->memory, 64 * 1024 * 1024);
        assert_int_equal(s->memory_reservation, 32 * 1024 * 1024);
        assert_int_equal(s->memory_swap, -1);
        assert_int_equal(s->pids_limit, 10);
        assert_int_equal(s->shm_size, 1024 * 1024 * 1024);
        u = s->ulimits.items;
        assert_int_equal(u[0].soft, 1024);
        assert_int_equal(u[0].hard, 1024);
        assert_int_equal(u[1].hard, -1);
        read_ok(WEB "    mem_limit: 1024\n    cpus: 2\n    pids_limit: -1\n    scale: 0\n", a, &c);
        assert_int_equal(first(&c)->memory, 1024);
        assert_int_equal(first(&c)->nano_cpus, 2000000000);
        assert_int_equal(first(&c)->replicas, 0);
}

static void the_rest_of_a_service_is_read(void **state) {
        own_arena struct arena *a = arena_new();
        const struct compose_device *d;
        const struct compose_tmpfs *t;
        const struct compose_service *s;
        struct compose c;

        (void)state;
        read_ok(WEB
                "    user: 1000\n    working_dir: /w\n    hostname: h\n    domainname: d\n    init: true\n"
                "    read_only: true\n    privileged: true\n    tty: true\n    stdin_open: true\n"
                "    cap_add: [NET_ADMIN]\n    cap_drop: [ALL]\n    group_add: [7, video]\n"
                "    security_opt: [no-new-privileges, 'seccomp:./seccomp.json', 'seccomp=unconfined']\n"
                "    sysctls: {net.core.somaxconn: 1024}\n    devices: ['/dev/fuse', '/dev/a:/dev/b:r', '/dev/c:rw']\n"
                "    extra_hosts: ['a:10.0.0.1', 'b=[::1]', 'c=host-gateway']\n    dns: 1.1.1.1\n    dns_search: [x, y]\n"
                "    dns_opt: ['ndots:1']\n    logging: {driver: journald, options: {tag: t, n: 3}}\n"
                "    tmpfs: ['/t:size=1m', /u]\n    expose: [90, '91/udp']\n    labels: [a=b, c]\n"
                "    annotations: {x: y}\n    platform: linux/arm64\n    stop_signal: SIGUSR1\n    ipc: host\n    pid: host\n"
                "    oom_score_adj: -5\n    container_name: one\n    pull_policy: always\n    device_cgroup_rules: ['c 1:3 mr']\n",
                a, &c);
        s = first(&c);
        assert_string_equal(s->user, "1000");
        assert_true(*s->init && s->read_only && s->privileged && s->tty && s->stdin_open);
        assert_string_equal(s->group_add.items[0].text, "7");
        assert_string_equal(s->security_opt.items[1].text, "seccomp={\"a\": 1}");
        assert_string_equal(s->security_opt.items[2].text, "seccomp=unconfined");
        d = s->devices.items;
        assert_string_equal(d[0].container, "/dev/fuse");
        assert_string_equal(d[0].permissions, "rwm");
        assert_string_equal(d[1].container, "/dev/b");
        assert_string_equal(d[1].permissions, "r");
        assert_string_equal(d[2].container, "/dev/c");
        assert_string_equal(d[2].permissions, "rw");
        assert_string_equal(s->extra_hosts.items[1].text, "b:::1");
        assert_string_equal(s->extra_hosts.items[2].text, "c:host-gateway");
        assert_int_equal(s->dns.n, 1);
        assert_string_equal(s->logging.options.items[0].key.text, "n");
        t = s->tmpfs.items;
        assert_string_equal(t[0].options, "size=1m");
        assert_string_equal(t[1].target, "/u");
        assert_int_equal(s->expose.n, 2);
        assert_string_equal(s->labels.items[1].value.text, "");
        assert_int_equal(s->oom_score_adj, -5);
        assert_string_equal(s->container_name.text, "one");
}

static void services_stand_after_what_they_depend_on(void **state) {
        static const char *const expected[] = { "db", "migrate", "api", "aaa", "web" };
        own_arena struct arena *a = arena_new();
        const struct compose_service *s;
        const struct compose_depend *d;
        struct compose c;

        (void)state;
        read_ok("services:\n"
                "  web: {image: x, depends_on: [aaa, api]}\n"
                "  aaa: {image: x, depends_on: {api: {condition: service_healthy, restart: false}, gone: {condition: service_started, required: false}}}\n"
                "  api: {image: x, depends_on: {migrate: {condition: service_completed_successfully}}}\n"
                "  migrate: {image: x, depends_on: [db]}\n"
                "  db: {image: x}\n",
                a, &c);
        s = c.services.items;
        for (size_t i = 0; i < 5; i++)
                assert_string_equal(s[i].name.text, expected[i]);
        d = s[3].depends_on.items;
        assert_int_equal(d[0].condition, DEPEND_HEALTHY);
        assert_true(d[0].required);
        assert_false(d[1].required);
}

static void a_list_or_a_map_is_what_its_key_takes_or_nothing(void **state) {
        static const struct {
                const char *key, *shape;
        } rows[] = {
                { "ports", "a list" },
                { "expose", "a list" },
                { "volumes", "a list" },
                { "configs", "a list" },
                { "secrets", "a list" },
                { "devices", "a list" },
                { "ulimits", "a map" },
                { "depends_on", "a list or a map" },
                { "networks", "a list or a map" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                for (int form = 0; form < 4; form++) {
                        static const char *const forms[] = { "null", "text", "[]", "{}" }, *const names[] = {
                                "", "a string", "a list", "a map"
                        };
                        own_arena struct arena *a = arena_new();
                        own_fault struct fault fault = FAULT_INIT;
                        const char *yaml = arena_printf(a, WEB "    %s: %s\n", rows[i].key, forms[form]);
                        bool fits = form == 0 || (form > 1 && strstr(rows[i].shape, names[form]));
                        struct compose c;

                        if ((read_with(yaml, NULL, 0, a, &c, &fault) == 0) != fits)
                                fail_msg("%s: %s: %s", rows[i].key, forms[form], fault.message);
                        if (!fits)
                                assert_string_equal(fault.message, arena_printf(a, "expected %s, found %s",
                                                                                rows[i].shape, names[form]));
                }
}

static void variables_become_typed_values(void **state) {
        own_arena struct arena *a = arena_new();
        struct compose c;

        (void)state;
        read_ok(WEB "    scale: ${N:-2}\n    read_only: \"${RO:-true}\"\n    hostname: ${GIVEN}\n"
                    "    deploy: {replicas: 2}\n",
                a, &c);
        assert_int_equal(first(&c)->replicas, 2);
        assert_true(first(&c)->read_only);
        assert_string_equal(first(&c)->hostname, "g");
}

static void anchors_and_merge_keys_are_the_way_to_share(void **state) {
        own_arena struct arena *a = arena_new();
        struct compose c;

        (void)state;
        read_ok("x-base: &base {image: x, restart: always}\nservices:\n  a: {<<: *base, user: u}\n  b: *base\n", a, &c);
        assert_int_equal(c.services.n, 2);
        assert_int_equal(((const struct compose_service *)c.services.items)[1].restart, RESTART_ALWAYS);
}

static struct string_map pins_of(const char *service, const char *reference, struct arena *a) {
        struct string_map pins = { .items = arena_array(a, 1, sizeof(*pins.items)), .n = 1 };

        pins.items[0].key.text = service;
        pins.items[0].value.text = reference;
        return pins;
}

static void the_release_pins_what_the_file_leaves_open(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT, unknown = FAULT_INIT, open = FAULT_INIT;
        struct string_map pins = pins_of("web", "registry.example/web:2@" DIGEST_B, a);
        struct string_map wrong = pins_of("wen", "registry.example/web:2@" DIGEST_B, a);
        struct compose c;

        (void)state;
        read_ok("services:\n  web: {image: \"web:1\"}\n  db: {image: \"db:1@" DIGEST_A "\"}\n", a, &c);
        assert_int_equal(compose_pin(&c, NULL, a, &open), -EINVAL);
        assert_fault(&open, "LOAD_TAG_ONLY", "'web'");
        assert_int_equal(compose_pin(&c, &wrong, a, &unknown), -EINVAL);
        assert_fault(&unknown, "LOAD_REFERENCE", "did you mean 'web'?");
        assert_int_equal(compose_pin(&c, &pins, a, &fault), 0);
        assert_string_equal(compose_find(&c, "web")->pinned, "registry.example/web@" DIGEST_B);
        assert_string_equal(compose_find(&c, "db")->pinned, "docker.io/library/db@" DIGEST_A);
}

static void the_schema_names_every_key(void **state) {
        json_t *schema = compose_schema();
        char *text = json_dumps(schema, 0);

        (void)state;
        assert_non_null(strstr(text, "\"services\""));
        assert_non_null(strstr(text, "\"healthcheck\""));
        assert_null(strstr(text, "\"version\""));
        free(text);
        json_decref(schema);
}

static char *many_services(size_t n) {
        struct buffer text = BUFFER_INIT;

        buffer_puts(&text, "services:\n");
        for (size_t i = 0; i < n; i++)
                buffer_printf(&text,
                              "  s%zu: {image: 'web@" DIGEST_A "', ports: ['%zu:80'], networks: [n%zu],"
                              " volumes: ['v%zu:/d']%s}\n",
                              i, i + 1, i, i, i ? ", depends_on: [s0]" : "");
        for (const char *const *top = (const char *const[]){ "networks", "volumes", NULL }; *top; top++) {
                buffer_printf(&text, "%s:\n", *top);
                for (size_t i = 0; i < n; i++)
                        buffer_printf(&text, "  %c%zu:\n", **top, i);
        }
        return buffer_steal(&text, &(size_t){ 0 });
}

static void a_thousand_services_and_one_too_many(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        own_free char *text = many_services(1000), *more = many_services(LIMIT_SERVICES + 1);
        struct compose c;

        (void)state;
        read_ok(text, a, &c);
        assert_int_equal(c.services.n, 1000);
        assert_string_equal(first(&c)->name.text, "s0");
        assert_int_equal(c.networks.n, 1000);
        assert_true(read_with(more, NULL, 0, a, &c, &fault) < 0);
        assert_fault(&fault, "LOAD_LIMIT", "LIMIT_SERVICES");
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_file_has_defaults),
        cmocka_unit_test(commands_are_words),
        cmocka_unit_test(the_environment_is_files_then_values),
        cmocka_unit_test(every_form_of_a_port_is_read),
        cmocka_unit_test(ports_on_different_addresses_do_not_clash),
        cmocka_unit_test(every_form_of_a_mount_is_read),
        cmocka_unit_test(configs_and_secrets_are_files_with_their_bytes),
        cmocka_unit_test(networks_are_ordered_by_priority),
        cmocka_unit_test(health_checks_and_restarts_are_read),
        cmocka_unit_test(limits_are_numbers),
        cmocka_unit_test(the_rest_of_a_service_is_read),
        cmocka_unit_test(services_stand_after_what_they_depend_on),
        cmocka_unit_test(a_list_or_a_map_is_what_its_key_takes_or_nothing),
        cmocka_unit_test(variables_become_typed_values),
        cmocka_unit_test(anchors_and_merge_keys_are_the_way_to_share),
        cmocka_unit_test(the_release_pins_what_the_file_leaves_open),
        cmocka_unit_test(the_schema_names_every_key),
        cmocka_unit_test(a_thousand_services_and_one_too_many),
};

TEST_GROUP(compose, tests);
