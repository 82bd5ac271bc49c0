/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Seal: a record as a signed envelope, and back. Pure but for the key.
 *
 * A DSSE envelope (application/vnd.in-toto+json) round an in-toto Statement v1 whose first subject is the record's file
 * and whose other subjects are its images, signed by the host's key.
 */

#include "shared/base/arena.h"
#include "shared/model/record.h"
#include "shared/sign/sshkey.h"

/* Append the envelope. @file_name and @file name the first subject, images the others. */
int seal_write(const struct sshkey_private *key, const struct record *r, const struct record_place *place,
               const char *file_name, const struct digest *file, struct buffer *out, struct fault *reterr);

struct sealed {
        const json_t *statement, *predicate; /* in the arena */
        struct record_head head;
        struct digest digest; /* of the envelope's bytes */
        struct digest file;   /* first subject */
        bool verified;        /* @key made the signature */
};

/*
 * Read an envelope. Without @key the signature is not looked at. FAULT_DENIED when it is not by @key, unless @lenient:
 * then `verified` says so. FAULT_CONFIG for what is no record. Everything lives in @a.
 */
int seal_read(const char *name, const void *bytes, size_t size, const struct sshkey *key, bool lenient, struct arena *a,
              struct sealed *ret, struct fault *reterr);
