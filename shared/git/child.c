/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/buffer.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

#define NS_PER_MS      1000000
#define ALIVE_EVERY_NS (100 * (int64_t)NS_PER_MS)
#define TEXT_MAX       4096 /* of a fault's message or hint on the pipe */
#define CODE_MAX       64

/*
 * On the pipe: any number of ALIVE bytes, then one DONE byte and one struct answer. Both ends are the same
 * program, so the structure goes as it is.
 */
enum mark { ALIVE = 'a', DONE = 'd' };

struct answer {
        int r;
        enum fault_kind kind;
        int errno_value;
        char code[CODE_MAX];
        char message[TEXT_MAX];
        char hint[TEXT_MAX];
        _Alignas(max_align_t) unsigned char result[CHILD_RESULT_MAX];
};

struct child {
        int fd;
        int64_t last;
};

void child_alive(struct child *c) {
        int64_t now = clock_monotonic_ns();
        const char mark = ALIVE;

        if (now - c->last < ALIVE_EVERY_NS)
                return;
        c->last = now;
        /* A full pipe means that the parent has enough signs of life to read. */
        if (write(c->fd, &mark, 1) < 0 && errno == EPIPE)
                _exit(1);
}

/*
 * The child
 */

static void copy_text(char *to, size_t size, const char *from) {
        size_t n = from ? strnlen(from, size - 1) : 0;

        if (n > 0)
                memcpy(to, from, n);
        to[n] = '\0';
}

static void send_answer(int fd, struct answer *a, const struct fault *fault) {
        const char mark = DONE;
        int flags = fcntl(fd, F_GETFL);

        a->kind = fault->kind;
        a->errno_value = fault->errno_value;
        copy_text(a->code, sizeof(a->code), fault->code);
        copy_text(a->message, sizeof(a->message), fault->message);
        copy_text(a->hint, sizeof(a->hint), fault->hint);
        (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
        if (write_all(fd, &mark, 1) == 0)
                (void)write_all(fd, a, sizeof(*a));
}

static _Noreturn void be_child(const struct child_work *work, int fd, pid_t parent) {
        static const int usual[] = { SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGCHLD, SIGALRM };
        struct child c = { .fd = fd };
        struct fault fault = FAULT_INIT;
        struct answer answer;
        sigset_t none;

        /* The parent may be gone before the death signal is set. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(1);
        for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
                (void)signal(usual[i], SIG_DFL);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);

        memset(&answer, 0, sizeof(answer));
        answer.r = work->run(&c, work->data, answer.result, &fault);
        send_answer(fd, &answer, &fault);
        _exit(0);
}

/*
 * The parent
 */

static int start(const struct child_work *work, pid_t *ret_pid, int *ret_fd, struct fault *reterr) {
        own_fd int reader = -1, writer = -1;
        pid_t parent = getpid(), pid;
        int ends[2];

        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "%s: cannot make a pipe", work->what);
        reader = ends[0];
        writer = ends[1];
        pid = fork();
        if (pid < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "%s: cannot start a process", work->what);
        if (pid == 0) {
                (void)close(take_fd(&reader));
                be_child(work, writer, parent);
        }
        *ret_pid = pid;
        *ret_fd = take_fd(&reader);
        return 0;
}

struct watch {
        const struct child_work *work;
        int64_t started, heard; /* monotonic, ns */
        size_t got;             /* of the answer; valid once done */
        bool done;
        struct answer answer;
};

/* Milliseconds until the first of the two time-outs; -1: there is none. */
static int remaining_ms(const struct watch *w) {
        int64_t now = clock_monotonic_ns(), left = INT64_MAX;
        const int64_t limits[2][2] = { { w->work->timeout_ms, w->started }, { w->work->stall_timeout_ms, w->heard } };

        for (size_t i = 0; i < 2; i++)
                if (limits[i][0] > 0 && limits[i][0] * NS_PER_MS - (now - limits[i][1]) < left)
                        left = limits[i][0] * NS_PER_MS - (now - limits[i][1]);
        if (left == INT64_MAX)
                return -1;
        return left <= 0 ? 0 : (int)((left + NS_PER_MS - 1) / NS_PER_MS);
}

static void take_bytes(struct watch *w, const char *bytes, size_t n) {
        size_t room;

        while (n > 0 && !w->done) {
                w->done = *bytes++ == DONE;
                n--;
        }
        room = sizeof(w->answer) - w->got;
        if (n > room)
                n = room;
        if (n > 0)
                memcpy((char *)&w->answer + w->got, bytes, n);
        w->got += n;
}

/* 0: the child has said all it will say. */
static int listen_to(struct watch *w, int fd) {
        char bytes[4096];

        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                int left = remaining_ms(w), r;
                ssize_t n;

                if (left == 0)
                        return -ETIMEDOUT;
                r = poll(&p, 1, left);
                if (r < 0 && errno != EINTR)
                        return -errno;
                if (r <= 0)
                        continue;
                n = read(fd, bytes, sizeof(bytes));
                if (n == 0)
                        return 0;
                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        return -errno;
                if (n > 0) {
                        w->heard = clock_monotonic_ns();
                        take_bytes(w, bytes, (size_t)n);
                }
        }
}

static const char *known_code(const char *code) {
        for (const char *const *p = reason_codes(); *p; p++)
                if (str_eq(*p, code))
                        return *p;
        return NULL;
}

static int take_answer(const struct watch *w, void *ret_result, struct fault *reterr) {
        const struct answer *a = &w->answer;

        if (a->r >= 0) {
                memcpy(ret_result, a->result, w->work->result_size);
                return a->r;
        }
        (void)fault_set(reterr, a->kind, a->errno_value, "%s", a->message);
        reterr->code = known_code(a->code);
        if (a->hint[0])
                fault_hint(reterr, "%s", a->hint);
        return a->r;
}

static int fault_ended(const struct watch *w, int status, struct fault *reterr) {
        int r = -EIO;

        if (WIFSIGNALED(status))
                (void)fault_set(reterr, FAULT_TRANSIENT, 0, "%s: the process for it was ended by signal %d",
                                w->work->what, WTERMSIG(status));
        else
                (void)fault_set(reterr, FAULT_TRANSIENT, 0, "%s: the process for it ended without an answer",
                                w->work->what);
        reterr->code = REASON_FETCH_FAILED;
        return r;
}

static int fault_waiting(const struct watch *w, int r, struct fault *reterr) {
        int64_t now = clock_monotonic_ns();
        bool stalled = w->work->timeout_ms == 0 || now - w->started < (int64_t)w->work->timeout_ms * NS_PER_MS;

        if (r != -ETIMEDOUT)
                return fault_set(reterr, FAULT_TRANSIENT, -r, "%s: cannot wait for it", w->work->what);
        (void)fault_set(reterr, FAULT_TRANSIENT, 0, "%s: %s within %d ms", w->work->what,
                        stalled ? "the other side did nothing" : "it was not done",
                        stalled ? w->work->stall_timeout_ms : w->work->timeout_ms);
        reterr->code = REASON_FETCH_FAILED;
        return r;
}

static int reap(pid_t pid) {
        int status = 0;

        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                continue;
        return status;
}

int child_run(const struct child_work *work, void *ret_result, struct fault *reterr) {
        struct watch w = { .work = work };
        own_fd int fd = -1;
        pid_t pid = -1;
        int r, status;

        assert(work->result_size <= CHILD_RESULT_MAX);
        r = start(work, &pid, &fd, reterr);
        if (r < 0)
                return r;
        w.started = w.heard = clock_monotonic_ns();
        r = listen_to(&w, fd);
        if (r < 0)
                (void)kill(pid, SIGKILL);
        status = reap(pid);
        if (r < 0)
                return fault_waiting(&w, r, reterr);
        if (w.got < sizeof(w.answer))
                return fault_ended(&w, status, reterr);
        return take_answer(&w, ret_result, reterr);
}
