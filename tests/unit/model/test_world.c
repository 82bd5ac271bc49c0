/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "shared/model/world.h"

static struct world_retry retries[] = {
        { .id = "sha256:a", .release = "sha256:other" },
        { .id = "sha256:b", .release = "sha256:bad", .expires_at = 1000 },
        { .id = "sha256:c", .release = "sha256:bad" },
};

static void a_permission_counts_for_its_release_until_it_expires(void **state) {
        struct world_app app = { .retries = { retries, 3 } };

        assert_string_equal(world_retry_for(&app, "sha256:bad", 999)->id, "sha256:b");
        assert_string_equal(world_retry_for(&app, "sha256:bad", 1000)->id, "sha256:c");
        assert_string_equal(world_retry_for(&app, "sha256:other", 5000)->id, "sha256:a");
        assert_null(world_retry_for(&app, "sha256:none", 0));
        assert_null(world_retry_for(&app, NULL, 0));
        app.retries.n = 2;
        assert_null(world_retry_for(&app, "sha256:bad", 1000));
}

static void a_permission_is_used_once(void **state) {
        own_arena struct arena *a = arena_new();
        struct text_at poisoned[] = { { .text = "sha256:older" }, { .text = "sha256:bad" } };
        struct world_app app = { .retries = { retries, 3 }, .rollout = { .poisoned = { poisoned, 2 } } };
        struct rollout next = app.rollout;

        rollout_use_retry(&next, "sha256:bad", world_retry_for(&app, "sha256:bad", 0)->id, a);
        assert_int_equal(app.rollout.poisoned.n, 2);
        assert_string_equal(poisoned[1].text, "sha256:bad");
        assert_int_equal(app.rollout.retried.n, 0);
        assert_false(rollout_is_poisoned(&next, "sha256:bad"));
        assert_true(rollout_is_poisoned(&next, "sha256:older"));
        assert_true(rollout_has_used(&next, "sha256:b"));

        app.rollout = next;
        assert_string_equal(world_retry_for(&app, "sha256:bad", 0)->id, "sha256:c");
        rollout_use_retry(&app.rollout, "sha256:bad", "sha256:c", a);
        rollout_use_retry(&app.rollout, "sha256:bad", "sha256:c", a);
        assert_int_equal(app.rollout.retried.n, 2);
        assert_null(world_retry_for(&app, "sha256:bad", 0));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_permission_counts_for_its_release_until_it_expires),
                cmocka_unit_test(a_permission_is_used_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
