/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/buffer.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/fleet/fleet.h"
#include "tests/lib/group.h"

/* The names of a plan's steps, in order, with spaces between. */
static const char *names(struct arena *a, const struct rollout_settings *settings, bool routed) {
        struct struct_list plan;
        const struct rollout_step *items;
        const char *text = NULL;

        plan_make(settings, NULL, routed, a, &plan);
        items = plan.items;
        for (size_t i = 0; i < plan.n; i++)
                text = text ? arena_printf(a, "%s %s", text, items[i].step.name.text) : items[i].step.name.text;
        return text;
}

static void test_recreate_and_rolling_prepare_and_stage_all(void **state) {
        own_arena struct arena *a = arena_new();

        assert_string_equal(names(a, &(struct rollout_settings){ .strategy = STRATEGY_RECREATE }, true),
                            "prepare stage-100");
        assert_string_equal(names(a, &(struct rollout_settings){ .strategy = STRATEGY_ROLLING }, false),
                            "prepare stage-100");
}

static void test_blue_green_stages_all_beside_then_switches_then_bakes(void **state) {
        own_arena struct arena *a = arena_new();
        struct struct_list plan;
        const struct rollout_step *steps;

        plan_make(&(struct rollout_settings){ .strategy = STRATEGY_BLUE_GREEN, .bake_ms = 7000 }, NULL, false, a,
                  &plan);
        steps = plan.items;
        assert_int_equal(plan.n, 4);
        assert_true(steps[1].step.stage->beside && steps[1].step.stage->weight == 100);
        assert_int_equal(steps[2].step.traffic->weight, 100);
        assert_int_equal(steps[3].step.check->for_ms, 7000);
}

static void test_a_canary_shifts_requests_only_where_a_router_carries_them(void **state) {
        own_arena struct arena *a = arena_new();
        struct canary_step steps[] = { { .weight = 5, .hold_ms = 1000 }, { .weight = 50, .hold_ms = 2000 } };
        struct rollout_settings settings = { .strategy = STRATEGY_CANARY, .steps = { .items = steps, .n = 2 } };

        assert_string_equal(names(a, &settings, true), "prepare stage-5 traffic-5 check-5 stage-50 traffic-50 check-50 "
                                                       "stage-100 traffic-100 check-100");
        assert_string_equal(names(a, &settings, false),
                            "prepare stage-5 check-5 stage-50 check-50 stage-100 check-100");
}

static void test_the_hold_of_the_last_weight_is_kept_when_it_is_given(void **state) {
        own_arena struct arena *a = arena_new();
        struct canary_step steps[] = { { .weight = 5, .hold_ms = 1000 }, { .weight = 100, .hold_ms = 9000 } };
        struct struct_list plan;

        plan_make(&(struct rollout_settings){ .strategy = STRATEGY_CANARY, .steps = { .items = steps, .n = 2 } }, NULL,
                  false, a, &plan);
        assert_int_equal(((struct rollout_step *)plan.items)[plan.n - 1].step.check->for_ms, 9000);
}

/* The weights of the stages of a progression. */
static void expect_weights(enum progression_kind kind, int64_t start, int64_t step, const int64_t *weights, size_t n) {
        own_arena struct arena *a = arena_new();
        struct progression p = { .kind = kind, .start = start, .step = step, .hold_ms = 1000 };
        struct struct_list plan;
        const struct rollout_step *items;
        size_t at = 0;

        plan_make(&(struct rollout_settings){ .strategy = STRATEGY_CANARY, .progression = &p }, NULL, false, a, &plan);
        items = plan.items;
        for (size_t i = 0; i < plan.n; i++)
                if (items[i].step.stage) {
                        assert_in_range(at, 0, n - 1);
                        assert_int_equal(items[i].step.stage->weight, weights[at++]);
                }
        assert_int_equal(at, n);
}

static void test_a_linear_progression_adds_the_same_each_time(void **state) {
        static const int64_t same[] = { 20, 40, 60, 80, 100 }, other[] = { 5, 35, 65, 95, 100 };

        expect_weights(PROGRESSION_LINEAR, 20, 0, same, 5);
        expect_weights(PROGRESSION_LINEAR, 5, 30, other, 5);
}

static void test_an_exponential_progression_multiplies(void **state) {
        static const int64_t twice[] = { 5, 10, 20, 40, 80, 100 }, thrice[] = { 1, 3, 9, 27, 81, 100 };

        expect_weights(PROGRESSION_EXPONENTIAL, 5, 0, twice, 6);
        expect_weights(PROGRESSION_EXPONENTIAL, 1, 3, thrice, 6);
}

static void test_a_fibonacci_progression_adds_the_two_before(void **state) {
        static const int64_t weights[] = { 5, 10, 15, 25, 40, 65, 100 };

        expect_weights(PROGRESSION_FIBONACCI, 5, 0, weights, 7);
}

static void test_any_progression_ends_at_all_of_it(void **state) {
        for (int kind = 0; kind < PROGRESSION_MAX_; kind++)
                for (int64_t start = 1; start <= 100; start++) {
                        own_arena struct arena *a = arena_new();
                        struct progression p = { .kind = kind, .start = start };
                        struct struct_list plan;

                        plan_make(&(struct rollout_settings){ .strategy = STRATEGY_CANARY, .progression = &p }, NULL,
                                  true, a, &plan);
                        assert_in_range(plan.n, 4, 400);
                        assert_int_equal(((struct rollout_step *)plan.items)[plan.n - 3].step.stage->weight, 100);
                }
}

/*
 * Own plans
 */

static struct plan_step *add(struct arena *a, struct struct_list *steps, const char *name) {
        struct plan_step *s = arena_push(a, &steps->items, &steps->n, sizeof(struct plan_step));

        s->name.text = name;
        return s;
}

static struct plan_step *add_stage(struct arena *a, struct struct_list *steps, const char *name, int64_t weight) {
        struct step_stage *stage = arena_new_of(a, struct step_stage);
        struct plan_step *s = add(a, steps, name);

        stage->weight = weight;
        s->stage = stage;
        return s;
}

static void need(struct arena *a, struct plan_step *s, const char *name) {
        s->needs_given = true;
        if (name)
                ((struct text_at *)arena_push(a, &s->needs.items, &s->needs.n, sizeof(struct text_at)))->text = name;
}

static void expect_refused(const struct struct_list *steps, const char *says) {
        own_fault struct fault fault = FAULT_INIT;

        assert_true(plan_check(steps, &fault) < 0);
        assert_non_null(strstr(fault.message, says));
}

static void test_a_circle_is_no_plan(void **state) {
        own_arena struct arena *a = arena_new();
        struct struct_list steps = { .items = NULL };
        struct plan_step *s;

        add(a, &steps, "prepare")->prepare = true;
        s = add_stage(a, &steps, "one", 100);
        need(a, s, "prepare");
        need(a, s, "two");
        need(a, add_stage(a, &steps, "two", 100), "one");
        expect_refused(&steps, "circle");
}

static void test_what_cannot_be_a_plan_is_refused_for_what_is_wrong(void **state) {
        own_arena struct arena *a = arena_new();
        struct struct_list steps = { .items = NULL };

        add(a, &steps, "prepare")->prepare = true;
        add_stage(a, &steps, "half", 50);
        expect_refused(&steps, "the last stage must be 100");

        add_stage(a, &steps, "less", 40);
        expect_refused(&steps, "less than the 50 %");

        steps.n = 2;
        add_stage(a, &steps, "half", 100);
        expect_refused(&steps, "two steps 'half'");

        steps.n = 2;
        need(a, add_stage(a, &steps, "all", 100), "nobody");
        expect_refused(&steps, "no step 'nobody'");

        steps.n = 0;
        add_stage(a, &steps, "all", 100);
        expect_refused(&steps, "no prepare step comes before it");

        steps.n = 0;
        add(a, &steps, "prepare")->prepare = true;
        add_stage(a, &steps, "all", 100)->on_failure = STEP_CONTINUE;
        expect_refused(&steps, "cannot be gone on from");
}

static void test_steps_stand_after_what_they_need_whatever_their_order(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct struct_list steps = { .items = NULL }, plan;
        const struct rollout_step *items;

        need(a, add_stage(a, &steps, "all", 100), "prepare");
        need(a, add(a, &steps, "prepare"), NULL);
        ((struct plan_step *)steps.items)[1].prepare = true;
        add(a, &steps, "tell")->notify.text = "tell";
        assert_int_equal(plan_check(&steps, &fault), 0);
        plan_make(&(struct rollout_settings){ .strategy = STRATEGY_ROLLING }, &steps, false, a, &plan);
        items = plan.items;
        assert_int_equal(plan.n, 3);
        assert_string_equal(items[0].step.name.text, "prepare");
        assert_string_equal(items[1].step.name.text, "all");
        /* Without `needs` it is the one above it. */
        assert_string_equal(items[2].step.name.text, "tell");
        assert_int_equal(items[2].step.needs.n, 1);
        assert_string_equal(items[2].step.needs.items[0].text, "prepare");
}

/*
 * States
 */

static void test_steps_move_as_the_table_says_and_in_no_other_way(void **state) {
        static const char *const legal[STEP_STATE_MAX_] = {
                [STEP_PENDING] = "ready skipped",
                [STEP_READY] = "running skipped",
                [STEP_RUNNING] = "waiting ready succeeded failed cancelled",
                [STEP_WAITING] = "running ready succeeded failed cancelled",
                [STEP_SUCCEEDED] = "",
                [STEP_FAILED] = "",
                [STEP_SKIPPED] = "",
                [STEP_CANCELLED] = "",
        };

        for (int from = 0; from < STEP_STATE_MAX_; from++)
                for (int to = 0; to < STEP_STATE_MAX_; to++)
                        assert_int_equal(plan_may_move(from, to), strstr(legal[from], step_state_names[to]) != NULL);
        assert_false(plan_may_move(STEP_STATE_MAX_, STEP_READY));
        assert_false(plan_may_move(STEP_READY, STEP_STATE_MAX_));
}

static void test_a_plan_survives_its_json(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct canary_step weights[] = { { .weight = 5, .hold_ms = 1500 } };
        struct struct_list plan;
        const struct rollout_step *items;

        plan_make(&(struct rollout_settings){ .strategy = STRATEGY_CANARY, .steps = { .items = weights, .n = 1 } },
                  NULL, true, a, &plan);
        items = plan.items;
        for (size_t i = 0; i < plan.n; i++) {
                struct rollout_step step = items[i], read;
                own_json json_t *json, *again;

                step.state = STEP_WAITING;
                step.attempts = 2;
                step.started_at = step.moved_at = step.since = 1000000000000;
                step.batch = 3;
                step.detail = "what it waits for";
                json = table_write(&rollout_step_table, &step);
                assert_int_equal(table_read_json(&rollout_step_table, "step", json, &read, a, &fault), 0);
                again = table_write(&rollout_step_table, &read);
                assert_true(json_equal(json, again));
        }
}

static void test_the_graph_shows_steps_what_they_need_and_how_far_they_are(void **state) {
        static const char golden[] =
                "digraph \"shop\" {\n"
                "        rankdir=LR;\n"
                "        node [shape=box];\n"
                "        \"prepare\" [label=\"prepare\\nprepare\", style=filled, fillcolor=palegreen];\n"
                "        \"stage-100\" [label=\"stage-100\\nstage\", style=filled, fillcolor=lightblue];\n"
                "        \"prepare\" -> \"stage-100\";\n"
                "        \"traffic-100\" [label=\"traffic-100\\ntraffic\", style=filled, fillcolor=white];\n"
                "        \"stage-100\" -> \"traffic-100\";\n"
                "        \"check-100\" [label=\"check-100\\ncheck\", style=filled, fillcolor=white];\n"
                "        \"traffic-100\" -> \"check-100\";\n"
                "}\n";
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer out = BUFFER_INIT;
        struct struct_list plan;

        plan_make(&(struct rollout_settings){ .strategy = STRATEGY_BLUE_GREEN }, NULL, true, a, &plan);
        ((struct rollout_step *)plan.items)[0].state = STEP_SUCCEEDED;
        ((struct rollout_step *)plan.items)[1].state = STEP_RUNNING;
        plan_dot("shop", &plan, &out);
        assert_string_equal(buffer_str(&out), golden);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recreate_and_rolling_prepare_and_stage_all),
        cmocka_unit_test(test_blue_green_stages_all_beside_then_switches_then_bakes),
        cmocka_unit_test(test_a_canary_shifts_requests_only_where_a_router_carries_them),
        cmocka_unit_test(test_the_hold_of_the_last_weight_is_kept_when_it_is_given),
        cmocka_unit_test(test_a_linear_progression_adds_the_same_each_time),
        cmocka_unit_test(test_an_exponential_progression_multiplies),
        cmocka_unit_test(test_a_fibonacci_progression_adds_the_two_before),
        cmocka_unit_test(test_any_progression_ends_at_all_of_it),
        cmocka_unit_test(test_a_circle_is_no_plan),
        cmocka_unit_test(test_what_cannot_be_a_plan_is_refused_for_what_is_wrong),
        cmocka_unit_test(test_steps_stand_after_what_they_need_whatever_their_order),
        cmocka_unit_test(test_steps_move_as_the_table_says_and_in_no_other_way),
        cmocka_unit_test(test_a_plan_survives_its_json),
        cmocka_unit_test(test_the_graph_shows_steps_what_they_need_and_how_far_they_are),
};

TEST_GROUP(plan, tests);
