/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The command line: `tally [--config FILE] [--json] [--quiet] VERB …`
 *
 * One file per verb, each with one `struct verb`. A verb writes its answer to stdout, one JSON document with --json,
 * and returns an exit code; what went wrong is a fault, which main() prints once to stderr (with --json as a document,
 * too).
 */

#include <jansson.h>
#include <stdbool.h>

#include "reconciler/config/config.h"
#include "shared/base/arena.h"
#include "shared/base/fault.h"

/* What a run of the program ends with. Fixed. */
enum exit_code {
        EXIT_DONE = 0,        /* done, converged, no difference, verified */
        EXIT_RETRY = 1,       /* it failed and may work later: network, runtime, disk */
        EXIT_USAGE_ERROR = 2, /* usage, configuration or invalid documents */
        EXIT_PENDING = 3,     /* not there yet: differences, or a rollout that waits */
        EXIT_REFUSED = 4,     /* signature, gate or evidence */
        EXIT_ROLLED_BACK = 5, /* rolled back, or the release is poisoned */
};

struct cli {
        const char *config_option; /* --config, or NULL */
        bool json;
        bool quiet;           /* no progress, no summaries: only the answer and faults */
        struct arena *arena;  /* of the run */
        struct config config; /* read by cli_config() */
        bool configured;
};

/* An option of a verb. Long names only, "--name value", "--name=value" or "--flag". */
struct option_spec {
        const char *name;     /* without dashes; the list ends with NULL */
        const char *argument; /* "FILE"; NULL: a flag */
        const char *doc;
};

struct verb {
        const char *name;
        const char *arguments;             /* "[DIR]", for the usage line; "" when there are none */
        const char *summary;               /* one line */
        const char *example;               /* one command line that works */
        const struct option_spec *options; /* NULL: none */
        int max_arguments;                 /* positional; -1: any number */
        int min_arguments;
        int (*run)(struct cli *cli, const struct verb *verb, int *ret_exit, struct fault *reterr);
};

/* Set by cli_main() from the command line before run(). */
struct arguments {
        const char *const *positional; /* NULL-terminated */
        int n;
};
const struct arguments *cli_arguments(void);
/* The value of --name, "" for a flag that was given, NULL when it was not. */
const char *cli_option(const char *name);
/* A duration option: @otherwise when absent. FAULT_CONFIG when malformed. */
int cli_option_duration(const char *name, int64_t otherwise, int64_t *ret_ms, struct fault *reterr);

/* Read the configuration once; verbs that need it call this first. */
int cli_config(struct cli *cli, struct fault *reterr);

/* Print a JSON document to stdout (pretty for a terminal, one line otherwise) and release it. */
int cli_print_json(struct cli *cli, json_t *document, struct fault *reterr);

/* Every verb, in the order of the help; ended by NULL. */
extern const struct verb *const verb_table[];

extern const struct verb verb_check, verb_diff, verb_doctor, verb_explain, verb_history, verb_init, verb_lock,
        verb_pass, verb_replay, verb_retry, verb_schema, verb_status, verb_sync, verb_version;

int cli_main(int argc, char **argv);
