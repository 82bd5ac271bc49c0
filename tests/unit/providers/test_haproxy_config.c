/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/providers/routes.h"

#include "providers/routers/haproxy_config.h"
#include "shared/base/text.h"

static struct haproxy_files files_of(const struct traffic *traffic) {
        return (struct haproxy_files){ .folder = "/etc/haproxy/tally.d", .app = "shop", .traffic = traffic };
}

static void files_are_as_reviewed(void **state) {
        for (size_t i = 0; i < ROUTES_CASES; i++) {
                own_arena struct arena *a = arena_new();
                own_buffer struct buffer text = BUFFER_INIT, map = BUFFER_INIT;
                const struct haproxy_files f = files_of(&routes_cases[i].traffic);
                struct haproxy_layout l;

                haproxy_layout_make(routes_cases[i].route, NULL, a, &l);
                haproxy_render(&f, &l, &text);
                haproxy_render_map(&l, &map);
                routes_expect(routes_cases[i].name, "cfg", &text);
                routes_expect(routes_cases[i].name, "map", &map);
        }
}

static void a_layout_is_its_route(void **state) {
        for (size_t i = 0; i < ROUTES_CASES; i++) {
                own_arena struct arena *a = arena_new();
                struct haproxy_layout l;
                struct route route;
                const char *odd;

                haproxy_layout_make(routes_cases[i].route, NULL, a, &l);
                haproxy_layout_route(&l, "shop", a, &route, &odd);
                assert_null(odd);
                assert_true(route_equal(&route, routes_cases[i].route));
        }
}

/* The name of the map changes with what must be loaded, and with nothing else. */
static void the_name_says_what_must_be_loaded(void **state) {
        const struct traffic plain = { .listen = ":80", .path = "/" }, path = { .listen = ":80", .path = "/x" };
        const struct haproxy_files f = files_of(&plain), g = files_of(&path);
        char x[HAPROXY_MAP_MAX], y[HAPROXY_MAP_MAX];

        assert_string_equal(haproxy_map_name(&f, 8, x), haproxy_map_name(&f, 8, y));
        assert_string_not_equal(haproxy_map_name(&f, 8, x), haproxy_map_name(&f, 16, y));
        assert_string_not_equal(haproxy_map_name(&f, 8, x), haproxy_map_name(&g, 8, y));
}

static struct haproxy_layout layout(struct arena *a, int64_t share, const char *current, const char *candidate,
                                    const struct haproxy_layout *before) {
        struct route route = { .app = "shop", .candidate = share };
        struct haproxy_layout l;

        for (const char *p = current; *p; p++)
                route_add(&route, arena_printf(a, "127.0.0.1:%d", *p), VARIATION_CURRENT, "old", a);
        for (const char *p = candidate; *p; p++)
                route_add(&route, arena_printf(a, "127.0.0.1:%d", *p), VARIATION_CANDIDATE, "new", a);
        route_sort(&route);
        haproxy_layout_make(&route, before, a, &l);
        return l;
}

static void targets_keep_their_places(void **state) {
        own_arena struct arena *a = arena_new();
        struct haproxy_layout x = layout(a, 0, "abc", "", NULL), y = layout(a, 50, "ac", "d", &x),
                              z = layout(a, 0, "abcdefghij", "", &y);

        assert_string_equal(y.places[HAPROXY_CURRENT][2].address, x.places[HAPROXY_CURRENT][2].address);
        assert_null(y.places[HAPROXY_CURRENT][1].address);
        assert_string_equal(y.places[HAPROXY_BACKUP][0].address, "127.0.0.1:97");
        assert_int_equal(y.n, 8);
        assert_int_equal(z.n, 16);
        assert_string_equal(z.places[HAPROXY_CURRENT][2].address, x.places[HAPROXY_CURRENT][2].address);
}

/* At which line @what stands; fails when it is not there. */
static long at(const struct buffer *commands, const char *what) {
        const char *p = strstr(buffer_str(commands), what);

        if (!p)
                fail_msg("no '%s' in %s", what, buffer_str(commands));
        return p - buffer_str(commands);
}

static void tell(const struct haproxy_layout *from, const struct haproxy_layout *to, struct buffer *out) {
        static const struct traffic traffic = { .listen = ":80", .path = "/" };
        const struct haproxy_files f = files_of(&traffic);

        buffer_clear(out);
        haproxy_commands(&f, from, to, out);
}

static void no_request_goes_where_neither_route_sends_it(void **state) {
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer c = BUFFER_INIT;
        struct haproxy_layout none = layout(a, 0, "a", "", NULL), some = layout(a, 25, "a", "b", &none),
                              all = layout(a, 100, "a", "b", &some), promoted = layout(a, 0, "b", "", &all);

        /* The candidate is there before it gets anything, … */
        tell(&none, &some, &c);
        assert_true(at(&c, "candidate/s1 state ready") < at(&c, "share 25"));
        assert_true(at(&c, "candidate/b1 state ready") < at(&c, "share 25"));
        /* … one command is all that a shift needs, … */
        tell(&some, &all, &c);
        assert_int_equal(at(&c, "set map"), 0);
        assert_int_equal(strcspn(buffer_str(&c), "\n") + 1, c.size);
        /* … the new current ones are there before they get everything, and the old ones gone, … */
        tell(&all, &promoted, &c);
        assert_true(at(&c, "current/s2 state ready") < at(&c, "share 0"));
        assert_true(at(&c, "current/s1 state maint") < at(&c, "share 0"));
        assert_true(at(&c, "share 0") < at(&c, "candidate/s1 state maint"));
        /* … and nothing leaves before it gets nothing any more. */
        tell(&some, &none, &c);
        assert_true(at(&c, "share 0") < at(&c, "candidate/s1 state maint"));
        tell(&none, &none, &c);
        assert_int_equal(c.size, 0);
}

static void what_is_odd_is_said_and_mended(void **state) {
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer c = BUFFER_INIT;
        struct haproxy_layout x = layout(a, 25, "ab", "c", NULL), y = layout(a, 25, "ab", "c", NULL);
        struct route route;
        const char *odd;

        x.places[HAPROXY_CURRENT][1].odd = true;
        haproxy_layout_route(&x, "shop", a, &route, &odd);
        assert_non_null(strstr(odd, "s2 of the current"));
        tell(&x, &y, &c);
        (void)at(&c, "current/s2 weight 1\n");
        (void)at(&c, "current/s2 state ready\n");
        x = layout(a, 25, "ab", "c", NULL);
        x.places[HAPROXY_BACKUP][0].address = "127.0.0.1:1";
        haproxy_layout_route(&x, "shop", a, &route, &odd);
        assert_non_null(odd);
        x.places[HAPROXY_BACKUP][0].address = NULL;
        haproxy_layout_route(&x, "shop", a, &route, &odd);
        assert_non_null(odd);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_as_reviewed),
        cmocka_unit_test(a_layout_is_its_route),
        cmocka_unit_test(the_name_says_what_must_be_loaded),
        cmocka_unit_test(targets_keep_their_places),
        cmocka_unit_test(no_request_goes_where_neither_route_sends_it),
        cmocka_unit_test(what_is_odd_is_said_and_mended),
};

TEST_GROUP(haproxy_config, tests);
