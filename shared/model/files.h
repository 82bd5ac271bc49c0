/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Files: what stands under apps/<app>/ in the desired state
 *
 * The loader reads objects and hands them over as a list of tree entries; an app's files are the part of it under its
 * folder, sorted by path (bytewise), each with its SHA-256. Nothing here opens a file. Symlinks and submodules are
 * refused: what is mounted into a container is what was signed.
 */

#include "shared/base/arena.h"
#include "shared/base/fault.h"
#include "shared/data/digest.h"

enum desired_type {
        DESIRED_FILE,
        DESIRED_EXECUTABLE,
        DESIRED_SYMLINK,
        DESIRED_SUBMODULE,
        DESIRED_TYPE_MAX_,
};

/* One entry of the accepted commit's tree. Borrowed by everything made from it. */
struct desired_entry {
        const char *path; /* from the root: "apps/shop/compose.yaml" */
        enum desired_type type;
        const void *bytes; /* NULL: known to be there, but not read */
        size_t size;
};

struct app_file {
        const char *path; /* from the app's folder: "conf/nginx.conf" */
        bool executable;
        const void *bytes;
        size_t size;
        struct digest digest;
};

struct app_files {
        const char *folder;           /* "apps/shop", for messages */
        const struct app_file *items; /* sorted by path */
        size_t n;
};

/*
 * The files of @folder ("apps/shop") among @n sorted or unsorted @entries; entries elsewhere are skipped. FAULT_CONFIG
 * for a symlink, a submodule, a path that is not inside, more than LIMIT_APP_FILES or LIMIT_APP_BYTES (code
 * LOAD_LIMIT); FAULT_INTERNAL when an entry was not read.
 */
int app_files_make(const char *folder, const struct desired_entry *entries, size_t n, struct arena *a,
                   struct app_files *ret, struct fault *reterr);

/* The file at @path (relative to the app's folder), or NULL. Logarithmic. */
const struct app_file *app_files_find(const struct app_files *files, const char *path);

/* The files under folder @path ("" is all of them): *ret_first and their number; 0 when there is no such folder. */
size_t app_files_under(const struct app_files *files, const char *path, const struct app_file **ret_first);

/*
 * Digest of one file or of a folder with everything in it: over the canonical JSON
 * {"<path from @path, "" for the file itself>": {"executable": bool, "sha256": "<hex>"}, …}.
 * It names the content: the same files elsewhere have the same digest. False when there is neither.
 */
bool app_files_digest(const struct app_files *files, const char *path, struct digest *ret);

/*
 * A path as a compose file writes it ("./conf/nginx.conf", "conf//x/", "."), relative to the app's folder, as
 * app_files_find() takes it ("conf/nginx.conf", "" for the folder itself), in @a. NULL when it is absolute, leaves the
 * folder or holds what path_is_inside() refuses.
 */
const char *app_path_normalize(const char *path, struct arena *a);
