/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/tallyd/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/text.h"

/* Where the child keeps the pipe on which it reports why it could not become the worker. */
#define REPORT_FD (WORKER_NEXT_FD + 1)

struct pipe {
        int read, write;
};

static void pipe_done(struct pipe *p) {
        own_fd_p(&p->read);
        own_fd_p(&p->write);
}

#define own_pipe __attribute__((cleanup(pipe_done)))

static int pipe_open(struct pipe *ret) {
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        *ret = (struct pipe){ fds[0], fds[1] };
        return 0;
}

/* Those of our variables that are between the service manager and us. */
static const char *const private_variables[] = {
        "NOTIFY_SOCKET=", "WATCHDOG_PID=", "WATCHDOG_USEC=", "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", NULL,
};

static int variable_is_private(const char *variable) {
        for (const char *const *p = private_variables; *p; p++)
                if (str_after(variable, *p))
                        return 1;
        return 0;
}

/* The array is the caller's, the strings are the environment's. */
static char **worker_environment(void) {
        size_t n = 0, used = 0;
        char **envp;

        while (environ && environ[n])
                n++;
        envp = calloc(n + 1, sizeof(*envp));
        if (!envp)
                return NULL;
        for (size_t i = 0; i < n; i++)
                if (!variable_is_private(environ[i]))
                        envp[used++] = environ[i];
        return envp;
}

static int signals_reset(void) {
        sigset_t none;

        for (int s = 1; s < NSIG; s++)
                if (s != SIGKILL && s != SIGSTOP)
                        (void)signal(s, SIG_DFL);
        (void)sigemptyset(&none);
        return sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Input from nowhere, the two pipes at their places, nothing else that we or our starter left open. */
static int descriptors_place(int next, int report) {
        int null;

        next = fcntl(next, F_DUPFD_CLOEXEC, REPORT_FD + 1);
        report = fcntl(report, F_DUPFD_CLOEXEC, REPORT_FD + 1);
        if (next < 0 || report < 0)
                return -1;
        if (dup2(next, WORKER_NEXT_FD) < 0 || dup3(report, REPORT_FD, O_CLOEXEC) < 0)
                return -1;
        null = open("/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (null < 0 || dup2(null, STDIN_FILENO) < 0)
                return -1;
        return close_range(REPORT_FD + 1, ~0u, 0);
}

/*
 * In the child: exec or _exit, nothing else. The death signal is lost when we are gone before it is set, so the
 * parent is looked at afterwards.
 */
__attribute__((noreturn)) static void become_worker(const char *const *argv, char **envp, int next, int report,
                                                    pid_t parent) {
        int cause;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(EXIT_FAILURE);
        if (setpgid(0, 0) == 0 && signals_reset() == 0 && descriptors_place(next, report) == 0) {
                report = REPORT_FD;
                (void)execvpe(argv[0], (char *const *)argv, envp);
        }
        cause = errno;
        (void)!write(report, &cause, sizeof(cause));
        _exit(EXIT_FAILURE);
}

/* Wait until the child is the worker; else the errno that it died of. */
static int wait_for_exec(pid_t pid, int report) {
        int cause = 0;
        ssize_t n;

        do
                n = read(report, &cause, sizeof(cause));
        while (n < 0 && errno == EINTR);
        if (n == 0)
                return 0;
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return n == (ssize_t)sizeof(cause) && cause > 0 ? -cause : -EIO;
}

static int start(const char *const *argv, struct worker *ret) {
        own_pipe struct pipe next = { -1, -1 }, report = { -1, -1 };
        own_free char **envp = worker_environment();
        pid_t parent = getpid(), pid;
        int r;

        if (!envp)
                return -ENOMEM;
        r = pipe_open(&next);
        if (r == 0)
                r = pipe_open(&report);
        if (r < 0)
                return r;
        if (fcntl(next.read, F_SETFL, O_NONBLOCK) < 0)
                return -errno;

        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                become_worker(argv, envp, next.write, report.write, parent);
        own_fd_p(&report.write);
        r = wait_for_exec(pid, report.read);
        if (r < 0)
                return r;
        *ret = (struct worker){ .pid = pid, .next_fd = take_fd(&next.read) };
        return 0;
}

int worker_start(const char *const *argv, struct worker *ret, struct fault *reterr) {
        int r = start(argv, ret);

        if (r < 0) {
                (void)fault_set(reterr, FAULT_TRANSIENT, -r, "cannot run '%s'", argv[0]);
                if (r == -ENOENT || r == -EACCES)
                        fault_hint(reterr, "is it installed? --tally names another place");
        }
        return r;
}

void worker_signal(const struct worker *w, int signal) {
        if (w->pid > 0)
                (void)kill(-w->pid, signal);
}

void worker_done(struct worker *w) {
        worker_signal(w, SIGKILL);
        w->pid = 0;
        own_fd_p(&w->next_fd);
}
