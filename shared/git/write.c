/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/write.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <git2.h>

#include "shared/base/cleanup.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/git/error.h"

#define SIGNATURE_HEADER "gpgsig"
#define ARMOUR_BEGIN     "-----BEGIN SSH SIGNATURE-----\n"
#define ARMOUR_END       "\n-----END SSH SIGNATURE-----"

DEFINE_OWN(git_commit, git_commit_free)
DEFINE_OWN(git_tree, git_tree_free)
DEFINE_OWN(git_treebuilder, git_treebuilder_free)

static const git_oid *oid(const struct object_id *id) {
        return (const git_oid *)(const void *)id->raw;
}

/* The disk is what fails here; whatever libgit2 calls it, the state folder cannot be written. */
static int fault_write(struct fault *reterr, int rc, const char *what) {
        int r = git_fault(reterr, rc, "%s", what);

        if (reterr->kind == FAULT_TRANSIENT && !reterr->code)
                reterr->code = REASON_STATE_UNWRITABLE;
        return r;
}

/*
 * The tree
 */

static int look_up_base(git_repository *repo, const struct object_id *parent, git_tree **ret, struct fault *reterr) {
        own(git_commit_free_p) git_commit *commit = NULL;
        own(git_treebuilder_free_p) git_treebuilder *builder = NULL;
        git_oid empty;
        int rc;

        if (parent) {
                rc = git_commit_lookup(&commit, repo, oid(parent));
                if (rc >= 0)
                        rc = git_commit_tree(ret, commit);
                return rc < 0 ? git_fault(reterr, rc, "reading the last commit") : 0;
        }
        rc = git_treebuilder_new(&builder, repo, NULL);
        if (rc >= 0)
                rc = git_treebuilder_write(&empty, builder);
        if (rc >= 0)
                rc = git_tree_lookup(ret, repo, &empty);
        return rc < 0 ? fault_write(reterr, rc, "writing an empty tree") : 0;
}

static int write_blobs(git_repository *repo, const struct git_commit_request *req, git_tree_update *updates,
                       struct fault *reterr) {
        for (size_t i = 0; i < req->n_changes; i++) {
                const struct git_change *c = &req->changes[i];
                int rc;

                if (!path_is_inside(c->path))
                        return fault_set(reterr, FAULT_INTERNAL, EINVAL, "'%s' is no path inside a tree", c->path);
                rc = git_blob_create_from_buffer(&updates[i].id, repo, c->bytes ? c->bytes : "", c->size);
                if (rc < 0)
                        return fault_write(reterr, rc, c->path);
                updates[i].action = GIT_TREE_UPDATE_UPSERT;
                updates[i].filemode = GIT_FILEMODE_BLOB;
                updates[i].path = c->path;
        }
        return 0;
}

/* Only the folders on the way to a change are written anew. */
static int write_tree(git_repository *repo, const struct git_commit_request *req, git_oid *ret, struct fault *reterr) {
        own(git_tree_free_p) git_tree *base = NULL;
        own_free git_tree_update *updates = calloc(req->n_changes + 1, sizeof(*updates));
        int r, rc;

        if (!updates)
                return fault_set_oom(reterr);
        r = look_up_base(repo, req->parent, &base, reterr);
        if (r >= 0)
                r = write_blobs(repo, req, updates, reterr);
        if (r < 0)
                return r;
        if (req->n_changes == 0) {
                *ret = *git_tree_id(base);
                return 0;
        }
        rc = git_tree_create_updated(ret, repo, base, req->n_changes, updates);
        return rc < 0 ? fault_write(reterr, rc, "writing a tree") : 0;
}

/*
 * The commit
 */

static bool person_is_valid(const struct git_person *p) {
        return p->name && p->name[0] && p->email && !strpbrk(p->name, "<>\n\r") && !strpbrk(p->email, "<>\n\r ") &&
               p->time >= 0;
}

static void put_person(struct buffer *out, const char *header, const struct git_person *p) {
        buffer_printf(out, "%s %s <%s> %" PRId64 " +0000\n", header, p->name, p->email, p->time);
}

/* What is signed, to the byte: gitformat-commit as git-commit-tree(1) writes it. */
static int build_payload(const struct git_commit_request *req, const struct object_id *tree, struct buffer *out,
                         struct fault *reterr) {
        char hex[OBJECT_ID_TEXT_MAX];
        size_t n = strlen(req->message);

        if (!person_is_valid(&req->author) || !person_is_valid(&req->committer))
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "the author or committer cannot be written");
        buffer_printf(out, "tree %s\n", object_id_format(tree, hex));
        if (req->parent)
                buffer_printf(out, "parent %s\n", object_id_format(req->parent, hex));
        put_person(out, "author", &req->author);
        put_person(out, "committer", &req->committer);
        buffer_printf(out, "\n%s%s", req->message, n > 0 && req->message[n - 1] == '\n' ? "" : "\n");
        return buffer_check(out, "commit", reterr);
}

static int sign(const struct git_commit_request *req, const struct buffer *payload, struct buffer *out,
                struct fault *reterr) {
        int r = req->sign(payload->data, payload->size, out, req->userdata, reterr);

        if (r >= 0)
                r = buffer_check(out, "signature", reterr);
        if (r < 0)
                return r;
        /* With the last LF libgit2 would write one more, empty, continuation line than git does. */
        if (out->size > 0 && out->data[out->size - 1] == '\n')
                out->data[--out->size] = '\0';
        if (!str_after(buffer_str(out), ARMOUR_BEGIN) || !str_ends_with(buffer_str(out), ARMOUR_END) ||
            strlen(out->data) != out->size)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "the signature is no armoured SSH signature");
        return 0;
}

static int write_commit(git_repository *repo, const struct git_commit_request *req, const struct object_id *tree,
                        struct object_id *ret, struct fault *reterr) {
        own_buffer struct buffer payload = { .max = LIMIT_COMMIT_BYTES };
        own_buffer struct buffer signature = { .max = LIMIT_SIGNATURE_BYTES };
        git_oid id;
        int rc, r = build_payload(req, tree, &payload, reterr);

        if (r >= 0)
                r = sign(req, &payload, &signature, reterr);
        if (r < 0)
                return r;
        rc = git_commit_create_with_signature(&id, repo, buffer_str(&payload), buffer_str(&signature),
                                              SIGNATURE_HEADER);
        if (rc < 0)
                return fault_write(reterr, rc, "writing a commit");
        memcpy(ret->raw, id.id, sizeof(ret->raw));
        return 0;
}

/*
 * The branch
 */

static int check_ref(const struct mirror *m, const struct git_commit_request *req, struct fault *reterr) {
        own_fault struct fault absent = FAULT_INIT;
        struct object_id now;
        int r = mirror_ref(m, req->ref, &now, &absent);

        if (r < 0 && r != -ENOENT) {
                fault_move(reterr, &absent);
                return r;
        }
        if ((r < 0 && !req->parent) || (r >= 0 && req->parent && object_id_equal(&now, req->parent)))
                return 0;
        return fault_set(reterr, FAULT_CONFLICT, EAGAIN, "%s is not what it was", req->ref);
}

/* What a reader would see: the branch, the commit with its tree and parent, from the disk. */
static int read_back(struct mirror *m, const struct git_commit_request *req, const struct object_id *id,
                     const struct object_id *tree, struct fault *reterr) {
        own_buffer struct buffer raw = BUFFER_INIT;
        struct object_commit commit;
        struct object_id tip;
        int r = mirror_ref(m, req->ref, &tip, reterr);

        if (r >= 0)
                r = mirror_read(m, id, OBJECT_COMMIT, LIMIT_COMMIT_BYTES, &raw, reterr);
        if (r >= 0)
                r = object_commit_parse(buffer_str(&raw), raw.size, &commit, reterr);
        if (r < 0)
                return fault_context(reterr, r, "reading back %s", req->ref);
        if (!object_id_equal(&tip, id) || !object_id_equal(&commit.tree, tree) || !commit.signature.data ||
            commit.n_parents != (req->parent ? 1 : 0) ||
            (req->parent && !object_id_equal(&commit.parents[0], req->parent)))
                return fault_set(reterr, FAULT_INTERNAL, EIO, "%s was not written as it should be", req->ref);
        return 0;
}

int git_commit_write(struct mirror *m, const struct git_commit_request *req, struct object_id *ret,
                     struct fault *reterr) {
        git_repository *repo = mirror_repository(m);
        struct object_id tree, id;
        git_oid tree_oid;
        int r;

        assert(req->ref && req->message && req->sign);
        r = check_ref(m, req, reterr);
        if (r >= 0)
                r = write_tree(repo, req, &tree_oid, reterr);
        if (r < 0)
                return r;
        memcpy(tree.raw, tree_oid.id, sizeof(tree.raw));
        r = write_commit(repo, req, &tree, &id, reterr);
        if (r >= 0)
                r = mirror_swap_ref(m, req->ref, req->parent, &id, reterr);
        if (r >= 0)
                r = read_back(m, req, &id, &tree, reterr);
        if (r < 0)
                return r;
        *ret = id;
        return 0;
}
