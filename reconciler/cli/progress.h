/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One line on a terminal that says what is pulled and how far it is. */

#include <stdbool.h>
#include <stdint.h>

struct cli_progress {
        bool enabled;
        bool shown; /* a line stands there */
        int64_t told_at_ns;
};

/* For struct progress; @data is a struct cli_progress. */
void cli_progress_tell(void *data, const char *what, const char *subject, int64_t done, int64_t total);
/* Take the line away. */
void cli_progress_done(struct cli_progress *p);
