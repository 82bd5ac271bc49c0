/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Mirror: a bare repository in the state folder that only we write
 *
 * Holds the objects of the desired state (and, in its own folder, of other hosts' ledgers). Nothing is ever
 * checked out. Whoever fetches into it holds the lock of the pass; readers need none.
 *
 * A mirror is a cache: one that cannot be opened, is shallow or borrows objects, has a ref to an object that is
 * gone, or was marked damaged is set aside as `<name>.broken-<seconds since 1970>` (the newest one is kept,
 * older ones are removed) and made anew.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/arena.h"
#include "shared/base/buffer.h"
#include "shared/base/cleanup.h"
#include "shared/base/fault.h"
#include "shared/git/object.h"

struct git_repository;
struct mirror;

/*
 * Open or make @folder/@name. @ret_broken (may be NULL) is the name the old one was set aside under, "" when
 * nothing was wrong. FAULT_TRANSIENT/STATE_UNWRITABLE when it can be neither opened nor made.
 */
#define MIRROR_NAME_MAX 128
int mirror_open(const char *folder, const char *name, struct mirror **ret, char ret_broken[MIRROR_NAME_MAX],
                struct fault *reterr);
/*
 * The same for a repository that is more than a cache (the ledger): nothing is set aside. One that is there but
 * cannot be used is FAULT_TRANSIENT/STATE_CORRUPT (-EUCLEAN), or FAULT_DENIED/TRUST_SHALLOW as mirror_check(),
 * and the caller decides.
 */
int mirror_open_kept(const char *folder, const char *name, struct mirror **ret, struct fault *reterr);
/* Rename @folder/@name to `<name>.broken-<seconds since 1970>`; others stay. */
int mirror_set_aside(const char *folder, const char *name, char ret_broken[MIRROR_NAME_MAX], struct fault *reterr);

/* Accepts NULL. */
void mirror_free(struct mirror *m);
DEFINE_OWN(struct mirror, mirror_free)
#define own_mirror own(mirror_free_p)

/* Borrowed, for the other modules of this folder. */
struct git_repository *mirror_repository(const struct mirror *m);
const char *mirror_path(const struct mirror *m);

/* FAULT_DENIED/TRUST_SHALLOW when the repository is shallow, has grafts, alternates or refs/replace. */
int mirror_check(const struct mirror *m, struct fault *reterr);

/* The next mirror_open() sets this one aside. For readers that find an object missing that must be there. */
void mirror_mark_damaged(const struct mirror *m);
bool mirror_is_damaged(const struct mirror *m);

/* Is the object there (not: is all it refers to there). */
bool mirror_has(const struct mirror *m, const struct object_id *id);

/*
 * Append the raw bytes of an object. -ENOENT (TRUST_MISSING_OBJECT) when it is not there, -EINVAL
 * (TRUST_BAD_OBJECT) when it has another type, -EFBIG (LOAD_LIMIT) beyond @limit, -EIO (TRUST_BAD_OBJECT; marks
 * the mirror damaged) when its bytes do not have its hash.
 */
int mirror_read(struct mirror *m, const struct object_id *id, enum object_type type, size_t limit, struct buffer *out,
                struct fault *reterr);
/* The same as the callback that the trust layer takes; @m is borrowed and outlives it. */
struct object_reader mirror_reader(struct mirror *m);

/*
 * The commit that a full ref name points at, through symbolic refs. -ENOENT when there is none;
 * -EUCLEAN/STATE_CORRUPT (marks the mirror damaged) when it cannot be read.
 */
int mirror_ref(const struct mirror *m, const char *name, struct object_id *ret, struct fault *reterr);
/* Point a full ref name at @id, whatever it was. Atomic and durable; the caller is the only writer. */
int mirror_set_ref(struct mirror *m, const char *name, const struct object_id *id, struct fault *reterr);
/*
 * The same by compare-and-swap: @from NULL means that it must not exist. FAULT_CONFLICT/-EAGAIN when it is
 * something else.
 */
int mirror_swap_ref(const struct mirror *m, const char *name, const struct object_id *from, const struct object_id *to,
                    struct fault *reterr);
/* See what another process has added. */
int mirror_refresh(struct mirror *m, struct fault *reterr);

/* The tree of a commit. */
int mirror_tree_of(struct mirror *m, const struct object_id *commit, struct object_id *ret_tree, struct fault *reterr);

/*
 * What stands at @path (path_is_inside()) in a commit. -ENOENT (a fault, too) when nothing does, or when a
 * component before the last is no folder.
 */
int mirror_find(struct mirror *m, const struct object_id *commit, const char *path, enum object_mode *ret_mode,
                struct object_id *ret_id, struct fault *reterr);

/*
 * Append the bytes of the file at @path. -ENOENT as above; FAULT_CONFIG/LOAD_INVALID when it is a folder, a
 * symbolic link or a submodule; -EFBIG/LOAD_LIMIT beyond @limit.
 */
int mirror_read_path(struct mirror *m, const struct object_id *commit, const char *path, size_t limit,
                     struct buffer *out, struct fault *reterr);

struct mirror_entry {
        const char *path;      /* from the root of the tree, in the arena */
        enum object_mode mode; /* links and submodules are listed, not followed: the loader refuses them */
        struct object_id id;
};

struct mirror_listing {
        struct mirror_entry *items; /* in the arena, sorted by path as bytes */
        size_t n;
};

/*
 * All files, links and submodules below the folder @path ("" for the root) of a commit, without the folders
 * themselves. A missing folder is an empty listing. -EFBIG/LOAD_LIMIT beyond @max_entries or LIMIT_TREE_DEPTH;
 * FAULT_CONFIG when @path is no folder.
 */
int mirror_list(struct mirror *m, const struct object_id *commit, const char *path, size_t max_entries, struct arena *a,
                struct mirror_listing *ret, struct fault *reterr);
