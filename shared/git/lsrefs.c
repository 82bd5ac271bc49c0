/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/lsrefs.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/base64.h"

#define TIMEOUT_MS   30000
#define PKT_HEADER   4
#define LOCATION_MAX 1024
#define HEX          (OBJECT_ID_TEXT_MAX - 1)

/*
 * pkt-line
 */

enum pkt {
        PKT_DATA,
        PKT_FLUSH,
        PKT_OTHER, /* delimiter, response end */
        PKT_BROKEN,
};

struct reader {
        const char *at, *end;
};

static int hex_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum pkt next_pkt(struct reader *r, const char **ret, size_t *ret_size) {
        size_t n = 0;

        if (r->end - r->at < PKT_HEADER)
                return PKT_BROKEN;
        for (size_t i = 0; i < PKT_HEADER; i++) {
                int v = hex_value(r->at[i]);

                if (v < 0)
                        return PKT_BROKEN;
                n = n << 4 | (unsigned)v;
        }
        if (n < PKT_HEADER) {
                r->at += PKT_HEADER;
                return n == 0 ? PKT_FLUSH : PKT_OTHER;
        }
        if (n > (size_t)(r->end - r->at))
                return PKT_BROKEN;
        *ret = r->at + PKT_HEADER;
        *ret_size = n - PKT_HEADER;
        r->at += n;
        if (*ret_size > 0 && (*ret)[*ret_size - 1] == '\n')
                (*ret_size)--;
        return PKT_DATA;
}

static void put_pkt(struct buffer *out, const char *a, const char *b) {
        buffer_printf(out, "%04zx%s%s\n", PKT_HEADER + strlen(a) + strlen(b) + 1, a, b);
}

void lsrefs_request(const char *branch, struct buffer *out) {
        put_pkt(out, "command=ls-refs", "");
        buffer_puts(out, "0001");
        put_pkt(out, "ref-prefix refs/heads/", branch);
        buffer_puts(out, "0000");
}

/* "<40 hex> <name>", with attributes behind another space that we did not ask for. */
static bool read_ref(const char *line, size_t size, struct object_id *ret, struct object_text *ret_name) {
        char hex[OBJECT_ID_TEXT_MAX];
        const char *end;

        if (size < HEX + 2 || line[HEX] != ' ')
                return false;
        memcpy(hex, line, HEX);
        hex[HEX] = '\0';
        if (object_id_parse(hex, ret) < 0)
                return false;
        ret_name->data = line + HEX + 1;
        end = memchr(ret_name->data, ' ', size - HEX - 1);
        ret_name->size = end ? (size_t)(end - ret_name->data) : size - HEX - 1;
        return true;
}

static bool is_branch(const struct object_text *name, const char *branch) {
        static const char heads[] = "refs/heads/";
        size_t n = sizeof(heads) - 1;

        return name->size == n + strlen(branch) && memcmp(name->data, heads, n) == 0 &&
               memcmp(name->data + n, branch, name->size - n) == 0;
}

enum ref_answer lsrefs_parse(const void *bytes, size_t size, const char *branch, struct object_id *ret) {
        struct reader reader = { .at = bytes, .end = (const char *)bytes + size };
        enum ref_answer answer = REF_MISSING;
        struct object_id tip = { 0 };

        for (;;) {
                struct object_text name;
                struct object_id id;
                const char *line = NULL;
                size_t n = 0;

                switch (next_pkt(&reader, &line, &n)) {
                case PKT_DATA:
                        if (!read_ref(line, n, &id, &name))
                                return REF_DONT_KNOW;
                        if (!is_branch(&name, branch))
                                break;
                        if (answer == REF_FOUND)
                                return REF_DONT_KNOW;
                        tip = id;
                        answer = REF_FOUND;
                        break;
                case PKT_FLUSH:
                        if (reader.at != reader.end)
                                return REF_DONT_KNOW;
                        if (answer == REF_FOUND)
                                *ret = tip;
                        return answer;
                case PKT_OTHER:
                case PKT_BROKEN:
                        return REF_DONT_KNOW;
                }
        }
}

/*
 * The request
 */

static void put_endpoint(const struct git_url *u, struct buffer *out) {
        bool v6 = strchr(u->host, ':') != NULL;
        size_t n = strlen(u->path);

        while (n > 0 && u->path[n - 1] == '/')
                n--;
        buffer_printf(out, "%s://%s%s%s", git_scheme_to_string(u->scheme), v6 ? "[" : "", u->host, v6 ? "]" : "");
        if (u->port)
                buffer_printf(out, ":%u", u->port);
        buffer_append(out, u->path, n);
        buffer_puts(out, "/git-upload-pack");
}

/* Basic authentication: RFC 7617. */
static int put_authorization(const struct lsrefs_settings *s, const struct git_url *u, struct buffer *out) {
        own_secret struct buffer plain = BUFFER_INIT;
        struct credential c;

        if (!credentials_find(s->credentials, u, &c))
                return 0;
        buffer_printf(&plain, "%s:%s", c.user, c.password);
        buffer_puts(out, "Authorization: Basic ");
        base64_encode(plain.data, plain.size, false, out);
        return plain.failed || out->failed ? -ENOMEM : 0;
}

static int check_scheme(const struct lsrefs_settings *s, const struct git_url *u, bool *ret_ask, struct fault *reterr) {
        *ret_ask = u->scheme == GIT_SCHEME_HTTPS || u->scheme == GIT_SCHEME_HTTP;
        if (u->scheme != GIT_SCHEME_HTTP || s->allow_http)
                return 0;
        return fault_set(reterr, FAULT_CONFIG, EINVAL,
                         "http:// is not encrypted, and the configuration does not allow it");
}

static int fault_redirect(const struct http_response *answer, const char *host, struct fault *reterr) {
        char location[LOCATION_MAX];
        own_buffer struct buffer shown = BUFFER_INIT;

        (void)fault_set_code(reterr, FAULT_DENIED, REASON_FETCH_REDIRECT, "%s redirects to another place", host);
        if (!http_header(answer, "Location", location, sizeof(location)))
                return -EPERM;
        git_redact(location, &shown);
        if (shown.data)
                text_make_harmless(shown.data, "");
        fault_hint(reterr, "if that is right, configure it: %s", buffer_str(&shown));
        return -EPERM;
}

static int judge_answer(const struct http_response *answer, const char *host, const char *branch,
                        enum ref_answer *ret_answer, struct object_id *ret_tip, struct fault *reterr) {
        static const char expected[] = "application/x-git-upload-pack-result";
        char type[sizeof(expected)];

        if (answer->status == 401 || answer->status == 403)
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_FETCH_AUTH,
                                      "%s refuses our credentials, or wants some", host);
        if (answer->status >= 300 && answer->status < 400)
                return fault_redirect(answer, host, reterr);
        *ret_answer = REF_DONT_KNOW;
        if (answer->status == 200 && str_eq(http_header(answer, "Content-Type", type, sizeof(type)), expected))
                *ret_answer = lsrefs_parse(buffer_str(&answer->body), answer->body.size, branch, ret_tip);
        return 0;
}

int lsrefs_tip(struct http *http, const struct lsrefs_settings *settings, const char *url, const char *branch,
               enum ref_answer *ret_answer, struct object_id *ret_tip, struct fault *reterr) {
        own_git_url struct git_url u = { 0 };
        own_buffer struct buffer endpoint = BUFFER_INIT, body = BUFFER_INIT;
        own_secret struct buffer authorization = BUFFER_INIT;
        own_http_response struct http_response answer = HTTP_RESPONSE_INIT;
        bool ask;
        int r;

        assert(branch_is_valid(branch));
        r = git_url_parse(url, &u, reterr);
        if (r >= 0)
                r = check_scheme(settings, &u, &ask, reterr);
        if (r < 0)
                return r;
        if (!ask) {
                *ret_answer = REF_DONT_KNOW;
                return 0;
        }
        put_endpoint(&u, &endpoint);
        lsrefs_request(branch, &body);
        if (put_authorization(settings, &u, &authorization) < 0 || endpoint.failed || body.failed)
                return fault_set_oom(reterr);

        const char *headers[] = { "Git-Protocol: version=2", "Content-Type: application/x-git-upload-pack-request",
                                  "Accept: application/x-git-upload-pack-result",
                                  authorization.size > 0 ? buffer_str(&authorization) : NULL, NULL };
        struct http_request request = {
                .method = "POST",
                .url = buffer_str(&endpoint),
                .headers = headers,
                .body = buffer_str(&body),
                .body_size = body.size,
                .connect_timeout_ms = settings->connect_timeout_ms,
                .timeout_ms = settings->timeout_ms > 0 ? settings->timeout_ms : TIMEOUT_MS,
                .max_body = LIMIT_LSREFS_BYTES,
                .reason = REASON_FETCH_FAILED,
        };

        r = http_perform(http, &request, &answer, reterr);
        if (r == -EFBIG) {
                fault_done(reterr);
                *ret_answer = REF_DONT_KNOW;
                return 0;
        }
        if (r == -EACCES && reterr->kind == FAULT_DENIED)
                reterr->code = REASON_FETCH_CERTIFICATE;
        return r < 0 ? r : judge_answer(&answer, u.host, branch, ret_answer, ret_tip, reterr);
}
