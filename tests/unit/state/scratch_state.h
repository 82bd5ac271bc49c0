/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A state folder of its own for every test. */

#include "tests/unit/sign/support.h"

#include "reconciler/state/state.h"

static struct arena *a;
static struct scratch scratch;
static struct state state = STATE_INIT;

static int set_up(void **unused) {
        a = arena_new();
        scratch = scratch_make();
        state = STATE_INIT;
        return state_open(scratch.path, STATE_WRITE, &state, &(struct fault){ 0 });
}

static int tear_down(void **unused) {
        state_done(&state);
        scratch_remove(&scratch);
        arena_free(a);
        return 0;
}
