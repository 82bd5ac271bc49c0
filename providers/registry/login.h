/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Login: from a registry's challenge to the Authorization header that answers it
 *
 * Basic (RFC 7617) and the token flow of the distribution project ("Token Authentication Specification": a GET with the
 * user's password, or none for a public repository; "OAuth2 Token Authentication": a POST with an identity token).
 * Credentials are looked up under the registry's own name, whatever realm it sends us to, and go there over https only;
 * over http only when the registry and the realm are both on loopback.
 */

#include <stdbool.h>

#include "providers/registry/challenge.h"
#include "shared/net/http.h"

struct login {
        const char *docker_config; /* Docker's config.json; NULL: no credentials */
        const char *registry;      /* as references write it: "docker.io", "registry.example:5000" */
        const char *repository;    /* what is to be pulled: "library/nginx" */
        int timeout_ms;            /* for the whole exchange; 0: none */
};

/*
 * Answer the strongest of @n challenges: Bearer, else Basic. Appends "Authorization: …" to @ret, the caller's
 * own_secret. FAULT_DENIED, code IMAGE_AUTH, when nothing can answer it; FAULT_TRANSIENT when the realm cannot be
 * reached; FAULT_CONFIG when config.json is wrong.
 */
int login_answer(struct http *http, const struct login *login, const struct challenge *challenges, size_t n,
                 struct buffer *ret, struct fault *reterr);

/*
 * The URL that a token is asked from: the realm with service and scope, and the user's name unless it is NULL. The
 * scope is the challenge's, else that of pulling the repository. FAULT_DENIED when the realm is not one that we go to.
 */
int login_token_url(const struct challenge *c, const struct login *login, const char *user, struct buffer *ret,
                    struct fault *reterr);

/* The token in a realm's answer, appended to @ret as an Authorization header. FAULT_TRANSIENT when there is none. */
int login_token_read(const void *bytes, size_t size, struct buffer *ret, struct fault *reterr);

/*
 * Is "host[:port]" this machine: localhost, 127.0.0.0/8, [::1]? There, as in Docker, registries may speak plain http.
 */
bool host_is_loopback(const char *host);
/* 429, 5xx, and what else a realm or registry may answer differently later: fills the fault, Retry-After as a hint. */
int login_fault_busy(const struct http_response *response, const char *who, struct fault *reterr);
