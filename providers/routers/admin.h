/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Admin: one question to a router over HTTP, on this machine or through its unix socket */

#include <jansson.h>

#include "shared/base/buffer.h"
#include "shared/base/cleanup.h"
#include "shared/base/fault.h"

struct admin;

/* @endpoint: "http://127.0.0.1:2019" or "unix:///run/caddy/admin.sock"; anything else is FAULT_CONFIG. */
int admin_new(const char *endpoint, struct admin **ret, struct fault *reterr);
/* Accepts NULL. */
void admin_free(struct admin *a);
DEFINE_OWN(struct admin, admin_free)
#define own_admin own(admin_free_p)

/* "127.0.0.1:2019" of an http endpoint; NULL of a socket. Borrowed. */
const char *admin_address(const struct admin *a);

struct admin_request {
        const char *method; /* NULL: GET */
        const char *path;   /* escaped already */
        const char *host;   /* virtual host; NULL: the endpoint's own */
        const json_t *body; /* NULL: none */
};
struct admin_answer {
        int status;
        struct buffer body;
};
#define ADMIN_ANSWER_INIT ((struct admin_answer){ .status = 0 })
static inline void admin_answer_done(struct admin_answer *a) {
        buffer_done(&a->body);
}
#define own_admin_answer own(admin_answer_done)

/*
 * A new connection each time: a router that has reloaded may still answer on an old one. No answer:
 * FAULT_TRANSIENT/ROUTER_UNAVAILABLE. @ret is cleared first.
 */
int admin_call(struct admin *a, const struct admin_request *req, struct admin_answer *ret, struct fault *reterr);

/* The answer's body as JSON, a new reference. FAULT_TRANSIENT/ROUTER_UNAVAILABLE when it is none. */
int admin_json(const struct admin_answer *answer, json_t **ret, struct fault *reterr);
