/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/base/process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"

#define TIMEOUT_DEFAULT_MS (60 * 1000)
#define PATH_DEFAULT       "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define READ_CHUNK         (16 * 1024)

/* A running child. It is reaped only after its group was killed, so that the group's id cannot be another's. */
struct child {
        const char *name;
        pid_t pid;    /* 0: not running, or reaped */
        int pidfd;    /* readable once the child has ended */
        int out, err; /* our ends of its pipes; -1 after the end */
        struct process_result result;
};

/* What the child is given as descriptors 0, 1 and 2; ours until it has started. */
struct stdio {
        int in, out, err;
};

static void child_kill(struct child *c) {
        siginfo_t info;

        if (c->pid <= 0)
                return;
        (void)kill(-c->pid, SIGKILL);
        while (waitid(P_PID, (id_t)c->pid, &info, WEXITED) < 0 && errno == EINTR)
                ;
        c->pid = 0;
}

static void child_done(struct child *c) {
        int saved = errno;

        child_kill(c);
        own_fd_p(&c->pidfd);
        own_fd_p(&c->out);
        own_fd_p(&c->err);
        process_result_done(&c->result);
        errno = saved;
}

static void stdio_done(struct stdio *s) {
        own_fd_p(&s->in);
        own_fd_p(&s->out);
        own_fd_p(&s->err);
}

void process_result_done(struct process_result *r) {
        buffer_done(&r->out);
        buffer_done(&r->err);
}

/*
 * Descriptors
 */

/* When our own 0, 1 or 2 is closed, a new descriptor may get that number and be overwritten by a dup2(). */
static int above_stdio(int *fd) {
        int moved;

        if (*fd > STDERR_FILENO)
                return 0;
        moved = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (moved < 0)
                return -errno;
        (void)close(*fd);
        *fd = moved;
        return 0;
}

/*
 * The input as a file in memory: the child reads at its own pace or not at all, and we neither poll for it
 * nor can be killed by SIGPIPE.
 */
static int open_input(const void *input, size_t size, int *ret_fd) {
        own_fd int fd = -1;
        int r;

        fd = input ? memfd_create("input", MFD_CLOEXEC) : open("/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        if (input) {
                r = write_all(fd, input, size);
                if (r < 0)
                        return r;
                if (lseek(fd, 0, SEEK_SET) < 0)
                        return -errno;
        }
        r = above_stdio(&fd);
        if (r < 0)
                return r;
        *ret_fd = take_fd(&fd);
        return 0;
}

/* Only our end does not block: the child's end must behave as programs expect. */
static int open_output(int *ret_ours, int *ret_theirs) {
        own_fd int ours = -1, theirs = -1;
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        ours = fds[0];
        theirs = fds[1];
        r = above_stdio(&ours);
        if (r == 0)
                r = above_stdio(&theirs);
        if (r < 0)
                return r;
        if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        *ret_ours = take_fd(&ours);
        *ret_theirs = take_fd(&theirs);
        return 0;
}

static int open_stdio(const struct process_request *req, struct child *c, struct stdio *s) {
        int r;

        r = open_input(req->input, req->input_size, &s->in);
        if (r < 0)
                return r;
        r = open_output(&c->out, &s->out);
        if (r < 0)
                return r;
        return open_output(&c->err, &s->err);
}

/*
 * Starting. The posix_spawn functions return a positive errno.
 */

static int set_actions(posix_spawn_file_actions_t *actions, const struct stdio *s) {
        int r;

        r = posix_spawn_file_actions_adddup2(actions, s->in, STDIN_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(actions, s->out, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(actions, s->err, STDERR_FILENO);
        /* Ours are close-on-exec; whoever started us may have left others open. */
        if (r == 0)
                r = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
        return r;
}

/* Its own group, and no signal blocked or ignored because we do. */
static int set_attributes(posix_spawnattr_t *attr) {
        sigset_t none, all;
        int r;

        (void)sigemptyset(&none);
        (void)sigfillset(&all);
        r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        if (r == 0)
                r = posix_spawnattr_setpgroup(attr, 0);
        if (r == 0)
                r = posix_spawnattr_setsigmask(attr, &none);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(attr, &all);
        return r;
}

static int spawn(const char *const *argv, char *const *envp, const struct stdio *s, pid_t *ret_pid) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attr;
        int r;

        r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return -r;
        r = posix_spawnattr_init(&attr);
        if (r == 0) {
                r = set_actions(&actions, s);
                if (r == 0)
                        r = set_attributes(&attr);
                if (r == 0)
                        r = posix_spawnp(ret_pid, argv[0], &actions, &attr, (char *const *)argv, envp);
                (void)posix_spawnattr_destroy(&attr);
        }
        (void)posix_spawn_file_actions_destroy(&actions);
        return -r;
}

static int start(const struct process_request *req, const struct stdio *s, pid_t *ret_pid) {
        static const char lang[] = "LANG=C";
        const char *found = getenv("PATH");
        own_free char *path = NULL;
        const char *minimal[3];

        if (req->envp)
                return spawn(req->argv, (char *const *)req->envp, s, ret_pid);
        if (asprintf(&path, "PATH=%s", found && *found ? found : PATH_DEFAULT) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        minimal[0] = path;
        minimal[1] = lang;
        minimal[2] = NULL;
        return spawn(req->argv, (char *const *)minimal, s, ret_pid);
}

static int child_start(struct child *c, const struct process_request *req, struct fault *reterr) {
        __attribute__((cleanup(stdio_done))) struct stdio s = { -1, -1, -1 };
        int r;

        r = open_stdio(req, c, &s);
        if (r < 0)
                return fault_set(reterr, FAULT_TRANSIENT, -r, "cannot prepare to run '%s'", c->name);
        r = start(req, &s, &c->pid);
        if (r < 0) {
                c->pid = 0;
                (void)fault_set(reterr, FAULT_TRANSIENT, -r, "cannot run '%s'", c->name);
                if (r == -ENOENT)
                        fault_hint(reterr, "is '%s' installed, and in PATH?", c->name);
                return r;
        }
        c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
        if (c->pidfd < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot watch '%s'", c->name);
        return 0;
}

/*
 * Running
 */

/* Take what is there now. Closes the pipe at its end. */
static int drain(struct child *c, int *fd, struct buffer *b, const char *what, struct fault *reterr) {
        char chunk[READ_CHUNK];
        int r = 0;

        while (*fd >= 0 && r == 0) {
                ssize_t n = read(*fd, chunk, sizeof(chunk));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        break;
                if (n < 0) {
                        r = fault_set(reterr, FAULT_TRANSIENT, errno, "cannot read what '%s' says", c->name);
                        break;
                }
                if (n == 0) {
                        own_fd_p(fd);
                        break;
                }
                buffer_append(b, chunk, (size_t)n);
                r = buffer_check(b, what, reterr);
        }
        explicit_bzero(chunk, sizeof(chunk)); /* programs print secrets, too */
        return r < 0 && b->failed ? fault_context(reterr, r, "'%s' said too much", c->name) : r;
}

static int drain_both(struct child *c, struct fault *reterr) {
        int r = drain(c, &c->out, &c->result.out, "standard output", reterr);

        return r < 0 ? r : drain(c, &c->err, &c->result.err, "standard error", reterr);
}

/* Until the child has ended, not until its pipes have: what it left in the background may keep those open. */
static int child_run(struct child *c, int timeout_ms, struct fault *reterr) {
        int64_t deadline = clock_monotonic_ns() + (int64_t)timeout_ms * 1000000;
        struct pollfd fds[3] = { { .fd = c->pidfd, .events = POLLIN } };
        int r;

        do {
                int64_t left = deadline - clock_monotonic_ns();

                if (left <= 0)
                        return fault_set(reterr, FAULT_TRANSIENT, ETIMEDOUT, "'%s' was killed after %d ms", c->name,
                                         timeout_ms);
                fds[1] = (struct pollfd){ .fd = c->out, .events = POLLIN };
                fds[2] = (struct pollfd){ .fd = c->err, .events = POLLIN };
                /* Rounded up, or the last millisecond would be spent spinning. */
                if (poll(fds, 3, (int)((left + 999999) / 1000000)) < 0) {
                        if (errno != EINTR)
                                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot wait for '%s'", c->name);
                        fds[0].revents = 0;
                        continue;
                }
                r = drain_both(c, reterr);
                if (r < 0)
                        return r;
        } while (!fds[0].revents);

        return drain_both(c, reterr); /* what came between the last read and the end */
}

/* How it ended. Whatever it left running in its group ends, too. */
static int child_reap(struct child *c, int *ret_exit_code, struct fault *reterr) {
        siginfo_t info = { 0 };

        (void)kill(-c->pid, SIGKILL);
        while (waitid(P_PID, (id_t)c->pid, &info, WEXITED) < 0)
                if (errno != EINTR)
                        return fault_set(reterr, FAULT_INTERNAL, errno, "cannot learn how '%s' ended", c->name);
        c->pid = 0;
        *ret_exit_code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
        return 0;
}

int process_run(const struct process_request *req, struct process_result *ret, struct fault *reterr) {
        size_t limit = req->output_limit ? req->output_limit : LIMIT_PROCESS_OUTPUT;
        __attribute__((cleanup(child_done))) struct child c = {
                .name = req->argv[0],
                .pidfd = -1,
                .out = -1,
                .err = -1,
                .result = { .out = { .max = limit }, .err = { .max = limit } },
        };
        int r;

        assert(req->argv[0] && req->timeout_ms >= 0);

        r = child_start(&c, req, reterr);
        if (r < 0)
                return r;
        r = child_run(&c, req->timeout_ms ? req->timeout_ms : TIMEOUT_DEFAULT_MS, reterr);
        if (r < 0)
                return r;
        r = child_reap(&c, &c.result.exit_code, reterr);
        if (r < 0)
                return r;

        *ret = c.result;
        c.result = (struct process_result){ .exit_code = 0 };
        return 0;
}
