/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Backends: small HTTP servers on loopback, and a client that asks through a router which of them answers
 *
 * A backend is a child process. It answers every request with its tag; /slow… after SLOW_MS, /die with nothing but the
 * end of the connection. One whose tag begins with ! takes connections and closes them, as an engine's proxy for a
 * published port does when nobody listens behind it. Requests are counted, per backend, in memory that is shared.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SLOW_MS      700
#define BACKENDS_MAX 24

struct backend {
        char tag[16];
        char address[32]; /* "127.0.0.1:PORT" */
        int port;
        pid_t pid;
        volatile int64_t *hits;
};

/* A port of 127.0.0.1 that nobody listens at now. */
int free_port(void);
/* @port 0: a free one. */
void backend_start(struct backend *b, const char *tag, int port);
void backend_stop(struct backend *b);

struct reply {
        int status;       /* 0: no answer */
        const char *lost; /* how: "connect", "send", "reset", "closed"; NULL when there is an answer */
        char tag[64];     /* the body's first line */
        char cookie[256]; /* Set-Cookie; "" when there is none */
};

/*
 * One request on a connection of its own, through the router that listens at @port. @headers: whole lines with \r\n, or
 * NULL.
 */
struct reply ask_router(int port, const char *method, const char *path, const char *host, const char *headers);
