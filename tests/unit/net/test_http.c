/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/net/http.h"
#include "tests/lib/group.h"

#define REQUEST_MAX 65536

/*
 * A server in a child process that answers by path. Connections are kept unless the answer ends them, and each answer
 * names its connection, so that reuse shows.
 */

struct server {
        pid_t pid;
        unsigned port; /* 0: a unix socket */
        char path[108];
};

static const struct {
        const char *path;
        const char *answer; /* %u: the connection's number, in X-Connection */
        bool close;
} answers[] = {
        { "/hello",
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Connection: %u\r\nX-Twice: one\r\nx-twice:  two \r\n\r\nhello",
          false },
        { "/missing", "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnothing", false },
        { "/cut", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nonly this", true },
        /* A whole line, or half of one: libcurl calls either a good answer without a body. */
        { "/cut-status", "HTTP/1.1 200 OK\r\n", true },
        { "/cut-header", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", true },
        { "/cut-line", "HTTP/1.1 200 OK\r\nContent-Length: 5", true },
        { "/cut-interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nServer: x\r\n", true },
        { "/nothing", "", true },
        { "/here", "HTTP/1.1 302 Found\r\nLocation: /hello\r\nContent-Length: 0\r\n\r\n", false },
        { "/loop", "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n", false },
        { "/away", "HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/hello\r\nContent-Length: 0\r\n\r\n",
          false },
        { "/port", "HTTP/1.1 307 Found\r\nLocation: http://127.0.0.1:1/hello\r\nContent-Length: 0\r\n\r\n", false },
        { "/file", "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", false },
        { "/interim",
          "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Late: 1\r\n\r\n",
          false },
        { "/garbage", "SSH-2.0-OpenSSH\r\n", true },
        { "/no-status", "HTTP/2 20\020\r\n\r\n", true },
        { "/two-digits", "HTTP/1.1 20\r\nContent-Length: 0\r\n\r\n", true },
        { "/four-digits", "HTTP/1.1 2000\r\nContent-Length: 0\r\n\r\n", true },
        { "/no-reason", "HTTP/1.1 201\r\nContent-Length: 2\r\n\r\nok", false },
};

static void send_text(int fd, const char *text, size_t n) {
        while (n > 0) {
                ssize_t k = send(fd, text, n, MSG_NOSIGNAL);

                if (k <= 0)
                        return;
                text += k;
                n -= (size_t)k;
        }
}

/* The whole request is in @text; an echo answers with it. */
static bool answer(int fd, const char *text, size_t n, unsigned connection) {
        char out[REQUEST_MAX + 256];
        const char *path = strchr(text, ' ') + 1;
        size_t n_path = strcspn(path, " ?");

        if (strncmp(path, "/slow", n_path) == 0)
                return pause(), false;
        if (strncmp(path, "/echo", n_path) == 0) {
                int k = snprintf(out, sizeof(out), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);

                send_text(fd, out, (size_t)k);
                send_text(fd, text, n);
                return true;
        }
        if (strncmp(path, "/big", n_path) == 0) {
                memset(out, 'x', REQUEST_MAX);
                send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 6553600\r\n\r\n", 44);
                for (unsigned i = 0; i < 100; i++)
                        send_text(fd, out, REQUEST_MAX);
                return true;
        }
        if (strncmp(path, "/headers", n_path) == 0) {
                send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", 36);
                for (unsigned i = 0; i < 500; i++) {
                        int k = snprintf(out, sizeof(out), "X-%u: %01000d\r\n", i, 0);

                        send_text(fd, out, (size_t)k);
                }
                send_text(fd, "\r\n", 2);
                return true;
        }
        for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
                if (strlen(answers[i].path) == n_path && strncmp(path, answers[i].path, n_path) == 0) {
                        const char *mark = strstr(answers[i].answer, "%u");

                        if (!mark) {
                                send_text(fd, answers[i].answer, strlen(answers[i].answer));
                                return !answers[i].close;
                        }
                        int k = snprintf(out, sizeof(out), "%.*s%u%s", (int)(mark - answers[i].answer),
                                         answers[i].answer, connection, mark + 2);

                        send_text(fd, out, (size_t)k);
                        return !answers[i].close;
                }
        return false;
}

static bool is_whole(const char *text, size_t n) {
        const char *body = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length:");

        if (!body)
                return false;
        if (strcasestr(text, "\r\nTransfer-Encoding: chunked"))
                return n >= 5 && memcmp(text + n - 5, "0\r\n\r\n", 5) == 0;
        return !length || length > body || n >= (size_t)(body + 4 - text) + (size_t)strtoul(length + 17, NULL, 10);
}

static void serve_connection(int fd, unsigned number) {
        static char text[REQUEST_MAX];
        size_t n = 0;
        ssize_t k;

        while ((k = read(fd, text + n, sizeof(text) - n - 1)) > 0) {
                n += (size_t)k;
                text[n] = '\0';
                if (!is_whole(text, n))
                        continue;
                if (!answer(fd, text, n, number))
                        return;
                n = 0;
        }
}

static _Noreturn void serve(int listener) {
        for (unsigned number = 1;; number++) {
                int fd = accept(listener, NULL, NULL);

                if (fork() == 0) {
                        alarm(60);
                        serve_connection(fd, number);
                        _exit(0);
                }
                (void)close(fd);
        }
}

static void server_start(struct server *s, bool local) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        socklen_t n = sizeof(in);
        int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        *s = (struct server){ .pid = -1 };
        if (local) {
                (void)snprintf(s->path, sizeof(s->path), "/tmp/test-http-%d.sock", getpid());
                (void)unlink(s->path);
                memcpy(un.sun_path, s->path, sizeof(un.sun_path));
                assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
        } else {
                assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
                assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
                s->port = ntohs(in.sin_port);
        }
        assert_int_equal(listen(fd, 16), 0);
        s->pid = fork();
        assert_true(s->pid >= 0);
        if (s->pid == 0) {
                (void)setpgid(0, 0);
                (void)signal(SIGCHLD, SIG_IGN);
                serve(fd);
        }
        (void)setpgid(s->pid, s->pid);
        (void)close(fd);
}

static void server_stop(struct server *s) {
        (void)kill(-s->pid, SIGKILL);
        (void)waitpid(s->pid, NULL, 0);
        if (s->path[0])
                (void)unlink(s->path);
}

static int setup(void **state) {
        struct server *s = calloc(1, sizeof(*s));

        unsetenv("http_proxy");
        server_start(s, false);
        *state = s;
        return 0;
}

static int teardown(void **state) {
        server_stop(*state);
        free(*state);
        return 0;
}

static const char *url(const struct server *s, const char *path) {
        static char text[256];

        (void)snprintf(text, sizeof(text), "http://127.0.0.1:%u%s", s->port, path);
        return text;
}

static struct http *client(const struct http_options *o) {
        own_fault struct fault f = FAULT_INIT;
        struct http *h = NULL;

        assert_int_equal(http_new(o, &h, &f), 0);
        return h;
}

static void get(struct http *h, const struct http_request *req, struct http_response *r) {
        own_fault struct fault f = FAULT_INIT;

        if (http_perform(h, req, r, &f) < 0)
                fail_msg("%s", f.message);
}

static void fails(const struct http_request *req, int expected, enum fault_kind kind, const char *words) {
        own_http struct http *h = client(NULL);
        own_http_response struct http_response r = HTTP_RESPONSE_INIT;
        own_fault struct fault f = FAULT_INIT;
        int got = http_perform(h, req, &r, &f);

        if (got != expected)
                fail_msg("%d instead of %d: %s", got, expected, fault_is_set(&f) ? f.message : "no fault");
        assert_int_equal(f.kind, kind);
        if (!strstr(f.message, words))
                fail_msg("'%s' does not say '%s'", f.message, words);
        assert_null(strstr(f.message, "s3cret"));
        if (kind == FAULT_TRANSIENT)
                assert_ptr_equal(f.code, req->reason);
}

static void an_answer_has_status_headers_and_body(void **state) {
        own_http struct http *h = client(NULL);
        own_http_response struct http_response r = HTTP_RESPONSE_INIT;
        char value[64], tight[3];

        get(h, &(struct http_request){ .url = url(*state, "/hello") }, &r);
        assert_int_equal(r.status, 200);
        assert_string_equal(buffer_str(&r.body), "hello");
        assert_string_equal(http_header(&r, "content-LENGTH", value, sizeof(value)), "5");
        assert_string_equal(http_header_nth(&r, "X-Twice", 1, value, sizeof(value)), "two");
        assert_null(http_header_nth(&r, "X-Twice", 2, value, sizeof(value)));
        assert_null(http_header(&r, "X-Twic", value, sizeof(value)));
        assert_null(http_header(&r, "X-Twice", tight, sizeof(tight)));

        get(h, &(struct http_request){ .url = url(*state, "/missing") }, &r);
        assert_int_equal(r.status, 404);
        assert_string_equal(buffer_str(&r.body), "nothing");
        get(h, &(struct http_request){ .url = url(*state, "/interim") }, &r);
        assert_null(http_header(&r, "X-Early", value, sizeof(value)));
        assert_non_null(http_header(&r, "X-Late", value, sizeof(value)));
}

static void a_connection_is_used_again(void **state) {
        own_http struct http *h = client(NULL);
        own_http_response struct http_response r = HTTP_RESPONSE_INIT;
        char first[16], second[16];

        get(h, &(struct http_request){ .url = url(*state, "/hello") }, &r);
        assert_non_null(http_header(&r, "X-Connection", first, sizeof(first)));
        get(h, &(struct http_request){ .url = url(*state, "/missing") }, &r);
        get(h, &(struct http_request){ .url = url(*state, "/hello") }, &r);
        assert_non_null(http_header(&r, "X-Connection", second, sizeof(second)));
        assert_string_equal(first, second);
}

static void a_request_is_sent_as_it_is_given(void **state) {
        static const char *const headers[] = { "Content-Type: application/json", "X-Registry-Auth: abc", NULL };
        own_http struct http *h = client(NULL);
        own_http_response struct http_response r = HTTP_RESPONSE_INIT;
        const char *text;

        get(h,
            &(struct http_request){
                    .url = url(*state, "/echo?a=b%20c"), .body = "{\"a\":1}", .body_size = 7, .headers = headers },
            &r);
        text = buffer_str(&r.body);
        assert_non_null(str_after(text, "POST /echo?a=b%20c HTTP/1.1\r\n"));
        assert_non_null(strstr(text, "\r\nContent-Type: application/json\r\n"));
        assert_non_null(strstr(text, "\r\nX-Registry-Auth: abc\r\n"));
        assert_non_null(strstr(text, "\r\nUser-Agent: tally/"));
        assert_non_null(strstr(text, "\r\nContent-Length: 7\r\n"));
        assert_null(strstr(text, "Expect"));
        assert_true(str_ends_with(text, "\r\n\r\n{\"a\":1}"));

        get(h, &(struct http_request){ .url = url(*state, "/echo"), .method = "DELETE" }, &r);
        assert_non_null(str_after(buffer_str(&r.body), "DELETE /echo HTTP/1.1\r\n"));
        get(h, &(struct http_request){ .url = url(*state, "/echo"), .method = "POST" }, &r);
        assert_non_null(strstr(buffer_str(&r.body), "\r\nContent-Length: 0\r\n"));
        assert_null(strstr(buffer_str(&r.body), "Content-Type"));
        get(h, &(struct http_request){ .url = url(*state, "/hello"), .method = "HEAD" }, &r);
        assert_int_equal(r.status, 200);
        assert_int_equal(r.body.size, 0);
}

static ssize_t upload_twice(void *buf, size_t room, void *userdata) {
        unsigned *times = userdata;

        assert_true(room >= 4);
        if ((*times)++ >= 2)
                return 0;
        memcpy(buf, "part", 4);
        return 4;
}

static ssize_t upload_nothing(void *buf, size_t room, void *userdata) {
        (void)buf, (void)room, (void)userdata;
        return -EPIPE;
}

static void a_body_can_come_from_a_callback(void **state) {
        own_http struct http *h = client(NULL);
        own_http_response struct http_response r = HTTP_RESPONSE_INIT;
        unsigned times = 0;

        get(h,
            &(struct http_request){ .url = url(*state, "/echo"),
                                    .method = "PUT",
                                    .upload = upload_twice,
                                    .upload_size = 8,
                                    .userdata = &times },
            &r);
        assert_non_null(str_after(buffer_str(&r.body), "PUT /echo"));
        assert_true(str_ends_with(buffer_str(&r.body), "\r\n\r\npartpart"));
        times = 0;
        get(h,
            &(struct http_request){
                    .url = url(*state, "/echo"), .upload = upload_twice, .upload_size = -1, .userdata = &times },
            &r);
        assert_non_null(strstr(buffer_str(&r.body), "chunked"));
        fails(&(struct http_request){ .url = url(*state, "/echo"), .upload = upload_nothing, .upload_size = 8 }, -EPIPE,
              FAULT_TRANSIENT, "given up");
}

static int count(const void *bytes, size_t size, void *userdata) {
        size_t *n = userdata;

        (void)bytes;
        *n += size;
        return 0;
}

static int stop_soon(const void *bytes, size_t size, void *userdata) {
        (void)bytes, (void)size, (void)userdata;
        return 1;
}

static void a_sink_gets_the_good_answer_and_the_body_the_bad_one(void **state) {
        own_http struct http *h = client(NULL);
        own_http_response struct http_response r = HTTP_RESPONSE_INIT;
        size_t n = 0;

        get(h, &(struct http_request){ .url = url(*state, "/big"), .sink = count, .userdata = &n }, &r);
        assert_int_equal(n, 6553600);
        assert_int_equal(r.body.size, 0);
        n = 0;
        get(h, &(struct http_request){ .url = url(*state, "/missing"), .sink = count, .userdata = &n }, &r);
        assert_int_equal(n, 0);
        assert_string_equal(buffer_str(&r.body), "nothing");
        fails(&(struct http_request){ .url = url(*state, "/big"), .sink = stop_soon }, -ECANCELED, FAULT_TRANSIENT,
              "given up");
}

static void what_is_too_big_is_refused(void **state) {
        size_t n = 0;

        fails(&(struct http_request){ .url = url(*state, "/big"), .max_body = 100000 }, -EFBIG, FAULT_TRANSIENT,
              "100000 bytes");
        fails(&(struct http_request){ .url = url(*state, "/big"), .max_body = 100000, .sink = count, .userdata = &n },
              -EFBIG, FAULT_TRANSIENT, "100000 bytes");
        assert_true(n <= 100000);
        fails(&(struct http_request){ .url = url(*state, "/headers") }, -EFBIG, FAULT_TRANSIENT, "exceeds");
}

static void a_server_that_breaks_off_is_a_transient_fault(void **state) {
        own_http struct http *h = client(NULL);
        own_http_response struct http_response r = HTTP_RESPONSE_INIT;

        fails(&(struct http_request){ .url = url(*state, "/cut?token=s3cret"), .reason = REASON_FETCH_FAILED },
              -ECONNRESET, FAULT_TRANSIENT, "cut off");
        fails(&(struct http_request){ .url = url(*state, "/cut-status") }, -ECONNRESET, FAULT_TRANSIENT, "cut off");
        fails(&(struct http_request){ .url = url(*state, "/cut-header") }, -ECONNRESET, FAULT_TRANSIENT, "cut off");
        fails(&(struct http_request){ .url = url(*state, "/cut-line") }, -ECONNRESET, FAULT_TRANSIENT, "cut off");
        fails(&(struct http_request){ .url = url(*state, "/cut-interim") }, -ECONNRESET, FAULT_TRANSIENT, "cut off");
        fails(&(struct http_request){ .url = url(*state, "/nothing"), .reason = REASON_IMAGE_PULL_FAILED }, -ECONNRESET,
              FAULT_TRANSIENT, "without an answer");
        fails(&(struct http_request){ .url = "http://127.0.0.1:1/x" }, -ECONNREFUSED, FAULT_TRANSIENT,
              "cannot connect");
        fails(&(struct http_request){ .url = url(*state, "/garbage") }, -EPROTO, FAULT_TRANSIENT, "not HTTP");
        fails(&(struct http_request){ .url = url(*state, "/no-status") }, -EPROTO, FAULT_TRANSIENT, "status");
        fails(&(struct http_request){ .url = url(*state, "/two-digits") }, -EPROTO, FAULT_TRANSIENT, "");
        fails(&(struct http_request){ .url = url(*state, "/four-digits") }, -EPROTO, FAULT_TRANSIENT, "");
        get(h, &(struct http_request){ .url = url(*state, "/no-reason") }, &r);
        assert_int_equal(r.status, 201);
}

static void a_slow_server_is_given_up_in_time(void **state) {
        int64_t before = clock_monotonic_ns();

        fails(&(struct http_request){ .url = url(*state, "/slow"), .timeout_ms = 300 }, -ETIMEDOUT, FAULT_TRANSIENT,
              "in time");
        fails(&(struct http_request){ .url = url(*state, "/slow"), .stall_timeout_ms = 1000 }, -ETIMEDOUT,
              FAULT_TRANSIENT, "in time");
        assert_true(clock_monotonic_ns() - before < 10 * INT64_C(1000000000));
}

static void redirects_stay_on_the_host(void **state) {
        own_http struct http *h = client(NULL);
        own_http_response struct http_response r = HTTP_RESPONSE_INIT;
        const enum http_redirect same = HTTP_REDIRECT_SAME_HOST;
        char value[64];

        get(h, &(struct http_request){ .url = url(*state, "/here") }, &r);
        assert_int_equal(r.status, 302);
        assert_string_equal(http_header(&r, "Location", value, sizeof(value)), "/hello");
        get(h, &(struct http_request){ .url = url(*state, "/here"), .redirect = same }, &r);
        assert_int_equal(r.status, 200);
        assert_string_equal(buffer_str(&r.body), "hello");
        get(h, &(struct http_request){ .url = url(*state, "/here"), .redirect = same, .method = "POST" }, &r);
        assert_int_equal(r.status, 302);
        fails(&(struct http_request){ .url = url(*state, "/away"), .redirect = same }, -EPERM, FAULT_DENIED,
              "another host");
        fails(&(struct http_request){ .url = url(*state, "/port"), .redirect = same }, -EPERM, FAULT_DENIED,
              "another host");
        fails(&(struct http_request){ .url = url(*state, "/file"), .redirect = same }, -EPERM, FAULT_DENIED,
              "another host");
        fails(&(struct http_request){ .url = url(*state, "/loop"), .redirect = same }, -ELOOP, FAULT_DENIED,
              "redirects");
}

static void urls_without_secrets_only(void **state) {
        (void)state;
        fails(&(struct http_request){ .url = "http://user:s3cret@127.0.0.1:1/" }, -EINVAL, FAULT_CONFIG,
              "no user or password");
        fails(&(struct http_request){ .url = "file:///etc/passwd" }, -EINVAL, FAULT_CONFIG, "only http");
        fails(&(struct http_request){ .url = "http://" }, -EINVAL, FAULT_CONFIG, "URL");
}

static void a_unix_socket_takes_no_proxy(void **state) {
        own(server_stop) struct server s;

        (void)state;
        server_start(&s, true);

        own_http struct http *h = client(&(struct http_options){ .unix_socket = s.path });
        own_http struct http *nobody = client(&(struct http_options){ .unix_socket = "/tmp/no-such.sock" });
        own_http_response struct http_response r = HTTP_RESPONSE_INIT;
        own_fault struct fault f = FAULT_INIT;

        setenv("http_proxy", "http://127.0.0.1:1", 1);
        get(h, &(struct http_request){ .url = "http://docker/hello" }, &r);
        assert_string_equal(buffer_str(&r.body), "hello");
        assert_int_equal(http_perform(nobody, &(struct http_request){ .url = "http://docker/v1.41/info" }, &r, &f),
                         -ENOENT);
        assert_non_null(strstr(f.message, "/v1.41/info at /tmp/no-such.sock"));
        unsetenv("http_proxy");
}

static void escaping_leaves_only_unreserved_characters(void **state) {
        own_buffer struct buffer out = BUFFER_INIT;

        (void)state;
        http_escape(&out, "a-Z_0.~/ ?&=%\303\274", true);
        buffer_putc(&out, '|');
        http_escape(&out, "a/b", false);
        assert_string_equal(buffer_str(&out), "a-Z_0.~/%20%3F%26%3D%25%C3%BC|a%2Fb");
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_status_headers_and_body),
        cmocka_unit_test(a_connection_is_used_again),
        cmocka_unit_test(a_request_is_sent_as_it_is_given),
        cmocka_unit_test(a_body_can_come_from_a_callback),
        cmocka_unit_test(a_sink_gets_the_good_answer_and_the_body_the_bad_one),
        cmocka_unit_test(what_is_too_big_is_refused),
        cmocka_unit_test(a_server_that_breaks_off_is_a_transient_fault),
        cmocka_unit_test(a_slow_server_is_given_up_in_time),
        cmocka_unit_test(redirects_stay_on_the_host),
        cmocka_unit_test(urls_without_secrets_only),
        cmocka_unit_test(a_unix_socket_takes_no_proxy),
        cmocka_unit_test(escaping_leaves_only_unreserved_characters),
};

TEST_GROUP(http, tests, .setup = setup, .teardown = teardown);
