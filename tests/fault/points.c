/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Preloaded into a program under test: every call that changes a file is a point, and at one of them something happens
 *
 *      FAULT_PROGRAM   only in the program of this name (it may be started by another one)
 *      FAULT_UNDER     only files below this folder
 *      FAULT_SPARE     but neither these nor what is below them; separated by colons
 *      FAULT_LOG       one line for each point: its call and its path
 *      FAULT_AT        the number of the point, from 1; 0 or none: only count
 *      FAULT_HOW       before: _exit before the call; after: behind it;
 *                      EIO, ENOSPC…: this call fails; EIO+, ENOSPC+: this and every later one; short: half is written,
 *                      then ENOSPC
 *
 * A failing call has no effect. Removing is never out of space.
 */

/* Both names of a call, as libraries were built with the one or the other. */
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* What a killed process's parent sees; the kernel's own for SIGKILL would need a signal. */
#define KILLED 137

enum how {
        HOW_COUNT,
        HOW_BEFORE,
        HOW_AFTER,
        HOW_FAIL,
        HOW_FAIL_ON,
        HOW_SHORT,
};

/* Everything here that is not static stands before the C library's. */
#pragma GCC visibility push(default)

static struct {
        bool on;
        const char *under, *spare;
        size_t n_under;
        int log_fd;
        long at;
        enum how how;
        int error;
} plan;
static atomic_long *counter; /* one for a pass and the processes it forks */

static void *next(const char *name) {
        return dlsym(RTLD_NEXT, name);
}
#define NEXT(name) \
        static __typeof__(name) *real; \
        if (!real) \
        real = (__typeof__(name) *)next(#name)

static void choose(const char *how) {
        static const struct {
                const char *name;
                int error;
        } errors[] = { { "EIO", EIO }, { "ENOSPC", ENOSPC }, { "EROFS", EROFS }, { "EDQUOT", EDQUOT } };

        if (!strcmp(how, "before"))
                plan.how = HOW_BEFORE;
        else if (!strcmp(how, "after"))
                plan.how = HOW_AFTER;
        else if (!strcmp(how, "short"))
                plan.how = HOW_SHORT, plan.error = ENOSPC;
        else
                for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
                        if (!strncmp(how, errors[i].name, strlen(errors[i].name))) {
                                plan.error = errors[i].error;
                                plan.how = how[strlen(errors[i].name)] == '+' ? HOW_FAIL_ON : HOW_FAIL;
                        }
}

/* By its file: one program starts another with its own arguments, the name among them. */
static bool is_program(const char *name) {
        char path[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        const char *slash;

        if (n <= 0)
                return false;
        path[n] = '\0';
        slash = strrchr(path, '/');
        return slash && !strcmp(slash + 1, name);
}

__attribute__((constructor)) static void begin(void) {
        const char *program = getenv("FAULT_PROGRAM"), *log = getenv("FAULT_LOG"), *at = getenv("FAULT_AT"),
                   *how = getenv("FAULT_HOW");

        plan.log_fd = -1;
        plan.under = getenv("FAULT_UNDER");
        plan.spare = getenv("FAULT_SPARE");
        if (!plan.under || !program || !is_program(program))
                return;
        plan.n_under = strlen(plan.under);
        plan.at = at ? strtol(at, NULL, 10) : 0;
        if (how && plan.at > 0)
                choose(how);
        if (log)
                plan.log_fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
        counter = mmap(NULL, sizeof(*counter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        plan.on = counter != MAP_FAILED;
}

/*
 * Which file
 */

static bool path_of_fd(int fd, char path[static PATH_MAX]) {
        char link[64];
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, PATH_MAX - 1);
        path[n < 0 ? 0 : n] = '\0';
        return n > 0;
}

static bool path_at(int dirfd, const char *name, char path[static PATH_MAX]) {
        size_t n;

        if (name[0] == '/')
                return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
        if (dirfd == AT_FDCWD ? !getcwd(path, PATH_MAX) : !path_of_fd(dirfd, path))
                return false;
        n = strlen(path);
        return snprintf(path + n, PATH_MAX - n, "/%s", name) < (int)(PATH_MAX - n);
}

static bool is_below(const char *path, const char *folder, size_t n) {
        return !strncmp(path, folder, n) && path[n] == '/';
}

static bool is_ours(const char *path) {
        const char *p = plan.spare;

        if (!is_below(path, plan.under, plan.n_under))
                return false;
        while (p && *p) {
                size_t n = strcspn(p, ":");

                if (is_below(path, p, n) || (!strncmp(path, p, n) && !path[n]))
                        return false;
                p += n + (p[n] == ':');
        }
        return true;
}

/*
 * Points
 */

struct point {
        bool here; /* it is this one's turn, before the call */
        bool fails;
        bool last; /* the process ends behind the call */
        bool halves;
};

static void note(const char *call, const char *path) {
        char line[PATH_MAX + 64];
        int n = snprintf(line, sizeof(line), "%s %s\n", call, path);

        /* Not through write(): that is a point. */
        if (plan.log_fd >= 0 && n > 0)
                (void)!dprintf(plan.log_fd, "%s", line);
}

static struct point point(const char *call, const char *path) {
        int saved = errno;
        long n;

        if (!plan.on || !is_ours(path)) {
                errno = saved;
                return (struct point){ 0 };
        }
        n = atomic_fetch_add(counter, 1) + 1;
        note(call, path);
        errno = saved;
        if (plan.how == HOW_COUNT || n < plan.at || (n > plan.at && plan.how != HOW_FAIL_ON))
                return (struct point){ 0 };
        if (plan.how == HOW_BEFORE)
                _exit(KILLED);
        /* What removes needs no room. */
        if (plan.error == ENOSPC && (!strncmp(call, "unlink", 6) || !strcmp(call, "rmdir") || !strcmp(call, "fsync")))
                return (struct point){ 0 };
        return (struct point){ .here = true,
                               .fails = plan.how == HOW_FAIL || plan.how == HOW_FAIL_ON,
                               .last = plan.how == HOW_AFTER,
                               .halves = plan.how == HOW_SHORT };
}

static struct point point_fd(const char *call, int fd) {
        char path[PATH_MAX];
        struct stat st;
        int saved = errno;

        if (!plan.on || fd == plan.log_fd || fstat(fd, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) ||
            !path_of_fd(fd, path)) {
                errno = saved;
                return (struct point){ 0 };
        }
        return point(call, path);
}

static struct point point_at(const char *call, int dirfd, const char *name) {
        char path[PATH_MAX];
        int saved = errno;

        if (!plan.on || !path_at(dirfd, name, path)) {
                errno = saved;
                return (struct point){ 0 };
        }
        return point(call, path);
}

#define FAULTY(p, call) \
        do { \
                __typeof__(call) ret_; \
                if ((p).fails) { \
                        errno = plan.error; \
                        return -1; \
                } \
                ret_ = (call); \
                if ((p).last) \
                        _exit(KILLED); \
                return ret_; \
        } while (0)

ssize_t write(int fd, const void *data, size_t size) {
        NEXT(write);
        struct point p = point_fd("write", fd);

        if (p.halves && size > 1)
                return real(fd, data, size / 2);
        if (p.halves) {
                errno = plan.error;
                return -1;
        }
        FAULTY(p, real(fd, data, size));
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
        NEXT(pwrite);
        struct point p = point_fd("pwrite", fd);

        FAULTY(p, real(fd, data, size, at));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
        NEXT(pwrite64);
        struct point p = point_fd("pwrite", fd);

        FAULTY(p, real(fd, data, size, at));
}

int fsync(int fd) {
        NEXT(fsync);
        struct point p = point_fd("fsync", fd);

        FAULTY(p, real(fd));
}

int fdatasync(int fd) {
        NEXT(fdatasync);
        struct point p = point_fd("fsync", fd);

        FAULTY(p, real(fd));
}

int ftruncate(int fd, off_t size) {
        NEXT(ftruncate);
        struct point p = point_fd("ftruncate", fd);

        FAULTY(p, real(fd, size));
}

int ftruncate64(int fd, off64_t size) {
        NEXT(ftruncate64);
        struct point p = point_fd("ftruncate", fd);

        FAULTY(p, real(fd, size));
}

/* Only what makes a file is a change. */
#define OPENS(name, dirfd, path) \
        struct point p = { 0 }; \
        mode_t mode = 0; \
        if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) { \
                va_list list; \
                va_start(list, flags); \
                mode = va_arg(list, mode_t); \
                va_end(list); \
                p = point_at("create", dirfd, path); \
        }

int open(const char *path, int flags, ...) {
        NEXT(open);
        OPENS(open, AT_FDCWD, path);
        FAULTY(p, real(path, flags, mode));
}

int open64(const char *path, int flags, ...) {
        NEXT(open64);
        OPENS(open64, AT_FDCWD, path);
        FAULTY(p, real(path, flags, mode));
}

int openat(int dirfd, const char *path, int flags, ...) {
        NEXT(openat);
        OPENS(openat, dirfd, path);
        FAULTY(p, real(dirfd, path, flags, mode));
}

int openat64(int dirfd, const char *path, int flags, ...) {
        NEXT(openat64);
        OPENS(openat64, dirfd, path);
        FAULTY(p, real(dirfd, path, flags, mode));
}

int rename(const char *from, const char *to) {
        NEXT(rename);
        struct point p = point_at("rename", AT_FDCWD, to);

        FAULTY(p, real(from, to));
}

int renameat(int from_fd, const char *from, int to_fd, const char *to) {
        NEXT(renameat);
        struct point p = point_at("rename", to_fd, to);

        FAULTY(p, real(from_fd, from, to_fd, to));
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags) {
        NEXT(renameat2);
        struct point p = point_at("rename", to_fd, to);

        FAULTY(p, real(from_fd, from, to_fd, to, flags));
}

int link(const char *from, const char *to) {
        NEXT(link);
        struct point p = point_at("link", AT_FDCWD, to);

        FAULTY(p, real(from, to));
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags) {
        NEXT(linkat);
        struct point p = point_at("link", to_fd, to);

        FAULTY(p, real(from_fd, from, to_fd, to, flags));
}

int unlink(const char *path) {
        NEXT(unlink);
        struct point p = point_at("unlink", AT_FDCWD, path);

        FAULTY(p, real(path));
}

int unlinkat(int dirfd, const char *path, int flags) {
        NEXT(unlinkat);
        struct point p = point_at("unlink", dirfd, path);

        FAULTY(p, real(dirfd, path, flags));
}

int rmdir(const char *path) {
        NEXT(rmdir);
        struct point p = point_at("rmdir", AT_FDCWD, path);

        FAULTY(p, real(path));
}

int mkdir(const char *path, mode_t mode) {
        NEXT(mkdir);
        struct point p = point_at("mkdir", AT_FDCWD, path);

        FAULTY(p, real(path, mode));
}

int mkdirat(int dirfd, const char *path, mode_t mode) {
        NEXT(mkdirat);
        struct point p = point_at("mkdir", dirfd, path);

        FAULTY(p, real(dirfd, path, mode));
}
