/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/registry/registry.h"

#include <stdlib.h>
#include <string.h>

#include "providers/registry/login.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/net/http.h"

#define TIMEOUT_MS 30000

/* Indexes first: what a release pins is for every platform, when there is such a thing. */
static const char *const media_types[] = {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        NULL,
};
#define ACCEPT \
        "Accept: application/vnd.oci.image.index.v1+json, " \
        "application/vnd.docker.distribution.manifest.list.v2+json, " \
        "application/vnd.oci.image.manifest.v1+json, " \
        "application/vnd.docker.distribution.manifest.v2+json"

/* What a repository lets us in with. */
struct grant {
        char *registry, *repository; /* owned */
        struct buffer header;        /* "Authorization: …", secret */
};

struct registry {
        struct http *http;
        char *docker_config; /* NULL: none */
        int timeout_ms;
        struct grant *grants;
        size_t n_grants;
};

int registry_new(const struct registry_options *options, struct registry **ret, struct fault *reterr) {
        const struct http_options http = { .ca_file = options->ca_file };
        own_registry struct registry *r = calloc(1, sizeof(*r));
        int k;

        if (!r)
                return fault_set_oom(reterr);
        r->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS;
        if (options->docker_config) {
                r->docker_config = strdup(options->docker_config);
                if (!r->docker_config)
                        return fault_set_oom(reterr);
        }
        k = http_new(&http, &r->http, reterr);
        if (k < 0)
                return k;
        *ret = take(r);
        return 0;
}

static void grant_done(struct grant *g) {
        free(g->registry);
        free(g->repository);
        buffer_wipe(&g->header);
}

void registry_free(struct registry *r) {
        if (!r)
                return;
        for (size_t i = 0; i < r->n_grants; i++)
                grant_done(&r->grants[i]);
        free(r->grants);
        free(r->docker_config);
        http_free(r->http);
        free(r);
}

/*
 * Grants
 */

static struct grant *grant_find(struct registry *r, const struct image_ref *ref) {
        for (size_t i = 0; i < r->n_grants; i++)
                if (str_eq(r->grants[i].registry, ref->registry) && str_eq(r->grants[i].repository, ref->repository))
                        return &r->grants[i];
        return NULL;
}

/* An empty one for @ref, in the place of one that is not good any more. */
static int grant_renew(struct registry *r, const struct image_ref *ref, struct grant **ret, struct fault *reterr) {
        struct grant *g = grant_find(r, ref), *longer;

        if (!g) {
                longer = reallocarray(r->grants, r->n_grants + 1, sizeof(*longer));
                if (!longer)
                        return fault_set_oom(reterr);
                r->grants = longer;
                g = &longer[r->n_grants++];
                *g = (struct grant){ .registry = strdup(ref->registry), .repository = strdup(ref->repository) };
                if (!g->registry || !g->repository)
                        return fault_set_oom(reterr);
        }
        buffer_wipe(&g->header);
        *ret = g;
        return 0;
}

static int read_challenges(const struct http_response *response, struct arena *a, struct challenge **ret, size_t *ret_n,
                           struct fault *reterr) {
        char value[LIMIT_CHALLENGE_BYTES + 1];

        for (size_t i = 0; http_header_nth(response, "WWW-Authenticate", i, value, sizeof(value)); i++) {
                int k = challenge_parse(value, a, ret, ret_n, reterr);

                if (k < 0)
                        return k;
        }
        return 0;
}

/* After a 401: get in, as the registry says. */
static int let_in(struct registry *r, const struct image_ref *ref, const struct http_response *response,
                  struct fault *reterr) {
        const struct login login = {
                .docker_config = r->docker_config,
                .registry = ref->registry,
                .repository = ref->repository,
                .timeout_ms = r->timeout_ms,
        };
        own_arena struct arena *a = arena_new();
        struct challenge *challenges = NULL;
        struct grant *grant = NULL;
        size_t n = 0;
        int k = read_challenges(response, a, &challenges, &n, reterr);

        if (k == 0)
                k = grant_renew(r, ref, &grant, reterr);
        return k < 0 ? k : login_answer(r->http, &login, challenges, n, &grant->header, reterr);
}

/*
 * Asking
 */

static const char *host_of(const struct image_ref *ref) {
        return str_eq(ref->registry, "docker.io") ? "registry-1.docker.io" : ref->registry;
}

/* What is asked for: a digest, or a tag. */
static const char *version_of(const struct image_ref *ref) {
        return ref->digest ? ref->digest : ref->tag ? ref->tag : "latest";
}

static int get_once(struct registry *r, const struct image_ref *ref, const char *scheme, struct http_response *response,
                    struct fault *reterr) {
        own_buffer struct buffer url = BUFFER_INIT;
        const struct grant *grant = grant_find(r, ref);
        const char *headers[] = { ACCEPT, grant && grant->header.size > 0 ? grant->header.data : NULL, NULL };
        int k;

        buffer_printf(&url, "%s://%s/v2/%s/manifests/%s", scheme, host_of(ref), ref->repository, version_of(ref));
        k = buffer_check(&url, "a manifest's URL", reterr);
        if (k < 0)
                return k;
        return http_perform(r->http,
                            &(struct http_request){
                                    .url = url.data,
                                    .headers = headers,
                                    .redirect = HTTP_REDIRECT_SAME_HOST,
                                    .direct = host_is_loopback(ref->registry),
                                    .timeout_ms = r->timeout_ms,
                                    .max_body = LIMIT_MANIFEST_BYTES,
                                    .reason = REASON_REGISTRY_UNAVAILABLE,
                            },
                            response, reterr);
}

static int get(struct registry *r, const struct image_ref *ref, struct http_response *response, struct fault *reterr) {
        const char *scheme = host_is_loopback(ref->registry) ? "http" : "https";
        int k = get_once(r, ref, scheme, response, reterr);

        /* A server that speaks TLS answers 400 to plain http. Nothing secret was sent yet but to this machine. */
        if (k == 0 && response->status == 400 && str_eq(scheme, "http")) {
                scheme = "https";
                k = get_once(r, ref, scheme, response, reterr);
        }
        if (k < 0 || response->status != 401)
                return k;
        k = let_in(r, ref, response, reterr);
        return k < 0 ? k : get_once(r, ref, scheme, response, reterr);
}

/*
 * Answers
 */

/*
 * The first of {"errors": [{"code": …, "message": …}]} (distribution-spec, "Error Codes"), in @a; "" when there is
 * none.
 */
static const char *error_text(const struct http_response *response, struct arena *a) {
        own_json json_t *json = NULL;
        own_fault struct fault ignored = FAULT_INIT;
        const json_t *first;
        const char *code, *message;

        if (response->body.size > LIMIT_TOKEN_BYTES ||
            json_parse("error", response->body.data, response->body.size, &json, &ignored) < 0)
                return "";
        first = json_array_get(json_object_get(json, "errors"), 0);
        code = json_get_string(first, "code");
        message = json_get_string(first, "message");
        return code ? arena_printf(a, " (%.64s%s%.256s)", code, message ? ": " : "", message ? message : "") : "";
}

static int fault_not_found(const struct image_ref *ref, const char *text, struct fault *reterr) {
        int k = fault_set_at(reterr, &ref->at, "the registry has no %s%s", version_of(ref), text);

        reterr->code = REASON_IMAGE_NOT_FOUND;
        fault_hint(reterr, "look for it at the registry; a repository that we may not read may look missing, too");
        return k;
}

static int check_status(const struct http_response *response, const struct image_ref *ref, struct fault *reterr) {
        own_arena struct arena *a = arena_new();
        const char *text;
        int k;

        if (response->status == 200)
                return 0;
        text = error_text(response, a);
        if (response->status == 404)
                return fault_not_found(ref, text, reterr);
        if (response->status == 401 || response->status == 403) {
                k = fault_set_code(reterr, FAULT_DENIED, REASON_IMAGE_AUTH, "the registry refuses us: it answers %d%s",
                                   response->status, text);
                fault_hint(reterr, "the credentials for this registry are wrong or may not read this repository");
                return k;
        }
        k = login_fault_busy(response, "the registry", reterr);
        return *text ? fault_context(reterr, k, "%s", text + 1) : k;
}

/* The header's type without parameters, when it is one that we asked for. */
static const char *accepted_type(const struct http_response *response, char *buf, size_t size) {
        if (!http_header(response, "Content-Type", buf, size))
                return NULL;
        buf[strcspn(buf, "; \t")] = '\0';
        for (size_t i = 0; media_types[i]; i++)
                if (str_eq(media_types[i], buf))
                        return media_types[i];
        return NULL;
}

/* A manifest may name its own type. Two readers must not see two things in it (CVE-2021-41190). */
static int check_body(const struct http_response *response, const char *media_type, struct fault *reterr) {
        own_json json_t *json = NULL;
        own_fault struct fault why = FAULT_INIT;
        const char *own_type;

        if (json_parse("manifest", response->body.data, response->body.size, &json, &why) < 0 || !json_is_object(json))
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_REGISTRY_UNAVAILABLE,
                                      "the registry answers with something that is no manifest");
        own_type = json_get_string(json, "mediaType");
        if (own_type && !str_eq(own_type, media_type))
                return fault_set_code(reterr, FAULT_DENIED, REASON_IMAGE_DIGEST_MISMATCH,
                                      "the registry calls the manifest %s, and it calls itself %s", media_type,
                                      own_type);
        return 0;
}

static int fault_mismatch(const struct digest *got, const char *wanted, const char *who, struct fault *reterr) {
        int k = fault_set_code(reterr, FAULT_DENIED, REASON_IMAGE_DIGEST_MISMATCH,
                               "what the registry sends is %s, not %s as %s", got->text, wanted, who);

        fault_hint(reterr, "the registry or something before it changes what it serves: nothing of it is used");
        return k;
}

static int check_digest(const struct http_response *response, const struct image_ref *ref, const struct digest *got,
                        struct fault *reterr) {
        char said[256];

        for (size_t i = 0; http_header_nth(response, "Docker-Content-Digest", i, said, sizeof(said)); i++)
                if (!str_eq(said, got->text))
                        return fault_mismatch(got, said, "it says", reterr);
        if (ref->digest && !str_eq(ref->digest, got->text))
                return fault_mismatch(got, ref->digest, "was asked for", reterr);
        return 0;
}

int registry_check_manifest(const struct http_response *response, const struct image_ref *ref,
                            struct registry_manifest *ret, struct fault *reterr) {
        struct registry_manifest m = { .size = response->body.size };
        char type[LIMIT_MEDIA_TYPE_BYTES + 1] = "";
        const char *media_type;
        int k;

        /* First of all: whatever else these bytes are, they must be the ones. */
        m.digest = digest_of(buffer_str(&response->body), response->body.size);
        k = check_digest(response, ref, &m.digest, reterr);
        if (k < 0)
                return k;
        media_type = accepted_type(response, type, sizeof(type));
        if (!media_type)
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_REGISTRY_UNAVAILABLE,
                                      "the registry answers with '%s', which is no manifest that we read", type);
        k = check_body(response, media_type, reterr);
        if (k < 0)
                return k;
        memcpy(m.media_type, media_type, strlen(media_type) + 1);
        *ret = m;
        return 0;
}

int registry_resolve(struct registry *r, const struct image_ref *ref, struct registry_manifest *ret,
                     struct fault *reterr) {
        own_http_response struct http_response response = HTTP_RESPONSE_INIT;
        int k = get(r, ref, &response, reterr);

        if (k == 0)
                k = check_status(&response, ref, reterr);
        if (k == 0)
                k = registry_check_manifest(&response, ref, ret, reterr);
        return k < 0 ? fault_context(reterr, k, "%s/%s%s%s", ref->registry, ref->repository, ref->digest ? "@" : ":",
                                     version_of(ref))
                     : 0;
}
