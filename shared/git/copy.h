/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Copy: fetching from a repository of this machine
 *
 * libgit2's own way copies everything that any of its branches has, each time: the longer the history, and the ledger
 * lies there too, the longer a fetch.
 */

#include <git2.h>

/*
 * Add to @into what the history of @tip has and that of none of @into's refs: what these have is all there. One pack,
 * synced to the disk. @progress as for a fetch. 0, or an error code of libgit2.
 */
int copy_history(const char *path, git_repository *into, const git_oid *tip, git_indexer_progress_cb progress,
                 void *data);
