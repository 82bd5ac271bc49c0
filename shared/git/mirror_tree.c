/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The part of mirror.h that goes from a commit to its files. Trees are read raw, by the strict reader of
 * object.h.
 */

#include <errno.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/git/mirror.h"

static const struct {
        enum object_mode mode;
        const char *what;
} modes[] = {
        { OBJECT_MODE_FILE, "a file" },           { OBJECT_MODE_EXECUTABLE, "an executable file" },
        { OBJECT_MODE_LINK, "a symbolic link" },  { OBJECT_MODE_TREE, "a folder" },
        { OBJECT_MODE_SUBMODULE, "a submodule" },
};

static const char *mode_to_string(enum object_mode mode) {
        for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
                if (modes[i].mode == mode)
                        return modes[i].what;
        return "something else";
}

int mirror_tree_of(struct mirror *m, const struct object_id *commit, struct object_id *ret_tree, struct fault *reterr) {
        struct object_id parents[LIMIT_COMMIT_PARENTS];
        own_buffer struct buffer raw = BUFFER_INIT;
        size_t n;
        int r = mirror_read(m, commit, OBJECT_COMMIT, LIMIT_COMMIT_BYTES, &raw, reterr);

        if (r < 0)
                return r;
        return object_commit_links(buffer_str(&raw), raw.size, ret_tree, parents, LIMIT_COMMIT_PARENTS, &n, reterr);
}

static int fault_absent(const char *path, struct fault *reterr) {
        return fault_set(reterr, FAULT_CONFIG, ENOENT, "%s is not in the commit", path);
}

/* The entry @name of the tree @id: 1 found, 0 not there. */
static int find_in(struct mirror *m, const struct object_id *id, const char *name, struct object_entry *ret,
                   struct fault *reterr) {
        own_buffer struct buffer raw = BUFFER_INIT;
        int r = mirror_read(m, id, OBJECT_TREE, LIMIT_TREE_BYTES, &raw, reterr);

        if (r < 0)
                return r;
        r = object_tree_find(buffer_str(&raw), raw.size, name, ret, reterr);
        ret->name = NULL; /* it would point into the buffer */
        return r;
}

/* 1 found, 0 not there; "" is the root. */
static int find_path(struct mirror *m, const struct object_id *commit, const char *path, enum object_mode *ret_mode,
                     struct object_id *ret_id, struct fault *reterr) {
        struct object_entry entry = { .mode = OBJECT_MODE_TREE };
        char name[LIMIT_TREE_NAME_BYTES + 1];
        int r = mirror_tree_of(m, commit, &entry.id, reterr);

        for (const char *p = path; r >= 0 && *p;) {
                size_t n = strcspn(p, "/");

                if (n >= sizeof(name) || entry.mode != OBJECT_MODE_TREE)
                        return 0;
                memcpy(name, p, n);
                name[n] = '\0';
                r = find_in(m, &entry.id, name, &entry, reterr);
                if (r == 0)
                        return 0;
                p += n + (p[n] == '/');
        }
        if (r < 0)
                return fault_context(reterr, r, "looking for '%s'", path);
        *ret_mode = entry.mode;
        *ret_id = entry.id;
        return 1;
}

int mirror_find(struct mirror *m, const struct object_id *commit, const char *path, enum object_mode *ret_mode,
                struct object_id *ret_id, struct fault *reterr) {
        int r;

        if (!path_is_inside(path))
                return fault_absent("such a path", reterr);
        r = find_path(m, commit, path, ret_mode, ret_id, reterr);
        if (r < 0)
                return r;
        return r == 0 ? fault_absent(path, reterr) : 0;
}

int mirror_read_path(struct mirror *m, const struct object_id *commit, const char *path, size_t limit,
                     struct buffer *out, struct fault *reterr) {
        enum object_mode mode;
        struct object_id id;
        int r = mirror_find(m, commit, path, &mode, &id, reterr);

        if (r < 0)
                return r;
        if (mode != OBJECT_MODE_FILE && mode != OBJECT_MODE_EXECUTABLE)
                return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_INVALID, "%s is %s, not a file", path,
                                      mode_to_string(mode));
        r = mirror_read(m, &id, OBJECT_BLOB, limit, out, reterr);
        return r < 0 ? fault_context(reterr, r, "%s", path) : 0;
}

/*
 * Listing
 */

struct walk {
        struct mirror *mirror;
        struct arena *arena;
        struct mirror_listing listing;
        size_t max_entries;
        struct buffer path; /* of the folder that is being read, with a final '/' unless empty */
};

static int walk_tree(struct walk *w, const struct object_id *id, unsigned depth, struct fault *reterr);

static int fault_limit(const char *what, size_t limit, struct fault *reterr) {
        (void)fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_LIMIT, "the tree has more than %zu %s", limit, what);
        return -EFBIG;
}

static int add_entry(struct walk *w, const struct object_entry *e, struct fault *reterr) {
        struct mirror_entry *item;

        if (w->listing.n >= w->max_entries)
                return fault_limit("files", w->max_entries, reterr);
        item = arena_push(w->arena, &w->listing.items, &w->listing.n, sizeof(*item));
        item->path = arena_strndup(w->arena, buffer_str(&w->path), w->path.size);
        item->mode = e->mode;
        item->id = e->id;
        return 0;
}

static int walk_entry(struct walk *w, const struct object_entry *e, unsigned depth, struct fault *reterr) {
        size_t size = w->path.size;
        int r;

        buffer_append(&w->path, e->name, e->name_size);
        r = buffer_check(&w->path, "a path", reterr);
        if (r >= 0 && !path_is_inside(buffer_str(&w->path))) {
                char *shown = arena_strdup(w->arena, buffer_str(&w->path));

                text_make_harmless(shown, "");
                r = fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_INVALID, "'%s' is not a name for a file", shown);
        }
        if (r >= 0 && e->mode == OBJECT_MODE_TREE) {
                buffer_putc(&w->path, '/');
                r = walk_tree(w, &e->id, depth + 1, reterr);
        } else if (r >= 0) {
                r = add_entry(w, e, reterr);
        }
        if (!w->path.failed) {
                w->path.size = size;
                w->path.data[size] = '\0';
        }
        return r;
}

static int walk_tree(struct walk *w, const struct object_id *id, unsigned depth, struct fault *reterr) {
        own_buffer struct buffer raw = BUFFER_INIT;
        struct object_tree tree;
        struct object_entry entry;
        int r;

        if (depth > LIMIT_TREE_DEPTH)
                return fault_limit("levels", LIMIT_TREE_DEPTH, reterr);
        r = mirror_read(w->mirror, id, OBJECT_TREE, LIMIT_TREE_BYTES, &raw, reterr);
        if (r < 0)
                return r;
        object_tree_begin(&tree, buffer_str(&raw), raw.size);
        while ((r = object_tree_next(&tree, &entry, reterr)) > 0) {
                r = walk_entry(w, &entry, depth, reterr);
                if (r < 0)
                        return r;
        }
        return r;
}

int mirror_list(struct mirror *m, const struct object_id *commit, const char *path, size_t max_entries, struct arena *a,
                struct mirror_listing *ret, struct fault *reterr) {
        struct walk w = { .mirror = m, .arena = a, .max_entries = max_entries };
        own_buffer struct buffer released = BUFFER_INIT;
        enum object_mode mode;
        struct object_id id;
        int r;

        if (path[0] && !path_is_inside(path))
                return fault_absent("such a path", reterr);
        r = find_path(m, commit, path, &mode, &id, reterr);
        if (r < 0)
                return r;
        if (r == 0) {
                *ret = (struct mirror_listing){ .items = NULL };
                return 0;
        }
        if (mode != OBJECT_MODE_TREE)
                return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_INVALID, "%s is %s, not a folder", path,
                                      mode_to_string(mode));
        buffer_puts(&w.path, path);
        if (path[0])
                buffer_putc(&w.path, '/');
        r = walk_tree(&w, &id, 1, reterr);
        released = w.path;
        if (r < 0)
                return fault_context(reterr, r, "listing '%s'", path);
        *ret = w.listing;
        return 0;
}
