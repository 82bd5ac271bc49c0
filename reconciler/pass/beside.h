/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Beside: a list of items, worked through by several hands at once where they need not wait for each other
 *
 * A hand is a thread with something of its own to work with. Items are begun in their order; one waits until every earlier one that it must
 * follow has ended well. After the first failure nothing new is begun; what was begun goes on to its end.
 */

#include <stdbool.h>
#include <stddef.h>

enum beside_state { BESIDE_WAITING, BESIDE_RUNNING, BESIDE_DONE, BESIDE_FAILED };

struct beside_work {
        size_t n;
        /* Whether @item has to wait for the end of @earlier. Pure; asked by any hand. */
        bool (*follows)(const void *data, size_t item, size_t earlier);
        /* Called by any hand, for different items at a time. 0 or negative. */
        int (*run)(void *data, size_t item, void *hand);
        void *data;
};

/*
 * What became of each item: @states, @work->n of them; BESIDE_WAITING is what was never begun. The first hand is the caller's thread; when the
 * system gives no more threads, fewer hands work. @n_hands is at least 1.
 */
void beside_run(const struct beside_work *work, void *const *hands, size_t n_hands, enum beside_state *states);
