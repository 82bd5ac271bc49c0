/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/conformance/router_rig.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/text.h"

static const char *env(const char *name) {
        const char *value = getenv(name);

        if (!value)
                fail_msg("%s is not set: run routers.sh", name);
        return value;
}

void expect_fine(int r, const struct fault *f) {
        if (r < 0)
                fail_msg("%s%s%s (%s)", f->message ? f->message : "a fault without message", f->hint ? " - " : "",
                         f->hint ? f->hint : "", f->code ? f->code : "no code");
}

bool world_carries(const struct decision_input *w) {
        return w->kind != ROUTER_MEMORY && w->kind != ROUTER_TRAEFIK;
}

int rig_run(const char *const *argv, const char *said) {
        posix_spawn_file_actions_t actions;
        pid_t pid;
        int status, r;

        assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
        assert_int_equal(posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0), 0);
        assert_int_equal(posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, said, O_WRONLY | O_CREAT | O_TRUNC,
                                                          0644),
                         0);
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO), 0);
        r = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
        if (r != 0)
                fail_msg("%s: %s", argv[0], strerror(r));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void set_port(const char *name, int port) {
        char number[16];

        (void)snprintf(number, sizeof(number), "%d", port);
        assert_int_equal(setenv(name, number, 1), 0);
}

int world_do(struct decision_input *w, const char *kind) {
        char said[128];

        set_port("LISTEN_PORT", w->listen);
        set_port("OPERATOR_PORT", w->operator_port);
        set_port("ADMIN_PORT", w->admin);
        (void)snprintf(said, sizeof(said), "%s/said", w->dir);
        return rig_run((const char *const[]){ env("TEST_ROUTER_SH"), router_kind_names[w->kind], kind, w->dir, NULL },
                       said);
}

static const char *text(struct decision_input *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static const char *text(struct decision_input *w, const char *fmt, ...) {
        char buf[256];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(buf, sizeof(buf), fmt, ap);
        va_end(ap);
        return arena_strdup(w->arena, buf);
}

static struct string_list command(struct decision_input *w, const char *kind) {
        struct string_list list = { .n = 4 };

        list.items = arena_array(w->arena, list.n, sizeof(*list.items));
        list.items[0].text = env("TEST_ROUTER_SH");
        list.items[1].text = router_kind_names[w->kind];
        list.items[2].text = kind;
        list.items[3].text = w->dir;
        return list;
}

static void set_up_settings(struct decision_input *w) {
        w->settings = (struct router_settings){
                .folder = text(w, "%s/tally.d", w->dir),
                .state = text(w, "%s/state", w->dir),
                .socket = text(w, "%s/haproxy.sock", w->dir),
                .test = command(w, "test"),
                .reload = command(w, "reload"),
                .admin = w->kind == ROUTER_CADDY ? text(w, "unix://%s/caddy.sock", w->dir)
                                                 : text(w, "http://127.0.0.1:%d", w->admin),
        };
        w->traffic = (struct traffic){
                .router = w->kind,
                .service.text = "web",
                .port = 80,
                .listen = text(w, "127.0.0.1:%d", w->listen),
                .path = "/",
        };
}

int world_setup(void **state) {
        struct decision_input *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        for (w->kind = 0; w->kind < ROUTER_KIND_MAX_ && !str_eq(router_kind_names[w->kind], env("TEST_ROUTER"));
             w->kind++)
                ;
        assert_true(w->kind < ROUTER_KIND_MAX_);
        (void)snprintf(w->dir, sizeof(w->dir), "%s/tally.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
        assert_non_null(mkdtemp(w->dir));
        w->arena = arena_new();
        for (int i = 0; i < 2; i++) {
                backend_start(&w->a[i], i ? "a1" : "a0", 0);
                backend_start(&w->b[i], i ? "b1" : "b0", 0);
        }
        w->listen = free_port();
        w->operator_port = free_port();
        w->admin = free_port();
        set_up_settings(w);
        *state = w;
        if (world_do(w, "start") != 0)
                fail_msg("the router does not start: see %s", w->dir);
        fine(router_open(w->kind, &w->settings, &w->router, &fault));
        return 0;
}

int world_teardown(void **state) {
        struct decision_input *w = *state;

        router_close(w->router);
        (void)world_do(w, "stop");
        for (int i = 0; i < 2; i++) {
                backend_stop(&w->a[i]);
                backend_stop(&w->b[i]);
        }
        if (!getenv("TEST_KEEP"))
                assert_int_equal(rig_run((const char *const[]){ "rm", "-rf", w->dir, NULL }, "/dev/null"), 0);
        arena_free(w->arena);
        free(w);
        return 0;
}

static int by_address(const void *a, const void *b) {
        return strcmp(((const struct route_target *)a)->address, ((const struct route_target *)b)->address);
}

struct route route_to(struct decision_input *w, int64_t candidate, size_t n_a, size_t n_b) {
        struct route route = { .app = "shop", .candidate = candidate };
        struct route_target *t = arena_array(w->arena, n_a + n_b, sizeof(*t));

        for (size_t i = 0; i < n_a; i++)
                t[i] = (struct route_target){ .instance = w->a[i].tag,
                                              .address = w->a[i].address,
                                              .variation = VARIATION_CURRENT,
                                              .release = "rel-1.0" };
        for (size_t i = 0; i < n_b; i++)
                t[n_a + i] = (struct route_target){ .instance = w->b[i].tag,
                                                    .address = w->b[i].address,
                                                    .variation = VARIATION_CANDIDATE,
                                                    .release = "rel-2.0" };
        if (n_a + n_b > 0)
                qsort(t, n_a + n_b, sizeof(*t), by_address);
        route.targets = (struct struct_list){ .items = t, .n = n_a + n_b };
        return route;
}

void apply(struct decision_input *w, const struct route *route) {
        fine(router_apply(w->router, &w->traffic, route, &fault));
}

struct route_state observe(struct decision_input *w) {
        struct route_state s;

        fine(router_observe(w->router, "shop", &w->traffic, w->arena, &s, &fault));
        return s;
}

void expect_in_force(struct decision_input *w, const struct route *route) {
        struct route_state s = observe(w);

        if (!s.available || !s.present || s.altered)
                fail_msg("available %d, present %d, altered %d: %s", s.available, s.present, s.altered,
                         s.detail   ? s.detail
                         : s.reason ? s.reason
                                    : "");
        if (!route_equal(&s.route, route))
                fail_msg("another route is in force: %lld %%, %zu targets", (long long)s.route.candidate,
                         s.route.targets.n);
        for (size_t i = 0; i < route->targets.n; i++)
                assert_string_equal(((struct route_target *)s.route.targets.items)[i].release,
                                    ((struct route_target *)route->targets.items)[i].release);
}

struct tally count(struct decision_input *w, int n, const char *path, const char *headers) {
        struct tally t = { .failed = 0 };

        for (int i = 0; i < n; i++) {
                struct reply r = ask_router(w->listen, "GET", path ? path : "/", NULL, headers);
                int *slot = &t.failed;

                for (int j = 0; r.status == 200 && j < 2; j++)
                        slot = str_eq(r.tag, w->a[j].tag) ? &t.a[j] : str_eq(r.tag, w->b[j].tag) ? &t.b[j] : slot;
                (*slot)++;
        }
        return t;
}

void expect_between(int value, int low, int high) {
        if (value < low || value > high)
                fail_msg("%d is not between %d and %d", value, low, high);
}
