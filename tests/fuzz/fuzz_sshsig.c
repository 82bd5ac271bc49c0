/* SPDX-License-Identifier: Apache-2.0 */

/* Armour, blobs and private keys: what is taken is complete; nothing made up verifies. */

#include <assert.h>

#include "shared/sign/sshsig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct sshsig *s) {
        own_fault struct fault fault = FAULT_INIT;

        assert(s->key.type < SSHKEY_OTHER && s->hash < SSHSIG_HASH_MAX_ && *s->namespace);
        assert(s->key.type == SSHKEY_SK_ED25519 || (s->flags == 0 && s->counter == 0));
        /* None of the corpus signs this. */
        assert(sshsig_verify(s, s->namespace, "a message that nobody signed", 28, &fault) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_fault struct fault armour_fault = FAULT_INIT, blob_fault = FAULT_INIT, key_fault = FAULT_INIT;
        own_sshkey struct sshkey_private k = { 0 };
        struct sshsig s;

        if (sshsig_parse(data, size, &s, &armour_fault) == 0)
                check(&s);
        if (sshsig_parse_blob(data, size, &s, &blob_fault) == 0)
                check(&s);
        if (sshkey_private_read(data, size, &k, &key_fault) == 0)
                assert(k.key.type == SSHKEY_ED25519);
        return 0;
}
