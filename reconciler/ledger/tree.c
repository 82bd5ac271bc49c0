/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/ledger/tree.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/digest.h"
#include "shared/model/record.h"

struct entries {
        struct object_entry *items;
        size_t n;
};

struct compare {
        struct mirror *mirror;
        struct arena *arena;
        json_t *files;
        struct ledger_additions added;
};

static int refuse(struct fault *reterr, const char *path, const char *what) {
        return fault_set_code(reterr, FAULT_DENIED, REASON_LEDGER_INVALID, "%s %s", path, what);
}

/* All entries of a tree, copied to the arena; none when @id is NULL. */
static int read_tree(struct compare *c, const struct object_id *id, struct entries *ret, struct fault *reterr) {
        own_buffer struct buffer raw = BUFFER_INIT;
        struct entries entries = { 0 };
        struct object_entry e;
        struct object_tree walk;
        const char *bytes;
        int r;

        *ret = entries;
        if (!id)
                return 0;
        r = mirror_read(c->mirror, id, OBJECT_TREE, LIMIT_TREE_BYTES, &raw, reterr);
        if (r < 0)
                return r;
        bytes = arena_strndup(c->arena, raw.data, raw.size);
        object_tree_begin(&walk, bytes, raw.size);
        while ((r = object_tree_next(&walk, &e, reterr)) > 0)
                *(struct object_entry *)arena_push(c->arena, &entries.items, &entries.n, sizeof(e)) = e;
        if (r == 0)
                *ret = entries;
        return r;
}

/*
 * New files
 */

static int add_record(struct compare *c, const char *path, const struct object_entry *e, struct fault *reterr) {
        struct ledger_addition *added;
        enum record_kind kind;
        const char *app;
        size_t size;
        int64_t seq;

        if (record_name_parse(e->name, &seq, &kind, &app, &size) < 0)
                return refuse(reterr, path, "is no name of a record");
        added = arena_push(c->arena, &c->added.items, &c->added.n, sizeof(*added));
        *added = (struct ledger_addition){ path, e->id, seq };
        return 0;
}

/* A file whose name is the SHA-256 of its content, and a suffix. */
static int add_blob(struct compare *c, const char *path, const struct object_entry *e, const char *suffix,
                    struct fault *reterr) {
        own_buffer struct buffer bytes = BUFFER_INIT;
        struct digest digest;
        const char *rest;
        int r;

        r = mirror_read(c->mirror, &e->id, OBJECT_BLOB, LIMIT_LEDGER_BLOB, &bytes, reterr);
        if (r < 0)
                return fault_context(reterr, r, "%s", path);
        digest = digest_of(bytes.data, bytes.size);
        rest = str_after(e->name, digest_hex(&digest));
        if (!rest || !str_eq(rest, suffix))
                return refuse(reterr, path, "does not have the content of its name");
        return json_object_set_new(c->files, path, json_true()) < 0 ? fault_set_oom(reterr) : 0;
}

static int add_artifact(struct compare *c, const char *path, const struct object_entry *e, struct fault *reterr) {
        return add_blob(c, path, e, "", reterr);
}

static int add_world(struct compare *c, const char *path, const struct object_entry *e, struct fault *reterr) {
        return add_blob(c, path, e, ".json", reterr);
}

/*
 * Folders that only grow
 */

struct folder {
        const char *name;
        bool nested; /* files stand one folder deeper */
        int (*add)(struct compare *c, const char *path, const struct object_entry *e, struct fault *reterr);
};

static const struct folder folders[] = {
        { .name = "evidence", .nested = true, .add = add_record },
        { .name = "artifacts", .add = add_artifact },
        { .name = "worlds", .add = add_world },
};

static int grow(struct compare *c, const struct folder *f, const char *path, bool nested,
                const struct object_id *before, const struct object_id *after, struct fault *reterr);

static int grow_entry(struct compare *c, const struct folder *f, const char *parent, bool nested,
                      const struct object_entry *before, const struct object_entry *after, struct fault *reterr) {
        const char *path = arena_printf(c->arena, "%s/%s", parent, after->name);

        if (after->mode != (nested ? OBJECT_MODE_TREE : OBJECT_MODE_FILE))
                return refuse(reterr, path, nested ? "is not a folder" : "is not a plain file");
        if (before && before->mode == after->mode && object_id_equal(&before->id, &after->id))
                return 0;
        if (nested)
                return grow(c, f, path, false, before ? &before->id : NULL, &after->id, reterr);
        return before ? refuse(reterr, path, "was changed") : f->add(c, path, after, reterr);
}

/* Both are in the same order, so an old entry is met on the way through the new ones, or it is gone. */
static int grow(struct compare *c, const struct folder *f, const char *path, bool nested,
                const struct object_id *before, const struct object_id *after, struct fault *reterr) {
        struct entries old, new;
        size_t i = 0;
        int r;

        r = read_tree(c, before, &old, reterr);
        if (r == 0)
                r = read_tree(c, after, &new, reterr);
        for (size_t j = 0; r == 0 && j < new.n; j++) {
                bool known = i < old.n && str_eq(old.items[i].name, new.items[j].name);

                r = grow_entry(c, f, path, nested, known ? &old.items[i] : NULL, &new.items[j], reterr);
                i += known;
        }
        if (r == 0 && i < old.n)
                r = refuse(reterr, arena_printf(c->arena, "%s/%s", path, old.items[i].name), "was removed");
        return r;
}

/*
 * The root
 */

static const struct object_entry *find(const struct entries *entries, const char *name) {
        for (size_t i = 0; i < entries->n; i++)
                if (str_eq(entries->items[i].name, name))
                        return &entries->items[i];
        return NULL;
}

static const struct folder *folder_of(const char *name) {
        for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
                if (str_eq(folders[i].name, name))
                        return &folders[i];
        return NULL;
}

static int root_entry(struct compare *c, const struct entries *old, const struct object_entry *e,
                      struct fault *reterr) {
        const struct folder *f = folder_of(e->name);
        const struct object_entry *before = find(old, e->name);

        if (!f) {
                if ((str_eq(e->name, "status.json") || str_eq(e->name, "sticker.json")) && e->mode == OBJECT_MODE_FILE)
                        return 0;
                return refuse(reterr, e->name, "does not belong into a ledger");
        }
        if (e->mode != OBJECT_MODE_TREE)
                return refuse(reterr, e->name, "is not a folder");
        if (before && object_id_equal(&before->id, &e->id))
                return 0;
        return grow(c, f, f->name, f->nested, before ? &before->id : NULL, &e->id, reterr);
}

static int compare_additions(const void *a, const void *b) {
        const struct ledger_addition *x = a, *y = b;

        return (x->seq > y->seq) - (x->seq < y->seq);
}

int ledger_tree_additions(struct mirror *m, const struct object_id *before, const struct object_id *after,
                          json_t *files, struct arena *a, struct ledger_additions *ret, struct fault *reterr) {
        struct compare c = { .mirror = m, .arena = a, .files = files };
        struct entries old, new;
        int r;

        r = read_tree(&c, before, &old, reterr);
        if (r == 0)
                r = read_tree(&c, after, &new, reterr);
        for (size_t i = 0; r == 0 && i < new.n; i++)
                r = root_entry(&c, &old, &new.items[i], reterr);
        for (size_t i = 0; r == 0 && i < old.n; i++)
                if (folder_of(old.items[i].name) && !find(&new, old.items[i].name))
                        r = refuse(reterr, old.items[i].name, "was removed");
        if (r < 0)
                return r;
        if (c.added.n > 0)
                qsort(c.added.items, c.added.n, sizeof(*c.added.items), compare_additions);
        *ret = c.added;
        return 0;
}
