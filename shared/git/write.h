/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Write: commits made from bytes, signed, without a work tree (the ledger)
 *
 * Objects and refs are fsync'd. The branch is moved last, by compare-and-swap, and what was written is read back;
 * a crash before that leaves unreachable objects and the old branch.
 */

#include <stddef.h>
#include <stdint.h>

#include "shared/base/buffer.h"
#include "shared/base/fault.h"
#include "shared/git/mirror.h"
#include "shared/git/object.h"

/* A file of the new tree: added, or replaced. */
struct git_change {
        const char *path; /* path_is_inside() */
        const void *bytes;
        size_t size;
};

struct git_person {
        const char *name; /* no '<', '>' or line ends, not empty */
        const char *email;
        int64_t time; /* seconds since 1970, UTC */
};

struct git_commit_request {
        const char *ref; /* full name: "refs/heads/tally/web1" */
        const struct object_id
                *parent; /* the ref's value now; NULL: the ref does not exist, and this is its first commit */
        const struct git_change *changes; /* none: the parent's tree */
        size_t n_changes;
        struct git_person author, committer;
        const char *message; /* without NUL; a final newline is added when missing */
        /*
         * Append the armoured SSHSIG (namespace "git") over @payload to @out. Required.
         */
        int (*sign)(const void *payload, size_t size, struct buffer *out, void *userdata, struct fault *reterr);
        void *userdata;
};

/*
 * FAULT_CONFLICT/-EAGAIN when the ref is not @parent any more. Faults of the disk are
 * FAULT_TRANSIENT/STATE_UNWRITABLE.
 */
int git_commit_write(struct mirror *m, const struct git_commit_request *req, struct object_id *ret,
                     struct fault *reterr);
