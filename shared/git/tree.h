/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tree: the raw tree object, read strictly (what git-fsck(1) calls an error ends the reading)
 *
 * Entries are `<mode> <name>NUL<20 bytes>`, sorted as if folders ended in '/', unique. Names are one path
 * component: valid UTF-8, no control characters, no '/' or backslash, not ".", ".." or ".git" in any case.
 */

#include <stddef.h>

#include "shared/base/fault.h"
#include "shared/git/object.h"

enum tree_mode {
        TREE_FILE,        /* 100644 (and the historic 100664) */
        TREE_EXECUTABLE,  /* 100755 */
        TREE_SYMLINK,     /* 120000 */
        TREE_SUBMODULE,   /* 160000 */
        TREE_FOLDER,      /* 40000 */
        TREE_MODE_MAX_,
};

const char *tree_mode_to_string(enum tree_mode m); /* "a file", "an executable file", "a symbolic link", "a submodule", "a folder" */

struct tree_entry {
        enum tree_mode mode;
        const char *name;    /* NUL-terminated, inside the object */
        size_t name_size;
        struct object_id id;
};

/* Where the reading stands. Set bytes and size, the rest to zero. */
struct tree_cursor {
        const char *bytes;
        size_t size;
        size_t offset;
        struct tree_entry last;
};

/* 1 and *ret: an entry. 0: the end. -EBADMSG: FAULT_CONFIG/LOAD_INVALID that says what is wrong. */
int tree_next(struct tree_cursor *c, struct tree_entry *ret, struct fault *reterr);
/* Read to the entry @name: 1 found, 0 not there, or -EBADMSG. */
int tree_find(const void *bytes, size_t size, const char *name, size_t name_size, struct tree_entry *ret,
              struct fault *reterr);
