/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Registry: what a tag is, asked at an OCI registry (OCI distribution-spec 1.1, "Pulling manifests")
 *
 * Only manifests are read, never layers. The digest is ours, over the bytes that came; what the registry says of it
 * must agree. https; registries on loopback may speak plain http, as in Docker, and are asked so first. Authorization
 * is kept per repository for the life of the client, in memory only.
 *
 * Faults: FAULT_TRANSIENT, REGISTRY_UNAVAILABLE (down, slow, cut off, 5xx, 429 with its Retry-After as a hint);
 * FAULT_DENIED, IMAGE_AUTH and IMAGE_DIGEST_MISMATCH; FAULT_CONFIG at the reference's position, IMAGE_NOT_FOUND.
 */

#include "shared/base/cleanup.h"
#include "shared/base/limits.h"
#include "shared/data/digest.h"
#include "shared/model/image.h"

struct registry;

struct registry_options {
        /* Docker's config.json with credentials, read when they are asked for; NULL: none */
        const char *docker_config;
        const char *ca_file; /* PEM bundle instead of the system's; NULL: the system's */
        int timeout_ms;      /* of one exchange; 0: 30 s */
};

/* Strings are copied. */
int registry_new(const struct registry_options *options, struct registry **ret, struct fault *reterr);
/* Accepts NULL; wipes what it holds. */
void registry_free(struct registry *r);
DEFINE_OWN(struct registry, registry_free)
#define own_registry own(registry_free_p)

struct registry_manifest {
        struct digest digest;
        char media_type[LIMIT_MEDIA_TYPE_BYTES + 1]; /* of an index or a manifest, OCI's or Docker's */
        size_t size;                                 /* bytes of it */
};

/*
 * Ask for @ref's digest when it has one (it is then known to be there, and to be right), else for its tag, else for
 * "latest".
 */
int registry_resolve(struct registry *r, const struct image_ref *ref, struct registry_manifest *ret,
                     struct fault *reterr);

/*
 * Is this answer a manifest: of a type that we accept, JSON that says the same of itself, with the digest that the
 * registry (Docker-Content-Digest) and @ref say it has? For tests and fuzzing; registry_resolve() calls it.
 */
struct http_response;
int registry_check_manifest(const struct http_response *response, const struct image_ref *ref,
                            struct registry_manifest *ret, struct fault *reterr);
