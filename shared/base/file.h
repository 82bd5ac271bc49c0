/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * File: reading with limits, writing that a power cut cannot tear
 *
 * All paths are relative to a folder's descriptor, or AT_FDCWD with a path the
 * operator configured; nothing from outside is ever joined into a path here.
 * Descriptors are close-on-exec at birth. FAULT_TRANSIENT unless said otherwise.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "shared/base/buffer.h"
#include "shared/base/fault.h"

/* Open a folder. */
int dir_open(int dirfd, const char *path, int *ret_fd, struct fault *reterr);
/* Make a folder (and, for AT_FDCWD paths, its parents) if it is missing, then open it. */
int dir_make(int dirfd, const char *path, mode_t mode, int *ret_fd, struct fault *reterr);

/*
 * Append the whole file to @out. -ENOENT when it is not there; FAULT_CONFIG/-EFBIG beyond @limit.
 * Follows no final symlink unless dirfd is AT_FDCWD.
 */
int file_read(int dirfd, const char *name, size_t limit, struct buffer *out, struct fault *reterr);

/*
 * Replace @name by @data: a fresh temporary beside it (O_EXCL), written, fsync'd, renamed over it, the
 * folder fsync'd. After a crash either the old or the new bytes are there. Left-over temporaries of a
 * crash are never mistaken for content: dir_sweep() removes them.
 */
int file_write(int dirfd, const char *name, const void *data, size_t size, mode_t mode, struct fault *reterr);

/* Remove @name and fsync the folder; a missing file is fine. */
int file_remove(int dirfd, const char *name, struct fault *reterr);
/* Remove temporaries that a killed file_write() left in this folder. */
void dir_sweep(int dirfd);

/*
 * Take an exclusive lock on @name (created if missing) that ends with the process; the holder's pid is
 * written into it. -EWOULDBLOCK with a fault that names the holder's pid when another process has it
 * (after waiting up to @wait_ms). The lock is the descriptor; a file left by a dead process locks nothing.
 */
int file_lock(int dirfd, const char *name, int wait_ms, int *ret_fd, struct fault *reterr);

/* write() all of it. 0 or -errno. */
int write_all(int fd, const void *data, size_t size);
