/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SSHSIG: signatures as `ssh-keygen -Y sign` makes them (OpenSSH PROTOCOL.sshsig)
 *
 * Reading is stricter than OpenSSH: the armour starts at the first byte and ends the text (one final LF may follow),
 * lines end in LF, base64 is canonical, `reserved` is empty (it is not covered by the signature, so anything in it
 * would make a second form of the same signature), and nothing follows the inner signature. Hashes: sha512 and sha256.
 * Keys: see sshkey.h. Everything else is refused; nothing is repaired.
 */

#include <stdint.h>
#include <sys/uio.h>

#include "shared/sign/sshkey.h"

#define SSHSIG_NAMESPACE_MAX 128 /* with NUL */

enum sshsig_hash {
        SSHSIG_SHA512,
        SSHSIG_SHA256,
        SSHSIG_HASH_MAX_,
};

/* Flags of a security key's signature (FIDO CTAP2 authenticator data). */
#define SSHSIG_USER_PRESENT  0x01 /* touched */
#define SSHSIG_USER_VERIFIED 0x04 /* PIN or fingerprint */

struct sshsig {
        struct sshkey key;
        char namespace[SSHSIG_NAMESPACE_MAX];
        enum sshsig_hash hash;
        unsigned char sig[64];
        uint8_t flags;    /* SSHKEY_SK_ED25519; else 0 */
        uint32_t counter; /* likewise */
};

/* "sha512", "sha256". */
const char *sshsig_hash_to_string(enum sshsig_hash hash);

/* Read the armour. FAULT_DENIED: TRUST_ALGORITHM (a kind of signature or key we don't take) or TRUST_BAD_SIGNATURE. */
int sshsig_parse(const void *armour, size_t size, struct sshsig *ret, struct fault *reterr);
/* Read what the armour holds. */
int sshsig_parse_blob(const void *blob, size_t size, struct sshsig *ret, struct fault *reterr);

/*
 * Does @s sign the concatenation of @parts in @namespace? Says nothing about whether the key may: see signers.h. The
 * flags of a security key are authenticated by this, but not judged: ssh-keygen ignores them, policies look at them.
 * FAULT_DENIED: TRUST_NAMESPACE or TRUST_BAD_SIGNATURE.
 */
int sshsig_verify_parts(const struct sshsig *s, const char *namespace, const struct iovec *parts, size_t n,
                        struct fault *reterr);
static inline int sshsig_verify(const struct sshsig *s, const char *namespace, const void *data, size_t size,
                                struct fault *reterr) {
        struct iovec part = { (void *)data, size };

        return sshsig_verify_parts(s, namespace, &part, 1, reterr);
}

/* Append the armour, byte for byte as ssh-keygen writes it (sha512, 70 columns), with the final LF. */
int sshsig_sign(const struct sshkey_private *k, const char *namespace, const void *data, size_t size,
                struct buffer *out, struct fault *reterr);
