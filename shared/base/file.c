/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/base/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

#define TEMPORARY_PREFIX   ".tmp-"
#define TEMPORARY_RANDOM   8 /* bytes, as hex in the name */
#define TEMPORARY_NAME_MAX (sizeof(TEMPORARY_PREFIX) + 2 * TEMPORARY_RANDOM)
#define READ_CHUNK         (16 * 1024)
#define LOCK_PAUSE_MS      20
#define PARENT_MODE        0755

static inline void own_dir_p(DIR **d) {
        int saved = errno;

        if (*d)
                (void)closedir(*d);
        errno = saved;
}

/* A name below a folder of ours is never followed when it is a link; an operator's own path is. */
static int follow_flag(int dirfd) {
        return dirfd == AT_FDCWD ? 0 : O_NOFOLLOW;
}

/*
 * Folders
 */

int dir_open(int dirfd, const char *path, int *ret_fd, struct fault *reterr) {
        int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | follow_flag(dirfd));

        if (fd < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot open folder '%s'", path);
        *ret_fd = fd;
        return 0;
}

/* Make every folder above the last component of an operator's path. */
static int make_parents(const char *path, struct fault *reterr) {
        own_free char *copy = strdup(path);

        if (!copy)
                return fault_set_oom(reterr);
        for (char *p = copy + 1; copy[0] && *p; p++) {
                if (*p != '/' || p[-1] == '/')
                        continue;
                *p = '\0';
                if (mkdir(copy, PARENT_MODE) < 0 && errno != EEXIST)
                        return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot make folder '%s'", copy);
                *p = '/';
        }
        return 0;
}

/* The name of a new folder is durable once the folder that holds it is synced. */
static int sync_parent(int fd, const char *path, struct fault *reterr) {
        own_fd int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (parent < 0 || fsync(parent) < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot sync the folder above '%s'", path);
        return 0;
}

int dir_make(int dirfd, const char *path, mode_t mode, int *ret_fd, struct fault *reterr) {
        own_fd int fd = -1;
        bool made;
        int r;

        made = mkdirat(dirfd, path, mode) == 0;
        if (!made && errno == ENOENT && dirfd == AT_FDCWD) {
                r = make_parents(path, reterr);
                if (r < 0)
                        return r;
                made = mkdirat(dirfd, path, mode) == 0;
        }
        if (!made && errno != EEXIST)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot make folder '%s'", path);

        r = dir_open(dirfd, path, &fd, reterr);
        if (r < 0)
                return r;
        if (made) {
                r = sync_parent(fd, path, reterr);
                if (r < 0)
                        return r;
        }
        *ret_fd = take_fd(&fd);
        return 0;
}

/* Open the folder that holds @name, so that it can be synced whatever @dirfd is; @ret_base points into @name. */
static int open_folder(int dirfd, const char *name, int *ret_fd, const char **ret_base, struct fault *reterr) {
        const char *slash = strrchr(name, '/');
        own_free char *folder = NULL;
        int r;

        if (*(slash ? slash + 1 : name) == '\0')
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "'%s' is not the name of a file", name);
        folder = !slash ? strdup(".") : strndup(name, slash == name ? 1 : (size_t)(slash - name));
        if (!folder)
                return fault_set_oom(reterr);
        r = dir_open(dirfd, folder, ret_fd, reterr);
        if (r < 0)
                return r;
        *ret_base = slash ? slash + 1 : name;
        return 0;
}

/*
 * Reading
 */

static int read_up_to(int fd, const char *name, size_t limit, struct buffer *out, struct fault *reterr) {
        char chunk[READ_CHUNK];
        size_t total = 0;
        ssize_t n;

        for (;;) {
                n = read(fd, chunk, sizeof(chunk));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        break;
                if ((size_t)n > limit - total) {
                        explicit_bzero(chunk, sizeof(chunk));
                        return fault_set(reterr, FAULT_CONFIG, EFBIG, "'%s' has more than %zu bytes", name, limit);
                }
                total += (size_t)n;
                buffer_append(out, chunk, (size_t)n);
        }
        if (n < 0)
                n = fault_set(reterr, FAULT_TRANSIENT, errno, "cannot read '%s'", name);
        explicit_bzero(chunk, sizeof(chunk)); /* it may have been a key */
        return (int)n;
}

int file_read(int dirfd, const char *name, size_t limit, struct buffer *out, struct fault *reterr) {
        own_fd int fd = -1;
        size_t before = out->size;
        struct stat st;
        int r;

        /* Not blocking: opening a FIFO that somebody put into our folder must not stop us. */
        fd = openat(dirfd, name,
                    O_RDONLY | O_CLOEXEC | O_NOCTTY | follow_flag(dirfd) | (dirfd == AT_FDCWD ? 0 : O_NONBLOCK));
        if (fd < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot open '%s'", name);
        if (fstat(fd, &st) < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot read '%s'", name);
        if (dirfd != AT_FDCWD && !S_ISREG(st.st_mode))
                return fault_set(reterr, FAULT_TRANSIENT, S_ISDIR(st.st_mode) ? EISDIR : EINVAL,
                                 "'%s' is not a regular file", name);

        r = read_up_to(fd, name, limit, out, reterr);
        if (r == 0)
                r = buffer_check(out, name, reterr);
        if (r < 0 && out->data) {
                /* As if nothing had been appended, and nothing of a key left behind. */
                explicit_bzero(out->data + before, out->size - before);
                out->size = before;
        }
        return r;
}

/*
 * Writing
 */

int write_all(int fd, const void *data, size_t size) {
        const char *p = data;

        while (size > 0) {
                ssize_t n = write(fd, p, size < SSIZE_MAX ? size : SSIZE_MAX);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -EIO;
                p += n;
                size -= (size_t)n;
        }
        return 0;
}

/* A file that was not there before, under a name that dir_sweep() knows. -errno on failure. */
static int temporary_open(int folder, char name[static TEMPORARY_NAME_MAX], int *ret_fd) {
        unsigned char random[TEMPORARY_RANDOM];
        int fd;

        do {
                if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
                        return -EIO;
                memcpy(name, TEMPORARY_PREFIX, sizeof(TEMPORARY_PREFIX));
                hex_encode(random, sizeof(random), name + sizeof(TEMPORARY_PREFIX) - 1);
                fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        } while (fd < 0 && errno == EEXIST);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

/* Content, mode and both on the disk, then the name. -errno, and @ret_step says what failed. */
static int temporary_finish(int folder, const char *temporary, int fd, const char *name, const void *data, size_t size,
                            mode_t mode, const char **ret_step) {
        int r;

        *ret_step = "write";
        r = write_all(fd, data, size);
        if (r < 0)
                return r;
        if (fchmod(fd, mode) < 0) /* not at open(): the umask would take bits away */
                return -errno;
        *ret_step = "sync";
        if (fsync(fd) < 0)
                return -errno;
        *ret_step = "replace";
        if (renameat(folder, temporary, folder, name) < 0)
                return -errno;
        return 0;
}

int file_write(int dirfd, const char *name, const void *data, size_t size, mode_t mode, struct fault *reterr) {
        own_fd int folder = -1, fd = -1;
        char temporary[TEMPORARY_NAME_MAX];
        const char *base, *step = NULL;
        int r;

        r = open_folder(dirfd, name, &folder, &base, reterr);
        if (r < 0)
                return fault_context(reterr, r, "cannot write '%s'", name);
        r = temporary_open(folder, temporary, &fd);
        if (r < 0)
                return fault_set(reterr, FAULT_TRANSIENT, -r, "cannot make a file beside '%s'", name);
        r = temporary_finish(folder, temporary, fd, base, data, size, mode, &step);
        if (r < 0) {
                (void)unlinkat(folder, temporary, 0);
                return fault_set(reterr, FAULT_TRANSIENT, -r, "cannot %s '%s'", step, name);
        }
        if (fsync(folder) < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot sync the folder of '%s'", name);
        return 0;
}

int file_remove(int dirfd, const char *name, struct fault *reterr) {
        own_fd int folder = -1;
        const char *base;
        int r;

        r = open_folder(dirfd, name, &folder, &base, reterr);
        if (r < 0)
                return fault_context(reterr, r, "cannot remove '%s'", name);
        if (unlinkat(folder, base, 0) < 0) {
                if (errno == ENOENT)
                        return 0;
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot remove '%s'", name);
        }
        if (fsync(folder) < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot sync the folder of '%s'", name);
        return 0;
}

static bool is_temporary(const char *name) {
        const char *random = str_after(name, TEMPORARY_PREFIX);

        return random && hex_is_valid(random, (size_t)2 * TEMPORARY_RANDOM);
}

void dir_sweep(int dirfd) {
        own(own_dir_p) DIR *dir = NULL;
        own_fd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *entry;

        dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
                return;
        (void)take_fd(&fd); /* closed with the stream */
        while ((entry = readdir(dir)))
                if (is_temporary(entry->d_name))
                        (void)unlinkat(dirfd, entry->d_name, 0); /* a failure leaves it to the next sweep */
}

/*
 * Locking
 */

/* One try. -EWOULDBLOCK when another process holds it, -EAGAIN never: the two are one number on Linux. */
static int lock_once(int dirfd, const char *name, int *ret_fd) {
        own_fd int fd = -1;
        struct stat ours, there;

        fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | follow_flag(dirfd), 0644);
        if (fd < 0)
                return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return -errno;
        /* Somebody may have removed or replaced the file meanwhile; then our lock guards nothing. */
        if (fstat(fd, &ours) < 0)
                return -errno;
        if (fstatat(dirfd, name, &there, 0) < 0 || ours.st_ino != there.st_ino || ours.st_dev != there.st_dev)
                return -ESTALE;
        *ret_fd = take_fd(&fd);
        return 0;
}

/* The pid in the file is only said to people, so a full disk does not refuse the lock. */
static void lock_sign(int fd) {
        char text[32];
        int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

        if (ftruncate(fd, 0) == 0)
                (void)!pwrite(fd, text, (size_t)n, 0);
}

/* The pid of the holder, or 0 when the file does not tell. */
static uint64_t lock_holder(int dirfd, const char *name) {
        own_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | follow_flag(dirfd));
        char text[32];
        uint64_t pid = 0;
        ssize_t n;

        n = fd < 0 ? 0 : pread(fd, text, sizeof(text) - 1, 0);
        if (n <= 0)
                return 0;
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return parse_u64(text, &pid) < 0 ? 0 : pid;
}

int file_lock(int dirfd, const char *name, int wait_ms, int *ret_fd, struct fault *reterr) {
        int64_t deadline = clock_monotonic_ns() + (int64_t)(wait_ms > 0 ? wait_ms : 0) * 1000000;
        uint64_t pid;
        int r;

        for (;;) {
                r = lock_once(dirfd, name, ret_fd);
                if (r == 0) {
                        lock_sign(*ret_fd);
                        return 0;
                }
                if (r == -ESTALE || r == -EINTR)
                        continue;
                if (r != -EWOULDBLOCK)
                        return fault_set(reterr, FAULT_TRANSIENT, -r, "cannot lock '%s'", name);
                if (clock_monotonic_ns() >= deadline)
                        break;
                clock_sleep_ms(LOCK_PAUSE_MS);
        }

        pid = lock_holder(dirfd, name);
        if (pid)
                return fault_set(reterr, FAULT_TRANSIENT, EWOULDBLOCK, "'%s' is locked by process %llu", name,
                                 (unsigned long long)pid);
        return fault_set(reterr, FAULT_TRANSIENT, EWOULDBLOCK, "'%s' is locked by another process", name);
}
