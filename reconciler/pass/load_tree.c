/* SPDX-License-Identifier: Apache-2.0 */

/* The desired state from a working tree, for `tally check`: the same documents, read through openat without links. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

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
                return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_LIMIT, "the working tree holds too much to check");
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
                r = walk_entry(w, dirfd, *path ? arena_printf(w->arena, "%s/%s", path, e->d_name)
                                               : arena_strdup(w->arena, e->d_name),
                               e->d_name, depth, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

int load_tree(const char *folder, struct arena *a, struct fleet *ret, struct deployment **ret_deployments,
              struct fault *reterr) {
        struct walk w = { .arena = a };
        own_fd int fd = -1;
        struct fleet fleet;
        int r = dir_open(AT_FDCWD, folder, &fd, reterr);

        if (r < 0) {
                reterr->kind = FAULT_CONFIG;
                return r;
        }
        r = walk_folder(&w, fd, "", 0, reterr);
        if (r == 0)
                r = fleet_read(w.entries.items, w.entries.n, a, &fleet, reterr);
        if (r == 0)
                r = fleet_check(&fleet, a, ret_deployments, reterr);
        if (r == 0)
                *ret = fleet;
        return r;
}
