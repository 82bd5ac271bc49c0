/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/copy.h"

#include "shared/base/buffer.h"
#include "shared/base/cleanup.h"

DEFINE_OWN(git_indexer, git_indexer_free)
DEFINE_OWN(git_packbuilder, git_packbuilder_free)
DEFINE_OWN(git_repository, git_repository_free)
DEFINE_OWN(git_revwalk, git_revwalk_free)

/*
 * What is to be copied
 */

struct hiding {
        git_odb *source;
        git_revwalk *walk;
};

/* What is here and not there can say nothing about what is there. */
static int hide(git_reference *ref, void *data) {
        struct hiding *h = data;
        const git_oid *id = git_reference_target(ref);
        int rc = id && git_odb_exists(h->source, id) ? git_revwalk_hide(h->walk, id) : 0;

        git_reference_free(ref);
        return rc;
}

static int walk_missing(git_repository *from, git_repository *into, const git_oid *tip, git_revwalk *walk) {
        struct hiding hiding = { .walk = walk };
        int rc = git_revwalk_push(walk, tip);

        if (rc >= 0)
                rc = git_repository_odb(&hiding.source, from);
        if (rc >= 0)
                rc = git_reference_foreach(into, hide, &hiding);
        git_odb_free(hiding.source);
        return rc;
}

/*
 * The indexer writes
 */

struct writing {
        git_indexer *indexer;
        git_indexer_progress stats;
};

static int append(void *bytes, size_t size, void *data) {
        struct writing *w = data;

        return git_indexer_append(w->indexer, bytes, size, &w->stats);
}

/* As git_packbuilder_write() does, which in libgit2 1.5 tells progress from numbers that it never set. */
static int write_pack(git_packbuilder *builder, git_repository *into, git_indexer_progress_cb progress, void *data) {
        own(git_indexer_free_p) git_indexer *indexer = NULL;
        own_buffer struct buffer folder = BUFFER_INIT;
        git_indexer_options options = GIT_INDEXER_OPTIONS_INIT;
        struct writing writing = { .indexer = NULL };
        int rc;

        options.progress_cb = progress;
        options.progress_cb_payload = data;
        buffer_printf(&folder, "%sobjects/pack", git_repository_path(into));
        rc = git_indexer_new(&indexer, buffer_str(&folder), 0, NULL, &options);
        if (rc < 0)
                return rc;
        writing.indexer = indexer;
        rc = git_packbuilder_foreach(builder, append, &writing);
        return rc < 0 ? rc : git_indexer_commit(indexer, &writing.stats);
}

int copy_history(const char *path, git_repository *into, const git_oid *tip, git_indexer_progress_cb progress,
                 void *data) {
        own(git_repository_free_p) git_repository *from = NULL;
        own(git_packbuilder_free_p) git_packbuilder *builder = NULL;
        own(git_revwalk_free_p) git_revwalk *walk = NULL;
        int rc = git_repository_open(&from, path);

        if (rc >= 0)
                rc = git_revwalk_new(&walk, from);
        if (rc >= 0)
                rc = walk_missing(from, into, tip, walk);
        if (rc >= 0)
                rc = git_packbuilder_new(&builder, from);
        if (rc < 0)
                return rc;
        (void)git_packbuilder_set_threads(builder, 1);
        rc = git_packbuilder_insert_walk(builder, walk);
        return rc < 0 ? rc : write_pack(builder, into, progress, data);
}
