/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Process: run a program under limits and get what it said
 *
 * posix_spawn with an argv, never a shell. The child gets only the environment
 * given, stdin from @input (or /dev/null), stdout and stderr captured up to a
 * limit, its own process group, and is killed at the time-out.
 */

#include <stddef.h>

#include "shared/base/buffer.h"
#include "shared/base/fault.h"

struct process_request {
        const char *const *argv; /* Required, NULL-terminated; argv[0] is looked up in PATH */
        const char *const *envp; /* NULL: PATH and LANG=C only */
        const void *input;       /* bytes for stdin; NULL: /dev/null */
        size_t input_size;
        int timeout_ms;      /* 0: 60 s */
        size_t output_limit; /* 0: LIMIT_PROCESS_OUTPUT, each of stdout and stderr */
};

struct process_result {
        int exit_code; /* 0..255, or 128 + signal */
        struct buffer out, err;
};

/*
 * 0 when the program ran to its end, whatever its exit code; a fault when it could not start, timed out (-ETIMEDOUT) or
 * said too much.
 */
int process_run(const struct process_request *req, struct process_result *ret, struct fault *reterr);
void process_result_done(struct process_result *r);
#define own_process_result __attribute__((cleanup(process_result_done)))
