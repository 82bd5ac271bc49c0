/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Digest: SHA-256 as "sha256:<64 lower-case hex digits>" (OCI image-spec, descriptor.md, Digests) */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <sodium.h>

#include "shared/base/fault.h"

#define DIGEST_TEXT_MAX 72 /* "sha256:" + 64 + NUL */

struct digest {
        char text[DIGEST_TEXT_MAX]; /* "sha256:…", or "" when unset */
};

struct digest digest_of(const void *data, size_t size);
/* Over the canonical form of @value; aborts without memory. @value must hold no reals. */
struct digest digest_of_json(const json_t *value);
/* "sha256:" and 64 lower-case hex digits, nothing else. */
bool digest_is_valid(const char *text);
/* The part after "sha256:". */
const char *digest_hex(const struct digest *d);
static inline bool digest_is_set(const struct digest *d) {
        return d->text[0] != '\0';
}
bool digest_equal(const struct digest *a, const struct digest *b);

/* Incremental. */
struct digest_state {
        crypto_hash_sha256_state sha;
};
void digest_begin(struct digest_state *s);
void digest_update(struct digest_state *s, const void *data, size_t size);
struct digest digest_end(struct digest_state *s);
