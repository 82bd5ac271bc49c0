/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Property: whatever befalls an app, the invariants of watch.c hold, and it comes to rest at exactly one release.
 *
 *      TALLY_SEED     where the random numbers begin; printed
 *      TALLY_ROUND    only this round of it, told look by look
 *      TALLY_STEPS    how many looks altogether; default 200000
 *      TALLY_TROUBLES only these kinds, as bits: what a failure prints
 *
 * A round that fails is told again with fewer kinds of troubles, as long as it still fails.
 */

#include "tests/simulation/story.h"

#include <stdio.h>
#include <time.h>

/* The rounds that begin within so many looks are judged thoroughly; of the others a sample is. */
#define THOROUGH 1000

static uint64_t number(const char *name, uint64_t otherwise) {
        const char *text = getenv(name);
        uint64_t n;

        return text && parse_u64(text, &n) == 0 ? n : otherwise;
}

static bool tell(struct story *t, uint64_t seed, uint64_t round, uint32_t troubles) {
        bool well;

        story_begin(t, seed, round, troubles);
        well = story_tell(t);
        story_end(t);
        return well;
}

/* The fewest kinds of troubles with which it still fails. */
static uint32_t shrink(struct story *t, uint64_t seed, uint64_t round, uint32_t troubles) {
        for (int i = 0; i < TROUBLE_MAX_; i++)
                if ((troubles & (1u << i)) && !tell(t, seed, round, troubles & ~(1u << i)))
                        troubles &= ~(1u << i);
        (void)tell(t, seed, round, troubles);
        return troubles;
}

static void report(struct story *t, uint64_t seed, uint64_t round, uint32_t troubles) {
        print_error("%s\n    TALLY_SEED=%llu TALLY_ROUND=%llu TALLY_TROUBLES=%u, which is:", t->failure,
                    (unsigned long long)seed, (unsigned long long)round, troubles);
        for (int i = 0; i < TROUBLE_MAX_; i++)
                if (troubles & (1u << i))
                        print_error(" %s", trouble_names[i]);
        print_error("\n");
}

static int64_t spent_ms(void) {
        struct timespec at;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
        return at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static void test_any_story_keeps_the_invariants_and_comes_to_rest_at_one_release(void **state) {
        uint64_t seed = number("TALLY_SEED", 20261123), only = number("TALLY_ROUND", UINT64_MAX), looks = 0;
        uint64_t steps = number("TALLY_STEPS", 200000), round = only == UINT64_MAX ? 0 : only, failures = 0;
        uint32_t troubles = (uint32_t)number("TALLY_TROUBLES", (1u << TROUBLE_MAX_) - 1);
        int64_t began = spent_ms();
        struct story t = { .verbose = only != UINT64_MAX };

        print_message("seed %llu (TALLY_SEED)\n", (unsigned long long)seed);
        do {
                t.thorough = only != UINT64_MAX || looks < THOROUGH;
                if (!tell(&t, seed, round, troubles)) {
                        report(&t, seed, round, t.verbose ? troubles : shrink(&t, seed, round, troubles));
                        failures++;
                }
                looks += (uint64_t)t.looks;
                round++;
        } while (only == UINT64_MAX && looks < steps && failures < number("TALLY_FAILURES", 1));
        print_message("%llu looks in %llu rounds, %lld ms of processor time\n", (unsigned long long)looks,
                      (unsigned long long)round, (long long)(spent_ms() - began));
        assert_int_equal(failures, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_any_story_keeps_the_invariants_and_comes_to_rest_at_one_release),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
