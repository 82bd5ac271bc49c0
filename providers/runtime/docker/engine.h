/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Engine: one connection to a Docker engine (Docker Engine API 1.41 to 1.47, docs.docker.com/reference/api/engine)
 *
 * JSON over HTTP on a unix socket. The version spoken is the lower one of the engine's and ours; it is negotiated by
 * the first call that needs it. Engines before 20.10 (API 1.41), and those that ask for more than we speak, are
 * RUNTIME_UNSUPPORTED; one that cannot be reached is FAULT_TRANSIENT with RUNTIME_UNAVAILABLE.
 */

#include <jansson.h>

#include "shared/base/buffer.h"
#include "shared/base/cleanup.h"
#include "shared/base/fault.h"

#define ENGINE_API_MIN 41 /* the minor number: 1.41 */
#define ENGINE_API_MAX 47

struct engine;

/* @endpoint is "unix:///path" or an absolute path. Does not connect. */
int engine_new(const char *endpoint, struct engine **ret, struct fault *reterr);
/* Accepts NULL. */
void engine_free(struct engine *e);
DEFINE_OWN(struct engine, engine_free)
#define own_engine own(engine_free_p)

struct engine_request {
        const char *method; /* NULL: GET */
        /* Required. "/containers/json?all=1": what comes from outside is escaped already */
        const char *path;
        const json_t *body;        /* NULL: none */
        const char *registry_auth; /* value of X-Registry-Auth, a secret; NULL: none */
        bool any_version;          /* without version: one round trip even when nothing was negotiated */
        int timeout_ms;            /* 0: 60 s; -1: none */
        int stall_timeout_ms;      /* 0: that of timeout_ms */
        /* Gets the bytes of a 2xx answer instead of reply.json; see struct http_request. */
        int (*sink)(const void *bytes, size_t size, void *userdata);
        void *userdata;
};

struct engine_reply {
        int status;   /* of HTTP */
        json_t *json; /* NULL: no body. The text as a JSON string when an error is not JSON */
};

#define ENGINE_REPLY_INIT ((struct engine_reply){ .status = 0 })
void engine_reply_done(struct engine_reply *r);
#define own_engine_reply __attribute__((cleanup(engine_reply_done)))

/* 0 whenever there is an answer, whatever its status. @ret is released first. */
int engine_call(struct engine *e, const struct engine_request *req, struct engine_reply *ret, struct fault *reterr);
/* engine_call() with these. @body may be NULL. */
int engine_get(struct engine *e, const char *path, struct engine_reply *ret, struct fault *reterr);
int engine_send(struct engine *e, const char *method, const char *path, const json_t *body, struct engine_reply *ret,
                struct fault *reterr);

static inline bool engine_reply_is_ok(const struct engine_reply *r) {
        return r->status >= 200 && r->status < 300;
}

/* What the engine says is wrong; "" when it says nothing. Borrowed. */
const char *engine_message(const struct engine_reply *r);

/*
 * The fault of an answer that is not a success: "@what: <the engine's message>". The kind follows the status: 400
 * FAULT_CONFIG, 401 and 403 FAULT_DENIED, 404 and 409 FAULT_CONFLICT, all else FAULT_TRANSIENT. @code may be NULL.
 */
int engine_refused(const struct engine_reply *r, const char *code, const char *what, struct fault *reterr);

/* What @other agreed on with the same engine holds for @e, too. */
void engine_introduce(struct engine *e, const struct engine *other);
/* Make sure that a version is agreed on. */
int engine_negotiate(struct engine *e, struct fault *reterr);
/* Minor number of the API version spoken; 0 before the first answer. */
int engine_api(const struct engine *e);
/* "20.10.24", from the Server header; NULL before the first answer or when it is not told. Borrowed. */
const char *engine_version(const struct engine *e);
const char *engine_socket(const struct engine *e);

/* A container's id or name as the engine makes them: safe in a path. */
bool engine_id_is_valid(const char *id);

/* Decide on the Api-Version header: the minor number to speak, or a fault. Pure. */
int engine_choose_api(const char *theirs, int *ret_minor, struct fault *reterr);
/* An answer's bytes as JSON. @status decides what is taken when they are none. Pure. */
int engine_parse(int status, const void *bytes, size_t size, json_t **ret, struct fault *reterr);
/* A good answer to a GET has a body: what was asked is not answered by nothing. -EPROTO. Pure. */
int engine_check(const struct engine_request *req, const struct engine_reply *reply, struct fault *reterr);
