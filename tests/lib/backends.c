/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/backends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/http_request.h"

#define TIMEOUT_S   10
#define REQUEST_MAX 8192

static int listen_at(int port) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
            bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 512) < 0) {
                perror("backend");
                abort();
        }
        return fd;
}

static int port_of(int fd) {
        struct sockaddr_in address;
        socklen_t size = sizeof(address);

        if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
                abort();
        return ntohs(address.sin_port);
}

int free_port(void) {
        int fd = listen_at(0), port = port_of(fd);

        (void)close(fd);
        return port;
}

/*
 * Server
 */

struct connection {
        int fd;
        const struct backend *backend;
};

static void patience(int fd) {
        const struct timeval time = { .tv_sec = TIMEOUT_S };

        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
}

/* Headers and what Content-Length says; false when the other side only connected, as a health check does. */
static bool read_request(int fd, char buf[static REQUEST_MAX]) {
        size_t n = 0;

        while (n < REQUEST_MAX - 1) {
                ssize_t got = recv(fd, buf + n, REQUEST_MAX - 1 - n, 0);

                if (got <= 0)
                        return false;
                n += (size_t)got;
                buf[n] = '\0';
                if (http_request_is_whole(buf, n))
                        return true;
        }
        return false;
}

static void *serve(void *data) {
        struct connection *c = data;
        char request[REQUEST_MAX], answer[256];

        patience(c->fd);
        if (c->backend->tag[0] != '!' && read_request(c->fd, request)) {
                __atomic_add_fetch(c->backend->hits, 1, __ATOMIC_SEQ_CST);
                if (strstr(request, " /slow"))
                        (void)usleep(SLOW_MS * 1000);
                if (!strstr(request, " /die")) {
                        int n = snprintf(
                                answer, sizeof(answer),
                                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s\n",
                                strlen(c->backend->tag) + 1, c->backend->tag);

                        (void)!send(c->fd, answer, (size_t)n, MSG_NOSIGNAL);
                }
        }
        (void)shutdown(c->fd, SHUT_WR);
        while (recv(c->fd, request, sizeof(request), MSG_DONTWAIT) > 0)
                ;
        (void)close(c->fd);
        free(c);
        return NULL;
}

static void run(const struct backend *b, int fd) {
        pthread_attr_t attributes;

        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attributes, 128 * 1024);
        for (;;) {
                struct connection *c = malloc(sizeof(*c));
                pthread_t thread;

                if (!c)
                        _exit(1);
                *c = (struct connection){ .fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC), .backend = b };
                if (c->fd < 0 || pthread_create(&thread, &attributes, serve, c) != 0) {
                        if (c->fd >= 0)
                                (void)close(c->fd);
                        free(c);
                }
        }
}

void backend_start(struct backend *b, const char *tag, int port) {
        int fd = listen_at(port);

        *b = (struct backend){ .port = port_of(fd) };
        (void)snprintf(b->tag, sizeof(b->tag), "%s", tag);
        (void)snprintf(b->address, sizeof(b->address), "127.0.0.1:%d", b->port);
        b->hits = mmap(NULL, sizeof(*b->hits), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (b->hits == MAP_FAILED)
                abort();
        b->pid = fork();
        if (b->pid < 0)
                abort();
        if (b->pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                run(b, fd);
        }
        (void)close(fd);
}

void backend_stop(struct backend *b) {
        if (b->pid > 0) {
                (void)kill(b->pid, SIGKILL);
                (void)waitpid(b->pid, NULL, 0);
        }
        b->pid = 0;
}

/*
 * Client
 */

static void take_answer(struct reply *r, char *text) {
        char *body = strstr(text, "\r\n\r\n"), *cookie = strcasestr(text, "\r\nset-cookie:");

        if (sscanf(text, "HTTP/1.%*d %d", &r->status) != 1)
                return;
        if (cookie && body && cookie < body) {
                cookie += strlen("\r\nset-cookie:");
                cookie += strspn(cookie, " ");
                (void)snprintf(r->cookie, sizeof(r->cookie), "%.*s", (int)strcspn(cookie, "\r\n"), cookie);
        }
        if (body)
                (void)snprintf(r->tag, sizeof(r->tag), "%.*s", (int)strcspn(body + 4, "\r\n"), body + 4);
}

struct reply ask_router(int port, const char *method, const char *path, const char *host, const char *headers) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const char *body = strcmp(method, "POST") == 0 ? "hello" : "";
        struct reply r = { .status = 0 };
        char text[REQUEST_MAX];
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), n;
        size_t size = 0;
        ssize_t got = 0;

        if (fd < 0)
                abort();
        patience(fd);
        n = snprintf(text, sizeof(text),
                     "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n%s", method, path,
                     host ? host : "127.0.0.1", strlen(body), headers ? headers : "", body);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                r.lost = "connect";
        else if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
                r.lost = "send";
        else {
                while (size < sizeof(text) - 1 && (got = recv(fd, text + size, sizeof(text) - 1 - size, 0)) > 0)
                        size += (size_t)got;
                text[size] = '\0';
                take_answer(&r, text);
                if (r.status == 0)
                        r.lost = got < 0 ? "reset" : "closed";
        }
        (void)close(fd);
        return r;
}
