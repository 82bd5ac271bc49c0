/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "shared/model/decision_input.h"
#include "tests/lib/group.h"

static struct retry_permission retries[] = {
        { .id = "sha256:a", .release = "sha256:other" },
        { .id = "sha256:b", .release = "sha256:bad", .expires_at = 1000 },
        { .id = "sha256:c", .release = "sha256:bad" },
};

static void a_permission_counts_for_its_release_until_it_expires(void **state) {
        struct app_input app = { .retries = { retries, 3 } };

        assert_string_equal(app_input_retry_for(&app, "sha256:bad", 999)->id, "sha256:b");
        assert_string_equal(app_input_retry_for(&app, "sha256:bad", 1000)->id, "sha256:c");
        assert_string_equal(app_input_retry_for(&app, "sha256:other", 5000)->id, "sha256:a");
        assert_null(app_input_retry_for(&app, "sha256:none", 0));
        assert_null(app_input_retry_for(&app, NULL, 0));
        app.retries.n = 2;
        assert_null(app_input_retry_for(&app, "sha256:bad", 1000));
}

static void a_permission_is_used_once(void **state) {
        struct text_at used[] = { { .text = "sha256:b" }, { .text = "sha256:c" } };
        struct app_input app = { .retries = { retries, 3 }, .rollout = { .retried = { used, 1 } } };

        assert_true(rollout_has_used(&app.rollout, "sha256:b"));
        assert_false(rollout_has_used(&app.rollout, "sha256:c"));
        assert_string_equal(app_input_retry_for(&app, "sha256:bad", 0)->id, "sha256:c");
        app.rollout.retried.n = 2;
        assert_null(app_input_retry_for(&app, "sha256:bad", 0));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_permission_counts_for_its_release_until_it_expires),
        cmocka_unit_test(a_permission_is_used_once),
};

TEST_GROUP(world, tests);
