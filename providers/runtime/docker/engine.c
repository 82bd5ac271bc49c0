/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/docker/engine.h"

#include <ctype.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/net/http.h"

#define ENGINE_TIMEOUT_MS  60000
#define ENGINE_VERSION_MAX 64

struct engine {
        struct http *http;
        char *socket;
        int api;
        char version[ENGINE_VERSION_MAX];
};

int engine_new(const char *endpoint, struct engine **ret, struct fault *reterr) {
        own_engine struct engine *e = NULL;
        const char *path = str_after(endpoint, "unix://");
        struct http_options options = { .unix_socket = path ? path : endpoint };
        int r;

        if (options.unix_socket[0] != '/') {
                fault_set(reterr, FAULT_CONFIG, EINVAL, "'%s' is not a unix socket", endpoint);
                fault_hint(reterr, "docker: {host: unix:///run/docker.sock}");
                return -EINVAL;
        }
        e = calloc(1, sizeof(*e));
        if (!e)
                return fault_set_oom(reterr);
        e->socket = strdup(options.unix_socket);
        if (!e->socket)
                return fault_set_oom(reterr);
        r = http_new(&options, &e->http, reterr);
        if (r < 0)
                return r;
        *ret = take(e);
        return 0;
}

void engine_free(struct engine *e) {
        if (!e)
                return;
        http_free(e->http);
        free(e->socket);
        free(e);
}

void engine_reply_done(struct engine_reply *r) {
        json_decref(r->json);
        *r = ENGINE_REPLY_INIT;
}

int engine_api(const struct engine *e) {
        return e->api;
}

const char *engine_version(const struct engine *e) {
        return e->version[0] ? e->version : NULL;
}

const char *engine_socket(const struct engine *e) {
        return e->socket;
}

bool engine_id_is_valid(const char *id) {
        if (!id || !isalnum((unsigned char)id[0]) || strlen(id) > 255)
                return false;
        for (; *id; id++)
                if (!isalnum((unsigned char)*id) && !strchr("_.-", *id))
                        return false;
        return true;
}

int engine_choose_api(const char *theirs, int *ret_minor, struct fault *reterr) {
        const char *minor = theirs ? str_after(theirs, "1.") : NULL;
        uint64_t n;

        if (!minor || parse_u64(minor, &n) < 0)
                return fault_set_code(reterr, FAULT_CONFIG, REASON_RUNTIME_UNSUPPORTED,
                                      "the engine says that its API version is '%s'", theirs ? theirs : "");
        if (n < ENGINE_API_MIN) {
                fault_set_code(reterr, FAULT_CONFIG, REASON_RUNTIME_UNSUPPORTED,
                               "the engine's API version is %s, too old for us", theirs);
                fault_hint(reterr, "Docker 20.10 (API 1.%d) is the oldest that can be driven", ENGINE_API_MIN);
                return -EINVAL;
        }
        *ret_minor = n < ENGINE_API_MAX ? (int)n : ENGINE_API_MAX;
        return 0;
}

/* Every answer of an engine says which version it has: remember the first. */
static int engine_learn(struct engine *e, const struct http_response *answer, struct fault *reterr) {
        char header[256];
        const char *version;

        if (e->api > 0)
                return 0;
        if (http_header(answer, "Server", header, sizeof(header))) {
                version = str_after(header, "Docker/");
                version = version ? version : header;
                memcpy(e->version, version, strnlen(version, sizeof(e->version) - 1));
                e->version[strcspn(e->version, " ")] = '\0';
                text_make_harmless(e->version, "");
        }
        if (!http_header(answer, "Api-Version", header, sizeof(header))) {
                fault_set_code(reterr, FAULT_CONFIG, REASON_RUNTIME_UNSUPPORTED,
                               "what answers at %s is not a Docker engine (HTTP %d without Api-Version)", e->socket,
                               answer->status);
                return -EINVAL;
        }
        return engine_choose_api(header, &e->api, reterr);
}

/* Bodies of errors are JSON, unless something between us and the engine answers. */
int engine_parse(int status, const void *bytes, size_t size, json_t **ret, struct fault *reterr) {
        own_fault struct fault why = FAULT_INIT;
        bool ok = status >= 200 && status < 300;
        int r;

        if (size == 0) {
                *ret = NULL;
                return 0;
        }
        r = json_parse("the engine's answer", bytes, size, ret, &why);
        if (r == 0)
                return 0;
        if (!ok) {
                own_free char *text = strndup(bytes, size < 1024 ? size : 1024);

                if (!text)
                        return fault_set_oom(reterr);
                text[strcspn(text, "\r\n")] = '\0';
                *ret = json_string_nocheck(text);
                return *ret ? 0 : fault_set_oom(reterr);
        }
        return fault_set_code(reterr, FAULT_TRANSIENT, REASON_RUNTIME_UNSUPPORTED, "%s",
                              why.message ? why.message : "the engine's answer is not JSON");
}

int engine_check(const struct engine_request *req, const struct engine_reply *reply, struct fault *reterr) {
        bool asks = !req->method || str_eq(req->method, "GET");

        if (!asks || req->sink || reply->json || !engine_reply_is_ok(reply))
                return 0;
        fault_set_code(reterr, FAULT_TRANSIENT, REASON_RUNTIME_UNAVAILABLE, "%s: the engine's answer is empty",
                       req->path);
        return -EPROTO;
}

static int engine_perform(struct engine *e, const struct engine_request *req, const char *url, struct engine_reply *ret,
                          struct fault *reterr) {
        own_http_response struct http_response answer = HTTP_RESPONSE_INIT;
        own_secret struct buffer auth = BUFFER_INIT;
        own_buffer struct buffer body = BUFFER_INIT;
        const char *headers[3] = { 0 };
        size_t n = 0;
        int timeout = req->timeout_ms ? req->timeout_ms : ENGINE_TIMEOUT_MS;
        struct http_request http = {
                .method = req->method,
                .url = url,
                .headers = headers,
                .sink = req->sink,
                .userdata = req->userdata,
                .timeout_ms = timeout > 0 ? timeout : 0,
                .stall_timeout_ms = req->stall_timeout_ms ? req->stall_timeout_ms : timeout,
                .max_body = LIMIT_JSON_BYTES,
                .reason = REASON_RUNTIME_UNAVAILABLE,
        };
        int r;

        if (req->sink)
                http.max_body = 0;
        if (req->registry_auth) {
                buffer_printf(&auth, "X-Registry-Auth: %s", req->registry_auth);
                headers[n++] = buffer_str(&auth);
        }
        if (req->body) {
                r = json_canonical(req->body, &body, reterr);
                if (r < 0)
                        return r;
                http.body = body.data;
                http.body_size = body.size;
                headers[n++] = "Content-Type: application/json";
        }
        r = http_perform(e->http, &http, &answer, reterr);
        if (r < 0) {
                if (r != -ECANCELED)
                        fault_hint(reterr, "is the engine running, and may we use %s?", e->socket);
                return r;
        }
        r = engine_learn(e, &answer, reterr);
        if (r < 0)
                return r;
        ret->status = answer.status;
        r = engine_parse(answer.status, answer.body.data, answer.body.size, &ret->json, reterr);
        return r < 0 ? r : engine_check(req, ret, reterr);
}

int engine_negotiate(struct engine *e, struct fault *reterr) {
        own_http_response struct http_response answer = HTTP_RESPONSE_INIT;
        const struct http_request http = {
                .url = "http://engine/_ping",
                .timeout_ms = ENGINE_TIMEOUT_MS,
                .max_body = 4096,
                .reason = REASON_RUNTIME_UNAVAILABLE,
        };
        int r;

        if (e->api > 0)
                return 0;
        r = http_perform(e->http, &http, &answer, reterr);
        if (r < 0) {
                fault_hint(reterr, "is the engine running, and may we use %s?", e->socket);
                return r;
        }
        if (answer.status != 200)
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_RUNTIME_UNAVAILABLE,
                                      "the engine at %s is not ready (HTTP %d)", e->socket, answer.status);
        return engine_learn(e, &answer, reterr);
}

void engine_introduce(struct engine *e, const struct engine *other) {
        e->api = other->api;
        memcpy(e->version, other->version, sizeof(e->version));
}

/* Engines say "client version 1.47 is too old. Minimum supported API version is 1.50" in a 400. */
static bool reply_is_version(const struct engine_reply *r) {
        return r->status == 400 && strstr(engine_message(r), "API version");
}

int engine_call(struct engine *e, const struct engine_request *req, struct engine_reply *ret, struct fault *reterr) {
        own_buffer struct buffer url = BUFFER_INIT;
        int r;

        engine_reply_done(ret);
        if (!req->any_version) {
                r = engine_negotiate(e, reterr);
                if (r < 0)
                        return r;
                buffer_printf(&url, "http://engine/v1.%d%s", e->api, req->path);
        } else
                buffer_printf(&url, "http://engine%s", req->path);
        r = buffer_check(&url, "a request to the engine", reterr);
        if (r < 0)
                return r;
        r = engine_perform(e, req, buffer_str(&url), ret, reterr);
        if (r < 0)
                return r;
        if (reply_is_version(ret))
                return fault_set_code(reterr, FAULT_CONFIG, REASON_RUNTIME_UNSUPPORTED,
                                      "the engine refuses API 1.%d: %s", e->api, engine_message(ret));
        return 0;
}

int engine_get(struct engine *e, const char *path, struct engine_reply *ret, struct fault *reterr) {
        return engine_call(e, &(struct engine_request){ .path = path }, ret, reterr);
}

int engine_send(struct engine *e, const char *method, const char *path, const json_t *body, struct engine_reply *ret,
                struct fault *reterr) {
        return engine_call(e, &(struct engine_request){ .method = method, .path = path, .body = body }, ret, reterr);
}

const char *engine_message(const struct engine_reply *r) {
        const char *message =
                json_is_string(r->json) ? json_string_value(r->json) : json_get_string(r->json, "message");

        return message ? message : "";
}

int engine_refused(const struct engine_reply *r, const char *code, const char *what, struct fault *reterr) {
        static const struct {
                int status;
                enum fault_kind kind;
        } kinds[] = {
                { 400, FAULT_CONFIG },   { 401, FAULT_DENIED },   { 403, FAULT_DENIED },
                { 404, FAULT_CONFLICT }, { 409, FAULT_CONFLICT },
        };
        enum fault_kind kind = FAULT_TRANSIENT;
        const char *message = engine_message(r);

        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                if (kinds[i].status == r->status)
                        kind = kinds[i].kind;
        if (message[0])
                return fault_set_code(reterr, kind, code, "%s: %s", what, message);
        return fault_set_code(reterr, kind, code, "%s: the engine answers HTTP %d", what, r->status);
}
