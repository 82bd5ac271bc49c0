/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Git objects: strict reading of raw commits and trees, without libgit2 (gitformat-signature(5), git-fsck(1))
 *
 * What a verifier reads must be what everybody else reads, so anything that git itself would not write is refused, not
 * interpreted: a NUL in a commit, headers out of order, unknown or repeated ones, anything that starts like `gpgsig`
 * but is not exactly one `gpgsig`. Signatures are looked for in the header and nowhere else. Everything returned is
 * borrowed from the raw bytes. Faults are FAULT_DENIED with code TRUST_BAD_OBJECT.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "shared/base/buffer.h"
#include "shared/base/fault.h"
#include "shared/base/limits.h"

enum object_type {
        OBJECT_COMMIT,
        OBJECT_TREE,
        OBJECT_BLOB,
        OBJECT_TYPE_MAX_,
};

#define OBJECT_ID_TEXT_MAX 41

struct object_id {
        unsigned char raw[20]; /* SHA-1: the one object format this reads */
};

/* "commit", "tree", "blob". */
const char *object_type_to_string(enum object_type type);
/* Exactly 40 lower-case hex digits. 0 or -EINVAL. */
int object_id_parse(const char *hex, struct object_id *ret);
/* @buf of OBJECT_ID_TEXT_MAX bytes; returns @buf. */
const char *object_id_format(const struct object_id *id, char *buf);
static inline bool object_id_equal(const struct object_id *a, const struct object_id *b) {
        return memcmp(a->raw, b->raw, sizeof(a->raw)) == 0;
}
bool object_id_is_zero(const struct object_id *id);

/* Where objects come from. */
struct object_reader {
        /*
         * The content of an object of exactly this type, at most @limit bytes. The bytes stay valid until the next
         * call. The implementation has checked that they hash to @id.
         */
        int (*read)(void *data, const struct object_id *id, enum object_type type, size_t limit, const void **ret_bytes,
                    size_t *ret_size, struct fault *reterr);
        void *data;
};

/*
 * Ask @reader. A refusal says why the object could not be read, as FAULT_DENIED with code TRUST_MISSING_OBJECT unless
 * the reader gave another code; FAULT_INTERNAL stays what it is.
 */
int object_read(const struct object_reader *reader, const struct object_id *id, enum object_type type, size_t limit,
                const void **ret_bytes, size_t *ret_size, struct fault *reterr);

/* Bytes inside the raw object; not NUL-terminated. */
struct object_text {
        const char *data;
        size_t size;
};

struct object_ident {
        struct object_text name; /* may be empty */
        struct object_text email;
        int64_t time_ms;  /* as claimed */
        int zone_minutes; /* east of UTC, as claimed */
};

struct object_commit {
        struct object_id tree;
        struct object_id parents[LIMIT_COMMIT_PARENTS];
        size_t n_parents;
        struct object_ident author, committer;
        struct object_text message;   /* may be empty, may be another encoding than UTF-8 */
        struct object_text signature; /* the value of gpgsig, still folded; data is NULL when there is none */
        struct iovec payload[2];      /* what a signature covers: the object without its gpgsig header */
};

int object_commit_parse(const void *raw, size_t size, struct object_commit *ret, struct fault *reterr);
/* Append the signature unfolded: the armour as it was made, without its last LF. */
void object_commit_put_signature(const struct object_commit *c, struct buffer *out);
/* The first line of the message, cut to fit, harmless to print. Returns @buf. */
const char *object_commit_subject(const struct object_commit *c, char *buf, size_t size);

/*
 * Only the tree and parents, which stand first in every commit: for ancestry through old history, whose commits need
 * not be ones we would accept. @ret_parents has room for @max.
 */
int object_commit_links(const void *raw, size_t size, struct object_id *ret_tree, struct object_id *ret_parents,
                        size_t max, size_t *ret_n, struct fault *reterr);

enum object_mode {
        OBJECT_MODE_FILE = 0100644,
        OBJECT_MODE_EXECUTABLE = 0100755,
        OBJECT_MODE_LINK = 0120000,
        OBJECT_MODE_TREE = 040000,
        OBJECT_MODE_SUBMODULE = 0160000,
};

struct object_entry {
        enum object_mode mode;
        const char *name; /* NUL-terminated, by the format itself; 1 to LIMIT_TREE_NAME_BYTES bytes */
        size_t name_size;
        struct object_id id;
};

/* A walk over a raw tree. Opaque but for its size. */
struct object_tree {
        const char *at, *end;
        struct object_entry last;
        struct object_text files[LIMIT_TREE_NAME_BYTES]; /* those that a tree of the same name may still follow */
        size_t n_files;
        bool any;
};

void object_tree_begin(struct object_tree *t, const void *raw, size_t size);
/*
 * 1 and the next entry, 0 at the end. Refused: modes other than the five, the names "", ".", "..", ".git" in any case
 * and any with '/', entries out of order or twice, the zero id, a cut-off entry.
 */
int object_tree_next(struct object_tree *t, struct object_entry *ret, struct fault *reterr);
/* Check the whole tree and look for @name: 1 and the entry, or 0 when it is not there. */
int object_tree_find(const void *raw, size_t size, const char *name, struct object_entry *ret, struct fault *reterr);
