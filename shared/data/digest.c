/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/data/digest.h"

#include <assert.h>
#include <stdlib.h>

#include "shared/base/text.h"
#include "shared/data/json.h"

#define PREFIX     "sha256:"
#define HEX_DIGITS (2 * crypto_hash_sha256_BYTES)

void digest_begin(struct digest_state *s) {
        (void)crypto_hash_sha256_init(&s->sha);
}

void digest_update(struct digest_state *s, const void *data, size_t size) {
        if (size > 0)
                (void)crypto_hash_sha256_update(&s->sha, data, size);
}

struct digest digest_end(struct digest_state *s) {
        unsigned char hash[crypto_hash_sha256_BYTES];
        struct digest d = { .text = PREFIX };

        (void)crypto_hash_sha256_final(&s->sha, hash);
        hex_encode(hash, sizeof(hash), d.text + sizeof(PREFIX) - 1);
        return d;
}

struct digest digest_of(const void *data, size_t size) {
        struct digest_state s;

        digest_begin(&s);
        digest_update(&s, data, size);
        return digest_end(&s);
}

struct digest digest_of_json(const json_t *value) {
        own_buffer struct buffer text = BUFFER_INIT;
        own_fault struct fault fault = FAULT_INIT;

        /* Values are ours: one that has no canonical form is a mistake in the program, as is being out of memory. */
        if (json_canonical(value, &text, &fault) < 0 || buffer_check(&text, "canonical JSON", &fault) < 0)
                abort();
        return digest_of(text.data, text.size);
}

bool digest_is_valid(const char *text) {
        const char *hex = text ? str_after(text, PREFIX) : NULL;

        return hex && hex_is_valid(hex, HEX_DIGITS);
}

const char *digest_hex(const struct digest *d) {
        const char *hex = str_after(d->text, PREFIX);

        assert(hex);
        return hex;
}

bool digest_equal(const struct digest *a, const struct digest *b) {
        return str_eq(a->text, b->text);
}
