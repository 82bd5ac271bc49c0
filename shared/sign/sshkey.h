/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SSH keys: the public key line, its wire form and fingerprint, and the host's own key pair
 *
 * Two public key types are ours: ssh-ed25519 (RFC 8709) and sk-ssh-ed25519@openssh.com (OpenSSH PROTOCOL.u2f). All
 * others are refused with TRUST_ALGORITHM. Private keys are ssh-ed25519 in OpenSSH's own format (PROTOCOL.key) without
 * a passphrase, so that `ssh-keygen -y -f FILE` reads what we write and we read what `ssh-keygen -t ed25519` writes.
 */

#include <stddef.h>

#include "shared/base/buffer.h"
#include "shared/base/fault.h"

enum sshkey_type {
        SSHKEY_ED25519,    /* "ssh-ed25519" */
        SSHKEY_SK_ED25519, /* "sk-ssh-ed25519@openssh.com": a security key */
        SSHKEY_OTHER,      /* known to OpenSSH, not to us; only in allowed_signers lines */
        SSHKEY_TYPE_MAX_,
};

#define SSHKEY_APPLICATION_MAX 128 /* "ssh:" and its kin, with NUL */
#define SSHKEY_COMMENT_MAX     256 /* with NUL */
#define FINGERPRINT_TEXT_MAX   52  /* "SHA256:" + 43 + NUL, rounded up */

struct sshkey {
        enum sshkey_type type; /* never SSHKEY_OTHER */
        unsigned char pk[32];
        char application[SSHKEY_APPLICATION_MAX]; /* SSHKEY_SK_ED25519; else "" */
        unsigned char id[32]; /* SHA-256 of the wire blob: what the fingerprint spells, and what lookups use */
};

struct sshkey_private {
        struct sshkey key;        /* SSHKEY_ED25519 */
        unsigned char secret[64]; /* seed, then the public key: libsodium's and OpenSSH's order */
        char comment[SSHKEY_COMMENT_MAX];
};

/* "ssh-ed25519", "sk-ssh-ed25519@openssh.com", "other". */
const char *sshkey_type_to_string(enum sshkey_type type);
/* The first @n bytes of @name as a key type that OpenSSH knows (ours, or SSHKEY_OTHER), or SSHKEY_TYPE_MAX_. */
enum sshkey_type sshkey_type_from_name(const char *name, size_t n);

/*
 * One public key line, "type base64 [comment]", without line end: single blanks, canonical base64, the type inside
 * equal to the type outside. FAULT_CONFIG, code TRUST_ALGORITHM when the type is not one of ours.
 */
int sshkey_parse(const char *line, struct sshkey *ret, struct fault *reterr);
/* The wire form: `string type, string pk [, string application]`, nothing after it. */
int sshkey_parse_blob(const void *blob, size_t size, struct sshkey *ret, struct fault *reterr);

void sshkey_put_blob(const struct sshkey *k, struct buffer *out);
/* "type base64 comment", or "type base64" when @comment is NULL or "". No line end. */
void sshkey_put_line(const struct sshkey *k, const char *comment, struct buffer *out);
/* "SHA256:" and unpadded base64, as `ssh-keygen -l` prints it. @buf of FINGERPRINT_TEXT_MAX bytes; returns @buf. */
const char *sshkey_fingerprint(const struct sshkey *k, char *buf);
bool sshkey_equal(const struct sshkey *a, const struct sshkey *b);

/* A new pair from the kernel's randomness. @comment is cut to what fits. */
int sshkey_generate(const char *comment, struct sshkey_private *ret, struct fault *reterr);
/* "-----BEGIN OPENSSH PRIVATE KEY-----": one unencrypted ed25519 key whose halves belong together. FAULT_CONFIG. */
int sshkey_private_read(const void *bytes, size_t size, struct sshkey_private *ret, struct fault *reterr);
/* What ssh-keygen would write, with a final LF. @out then holds a secret: own_secret. Check the buffer afterwards. */
void sshkey_private_write(const struct sshkey_private *k, struct buffer *out);
/* Detached Ed25519 over exactly these bytes. @ret_sig of 64 bytes. */
void sshkey_sign(const struct sshkey_private *k, const void *data, size_t size, unsigned char *ret_sig);
/* Overwrite the secret half. */
void sshkey_private_wipe(struct sshkey_private *k);
#define own_sshkey __attribute__((cleanup(sshkey_private_wipe)))
