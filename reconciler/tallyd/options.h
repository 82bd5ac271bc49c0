/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Options: the command line of tallyd. */

#include <stdint.h>

#include "shared/base/fault.h"
#include "shared/base/log.h"

enum options_mode { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_MODE_MAX_ };

/* All borrowed, from argv and the environment. */
struct options {
        const char *config;     /* --config, else $TALLY_CONFIG; NULL: the worker's own default */
        const char *tally;      /* --tally; NULL: beside us, else in PATH */
        const char *run_dir;    /* --run-dir, else $RUNTIME_DIRECTORY, else OPTIONS_RUN_DIR */
        int64_t limit_ms;       /* --limit, a worker may only shorten it; 0: not given */
        enum log_format format; /* --log text|json */
        enum options_mode mode;
};

#define OPTIONS_RUN_DIR "/run/tally"

int options_read(int argc, char **argv, struct options *ret, struct fault *reterr);
/* What --help prints. */
const char *options_help(void);
