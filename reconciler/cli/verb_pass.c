/* SPDX-License-Identifier: Apache-2.0 */

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "reconciler/cli/cli.h"
#include "reconciler/cli/progress.h"
#include "reconciler/launcher/show.h"
#include "reconciler/pass/pass.h"
#include "reconciler/launcher/unchanged.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

/* While a rollout's next step is nearer than this, the pass stays. */
#define LINGER_MS (20 * 1000)

/* tallyd's end of the pipe is for us alone. */
static void keep_from_children(const char *text) {
        uint64_t fd;

        if (text && parse_u64(text, &fd) == 0 && fd <= INT_MAX)
                (void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
}

static int print(struct cli *cli, json_t *status, struct fault *reterr) {
        if (cli->json)
                return cli_print_json(cli, json_incref(status), reterr);
        if (!cli->quiet)
                show_status(stdout, status);
        return 0;
}

static int run(struct cli *cli, const struct verb *verb, int *ret_exit, struct fault *reterr) {
        struct cli_progress bar = { .enabled = !cli->quiet && !cli->json && isatty(STDERR_FILENO) };
        const struct progress progress = { .tell = cli_progress_tell, .data = &bar };
        const struct pass_options options = { .progress = &progress, .linger_ms = LINGER_MS, .lock_wait_ms = 1000 };
        struct pass_result result = { .status = NULL };
        struct unchanged_answer answer;
        own_json json_t *status = NULL;
        int r = cli_config(cli, reterr);

        if (r < 0)
                return r;
        /*
         * The small program has asked a local repository already; one behind http is asked here, before libgit2 is
         * started.
         */
        if (unchanged_check(&cli->config, unchanged_tip_http, &answer)) {
                status = answer.status;
                *ret_exit = answer.exit_code;
                show_next(cli_option("next-fd"), answer.next_ms, cli->config.poll_ms, cli->config.pass_limit_ms,
                          status);
                return print(cli, status, reterr);
        }
        keep_from_children(cli_option("next-fd"));
        (void)signal(SIGTERM, pass_interrupt);
        (void)signal(SIGINT, pass_interrupt);
        r = pass_run(&cli->config, &options, cli->arena, &result, reterr);
        cli_progress_done(&bar);
        if (r < 0)
                return r;
        status = result.status;
        show_next(cli_option("next-fd"), result.next_ms, cli->config.poll_ms, cli->config.pass_limit_ms, status);
        *ret_exit = result.exit_code;
        return print(cli, status, reterr);
}

static const struct option_spec options[] = {
        { "next-fd", "N", "tell tallyd on this file descriptor when to come back" },
        { NULL, NULL, NULL },
};

const struct verb verb_pass = {
        .name = "pass",
        .arguments = "",
        .summary = "Run one pass: fetch, verify, load, observe, judge, decide, act, record.",
        .example = "tally pass",
        .options = options,
        .run = run,
};
