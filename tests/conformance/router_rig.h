/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Router rig: one real router, started for one test, with small servers behind it
 *
 * Which one, and where the script that starts it is, says the environment: TEST_ROUTER, TEST_ROUTER_SH.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "providers/router.h"
#include "shared/base/arena.h"
#include "tests/lib/backends.h"

struct decision_input {
        char dir[64];
        enum router_kind kind;
        struct router_settings settings;
        struct router *router;
        struct arena *arena;
        struct traffic traffic; /* of the app "shop"; weight, listening at @listen */
        int listen, operator_port, admin;
        struct backend a[2], b[2]; /* a0 a1 of the release that serves, b0 b1 of the one that is tried */
};

int world_setup(void **state);
int world_teardown(void **state);

/* Requests really go through it: the one in memory and Traefik's files carry none. */
bool world_carries(const struct decision_input *w);
/*
 * Run a program in the test's environment, what it says into the file @said: its exit code. A daemon that it leaves
 * keeps nothing of ours open.
 */
int rig_run(const char *const *argv, const char *said);
/* start, stop, reload, test */
int world_do(struct decision_input *w, const char *kind);

#define fine(call) \
        do { \
                own_fault struct fault fault = FAULT_INIT; \
                int r_ = (call); \
                expect_fine(r_, &fault); \
        } while (0)
void expect_fine(int r, const struct fault *f);

/* A route of "shop" to the first @n_a of a and @n_b of b. */
struct route route_to(struct decision_input *w, int64_t candidate, size_t n_a, size_t n_b);
void apply(struct decision_input *w, const struct route *route);
struct route_state observe(struct decision_input *w);
/* In force is @route, as it was put there. */
void expect_in_force(struct decision_input *w, const struct route *route);

struct tally {
        int a[2], b[2], failed;
};
/* @n requests, whose path and headers are as given (NULL: / and none). */
struct tally count(struct decision_input *w, int n, const char *path, const char *headers);
void expect_between(int value, int low, int high);
