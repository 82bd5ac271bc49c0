/* SPDX-License-Identifier: Apache-2.0 */

/* The moment of a look: how old the world takes what it shows for. */

#include "tests/lib/group.h"
#include "tests/unit/sign/support.h"

#include "reconciler/pass/context.h"
#include "shared/base/clock.h"

#define ANSWER_MS 20

/*
 * A runtime that tells what was so when it was asked, and takes its time to tell it
 */

static int64_t first_asked_at; /* 0: not yet */

static int observe_slowly(struct runtime *rt, const struct workload *wanted, size_t n_wanted, struct arena *a,
                          struct observation *ret, struct fault *reterr) {
        if (!first_asked_at)
                first_asked_at = clock_wall_ms();
        *ret = (struct observation){ .available = true };
        clock_sleep_ms(ANSWER_MS);
        return 0;
}

static void close_nothing(struct runtime *rt) {
}

static const struct runtime_ops slow_ops = {
        .abi = RUNTIME_ABI, .name = "slow", .observe = observe_slowly, .close = close_nothing
};

/*
 * What crashes while the look is made was last seen well when the look began: to count its health up to the end of the
 * look would be to count time in which nobody saw it.
 */
static void a_look_at(size_t n_runtimes) {
        own_scratch struct scratch scratch = scratch_make();
        own_arena struct arena *arena = arena_new();
        const struct config config = { .host = { .text = "web1" } };
        const struct pass_options options = { .dry = true };
        struct runtime runtimes[] = { { .ops = &slow_ops }, { .ops = &slow_ops } };
        struct pass p = { .config = &config, .options = &options, .arena = arena, .state = STATE_INIT };

        first_asked_at = 0;
        assert_fine(state_open(scratch.path, STATE_WRITE, &p.state, &fault));
        for (size_t i = 0; i < n_runtimes; i++)
                p.runtimes[p.n_runtimes++] = &runtimes[i];
        assert_fine(pass_observe(&p, &fault));
        assert_true(first_asked_at > 0);
        assert_true(p.input.now > 0 && p.input.now <= first_asked_at);
        pass_forget_apps(&p);
        state_done(&p.state);
}

static void test_a_look_counts_from_before_the_runtime_was_asked(void **state) {
        a_look_at(1);
}

static void test_a_look_at_several_runtimes_counts_from_before_the_first_was_asked(void **state) {
        a_look_at(2);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_look_counts_from_before_the_runtime_was_asked),
        cmocka_unit_test(test_a_look_at_several_runtimes_counts_from_before_the_first_was_asked),
};

TEST_GROUP(moment, tests);
