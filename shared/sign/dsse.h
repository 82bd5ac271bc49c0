/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * DSSE: signed envelopes (secure-systems-lab/dsse, protocol.md and envelope.md, v1)
 *
 * Written: pure Ed25519 over the PAE, keyid the OpenSSH fingerprint (the one value that cosign takes), canonical JSON
 * without line end, so the same payload and key always give the same bytes. Read: standard or URL-safe base64, fields
 * we don't know are ignored. keyid is an unauthenticated hint and decides nothing.
 */

#include "shared/base/arena.h"
#include "shared/sign/sshkey.h"

#define DSSE_TYPE_STATEMENT "application/vnd.in-toto+json"

struct dsse_signature {
        const char *keyid; /* "" when absent */
        const unsigned char *sig;
        size_t size;
};

struct dsse {
        const char *payload_type;
        const void *payload; /* followed by a NUL that is not counted */
        size_t payload_size;
        struct dsse_signature *signatures;
        size_t n; /* at least 1 */
};

/* Append "DSSEv1 SP len SP type SP len SP body". */
void dsse_put_pae(const char *type, const void *body, size_t size, struct buffer *out);

/* Append the envelope of @body, signed by @k. */
int dsse_sign(const struct sshkey_private *k, const char *type, const void *body, size_t size, struct buffer *out,
              struct fault *reterr);

/* Read an envelope of at most LIMIT_ENVELOPE_BYTES; @name is for messages. Everything lives in @a. FAULT_CONFIG. */
int dsse_parse(const char *name, const void *bytes, size_t size, struct arena *a, struct dsse *ret,
               struct fault *reterr);

/* Did @key (ssh-ed25519) make one of the signatures? FAULT_DENIED when not. Look at the payload only after this. */
int dsse_verify(const struct dsse *e, const struct sshkey *key, struct fault *reterr);
