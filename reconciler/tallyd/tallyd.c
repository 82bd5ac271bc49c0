/* SPDX-License-Identifier: Apache-2.0 */

/* tallyd: options, the lock, and the loop. */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/journal/journal.h"
#include "reconciler/tallyd/daemon.h"
#include "reconciler/tallyd/options.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/log.h"

#define LOCK_NAME   "tallyd.lock"
#define WORKER_NAME "tally"

/* So that no descriptor of ours gets a number that the worker's input and output are expected at. */
static int open_stdio(struct fault *reterr) {
        int fd;

        do
                fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
        while (fd >= 0 && fd <= STDERR_FILENO);
        if (fd < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot open '/dev/null'");
        (void)close(fd);
        return 0;
}

/* The worker of our own version lies beside us; PATH is for who moved only one of them. */
static int find_worker(const char *given, char **ret, struct fault *reterr) {
        char self[PATH_MAX];
        own_free char *path = NULL;
        ssize_t n;

        if (!given) {
                n = readlink("/proc/self/exe", self, sizeof(self));
                if (n > 0 && (size_t)n < sizeof(self)) {
                        self[n] = '\0';
                        if (asprintf(&path, "%s/" WORKER_NAME, dirname(self)) < 0) {
                                path = NULL;
                                return fault_set_oom(reterr);
                        }
                }
                if (path && access(path, X_OK) == 0) {
                        *ret = take(path);
                        return 0;
                }
                given = WORKER_NAME;
        }
        *ret = strdup(given);
        return *ret ? 0 : fault_set_oom(reterr);
}

/* Held as long as we live; `tally sync` reads our id from it. */
static int lock(const char *run_dir, int *ret_fd, struct fault *reterr) {
        own_fd int dir = -1;
        int r;

        r = dir_make(AT_FDCWD, run_dir, 0755, &dir, reterr);
        if (r < 0)
                return r;
        r = file_lock(dir, LOCK_NAME, 0, ret_fd, reterr);
        if (r == -EWOULDBLOCK)
                fault_hint(reterr, "another tallyd runs with %s; to ask it for a pass: tally sync", run_dir);
        return r < 0 ? fault_context(reterr, r, "%s", run_dir) : 0;
}

static int run(const struct options *options, struct fault *reterr) {
        own_free char *worker = NULL;
        own_fd int lock_fd = -1;
        int r;

        r = daemon_block_signals(reterr);
        if (r < 0)
                return r;
        r = lock(options->run_dir, &lock_fd, reterr);
        if (r < 0)
                return r;
        r = find_worker(options->tally, &worker, reterr);
        if (r < 0)
                return r;
        return daemon_run(options, worker, reterr);
}

int main(int argc, char **argv) {
        own_fault struct fault fault = FAULT_INIT;
        struct options options = { .mode = OPTIONS_RUN };
        int r;

        r = open_stdio(&fault);
        if (r == 0)
                r = options_read(argc, argv, &options, &fault);
        if (r == 0 && options.mode != OPTIONS_RUN) {
                (void)fputs(options.mode == OPTIONS_HELP ? options_help() : "tallyd " PROJECT_VERSION "\n", stdout);
                return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        if (r == 0) {
                log_setup(LOG_LEVEL_INFO, options.format,
                          journal_stream_is(getenv("JOURNAL_STREAM"), STDERR_FILENO) ? journal_sink : NULL);
                r = run(&options, &fault);
        }
        if (r < 0)
                fault_print(stderr, &fault);
        return r < 0 ? fault_exit_code(&fault) : EXIT_SUCCESS;
}
