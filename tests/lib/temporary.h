/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A folder of its own for a test, and its end. cmocka's headers come first. */

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

/* What a path of it needs: struct { char dir[TEMPORARY_MAX]; } */
#define TEMPORARY_MAX 64

/* Makes it, and writes its path to @dir. */
static inline void temporary_make(char dir[static TEMPORARY_MAX]) {
        (void)snprintf(dir, TEMPORARY_MAX, "/tmp/tally-test-XXXXXX");
        assert_non_null(mkdtemp(dir));
}

static inline int temporary_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void)st, (void)type, (void)ftw;
        return remove(path);
}

/* With all that it holds. */
static inline void temporary_remove(const char *dir) {
        assert_int_equal(nftw(dir, temporary_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}
