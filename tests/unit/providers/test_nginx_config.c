/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/providers/routes.h"

#include "providers/routers/nginx_config.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

#define TELL "127.0.0.1:8998"

static struct digest render(const struct traffic *traffic, const struct route *route, struct buffer *out) {
        own_fault struct fault fault = FAULT_INIT;
        struct digest digest;

        routes_fine(nginx_render(TELL, traffic, route, out, &digest, &fault), &fault);
        return digest;
}

static void files_are_as_reviewed(void **state) {
        for (size_t i = 0; i < ROUTES_CASES; i++) {
                own_buffer struct buffer text = BUFFER_INIT;

                (void)render(&routes_cases[i].traffic, routes_cases[i].route, &text);
                routes_expect(routes_cases[i].name, "conf", &text);
        }
}

static void digests_tell_settings_and_routes_apart(void **state) {
        struct digest seen[ROUTES_CASES];

        for (size_t i = 0; i < ROUTES_CASES; i++) {
                own_buffer struct buffer text = BUFFER_INIT;

                seen[i] = render(&routes_cases[i].traffic, routes_cases[i].route, &text);
                for (size_t j = 0; j < i; j++)
                        assert_false(digest_equal(&seen[i], &seen[j]));
        }
}

/* What a running nginx would say: the strings of the `set`s, one behind the other. */
static void told_by(const char *config, struct buffer *out) {
        const char *p = config;

        while ((p = strstr(p, "        set $"))) {
                const char *start = strchr(p, '\''), *end = strchr(start + 1, '\'');

                buffer_append(out, start + 1, (size_t)(end - start - 1));
                p = end;
        }
}

static void what_is_told_is_the_route(void **state) {
        for (size_t i = 0; i < ROUTES_CASES; i++) {
                own_arena struct arena *a = arena_new();
                own_buffer struct buffer text = BUFFER_INIT, told = BUFFER_INIT;
                own_fault struct fault fault = FAULT_INIT;
                struct digest digest = render(&routes_cases[i].traffic, routes_cases[i].route, &text), said;
                struct route route;

                told_by(buffer_str(&text), &told);
                routes_fine(nginx_parse_told("shop", buffer_str(&told), told.size, a, &said, &route, &fault), &fault);
                assert_true(digest_equal(&digest, &said));
                assert_true(route_equal(&route, routes_cases[i].route));
        }
}

static void many_targets_are_told_in_pieces(void **state) {
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer text = BUFFER_INIT, told = BUFFER_INIT;
        own_fault struct fault fault = FAULT_INIT;
        struct route route = { .app = "a-name.that_is-as.long_as-names.can_be-.-._-._-._-._-._-._-._x" }, back;
        struct digest digest, said;

        for (int i = 0; i < 500; i++)
                route_add(&route, arena_printf(a, "127.0.0.1:%d", 10000 + i),
                          i % 2 ? VARIATION_CANDIDATE : VARIATION_CURRENT, "rel", a);
        route.candidate = 50;
        digest = render(&routes_cases[0].traffic, &route, &text);
        for (const char *line = buffer_str(&text); *line; line += strcspn(line, "\n") + 1)
                assert_true(strcspn(line, "\n") < 4096);
        told_by(buffer_str(&text), &told);
        routes_fine(nginx_parse_told(route.app, buffer_str(&told), told.size, a, &said, &back, &fault), &fault);
        assert_true(digest_equal(&digest, &said) && route_equal(&route, &back));
}

static void what_is_not_ours_is_not_taken(void **state) {
        const char *const bad[] = {
                "",
                "hello",
                "[]",
                "{}",
                "{\"digest\":\"x\",\"route\":{}}",
                "{\"digest\":\"sha256:1111111111111111111111111111111111111111111111111111111111111111\"}",
                "{\"digest\":\"sha256:1111111111111111111111111111111111111111111111111111111111111111\",\"route\":{\"app\":\"other\",\"candidate\":0,\"targets\":[]}}",
                "{\"digest\":\"sha256:1111111111111111111111111111111111111111111111111111111111111111\",\"route\":{\"app\":\"shop\",\"candidate\":30,\"targets\":[]}}",
                ("{\"digest\":\"sha256:1111111111111111111111111111111111111111111111111111111111111111\",\"route\":{\"app\":\"shop\",\"candidate\":0,\"targets\":"
                 "[{\"address\":\"127.0.0.1:80; evil\",\"variation\":\"current\"}]}}"),
        };

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                struct digest digest;
                struct route route;

                assert_true(nginx_parse_told("shop", bad[i], strlen(bad[i]), a, &digest, &route, &fault) < 0);
                assert_int_equal(fault.kind, FAULT_TRANSIENT);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_as_reviewed),         cmocka_unit_test(digests_tell_settings_and_routes_apart),
        cmocka_unit_test(what_is_told_is_the_route),     cmocka_unit_test(many_targets_are_told_in_pieces),
        cmocka_unit_test(what_is_not_ours_is_not_taken),
};

TEST_GROUP(nginx_config, tests);
