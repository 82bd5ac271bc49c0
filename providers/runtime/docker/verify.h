/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Verify: is what the engine holds what was pinned?
 *
 * A pin names a manifest or an index by digest: "repository@sha256:…". The engine checks bytes against it while
 * pulling, and tells afterwards in one of two ways which of its images that is:
 *
 *   - the classic store (graph drivers): Id is the digest of the image's configuration; RepoDigests lists what it was
 *     pulled by, the index's digest when an index was pinned;
 *   - the containerd image store: Id is the digest of the manifest or index itself; RepoDigests lists the same.
 *
 * So a container's ImageID is never compared with the pin as text alone, and an index never with a platform's manifest.
 * Pure.
 */

#include <stdbool.h>

#include <jansson.h>

#include "shared/base/arena.h"

enum image_proof {
        IMAGE_PROOF_NONE,        /* the engine does not say that this is the pinned one */
        IMAGE_PROOF_REPO_DIGEST, /* RepoDigests holds repository@digest */
        IMAGE_PROOF_TARGET,      /* Id is the pinned digest: containerd store, pulled under another name */
        IMAGE_PROOF_MAX_,
};

/* Judge the answer of GET /images/<pinned>/json. @pinned is "repository@sha256:…". */
enum image_proof verify_image(const json_t *inspect, const char *pinned);

/* "sha256:…" of a pinned reference, or NULL. Borrowed. */
const char *verify_digest_of(const char *pinned);

/* Two references name the same repository and digest: "nginx@sha256:…" is "docker.io/library/nginx@sha256:…". */
bool verify_same_reference(const char *x, const char *y);

/* What is known of the image of a container. */
struct image_facts {
        const char *pinned;   /* what it should run: repository@sha256:… */
        const char *image_id; /* ImageID of the container */
        /* LABEL_IMAGE, LABEL_IMAGE_ID: what was verified when it was made; NULL: no label */
        const char *label_image;
        const char *label_image_id;
};

enum image_verdict {
        IMAGE_MATCHES,
        IMAGE_DIFFERS,
        IMAGE_ASK, /* only the engine knows: inspect the pinned reference, then verify_inspected() */
        IMAGE_VERDICT_MAX_,
};

enum image_verdict verify_container(const struct image_facts *facts);
/* With the answer to GET /images/<pinned>/json; NULL: the engine does not have it. */
bool verify_inspected(const struct image_facts *facts, const json_t *inspect);
