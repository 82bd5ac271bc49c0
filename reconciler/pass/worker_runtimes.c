/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/pass/worker_runtimes.h"

size_t worker_runtimes_open(struct runtime *rt, size_t n, void *ret_runtimes[PASS_WORKERS]) {
        size_t opened = 1;

        ret_runtimes[0] = rt;
        for (; opened < PASS_WORKERS && opened < n; opened++) {
                own_fault struct fault ignored = FAULT_INIT;
                struct runtime *more = NULL;

                /* Without it fewer work. */
                if (runtime_clone(rt, &more, &ignored) < 0)
                        break;
                ret_runtimes[opened] = more;
        }
        return opened;
}

void worker_runtimes_close(void *const *tools, size_t n) {
        for (size_t i = 1; i < n; i++)
                runtime_close(tools[i]);
}
