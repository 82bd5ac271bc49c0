/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tree: a file or a folder on disk as one thing: its digest, its latest change, its removal
 *
 * Symlinks are never followed: below a folder that we wrote there are none, and one that appears is a change. At most
 * LIMIT_TREE_DEPTH deep and 4 * LIMIT_APP_FILES inodes. All return -errno.
 */

#include <sys/stat.h>

#include "shared/data/digest.h"

/* SHA-256 of a regular file's bytes. */
int tree_hash_file(int dirfd, const char *name, struct digest *ret, struct stat *ret_stat);

/* What app_files_digest() gives for the same files. -ELOOP for anything but files and folders. */
int tree_digest(int dirfd, const char *name, struct digest *ret);

/* The latest st_ctime of all inodes, in seconds; -1 when something cannot be told. */
int64_t tree_changed_at(int dirfd, const char *name);

/* Names, inodes, sizes, modes and change times, in a fixed order. */
void tree_stamp(int dirfd, const char *name, struct digest_state *state);

/* Sync every folder below @name and take away its write permission. */
int tree_seal(int dirfd, const char *name);

/* Remove it with all that is in it; a missing one is fine. */
int tree_remove(int dirfd, const char *name);
