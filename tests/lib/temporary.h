/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A folder of its own for a test, and its end. cmocka's headers come first. */

#include <ftw.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What a path of it needs: struct { char dir[TEMPORARY_MAX]; } */
#define TEMPORARY_MAX 64

#define TEMPORARY_NAME "/tally-test-XXXXXX"

/* All that the tests of one process write at a time, with room to spare; a container's own default is 64 MiB. */
#define TEMPORARY_ROOM (48 << 20)

/*
 * Where temporary folders go: $TMPDIR, when it leaves room for the name of a socket; else a memory file system, which
 * makes nobody wait for a disk; else /tmp.
 */
static inline const char *temporary_root(void) {
        const char *given = getenv("TMPDIR");
        struct statfs fs;

        if (given && given[0] == '/' && strlen(given) + sizeof(TEMPORARY_NAME) <= TEMPORARY_MAX)
                return given;
        if (statfs("/dev/shm", &fs) == 0 && fs.f_type == TMPFS_MAGIC &&
            (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= TEMPORARY_ROOM && access("/dev/shm", W_OK | X_OK) == 0)
                return "/dev/shm";
        return "/tmp";
}

/* Makes it, and writes its path to @dir. */
static inline void temporary_make(char dir[static TEMPORARY_MAX]) {
        (void)snprintf(dir, TEMPORARY_MAX, "%s" TEMPORARY_NAME, temporary_root());
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
