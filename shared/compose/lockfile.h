/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Lockfile: the compose file as it runs, the immutable artifact of a release
 *
 * YAML that `docker compose config` takes, the same bytes for the same release: keys in a fixed order, variables
 * replaced, every image by digest (its tag beside it as a comment), our labels on every service, and a block of
 * comments at the head with the release id, environment, version and the SHA-256 of everything below the block. Env
 * files stay references (their digests are under x-tallyman): what they hold belongs on the host, not in the ledger.
 */

#include "shared/base/buffer.h"
#include "shared/compose/compose.h"

struct lockfile_input {
        const char *host; /* NULL: no label tallyman.host */
        const char *environment;
        const char *app;
        const char *version;
        const char *release; /* release id */
};

/* Append the text to @out. @c has its images pinned. */
int lockfile_write(const struct compose *c, const struct lockfile_input *in, struct buffer *out, struct fault *reterr);

/* The checksum in the head of a lockfile is the one of its body. */
bool lockfile_is_intact(const char *text, size_t size);
