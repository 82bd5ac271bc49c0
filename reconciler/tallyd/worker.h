/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Worker: the one child of tallyd
 *
 * It is started in a process group of its own, with /dev/null as input, our output and errors, the write end of
 * a pipe as descriptor WORKER_NEXT_FD, no other descriptor, default signals, and without the variables that
 * speak to us as a service (NOTIFY_SOCKET, WATCHDOG_*, LISTEN_*). It is killed when we die, however we do: two
 * workers never run because of us.
 */

#include <sys/types.h>

#include "shared/base/fault.h"

#define WORKER_NEXT_FD      3
#define WORKER_NEXT_FD_TEXT "3"

struct worker {
        pid_t pid;   /* also its group; 0: none */
        int next_fd; /* non-blocking; -1: none */
};

#define WORKER_INIT ((struct worker){ .pid = 0, .next_fd = -1 })

/* @argv[0] without a slash is looked up in PATH. FAULT_TRANSIENT when it cannot run; nothing is left then. */
int worker_start(const char *const *argv, struct worker *ret, struct fault *reterr);
/* To the whole group. Only before the worker is reaped: its id is another's afterwards. */
void worker_signal(const struct worker *w, int signal);
/* Forget it: the pipe is closed, whatever it left in its group is killed. Does not reap. */
void worker_done(struct worker *w);
