/* SPDX-License-Identifier: Apache-2.0 */

/* The desired state from a working tree, for `tally check`: the same documents, read through openat without links. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "policies/trust.h"
#include "reconciler/pass/load.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

static void own_dir_p(DIR **d) {
        if (*d)
                (void)closedir(*d);
}

struct walk {
        struct struct_list entries; /* struct desired_entry */
        size_t bytes;
        struct arena *arena;
};

static int read_file(struct walk *w, int dirfd, const char *name, struct desired_entry *entry, struct fault *reterr) {
        own_buffer struct buffer bytes = BUFFER_INIT;
        int r = file_read(dirfd, name, LIMIT_APP_BYTES, &bytes, reterr);

        if (r < 0)
                return r;
        entry->bytes = arena_strndup(w->arena, buffer_str(&bytes), bytes.size);
        entry->size = bytes.size;
        w->bytes += bytes.size;
        if (w->bytes > 16 * (size_t)LIMIT_APP_BYTES)
                return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_LIMIT,
                                      "the working tree holds too much to check");
        return 0;
}

static int walk_folder(struct walk *w, int dirfd, const char *path, unsigned depth, struct fault *reterr);

static int walk_entry(struct walk *w, int dirfd, const char *path, const char *name, unsigned depth,
                      struct fault *reterr) {
        struct desired_entry *entry;
        struct stat st;

        if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot look at %s", path);
        if (S_ISDIR(st.st_mode)) {
                own_fd int fd = -1;
                int r = dir_open(dirfd, name, &fd, reterr);

                return r < 0 ? r : walk_folder(w, fd, path, depth + 1, reterr);
        }
        entry = arena_push(w->arena, &w->entries.items, &w->entries.n, sizeof(struct desired_entry));
        entry->path = path;
        if (S_ISLNK(st.st_mode)) {
                entry->type = DESIRED_SYMLINK;
                return 0;
        }
        entry->type = (st.st_mode & 0111) ? DESIRED_EXECUTABLE : DESIRED_FILE;
        return S_ISREG(st.st_mode) ? read_file(w, dirfd, name, entry, reterr) : 0;
}

static int walk_folder(struct walk *w, int dirfd, const char *path, unsigned depth, struct fault *reterr) {
        own(own_dir_p) DIR *dir = NULL;
        struct dirent *e;
        int fd, r;

        if (depth > LIMIT_TREE_DEPTH || w->entries.n > LIMIT_FLEET_DOCUMENTS)
                return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_LIMIT, "%s: too deep or too many files", path);
        fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || !(dir = fdopendir(fd))) {
                r = fault_set(reterr, FAULT_TRANSIENT, errno, "cannot list %s", *path ? path : ".");
                if (fd >= 0)
                        (void)close(fd);
                return r;
        }
        while ((e = readdir(dir))) {
                if (e->d_name[0] == '.' && (depth == 0 || str_eq(e->d_name, ".") || str_eq(e->d_name, "..")))
                        continue; /* at the top: .git and other dot files, which no document lives in */
                r = walk_entry(w, dirfd,
                               *path ? arena_printf(w->arena, "%s/%s", path, e->d_name)
                                     : arena_strdup(w->arena, e->d_name),
                               e->d_name, depth, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int compare_entries(const void *x, const void *y) {
        const struct desired_entry *a = x, *b = y;

        return strcmp(a->path, b->path);
}

static struct approval_signers find_signers(const struct walk *w) {
        const struct desired_entry *entries = w->entries.items;
        size_t i = entries_begin(entries, w->entries.n, TRUST_PATH);
        struct approval_signers ret = { .unusable = "there is no " TRUST_PATH };
        own_fault struct fault fault = FAULT_INIT;

        if (i == w->entries.n || !str_eq(entries[i].path, TRUST_PATH) || !entries[i].bytes)
                return ret;
        if (signers_parse(TRUST_PATH, entries[i].bytes, entries[i].size, w->arena, &ret.signers, &fault) < 0)
                ret.unusable = arena_strdup(w->arena, fault.message);
        else
                ret.unusable = NULL;
        return ret;
}

static void judge_approvals(const struct walk *w, const struct approval_rules *rules, struct loaded_tree *t) {
        const struct desired_entry *entries = w->entries.items;

        t->signers = find_signers(w);
        t->approvals = arena_array(w->arena, t->fleet.n_releases, sizeof(struct approvals));
        for (size_t i = 0; i < t->fleet.n_releases; i++)
                approvals_judge(&t->fleet, &t->deployments[i], entries, w->entries.n, &t->signers, rules, w->arena,
                                &t->approvals[i]);
        approvals_find_misplaced(&t->fleet, entries, w->entries.n, w->arena, &t->misplaced);
}

int load_tree(const char *folder, const struct approval_rules *rules, struct arena *a, struct loaded_tree *ret,
              struct fault *reterr) {
        struct walk w = { .arena = a };
        own_fd int fd = -1;
        struct loaded_tree t = { .deployments = NULL };
        int r = dir_open(AT_FDCWD, folder, &fd, reterr);

        if (r < 0) {
                reterr->kind = FAULT_CONFIG;
                return r;
        }
        r = walk_folder(&w, fd, "", 0, reterr);
        if (r < 0)
                return r;
        if (w.entries.n > 1)
                qsort(w.entries.items, w.entries.n, sizeof(struct desired_entry), compare_entries);
        r = fleet_read(w.entries.items, w.entries.n, a, &t.fleet, reterr);
        if (r == 0)
                r = fleet_check(&t.fleet, a, &t.deployments, reterr);
        if (r < 0)
                return r;
        judge_approvals(&w, rules, &t);
        *ret = t;
        return 0;
}
