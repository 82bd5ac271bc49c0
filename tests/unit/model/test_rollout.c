/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "shared/data/json.h"
#include "shared/model/rollout.h"
#include "tests/lib/group.h"

static int parse(const char *text, struct arena *a, struct rollout *ret, struct fault *reterr) {
        own_json json_t *json = NULL;
        int r = json_parse("rollout", text, strlen(text), &json, reterr);

        return r < 0 ? r : table_read_json(&rollout_table, "rollout", json, ret, a, reterr);
}

static void test_every_phase_has_a_word(void **state) {
        for (enum phase p = 0; p < PHASE_MAX_; p++)
                assert_non_null(phase_names[p]);
        assert_null(phase_names[PHASE_MAX_]);
}

static void test_what_is_written_reads_back_equal(void **state) {
        own_arena struct arena *a = arena_new();
        struct text_at kept[] = { { .text = "c1" }, { .text = "c2" } }, poisoned[] = { { .text = "sha256:bad" } };
        const struct rollout in = {
                .app = "shop",
                .phase = PHASE_EVALUATING,
                .runtime = "docker",
                .release = "sha256:new",
                .version = "2",
                .current_release = "sha256:old",
                .current_version = "1",
                .previous = { kept, 2 },
                .prepared = true,
                .started_at = 1,
                .progress_at = 2,
                .seen_at = 3,
                .routed_at = 4,
                .attempts = 5,
                .retry_at = 6,
                .failure_code = "ROLLOUT_EXITED",
                .failure_text = "it stopped",
                .poisoned = { poisoned, 1 },
                .intent = 7,
                .breaker = { .state = BREAKER_OPEN, .repairs = 8, .next_at = 9 },
        };
        own_json json_t *once = table_write(&rollout_table, &in), *twice = NULL;
        own_fault struct fault f = FAULT_INIT;
        struct rollout out;

        assert_int_equal(table_read_json(&rollout_table, "rollout", once, &out, a, &f), 0);
        twice = table_write(&rollout_table, &out);
        assert_true(json_equal(once, twice));
        assert_int_equal(out.phase, PHASE_EVALUATING);
        assert_int_equal(out.previous.n, 2);
        assert_int_equal(out.intent, 7);
}

static void test_no_intent_is_open_unless_one_is_named(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        struct rollout r;

        assert_int_equal(parse("{\"app\":\"shop\",\"phase\":\"settled\"}", a, &r, &f), 0);
        assert_int_equal(r.intent, -1);
        assert_null(r.release);
}

static void test_a_phase_that_there_is_not_is_refused(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT;
        struct rollout r;

        assert_true(parse("{\"app\":\"shop\",\"phase\":\"drifting\"}", a, &r, &f) < 0);
        assert_int_equal(f.kind, FAULT_CONFIG);
}

static void test_a_release_is_poisoned_by_its_id_alone(void **state) {
        struct text_at poisoned[] = { { .text = "sha256:a" }, { .text = "sha256:b" } };
        const struct rollout r = { .app = "shop", .poisoned = { poisoned, 2 } }, none = { .app = "shop" };

        assert_true(rollout_is_poisoned(&r, "sha256:a"));
        assert_true(rollout_is_poisoned(&r, "sha256:b"));
        assert_false(rollout_is_poisoned(&r, "sha256:c"));
        assert_false(rollout_is_poisoned(&none, "sha256:a"));
}

static void test_it_is_over_when_nothing_is_here_and_nothing_to_remember(void **state) {
        struct text_at ids[] = { { .text = "sha256:a" } };
        struct rollout r = { .app = "shop", .phase = PHASE_ABSENT, .runtime = "docker", .intent = -1 };

        assert_true(rollout_is_over(&r));
        r.intent = 4;
        assert_false(rollout_is_over(&r));
        r.intent = -1;
        r.poisoned = (struct string_list){ ids, 1 };
        assert_false(rollout_is_over(&r));
        r.poisoned = (struct string_list){ .items = NULL };
        r.retried = (struct string_list){ ids, 1 };
        assert_false(rollout_is_over(&r));
        r.retried = (struct string_list){ .items = NULL };
        r.phase = PHASE_SETTLED;
        assert_false(rollout_is_over(&r));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_phase_has_a_word),
        cmocka_unit_test(test_what_is_written_reads_back_equal),
        cmocka_unit_test(test_no_intent_is_open_unless_one_is_named),
        cmocka_unit_test(test_a_phase_that_there_is_not_is_refused),
        cmocka_unit_test(test_a_release_is_poisoned_by_its_id_alone),
        cmocka_unit_test(test_it_is_over_when_nothing_is_here_and_nothing_to_remember),
};

TEST_GROUP(rollout, tests);
