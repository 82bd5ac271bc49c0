/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where requests go, on every router that carries them: real requests, on loopback only, bounded in number. routers.sh
 * says which router.
 *
 * Shares by chance are held to five standard deviations: one run in a million may fail.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "tests/conformance/router_rig.h"

#define N 2000

static void a_share_of_all_goes_to_the_candidate(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 25, 2, 2);
        struct tally t;

        apply(w, &route);
        t = count(w, N, NULL, NULL);
        assert_int_equal(t.failed, 0);
        expect_between(t.b[0] + t.b[1], N / 4 - 97, N / 4 + 97);
        /* Targets of a variation share alike: two processes of nginx take turns each on its own. */
        expect_between(t.a[0] - t.a[1], -170, 170);
        expect_between(t.b[0] - t.b[1], -110, 110);
}

static void a_percent_is_a_percent(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 1, 1, 1);
        struct tally t;

        apply(w, &route);
        t = count(w, N, NULL, NULL);
        assert_int_equal(t.failed, 0);
        expect_between(t.b[0], 2, 43);
}

static void switches_in_one_move_and_back(void **state) {
        struct decision_input *w = *state;
        struct route blue = route_to(w, 0, 2, 2), green = route_to(w, 100, 2, 2);
        struct tally t;

        for (int i = 0; i < 3; i++) {
                apply(w, &blue);
                t = count(w, 100, NULL, NULL);
                assert_int_equal(t.a[0] + t.a[1], 100);
                apply(w, &green);
                t = count(w, 100, NULL, NULL);
                assert_int_equal(t.b[0] + t.b[1], 100);
        }
}

static void a_promoted_candidate_is_the_current_one(void **state) {
        struct decision_input *w = *state;
        struct route both = route_to(w, 100, 1, 1), promoted = route_to(w, 100, 0, 1);
        struct tally t;

        apply(w, &both);
        ((struct route_target *)promoted.targets.items)[0].variation = VARIATION_CURRENT;
        promoted.candidate = 0;
        apply(w, &promoted);
        expect_in_force(w, &promoted);
        t = count(w, 50, NULL, NULL);
        assert_int_equal(t.b[0], 50);
}

static void expect_told_apart(struct decision_input *w, const char *with, const char *without) {
        struct route some = route_to(w, 50, 1, 1), none = route_to(w, 0, 1, 1), all = route_to(w, 100, 1, 1);

        apply(w, &some);
        expect_in_force(w, &some);
        assert_int_equal(count(w, 50, NULL, with).b[0], 50);
        assert_int_equal(count(w, 50, NULL, without).a[0], 50);
        assert_int_equal(count(w, 50, NULL, NULL).a[0], 50);
        apply(w, &none);
        assert_int_equal(count(w, 50, NULL, with).a[0], 50);
        apply(w, &all);
        assert_int_equal(count(w, 50, NULL, without).b[0], 50);
}

static void a_header_tells_apart(void **state) {
        struct decision_input *w = *state;

        w->traffic.split = (struct split){ .by = SPLIT_HEADER, .name = "X-Canary", .value = "be.ta" };
        expect_told_apart(w, "x-canary: be.ta\r\n", "X-Canary: beXta\r\n");
        expect_told_apart(w, "X-Canary: be.ta\r\n", "X-Canary: be.tab\r\n");
        expect_told_apart(w, "X-Canary: be.ta\r\n", "X-Canary: BE.TA\r\n");
        w->traffic.split.value = NULL;
        expect_told_apart(w, "X-Canary: anything\r\n", "X-Canary:\r\n");
}

static void a_cookie_tells_apart(void **state) {
        struct decision_input *w = *state;

        w->traffic.split = (struct split){ .by = SPLIT_COOKIE, .name = "canary", .value = "always" };
        expect_told_apart(w, "Cookie: a=b; canary=always; c=d\r\n", "Cookie: a=b; canary=never\r\n");
        expect_told_apart(w, "Cookie: canary=always\r\n", "Cookie: xcanary=always; canary=alwaysnot\r\n");
        w->traffic.split.value = NULL;
        expect_told_apart(w, "Cookie: canary=1\r\n", "Cookie: other=1\r\n");
}

/* The tag that a client with this cookie meets, @n times; 0 when it is not always of one release. */
static char meets(struct decision_input *w, const char *cookie, int n) {
        char header[300];
        struct tally t;

        (void)snprintf(header, sizeof(header), "Cookie: x=1; %.*s\r\n", (int)strcspn(cookie, ";"), cookie);
        t = count(w, n, NULL, header);
        return t.a[0] + t.a[1] == n ? 'a' : t.b[0] + t.b[1] == n ? 'b' : 0;
}

static void a_client_stays_with_the_release_that_it_met(void **state) {
        static const struct sticky sticky = { .cookie = "tally", .duration_ms = 90000 };
        struct decision_input *w = *state;
        struct route route = route_to(w, 50, 2, 2), back = route_to(w, 0, 2, 2);
        int met[2] = { 0 };

        w->traffic.sticky = &sticky;
        apply(w, &route);
        expect_in_force(w, &route);
        for (int i = 0; i < 40; i++) {
                struct reply r = ask_router(w->listen, "GET", "/", NULL, NULL);

                assert_int_equal(r.status, 200);
                assert_non_null(str_after(r.cookie, r.tag[0] == 'a' ? "tally=rel-1.0;" : "tally=rel-2.0;"));
                assert_non_null(strstr(r.cookie, "Max-Age=90"));
                assert_int_equal(meets(w, r.cookie, 5), r.tag[0]);
                met[r.tag[0] == 'b']++;
        }
        /* Both have been met, and nobody who has the cookie is given it again. */
        assert_true(met[0] > 0 && met[1] > 0);
        assert_string_equal(ask_router(w->listen, "GET", "/", NULL, "Cookie: tally=rel-2.0\r\n").cookie, "");
        /* A release of long ago: chance again, and a new cookie. */
        assert_string_not_equal(ask_router(w->listen, "GET", "/", NULL, "Cookie: tally=rel-0.9\r\n").cookie, "");
        /* Nothing keeps clients with a candidate that gets nothing any more. */
        apply(w, &back);
        assert_int_equal(meets(w, "tally=rel-2.0", 50), 'a');
}

static void a_header_goes_before_what_was_met(void **state) {
        static const struct sticky sticky = { .cookie = "tally", .duration_ms = 90000 };
        struct decision_input *w = *state;
        struct route route = route_to(w, 50, 1, 1);

        w->traffic.split = (struct split){ .by = SPLIT_HEADER, .name = "X-Canary" };
        w->traffic.sticky = &sticky;
        apply(w, &route);
        expect_in_force(w, &route);
        assert_int_equal(count(w, 20, NULL, "X-Canary: 1\r\nCookie: tally=rel-1.0\r\n").b[0], 20);
        assert_int_equal(count(w, 20, NULL, "Cookie: tally=rel-2.0\r\n").b[0], 20);
        assert_int_equal(count(w, 20, NULL, "Cookie: tally=rel-1.0\r\n").a[0], 20);
        assert_non_null(str_after(ask_router(w->listen, "GET", "/", NULL, "X-Canary: 1\r\n").cookie, "tally=rel-2.0;"));
}

static void host_and_path_say_which_requests(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 0, 1, 0);

        w->traffic.server_name = "shop.example";
        w->traffic.path = "/api";
        apply(w, &route);
        expect_in_force(w, &route);
        assert_string_equal(ask_router(w->listen, "GET", "/api/x?y=z", "shop.example", NULL).tag, "a0");
        assert_string_equal(ask_router(w->listen, "GET", "/api", "SHOP.example:80", NULL).tag, "a0");
        assert_int_equal(ask_router(w->listen, "GET", "/", "shop.example", NULL).status, 404);
        assert_int_equal(ask_router(w->listen, "GET", "/api", "other.example", NULL).status, 404);
        w->traffic.server_name = "*.example";
        apply(w, &route);
        expect_in_force(w, &route);
        assert_string_equal(ask_router(w->listen, "GET", "/api", "a.example", NULL).tag, "a0");
        assert_int_equal(ask_router(w->listen, "GET", "/api", "example.org", NULL).status, 404);
}

/* What an operator writes who has a server already. */
static void refer_to_group(struct decision_input *w) {
        const char *path =
                arena_printf(w->arena, "%s/extra/operator.%s", w->dir, w->kind == ROUTER_NGINX ? "conf" : "cfg");
        FILE *f;

        if (w->kind == ROUTER_CADDY)
                return; /* router.sh has made the place */
        f = fopen(path, "w");
        assert_non_null(f);
        if (w->kind == ROUTER_NGINX)
                (void)fprintf(
                        f,
                        "server {\n listen 127.0.0.1:%d;\n location / {\n proxy_pass http://$tally_ops;\n add_header Set-Cookie $tally_ops_cookie;\n }\n}\n",
                        w->operator_port);
        else
                (void)fprintf(f, "frontend operator\n mode http\n bind 127.0.0.1:%d\n default_backend tally_ops\n",
                              w->operator_port);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(world_do(w, "test"), 0);
        assert_int_equal(world_do(w, "reload"), 0);
        clock_sleep_ms(500);
}

static void an_operators_own_server_uses_the_group(void **state) {
        static const struct sticky sticky = { .cookie = "tally", .duration_ms = 90000 };
        struct decision_input *w = *state;
        struct route route = route_to(w, 50, 1, 1), all = route_to(w, 100, 1, 1);
        struct route_state s;
        int b = 0;

        w->traffic.listen = NULL;
        w->traffic.sticky = &sticky;
        route.app = all.app = "ops";
        apply(w, &route);
        refer_to_group(w);
        w->listen = w->operator_port;
        for (int i = 0; i < 200 && ask_router(w->listen, "GET", "/", NULL, NULL).status != 200; i++)
                clock_sleep_ms(50); /* the reload that opens this port is asynchronous */
        for (int i = 0; i < 200; i++) {
                struct reply r = ask_router(w->listen, "GET", "/", NULL, NULL);

                assert_int_equal(r.status, 200);
                assert_non_null(str_after(r.cookie, r.tag[0] == 'a' ? "tally=rel-1.0;" : "tally=rel-2.0;"));
                b += r.tag[0] == 'b';
        }
        expect_between(b, 65, 135);
        assert_int_equal(count(w, 30, NULL, "Cookie: tally=rel-2.0\r\n").b[0], 30);
        fine(router_observe(w->router, "ops", &w->traffic, w->arena, &s, &fault));
        assert_true(s.present && !s.altered && route_equal(&s.route, &route));
        apply(w, &all);
        assert_int_equal(count(w, 50, NULL, NULL).b[0], 50);
}

/*
 * Nothing is lost
 */

static void a_dead_target_is_passed_over(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 50, 2, 1);
        int64_t begun;
        struct tally t;
        int lost = 0, seconds;

        apply(w, &route);
        backend_stop(&w->a[1]);
        t = count(w, 300, NULL, NULL);
        assert_int_equal(t.failed, 0);
        assert_true(t.a[0] > 0 && t.b[0] > 0);
        /* Without another candidate, a current one takes over. */
        backend_stop(&w->b[0]);
        t = count(w, 300, NULL, NULL);
        assert_int_equal(t.a[0], 300);
        begun = clock_monotonic_ns();
        for (int i = 0; i < 50; i++)
                lost += ask_router(w->listen, "POST", "/", NULL, NULL).status != 200;
        seconds = (int)((clock_monotonic_ns() - begun) / 1000000000);
        /*
         * Debian's Caddy cannot send a body to a second target. It remembers for a second that a target is dead, so each
         * of the two dead ones costs one request of a second. How many seconds the requests take depends on the machine.
         */
        expect_between(lost, 0, w->kind == ROUTER_CADDY ? 2 * (seconds + 1) + 1 : 0);
}

/* A published port without anybody behind it: what is safe to repeat is answered by somebody else. */
static void a_target_that_only_closes_is_passed_over(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 0, 2, 0), both = route_to(w, 50, 1, 1);
        int port = w->a[1].port;

        apply(w, &route);
        backend_stop(&w->a[1]);
        backend_start(&w->a[1], "!", port);
        assert_int_equal(count(w, 200, NULL, NULL).a[0], 200);
        if (w->kind == ROUTER_HAPROXY)
                return; /* to its checks such a candidate is there: no current one takes over */
        port = w->b[0].port;
        backend_stop(&w->b[0]);
        backend_start(&w->b[0], "!", port);
        apply(w, &both);
        assert_int_equal(count(w, 200, NULL, NULL).a[0], 200);
}

static int64_t hits(const struct decision_input *w) {
        return *w->a[0].hits + *w->a[1].hits + *w->b[0].hits + *w->b[1].hits;
}

static void what_may_have_been_carried_out_is_not_sent_again(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 50, 2, 2);
        int64_t before;

        apply(w, &route);
        before = hits(w);
        for (int i = 0; i < 20; i++)
                assert_int_not_equal(ask_router(w->listen, "POST", "/die", NULL, NULL).status, 200);
        assert_int_equal(hits(w) - before, 20);
}

static void what_was_begun_is_finished(void **state) {
        struct decision_input *w = *state;
        struct route before = route_to(w, 0, 1, 0), after = route_to(w, 100, 0, 1);
        int status;
        pid_t pid;

        apply(w, &before);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(strcmp(ask_router(w->listen, "POST", "/slow", NULL, NULL).tag, "a0") != 0);
        clock_sleep_ms(200);
        apply(w, &after);
        assert_int_equal(count(w, 20, NULL, NULL).b[0], 20);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

struct load {
        volatile bool stop;
        volatile int64_t asked, failed;
        volatile int last_status;
        char last_lost[16];
};

/* At most 200 requests a second and process, and at most a minute. */
static pid_t load_start(struct decision_input *w, struct load *load, const char *method) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        for (int i = 0; i < 12000 && !load->stop; i++) {
                struct reply r = ask_router(w->listen, method, "/", NULL, NULL);

                __atomic_add_fetch(&load->asked, 1, __ATOMIC_SEQ_CST);
                if (r.status != 200) {
                        load->last_status = r.status;
                        (void)snprintf(load->last_lost, sizeof(load->last_lost), "%s", r.lost ? r.lost : "");
                        __atomic_add_fetch(&load->failed, 1, __ATOMIC_SEQ_CST);
                }
                clock_sleep_ms(5);
        }
        _exit(0);
}

/*
 * Caddy opens its sockets anew whenever its configuration changes (SO_REUSEPORT); what waits at an old one is lost,
 * unless the host's net.ipv4.tcp_migrate_req is 1. routers.sh gives it a network of its own with that.
 */
static bool sockets_migrate(void) {
        FILE *f = fopen("/proc/sys/net/ipv4/tcp_migrate_req", "r");
        int c = f ? fgetc(f) : '0';

        if (f)
                (void)fclose(f);
        return c == '1';
}

#define CLIENTS 3

static struct load *load_begin(struct decision_input *w, pid_t pids[static CLIENTS]) {
        struct load *load;

        if (w->kind == ROUTER_CADDY && !sockets_migrate())
                skip();
        load = mmap(NULL, sizeof(*load), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(load, MAP_FAILED);
        *load = (struct load){ .stop = false };
        for (int i = 0; i < CLIENTS; i++)
                pids[i] = load_start(w, load, i == 2 ? "POST" : "GET");
        return load;
}

static void load_end(struct decision_input *w, struct load *load, const pid_t pids[static CLIENTS], const char *what) {
        load->stop = true;
        for (int i = 0; i < CLIENTS; i++)
                (void)waitpid(pids[i], NULL, 0);
        print_message("# %s: %s, %lld requests, %lld lost%s%s\n", router_kind_names[w->kind], what,
                      (long long)load->asked, (long long)load->failed, load->failed ? ": " : "",
                      load->failed && load->last_lost[0] ? load->last_lost : "");
        assert_true(load->asked > 100);
        assert_int_equal(load->failed, 0);
        (void)munmap(load, sizeof(*load));
}

/* Once candidates are out of the route they may end; others come at their addresses. */
static void replace_candidates(struct decision_input *w) {
        struct route out = route_to(w, 0, 2, 0);

        apply(w, &out);
        clock_sleep_ms(SLOW_MS);
        for (int j = 0; j < 2; j++) {
                int port = w->b[j].port;

                backend_stop(&w->b[j]);
                clock_sleep_ms(20);
                backend_start(&w->b[j], j ? "b1" : "b0", port);
        }
}

static void shifts_lose_nothing(void **state) {
        static const int64_t shares[] = { 5, 25, 50, 75, 100, 0 };
        struct decision_input *w = *state;
        struct route start = route_to(w, 0, 2, 0);
        pid_t pids[CLIENTS];
        struct load *load;

        apply(w, &start);
        load = load_begin(w, pids);
        for (int i = 0; i < 20; i++) {
                struct route route = route_to(w, shares[i % 6], 2, 2);

                apply(w, &route);
                clock_sleep_ms(50);
                if (i % 6 == 5)
                        replace_candidates(w);
        }
        load_end(w, load, pids, "20 shifts");
}

/* HAProxy has to load these. */
static void other_settings_lose_nothing(void **state) {
        struct decision_input *w = *state;
        struct route route = route_to(w, 50, 2, 2);
        struct sticky sticky = { .cookie = "tally" };
        pid_t pids[CLIENTS];
        struct load *load;

        apply(w, &route);
        load = load_begin(w, pids);
        for (int i = 0; i < 10; i++) {
                sticky.duration_ms = (i + 1) * 1000;
                w->traffic.sticky = &sticky;
                apply(w, &route);
                clock_sleep_ms(50);
        }
        load_end(w, load, pids, "10 changes of settings");
}

int main(int argc, char **argv) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                TEST(a_share_of_all_goes_to_the_candidate),
                TEST(a_percent_is_a_percent),
                TEST(switches_in_one_move_and_back),
                TEST(a_promoted_candidate_is_the_current_one),
                TEST(a_header_tells_apart),
                TEST(a_cookie_tells_apart),
                TEST(a_client_stays_with_the_release_that_it_met),
                TEST(a_header_goes_before_what_was_met),
                TEST(host_and_path_say_which_requests),
                TEST(an_operators_own_server_uses_the_group),
                TEST(a_dead_target_is_passed_over),
                TEST(a_target_that_only_closes_is_passed_over),
                TEST(what_may_have_been_carried_out_is_not_sent_again),
                TEST(what_was_begun_is_finished),
                TEST(shifts_lose_nothing),
                TEST(other_settings_lose_nothing),
        };

        if (argc > 1)
                cmocka_set_test_filter(argv[1]);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
