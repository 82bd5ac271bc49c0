/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/docker/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/buffer.h"
#include "shared/base/cleanup.h"
#include "shared/base/limits.h"
#include "shared/data/json.h"

/* Called for each inode: folders before what is in them (@leave false) and again after it (@leave true). */
struct walk {
        int (*visit)(struct walk *w, int dirfd, const char *name, const char *path, const struct stat *st, bool leave);
        void *data;
        size_t n;
};

static int execution_at(struct walk *w, int dirfd, const char *name, const char *path, int depth);

static int skip_dots(const struct dirent *entry) {
        return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static void names_free(struct dirent **names, int n) {
        for (int i = 0; i < n; i++)
                free(names[i]);
        free(names);
}

static int walk_below(struct walk *w, int dirfd, const char *name, const char *path, int depth) {
        own_fd int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct dirent **names = NULL;
        int n, r = 0;

        if (fd < 0)
                return -errno;
        n = scandirat(fd, ".", &names, skip_dots, alphasort);
        if (n < 0)
                return -errno;
        for (int i = 0; r == 0 && i < n; i++) {
                own_buffer struct buffer below = BUFFER_INIT;

                buffer_printf(&below, "%s%s%s", path, *path ? "/" : "", names[i]->d_name);
                r = below.failed ? -below.failed : execution_at(w, fd, names[i]->d_name, buffer_str(&below), depth + 1);
        }
        names_free(names, n);
        return r;
}

static int execution_at(struct walk *w, int dirfd, const char *name, const char *path, int depth) {
        struct stat st;
        int r;

        if (depth > LIMIT_TREE_DEPTH || ++w->n > 4 * LIMIT_APP_FILES)
                return -EFBIG;
        if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        r = w->visit(w, dirfd, name, path, &st, false);
        if (r < 0 || !S_ISDIR(st.st_mode))
                return r;
        r = walk_below(w, dirfd, name, path, depth);
        return r < 0 ? r : w->visit(w, dirfd, name, path, &st, true);
}

int tree_hash_file(int dirfd, const char *name, struct digest *ret, struct stat *ret_stat) {
        own_fd int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        own_free char *chunk = malloc(65536);
        struct digest_state state;
        struct stat st;
        ssize_t n;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!chunk)
                return -ENOMEM;
        if (!S_ISREG(st.st_mode))
                return -ELOOP;
        if (st.st_size > LIMIT_APP_BYTES)
                return -EFBIG;
        digest_begin(&state);
        while ((n = read(fd, chunk, 65536)) != 0) {
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        digest_update(&state, chunk, (size_t)n);
        }
        *ret = digest_end(&state);
        *ret_stat = st;
        return 0;
}

static int visit_digest(struct walk *w, int dirfd, const char *name, const char *path, const struct stat *st,
                        bool leave) {
        struct digest digest;
        struct stat now;
        json_t *value;
        int r;

        if (S_ISDIR(st->st_mode))
                return 0;
        r = tree_hash_file(dirfd, name, &digest, &now);
        if (r < 0)
                return r;
        value = json_pack("{sb ss}", "executable", (now.st_mode & 0111) != 0, "sha256", digest_hex(&digest));
        return json_object_set_new(w->data, path, value) < 0 ? -EILSEQ : 0;
}

int tree_digest(int dirfd, const char *name, struct digest *ret) {
        own_json json_t *object = json_object();
        struct walk w = { .visit = visit_digest, .data = object };
        int r = execution_at(&w, dirfd, name, "", 0);

        if (r < 0)
                return r;
        *ret = digest_of_json(object);
        return 0;
}

static int visit_changed(struct walk *w, int dirfd, const char *name, const char *path, const struct stat *st,
                         bool leave) {
        int64_t *latest = w->data;

        if (st->st_ctim.tv_sec > *latest)
                *latest = st->st_ctim.tv_sec;
        return 0;
}

int64_t tree_changed_at(int dirfd, const char *name) {
        int64_t latest = 0;
        struct walk w = { .visit = visit_changed, .data = &latest };

        return execution_at(&w, dirfd, name, "", 0) < 0 ? -1 : latest;
}

static int visit_stamp(struct walk *w, int dirfd, const char *name, const char *path, const struct stat *st,
                       bool leave) {
        own_buffer struct buffer line = BUFFER_INIT;

        buffer_printf(&line, "%s %ju %ju %jd %jo %jd.%09ld", path, (uintmax_t)st->st_dev, (uintmax_t)st->st_ino,
                      (intmax_t)st->st_size, (uintmax_t)st->st_mode, (intmax_t)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
        digest_update(w->data, line.data, line.size + 1);
        return line.failed ? -line.failed : 0;
}

void tree_stamp(int dirfd, const char *name, struct digest_state *state) {
        struct walk w = { .visit = visit_stamp, .data = state };
        int r = execution_at(&w, dirfd, name, "", 0);

        digest_update(state, &r, sizeof(r));
}

static int visit_seal(struct walk *w, int dirfd, const char *name, const char *path, const struct stat *st,
                      bool leave) {
        own_fd int fd = -1;

        if (!leave)
                return 0;
        fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 || fchmod(fd, 0555) < 0 || fsync(fd) < 0 ? -errno : 0;
}

int tree_seal(int dirfd, const char *name) {
        struct walk w = { .visit = visit_seal };

        return execution_at(&w, dirfd, name, "", 0);
}

/* Folders are sealed: who is not root needs the permission back to empty them. */
static int visit_remove(struct walk *w, int dirfd, const char *name, const char *path, const struct stat *st,
                        bool leave) {
        if (S_ISDIR(st->st_mode) && !leave)
                return fchmodat(dirfd, name, 0700, 0) < 0 ? -errno : 0;
        return unlinkat(dirfd, name, S_ISDIR(st->st_mode) ? AT_REMOVEDIR : 0) < 0 && errno != ENOENT ? -errno : 0;
}

int tree_remove(int dirfd, const char *name) {
        struct walk w = { .visit = visit_remove };
        int r = execution_at(&w, dirfd, name, "", 0);

        return r == -ENOENT ? 0 : r;
}
