/* SPDX-License-Identifier: Apache-2.0 */

/* What became of actions: what a rollout remembers of it. */

#include "tests/unit/reconciler/rollouts.h"

#define NOW INT64_C(1800000000000)

static struct arena *a;

static int set_up(void **state) {
        a = arena_new();
        return 0;
}

static int tear_down(void **state) {
        arena_free(a);
        return 0;
}

static void goes_wrong(struct rollout *r, enum action_kind action_kind, enum fault_kind kind, const char *code) {
        const struct action action = { .kind = action_kind, .app = "shop" };
        own_fault struct fault fault = FAULT_INIT;

        fault_set_code(&fault, kind, code, "it went wrong");
        rollout_action_failed(r, &action, &fault, NOW, a);
}

static void test_a_revert_is_loud_when_it_failed_five_times_in_a_row(void **state) {
        struct rollout r = { .app = "shop", .phase = PHASE_REVERTING };
        const struct action start = { .kind = ACTION_START, .app = "shop" };

        for (int n = 0; n < 4; n++)
                goes_wrong(&r, ACTION_START, FAULT_TRANSIENT, NULL);
        assert_int_equal(r.phase, PHASE_REVERTING);
        rollout_action_done(&r, &start, NOW, a);
        for (int n = 0; n < 4; n++)
                goes_wrong(&r, ACTION_START, FAULT_TRANSIENT, NULL);
        assert_int_equal(r.phase, PHASE_REVERTING);
        goes_wrong(&r, ACTION_START, FAULT_TRANSIENT, NULL);
        assert_int_equal(r.phase, PHASE_STUCK);
}

static void test_what_goes_wrong_on_the_way_back_does_not_hide_why_the_release_failed(void **state) {
        struct rollout r = { .app = "shop",
                             .phase = PHASE_REVERTING,
                             .failure_code = REASON_ROLLOUT_EXITED,
                             .failure_text = "web-1 stopped by itself" };
        const struct action start = { .kind = ACTION_START, .app = "shop" };

        goes_wrong(&r, ACTION_STOP, FAULT_TRANSIENT, NULL);
        assert_string_equal(r.failure_code, REASON_ROLLOUT_EXITED);
        assert_string_equal(r.failure_text, "web-1 stopped by itself");
        assert_string_equal(r.trouble, "it went wrong");
        rollout_action_done(&r, &start, NOW, a);
        assert_null(r.trouble);
}

static void test_a_repair_that_pulls_images_does_not_forget_why_the_last_release_failed(void **state) {
        struct rollout r = { .app = "shop",
                             .phase = PHASE_SETTLED,
                             .failure_code = REASON_ROLLOUT_CHECK,
                             .failure_text = "check up failed" };
        const struct action prepare = { .kind = ACTION_PREPARE, .app = "shop" };

        rollout_action_done(&r, &prepare, NOW, a);
        assert_string_equal(r.failure_code, REASON_ROLLOUT_CHECK);
        assert_string_equal(r.failure_text, "check up failed");
        assert_false(r.prepared);
}

/* Whose fault it is decides: not the release's. */
static void test_credentials_an_engine_that_is_away_and_a_world_that_moved_are_no_verdict_on_a_release(void **state) {
        static const struct {
                enum phase phase;
                enum action_kind action_kind;
                enum fault_kind kind;
                const char *code;
                bool dooms;
        } cases[] = {
                { PHASE_PREPARING, ACTION_PREPARE, FAULT_DENIED, REASON_IMAGE_AUTH, false },
                { PHASE_PREPARING, ACTION_PREPARE, FAULT_DENIED, REASON_IMAGE_DIGEST_MISMATCH, true },
                { PHASE_PREPARING, ACTION_PREPARE, FAULT_TRANSIENT, NULL, false },
                { PHASE_STAGING, ACTION_START, FAULT_TRANSIENT, REASON_RUNTIME_UNAVAILABLE, false },
                { PHASE_STAGING, ACTION_START, FAULT_CONFLICT, NULL, false },
                { PHASE_STAGING, ACTION_START, FAULT_TRANSIENT, NULL, true },
                { PHASE_STAGING, ACTION_ROUTE, FAULT_TRANSIENT, NULL, false },
                { PHASE_STAGING, ACTION_ROUTE, FAULT_CONFIG, NULL, true },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct rollout r = { .app = "shop", .phase = cases[i].phase };

                goes_wrong(&r, cases[i].action_kind, cases[i].kind, cases[i].code);
                if (r.doomed != cases[i].dooms)
                        fail_msg("case %zu", i);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_revert_is_loud_when_it_failed_five_times_in_a_row),
                cmocka_unit_test(test_what_goes_wrong_on_the_way_back_does_not_hide_why_the_release_failed),
                cmocka_unit_test(test_a_repair_that_pulls_images_does_not_forget_why_the_last_release_failed),
                cmocka_unit_test(
                        test_credentials_an_engine_that_is_away_and_a_world_that_moved_are_no_verdict_on_a_release),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
