/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Image: a reference to an OCI image, read strictly
 *
 *      [registry[:port]/]path[:tag][@sha256:<64 hex>]
 *
 * The grammar is the one of the distribution project (distribution/reference, "reference.go"), of digests only sha256.
 * A first component with a '.' or ':' in it, or "localhost", is the registry; without one it is docker.io, and a single
 * component there stands in "library/", as in every Docker client.
 *
 *      "nginx:1.27"                    docker.io  library/nginx   1.27
 *      "localhost/a/b@sha256:…"        localhost  a/b             -      sha256:…
 */

#include "shared/data/table.h"

struct image_ref {
        const char *registry;   /* "docker.io", "registry.example:5000", "[::1]:5000" */
        const char *repository; /* "library/nginx": the path at the registry */
        const char *tag;        /* NULL: none was written. Only a comment once there is a digest */
        const char *digest;     /* "sha256:…"; NULL: none was written */
        struct source_pos at;   /* where the reference stands */
};

/* Parse; strings live in @a. FAULT_CONFIG at the reference's position, code LOAD_INVALID. */
int image_parse(const struct text_at *text, struct arena *a, struct image_ref *ret, struct fault *reterr);

/* 0 when the reference has a digest; else FAULT_CONFIG with code LOAD_TAG_ONLY at its position, naming @service. */
int image_require_digest(const struct image_ref *ref, const char *service, struct fault *reterr);

/* "docker.io/library/nginx": the repository with its registry. In @a. */
const char *image_name(const struct image_ref *ref, struct arena *a);
/* "docker.io/library/nginx@sha256:…": what runs, what is hashed, what is compared; no tag. @ref has a digest. In @a. */
const char *image_pinned(const struct image_ref *ref, struct arena *a);
