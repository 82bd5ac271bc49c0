/* SPDX-License-Identifier: Apache-2.0 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "providers/fake/fake.h"
#include "providers/probe.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "tests/lib/group.h"
#include "tests/lib/rig.h"

#define NUMBER(value) "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"" value "\"]}}"

/*
 * A server that answers by path, one connection after the other, in a process of its own
 */

struct server {
        pid_t pid;
        int port;
};

static void say(int fd, const char *text) {
        (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void say_body(int fd, int status, const char *body) {
        char head[200];

        (void)snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
                       strlen(body));
        say(fd, head);
        say(fd, body);
}

/* A body of a MiB with one word in it. */
static void say_much(int fd, size_t at) {
        char *body = malloc((1 << 20) + 1);

        memset(body, 'x', 1 << 20);
        body[1 << 20] = '\0';
        memcpy(body + at, "needle", 6);
        say_body(fd, 200, body);
        free(body);
}

static void answer_query(int fd, const char *query) {
        static const struct {
                const char *query, *body;
        } answers[] = {
                { "value", NUMBER("0.25") },
                { "old", NUMBER("0.2") },
                { "none", NUMBER("0") },
                { "some", NUMBER("12") },
                { "nan", NUMBER("NaN") },
                { "up%7Bv%3D%22sha256%3Anew%2F2%2Fshop%2Fweb%2Fweb1%22%7D", NUMBER("1") },
                { "up%7Bv%3D%22sha256%3Aold%2F1%2Fshop%2Fweb%2Fweb1%22%7D", NUMBER("2") },
        };
        size_t n = strcspn(query, " &");

        for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
                if (strlen(answers[i].query) == n && memcmp(answers[i].query, query, n) == 0)
                        return say_body(fd, 200, answers[i].body);
        say_body(fd, 400, "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"unknown\"}");
}

static void answer(int fd, const char *request) {
        const char *path = str_after(request, "GET "), *host = strstr(request, "Host: ");
        char text[300];

        if (!path || !host)
                return;
        if (str_after(path, "/status/"))
                say_body(fd, (int)strtol(path + 8, NULL, 10), "the body of it");
        else if (str_after(path, "/host ") || str_after(path, "/host?"))
                (void)snprintf(text, sizeof(text), "%.*s %.*s", (int)strcspn(path, " "), path, (int)strcspn(host, "\r"),
                               host),
                        say_body(fd, 200, text);
        else if (str_after(path, "/near "))
                say_much(fd, LIMIT_CHECK_BODY_BYTES - 6);
        else if (str_after(path, "/far "))
                say_much(fd, LIMIT_CHECK_BODY_BYTES - 5);
        else if (str_after(path, "/redirect "))
                say(fd, "HTTP/1.1 302 Found\r\nLocation: /status/500\r\nContent-Length: 0\r\n\r\n");
        else if (str_after(path, "/half "))
                say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), pause();
        else if (str_after(path, "/slow "))
                pause();
        else if (str_after(path, "/garbage "))
                say(fd, "SSH-2.0-OpenSSH\r\n");
        else if (str_after(path, "/base/api/v1/query?query="))
                answer_query(fd, path + strlen("/base/api/v1/query?query="));
        else if (str_after(path, "/huge/api/v1/query?query="))
                say_much(fd, 0);
        else if (str_after(path, "/slow/api/v1/query?query="))
                pause();
}

/* A process for each connection: one that pauses is no hindrance. */
static void serve(int listener) {
        char request[4096];

        (void)signal(SIGCHLD, SIG_IGN);
        for (;;) {
                int fd = accept(listener, NULL, NULL);

                if (fd < 0 || fork() != 0) {
                        (void)close(fd);
                        continue;
                }
                (void)alarm(20);
                ssize_t n = read(fd, request, sizeof(request) - 1);

                request[n > 0 ? n : 0] = '\0';
                answer(fd, request);
                _exit(0);
        }
}

static int listen_on(int *ret_port) {
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(at);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
        assert_int_equal(listen(fd, 64), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
        *ret_port = ntohs(at.sin_port);
        return fd;
}

static int start_server(void **state) {
        struct server *s = calloc(1, sizeof(*s));
        int listener = listen_on(&s->port);

        s->pid = fork();
        if (s->pid == 0) {
                (void)setpgid(0, 0);
                serve(listener);
                _exit(0);
        }
        (void)setpgid(s->pid, s->pid);
        (void)close(listener);
        *state = s;
        return 0;
}

static int stop_server(void **state) {
        struct server *s = *state;

        (void)kill(-s->pid, SIGKILL);
        (void)waitpid(s->pid, NULL, 0);
        free(s);
        return 0;
}

/*
 * One instance whose port 80 is that server's
 */

static struct instance instance_at(int port, struct arena *a) {
        struct endpoint *e = arena_new_of(a, struct endpoint);

        *e = (struct endpoint){ .port = 80, .address = arena_printf(a, "127.0.0.1:%d", port) };
        return (struct instance){ .id = "c1",
                                  .app = "shop",
                                  .service = "web",
                                  .version = "2",
                                  .state = INSTANCE_RUNNING,
                                  .started_at = 1700000000000,
                                  .endpoints = { e, 1 } };
}

static struct probe_target target_of(const struct instance *in) {
        return (struct probe_target){ .instance = in,
                                      .host = "web1",
                                      .app = "shop",
                                      .service = "web",
                                      .release = "sha256:new",
                                      .version = "2",
                                      .current_release = "sha256:old",
                                      .current_version = "1" };
}

static struct check_fact look(const struct check *check, const struct probe_target *target, struct arena *a) {
        struct check_fact fact;

        probe(check, target, a, &fact);
        assert_string_equal(fact.check, check->name.text);
        assert_non_null(fact.detail);
        assert_true(fact.took_ms >= 0 && fact.took_ms < 10000);
        return fact;
}

static void assert_fact(const struct check_fact *f, enum check_verdict verdict, const char *detail) {
        if (f->verdict != verdict || !pattern_matches(detail, f->detail))
                fail_msg("%s '%s' instead of %s '%s'", check_verdict_names[f->verdict], f->detail,
                         check_verdict_names[verdict], detail);
}

static void ask(const struct server *s, const struct check_http *http, enum check_verdict verdict, const char *detail) {
        own_arena struct arena *a = arena_new();
        struct instance in = instance_at(s->port, a);
        const struct probe_target target = target_of(&in);
        const struct check check = { .name = { .text = "web-http" }, .http = http, .timeout_ms = 500 };
        struct check_fact fact = look(&check, &target, a);

        assert_fact(&fact, verdict, detail);
        assert_string_equal(fact.instance, "c1");
        assert_int_equal(fact.started_at, 1700000000000);
        assert_null(fact.value);
}

#define HTTP(...) (&(struct check_http){ .port = 80, __VA_ARGS__ })

static void an_answer_with_the_right_status_passes(void **state) {
        ask(*state, HTTP(.path = "/status/200"), CHECK_PASS, "status 200");
        ask(*state, HTTP(.path = "/status/399"), CHECK_PASS, "status 399");
        ask(*state, HTTP(.path = "/status/503", .status = 503), CHECK_PASS, "status 503");
        ask(*state, HTTP(.path = "/status/404"), CHECK_FAIL, "status 404, not 200 to 399");
        ask(*state, HTTP(.path = "/status/503"), CHECK_FAIL, "status 503, not 200 to 399");
        ask(*state, HTTP(.path = "/status/204", .status = 200), CHECK_FAIL, "status 204, not 200");
        /* Where it leads is another answer. */
        ask(*state, HTTP(.path = "/redirect"), CHECK_PASS, "status 302");
        ask(*state, HTTP(.path = "/redirect", .status = 200), CHECK_FAIL, "status 302, not 200");
}

static void the_body_must_hold_the_text_in_its_first_part(void **state) {
        ask(*state, HTTP(.path = "/status/200", .contains = "body of"), CHECK_PASS, "status 200");
        ask(*state, HTTP(.path = "/status/200", .contains = "nothing"), CHECK_FAIL,
            "status 200, but 'nothing' is not in the body");
        ask(*state, HTTP(.path = "/status/404", .contains = "body of"), CHECK_FAIL, "status 404, not 200 to 399");
        ask(*state, HTTP(.path = "/near", .contains = "needle"), CHECK_PASS, "status 200");
        ask(*state, HTTP(.path = "/far", .contains = "needle"), CHECK_FAIL,
            "status 200, but 'needle' is not in the body");
        ask(*state, HTTP(.path = "/far"), CHECK_PASS, "status 200");
}

static void path_and_host_go_out_as_they_are(void **state) {
        const struct server *s = *state;
        char text[60];

        ask(s,
            HTTP(.path = "/host?a=%20/../b", .host = "shop.example", .contains = "/host?a=%20/../b Host: shop.example"),
            CHECK_PASS, "*");
        (void)snprintf(text, sizeof(text), "Host: 127.0.0.1:%d", s->port);
        ask(s, HTTP(.path = "/host", .contains = text), CHECK_PASS, "*");
}

/* No proxy stands between us and what runs here. */
static void the_environment_has_no_say(void **state) {
        assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
        ask(*state, HTTP(.path = "/status/200"), CHECK_PASS, "status 200");
        assert_int_equal(unsetenv("http_proxy"), 0);
}

static void no_whole_answer_in_time_fails(void **state) {
        ask(*state, HTTP(.path = "/slow"), CHECK_FAIL, "no whole answer from 127.0.0.1:* within 500ms");
        ask(*state, HTTP(.path = "/half"), CHECK_FAIL, "no whole answer from 127.0.0.1:* within 500ms");
        ask(*state, HTTP(.path = "/nothing"), CHECK_FAIL,
            "GET http://127.0.0.1:*/nothing: the server closed the connection without an answer*");
        ask(*state, HTTP(.path = "/garbage"), CHECK_FAIL, "GET http://127.0.0.1:*/garbage: *");
}

/* A port of this machine where nobody listens. */
static int closed_port(void) {
        int port, fd = listen_on(&port);

        (void)close(fd);
        return port;
}

static void a_closed_port_fails(void **state) {
        const struct server closed = { .port = closed_port() };

        ask(&closed, HTTP(.path = "/"), CHECK_FAIL, "GET http://127.0.0.1:*/: cannot connect: Connection refused");
}

static struct check_fact look_at(const struct check *check, const struct instance *in, struct arena *a) {
        const struct probe_target target = target_of(in);

        return look(check, &target, a);
}

static void what_cannot_be_asked_is_inconclusive_and_what_does_not_run_fails(void **state) {
        own_arena struct arena *a = arena_new();
        const struct check_http http = { .port = 8080, .path = "/" };
        const struct check_exec exec = { .command = { .n = 0 } };
        const struct check one = { .name = { .text = "one" }, .http = &http, .timeout_ms = 500 },
                           two = { .name = { .text = "two" }, .exec = &exec, .timeout_ms = 500 };
        struct instance in = instance_at(1, a);
        struct check_fact fact = look_at(&one, &in, a);

        assert_fact(&fact, CHECK_INCONCLUSIVE,
                    "there is no way to port 8080: it is not published, and the container has no address");
        in.state = INSTANCE_EXITED;
        fact = look_at(&one, &in, a);
        assert_fact(&fact, CHECK_FAIL, "it is not running but exited");
        in.state = INSTANCE_RESTARTING;
        fact = look_at(&two, &in, a);
        assert_fact(&fact, CHECK_FAIL, "it is not running but restarting");
        fact = look_at(&one, NULL, a);
        assert_fact(&fact, CHECK_INCONCLUSIVE, "there is no instance");
        assert_null(fact.instance);
}

/*
 * TCP
 */

static void touch(int port, bool published, enum check_verdict verdict, const char *detail) {
        own_arena struct arena *a = arena_new();
        struct instance in = instance_at(port, a);
        const struct check_tcp tcp = { .port = published ? 80 : port };
        const struct check check = { .name = { .text = "web-tcp" }, .tcp = &tcp, .timeout_ms = 500 };
        struct check_fact fact;

        in.address = "127.0.0.1";
        fact = look_at(&check, &in, a);
        assert_fact(&fact, verdict, detail);
}

static void a_port_that_takes_connections_passes(void **state) {
        const struct server *s = *state;

        touch(s->port, true, CHECK_PASS, "it takes connections");
        touch(s->port, false, CHECK_PASS, "it takes connections");
        touch(closed_port(), true, CHECK_FAIL, "127.0.0.1:* takes no connection: Connection refused");
}

/* As the engine's proxy does for a published port behind which nobody listens. */
static void a_published_port_that_drops_connections_fails(void **state) {
        int port, listener = listen_on(&port);
        pid_t pid = fork();

        if (pid == 0) {
                (void)alarm(20);
                for (int i = 0; i < 4; i++) {
                        int fd = accept(listener, NULL, NULL);
                        struct linger reset = { .l_onoff = 1 };

                        if (i == 1)
                                (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
                        if (i == 3)
                                say(fd, "220 hello\r\n");
                        (void)close(fd);
                }
                _exit(0);
        }
        touch(port, true, CHECK_FAIL, "127.0.0.1:* takes connections and drops them at once");
        touch(port, true, CHECK_FAIL, "127.0.0.1:* takes *");   /* a reset may come even before we look */
        touch(port, false, CHECK_PASS, "it takes connections"); /* nobody stands between: that is how it is */
        touch(port, true, CHECK_PASS, "it takes connections");  /* it said something first */
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        (void)close(listener);
}

/* A queue that is full answers nothing to who wants in. */
static void a_port_that_does_not_answer_in_time_fails(void **state) {
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int port, listener = listen_on(&port), waiting[8];

        assert_int_equal(listen(listener, 0), 0);
        at.sin_port = htons((uint16_t)port);
        for (size_t i = 0; i < 8; i++) {
                waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
                (void)connect(waiting[i], (struct sockaddr *)&at, sizeof(at));
        }
        clock_sleep_ms(50);
        touch(port, false, CHECK_FAIL, "127.0.0.1:* takes no connection within 500ms");
        for (size_t i = 0; i < 8; i++)
                (void)close(waiting[i]);
        (void)close(listener);
}

/*
 * Exec, in the fake runtime
 */

static struct check_fact run(const char *script, bool output, struct arena *a) {
        static const struct runtime_settings settings = { .host = "web1" };
        own_json json_t *exec = NULL;
        own_fault struct fault none = FAULT_INIT;
        own_runtime struct runtime *rt = NULL;
        struct text_at words[] = { { .text = "/bin/ready" } };
        const struct check_exec command = { .command = { words, 1 }, .output = output };
        const struct check check = { .name = { .text = "web-exec" }, .exec = &command, .timeout_ms = 500 };
        struct instance in = instance_at(1, a);
        struct probe_target target = target_of(&in);

        assert_int_equal(json_parse("script", script, strlen(script), &exec, &none), 0);
        rig_fine(runtime_open(&fake_runtime_ops, &settings, &rt, &fault));
        json_object_update(fake_world(rt), exec);
        target.runtime = rt;
        return look(&check, &target, a);
}

#define RUNS \
        "\"instances\":[{\"id\":\"c1\",\"app\":\"shop\",\"service\":\"web\",\"version\":\"2\",\"state\":\"running\"}]"

static void the_exit_code_of_a_command_decides(void **state) {
        static const struct {
                const char *script;
                bool output;
                enum check_verdict verdict;
                const char *detail;
        } table[] = {
                { "{" RUNS "}", false, CHECK_PASS, "exit code 0" },
                { "{" RUNS ",\"exec\":{\"shop/web\":{\"exit_code\":0,\"output\":\"fine\\n\"}}}", true, CHECK_PASS,
                  "exit code 0: fine" },
                { "{" RUNS
                  ",\"exec\":{\"shop/web@2\":{\"exit_code\":3,\"output\":\"a\\nb \\n\\n\"},\"shop/web\":{\"exit_code\":1}}}",
                  true, CHECK_FAIL, "exit code 3: b" },
                /* What it prints stays out of the evidence unless that was asked for. */
                { "{" RUNS ",\"exec\":{\"shop/web@2\":{\"exit_code\":3,\"output\":\"secret\"}}}", false, CHECK_FAIL,
                  "exit code 3" },
                { "{" RUNS ",\"exec\":{\"shop/web@2\":{\"timeout\":true}}}", false, CHECK_FAIL, "no end within 500ms" },
                { "{\"instances\":[]}", false, CHECK_FAIL, "shop: cannot run a command in web: c1 is gone*" },
                { "{" RUNS ",\"available\":false,\"reason\":\"away\"}", false, CHECK_INCONCLUSIVE,
                  "shop: cannot run a command in web: away*" },
                { "{" RUNS ",\"fail\":[{\"call\":\"exec\",\"kind\":\"denied\",\"message\":\"not ours\"}]}", false,
                  CHECK_INCONCLUSIVE, "*not ours*" },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                own_arena struct arena *a = arena_new();
                struct check_fact fact = run(table[i].script, table[i].output, a);

                assert_fact(&fact, table[i].verdict, table[i].detail);
        }
}

static void a_runtime_without_commands_is_inconclusive(void **state) {
        own_arena struct arena *a = arena_new();
        struct runtime_ops ops = fake_runtime_ops;
        struct runtime rt = { .ops = &ops };
        struct instance in = instance_at(1, a);
        struct probe_target target = target_of(&in);
        const struct check_exec command = { .command = { .n = 0 } };
        const struct check check = { .name = { .text = "web-exec" }, .exec = &command, .timeout_ms = 500 };
        struct check_fact fact;

        ops.exec = NULL;
        target.runtime = &rt;
        fact = look(&check, &target, a);
        assert_fact(&fact, CHECK_INCONCLUSIVE, "runtime fake cannot run commands in an instance*");
}

/*
 * Prometheus
 */

static struct check_fact measure(const struct server *s, const char *base, const struct check_prometheus *p,
                                 bool current, struct arena *a) {
        struct check_prometheus with = *p;
        const struct check check = { .name = { .text = "errors" }, .prometheus = &with, .timeout_ms = 500 };
        struct probe_target target = target_of(NULL);
        struct check_fact fact;

        with.url = arena_printf(a, "http://127.0.0.1:%d%s", s->port, base);
        if (!current)
                target.current_release = target.current_version = NULL;
        fact = look(&check, &target, a);
        assert_null(fact.instance);
        assert_int_equal(fact.started_at, 0);
        return fact;
}

#define QUERY(...) (&(struct check_prometheus){ __VA_ARGS__ })

static void a_number_is_taken_with_its_baseline(void **state) {
        own_arena struct arena *a = arena_new();
        struct check_fact fact =
                measure(*state, "/base", QUERY(.query = "value", .baseline = "old", .traffic = "some"), true, a);

        assert_fact(&fact, CHECK_PASS, "0.25, baseline 0.2");
        assert_int_equal(*fact.value, 250000);
        assert_int_equal(*fact.baseline, 200000);
        fact = measure(*state, "/base/", QUERY(.query = "value"), true, a);
        assert_fact(&fact, CHECK_PASS, "0.25");
        assert_null(fact.baseline);
        /* A first release has none. */
        fact = measure(*state, "/base//", QUERY(.query = "value", .baseline = "old"), false, a);
        assert_fact(&fact, CHECK_PASS, "0.25");
        assert_int_equal(*fact.value, 250000);
        assert_null(fact.baseline);
}

static void placeholders_are_of_the_new_release_and_in_the_baseline_of_the_old(void **state) {
        static const char query[] = "up{v=\"${release}/${version}/${app}/${service}/${host}\"}";
        own_arena struct arena *a = arena_new();
        struct check_fact fact =
                measure(*state, "/base", QUERY(.query = query, .baseline = query, .traffic = query), true, a);

        assert_fact(&fact, CHECK_PASS, "1, baseline 2");
}

static void without_traffic_or_data_nothing_is_concluded(void **state) {
        own_arena struct arena *a = arena_new();
        struct check_fact fact = measure(*state, "/base", QUERY(.query = "value", .traffic = "none"), true, a);

        assert_fact(&fact, CHECK_INCONCLUSIVE, "no traffic: 0");
        assert_null(fact.value);
        fact = measure(*state, "/base", QUERY(.query = "value", .traffic = "nan"), true, a);
        assert_fact(&fact, CHECK_INCONCLUSIVE, "traffic: the answer is NaN, not a number");
        fact = measure(*state, "/base", QUERY(.query = "nan"), true, a);
        assert_fact(&fact, CHECK_INCONCLUSIVE, "query: the answer is NaN, not a number");
        fact = measure(*state, "/base", QUERY(.query = "value", .baseline = "nan"), true, a);
        assert_fact(&fact, CHECK_INCONCLUSIVE, "baseline: the answer is NaN, not a number");
        assert_null(fact.value);
        fact = measure(*state, "/base", QUERY(.query = "value", .baseline = "wrong"), true, a);
        assert_fact(&fact, CHECK_INCONCLUSIVE, "baseline: the server says bad_data: unknown");
}

static void a_server_that_does_not_answer_is_inconclusive(void **state) {
        own_arena struct arena *a = arena_new();
        const struct server closed = { .port = closed_port() };
        struct check_fact fact = measure(&closed, "", QUERY(.query = "value"), true, a);

        assert_fact(&fact, CHECK_INCONCLUSIVE,
                    "GET http://127.0.0.1:*/api/v1/query: cannot connect: Connection refused");
        fact = measure(*state, "/slow", QUERY(.query = "value"), true, a);
        assert_fact(&fact, CHECK_INCONCLUSIVE, "query: no answer from http://127.0.0.1:*/slow within 500ms");
        fact = measure(*state, "/huge", QUERY(.query = "value"), true, a);
        assert_fact(&fact, CHECK_INCONCLUSIVE, "query: the answer exceeds 262144 bytes: aggregate the series");
        fact = measure(*state, "/nowhere", QUERY(.query = "value"), true, a);
        assert_fact(&fact, CHECK_INCONCLUSIVE,
                    "GET http://127.0.0.1:*/nowhere/api/v1/query: the server closed the connection*");
}

static void a_query_that_is_too_long_is_not_asked(void **state) {
        own_arena struct arena *a = arena_new();
        char *query = arena_alloc(a, LIMIT_CHECK_QUERY_BYTES + 2);
        struct check_fact fact;

        memset(query, 'q', LIMIT_CHECK_QUERY_BYTES + 1);
        fact = measure(*state, "/base", QUERY(.query = query), true, a);
        assert_fact(&fact, CHECK_INCONCLUSIVE, "query: longer than 16384 bytes");
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_with_the_right_status_passes),
        cmocka_unit_test(the_body_must_hold_the_text_in_its_first_part),
        cmocka_unit_test(path_and_host_go_out_as_they_are),
        cmocka_unit_test(the_environment_has_no_say),
        cmocka_unit_test(no_whole_answer_in_time_fails),
        cmocka_unit_test(a_closed_port_fails),
        cmocka_unit_test(what_cannot_be_asked_is_inconclusive_and_what_does_not_run_fails),
        cmocka_unit_test(a_port_that_takes_connections_passes),
        cmocka_unit_test(a_published_port_that_drops_connections_fails),
        cmocka_unit_test(a_port_that_does_not_answer_in_time_fails),
        cmocka_unit_test(the_exit_code_of_a_command_decides),
        cmocka_unit_test(a_runtime_without_commands_is_inconclusive),
        cmocka_unit_test(a_number_is_taken_with_its_baseline),
        cmocka_unit_test(placeholders_are_of_the_new_release_and_in_the_baseline_of_the_old),
        cmocka_unit_test(without_traffic_or_data_nothing_is_concluded),
        cmocka_unit_test(a_server_that_does_not_answer_is_inconclusive),
        cmocka_unit_test(a_query_that_is_too_long_is_not_asked),
};

TEST_GROUP(probe, tests, .setup = start_server, .teardown = stop_server);
