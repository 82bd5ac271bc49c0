/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/cli/lock_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

struct collection {
        struct arena *arena;
        struct desired_entry *items;
        size_t n;
};

static void dir_close(DIR *dir) {
        if (dir)
                (void)closedir(dir);
}
DEFINE_OWN(DIR, dir_close)

static int add_file(struct collection *c, int fd, const char *name, const char *path, struct fault *reterr) {
        own_buffer struct buffer bytes = BUFFER_INIT;
        struct desired_entry *entry;
        int r = file_read(fd, name, LIMIT_DOCUMENT_BYTES, &bytes, reterr);

        if (r < 0)
                return fault_context(reterr, r, "%s", path);
        if (c->n == LIMIT_APP_FILES)
                return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_LIMIT,
                                      "the app has too many files (LIMIT_APP_FILES)");
        entry = arena_push(c->arena, &c->items, &c->n, sizeof(*entry));
        *entry = (struct desired_entry){ .path = path,
                                         .type = DESIRED_FILE,
                                         .size = bytes.size,
                                         .bytes = arena_strndup(c->arena, buffer_str(&bytes), bytes.size) };
        return 0;
}

static int add_folder(struct collection *c, int parent, const char *name, const char *path, int depth,
                      struct fault *reterr) {
        own_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        own(dir_close_p) DIR *dir = fd < 0 ? NULL : fdopendir(dup(fd));
        struct dirent *entry;
        int r = 0;

        if (!dir)
                return fault_set(reterr, FAULT_CONFIG, errno, "cannot list %s", path);
        while (r == 0 && (entry = readdir(dir))) {
                const char *below = arena_printf(c->arena, "%s/%s", path, entry->d_name);
                struct stat st;

                if (entry->d_name[0] == '.' || fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                if (S_ISDIR(st.st_mode) && depth < LIMIT_TREE_DEPTH)
                        r = add_folder(c, fd, entry->d_name, below, depth + 1, reterr);
                else if (S_ISREG(st.st_mode) && (str_ends_with(below, ".yaml") || str_ends_with(below, ".yml")))
                        r = add_file(c, fd, entry->d_name, below, reterr);
        }
        return r;
}

int lock_files_read(int fd, const char *folder, struct arena *a, struct app_files *ret, struct fault *reterr) {
        struct collection c = { .arena = a };
        int r = add_folder(&c, fd, ".", folder, 1, reterr);

        return r < 0 ? r : app_files_make(folder, c.items, c.n, a, ret, reterr);
}
