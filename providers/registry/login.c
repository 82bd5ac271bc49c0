/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/registry/login.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "providers/runtime/docker/auth.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/base64.h"
#include "shared/data/json.h"

#define CLIENT_ID  "tally"
#define HINT_NONE  "there are no credentials for this registry: `docker login`, as the user that runs tally"
#define HINT_WRONG "the credentials for this registry are wrong or may not read this repository"

static int refuse(struct fault *reterr, const char *what) {
        return fault_set_code(reterr, FAULT_DENIED, REASON_IMAGE_AUTH, "%s", what);
}

static void wiped_json_p(json_t **value) {
        if (*value)
                json_wipe(*value);
        json_decref_p(value);
}
#define own_secret_json own(wiped_json_p)

static void wiped_response_done(struct http_response *r) {
        buffer_wipe(&r->body);
        http_response_done(r);
}
#define own_secret_response own(wiped_response_done)

/*
 * Credentials: what providers/runtime/docker/auth.h finds, taken apart again
 */

struct credentials {
        json_t *json;              /* owned; NULL: there are none */
        const char *user, *secret; /* borrowed from it */
        const char *identity;      /* an identity token instead of both */
};

static void credentials_done(struct credentials *c) {
        wiped_json_p(&c->json);
}
#define own_credentials own(credentials_done)

static int credentials_decode(const struct buffer *header, struct credentials *ret, struct fault *reterr) {
        own_secret struct buffer plain = BUFFER_INIT;
        own_fault struct fault why = FAULT_INIT;
        int r = base64_decode(header->data, header->size, true, &plain);

        if (plain.failed)
                return buffer_check(&plain, "credentials", reterr);
        /* The parser's own message may quote what it stumbled on: it is not passed on. */
        if (r < 0 || json_parse("credentials", buffer_str(&plain), plain.size, &ret->json, &why) < 0)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "the credentials cannot be read back");
        ret->user = json_get_string(ret->json, "username");
        ret->secret = json_get_string(ret->json, "password");
        ret->identity = json_get_string(ret->json, "identitytoken");
        return 0;
}

/* @ret stays empty when there are none. */
static int credentials_find(const struct login *login, struct credentials *ret, struct fault *reterr) {
        own_secret struct buffer header = BUFFER_INIT;
        int r = auth_header(login->docker_config, login->registry, &header, reterr);

        return r < 0 || header.size == 0 ? r : credentials_decode(&header, ret, reterr);
}

/* RFC 7617, 2. */
static int basic_header(const struct credentials *c, struct buffer *ret, struct fault *reterr) {
        own_secret struct buffer pair = BUFFER_INIT;
        int r;

        buffer_printf(&pair, "%s:%s", c->user, c->secret);
        r = buffer_check(&pair, "credentials", reterr);
        if (r < 0)
                return r;
        buffer_puts(ret, "Authorization: Basic ");
        base64_encode(pair.data, pair.size, false, ret);
        return buffer_check(ret, "credentials", reterr);
}

/*
 * The realm
 */

bool host_is_loopback(const char *host) {
        char name[INET6_ADDRSTRLEN];
        struct in6_addr six;
        struct in_addr four;
        size_t n = *host == '[' ? strcspn(host, "]") : strcspn(host, ":");

        if (*host == '[') {
                if (host[n] != ']' || n - 1 >= sizeof(name))
                        return false;
                memcpy(name, host + 1, n - 1);
                name[n - 1] = '\0';
                return inet_pton(AF_INET6, name, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
        }
        if (n >= sizeof(name))
                return false;
        memcpy(name, host, n);
        name[n] = '\0';
        return strcasecmp(name, "localhost") == 0 ||
               (inet_pton(AF_INET, name, &four) == 1 && ntohl(four.s_addr) >> 24 == 127);
}

/* Printable ASCII that a URL may hold, and a host without user. */
static bool realm_is_allowed(const char *realm, const char *registry) {
        const char *https = str_after(realm, "https://"), *http = str_after(realm, "http://");
        const char *authority = https ? https : http;
        char host[256];
        size_t n;

        if (!authority || strlen(realm) > LIMIT_URL_BYTES)
                return false;
        for (const char *p = realm; *p; p++)
                if (!isgraph((unsigned char)*p) || strchr("\"#<>\\^`{|}", *p))
                        return false;
        n = strcspn(authority, "/?");
        if (n == 0 || n >= sizeof(host) || memchr(authority, '@', n))
                return false;
        memcpy(host, authority, n);
        host[n] = '\0';
        return https || (host_is_loopback(host) && host_is_loopback(registry));
}

static int realm_check(const struct challenge *c, const struct login *login, struct fault *reterr) {
        int r;

        if (!c->realm)
                return refuse(reterr, "the registry asks for a token without naming a realm");
        if (realm_is_allowed(c->realm, login->registry))
                return 0;
        r = fault_set_code(reterr, FAULT_DENIED, REASON_IMAGE_AUTH,
                           "the registry asks for a token from '%s', where "
                           "we send no credentials",
                           c->realm);
        fault_hint(reterr, "a realm is an https URL without user; http only when it and the registry are on this "
                           "machine");
        return r;
}

/* service=…&scope=… */
static void put_query(const struct challenge *c, const struct login *login, struct buffer *out) {
        if (c->service) {
                buffer_puts(out, "service=");
                http_escape(out, c->service, false);
                buffer_putc(out, '&');
        }
        buffer_puts(out, "scope=");
        if (c->scope && *c->scope)
                http_escape(out, c->scope, false);
        else {
                buffer_puts(out, "repository%3A");
                http_escape(out, login->repository, false);
                buffer_puts(out, "%3Apull");
        }
}

int login_token_url(const struct challenge *c, const struct login *login, const char *user, struct buffer *ret,
                    struct fault *reterr) {
        int r = realm_check(c, login, reterr);

        if (r < 0)
                return r;
        buffer_puts(ret, c->realm);
        buffer_putc(ret, strchr(c->realm, '?') ? '&' : '?');
        put_query(c, login, ret);
        if (user) {
                buffer_puts(ret, "&account=");
                http_escape(ret, user, false);
        }
        return buffer_check(ret, "a token's URL", reterr);
}

/*
 * The token
 */

/* b64token: RFC 6750, 2.1. Nothing else may get into a header. */
static bool token_is_valid(const char *token) {
        size_t n = 0;

        while (token[n] && (isalnum((unsigned char)token[n]) || strchr("-._~+/", token[n])))
                n++;
        return n > 0 && n <= LIMIT_TOKEN_BYTES && token[n + strspn(token + n, "=")] == '\0';
}

int login_token_read(const void *bytes, size_t size, struct buffer *ret, struct fault *reterr) {
        own_secret_json json_t *json = NULL;
        own_fault struct fault why = FAULT_INIT;
        const char *token = NULL;

        if (json_parse("the token", bytes, size, &json, &why) == 0) {
                token = json_get_string(json, "token");
                if (!token)
                        token = json_get_string(json, "access_token");
        }
        if (!token || !token_is_valid(token))
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_REGISTRY_UNAVAILABLE,
                                      "the registry's realm answers with something that holds no token");
        buffer_puts(ret, "Authorization: Bearer ");
        buffer_puts(ret, token);
        return buffer_check(ret, "a token", reterr);
}

int login_fault_busy(const struct http_response *response, const char *who, struct fault *reterr) {
        char wait[64];
        uint64_t seconds;
        int r = fault_set_code(reterr, FAULT_TRANSIENT, REASON_REGISTRY_UNAVAILABLE, "%s answers %d%s", who,
                               response->status, response->status == 429 ? ": too many requests" : "");

        if (!http_header(response, "Retry-After", wait, sizeof(wait)))
                return r;
        if (parse_u64(wait, &seconds) == 0)
                fault_hint(reterr, "it asks to wait %llu seconds (Retry-After)", (unsigned long long)seconds);
        else
                fault_hint(reterr, "it asks to wait until %s (Retry-After)", wait);
        return r;
}

static int token_take(const struct http_response *response, bool with_credentials, struct buffer *ret,
                      struct fault *reterr) {
        int status = response->status, r;

        if (status == 200)
                return login_token_read(response->body.data, response->body.size, ret, reterr);
        if (status != 400 && status != 401 && status != 403)
                return login_fault_busy(response, "the registry's realm", reterr);
        r = fault_set_code(reterr, FAULT_DENIED, REASON_IMAGE_AUTH,
                           "the registry's realm gives no token: it answers %d", status);
        fault_hint(reterr, "%s", with_credentials ? HINT_WRONG : HINT_NONE);
        return r;
}

/* OAuth2: the identity token goes in the body, never in a URL. */
static int token_by_identity(struct http *http, const struct login *login, const struct challenge *c,
                             const struct credentials *credentials, struct http_response *response,
                             struct fault *reterr) {
        static const char *const headers[] = { "Content-Type: application/x-www-form-urlencoded", NULL };
        own_secret struct buffer form = BUFFER_INIT;
        int r = realm_check(c, login, reterr);

        if (r < 0)
                return r;
        buffer_puts(&form, "grant_type=refresh_token&client_id=" CLIENT_ID "&");
        put_query(c, login, &form);
        buffer_puts(&form, "&refresh_token=");
        http_escape(&form, credentials->identity, false);
        r = buffer_check(&form, "a token's form", reterr);
        if (r < 0)
                return r;
        return http_perform(http,
                            &(struct http_request){
                                    .url = c->realm,
                                    .headers = headers,
                                    .body = form.data,
                                    .body_size = form.size,
                                    .direct = str_after(c->realm, "http://") != NULL,
                                    .timeout_ms = login->timeout_ms,
                                    .max_body = LIMIT_TOKEN_BYTES,
                                    .reason = REASON_REGISTRY_UNAVAILABLE,
                            },
                            response, reterr);
}

static int token_by_password(struct http *http, const struct login *login, const struct challenge *c,
                             const struct credentials *credentials, struct http_response *response,
                             struct fault *reterr) {
        own_secret struct buffer basic = BUFFER_INIT;
        own_buffer struct buffer url = BUFFER_INIT;
        const char *headers[] = { NULL, NULL };
        int r = login_token_url(c, login, credentials->user, &url, reterr);

        if (r == 0 && credentials->user && credentials->secret) {
                r = basic_header(credentials, &basic, reterr);
                headers[0] = basic.data;
        }
        if (r < 0)
                return r;
        return http_perform(http,
                            &(struct http_request){
                                    .url = buffer_str(&url),
                                    .headers = headers,
                                    .redirect = HTTP_REDIRECT_SAME_HOST,
                                    .direct = str_after(c->realm, "http://") != NULL,
                                    .timeout_ms = login->timeout_ms,
                                    .max_body = LIMIT_TOKEN_BYTES,
                                    .reason = REASON_REGISTRY_UNAVAILABLE,
                            },
                            response, reterr);
}

static int answer_bearer(struct http *http, const struct login *login, const struct challenge *c,
                         const struct credentials *credentials, struct buffer *ret, struct fault *reterr) {
        own_secret_response struct http_response response = HTTP_RESPONSE_INIT;
        int r = credentials->identity ? token_by_identity(http, login, c, credentials, &response, reterr)
                                      : token_by_password(http, login, c, credentials, &response, reterr);

        return r < 0 ? r : token_take(&response, credentials->json != NULL, ret, reterr);
}

static int answer_basic(const struct credentials *credentials, struct buffer *ret, struct fault *reterr) {
        int r;

        if (credentials->user && credentials->secret)
                return basic_header(credentials, ret, reterr);
        r = refuse(reterr, "the registry asks for a user and a password");
        fault_hint(reterr, HINT_NONE);
        return r;
}

int login_answer(struct http *http, const struct login *login, const struct challenge *challenges, size_t n,
                 struct buffer *ret, struct fault *reterr) {
        own_credentials struct credentials credentials = { .json = NULL };
        const struct challenge *best[CHALLENGE_SCHEME_MAX_] = { NULL };
        int r;

        for (size_t i = n; i > 0; i--)
                best[challenges[i - 1].scheme] = &challenges[i - 1];
        if (!best[CHALLENGE_BEARER] && !best[CHALLENGE_BASIC])
                return refuse(reterr, "the registry asks for credentials, and neither by Bearer nor by Basic");
        r = credentials_find(login, &credentials, reterr);
        if (r < 0)
                return r;
        if (best[CHALLENGE_BEARER])
                return answer_bearer(http, login, best[CHALLENGE_BEARER], &credentials, ret, reterr);
        return answer_basic(&credentials, ret, reterr);
}
