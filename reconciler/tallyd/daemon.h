/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Daemon: the loop round the supervisor's table
 *
 * One sd-event loop, one thread. It wakes up for the poll timer, for signals,
 * and while a worker runs for what that says, its end and its deadline; never
 * otherwise. The watchdog is fed by the same loop: its own timer comes only
 * when nothing else has for half of WatchdogSec.
 */

#include "reconciler/tallyd/options.h"
#include "shared/base/fault.h"

/* Until a worker or --limit says otherwise. */
#define DAEMON_LIMIT_MS      (60 * 60 * INT64_C(1000))
/* How long a worker may go on after we were told to stop, and how long one that was told to end may take to. */
#define DAEMON_GRACE_MS      (10 * INT64_C(1000))
#define DAEMON_LAST_WORDS_MS (5 * INT64_C(1000))

/*
 * Before the lock is taken: who reads our id from it may send signals at once, and none of them may be lost, or
 * end us.
 */
int daemon_block_signals(struct fault *reterr);

/* Run until SIGTERM or SIGINT. @worker: a path, or a name to look up in PATH. The caller holds the lock. */
int daemon_run(const struct options *options, const char *worker, struct fault *reterr);
