/* SPDX-License-Identifier: Apache-2.0 */

/* An envelope that is taken holds its parts; signed anew it is read back as it was. */

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "shared/sign/dsse.h"
#include "shared/sign/statement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_fault struct fault fault = FAULT_INIT, statement_fault = FAULT_INIT, sign_fault = FAULT_INIT;
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer out = BUFFER_INIT;
        own_json json_t *statement = NULL;
        struct sshkey_private k = { .key = { .type = SSHKEY_ED25519 } };
        unsigned char seed[32] = { 1 };
        struct dsse e, again;

        (void)statement_parse("statement", data, size, "https://example.org/x", &statement, &statement_fault);
        if (dsse_parse("envelope", data, size, a, &e, &fault) < 0)
                return 0;
        assert(e.n > 0 && *e.payload_type);
        (void)crypto_sign_seed_keypair(k.key.pk, k.secret, seed);
        assert(dsse_verify(&e, &k.key, &fault) < 0);
        assert(dsse_sign(&k, e.payload_type, e.payload, e.payload_size, &out, &sign_fault) == 0);
        assert(dsse_parse("envelope", out.data, out.size, a, &again, &sign_fault) == 0);
        assert(again.payload_size == e.payload_size && memcmp(again.payload, e.payload, e.payload_size) == 0);
        assert(dsse_verify(&again, &k.key, &sign_fault) == 0);
        return 0;
}
