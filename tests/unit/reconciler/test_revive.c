/* SPDX-License-Identifier: Apache-2.0 */

/* What ended with its engine in the middle of a rollout: what of it runs on, and what does not. */

#include "tests/unit/reconciler/steps.h"

static const struct canary_step third[] = { { .weight = 34, .hold_ms = 1000 } };

/* The engine is killed. What was stopped shortly before ended with it, too, as far as anybody can tell. */
static void cut_power(struct rollouts *t) {
        struct instance *items = t->s.instances.items;

        for (size_t i = 0; i < t->s.instances.n; i++)
                if (items[i].state == INSTANCE_RUNNING || items[i].state == INSTANCE_EXITED) {
                        items[i].state = INSTANCE_EXITED;
                        items[i].lost = true;
                        items[i].endpoints.n = 0;
                }
}

/* The engine is killed after so many looks. Another look, and as many of either release run as before. */
static void expect_revived(const struct rollout_settings *settings, int looks) {
        struct rollouts t;
        size_t old, new;

        begin_with(&t, 2, 3, -1);
        want_new(&t, settings, NULL);
        for (int n = 0; n < looks; n++)
                (void)pass_once(&t, 200);
        old = sim_running(&t.s, sim_service(t.old, 1)->spec_digest);
        new = sim_running(&t.s, sim_service(t.new, 1)->spec_digest);
        cut_power(&t);
        if (t.s.app.rollout.phase == PHASE_STAGING || t.s.app.rollout.phase == PHASE_EVALUATING) {
                (void)pass_once(&t, 0);
                assert_int_equal(sim_running(&t.s, sim_service(t.old, 1)->spec_digest), old);
                assert_int_equal(sim_running(&t.s, sim_service(t.new, 1)->spec_digest), new);
        }
        expect_new(&t);
        sim_done(&t.s);
}

static void test_as_many_run_again_of_either_release_as_the_rollout_has_come_to(void **state) {
        for (int strategy = 0; strategy < STRATEGY_MAX_; strategy++)
                for (int order = 0; order < ORDER_MAX_; order++)
                        for (int looks = 1; looks < 30; looks++)
                                expect_revived(&(struct rollout_settings){ .strategy = strategy, .order = order, .max_parallel = 1, .bake_ms = 1000,
                                                                           .steps = { .items = (void *)third, .n = 1 } }, looks);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_as_many_run_again_of_either_release_as_the_rollout_has_come_to),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
