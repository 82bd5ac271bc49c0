/* SPDX-License-Identifier: Apache-2.0 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "reconciler/cli/cli.h"
#include "reconciler/cli/progress.h"
#include "reconciler/launcher/show.h"
#include "reconciler/pass/pass.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

#define DEFAULT_TIMEOUT_MS (15 * 60 * 1000)
#define DEFAULT_RUN_DIR    "/run/tally"
#define LOOK_MS            200

/* Set by a signal: the pass that runs ends after its current action, and no other one is begun. */
static volatile sig_atomic_t stopped;

static void stop(int signal) {
        stopped = 1;
        pass_interrupt(signal);
}

/* In slices: a signal must not wait for the next poll. */
static void wait_ms(int64_t ms) {
        for (; ms > 0 && !stopped; ms -= LOOK_MS)
                clock_sleep_ms(ms < LOOK_MS ? ms : LOOK_MS);
}

/* A pass that ended so is not worth another one before something changes. */
static bool is_final(int code, const json_t *status) {
        const char *state = json_get_string(status, "state");

        return code == EXIT_DONE || code == EXIT_REFUSED || code == EXIT_ROLLED_BACK || code == EXIT_USAGE_ERROR ||
               str_eq(state, "blocked");
}

/* The daemon's pid, when one holds its lock; 0: none. */
static pid_t find_daemon(void) {
        const char *given = cli_option("run-dir"), *environment = getenv("RUNTIME_DIRECTORY");
        const char *dir = given ? given : environment && *environment ? environment : DEFAULT_RUN_DIR;
        own_fault struct fault fault = FAULT_INIT;
        own_buffer struct buffer text = BUFFER_INIT;
        own_fd int fd = -1;
        own_fd int lock = -1;
        uint64_t pid = 0;

        if (dir_open(AT_FDCWD, dir, &fd, &fault) < 0 || file_read(fd, "tallyd.lock", 64, &text, &fault) < 0)
                return 0;
        /* A lock that can be had is a dead daemon's. */
        if (file_lock(fd, "tallyd.lock", 0, &lock, &fault) == 0)
                return 0;
        while (text.size > 0 && text.data[text.size - 1] == '\n')
                text.data[--text.size] = '\0';
        return parse_u64(buffer_str(&text), &pid) == 0 && pid > 1 ? (pid_t)pid : 0;
}

static int one_pass(struct cli *cli, int64_t linger_ms, struct pass_result *ret, struct fault *reterr) {
        struct cli_progress bar = { .enabled = !cli->quiet && !cli->json && isatty(STDERR_FILENO) };
        const struct progress progress = { .tell = cli_progress_tell, .data = &bar };
        const struct pass_options options = { .progress = &progress, .linger_ms = linger_ms, .lock_wait_ms = 30000 };
        int r = pass_run(&cli->config, &options, cli->arena, ret, reterr);

        cli_progress_done(&bar);
        return r;
}

static bool worth_waiting(const struct pass_result *result, int64_t now, int64_t until) {
        return now + (result->next_ms < LOOK_MS ? LOOK_MS : result->next_ms) <= until;
}

static int run(struct cli *cli, const struct verb *verb, int *ret_exit, struct fault *reterr) {
        own_json json_t *status = NULL;
        int64_t timeout = 0, until;
        pid_t daemon;
        int r = cli_option_duration("timeout", DEFAULT_TIMEOUT_MS, &timeout, reterr);

        if (r == 0)
                r = cli_config(cli, reterr);
        if (r < 0)
                return r;
        (void)signal(SIGTERM, stop);
        (void)signal(SIGINT, stop);
        until = clock_monotonic_ns() / 1000000 + timeout;

        /* The daemon is told to look at once; its pass and ours take turns through the lock of the state. */
        daemon = find_daemon();
        if (daemon > 0 && kill(daemon, SIGHUP) == 0)
                log_debug("asked tallyd (pid %d) for a pass", (int)daemon);
        for (;;) {
                struct pass_result result = { .status = NULL };
                own_fault struct fault fault = FAULT_INIT;
                int64_t now;

                r = one_pass(cli, until - clock_monotonic_ns() / 1000000, &result, &fault);
                now = clock_monotonic_ns() / 1000000;
                if (r < 0 && (stopped || fault.kind != FAULT_TRANSIENT || now + 1000 > until)) {
                        fault_move(reterr, &fault);
                        return r;
                }
                if (r == 0) {
                        json_decref(status);
                        status = result.status;
                        *ret_exit = result.exit_code;
                        if (stopped || is_final(result.exit_code, status) || !worth_waiting(&result, now, until))
                                break;
                }
                wait_ms(r < 0 ? 1000 : result.next_ms < LOOK_MS ? LOOK_MS : result.next_ms);
        }
        if (cli->json)
                return cli_print_json(cli, json_incref(status), reterr);
        if (!cli->quiet)
                show_status(stdout, status);
        return 0;
}

static const struct option_spec options[] = {
        { "timeout", "D", "give up after this long; default 15m" },
        { "run-dir", "DIR", "where tallyd keeps its lock; default $RUNTIME_DIRECTORY, then /run/tally" },
        { NULL, NULL, NULL },
};

const struct verb verb_sync = {
        .name = "sync",
        .arguments = "",
        .summary = "Run passes until the host is settled, rolled back, refused, or out of time.",
        .example = "tally sync --timeout 5m",
        .options = options,
        .run = run,
};
