/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * known_hosts: which host keys a server may show (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT")
 *
 * Read strictly: a line we do not understand rejects the file, at its position. Plain names, patterns with '*',
 * '?' and '!', [host]:port, hashed names (|1|salt|hmac-sha1), comments, @revoked. @cert-authority is refused:
 * libssh2 has no host certificates. A host at a port other than 22 is looked up as [host]:port only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buffer.h"
#include "shared/base/cleanup.h"
#include "shared/base/fault.h"

struct known_hosts;

int known_hosts_read(const char *path, struct known_hosts **ret, struct fault *reterr);
int known_hosts_parse(const char *name, const char *text, size_t size, struct known_hosts **ret, struct fault *reterr);
/* Accepts NULL. */
void known_hosts_free(struct known_hosts *k);
DEFINE_OWN(struct known_hosts, known_hosts_free)
#define own_known_hosts own(known_hosts_free_p)

/* What the server showed: the SSH wire key when there is one, else its SHA-256. */
struct host_key {
        const void *blob; /* NULL: only the digest is known */
        size_t size;
        const uint8_t *sha256; /* 32 bytes; used when blob is NULL */
};

enum host_key_verdict {
        HOST_KEY_PINNED,
        HOST_KEY_UNKNOWN,    /* no line is for this host */
        HOST_KEY_OTHER_TYPE, /* lines are for this host, none for a key of this type */
        HOST_KEY_CHANGED,    /* a line for this host has another key of this type */
        HOST_KEY_REVOKED,    /* a @revoked line has this key */
        HOST_KEY_VERDICT_MAX_,
};

const char *host_key_verdict_to_string(enum host_key_verdict v);

/* @port 0 is 22. With a digest only, OTHER_TYPE cannot be told and is CHANGED. */
enum host_key_verdict known_hosts_check(const struct known_hosts *k, const char *host, unsigned port,
                                        const struct host_key *key);

/*
 * The types pinned for a host, comma-separated in the order of the file ("ssh-ed25519,ecdsa-sha2-nistp256");
 * may be empty.
 */
void known_hosts_types(const struct known_hosts *k, const char *host, unsigned port, struct buffer *out);

/*
 * The line for the best key pinned for a host (ed25519, then ECDSA), with a plain name: what libssh2 needs to
 * ask the server for a key of that type. Appends nothing when there is none.
 */
void known_hosts_put_preferred(const struct known_hosts *k, const char *host, unsigned port, struct buffer *out);

/* Append "host" or "[host]:port", as lines of the file spell it. */
void known_hosts_put_name(const char *host, unsigned port, struct buffer *out);
