/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tree: the entries of a desired state, whatever holds them
 *
 * A commit in the mirror and a working tree list their entries alike and give their bytes one by one. Entries are
 * sorted by path; their bytes are read on demand and stay in the arena.
 */

#include "shared/base/arena.h"
#include "shared/base/buffer.h"
#include "shared/git/mirror.h"
#include "shared/model/files.h"

struct tree;

struct tree_ops {
        /* Append the bytes of entry @i, a regular file, to @out. -EFBIG beyond @limit. */
        int (*read)(const struct tree *t, size_t i, size_t limit, struct buffer *out, struct fault *reterr);
        /* True when objects of the source are broken: no failure to read it is the document's own. */
        bool (*is_damaged)(const struct tree *t);
};

struct tree {
        const struct tree_ops *ops;
        struct desired_entry *entries;
        size_t n;
        struct arena *arena;
};

/* The tree of a commit. @m is borrowed. */
int tree_of_commit(struct mirror *m, const struct object_id *commit, struct arena *a, struct tree **ret,
                   struct fault *reterr);

/*
 * A working tree, without following links and without the dot files at its top (.git). @below: only what stands in
 * these folders ("apps/shop"), NULL-terminated; NULL: all. A missing folder of @below has no entries. FAULT_CONFIG when
 * @folder cannot be opened.
 */
int tree_of_folder(const char *folder, const char *const *below, struct arena *a, struct tree **ret,
                   struct fault *reterr);

/* Read entry @i, once. Links, submodules and what is no regular file stay unread. */
int tree_read(struct tree *t, size_t i, size_t limit, struct fault *reterr);

/* All documents of the fleet, app.yaml included. */
int tree_read_documents(struct tree *t, struct fault *reterr);

/* All files under apps/@app/. */
int tree_read_app(struct tree *t, const char *app, struct fault *reterr);

/* The first of @n entries, sorted by path, that does not stand before @prefix. */
size_t entries_begin(const struct desired_entry *entries, size_t n, const char *prefix);

/* The entry at @path; false: there is none. */
bool tree_find(const struct tree *t, const char *path, size_t *ret);
