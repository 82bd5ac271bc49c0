/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Lock files: what a compose file may include and extend, in a working tree. */

#include "shared/model/files.h"

/*
 * The YAML files of the app whose folder is @fd, which messages call @folder ("apps/shop"), without following links.
 * At most LIMIT_APP_FILES, LIMIT_TREE_DEPTH deep.
 */
int lock_files_read(int fd, const char *folder, struct arena *a, struct app_files *ret, struct fault *reterr);
