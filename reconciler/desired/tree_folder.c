/* SPDX-License-Identifier: Apache-2.0 */

/* A working tree, for the command line: listed and read through openat, without following links. */

#include "reconciler/desired/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

struct folder_tree {
        struct tree tree;
        int fd;
};

static void own_dir_p(DIR **d) {
        if (*d)
                (void)closedir(*d);
}

static void folder_tree_close(void *p) {
        own_fd_p(&((struct folder_tree *)p)->fd);
}

/* Open the folder @path below @root, one component at a time; -ENOENT is a fault, too. */
static int open_below(int root, const char *path, int *ret_fd, struct fault *reterr) {
        own_fd int at = fcntl(root, F_DUPFD_CLOEXEC, 0);

        if (at < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot open the working tree");
        while (*path) {
                size_t n = strcspn(path, "/");
                own_free char *name = strndup(path, n);
                int next = -1, r;

                if (!name)
                        return fault_set_oom(reterr);
                r = dir_open(at, name, &next, reterr);
                if (r < 0)
                        return r;
                (void)close(at);
                at = next;
                path += n + (path[n] == '/');
        }
        *ret_fd = at;
        at = -1;
        return 0;
}

static int folder_tree_read(const struct tree *t, size_t i, size_t limit, struct buffer *out, struct fault *reterr) {
        const char *path = t->entries[i].path, *slash = strrchr(path, '/');
        own_free char *folder = strndup(path, slash ? (size_t)(slash - path) : 0);
        own_fd int fd = -1;
        int r;

        if (!folder)
                return fault_set_oom(reterr);
        r = open_below(((const struct folder_tree *)t)->fd, folder, &fd, reterr);
        return r < 0 ? r : file_read(fd, slash ? slash + 1 : path, limit, out, reterr);
}

static bool folder_tree_is_damaged(const struct tree *t) {
        return false;
}

static const struct tree_ops folder_tree_ops = { .read = folder_tree_read, .is_damaged = folder_tree_is_damaged };

/*
 * Listing
 */

static int list_folder(struct tree *t, int dirfd, const char *path, unsigned depth, struct fault *reterr);

static int list_entry(struct tree *t, int dirfd, const char *path, const char *name, unsigned depth,
                      struct fault *reterr) {
        struct desired_entry *entry;
        struct stat st;

        if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot look at %s", path);
        if (S_ISDIR(st.st_mode)) {
                own_fd int fd = -1;
                int r = dir_open(dirfd, name, &fd, reterr);

                return r < 0 ? r : list_folder(t, fd, path, depth + 1, reterr);
        }
        entry = arena_push(t->arena, &t->entries, &t->n, sizeof(*entry));
        *entry = (struct desired_entry){
                .path = path,
                .type = S_ISLNK(st.st_mode)   ? DESIRED_SYMLINK
                        : (st.st_mode & 0111) ? DESIRED_EXECUTABLE
                                              : DESIRED_FILE,
        };
        return 0;
}

static int list_folder(struct tree *t, int dirfd, const char *path, unsigned depth, struct fault *reterr) {
        own(own_dir_p) DIR *dir = NULL;
        struct dirent *e;
        int fd, r;

        if (depth > LIMIT_TREE_DEPTH || t->n > LIMIT_FLEET_DOCUMENTS)
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
                r = list_entry(t, dirfd,
                               *path ? arena_printf(t->arena, "%s/%s", path, e->d_name)
                                     : arena_strdup(t->arena, e->d_name),
                               e->d_name, depth, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int list_below(struct folder_tree *f, const char *path, struct fault *reterr) {
        own_fault struct fault why = FAULT_INIT;
        own_fd int fd = -1;
        int r = open_below(f->fd, path, &fd, &why);

        if (r == -ENOENT)
                return 0;
        if (r < 0) {
                fault_move(reterr, &why);
                return fault_context(reterr, r, "%s", path);
        }
        return list_folder(&f->tree, fd, path, 1, reterr);
}

static int compare_entries(const void *x, const void *y) {
        const struct desired_entry *a = x, *b = y;

        return strcmp(a->path, b->path);
}

int tree_of_folder(const char *folder, const char *const *below, struct arena *a, struct tree **ret,
                   struct fault *reterr) {
        struct folder_tree *f = arena_new_of(a, struct folder_tree);
        int r;

        f->fd = -1;
        f->tree = (struct tree){ .ops = &folder_tree_ops, .arena = a };
        r = dir_open(AT_FDCWD, folder, &f->fd, reterr);
        if (r < 0) {
                reterr->kind = FAULT_CONFIG;
                return r;
        }
        arena_defer(a, folder_tree_close, f);
        if (!below)
                r = list_folder(&f->tree, f->fd, "", 0, reterr);
        for (size_t i = 0; r == 0 && below && below[i]; i++)
                r = list_below(f, below[i], reterr);
        if (r < 0)
                return r;
        if (f->tree.n > 1)
                qsort(f->tree.entries, f->tree.n, sizeof(struct desired_entry), compare_entries);
        *ret = &f->tree;
        return 0;
}
