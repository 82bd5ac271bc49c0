/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/docker/files.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "providers/runtime/docker/tree.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/base64.h"
#include "shared/data/json.h"

#define TEMPORARY_PREFIX ".new-"

/*
 * Names
 */

struct grant {
        bool is_grant;
        mode_t mode;
        int64_t uid, gid;
};

/* "-0440-33--1" behind the digest. */
static bool grant_parse(const char *suffix, struct grant *ret) {
        struct grant g = { .is_grant = true };
        char *end;

        if (suffix[0] != '-' || !isdigit((unsigned char)suffix[1]))
                return false;
        g.mode = (mode_t)strtoul(suffix + 1, &end, 8);
        if (end != suffix + 5 || *end != '-')
                return false;
        g.uid = strtoll(end + 1, &end, 10);
        if (*end != '-')
                return false;
        g.gid = strtoll(end + 1, &end, 10);
        if (*end != '\0' || g.mode > 07777 || g.uid < -1 || g.gid < -1 || g.uid > UINT32_MAX || g.gid > UINT32_MAX)
                return false;
        *ret = g;
        return true;
}

static bool name_parse(const char *name, struct grant *ret) {
        struct grant g = { .is_grant = false };

        if (!name || strlen(name) < 64)
                return false;
        for (size_t i = 0; i < 64; i++)
                if (!isdigit((unsigned char)name[i]) && (name[i] < 'a' || name[i] > 'f'))
                        return false;
        if (name[64] != '\0' && !grant_parse(name + 64, &g))
                return false;
        *ret = g;
        return true;
}

bool files_name_is_valid(const char *name) {
        struct grant g;

        return name_parse(name, &g);
}

/*
 * Reading
 */

/* uid and gid of -1 are those of whoever materialised it, which need not be us. */
static bool grant_is_kept(const struct stat *st, const struct grant *g) {
        return (st->st_mode & 07777) == g->mode && (g->uid < 0 || (int64_t)st->st_uid == g->uid) &&
               (g->gid < 0 || (int64_t)st->st_gid == g->gid);
}

static enum files_state check_grant(int dirfd, const char *name, const struct grant *g, const char *digest) {
        struct digest found;
        struct stat st;

        if (tree_hash_file(dirfd, name, &found, &st) < 0 || !grant_is_kept(&st, g))
                return FILES_CHANGED;
        return str_eq(found.text, digest) ? FILES_INTACT : FILES_CHANGED;
}

static enum files_state check_entry(int dirfd, const char *name, const char *digest) {
        struct digest found;
        struct grant g;
        struct stat st;

        if (!name_parse(name, &g))
                return FILES_MISSING;
        if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? FILES_MISSING : FILES_CHANGED;
        if (g.is_grant)
                return check_grant(dirfd, name, &g, digest);
        if (tree_digest(dirfd, name, &found) < 0)
                return FILES_CHANGED;
        return str_eq(found.text, digest) ? FILES_INTACT : FILES_CHANGED;
}

static int folder_open(const char *folder) {
        return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

enum files_state files_check(const char *folder, const char *name, const char *digest) {
        own_fd int dirfd = folder_open(folder);

        return dirfd < 0 ? FILES_MISSING : check_entry(dirfd, name, digest);
}

int64_t files_changed_at(const char *folder, const char *name) {
        own_fd int dirfd = folder_open(folder);

        if (dirfd < 0 || !files_name_is_valid(name))
                return -1;
        return tree_changed_at(dirfd, name);
}

void files_stamp(const char *path, struct digest_state *state) {
        tree_stamp(AT_FDCWD, path, state);
}

/*
 * Writing
 */

static int entry_bytes(const json_t *entry, struct buffer *out, struct fault *reterr) {
        const json_t *text = json_object_get(entry, "text");
        const char *base64 = json_get_string(entry, "base64");

        if (text) {
                buffer_append(out, json_string_value(text), json_string_length(text));
                return buffer_check(out, "a file of the app", reterr);
        }
        if (!base64)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "a file without content");
        if (base64_decode(base64, strlen(base64), false, out) < 0)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "a file's content is not base64");
        return buffer_check(out, "a file of the app", reterr);
}

static int write_fault(const char *name, int r, struct fault *reterr) {
        return fault_set_code(reterr, FAULT_TRANSIENT, REASON_STATE_UNWRITABLE, "cannot write mounted file %.12s…: %s",
                              name, strerror(-r));
}

/* Make the folders that lead to @path below @dirfd; *ret_fd is the last one, *ret_name what is left. */
static int make_parents(int dirfd, const char *path, int *ret_fd, const char **ret_name) {
        own_fd int fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
        const char *slash;

        while (fd >= 0 && (slash = strchr(path, '/'))) {
                own_free char *part = strndup(path, (size_t)(slash - path));
                int next;

                if (!part)
                        return -ENOMEM;
                if (mkdirat(fd, part, 0755) < 0 && errno != EEXIST)
                        return -errno;
                next = openat(fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (next < 0)
                        return -errno;
                (void)close(fd);
                fd = next;
                path = slash + 1;
        }
        if (fd < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        *ret_name = path;
        return 0;
}

static int write_new(int dirfd, const char *path, const struct buffer *bytes, mode_t mode, const struct grant *g) {
        own_fd int parent = -1, fd = -1;
        const char *name = path;
        int r;

        r = make_parents(dirfd, path, &parent, &name);
        if (r < 0)
                return r;
        fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, bytes->data, bytes->size);
        if (r < 0)
                return r;
        if (g->is_grant && (g->uid >= 0 || g->gid >= 0) && fchown(fd, (uid_t)g->uid, (gid_t)g->gid) < 0)
                return -errno;
        /* After fchown(), which takes set-id bits away. */
        return fchmod(fd, mode) < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* One file of the entry @name, at @path below the temporary (the temporary itself when it is ""). */
static int store_file(int dirfd, const char *temporary, const char *name, const json_t *entry, const struct grant *g,
                      struct fault *reterr) {
        own_secret struct buffer bytes = BUFFER_INIT;
        own_buffer struct buffer path = BUFFER_INIT;
        const char *below = json_get_string(entry, "path");
        mode_t mode = g->is_grant ? g->mode : json_get_bool(entry, "executable", false) ? 0555 : 0444;
        int r;

        if (!below || (*below && !path_is_inside(below)))
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "'%s' is not a path of the app", below ? below : "");
        buffer_printf(&path, "%s%s%s", temporary, *below ? "/" : "", below);
        r = entry_bytes(entry, &bytes, reterr);
        if (r == 0)
                r = buffer_check(&path, "a path", reterr);
        if (r < 0)
                return r;
        r = write_new(dirfd, buffer_str(&path), &bytes, mode, g);
        return r < 0 ? write_fault(name, r, reterr) : 0;
}

/* Put @temporary in the place of @name, whatever kind of thing either is. */
static int replace(int dirfd, const char *temporary, const char *name) {
        if (renameat2(dirfd, temporary, dirfd, name, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno != EEXIST || renameat2(dirfd, temporary, dirfd, name, RENAME_EXCHANGE) < 0)
                return -errno;
        return tree_remove(dirfd, temporary);
}

static int store_entry(int dirfd, const json_t *file, struct fault *reterr) {
        const char *name = json_get_string(file, "name"), *digest = json_get_string(file, "digest");
        bool folder = json_get_bool(file, "folder", false);
        char temporary[sizeof(TEMPORARY_PREFIX) + 16];
        unsigned char random[8];
        struct grant g;
        json_t *entry;
        size_t i;
        int r;

        if (!name_parse(name, &g) || !digest)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "'%s' is not the name of mounted files",
                                 name ? name : "");
        if (check_entry(dirfd, name, digest) == FILES_INTACT)
                return 0;
        randombytes_buf(random, sizeof(random));
        memcpy(temporary, TEMPORARY_PREFIX, sizeof(TEMPORARY_PREFIX));
        hex_encode(random, sizeof(random), temporary + sizeof(TEMPORARY_PREFIX) - 1);
        if (folder && mkdirat(dirfd, temporary, 0755) < 0)
                return write_fault(name, -errno, reterr);
        json_array_foreach(json_object_get(file, "entries"), i, entry) {
                r = store_file(dirfd, temporary, name, entry, &g, reterr);
                if (r < 0) {
                        (void)tree_remove(dirfd, temporary);
                        return r;
                }
        }
        r = folder ? tree_seal(dirfd, temporary) : 0;
        if (r == 0)
                r = replace(dirfd, temporary, name);
        if (r < 0) {
                (void)tree_remove(dirfd, temporary);
                return write_fault(name, r, reterr);
        }
        if (check_entry(dirfd, name, digest) != FILES_INTACT)
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_STATE_UNWRITABLE,
                                      "mounted file %.12s… reads differently from what was written", name);
        return 0;
}

int files_store(const char *folder, const json_t *files, struct fault *reterr) {
        own_fd int dirfd = -1;
        json_t *file;
        size_t i;
        int r;

        if (json_array_size(files) == 0)
                return 0;
        r = dir_make(AT_FDCWD, folder, 0700, &dirfd, reterr);
        if (r < 0)
                return r;
        json_array_foreach(files, i, file) {
                r = store_entry(dirfd, file, reterr);
                if (r < 0)
                        return r;
        }
        return fsync(dirfd) < 0 ? write_fault(folder, -errno, reterr) : 0;
}

/*
 * Removing
 */

static void dir_close(DIR *dir) {
        if (dir)
                (void)closedir(dir);
}
DEFINE_OWN(DIR, dir_close)

int files_collect(const char *folder, const json_t *keep, struct fault *reterr) {
        own(dir_close_p) DIR *dir = opendir(folder);
        struct dirent *entry;

        if (!dir)
                return errno == ENOENT ? 0 : fault_set(reterr, FAULT_TRANSIENT, errno, "cannot list %s", folder);
        while ((entry = readdir(dir))) {
                bool left = str_after(entry->d_name, TEMPORARY_PREFIX) != NULL;
                int r;

                if (!left && (!files_name_is_valid(entry->d_name) || json_object_get(keep, entry->d_name)))
                        continue;
                r = tree_remove(dirfd(dir), entry->d_name);
                if (r < 0)
                        return fault_set(reterr, FAULT_TRANSIENT, -r, "cannot remove %.12s… from %s", entry->d_name,
                                         folder);
        }
        return 0;
}
