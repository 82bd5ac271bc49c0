/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "reconciler/config/config.h"
#include "tests/lib/group.h"

#define HEAD "host: web1\nrepository: /r\nstate: /var/lib/tally\n"

static int parse(const char *text, struct arena *a, struct config *ret, struct fault *reterr) {
        return config_parse("/etc/tally/tally.yaml", text, strlen(text), a, ret, reterr);
}

static void routers_are_set_up(void **state) {
        static const char text[] = HEAD
                "routers:\n"
                "  nginx: {folder: /etc/nginx/tally.d, admin: 'http://127.0.0.1:8998', reload: [systemctl, reload, nginx]}\n"
                "  haproxy: {folder: haproxy.d, socket: run/haproxy.sock, test: [haproxy, -c]}\n"
                "  caddy: {}\n";
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct config c;

        if (parse(text, a, &c, &fault) < 0)
                fail_msg("%s", fault.message);
        assert_string_equal(c.routers[ROUTER_NGINX]->folder, "/etc/nginx/tally.d");
        assert_string_equal(c.routers[ROUTER_NGINX]->admin, "http://127.0.0.1:8998");
        assert_int_equal(c.routers[ROUTER_NGINX]->reload.n, 3);
        assert_int_equal(c.routers[ROUTER_NGINX]->test.n, 0);
        assert_true(strstr(c.routers[ROUTER_HAPROXY]->folder, "/haproxy.d") &&
                    c.routers[ROUTER_HAPROXY]->folder[0] == '/');
        assert_true(strstr(c.routers[ROUTER_HAPROXY]->socket, "/run/haproxy.sock") &&
                    c.routers[ROUTER_HAPROXY]->socket[0] == '/');
        assert_string_equal(c.routers[ROUTER_CADDY]->state, "/var/lib/tally/routes");
        assert_null(c.routers[ROUTER_CADDY]->admin);
        assert_null(c.routers[ROUTER_TRAEFIK]);
        assert_string_equal(c.routers[ROUTER_MEMORY]->state, "/var/lib/tally/routes");
}

static void what_a_router_has_not_is_refused(void **state) {
        static const char *const bad[] = {
                HEAD "routers: {caddy: {folder: /x}}\n",
                HEAD "routers: {nginx: {folder: /x}}\n",
                HEAD "routers: {haproxy: {folder: /x}}\n",
                HEAD "routers: {traefik: {}}\n",
                HEAD "routers: {memory: {}}\n",
                HEAD "routers: {apache: {}}\n",
        };

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                struct config c;

                assert_true(parse(bad[i], a, &c, &fault) < 0);
                assert_int_equal(fault.kind, FAULT_CONFIG);
                assert_int_equal(fault.line, 4);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(routers_are_set_up),
        cmocka_unit_test(what_a_router_has_not_is_refused),
};

TEST_GROUP(config, tests);
