/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/net/plain.h"
#include "tests/lib/group.h"

static void only_whole_answers_are_read(void **state) {
        static const struct {
                const char *bytes;
                int status; /* 0: refused */
                const char *body;
        } table[] = {
                { "HTTP/1.0 200 OK\r\n\r\n[]", 200, "[]" },
                { "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\n[]", 200, "[]" },
                { "HTTP/1.0 404 Not Found\r\ncontent-length:\t4 \r\n\r\ngone", 404, "gone" },
                { "HTTP/1.0 204\r\n\r\n", 204, "" },
                { "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n[]", 0, NULL },
                { "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n[]", 0, NULL },
                { "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]", 0, NULL },
                { "HTTP/1.0 200 OK\r\nContent-Length: -2\r\n\r\n[]", 0, NULL },
                { "HTTP/1.0 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n[]", 0, NULL },
                { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n", 0, NULL },
                { "HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n..", 0, NULL },
                { "HTTP/1.0 200 OK\r\nServer: x\r\n", 0, NULL },
                { "HTTP/1.0 200 OK\nServer: x\n\n[]", 0, NULL },
                { "HTTP/2 200 OK\r\n\r\n", 0, NULL },
                { "HTTP/1.0 20x OK\r\n\r\n", 0, NULL },
                { "HTTP/1.0 2000 OK\r\n\r\n", 0, NULL },
                { "HTTP/1.0 099 Low\r\n\r\n", 0, NULL },
                { "\r\n\r\n", 0, NULL },
                { "", 0, NULL },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                size_t size = strlen(table[i].bytes), body = 0;
                own_free char *copy = malloc(size ? size : 1); /* exactly as long, so that a byte too far is seen */
                int status = 0;

                assert_non_null(copy);
                memcpy(copy, table[i].bytes, size);
                if (table[i].status == 0) {
                        assert_int_equal(plain_parse(copy, size, &status, &body), -EPROTO);
                        assert_int_equal(status, 0);
                        continue;
                }
                assert_int_equal(plain_parse(copy, size, &status, &body), 0);
                assert_int_equal(status, table[i].status);
                assert_int_equal(size - body, strlen(table[i].body));
                assert_memory_equal(copy + body, table[i].body, size - body);
        }
}

/* A server for one connection, with @answer in two parts; it says nothing when that is NULL. */
static pid_t serve(const char *path, const char *answer) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        pid_t pid;

        memcpy(address.sun_path, path, strlen(path));
        assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(listener, 1), 0);
        pid = fork();
        if (pid == 0) {
                char request[4096] = "";
                int fd = accept(listener, NULL, NULL);
                ssize_t n = read(fd, request, sizeof(request) - 1);

                if (!answer)
                        pause();
                if (n <= 0 || strncmp(request, "GET /list?a=b HTTP/1.0\r\n", 24) != 0)
                        _exit(1);
                n = (ssize_t)strlen(answer) / 2;
                (void)!write(fd, answer, (size_t)n);
                (void)usleep(20000);
                (void)!write(fd, answer + n, strlen(answer + n));
                _exit(0);
        }
        (void)close(listener);
        return pid;
}

struct place {
        char folder[32], socket[64];
};

static int setup(void **state) {
        struct place *p = calloc(1, sizeof(*p));

        if (!p)
                return -1;
        (void)snprintf(p->folder, sizeof(p->folder), "/tmp/plain.XXXXXX");
        if (!mkdtemp(p->folder))
                return -1;
        (void)snprintf(p->socket, sizeof(p->socket), "%s/socket", p->folder);
        *state = p;
        return 0;
}

static int teardown(void **state) {
        struct place *p = *state;

        (void)unlink(p->socket);
        (void)rmdir(p->folder);
        free(p);
        return 0;
}

static int get(const struct place *p, size_t limit, int timeout_ms, int *status, struct buffer *body) {
        own_fault struct fault fault = FAULT_INIT;
        int r = plain_get(p->socket, "/list?a=b", limit, timeout_ms, status, body, &fault);

        if (r < 0)
                assert_int_equal(fault.kind, FAULT_TRANSIENT);
        return r;
}

static void an_answer_in_parts_is_put_together(void **state) {
        own_buffer struct buffer body = BUFFER_INIT;
        int status, ended;
        pid_t pid = serve(((struct place *)*state)->socket, "HTTP/1.0 200 OK\r\nServer: x\r\n\r\n[1,2,3]");

        assert_int_equal(get(*state, 100, 5000, &status, &body), 0);
        assert_int_equal(status, 200);
        assert_string_equal(buffer_str(&body), "[1,2,3]");
        assert_int_equal(waitpid(pid, &ended, 0), pid);
        assert_int_equal(ended, 0);
}

static void too_much_is_refused(void **state) {
        own_buffer struct buffer body = BUFFER_INIT;
        int status;
        pid_t pid = serve(((struct place *)*state)->socket, "HTTP/1.0 200 OK\r\n\r\n[1,2,3]");

        assert_int_equal(get(*state, 6, 5000, &status, &body), -EFBIG);
        assert_int_equal(body.size, 0);
        (void)waitpid(pid, NULL, 0);
}

static void silence_ends_with_the_time(void **state) {
        own_buffer struct buffer body = BUFFER_INIT;
        int status;
        pid_t pid = serve(((struct place *)*state)->socket, NULL);

        assert_int_equal(get(*state, 100, 50, &status, &body), -ETIMEDOUT);
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
}

static void nobody_there_is_told_apart(void **state) {
        own_buffer struct buffer body = BUFFER_INIT;
        const struct place *p = *state;
        int status;

        assert_int_equal(get(p, 100, 1000, &status, &body), -ENOENT);
        (void)kill(serve(p->socket, NULL), SIGKILL);
        (void)wait(NULL);
        assert_int_equal(get(p, 100, 1000, &status, &body), -ECONNREFUSED);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_whole_answers_are_read),
        cmocka_unit_test_setup_teardown(an_answer_in_parts_is_put_together, setup, teardown),
        cmocka_unit_test_setup_teardown(too_much_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_ends_with_the_time, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there_is_told_apart, setup, teardown),
};

TEST_GROUP(plain, tests);
