/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/cli/progress.h"

#include <stdio.h>

#include "shared/base/clock.h"

#define REDRAW_NS (100 * INT64_C(1000000))
#define MIB       (1024.0 * 1024.0)

void cli_progress_tell(void *data, const char *what, const char *subject, int64_t done, int64_t total) {
        struct cli_progress *p = data;
        int64_t now = clock_monotonic_ns();

        if (!p->enabled || (p->shown && now - p->told_at_ns < REDRAW_NS))
                return;
        p->told_at_ns = now;
        p->shown = true;
        if (total > 0)
                fprintf(stderr, "\r\033[K%s %.60s  %.1f of %.1f MiB", what, subject, (double)done / MIB,
                        (double)total / MIB);
        else
                fprintf(stderr, "\r\033[K%s %.60s", what, subject);
        (void)fflush(stderr);
}

void cli_progress_done(struct cli_progress *p) {
        if (p->shown)
                fputs("\r\033[K", stderr);
        p->shown = false;
}
