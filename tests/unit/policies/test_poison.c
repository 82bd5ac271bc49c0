/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "policies/gate.h"
#include "shared/base/reason.h"
#include "tests/lib/group.h"

static struct workload wanted = { .release = "sha256:bad", .version = "2" };
static struct text_at poisoned[] = { { .text = "sha256:bad" } }, used[] = { { .text = "sha256:r1" } };
static struct retry_permission retry[] = {
        { .id = "sha256:r1", .release = "sha256:bad", .principal = "alice", .expires_at = 2000 }
};

static const struct verdict *judge(const struct app_input *app, int64_t now, struct arena *a) {
        struct struct_list verdicts = { .items = NULL };
        struct decision_input world = { .now = now };

        gate_poison.judge(&gate_poison, &world, app, a, &verdicts);
        assert_int_equal(verdicts.n, 1);
        return verdicts.items;
}

static void a_release_that_did_not_fail_may_begin(void **state) {
        own_arena struct arena *a = arena_new();
        const struct app_input app = { .wanted = &wanted };

        assert_int_equal(judge(&app, 1000, a)->verdict, VERDICT_ALLOW);
}

static void a_release_that_failed_may_not(void **state) {
        own_arena struct arena *a = arena_new();
        const struct app_input app = { .wanted = &wanted, .rollout = { .poisoned = { poisoned, 1 } } };
        const struct verdict *v = judge(&app, 1000, a);

        assert_int_equal(v->verdict, VERDICT_DENY);
        assert_int_equal(v->reasons.n, 1);
        assert_ptr_equal(v->reasons.items[0].text, REASON_GATE_POISONED);
        assert_non_null(strstr(v->message, "release 2 failed"));
}

static void a_retry_that_counts_lets_it(void **state) {
        own_arena struct arena *a = arena_new();
        struct app_input app = { .wanted = &wanted,
                                 .rollout = { .poisoned = { poisoned, 1 } },
                                 .retries = { retry, 1 } };
        struct workload other = { .release = "sha256:other", .version = "3" };
        struct text_at both[] = { { .text = "sha256:bad" }, { .text = "sha256:other" } };

        assert_int_equal(judge(&app, 1999, a)->verdict, VERDICT_ALLOW);
        assert_int_equal(judge(&app, 2000, a)->verdict, VERDICT_DENY);
        assert_non_null(strstr(judge(&app, 2000, a)->message, "alice signed expired at 1970-01-01T00:00:02Z"));
        app.rollout.retried = (struct string_list){ used, 1 };
        assert_int_equal(judge(&app, 1000, a)->verdict, VERDICT_DENY);
        assert_non_null(strstr(judge(&app, 1000, a)->message, "alice signed is used up"));

        app.rollout.retried.n = 0;
        app.rollout.poisoned = (struct string_list){ both, 2 };
        app.wanted = &other;
        assert_int_equal(judge(&app, 1000, a)->verdict, VERDICT_DENY);
}

static void a_retry_that_does_not_verify_is_told(void **state) {
        own_arena struct arena *a = arena_new();
        struct refused_retry refused = { .path = "x", .message = "x: nobody signed it" };
        const struct app_input app = {
                .wanted = &wanted,
                .rollout = { .poisoned = { poisoned, 1 } },
                .refused_retries = { &refused, 1 },
        };
        const struct verdict *v = judge(&app, 1000, a);

        assert_int_equal(v->verdict, VERDICT_DENY);
        assert_int_equal(v->reasons.n, 2);
        assert_ptr_equal(v->reasons.items[1].text, REASON_RETRY_INVALID);
        assert_non_null(strstr(v->message, "x: nobody signed it"));
}

static void what_is_not_known_may_not_begin(void **state) {
        own_arena struct arena *a = arena_new();
        const struct app_input app = { .retries = { retry, 1 } };

        assert_int_equal(judge(&app, 1000, a)->verdict, VERDICT_DENY);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_release_that_did_not_fail_may_begin), cmocka_unit_test(a_release_that_failed_may_not),
        cmocka_unit_test(a_retry_that_counts_lets_it),           cmocka_unit_test(a_retry_that_does_not_verify_is_told),
        cmocka_unit_test(what_is_not_known_may_not_begin),
};

TEST_GROUP(poison, tests);
