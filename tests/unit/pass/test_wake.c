/* SPDX-License-Identifier: Apache-2.0 */

/* When the next pass is due. */

#include "tests/lib/group.h"
#include "tests/unit/sign/support.h"

#include "reconciler/pass/context.h"
#include "shared/base/clock.h"

#define POLL_MS  (60 * 1000)
#define SLACK_MS 500 /* between the two readings of the clock */

/* An app whose instance started so long ago; the app asks for a look at @wake_at. */
static int64_t next_ms(enum health health, int64_t age_ms, int64_t wake_at) {
        const struct config config = { .poll_ms = POLL_MS };
        struct instance instance = { .state = INSTANCE_RUNNING,
                                     .health = health,
                                     .started_at = clock_wall_ms() - age_ms };
        struct app_input app = { .app = "shop", .instances = { .items = &instance, .n = 1 } };
        struct decision_app decided = { .app = "shop", .health = health, .wake_at = wake_at };
        const struct pass p = {
                .config = &config,
                .input.apps = { .items = &app, .n = 1 },
                .decision.apps = { .items = &decided, .n = 1 },
        };

        return pass_next_ms(&p);
}

static void test_what_starts_and_nobody_waits_for_is_looked_at_soon_and_less_and_less_so(void **state) {
        assert_in_range(next_ms(HEALTH_STARTING, 0, 0), 2000, 2000 + SLACK_MS);
        assert_in_range(next_ms(HEALTH_STARTING, 10000, 0), 7000, 7000 + SLACK_MS);
        assert_int_equal(next_ms(HEALTH_STARTING, 3600 * 1000, 0), POLL_MS);
        /* A clock that was set back. */
        assert_int_equal(next_ms(HEALTH_STARTING, -3600 * 1000, 0), 2000);
}

static void test_what_is_well_or_waited_for_needs_no_look_of_its_own(void **state) {
        assert_int_equal(next_ms(HEALTH_HEALTHY, 0, 0), POLL_MS);
        assert_int_equal(next_ms(HEALTH_NONE, 0, 0), POLL_MS);
        assert_int_equal(next_ms(HEALTH_STARTING, 0, 1), POLL_MS);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_starts_and_nobody_waits_for_is_looked_at_soon_and_less_and_less_so),
        cmocka_unit_test(test_what_is_well_or_waited_for_needs_no_look_of_its_own),
};

TEST_GROUP(wake, tests);
