/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Trust files: the trust/allowed_signers of commits, each parsed once
 *
 * Thousands of commits share one file: the folder is remembered by its tree id, the parsed file by its blob id. The
 * least recently used are dropped, so a history that changes the file in every commit costs time and not memory.
 */

#include "shared/data/digest.h"
#include "shared/git/object.h"
#include "shared/sign/signers.h"

struct trustfile {
        struct object_id blob;
        struct digest digest; /* of its bytes */
        struct signers signers;
        struct arena *arena; /* NULL: an empty place in the cache */
        uint64_t used;
};

#define TRUSTFILE_FOLDERS 16
#define TRUSTFILE_FILES   16

struct trustfiles {
        const struct object_reader *reader;
        struct trustfile files[TRUSTFILE_FILES];
        struct {
                struct object_id tree, blob; /* zero: an empty place */
        } folders[TRUSTFILE_FOLDERS];
        unsigned next_folder;
        uint64_t clock;
};

void trustfiles_init(struct trustfiles *t, const struct object_reader *reader);
void trustfiles_done(struct trustfiles *t);
#define own_trustfiles own(trustfiles_done)

/*
 * The id of trust/allowed_signers in this root tree. FAULT_DENIED: TRUST_SIGNERS_INVALID when it is not there or is not
 * a regular file, TRUST_BAD_OBJECT, TRUST_MISSING_OBJECT.
 */
int trustfiles_locate(struct trustfiles *t, const struct object_id *tree, struct object_id *ret_blob,
                      struct fault *reterr);
/*
 * The parsed file. *@ret stays valid while at most TRUSTFILE_FILES - 1 others are asked for. FAULT_DENIED:
 * TRUST_SIGNERS_INVALID with the position inside the file, or when nobody in it can sign commits.
 */
int trustfiles_get(struct trustfiles *t, const struct object_id *blob, const struct trustfile **ret,
                   struct fault *reterr);

/* Parse @bytes, called @name, as a file by which commits can be judged. FAULT_CONFIG, TRUST_SIGNERS_INVALID. */
int trustfile_init(struct trustfile *f, const char *name, const void *bytes, size_t size, struct fault *reterr);
void trustfile_done(struct trustfile *f);
#define own_trustfile own(trustfile_done)
