/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A worker that does what a file says, in place of `tally`: fake_worker --config FILE [--log F] pass --next-fd 3
 *
 * FILE, read anew at every start, has one command a line:
 *
 *     log PATH      append "start <CLOCK_MONOTONIC in ms> <pid>" to PATH, and every command after it
 *     say TEXT      a line to the supervisor
 *     raw TEXT      the same without a line end
 *     sleep MS
 *     ignore-term   SIGTERM does nothing from here on
 *     orphan PATH   leave a child behind that sleeps; its pid goes to PATH
 *     exit CODE
 *     crash         die of SIGSEGV
 *
 * What a worker must not inherit is logged as "inherited …".
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/text.h"

#define NEXT_FD 3

static void fail(const char *what) {
        (void)fprintf(stderr, "fake_worker: %s: %s\n", what, strerror(errno));
        exit(99);
}

static long long now_ms(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static long long number(const char *s) {
        uint64_t v = 0;

        if (parse_u64(s, &v) < 0 || v > 1000000) {
                errno = EINVAL;
                fail(s);
        }
        return (long long)v;
}

static void pause_ms(long long ms) {
        struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

        while (nanosleep(&t, &t) < 0 && errno == EINTR)
                ;
}

static void note_descriptors(FILE *log) {
        DIR *d = opendir("/proc/self/fd");
        struct dirent *e;

        if (!d)
                fail("/proc/self/fd");
        while ((e = readdir(d))) {
                uint64_t fd;

                if (parse_u64(e->d_name, &fd) == 0 && fd > NEXT_FD && (int)fd != dirfd(d) && (int)fd != fileno(log) &&
                    !(fcntl((int)fd, F_GETFD) & FD_CLOEXEC))
                        (void)fprintf(log, "inherited descriptor %s\n", e->d_name);
        }
        (void)closedir(d);
}

static void note_inherited(FILE *log) {
        static const char *const unwanted[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID" };
        sigset_t blocked;

        for (size_t i = 0; i < sizeof(unwanted) / sizeof(*unwanted); i++)
                if (getenv(unwanted[i]))
                        (void)fprintf(log, "inherited %s\n", unwanted[i]);
        (void)sigprocmask(SIG_SETMASK, NULL, &blocked);
        for (int s = 1; s < NSIG; s++)
                if (sigismember(&blocked, s) == 1)
                        (void)fprintf(log, "inherited a mask with signal %d\n", s);
        if (getpgrp() != getpid())
                (void)fprintf(log, "inherited a process group\n");
        note_descriptors(log);
}

static FILE *open_log(const char *path) {
        FILE *f = fopen(path, "ae");

        if (!f)
                fail(path);
        setvbuf(f, NULL, _IOLBF, 0);
        (void)fprintf(f, "start %lld %d\n", now_ms(), (int)getpid());
        note_inherited(f);
        return f;
}

static void say(const char *text, const char *end) {
        if (dprintf(NEXT_FD, "%s%s", text, end) < 0)
                fail("descriptor 3");
}

static void leave_orphan(const char *path) {
        own_file FILE *f = fopen(path, "we");
        pid_t pid = fork();

        if (!f || pid < 0)
                fail(path);
        if (pid == 0) {
                pause_ms(600000);
                _exit(0);
        }
        (void)fprintf(f, "%d\n", (int)pid);
}

static void crash(void) {
        struct rlimit none = { 0, 0 };

        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGSEGV, SIG_DFL);
        (void)raise(SIGSEGV);
}

static void perform(const char *kind, const char *rest) {
        if (str_eq(kind, "say"))
                say(rest, "\n");
        else if (str_eq(kind, "raw"))
                say(rest, "");
        else if (str_eq(kind, "sleep"))
                pause_ms(number(rest));
        else if (str_eq(kind, "ignore-term"))
                (void)signal(SIGTERM, SIG_IGN);
        else if (str_eq(kind, "orphan"))
                leave_orphan(rest);
        else if (str_eq(kind, "exit"))
                exit((int)number(rest));
        else if (str_eq(kind, "crash"))
                crash();
        else {
                errno = EINVAL;
                fail(kind);
        }
}

/* The file named by --config, when we are called the way that tallyd calls its worker. */
static const char *script(int argc, char **argv) {
        if (argc == 6 && str_eq(argv[1], "--config") && str_eq(argv[3], "pass") && str_eq(argv[4], "--next-fd") &&
            str_eq(argv[5], "3"))
                return argv[2];
        errno = EINVAL;
        fail("arguments");
        return NULL;
}

int main(int argc, char **argv) {
        const char *path = script(argc, argv);
        own_file FILE *f = fopen(path, "re");
        own_file FILE *log = NULL;
        char line[4096];

        if (!f)
                fail(path);
        while (fgets(line, sizeof(line), f)) {
                char *rest;

                line[strcspn(line, "\n")] = '\0';
                rest = line + strcspn(line, " ");
                if (*rest)
                        *rest++ = '\0';
                if (str_eq(line, "log")) {
                        log = open_log(rest);
                        continue;
                }
                if (log)
                        (void)fprintf(log, "%s %s\n", line, rest);
                perform(line, rest);
        }
        return EXIT_SUCCESS;
}
