/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "tests/lib/group.h"
#include "tests/lib/temporary.h"

/* Counts down to the call of fsync() that fails; 0: none does. The linker prefers this one to the library's. */
static int failing_fsync;

int fsync(int fd) {
        if (failing_fsync > 0 && --failing_fsync == 0) {
                errno = EIO;
                return -1;
        }
        return (int)syscall(SYS_fsync, fd);
}

struct folder {
        char path[TEMPORARY_MAX];
        int fd;
};

static int setup(void **state) {
        struct folder *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        temporary_make(f->path);
        f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        failing_fsync = 0;
        *state = f;
        return f->fd < 0 ? -1 : 0;
}

static int teardown(void **state) {
        struct folder *f = *state;

        (void)close(f->fd);
        temporary_remove(f->path);
        free(f);
        return 0;
}

static int entries(int dirfd) {
        int n = 0, fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fdopendir(fd);

        assert_non_null(dir);
        for (struct dirent *e; (e = readdir(dir));)
                n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
        (void)closedir(dir);
        return n;
}

static void put(int dirfd, const char *name, const char *text) {
        own_fault struct fault f = FAULT_INIT;

        assert_int_equal(file_write(dirfd, name, text, strlen(text), 0644, &f), 0);
}

static void assert_content(int dirfd, const char *name, const char *text) {
        own_buffer struct buffer b = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;

        assert_int_equal(file_read(dirfd, name, 1024, &b, &f), 0);
        assert_string_equal(buffer_str(&b), text);
}

static void what_is_written_is_read(void **state) {
        struct folder *dir = *state;
        own_buffer struct buffer b = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;

        put(dir->fd, "a", "one");
        put(dir->fd, "a", "two!");
        put(dir->fd, "b", "");
        buffer_puts(&b, "before ");
        assert_int_equal(file_read(dir->fd, "a", 4, &b, &f), 0);
        assert_int_equal(file_read(dir->fd, "b", 0, &b, &f), 0);
        assert_string_equal(buffer_str(&b), "before two!");
        assert_int_equal(entries(dir->fd), 2);
}

static void a_configured_path_is_read_and_written_beside_itself(void **state) {
        struct folder *dir = *state;
        own_fault struct fault f = FAULT_INIT;
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/conf", dir->path);
        assert_int_equal(file_write(AT_FDCWD, path, "x", 1, 0600, &f), 0);
        assert_content(AT_FDCWD, path, "x");
        assert_content(dir->fd, "conf", "x");
        assert_int_equal(file_remove(AT_FDCWD, path, &f), 0);
        assert_int_equal(entries(dir->fd), 0);
}

static void the_mode_is_exact_whatever_the_umask(void **state) {
        struct folder *dir = *state;
        own_fault struct fault f = FAULT_INIT;
        mode_t before = umask(077);
        struct stat st;

        assert_int_equal(file_write(dir->fd, "open", "x", 1, 0644, &f), 0);
        assert_int_equal(file_write(dir->fd, "key", "x", 1, 0600, &f), 0);
        (void)umask(before);
        assert_int_equal(fstatat(dir->fd, "open", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
        assert_int_equal(fstatat(dir->fd, "key", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_missing_file_is_enoent(void **state) {
        struct folder *dir = *state;
        own_buffer struct buffer b = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;

        assert_int_equal(file_read(dir->fd, "none", 10, &b, &f), -ENOENT);
        assert_int_equal(f.kind, FAULT_TRANSIENT);
        assert_int_equal(f.errno_value, ENOENT);
        assert_non_null(strstr(f.message, "'none'"));
}

static void a_file_beyond_the_limit_leaves_no_trace_in_the_buffer(void **state) {
        struct folder *dir = *state;
        own_buffer struct buffer b = BUFFER_INIT, small = { .max = 3 };
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;

        put(dir->fd, "a", "12345");
        buffer_puts(&b, "kept");
        assert_int_equal(file_read(dir->fd, "a", 4, &b, &f), -EFBIG);
        assert_int_equal(f.kind, FAULT_CONFIG);
        assert_non_null(strstr(f.message, "4 bytes"));
        assert_string_equal(buffer_str(&b), "kept");
        assert_int_equal(file_read(dir->fd, "a", 5, &small, &g), -EFBIG);
        assert_int_equal(small.size, 0);
}

static void links_below_a_folder_are_not_followed(void **state) {
        struct folder *dir = *state;
        own_buffer struct buffer b = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        char path[128];
        int fd = -1;

        put(dir->fd, "real", "x");
        assert_int_equal(symlinkat("real", dir->fd, "link"), 0);
        assert_int_equal(symlinkat(".", dir->fd, "loop"), 0);
        assert_int_equal(file_read(dir->fd, "link", 10, &b, &f), -ELOOP);
        assert_true(dir_open(dir->fd, "loop", &fd, &g) < 0);
        assert_int_equal(fd, -1);

        /* The operator's own paths may be links; writing replaces the link, not what it points at. */
        (void)snprintf(path, sizeof(path), "%s/link", dir->path);
        assert_content(AT_FDCWD, path, "x");
        put(dir->fd, "link", "y");
        assert_content(dir->fd, "real", "x");
        assert_content(dir->fd, "link", "y");
}

static void what_is_not_a_regular_file_is_refused_without_waiting(void **state) {
        struct folder *dir = *state;
        own_buffer struct buffer b = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;

        assert_int_equal(mkfifoat(dir->fd, "fifo", 0600), 0);
        assert_int_equal(mkdirat(dir->fd, "sub", 0700), 0);
        assert_int_equal(file_read(dir->fd, "fifo", 10, &b, &f), -EINVAL);
        assert_int_equal(file_read(dir->fd, "sub", 10, &b, &g), -EISDIR);
}

static void a_name_that_is_no_file_is_our_mistake(void **state) {
        struct folder *dir = *state;
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;

        assert_int_equal(file_write(dir->fd, "", "x", 1, 0600, &f), -EINVAL);
        assert_int_equal(f.kind, FAULT_INTERNAL);
        assert_int_equal(file_remove(dir->fd, "sub/", &g), -EINVAL);
}

static void removing_is_idempotent(void **state) {
        struct folder *dir = *state;
        own_fault struct fault f = FAULT_INIT;

        put(dir->fd, "a", "x");
        assert_int_equal(file_remove(dir->fd, "a", &f), 0);
        assert_int_equal(file_remove(dir->fd, "a", &f), 0);
        assert_int_equal(mkdirat(dir->fd, "sub", 0700), 0);
        assert_int_equal(file_remove(dir->fd, "sub", &f), -EISDIR);
}

/* A folder that cannot be written, even by root: one that was removed, one that is a file, one of the kernel's. */
static void an_unwritable_folder_is_a_fault(void **state) {
        struct folder *dir = *state;
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT, h = FAULT_INIT;
        own_fd int gone = -1;

        assert_int_equal(mkdirat(dir->fd, "gone", 0700), 0);
        gone = openat(dir->fd, "gone", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(unlinkat(dir->fd, "gone", AT_REMOVEDIR), 0);
        assert_int_equal(file_write(gone, "a", "x", 1, 0600, &f), -ENOENT);
        put(dir->fd, "plain", "x");
        assert_int_equal(file_write(dir->fd, "plain/a", "x", 1, 0600, &g), -ENOTDIR);
        assert_non_null(strstr(g.message, "'plain/a'"));
        assert_true(file_write(AT_FDCWD, "/proc/self/a", "x", 1, 0600, &h) < 0);
        assert_int_equal(h.kind, FAULT_TRANSIENT);
        assert_non_null(strstr(h.message, "'/proc/self/a'"));
}

static void a_file_that_cannot_be_finished_keeps_the_old_content(void **state) {
        struct folder *dir = *state;
        own_fault struct fault f = FAULT_INIT;
        struct rlimit before;
        char data[8192];

        memset(data, 'n', sizeof(data));
        put(dir->fd, "a", "old");
        (void)signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 4096, before.rlim_max }), 0);
        assert_int_equal(file_write(dir->fd, "a", data, sizeof(data), 0644, &f), -EFBIG);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_non_null(strstr(f.message, "'a'"));
        assert_content(dir->fd, "a", "old");
        assert_int_equal(entries(dir->fd), 1); /* no temporary */
}

static void a_full_disk_keeps_the_old_content(void **state) {
        struct folder *dir = *state;
        own_fault struct fault f = FAULT_INIT;
        own_fd int full = -1;
        static char data[256 * 1024];
        int r;

        /* In a mount namespace of our own, so that nothing is left mounted whatever happens. */
        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tally-test", dir->path, "tmpfs", 0, "size=64k") < 0)
                skip();

        full = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(full >= 0);
        put(full, "a", "old");
        r = file_write(full, "a", data, sizeof(data), 0644, &f);
        assert_content(full, "a", "old");
        assert_int_equal(entries(full), 1);
        own_fd_p(&full);
        assert_int_equal(umount(dir->path), 0);
        assert_int_equal(r, -ENOSPC);
        assert_int_equal(f.kind, FAULT_TRANSIENT);
        assert_non_null(strstr(f.message, "'a'"));
}

static void a_failing_sync_is_told(void **state) {
        struct folder *dir = *state;
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT, h = FAULT_INIT, i = FAULT_INIT;
        int fd = -1;

        put(dir->fd, "a", "old");
        failing_fsync = 1; /* the file's: nothing may replace the old one */
        assert_int_equal(file_write(dir->fd, "a", "new", 3, 0644, &f), -EIO);
        assert_non_null(strstr(f.message, "'a'"));
        assert_content(dir->fd, "a", "old");
        assert_int_equal(entries(dir->fd), 1);

        failing_fsync = 2; /* the folder's: the new one is there, but perhaps not for long */
        assert_int_equal(file_write(dir->fd, "a", "new", 3, 0644, &g), -EIO);
        assert_non_null(strstr(g.message, "folder of 'a'"));
        assert_content(dir->fd, "a", "new");

        failing_fsync = 1;
        assert_int_equal(file_remove(dir->fd, "a", &h), -EIO);
        failing_fsync = 1;
        assert_int_equal(dir_make(dir->fd, "sub", 0700, &fd, &i), -EIO);
        assert_int_equal(fd, -1);
}

/* The writer of the crash test: a file of one letter, then of the other, for ever. */
static void write_for_ever(int dirfd) {
        static char data[200000];

        for (char letter = 'a';; letter = letter == 'a' ? 'b' : 'a') {
                struct fault f = FAULT_INIT;

                memset(data, letter, sizeof(data));
                if (file_write(dirfd, "state", data, sizeof(data), 0600, &f) < 0)
                        _exit(1);
        }
}

static void a_killed_writer_leaves_old_or_new_and_the_sweep_clears_up(void **state) {
        struct folder *dir = *state;
        int left_over = 0;

        for (int round = 0; round < 40; round++) {
                own_buffer struct buffer b = BUFFER_INIT;
                own_fault struct fault f = FAULT_INIT;
                int status = 0, r;
                pid_t pid = fork();

                if (pid == 0)
                        write_for_ever(dir->fd);
                clock_sleep_ms(2 + round % 7);
                assert_int_equal(kill(pid, SIGKILL), 0);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFSIGNALED(status)); /* it was killed, it did not give up */

                r = file_read(dir->fd, "state", 200000, &b, &f);
                if (r == -ENOENT)
                        continue; /* killed before its first rename */
                assert_int_equal(r, 0);
                assert_int_equal(b.size, 200000);
                for (size_t i = 1; i < b.size; i++)
                        assert_true(b.data[i] == b.data[0]);
                left_over += entries(dir->fd) - 1;
                dir_sweep(dir->fd);
                assert_int_equal(entries(dir->fd), 1);
        }
        print_message("swept %d temporaries\n", left_over);
}

static void the_sweep_removes_only_its_own_kind(void **state) {
        struct folder *dir = *state;
        static const char *const kept[] = {
                ".tmp-0123456789abcde",  ".tmp-0123456789abcdef0",
                ".tmp-0123456789abcdeF", ".tmp-",
                "tmp-0123456789abcdef",  "state",
        };

        put(dir->fd, ".tmp-0123456789abcdef", "half");
        for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
                put(dir->fd, kept[i], "x");
        dir_sweep(dir->fd);
        assert_int_equal(entries(dir->fd), 6);
        assert_true(faccessat(dir->fd, ".tmp-0123456789abcdef", F_OK, 0) < 0);
        dir_sweep(-1); /* a folder that is not there has nothing to sweep */
}

static void folders_are_made_with_their_parents(void **state) {
        struct folder *dir = *state;
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT, h = FAULT_INIT;
        own_fd int deep = -1, again = -1, sub = -1;
        int none = -1;
        char path[128];
        struct stat st;

        (void)snprintf(path, sizeof(path), "%s//x/y/z", dir->path);
        assert_int_equal(dir_make(AT_FDCWD, path, 0700, &deep, &f), 0);
        assert_int_equal(fstat(deep, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_int_equal(fcntl(deep, F_GETFD), FD_CLOEXEC);
        assert_int_equal(dir_make(AT_FDCWD, path, 0700, &again, &f), 0);
        assert_int_equal(dir_make(dir->fd, "sub", 0755, &sub, &f), 0);

        put(dir->fd, "plain", "x");
        assert_int_equal(dir_make(dir->fd, "plain", 0755, &none, &g), -ENOTDIR);
        (void)snprintf(path, sizeof(path), "%s/plain/y/z", dir->path);
        assert_int_equal(dir_make(AT_FDCWD, path, 0755, &none, &h), -ENOTDIR);
        assert_int_equal(none, -1);
}

/* A process that holds the lock until it is killed. */
static pid_t hold_lock(int dirfd) {
        int ready[2];
        pid_t pid;
        char c;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                struct fault f = FAULT_INIT;
                int fd;

                if (file_lock(dirfd, "lock", 0, &fd, &f) < 0 || write(ready[1], "x", 1) != 1)
                        _exit(1);
                for (;;)
                        (void)pause();
        }
        (void)close(ready[1]);
        assert_int_equal(read(ready[0], &c, 1), 1);
        (void)close(ready[0]);
        return pid;
}

static void a_held_lock_names_its_holder_and_ends_with_it(void **state) {
        struct folder *dir = *state;
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        own_fd int fd = -1;
        pid_t pid = hold_lock(dir->fd);
        int64_t start = clock_monotonic_ns();
        char expected[64];

        (void)snprintf(expected, sizeof(expected), "process %ld", (long)pid);
        assert_int_equal(file_lock(dir->fd, "lock", 60, &fd, &f), -EWOULDBLOCK);
        assert_true(clock_monotonic_ns() - start >= 60000000);
        assert_non_null(strstr(f.message, expected));
        assert_int_equal(fd, -1);

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        /* The file is still there, and locks nothing. */
        assert_int_equal(file_lock(dir->fd, "lock", 0, &fd, &g), 0);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        (void)snprintf(expected, sizeof(expected), "%ld\n", (long)getpid());
        assert_content(dir->fd, "lock", expected);
}

static void a_waiter_gets_the_lock_when_it_is_released(void **state) {
        struct folder *dir = *state;
        own_fault struct fault f = FAULT_INIT;
        own_fd int fd = -1;
        pid_t holder = hold_lock(dir->fd), killer = fork();
        int status = 0;

        if (killer == 0) {
                clock_sleep_ms(80);
                _exit(kill(holder, SIGKILL) == 0 ? 0 : 1);
        }
        assert_int_equal(file_lock(dir->fd, "lock", 10000, &fd, &f), 0);
        assert_int_equal(waitpid(holder, NULL, 0), holder);
        assert_int_equal(waitpid(killer, &status, 0), killer);
        assert_int_equal(status, 0);
}

static void a_lock_that_tells_no_pid_is_still_held(void **state) {
        struct folder *dir = *state;
        own_fault struct fault f = FAULT_INIT;
        own_fd int fd = -1;
        int other = -1;

        assert_int_equal(file_lock(dir->fd, "lock", 0, &fd, &f), 0);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(file_lock(dir->fd, "lock", 0, &other, &f), -EWOULDBLOCK);
        assert_non_null(strstr(f.message, "'lock'"));
}

static void a_removed_lock_file_is_made_anew(void **state) {
        struct folder *dir = *state;
        own_fault struct fault f = FAULT_INIT;
        own_fd int first = -1, second = -1;

        assert_int_equal(file_lock(dir->fd, "lock", 0, &first, &f), 0);
        assert_int_equal(unlinkat(dir->fd, "lock", 0), 0);
        assert_int_equal(file_lock(dir->fd, "lock", 0, &second, &f), 0);
        assert_int_equal(entries(dir->fd), 1);
}

static void a_lock_that_cannot_be_made_is_a_fault(void **state) {
        struct folder *dir = *state;
        own_fault struct fault f = FAULT_INIT;
        int fd = -1;

        assert_int_equal(mkdirat(dir->fd, "lock", 0700), 0);
        assert_int_equal(file_lock(dir->fd, "lock", 0, &fd, &f), -EISDIR);
        assert_non_null(strstr(f.message, "'lock'"));
}

static void write_all_tells_what_stopped_it(void **state) {
        own_fd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

        assert_int_equal(write_all(full, "x", 1), -ENOSPC);
        assert_int_equal(write_all(full, "x", 0), 0);
        assert_int_equal(write_all(-1, "x", 1), -EBADF);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read),
        TEST(a_configured_path_is_read_and_written_beside_itself),
        TEST(the_mode_is_exact_whatever_the_umask),
        TEST(a_missing_file_is_enoent),
        TEST(a_file_beyond_the_limit_leaves_no_trace_in_the_buffer),
        TEST(links_below_a_folder_are_not_followed),
        TEST(what_is_not_a_regular_file_is_refused_without_waiting),
        TEST(a_name_that_is_no_file_is_our_mistake),
        TEST(removing_is_idempotent),
        TEST(an_unwritable_folder_is_a_fault),
        TEST(a_file_that_cannot_be_finished_keeps_the_old_content),
        TEST(a_failing_sync_is_told),
        TEST(a_killed_writer_leaves_old_or_new_and_the_sweep_clears_up),
        TEST(the_sweep_removes_only_its_own_kind),
        TEST(folders_are_made_with_their_parents),
        TEST(a_held_lock_names_its_holder_and_ends_with_it),
        TEST(a_waiter_gets_the_lock_when_it_is_released),
        TEST(a_lock_that_tells_no_pid_is_still_held),
        TEST(a_removed_lock_file_is_made_anew),
        TEST(a_lock_that_cannot_be_made_is_a_fault),
        TEST(write_all_tells_what_stopped_it),
        /* Last: it leaves the process in a mount namespace of its own. */
        TEST(a_full_disk_keeps_the_old_content),
};

TEST_GROUP(file, tests);
