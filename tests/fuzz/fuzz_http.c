/* SPDX-License-Identifier: Apache-2.0 */

/*
 * http: the input is everything that a server says, on a unix socket; libcurl and our header, limit and sink code read
 * it.
 *
 * The first byte chooses the request, the rest is the answer. A connection is filled before it is accepted by anybody:
 * the listener is this same thread, so there is nothing to wait for.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/net/http.h"

#define BODY_MAX   4096
#define ANSWER_MAX (128 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct server {
        int listener;
        char path[108];
        const uint8_t *answer;
        size_t size;
};

/* Made once: a fuzzer has millions of inputs. */
static int listen_at(char path[108]) {
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)snprintf(path, 108, "/tmp/fuzz-http-%d", (int)getpid());
        memcpy(at.sun_path, path, 108);
        (void)unlink(path);
        if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 8) < 0)
                abort();
        return fd;
}

/* Answers one connection, whatever is asked, once the head of the request is there. */
static void *serve(void *data) {
        const struct server *s = data;
        int fd = accept(s->listener, NULL, NULL);
        char head[4096];

        if (fd < 0)
                return NULL;
        (void)!read(fd, head, sizeof(head));
        for (size_t sent = 0; sent < s->size;) {
                ssize_t n = send(fd, s->answer + sent, s->size - sent, MSG_NOSIGNAL);

                if (n <= 0)
                        break;
                sent += (size_t)n;
        }
        /* Without this, bytes of the request that were not read would reset the connection under the answer. */
        (void)shutdown(fd, SHUT_WR);
        while (read(fd, head, sizeof(head)) > 0)
                ;
        (void)close(fd);
        return NULL;
}

static int count(const void *bytes, size_t size, void *userdata) {
        size_t *n = userdata;

        (void)bytes;
        *n += size;
        return *n > 2 * BODY_MAX ? -1 : 0;
}

static void check_answer(const struct http_response *r, const struct http_request *req, int result, size_t sunk,
                         const struct fault *fault) {
        char value[64];

        if ((result < 0) != fault_is_set(fault) || r->body.size > BODY_MAX)
                abort();
        if (result == 0 && (r->status < 200 || r->status > 999))
                abort();
        if (result == 0 && sunk > 0 && !req->sink)
                abort();
        for (size_t i = 0; http_header_nth(r, "Content-Length", i, value, sizeof(value)); i++)
                if (strlen(value) >= sizeof(value))
                        abort();
}

static void ask(struct server *s, unsigned choice) {
        static const char *const methods[] = { "GET", "HEAD", "POST", "DELETE" };
        own_http_response struct http_response response = HTTP_RESPONSE_INIT;
        own_fault struct fault fault = FAULT_INIT;
        own_http struct http *client = NULL;
        size_t sunk = 0;
        struct http_request req = {
                .method = methods[choice & 3],
                .url = "http://engine/v1/x",
                .body = (choice & 3) == 2 ? "{}" : NULL,
                .body_size = (choice & 3) == 2 ? 2 : 0,
                .sink = choice & 4 ? count : NULL,
                .userdata = &sunk,
                .max_body = BODY_MAX,
                .timeout_ms = 5000,
                .direct = true,
        };

        if (http_new(&(struct http_options){ .unix_socket = s->path }, &client, &fault) < 0)
                abort();
        check_answer(&response, &req, http_perform(client, &req, &response, &fault), sunk, &fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct server server = { .listener = -1 };
        pthread_t thread;

        if (size < 1 || size > ANSWER_MAX)
                return 0;
        if (server.listener < 0)
                server.listener = listen_at(server.path);
        server.answer = data + 1;
        server.size = size - 1;
        if (pthread_create(&thread, NULL, serve, &server) != 0)
                abort();
        ask(&server, data[0]);
        if (pthread_join(thread, NULL) != 0)
                abort();
        return 0;
}
