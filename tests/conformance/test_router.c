/* SPDX-License-Identifier: Apache-2.0 */

/* What providers/router.h promises, on every router. routers.sh says which one. */

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "providers/routers/haproxy_socket.h"
#include "providers/routers/parts.h"
#include "shared/base/buffer.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "tests/conformance/router_rig.h"

/*
 * What is in force
 */

static void nothing_is_there_before(void **state) {
        struct route_state s = observe(*state);

        assert_true(s.available);
        assert_false(s.present);
        assert_false(s.altered);
}

static void what_was_applied_is_read_back(void **state) {
        struct decision_input *w = *state;
        const struct {
                int64_t candidate;
                size_t n_a, n_b;
        } shapes[] = {
                { 0, 1, 0 },   { 0, 2, 1 },   { 25, 2, 1 }, { 1, 1, 2 }, { 99, 2, 2 },
                { 100, 2, 2 }, { 100, 0, 2 }, { 0, 2, 0 },  { 0, 0, 0 },
        };

        for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
                struct route route = route_to(w, shapes[i].candidate, shapes[i].n_a, shapes[i].n_b);

                apply(w, &route);
                expect_in_force(w, &route);
        }
}

static void what_is_declared_is_taken(void **state) {
        struct decision_input *w = *state;

        fine(router_check(w->router, "shop", &w->traffic, &fault));
}

static void print_files(const char *folder, struct buffer *out) {
        struct dirent **entries;
        int n = scandir(folder, &entries, NULL, alphasort);

        for (int i = 0; i < n; i++) {
                own_buffer struct buffer path = BUFFER_INIT;
                struct stat st;

                buffer_printf(&path, "%s/%s", folder, entries[i]->d_name);
                assert_int_equal(lstat(buffer_str(&path), &st), 0);
                if (S_ISREG(st.st_mode))
                        buffer_printf(out, "%s %llu %lld.%09ld\n", entries[i]->d_name, (unsigned long long)st.st_ino,
                                      (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
                free(entries[i]);
        }
        if (n >= 0)
                free(entries);
}

static void print_children(struct decision_input *w, struct buffer *out) {
        own_buffer struct buffer path = BUFFER_INIT, pid = BUFFER_INIT, children = BUFFER_INIT;
        own_fault struct fault none = FAULT_INIT;

        buffer_printf(&path, "%s/pid", w->dir);
        if (file_read(AT_FDCWD, buffer_str(&path), 32, &pid, &none) < 0)
                return; /* it has no processes of its own */
        pid.data[strcspn(buffer_str(&pid), "\n")] = '\0';
        path.size = 0;
        buffer_printf(&path, "/proc/%s/task/%s/children", buffer_str(&pid), buffer_str(&pid));
        fine(file_read(AT_FDCWD, buffer_str(&path), 4096, &children, &fault));
        buffer_puts(out, buffer_str(&children));
}

/* Inode numbers and times of all that lies in the folder, and what processes there are. */
static void print(struct decision_input *w, struct buffer *out) {
        own_buffer struct buffer folder = BUFFER_INIT;

        buffer_printf(&folder, "%s/tally.d", w->dir);
        print_files(buffer_str(&folder), out);
        print_children(w, out);
}

static void applied_twice_is_applied_once(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 25, 2, 1);
        own_buffer struct buffer before = BUFFER_INIT, after = BUFFER_INIT;

        apply(w, &route);
        print(w, &before);
        apply(w, &route);
        print(w, &after);
        assert_string_equal(buffer_str(&before), buffer_str(&after));
        expect_in_force(w, &route);
}

static void a_removed_app_is_gone(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 25, 1, 1);

        apply(w, &route);
        fine(router_remove(w->router, "shop", &fault));
        assert_false(observe(w).present);
        assert_false(observe(w).altered);
        fine(router_remove(w->router, "shop", &fault));
        if (world_carries(w))
                assert_int_equal(ask_router(w->listen, "GET", "/", NULL, NULL).status, 0);
        apply(w, &route);
        expect_in_force(w, &route);
}

static void apps_do_not_disturb_each_other(void **state) {
        struct decision_input *w = *state;
        struct route shop = route_to(w, 25, 1, 1), other = route_to(w, 0, 2, 0);
        struct traffic traffic = w->traffic;
        struct route_state s;

        other.app = "shop-2.x_y";
        /* Traefik's entry points are given; it tells apps apart by host name. */
        if (w->kind == ROUTER_TRAEFIK)
                traffic.server_name = "other.example";
        else
                traffic.listen = arena_printf(w->arena, "127.0.0.1:%d", free_port());
        apply(w, &shop);
        fine(router_apply(w->router, &traffic, &other, &fault));
        expect_in_force(w, &shop);
        fine(router_observe(w->router, other.app, &traffic, w->arena, &s, &fault));
        assert_true(s.present && !s.altered && route_equal(&s.route, &other));
        fine(router_remove(w->router, other.app, &fault));
        expect_in_force(w, &shop);
}

static void other_settings_are_put_into_force(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 25, 1, 1);

        apply(w, &route);
        w->traffic.server_name = "shop.example";
        assert_true(observe(w).altered);
        apply(w, &route);
        expect_in_force(w, &route);
        w->traffic.sticky = &(struct sticky){ .cookie = "met", .duration_ms = 60000 };
        assert_true(observe(w).altered);
        apply(w, &route);
        expect_in_force(w, &route);
}

static void a_route_that_is_none_is_refused(void **state) {
        struct decision_input *w = *state;
        struct route_target t[2] = { { .address = "127.0.0.1:2" }, { .address = "127.0.0.1:1" } };
        struct route route = { .app = "shop", .targets = { .items = t, .n = 2 } };
        const char *const bad[] = { "127.0.0.1", "127.0.0.1:80;", "a b:80",        "host:80",    "127.0.0.1:0",
                                    "[::1:80",   "::1:80",        "127.0.0.01:80", "[::0001]:80" };
        own_fault struct fault fault = FAULT_INIT;

        assert_true(router_apply(w->router, &w->traffic, &route, &fault) < 0);
        assert_int_equal(fault.kind, FAULT_INTERNAL);
        route.targets.n = 1;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                own_fault struct fault why = FAULT_INIT;

                t[0].address = bad[i];
                assert_true(router_apply(w->router, &w->traffic, &route, &why) < 0);
                assert_int_equal(why.kind, FAULT_INTERNAL);
        }
}

/*
 * Somebody else
 */

static const char *file_of(struct decision_input *w, const char *ending) {
        return arena_printf(w->arena, "%s/tally_shop%s", w->settings.folder, ending);
}

static void append(const char *path, const char *text) {
        FILE *f = fopen(path, "a");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static const char *const endings[ROUTER_KIND_MAX_] = {
        [ROUTER_NGINX] = ".conf",
        [ROUTER_HAPROXY] = ".cfg",
        [ROUTER_TRAEFIK] = ".yml",
};

static void expect_altered_and_healed(struct decision_input *w, const struct route *route) {
        struct route_state s = observe(w);

        assert_true(s.available);
        assert_true(s.altered || !route_equal(&s.route, route));
        assert_true(s.detail || !s.altered);
        apply(w, route);
        expect_in_force(w, route);
}

static void a_file_that_somebody_changed_is_seen_and_healed(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 25, 2, 1);
        const char *path = endings[w->kind] ? file_of(w, endings[w->kind]) : NULL;

        if (!path)
                skip();
        apply(w, &route);
        append(path, "# and this\n");
        expect_altered_and_healed(w, &route);
        append(path, "# and this, in force\n");
        assert_int_equal(world_do(w, "reload"), 0);
        clock_sleep_ms(300);
        expect_altered_and_healed(w, &route);
        assert_int_equal(unlink(path), 0);
        expect_altered_and_healed(w, &route);
}

/* What @from says becomes what @to says, in a file of ours and in force. */
static void replace(struct decision_input *w, const char *path, const char *from, const char *to) {
        own_buffer struct buffer old = BUFFER_INIT, new = BUFFER_INIT;
        const char *rest, *at;

        fine(file_read(AT_FDCWD, path, 1 << 20, &old, &fault));
        rest = buffer_str(&old);
        assert_non_null(strstr(rest, from));
        for (; (at = strstr(rest, from)); rest = at + strlen(from))
                buffer_printf(&new, "%.*s%s", (int)(at - rest), rest, to);
        buffer_puts(&new, rest);
        fine(file_write(AT_FDCWD, path, buffer_str(&new), new.size, 0644, &fault));
        assert_int_equal(world_do(w, "reload"), 0);
        clock_sleep_ms(500);
}

static void haproxy(struct decision_input *w, const char *command) {
        own_buffer struct buffer answer = BUFFER_INIT;

        fine(haproxy_say(w->settings.socket, command, &answer, &fault));
}

/* A call of Caddy's admin API; @body may be NULL. */
static void caddy(struct decision_input *w, const char *method, const char *path, const char *body) {
        const char *socket = arena_printf(w->arena, "%s/caddy.sock", w->dir),
                   *url = arena_printf(w->arena, "http://x%s", path);
        const char *const argv[] = {
                "curl", "-sf", "--unix-socket",    socket, "-H", "Host;", "-H", "Content-Type: application/json", "-X",
                method, url,   body ? "-d" : NULL, body,   NULL
        };

        assert_int_equal(rig_run(argv, "/dev/null"), 0);
}

static const char *haproxy_map(struct decision_input *w) {
        const char *name;
        glob_t found;

        assert_int_equal(glob(arena_printf(w->arena, "%s/tally_shop-*.map", w->settings.folder), 0, NULL, &found), 0);
        name = arena_strdup(w->arena, found.gl_pathv[0]);
        globfree(&found);
        return name;
}

static void what_somebody_changed_in_the_running_router_is_seen_and_healed(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 25, 2, 1);

        apply(w, &route);
        switch (w->kind) {
        case ROUTER_NGINX:
                replace(w, file_of(w, ".conf"), "25%", "80%");
                break;
        case ROUTER_TRAEFIK:
                replace(w, file_of(w, ".yml"), "\"weight\": 25", "\"weight\": 80");
                break;
        case ROUTER_HAPROXY:
                haproxy(w, arena_printf(w->arena, "set map %s share 80", haproxy_map(w)));
                assert_int_equal(observe(w).route.candidate, 80);
                expect_altered_and_healed(w, &route);
                haproxy(w, "set server tally_shop:current/s2 state drain");
                expect_altered_and_healed(w, &route);
                haproxy(w, "set server tally_shop:current/s1 weight 3");
                expect_altered_and_healed(w, &route);
                haproxy(w, "set server tally_shop:current/s1 state maint");
                expect_altered_and_healed(w, &route);
                replace(w, file_of(w, ".cfg"), "balance roundrobin", "balance leastconn");
                break;
        case ROUTER_CADDY:
                caddy(w, "PATCH", "/id/tally_shop:candidate/upstreams", "[{\"dial\": \"127.0.0.1:9\"}]");
                expect_altered_and_healed(w, &route);
                caddy(w, "DELETE", "/config/apps/http/servers/tally_shop", NULL);
                assert_false(observe(w).present);
                expect_altered_and_healed(w, &route);
                caddy(w, "DELETE", "/id/tally_shop/@id", NULL); /* it is there, but not under our id */
                expect_altered_and_healed(w, &route);
                caddy(w, "DELETE", "/config/apps", NULL);
                break;
        case ROUTER_MEMORY:
        case ROUTER_KIND_MAX_:
                skip();
        }
        expect_altered_and_healed(w, &route);
        if (world_carries(w))
                assert_int_equal(count(w, 20, NULL, NULL).failed, 0);
}

/* Something in the operator's part of the configuration that does not validate. */
static void break_elsewhere(struct decision_input *w, bool broken) {
        const char *path =
                arena_printf(w->arena, "%s/extra/broken.%s", w->dir, w->kind == ROUTER_NGINX ? "conf" : "cfg");

        if (broken)
                append(path, "this is { no configuration\n");
        else
                assert_int_equal(unlink(path), 0);
}

static void read_whole(const char *path, struct buffer *out) {
        fine(file_read(AT_FDCWD, path, LIMIT_ROUTER_BYTES, out, &fault));
}

static void what_does_not_validate_is_never_in_force(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 0, 1, 0), next = route_to(w, 100, 1, 1);
        const struct traffic before = w->traffic;
        own_fault struct fault fault = FAULT_INIT, again = FAULT_INIT;
        own_buffer struct buffer old = BUFFER_INIT, now = BUFFER_INIT;
        const char *path = endings[w->kind] ? file_of(w, endings[w->kind]) : NULL;

        if (!world_carries(w))
                skip();
        apply(w, &route);
        if (path) {
                read_whole(path, &old);
                break_elsewhere(w, true);
                w->traffic.path = "/new"; /* HAProxy must load it for that */
        } else
                w->traffic.listen = w->a[0].address; /* taken by somebody else */
        assert_true(router_apply(w->router, &w->traffic, &next, &fault) < 0);
        assert_int_equal(fault.kind, FAULT_DENIED);
        assert_ptr_equal(fault.code, REASON_ROUTE_INVALID);
        assert_true(router_apply(w->router, &w->traffic, &next, &again) < 0);
        w->traffic = before;
        assert_int_equal(count(w, 20, NULL, NULL).a[0], 20);
        if (path) {
                read_whole(path, &now);
                assert_int_equal(now.size, old.size);
                assert_memory_equal(now.data, old.data, old.size);
                assert_int_equal(access(arena_printf(w->arena, "%s.old", path), F_OK), -1);
                break_elsewhere(w, false);
        }
        expect_in_force(w, &route);
        apply(w, &next);
        expect_in_force(w, &next);
        assert_int_equal(count(w, 20, NULL, NULL).b[0], 20);
}

static void many_targets_come_and_go(void **state) {
        struct decision_input *w = *state;
        struct route many = { .app = "shop", .candidate = 50 }, few = route_to(w, 0, 1, 0);

        for (int i = 0; i < 40; i++)
                route_add(&many, arena_printf(w->arena, "127.0.0.1:%d", 50000 + i),
                          i % 2 ? VARIATION_CANDIDATE : VARIATION_CURRENT, "rel", w->arena);
        apply(w, &few);
        apply(w, &many);
        expect_in_force(w, &many);
        apply(w, &few);
        expect_in_force(w, &few);
}

static void the_doctor_says_how_it_is(void **state) {
        struct decision_input *w = *state;
        json_t *lines = json_array();

        fine(router_doctor(w->router, lines, &fault));
        assert_true(json_array_size(lines) > 0);
        assert_string_not_equal(json_get_string(json_array_get(lines, 0), "state"), "fail");
        assert_non_null(json_get_string(json_array_get(lines, 0), "detail"));
        json_array_clear(lines);
        if (w->kind != ROUTER_MEMORY && w->kind != ROUTER_NGINX) {
                assert_int_equal(world_do(w, "stop"), 0);
                fine(router_doctor(w->router, lines, &fault));
                assert_string_equal(json_get_string(json_array_get(lines, 0), "state"), "fail");
        }
        json_decref(lines);
}

/*
 * Each in its own way
 */

/* A second server of that name at that address would get no requests, and nginx only warns of it. */
static void nginx_does_not_hide_a_conflict(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 0, 1, 0);
        own_fault struct fault fault = FAULT_INIT;

        if (w->kind != ROUTER_NGINX)
                skip();
        w->traffic.server_name = "shop.example";
        append(arena_printf(w->arena, "%s/tally.d/another.conf", w->dir),
               arena_printf(w->arena, "server {\n listen %s;\n server_name shop.example;\n return 204;\n}\n",
                            w->traffic.listen));
        assert_true(router_apply(w->router, &w->traffic, &route, &fault) < 0);
        assert_ptr_equal(fault.code, REASON_ROUTE_INVALID);
        assert_int_equal(access(file_of(w, ".conf"), F_OK), -1);
}

/* Even while somebody has broken the configuration: the way back must not depend on that. */
static void haproxy_shifts_without_a_reload(void **state) {
        struct decision_input *w = *state;
        struct route start = route_to(w, 0, 1, 0),
                     next[] = { route_to(w, 5, 1, 2), route_to(w, 100, 1, 2), route_to(w, 0, 2, 0) };
        own_buffer struct buffer before = BUFFER_INIT, after = BUFFER_INIT;

        if (w->kind != ROUTER_HAPROXY)
                skip();
        apply(w, &start);
        print_children(w, &before);
        break_elsewhere(w, true);
        for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
                apply(w, &next[i]);
                expect_in_force(w, &next[i]);
        }
        print_children(w, &after);
        assert_true(before.size > 0);
        assert_string_equal(buffer_str(&before), buffer_str(&after));
}

static void haproxy_has_one_app_at_an_address(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 0, 1, 0);
        own_fault struct fault fault = FAULT_INIT;

        if (w->kind != ROUTER_HAPROXY)
                skip();
        apply(w, &route);
        route.app = "other";
        assert_true(router_apply(w->router, &w->traffic, &route, &fault) < 0);
        assert_ptr_equal(fault.code, REASON_ROUTE_INVALID);
        assert_int_equal(count(w, 5, NULL, NULL).a[0], 5);
}

/*
 * Cut short
 */

static void killed_anywhere_leaves_the_old_or_the_new(void **state) {
        struct decision_input *w = *state;
        struct route old = route_to(w, 0, 2, 0), new = route_to(w, 100, 2, 2);

        apply(w, &old);
        for (int64_t after = 0; after < 24; after++) {
                pid_t pid = fork();
                struct route_state s;

                assert_true(pid >= 0);
                if (pid == 0) {
                        own_fault struct fault fault = FAULT_INIT;

                        _exit(router_apply(w->router, &w->traffic, &new, &fault) < 0);
                }
                clock_sleep_ms(w->kind == ROUTER_HAPROXY ? after / 2 : after * 4);
                (void)kill(pid, SIGKILL);
                (void)waitpid(pid, NULL, 0);
                s = observe(w);
                if (s.present && !s.altered)
                        assert_true(route_equal(&s.route, &old) || route_equal(&s.route, &new));
                if (world_carries(w))
                        assert_int_equal(count(w, 10, NULL, NULL).failed, 0);
                apply(w, &new);
                expect_in_force(w, &new);
                apply(w, &old);
                expect_in_force(w, &old);
        }
}

static void a_router_that_is_down_is_not_available(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 25, 2, 1);
        own_fault struct fault fault = FAULT_INIT;

        if (w->kind == ROUTER_MEMORY)
                skip();
        apply(w, &route);
        assert_int_equal(world_do(w, "stop"), 0);
        assert_false(observe(w).available);
        assert_non_null(observe(w).reason);
        assert_true(router_apply(w->router, &w->traffic, &(struct route){ .app = "shop" }, &fault) < 0);
        assert_int_equal(fault.kind, FAULT_TRANSIENT);
        assert_ptr_equal(fault.code, REASON_ROUTER_UNAVAILABLE);
        assert_int_equal(world_do(w, "start"), 0);
        if (w->kind == ROUTER_TRAEFIK)
                clock_sleep_ms(500);
        expect_in_force(w, &route);
}

int main(int argc, char **argv) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                TEST(nothing_is_there_before),
                TEST(what_is_declared_is_taken),
                TEST(what_was_applied_is_read_back),
                TEST(applied_twice_is_applied_once),
                TEST(a_removed_app_is_gone),
                TEST(apps_do_not_disturb_each_other),
                TEST(other_settings_are_put_into_force),
                TEST(a_route_that_is_none_is_refused),
                TEST(a_file_that_somebody_changed_is_seen_and_healed),
                TEST(what_somebody_changed_in_the_running_router_is_seen_and_healed),
                TEST(what_does_not_validate_is_never_in_force),
                TEST(many_targets_come_and_go),
                TEST(the_doctor_says_how_it_is),
                TEST(nginx_does_not_hide_a_conflict),
                TEST(haproxy_shifts_without_a_reload),
                TEST(haproxy_has_one_app_at_an_address),
                TEST(killed_anywhere_leaves_the_old_or_the_new),
                TEST(a_router_that_is_down_is_not_available),
        };

        if (argc > 1)
                cmocka_set_test_filter(argv[1]);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
