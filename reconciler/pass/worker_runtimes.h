/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Hands: runtimes of one kind for the threads of beside_run() */

#include "providers/runtime/runtime.h"

/*
 * So many at a time. An engine does most of a start one after the other, and takes as long for the last few as for all
 * before when they come late: rather a few too many than a second round for a usual app.
 */
#define PASS_WORKERS 16

/*
 * @n hands, or fewer where the runtime has no more, the first of them @rt itself. How many: at least 1, at most
 * PASS_HANDS.
 */
size_t worker_runtimes_open(struct runtime *rt, size_t n, void *ret_runtimes[PASS_WORKERS]);
void worker_runtimes_close(void *const *tools, size_t n);
