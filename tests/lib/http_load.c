/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A bounded, steady load of HTTP requests on 127.0.0.1.
 *
 *   http-load PORT SECONDS REQUESTS CONNECTIONS LOG [gets]
 *
 * Half of the CONNECTIONS are kept as long as the server lets them, half are made for each request; of these, every
 * second sends POSTs ("gets": none does). It ends after SECONDS or REQUESTS, or at SIGTERM. LOG gets a line for each
 * request, when it is answered:
 *
 *   <ms since 1970> <ms it took> <status, 0: none> <body's first word, -: none> <what: kept-get, fresh-get, fresh-post>
 *   <what went wrong>
 *
 * A kept connection that the server closed before it took any of a request: what every client does then is done here,
 * too: the request goes out once more on a fresh one (RFC 9112, 9.3.1). Such are counted, and are no failure if that
 * one is answered.
 *
 * At the end: one line "requests N failed N again N slowest N" (ms), one "status S N" for each status, one "release R
 * N" for each release, and every failure's line from the log. 0: nothing failed, 1: something did, 2: it could not be
 * done at all.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define PAUSE_MS        20 /* of a connection between two requests */
#define PATIENCE_S      10
#define ANSWER_MAX      4096
#define RELEASES_MAX    32
#define WORD_MAX        32

struct totals {
        long requests, failed, again;
        long long slowest;
        long statuses[600];
        struct {
                char name[WORD_MAX];
                long n;
        } releases[RELEASES_MAX];
        size_t n_releases;
        char *failures;
        size_t failures_size;
};

static struct {
        int port;
        long long until; /* ms since 1970 */
        long most;
        bool gets;
        pthread_mutex_t lock; /* of all below */
        FILE *log, *failures;
        struct totals totals;
} load = { .lock = PTHREAD_MUTEX_INITIALIZER };

static volatile sig_atomic_t ending;

static void on_term(int signal) {
        ending = 1;
}

static long long now_ms(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_REALTIME, &t);
        return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void pause_ms(long ms) {
        const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

        (void)nanosleep(&t, NULL);
}

/*
 * One request
 */

struct outcome {
        int status;
        char release[WORD_MAX];
        const char *wrong; /* NULL: it was answered */
        int error;
        bool nothing; /* not a byte of an answer came */
        bool keeps;   /* the connection may be used again */
};

static int dial(struct outcome *o) {
        const struct sockaddr_in address = {
                .sin_family = AF_INET,
                .sin_port = htons((uint16_t)load.port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        const struct timeval time = { .tv_sec = PATIENCE_S };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

        if (fd >= 0) {
                (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
                (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
                (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
                        return fd;
        }
        o->wrong = "cannot connect";
        o->error = errno;
        if (fd >= 0)
                (void)close(fd);
        return -1;
}

/* The whole answer is in @text: take it apart. False when more must come. */
static bool take_answer(struct outcome *o, char *text, size_t n) {
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\ncontent-length:"),
                   *close = strcasestr(text, "\r\nconnection: close");

        if (!end || sscanf(text, "HTTP/1.%*d %d", &o->status) != 1)
                return false;
        if (length && length < end &&
            n - (size_t)(end + 4 - text) < strtoul(length + strlen("\r\ncontent-length:"), NULL, 10))
                return false;
        o->keeps = length && length < end && !(close && close < end);
        if (sscanf(end + 4, "%31[A-Za-z0-9.-]", o->release) != 1)
                o->release[0] = '\0';
        return true;
}

static void receive(int fd, struct outcome *o) {
        char text[ANSWER_MAX];
        size_t n = 0;

        o->nothing = true;
        while (n < sizeof(text) - 1) {
                ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, 0);

                if (got <= 0) {
                        o->wrong = got == 0 ? "closed without an answer" : "no answer";
                        o->error = got < 0 ? errno : 0;
                        return;
                }
                o->nothing = false;
                n += (size_t)got;
                text[n] = '\0';
                if (take_answer(o, text, n)) {
                        if (o->status != 200)
                                o->wrong = "another status";
                        return;
                }
        }
        o->wrong = "a long answer";
}

/* *fd: a connection or -1; afterwards one that may be used again, or -1. */
static struct outcome ask(int *fd, bool keep, bool post) {
        struct outcome o = { .status = 0 };
        char request[256];
        int n = snprintf(request, sizeof(request),
                         "%s / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: %s\r\nContent-Length: %d\r\n\r\n%s",
                         post ? "POST" : "GET", keep ? "keep-alive" : "close", post ? 5 : 0, post ? "hello" : "");

        if (*fd < 0)
                *fd = dial(&o);
        if (*fd < 0)
                return o;
        if (send(*fd, request, (size_t)n, MSG_NOSIGNAL) == n) {
                receive(*fd, &o);
        } else {
                o.wrong = "cannot send";
                o.error = errno;
                o.nothing = true;
        }
        if (o.wrong || !keep || !o.keeps) {
                (void)close(*fd);
                *fd = -1;
        }
        return o;
}

/*
 * Counting
 */

static void count_release(const char *name) {
        struct totals *t = &load.totals;
        size_t i = 0;

        while (i < t->n_releases && strcmp(t->releases[i].name, name) != 0)
                i++;
        if (i == RELEASES_MAX)
                return;
        if (i == t->n_releases)
                (void)snprintf(t->releases[t->n_releases++].name, WORD_MAX, "%s", name);
        t->releases[i].n++;
}

static void note(const struct outcome *o, long long start, const char *what, bool again) {
        long long now = now_ms();
        char line[256];

        (void)snprintf(line, sizeof(line), "%lld %lld %d %s %s%s%s%s%s%s", now, now - start, o->status,
                       o->release[0] ? o->release : "-", what, again ? " again" : "", o->wrong ? " " : "",
                       o->wrong ? o->wrong : "", o->error ? ": " : "", o->error ? strerror(o->error) : "");
        pthread_mutex_lock(&load.lock);
        (void)fprintf(load.log, "%s\n", line);
        load.totals.requests++;
        load.totals.again += again;
        if (o->status >= 0 && o->status < 600)
                load.totals.statuses[o->status]++;
        if (now - start > load.totals.slowest)
                load.totals.slowest = now - start;
        if (o->wrong) {
                load.totals.failed++;
                (void)fprintf(load.failures, "%s\n", line);
        } else {
                count_release(o->release);
        }
        pthread_mutex_unlock(&load.lock);
}

static bool goes_on(void) {
        bool more;

        pthread_mutex_lock(&load.lock);
        more = load.totals.requests < load.most;
        pthread_mutex_unlock(&load.lock);
        return more && !ending && now_ms() < load.until;
}

static void *client(void *data) {
        long number = (long)data;
        bool keep = number % 2 == 0, post = !load.gets && number % 4 == 1;
        int fd = -1;

        while (goes_on()) {
                long long start = now_ms();
                bool kept = fd >= 0, again = false;
                struct outcome o = ask(&fd, keep, post);

                if (o.wrong && o.nothing && kept) {
                        again = true;
                        o = ask(&fd, keep, post);
                }
                note(&o, start, keep ? "kept-get" : post ? "fresh-post" : "fresh-get", again);
                pause_ms(PAUSE_MS);
        }
        if (fd >= 0)
                (void)close(fd);
        return NULL;
}

static void tell(void) {
        const struct totals *t = &load.totals;

        (void)fclose(load.failures);
        printf("requests %ld failed %ld again %ld slowest %lld\n", t->requests, t->failed, t->again, t->slowest);
        for (int i = 0; i < 600; i++)
                if (t->statuses[i])
                        printf("status %d %ld\n", i, t->statuses[i]);
        for (size_t i = 0; i < t->n_releases; i++)
                printf("release %s %ld\n", t->releases[i].name, t->releases[i].n);
        if (t->failures)
                fputs(t->failures, stdout);
}

/* A number from 1 to @most; 0: it is none. */
static long number(const char *text, long most) {
        char *end;
        long n = strtol(text, &end, 10);

        return *end || end == text || n < 1 || n > most ? 0 : n;
}

int main(int argc, char **argv) {
        const struct sigaction term = { .sa_handler = on_term };
        pthread_t threads[CONNECTIONS_MAX];
        bool all = argc >= 6;
        long port = all ? number(argv[1], 65535) : 0, seconds = all ? number(argv[2], 86400) : 0;
        long n = all ? number(argv[4], CONNECTIONS_MAX) : 0, started = 0;

        load.most = all ? number(argv[3], LONG_MAX) : 0;
        if (!port || !seconds || !load.most || !n) {
                fputs("http-load PORT SECONDS REQUESTS CONNECTIONS LOG [gets]\n", stderr);
                return 2;
        }
        load.port = (int)port;
        load.until = now_ms() + 1000 * seconds;
        load.gets = argc > 6;
        load.log = fopen(argv[5], "we");
        load.failures = open_memstream(&load.totals.failures, &load.totals.failures_size);
        if (!load.log || !load.failures) {
                perror(argv[5]);
                return 2;
        }
        (void)sigaction(SIGTERM, &term, NULL);
        setvbuf(load.log, NULL, _IOLBF, 0);
        while (started < n && pthread_create(&threads[started], NULL, client, (void *)started) == 0)
                started++;
        for (long i = 0; i < started; i++)
                pthread_join(threads[i], NULL);
        tell();
        return started < n ? 2 : load.totals.failed > 0;
}
