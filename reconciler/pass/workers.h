/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Beside: a list of items, worked through by several hands at once where they need not wait for each other
 *
 * A hand is a thread with something of its own to work with. Items are begun in their order; one waits until every
 * earlier one that it must follow has ended well. After the first failure nothing new is begun; what was begun goes on
 * to its end.
 */

#include <stdbool.h>
#include <stddef.h>

enum worker_state { WORKER_WAITING, WORKER_RUNNING, WORKER_DONE, WORKER_FAILED };

struct worker_job {
        size_t n;
        /* Whether @item has to wait for the end of @earlier. Pure; asked by any hand. */
        bool (*follows)(const void *data, size_t item, size_t earlier);
        /* Called by any hand, for different items at a time. 0 or negative. */
        int (*run)(void *data, size_t item, void *tool);
        void *data;
};

/*
 * What became of each item: @states, @work->n of them; BESIDE_WAITING is what was never begun. The first hand is the
 * caller's thread; when the system gives no more threads, fewer hands work. @n_hands is at least 1.
 */
void workers_run(const struct worker_job *work, void *const *tools, size_t n_workers, enum worker_state *states);
