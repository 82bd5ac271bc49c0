/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/routers/admin.h"

#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/net/http.h"

#define ADMIN_TIMEOUT_MS 10000

struct admin {
        struct http *http;
        char *base; /* "http://127.0.0.1:2019" */
        bool is_socket;
};

void admin_free(struct admin *a) {
        if (!a)
                return;
        http_free(a->http);
        free(a->base);
        free(a);
}

/* scheme://host:port without anything behind it */
static bool is_base(const char *endpoint) {
        const char *address = str_after(endpoint, "http://");

        return address && *address && !strpbrk(address, "/?#@ \t\r\n");
}

int admin_new(const char *endpoint, struct admin **ret, struct fault *reterr) {
        own_admin struct admin *a = NULL;
        const char *socket = str_after(endpoint, "unix://");
        const struct http_options options = { .unix_socket = socket };
        int r;

        if (socket ? socket[0] != '/' : !is_base(endpoint)) {
                fault_set(reterr, FAULT_CONFIG, EINVAL, "'%s' is neither http://ADDRESS:PORT nor unix:///PATH",
                          endpoint);
                return -EINVAL;
        }
        a = calloc(1, sizeof(*a));
        if (!a)
                return fault_set_oom(reterr);
        a->is_socket = socket;
        a->base = strdup(socket ? "http://localhost" : endpoint);
        if (!a->base)
                return fault_set_oom(reterr);
        r = http_new(&options, &a->http, reterr);
        if (r < 0)
                return r;
        *ret = take(a);
        return 0;
}

const char *admin_address(const struct admin *a) {
        return a->is_socket ? NULL : str_after(a->base, "http://");
}

int admin_call(struct admin *a, const struct admin_request *req, struct admin_answer *ret, struct fault *reterr) {
        own_http_response struct http_response answer = HTTP_RESPONSE_INIT;
        own_buffer struct buffer url = BUFFER_INIT, host = BUFFER_INIT, body = BUFFER_INIT;
        const char *headers[4] = { "Connection: close" };
        size_t n = 1;
        struct http_request http = {
                .method = req->method,
                .headers = headers,
                .direct = true,
                .timeout_ms = ADMIN_TIMEOUT_MS,
                .stall_timeout_ms = ADMIN_TIMEOUT_MS,
                .connect_timeout_ms = ADMIN_TIMEOUT_MS,
                .max_body = LIMIT_ROUTER_BYTES,
                .reason = REASON_ROUTER_UNAVAILABLE,
        };
        int r = 0;

        admin_answer_done(ret);
        *ret = ADMIN_ANSWER_INIT;
        buffer_printf(&url, "%s%s", a->base, req->path);
        if (req->host) {
                buffer_printf(&host, "Host: %s", req->host);
                headers[n++] = buffer_str(&host);
        } else if (a->is_socket)
                headers[n++] = "Host;"; /* libcurl: a header without value. Caddy takes no other host on its socket */
        if (req->body) {
                r = json_canonical(req->body, &body, reterr);
                http.body = buffer_str(&body);
                http.body_size = body.size;
                headers[n++] = "Content-Type: application/json";
        }
        if (r == 0)
                r = buffer_check(&url, "a request to the router", reterr);
        if (r < 0)
                return r;
        http.url = buffer_str(&url);
        r = http_perform(a->http, &http, &answer, reterr);
        if (r < 0)
                return r;
        ret->status = answer.status;
        ret->body = answer.body;
        answer.body = BUFFER_INIT;
        return 0;
}

int admin_json(const struct admin_answer *answer, json_t **ret, struct fault *reterr) {
        own_fault struct fault why = FAULT_INIT;

        if (json_parse("the router's answer", buffer_str(&answer->body), answer->body.size, ret, &why) < 0)
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_ROUTER_UNAVAILABLE, "%s (HTTP %d)",
                                      why.message ? why.message : "the router's answer is not JSON", answer->status);
        return 0;
}
