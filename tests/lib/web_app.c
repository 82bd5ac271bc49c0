/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A release of an app that takes requests, for images of tests: linked statically, needs nothing else.
 *
 *   web-app RELEASE [good | ill | dies]     listens at port 8080 until SIGTERM, then finishes the requests under way
 *   web-app probe                           asks /healthz of the one in the same container; 0: it answers 200
 *
 * Every request but /healthz is answered with 200 and the release's name, after some milliseconds. "ill" answers
 * /healthz with 503, "dies" ends with code 1 after a second.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/http_request.h"

#define PORT        8080
#define REQUEST_MAX 8192
#define WORK_MS     5     /* what a request takes at least, and at most twice as long */
#define IDLE_MS     15000 /* a connection without a request */

static const char *release;
static bool ill;
static volatile sig_atomic_t ending;
static int under_way; /* requests; atomic */

static void on_term(int signal) {
        ending = 1;
}

static void pause_ms(long ms) {
        const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

        (void)nanosleep(&t, NULL);
}

static bool send_all(int fd, const char *p, size_t n) {
        while (n > 0) {
                ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

                if (sent <= 0)
                        return false;
                p += sent;
                n -= (size_t)sent;
        }
        return true;
}

/*
 * Until the headers' end and as much of a body as they announce. False when the other side is done, or we are and it
 * asked nothing.
 */
static bool read_request(int fd, char buf[static REQUEST_MAX]) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        size_t n = 0;

        for (int waited = 0; n < REQUEST_MAX - 1;) {
                ssize_t got;

                if (poll(&ready, 1, 50) == 0) {
                        waited += 50;
                        if (waited >= IDLE_MS || (ending && n == 0))
                                return false;
                        continue;
                }
                got = recv(fd, buf + n, REQUEST_MAX - 1 - n, 0);
                if (got <= 0)
                        return false;
                n += (size_t)got;
                buf[n] = '\0';
                if (http_request_is_whole(buf, n))
                        return true;
        }
        return false;
}

/* False when the connection is not to be used again. */
static bool answer(int fd, const char *request) {
        bool probe = strstr(request, " /healthz"), last = ending || strcasestr(request, "\r\nconnection: close");
        char text[512];
        int n;

        if (!probe)
                pause_ms(WORK_MS + random() % WORK_MS);
        n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: %s\r\n\r\n%s\n",
                     probe && ill ? "503 Service Unavailable" : "200 OK", strlen(release) + 1,
                     last ? "close" : "keep-alive", release);
        return send_all(fd, text, (size_t)n) && !last;
}

static void *serve(void *data) {
        int fd = (int)(long)data;
        char request[REQUEST_MAX];
        bool more = true;

        while (more && read_request(fd, request)) {
                __atomic_add_fetch(&under_way, 1, __ATOMIC_SEQ_CST);
                more = answer(fd, request);
                __atomic_sub_fetch(&under_way, 1, __ATOMIC_SEQ_CST);
        }
        (void)shutdown(fd, SHUT_WR);
        (void)close(fd);
        return NULL;
}

static int listen_here(void) {
        const struct sockaddr_in address = { .sin_family = AF_INET,
                                             .sin_port = htons(PORT),
                                             .sin_addr.s_addr = htonl(INADDR_ANY) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
            bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 512) < 0) {
                perror("web-app");
                exit(2);
        }
        return fd;
}

static void take_one(int fd, pthread_attr_t *attributes) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC), on = 1;
        pthread_t thread;

        if (client < 0)
                return;
        (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (pthread_create(&thread, attributes, serve, (void *)(long)client) != 0)
                (void)close(client);
}

static int run(bool dies) {
        const struct sigaction term = { .sa_handler = on_term };
        int fd = listen_here();
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        pthread_attr_t attributes;
        time_t start = time(NULL);

        (void)sigaction(SIGTERM, &term, NULL);
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attributes, 128 * 1024);
        while (!ending) {
                if (poll(&ready, 1, 50) > 0)
                        take_one(fd, &attributes);
                if (dies && time(NULL) > start + 1)
                        return 1;
        }
        (void)close(fd);
        for (int i = 0; i < 100 && __atomic_load_n(&under_way, __ATOMIC_SEQ_CST) > 0; i++)
                pause_ms(10);
        /* Who has sent a request on a connection that was idle a moment ago is answered, too. */
        pause_ms(100);
        return 0;
}

static int probe(void) {
        const struct sockaddr_in address = { .sin_family = AF_INET,
                                             .sin_port = htons(PORT),
                                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char buf[64] = "";
        ssize_t n;

        if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
            !send_all(fd, request, sizeof(request) - 1))
                return 1;
        n = recv(fd, buf, sizeof(buf) - 1, MSG_WAITALL);
        return n > 0 && strncmp(buf, "HTTP/1.1 200", 12) == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
        if (argc == 2 && strcmp(argv[1], "probe") == 0)
                return probe();
        if (argc < 2 || argc > 3)
                return 2;
        release = argv[1];
        ill = argc == 3 && strcmp(argv[2], "ill") == 0;
        return run(argc == 3 && strcmp(argv[2], "dies") == 0);
}
