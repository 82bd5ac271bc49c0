/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Files: what containers mount from the desired state, on the host's disk by the digest of its content
 *
 *      <folder>/<sha256>                           a file (0444, 0555 when executable) or a folder (0555) of the app
 *      <folder>/<sha256>-<mode>-<uid>-<gid>        a config or secret; a uid or gid of -1 is ours
 *      <folder>/.new-<random>                      being written; left by a crash, swept away
 *
 * An entry is written whole under a temporary name, synced and renamed, and never changed afterwards: changed content
 * has another name, so a container never sees a file change under it. <folder> is 0700, so what is in it can be reached
 * through a mount only. The digests are those of shared/model/files.h (app_files_digest) and, for grants, of the bytes.
 */

#include <stdbool.h>

#include <jansson.h>

#include "shared/base/fault.h"
#include "shared/data/digest.h"

/* Make every entry of @files ("files" of a workload's resources, render.h) that is missing or not intact. */
int files_store(const char *folder, const json_t *files, struct fault *reterr);

enum files_state {
        FILES_INTACT,
        FILES_CHANGED, /* other content, mode or owner; or a file too many */
        FILES_MISSING,
        FILES_STATE_MAX_,
};

/* Compare content with @digest by reading it. @name is checked. */
enum files_state files_check(const char *folder, const char *name, const char *digest);

/*
 * The latest change of any inode of the entry, in seconds of the wall clock; -1 when it isn't there or cannot be told.
 */
int64_t files_changed_at(const char *folder, const char *name);

/* Names are 64 hex digits, alone or with mode and owner behind them. */
bool files_name_is_valid(const char *name);

/* Remove every entry whose name is not a key of @keep, and what crashes left. */
int files_collect(const char *folder, const json_t *keep, struct fault *reterr);

/* Feed names, inodes, sizes and change times below @path to @state: the same again only while nothing was touched. */
void files_stamp(const char *path, struct digest_state *state);
