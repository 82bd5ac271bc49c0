/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/fleet/deployment_clash.h"
#include "tests/lib/group.h"
#include "tests/unit/model/support.h"

#define HEAD  "apiVersion: tallyman/v1\nkind: "
#define IMAGE "web@" DIGEST_A
#define WEB   "services:\n  web:\n    image: " IMAGE "\n"

/* Two apps on one host, from their compose files. */
static int check(const char *shop, const char *blog, struct fault *reterr) {
        own_arena struct arena *a = arena_new();
        const struct desired_entry entries[] = {
                entry_of("apps/blog/compose.yaml", blog),
                entry_of("apps/shop/compose.yaml", shop),
                entry_of("environments/prod/blog.yaml", HEAD "Release\napp: blog\nversion: '1'\n"),
                entry_of("environments/prod/shop.yaml", HEAD "Release\napp: shop\nversion: '1'\n"),
                entry_of("hosts/web1.yaml", HEAD "Host\nhost: web1\nenvironment: prod\n"),
        };
        struct fleet f;
        int r = fleet_read(entries, sizeof(entries) / sizeof(entries[0]), a, &f, reterr);

        return r < 0 ? r : fleet_check(&f, a, NULL, reterr);
}

static void assert_clash(const char *shop, const char *blog, const char *part) {
        own_fault struct fault fault = FAULT_INIT;

        assert_true(check(shop, blog, &fault) < 0);
        assert_fault(&fault, REASON_LOAD_INVALID, part);
        assert_string_equal(fault.path, "apps/shop/compose.yaml");
        assert_non_null(strstr(fault.hint, "apps/blog/compose.yaml:"));
}

static void assert_peace(const char *shop, const char *blog) {
        own_fault struct fault fault = FAULT_INIT;

        if (check(shop, blog, &fault) < 0)
                fail_msg("%s", fault.message);
}

static void a_port_of_the_host_is_one_apps(void **state) {
        static const struct {
                const char *shop, *blog;
                bool clash;
        } cases[] = {
                { "80:1", "80:2", true },
                { "80:1", "81:1", false },
                { "80:1/udp", "80:1/tcp", false },
                { "80:1", "127.0.0.1:80:1", true },
                { "127.0.0.1:80:1", "80:1", true },
                { "127.0.0.1:80:1", "127.0.0.2:80:1", false },
                { "0.0.0.0:80:1", "127.0.0.1:80:1", true },
                { "0.0.0.0:80:1", "'[::1]:80:1'", false },
                { "'[::]:80:1'", "'[::1]:80:1'", true },
                { "80-82:1-3", "82:9", true },
                { "80-82:1", "82:9", false }, /* the engine chooses out of the range */
                { "'1'", "'1'", false },      /* the engine chooses */
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_buffer struct buffer shop = BUFFER_INIT, blog = BUFFER_INIT;

                buffer_printf(&shop, "%s    ports:\n      - %s\n", WEB, cases[i].shop);
                buffer_printf(&blog, "%s    ports:\n      - %s\n", WEB, cases[i].blog);
                if (cases[i].clash)
                        assert_clash(buffer_str(&shop), buffer_str(&blog), "of host 'web1' is published by app 'blog'");
                else
                        assert_peace(buffer_str(&shop), buffer_str(&blog));
        }
}

static void services_without_instances_publish_nothing(void **state) {
        (void)state;
        assert_peace(WEB "    ports: ['80:1']\n", WEB "    ports: ['80:1']\n    scale: 0\n");
}

static void a_container_name_is_one_apps(void **state) {
        (void)state;
        assert_clash(WEB "    container_name: front\n", WEB "    container_name: front\n",
                     "container 'front' of host 'web1' belongs to app 'blog'");
        assert_peace(WEB "    container_name: front\n", WEB "    container_name: back\n");
}

static void a_network_or_volume_has_one_owner(void **state) {
        static const char owned[] = WEB
                "    networks: [n]\n    volumes: ['v:/v']\nnetworks: {n: {name: edge}}\nvolumes: {v: {name: data}}\n";
        static const char volume[] = WEB "    volumes: ['v:/v']\nvolumes: {v: {name: data}}\n";

        (void)state;
        assert_clash(owned, owned, "network 'edge' of host 'web1' belongs to app 'blog'");
        assert_clash(volume, owned, "volume 'data' of host 'web1' belongs to app 'blog'");
        assert_peace(owned,
                     WEB "    networks: [n]\n    volumes: ['v:/v']\n"
                         "networks: {n: {name: edge, external: true}}\nvolumes: {v: {name: data, external: true}}\n");
        /* A network and a volume may have the same name. */
        assert_peace(volume, WEB "    networks: [n]\nnetworks: {n: {name: data}}\n");
        /* What is declared and not used is not made. */
        assert_peace(volume, WEB "volumes: {v: {name: data}}\n");
}

static void a_project_is_one_apps(void **state) {
        (void)state;
        assert_clash("name: same\n" WEB, "name: same\n" WEB, "network 'same_default'");
}

static void one_deployment_is_alone(void **state) {
        own_fault struct fault fault = FAULT_INIT;

        (void)state;
        assert_int_equal(deployment_clash("web1", NULL, 0, &fault), 0);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_of_the_host_is_one_apps), cmocka_unit_test(services_without_instances_publish_nothing),
        cmocka_unit_test(a_container_name_is_one_apps),   cmocka_unit_test(a_network_or_volume_has_one_owner),
        cmocka_unit_test(a_project_is_one_apps),          cmocka_unit_test(one_deployment_is_alone),
};

TEST_GROUP(deployment_clash, tests);
