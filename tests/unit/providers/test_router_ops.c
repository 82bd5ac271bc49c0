/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/providers/routes.h"

#include <sys/wait.h>
#include <unistd.h>

#include "providers/router.h"
#include "providers/routers/memory.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

static const struct traffic traffic = { .path = "/", .listen = ":80" };

static void every_vtable_is_whole(void **state) {
        for (enum router_kind k = 0; k < ROUTER_KIND_MAX_; k++) {
                own_fault struct fault fault = FAULT_INIT;

                assert_non_null(router_table[k]);
                routes_fine(router_ops_verify(router_table[k], &fault), &fault);
                assert_string_equal(router_table[k]->name, router_kind_names[k]);
        }
}

static void an_incomplete_vtable_is_refused(void **state) {
        struct router_ops ops = memory_router_ops;
        own_fault struct fault fault = FAULT_INIT, other = FAULT_INIT;

        ops.apply = NULL;
        assert_true(router_ops_verify(&ops, &fault) < 0);
        assert_non_null(strstr(fault.message, "apply"));
        ops = memory_router_ops;
        ops.abi++;
        assert_int_equal(router_ops_verify(&ops, &other), -ENOTSUP);
}

static void settings_that_lack_something_are_refused(void **state) {
        static const struct {
                enum router_kind kind;
                struct router_settings settings;
        } bad[] = {
                { ROUTER_NGINX, { .folder = "/x" } },
                { ROUTER_NGINX, { .folder = "/x", .admin = "unix:///x" } },
                { ROUTER_NGINX, { .folder = "/x", .admin = "http://127.0.0.1:80/path" } },
                { ROUTER_HAPROXY, { .folder = "/x" } },
                { ROUTER_HAPROXY, { .folder = "/a b", .socket = "/x" } },
                { ROUTER_CADDY, { .admin = "localhost:2019" } },
                { ROUTER_TRAEFIK, { .admin = "http://127.0.0.1:80" } },
        };

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                own_router struct router *r = NULL;
                own_fault struct fault fault = FAULT_INIT;

                assert_true(router_open(bad[i].kind, &bad[i].settings, &r, &fault) < 0);
                assert_int_equal(fault.kind, FAULT_CONFIG);
                assert_null(r);
        }
}

static void open_memory(const struct router_settings *settings, struct router **ret) {
        own_fault struct fault fault = FAULT_INIT;

        routes_fine(router_open(ROUTER_MEMORY, settings, ret, &fault), &fault);
}

static struct route_state observe(struct router *r, struct arena *a) {
        own_fault struct fault fault = FAULT_INIT;
        struct route_state s;

        routes_fine(router_observe(r, "shop", &traffic, a, &s, &fault), &fault);
        return s;
}

static void memory_goes_as_scripted(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT, refused = FAULT_INIT, away = FAULT_INIT;
        own_router struct router *r = NULL;
        struct route_state s;
        json_t *world;

        open_memory(NULL, &r);
        world = memory_world(r);
        assert_false(observe(r, a).present);
        routes_fine(router_apply(r, &traffic, &routes_split, &fault), &fault);
        s = observe(r, a);
        assert_true(route_equal(&s.route, &routes_split));
        json_object_set_new(world, "altered", json_pack("{ss}", "shop", "somebody did"));
        assert_string_equal(observe(r, a).detail, "somebody did");
        routes_fine(router_apply(r, &traffic, &routes_split, &fault), &fault);
        assert_false(observe(r, a).altered);
        json_object_set_new(json_object_get(json_object_get(json_object_get(world, "routes"), "shop"), "route"),
                            "candidate", json_integer(80));
        assert_int_equal(observe(r, a).route.candidate, 80);
        json_object_set_new(world, "refuse", json_pack("{ss}", "shop", "not this one"));
        assert_true(router_apply(r, &traffic, &routes_split, &refused) < 0);
        assert_ptr_equal(refused.code, REASON_ROUTE_INVALID);
        assert_int_equal(observe(r, a).route.candidate, 80);
        json_object_set_new(world, "available", json_false());
        assert_false(observe(r, a).available);
        assert_true(router_remove(r, "shop", &away) < 0);
        assert_ptr_equal(away.code, REASON_ROUTER_UNAVAILABLE);
}

static void memory_fails_and_dies_at_its_nth_call(void **state) {
        char dir[] = "/tmp/tally.XXXXXX", path[64];
        const struct router_settings settings = { .state = dir };
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        own_router struct router *r = NULL;
        int status;
        pid_t pid;

        assert_non_null(mkdtemp(dir));
        open_memory(&settings, &r);
        json_object_set_new(memory_world(r), "exit", json_pack("[{ss si sb}]", "call", "apply", "nth", 2, "after", 1));
        json_object_set_new(memory_world(r), "fail",
                            json_pack("[{ss si ss}]", "call", "apply", "nth", 1, "code", "ROUTER_UNAVAILABLE"));
        assert_true(router_apply(r, &traffic, &routes_split, &fault) < 0);
        assert_ptr_equal(fault.code, REASON_ROUTER_UNAVAILABLE);
        pid = fork();
        if (pid == 0) {
                (void)router_apply(r, &traffic, &routes_split, &fault);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), 137);
        /* What it did is there: it ended behind the effect. */
        assert_true(observe(r, a).present);
        (void)snprintf(path, sizeof(path), "%s/memory.json", dir);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(dir), 0);
}

static void routes_are_checked_before_anything_is_asked(void **state) {
        struct route_target t[] = { { .address = "127.0.0.1:80", .release = "a b" }, { .address = "127.0.0.1:80" } };
        const struct {
                struct route route;
                struct traffic traffic;
        } bad[] = {
                { { .app = "shop", .candidate = 50 }, traffic },
                { { .app = "../x" }, traffic },
                { { .app = "shop", .targets = { .items = t, .n = 1 } }, traffic },
                { { .app = "shop", .targets = { .items = t + 1, .n = 1 }, .candidate = 1 }, traffic },
                { { .app = "shop" }, { .path = "/; return 200" } },
                { { .app = "shop" }, { .path = "/", .server_name = "a b" } },
                { { .app = "shop" }, { .path = "/", .split = { .by = SPLIT_HEADER, .name = "x`y" } } },
                { { .app = "shop" }, { .listen = ":80" } },
        };
        own_router struct router *r = NULL;

        open_memory(NULL, &r);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                own_fault struct fault fault = FAULT_INIT;

                assert_true(router_apply(r, &bad[i].traffic, &bad[i].route, &fault) < 0);
                assert_int_equal(fault.kind, FAULT_INTERNAL);
        }
        assert_null(json_object_get(memory_world(r), "counts"));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vtable_is_whole),
        cmocka_unit_test(an_incomplete_vtable_is_refused),
        cmocka_unit_test(settings_that_lack_something_are_refused),
        cmocka_unit_test(memory_goes_as_scripted),
        cmocka_unit_test(memory_fails_and_dies_at_its_nth_call),
        cmocka_unit_test(routes_are_checked_before_anything_is_asked),
};

TEST_GROUP(router_ops, tests);
