/* SPDX-License-Identifier: Apache-2.0 */

/* The tree of a commit in the mirror: objects are read by their id, never from a checkout. */

#include "reconciler/desired/tree.h"

#include "shared/base/limits.h"

#define LIMIT_TREE_ENTRIES (LIMIT_FLEET_DOCUMENTS + 100000)

struct commit_tree {
        struct tree tree;
        struct mirror *mirror;
        struct mirror_listing listing; /* beside the entries */
};

static enum desired_type type_of(enum object_mode mode) {
        switch (mode) {
        case OBJECT_MODE_EXECUTABLE:
                return DESIRED_EXECUTABLE;
        case OBJECT_MODE_LINK:
                return DESIRED_SYMLINK;
        case OBJECT_MODE_SUBMODULE:
                return DESIRED_SUBMODULE;
        case OBJECT_MODE_FILE:
        case OBJECT_MODE_TREE:
                return DESIRED_FILE;
        }
        return DESIRED_FILE;
}

static int commit_tree_read(const struct tree *t, size_t i, size_t limit, struct buffer *out, struct fault *reterr) {
        const struct commit_tree *c = (const struct commit_tree *)t;

        return mirror_read(c->mirror, &c->listing.items[i].id, OBJECT_BLOB, limit, out, reterr);
}

static bool commit_tree_is_damaged(const struct tree *t) {
        return mirror_is_damaged(((const struct commit_tree *)t)->mirror);
}

static const struct tree_ops commit_tree_ops = { .read = commit_tree_read, .is_damaged = commit_tree_is_damaged };

int tree_of_commit(struct mirror *m, const struct object_id *commit, struct arena *a, struct tree **ret,
                   struct fault *reterr) {
        struct commit_tree *c = arena_new_of(a, struct commit_tree);
        int r = mirror_list(m, commit, "", LIMIT_TREE_ENTRIES, a, &c->listing, reterr);

        if (r < 0)
                return r;
        c->mirror = m;
        c->tree = (struct tree){
                .ops = &commit_tree_ops,
                .entries = arena_array(a, c->listing.n, sizeof(struct desired_entry)),
                .n = c->listing.n,
                .arena = a,
        };
        for (size_t i = 0; i < c->tree.n; i++)
                c->tree.entries[i] = (struct desired_entry){ .path = c->listing.items[i].path,
                                                             .type = type_of(c->listing.items[i].mode) };
        *ret = &c->tree;
        return 0;
}
