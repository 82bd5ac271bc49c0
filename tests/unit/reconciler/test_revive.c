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

struct running {
        size_t same, old, new, gone;
};

/* How many run of what both releases have, of what changed, of what the new one no longer has. */
static struct running count_running(struct rollouts *t) {
        return (struct running){
                .same = sim_running(&t->s, sim_service(t->old, 0)->spec_digest),
                .old = sim_running(&t->s, sim_service(t->old, 1)->spec_digest),
                .new = sim_running(&t->s, sim_service(t->new, 1)->spec_digest),
                .gone = sim_running(&t->s, sim_service(t->old, 2)->spec_digest),
        };
}

/* Of three services the first stays as it is, the second changes, and the last is not there any more. */
static void begin_changing(struct rollouts *t) {
        make_releases(t, 3, 3, -1);
        sim_service(t->new, 0)->spec_digest = sim_service(t->old, 0)->spec_digest;
        sim_service(t->new, 0)->image = sim_service(t->old, 0)->image;
        t->new->services.n = 2;
        settle_old(t);
        t->s.app.settings.prune = true;
}

static struct instance *first_running(struct rollouts *t, const char *spec) {
        struct instance *items = t->s.instances.items;

        for (size_t i = 0; i < t->s.instances.n; i++)
                if (items[i].state == INSTANCE_RUNNING && str_eq(items[i].spec, spec))
                        return &items[i];
        return NULL;
}

/*
 * The engine is killed after so many looks; one of the old ones may already be up again, or on its way, when somebody
 * looks. Another look, and as many run as before.
 */
static void expect_revived(const struct rollout_settings *settings, int looks) {
        static const enum instance_state already[] = { INSTANCE_EXITED, INSTANCE_RUNNING, INSTANCE_RESTARTING };
        struct rollouts t;
        struct instance *one;
        struct running before, after;

        begin_changing(&t);
        want_new(&t, settings, NULL);
        for (int n = 0; n < looks; n++)
                (void)pass_once(&t, 200);
        before = count_running(&t);
        one = first_running(&t, sim_service(t.old, 1)->spec_digest);
        cut_power(&t);
        if (one && already[looks % 3] != INSTANCE_EXITED) {
                one->state = already[looks % 3];
                one->lost = false;
        }
        if (t.s.app.rollout.phase == PHASE_STAGING || t.s.app.rollout.phase == PHASE_EVALUATING) {
                (void)pass_once(&t, 0);
                if (one && one->state == INSTANCE_RESTARTING)
                        one->state = INSTANCE_RUNNING;
                after = count_running(&t);
                assert_memory_equal(&after, &before, sizeof(after));
        }
        expect_new(&t);
        sim_done(&t.s);
}

static void test_as_many_run_again_of_either_release_as_the_rollout_has_come_to(void **state) {
        for (int strategy = 0; strategy < STRATEGY_MAX_; strategy++)
                for (int order = 0; order < ORDER_MAX_; order++)
                        for (int looks = 1; looks < 30; looks++)
                                expect_revived(&(struct rollout_settings){ .strategy = strategy,
                                                                           .order = order,
                                                                           .max_parallel = 1,
                                                                           .bake_ms = 1000,
                                                                           .steps = { .items = (void *)third,
                                                                                      .n = 1 } },
                                               looks);
}

static void test_what_was_overtaken_does_not_run_again(void **state) {
        struct rollouts t;

        begin_changing(&t);
        want_new(&t,
                 &(struct rollout_settings){ .strategy = STRATEGY_CANARY, .steps = { .items = (void *)third, .n = 1 } },
                 NULL);
        run_until(&t, "check-34", STEP_WAITING);
        sim_want(&t.s, t.next);
        sim_plan(&t.s, &(struct rollout_settings){ .strategy = STRATEGY_ROLLING, .max_parallel = 1 }, NULL);
        (void)pass_once(&t, 100);
        cut_power(&t);
        (void)pass_once(&t, 100);
        assert_int_equal(count_running(&t).new, 0);
        assert_int_equal(count_running(&t).old, 3);
        sim_done(&t.s);
}

static void test_what_made_room_stays_down_while_a_stage_waits_for_its_next_try(void **state) {
        struct rollouts t;
        struct struct_list steps = { .items = NULL };
        struct instance *made_room;

        begin_with(&t, 1, 1, -1);
        (void)sim_check(&t.s, "up", sim_service(t.new, 0), 1000, 1);
        sim_say(&t.s, "up", sim_service(t.new, 0), CHECK_FAIL);
        add_prepare(&t, &steps);
        add_stage(&t, &steps, "all", "prepare", 100)->retries = 1;
        want_new(&t,
                 &(struct rollout_settings){
                         .strategy = STRATEGY_ROLLING, .order = ORDER_STOP_FIRST, .max_parallel = 1 },
                 &steps);
        while (sim_running(&t.s, sim_service(t.new, 0)->spec_digest) == 0)
                (void)pass_once(&t, 100);
        made_room = first_of(&t, sim_service(t.old, 0)->spec_digest);
        assert_int_equal(made_room->state, INSTANCE_EXITED);
        made_room->lost = true;
        while (sim_step_of(&t.s, "all")->attempts == 0)
                (void)pass_once(&t, 100);
        assert_int_equal(sim_state_of(&t.s, "all"), STEP_READY);
        (void)pass_once(&t, 100);
        assert_int_equal(sim_state_of(&t.s, "all"), STEP_READY);
        assert_int_equal(sim_running(&t.s, sim_service(t.old, 0)->spec_digest), 0);
        t.s.sayings.n = 0;
        expect_new(&t);
        sim_done(&t.s);
}

static void refuse_to_start_the_first(struct simulation *s, const struct action *action) {
        assert_false(action->kind == ACTION_START && str_eq(action->service, "svc0000"));
}

/* What the engine says of its end is worth nothing; that its release was settled is. */
static void test_a_migration_that_did_not_change_is_not_run_again_after_a_power_cut(void **state) {
        struct rollouts t;

        make_releases(&t, 2, 1, -1);
        sim_service(t.old, 0)->role = sim_service(t.new, 0)->role = ROLE_MIGRATION;
        sim_service(t.new, 0)->spec_digest = sim_service(t.old, 0)->spec_digest;
        settle_old(&t);
        want_new(&t, &(struct rollout_settings){ .strategy = STRATEGY_ROLLING }, NULL);
        run_until(&t, "stage-100", STEP_WAITING);
        t.s.witness = refuse_to_start_the_first;
        cut_power(&t);
        for (int n = 0; n < 50; n++)
                (void)pass_once(&t, 100);
        assert_string_equal(t.s.app.rollout.current_release, t.new->release);
        sim_done(&t.s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_as_many_run_again_of_either_release_as_the_rollout_has_come_to),
                cmocka_unit_test(test_what_was_overtaken_does_not_run_again),
                cmocka_unit_test(test_what_made_room_stays_down_while_a_stage_waits_for_its_next_try),
                cmocka_unit_test(test_a_migration_that_did_not_change_is_not_run_again_after_a_power_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
