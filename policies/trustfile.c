/* SPDX-License-Identifier: Apache-2.0 */

#include "policies/trustfile.h"

#include "policies/trust.h"
#include "shared/base/reason.h"

#define FOLDER_NAME "trust"
#define FILE_NAME   "allowed_signers"

int trustfile_init(struct trustfile *f, const char *name, const void *bytes, size_t size, struct fault *reterr) {
        own_trustfile struct trustfile new = { .arena = arena_new() };
        int r;

        r = signers_parse(name, bytes, size, new.arena, &new.signers, reterr);
        if (r < 0)
                return r;
        if (signers_count(&new.signers, TRUST_NAMESPACE_COMMIT) == 0) {
                r = fault_set_code(reterr, FAULT_CONFIG, REASON_TRUST_SIGNERS_INVALID,
                                   "%s allows nobody to sign commits", name);
                fault_hint(reterr, "it needs a line with an ssh-ed25519 or sk-ssh-ed25519@openssh.com key that is good "
                                   "for the namespace git");
                return r;
        }
        new.digest = digest_of(bytes, size);
        *f = new;
        new.arena = NULL;
        return 0;
}

void trustfile_done(struct trustfile *f) {
        arena_free(f->arena);
        *f = (struct trustfile){ 0 };
}

void trustfiles_init(struct trustfiles *t, const struct object_reader *reader) {
        *t = (struct trustfiles){ .reader = reader };
}

void trustfiles_done(struct trustfiles *t) {
        for (size_t i = 0; i < TRUSTFILE_FILES; i++)
                trustfile_done(&t->files[i]);
}

/*
 * Where it is
 */

static int refuse(struct fault *reterr, const char *why) {
        int r = fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_SIGNERS_INVALID, TRUST_PATH " %s", why);

        fault_hint(reterr, "every commit must carry this file: it decides who may sign the next one");
        return r;
}

/* Look for @name in a tree. 1 and the entry, or 0. */
static int find(struct trustfiles *t, const struct object_id *tree, const char *name, struct object_entry *ret,
                struct fault *reterr) {
        const void *bytes;
        size_t size;
        int r;

        r = object_read(t->reader, tree, OBJECT_TREE, LIMIT_TREE_BYTES, &bytes, &size, reterr);
        return r < 0 ? r : object_tree_find(bytes, size, name, ret, reterr);
}

static int locate_in_folder(struct trustfiles *t, const struct object_id *folder, struct object_id *ret,
                            struct fault *reterr) {
        struct object_entry e;
        int r;

        for (size_t i = 0; i < TRUSTFILE_FOLDERS; i++)
                if (object_id_equal(&t->folders[i].tree, folder)) {
                        *ret = t->folders[i].blob;
                        return 0;
                }
        r = find(t, folder, FILE_NAME, &e, reterr);
        if (r < 0)
                return r;
        if (r == 0)
                return refuse(reterr, "is missing");
        if (e.mode != OBJECT_MODE_FILE && e.mode != OBJECT_MODE_EXECUTABLE)
                return refuse(reterr, "is not a regular file");
        t->folders[t->next_folder].tree = *folder;
        t->folders[t->next_folder].blob = e.id;
        t->next_folder = (t->next_folder + 1) % TRUSTFILE_FOLDERS;
        *ret = e.id;
        return 0;
}

int trustfiles_locate(struct trustfiles *t, const struct object_id *tree, struct object_id *ret_blob,
                      struct fault *reterr) {
        struct object_entry e;
        int r;

        r = find(t, tree, FOLDER_NAME, &e, reterr);
        if (r < 0)
                return r;
        if (r == 0)
                return refuse(reterr, "is missing");
        if (e.mode != OBJECT_MODE_TREE)
                return refuse(reterr, "is missing: trust is not a folder");
        return locate_in_folder(t, &e.id, ret_blob, reterr);
}

/*
 * What it says
 */

static struct trustfile *least_used(struct trustfiles *t) {
        struct trustfile *least = &t->files[0];

        for (size_t i = 1; i < TRUSTFILE_FILES; i++)
                if (t->files[i].used < least->used)
                        least = &t->files[i];
        return least;
}

static int load(struct trustfiles *t, const struct object_id *blob, struct trustfile **ret, struct fault *reterr) {
        struct trustfile new = { 0 }, *place;
        const void *bytes;
        size_t size;
        int r;

        r = object_read(t->reader, blob, OBJECT_BLOB, LIMIT_SIGNERS_BYTES, &bytes, &size, reterr);
        if (r < 0)
                return r;
        r = trustfile_init(&new, TRUST_PATH, bytes, size, reterr);
        if (r < 0) {
                if (reterr->kind == FAULT_CONFIG)
                        reterr->kind = FAULT_DENIED; /* the repository's word against a commit, not this host's file */
                return r;
        }
        new.blob = *blob;
        place = least_used(t);
        trustfile_done(place);
        *place = new;
        *ret = place;
        return 0;
}

int trustfiles_get(struct trustfiles *t, const struct object_id *blob, const struct trustfile **ret,
                   struct fault *reterr) {
        struct trustfile *found = NULL;
        int r;

        for (size_t i = 0; i < TRUSTFILE_FILES && !found; i++)
                if (t->files[i].arena && object_id_equal(&t->files[i].blob, blob))
                        found = &t->files[i];
        if (!found) {
                r = load(t, blob, &found, reterr);
                if (r < 0)
                        return r;
        }
        found->used = ++t->clock;
        *ret = found;
        return 0;
}
