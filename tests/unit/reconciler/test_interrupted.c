/* SPDX-License-Identifier: Apache-2.0 */

/* What a rollout meets on its way: another release, a clock that is set, a power cut, a kill. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/data/json.h"
#include "tests/lib/simulation.h"

static const char *const V1[] = { "1", "1", "1", "1" }, *const V2[] = { "2", "1", "2", "1" };

/* So many looks, all of whose actions are carried out. */
static void look_and_act(struct simulation *s, int times) {
        for (int n = 0; n < times; n++) {
                struct decision d = sim_decide(s);

                for (size_t i = 0; i < d.actions.n; i++)
                        sim_act(s, (struct action *)d.actions.items + i);
                s->world.now += 100;
        }
}

static void test_a_newer_release_overtakes_one_under_way(void **state) {
        struct simulation s;
        sim_init_settled(&s);
        static const char *const V3[] = { "3", "3" };
        sim_want(&s, sim_workload(&s, "2.0", 2, 1, V2));
        look_and_act(&s, 4);
        sim_want(&s, sim_workload(&s, "3.0", 2, 1, V3));
        assert_true(sim_run(&s, 100));
        assert_true(sim_is_exactly(&s, s.app.wanted));
        sim_done(&s);
}

/* Acts until an instance of @spec is in @wanted; what else the look wanted is left undone, as by a kill. */
static void act_until(struct simulation *s, const char *spec, enum instance_state wanted) {
        for (int n = 0; n < 200; n++) {
                struct decision d = sim_decide(s);

                for (size_t i = 0; i < d.actions.n; i++) {
                        sim_act(s, (struct action *)d.actions.items + i);
                        s->world.now += 10;
                        for (size_t k = 0; k < s->instances.n; k++) {
                                const struct instance *here = (struct instance *)s->instances.items + k;

                                if (str_eq(here->spec, spec) && here->state == wanted)
                                        return;
                        }
                }
                s->world.now += 100;
        }
        fail_msg("no instance is %s", instance_state_names[wanted]);
}

/* Release 2 begins, 3 takes it back, 4 wants it again: what of 2 is left was stopped by us, and did not fail. */
static void test_what_was_stopped_for_another_release_is_no_failure(void **state) {
        struct simulation s;
        sim_init_settled(&s);
        sim_want(&s, sim_workload(&s, "2.0", 2, 1, V2));
        const char *spec = ((const struct workload_service *)s.app.wanted->services.items)->spec_digest;
        act_until(&s, spec, INSTANCE_RUNNING);
        s.world.now += 1000;
        sim_want(&s, sim_workload(&s, "3.0", 2, 1, V1));
        act_until(&s, spec, INSTANCE_EXITED);
        s.world.now += 1000;
        sim_want(&s, sim_workload(&s, "4.0", 2, 1, V2));
        assert_true(sim_run(&s, 100));
        assert_true(sim_is_exactly(&s, s.app.wanted));
        assert_null(s.app.rollout.failure_code);
        assert_int_equal(s.app.rollout.poisoned.n, 0);
        sim_done(&s);
}

/* The first action of a kind on an instance; one past the last when there is none. */
static size_t find_action(const struct decision *d, enum action_kind kind, const char *instance) {
        const struct action *actions = d->actions.items;

        for (size_t i = 0; i < d->actions.n; i++)
                if (actions[i].kind == kind && (!instance || str_eq(actions[i].instance, instance)))
                        return i;
        return d->actions.n;
}

/* Only STOP takes a public name away: what ended by itself carries its own until then. */
static void test_what_ended_by_itself_is_stopped_before_another_takes_its_name(void **state) {
        struct simulation s;
        struct decision d;
        sim_init_settled(&s);
        struct instance *old = s.instances.items;
        const char *id = old->id;
        old->state = INSTANCE_EXITED;
        sim_want(&s, sim_workload(&s, "2.0", 2, 1, V2));
        do {
                d = sim_decide(&s);
                for (size_t i = 0; i < d.actions.n; i++)
                        sim_act(&s, (struct action *)d.actions.items + i);
                s.world.now += 100;
        } while (find_action(&d, ACTION_START, NULL) == d.actions.n);
        assert_true(find_action(&d, ACTION_STOP, id) < find_action(&d, ACTION_START, NULL));

        struct instance *items = s.instances.items;
        for (size_t i = 0; i < s.instances.n; i++)
                if (str_eq(items[i].service, "svc0000") && items[i].state == INSTANCE_RUNNING) {
                        items[i].state = INSTANCE_EXITED;
                        items[i].exit_code = 127;
                        id = items[i].id;
                }
        do
                d = sim_decide(&s);
        while (d.actions.n == 0);
        assert_int_equal(s.app.rollout.phase, PHASE_REVERTING);
        assert_true(find_action(&d, ACTION_STOP, id) < d.actions.n);
        sim_done(&s);
}

static void jump_under_way(int64_t ms) {
        struct simulation s;

        sim_init_settled(&s);
        sim_want(&s, sim_workload(&s, "2.0", 2, 1, V2));
        look_and_act(&s, 3);
        s.world.now += ms;
        assert_true(sim_run(&s, 100));
        assert_true(sim_is_exactly(&s, s.app.wanted));
        sim_done(&s);
}

static void test_clock_set_back_neither_expires_nor_blocks_a_rollout(void **state) {
        jump_under_way(-86400000);
}

static void test_powered_off_host_does_not_count_against_the_deadline(void **state) {
        jump_under_way(86400000);
}

static void test_a_job_that_ran_is_not_run_again_by_a_lost_state(void **state) {
        struct simulation s;
        sim_init_settled(&s);
        /* The state folder is lost: the running instances are adopted, not recreated. */
        s.app.rollout = (struct rollout){ .app = "shop", .intent = -1 };
        s.app.current = NULL;
        int made = s.next_id;
        assert_true(sim_run(&s, 100));
        assert_int_equal(s.next_id, made);
        assert_int_equal(s.app.rollout.phase, PHASE_SETTLED);
        sim_done(&s);
}

/*
 * The property: from any mess, with the pass killed after any action, the host comes to rest at exactly the wanted
 * release, or at exactly the one before it with the wanted one poisoned.
 */
static unsigned long long seed_of(void) {
        const char *text = getenv("TALLY_SEED");
        uint64_t seed = 1;

        return text && parse_u64(text, &seed) == 0 ? seed : 20261123;
}

static uint32_t next_random(uint64_t *state) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        return (uint32_t)(*state >> 33);
}

static void disturb(struct simulation *s, uint64_t *random) {
        struct instance *items = s->instances.items;

        if (s->instances.n == 0)
                return;
        struct instance *i = &items[next_random(random) % s->instances.n];
        switch (next_random(random) % 6) {
        case 0:
                i->state = INSTANCE_EXITED;
                break;
        case 1:
                sim_remove(s, i->id);
                break;
        case 2:
                i->image_matches = false;
                break;
        case 3:
                s->world.now += next_random(random) % 100000;
                break;
        case 4:
                s->world.now -= next_random(random) % 100000;
                break;
        default:
                break;
        }
}

static void test_any_interrupted_rollout_comes_to_rest_at_one_release_exactly(void **state) {
        uint64_t random = seed_of();

        print_message("seed %llu (TALLY_SEED)\n", (unsigned long long)random);
        for (int round = 0; round < 400; round++) {
                struct simulation s;
                size_t n = 1 + next_random(&random) % 4;
                int64_t replicas = 1 + next_random(&random) % 2;

                sim_init(&s);
                s.has_health_check = next_random(&random) % 2;
                struct workload *old = sim_workload(&s, "1.0", n, replicas, V1),
                                *new = sim_workload(&s, "2.0", n, replicas, V2);
                const struct workload_service *services = new->services.items;
                sim_want(&s, old);
                assert_true(sim_run(&s, 200));
                bool breaks = next_random(&random) % 2;
                if (breaks) {
                        s.broken_spec = s.has_health_check ? services[0].spec_digest : NULL;
                        s.crashing_spec = s.has_health_check ? NULL : services[0].spec_digest;
                }
                sim_want(&s, new);
                for (int pass = 0; pass < 30; pass++) {
                        struct decision d = sim_decide(&s);
                        size_t survive = d.actions.n ? next_random(&random) % (d.actions.n + 1) : 0;

                        for (size_t i = 0; i < survive; i++)
                                sim_act(&s, (struct action *)d.actions.items + i);
                        s.world.now += next_random(&random) % 1000;
                        sim_settle(&s);
                        if (next_random(&random) % 10 == 0)
                                disturb(&s, &random);
                }
                /* Long quiet afterwards: back-off runs out, repairs are done. */
                for (int hour = 0; hour == 0 || (hour < 3 && !(sim_is_exactly(&s, new) || sim_is_exactly(&s, old)));
                     hour++) {
                        s.world.now += 3700000;
                        (void)sim_run(&s, 300);
                }
                bool at_new = sim_is_exactly(&s, new) && str_eq(s.app.rollout.current_release, new->release);
                bool at_old = sim_is_exactly(&s, old) && str_eq(s.app.rollout.current_release, old->release) &&
                              rollout_is_poisoned(&s.app.rollout, new->release);
                if (!at_new && !at_old)
                        print_error("round %d: neither release: phase %s, %zu instances\n", round,
                                    phase_names[s.app.rollout.phase], s.instances.n);
                assert_true(at_new || at_old);
                if (breaks)
                        assert_true(at_old);
                sim_done(&s);
        }
}

static void test_world_survives_json_and_decides_the_same(void **state) {
        struct simulation s;
        own_fault struct fault fault = FAULT_INIT;
        sim_init(&s);
        sim_want(&s, sim_workload(&s, "1.0", 3, 1, V1));
        assert_true(sim_run(&s, 100));
        sim_want(&s, sim_workload(&s, "2.0", 3, 1, V2));
        struct rollout before = s.app.rollout;
        struct decision first = sim_decide(&s);
        s.app.rollout = before;
        own_json json_t *json = table_write(&decision_input_table, &s.world);
        struct decision_input back;
        assert_int_equal(table_read_json(&decision_input_table, "world", json, &back, s.arena, &fault), 0);
        struct decision second;
        decide(&back, s.arena, &second);
        own_json json_t *a = table_write(&decision_table, &first), *b = table_write(&decision_table, &second);
        assert_string_equal(digest_of_json(a).text, digest_of_json(b).text);
        sim_done(&s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_newer_release_overtakes_one_under_way),
                cmocka_unit_test(test_what_was_stopped_for_another_release_is_no_failure),
                cmocka_unit_test(test_what_ended_by_itself_is_stopped_before_another_takes_its_name),
                cmocka_unit_test(test_clock_set_back_neither_expires_nor_blocks_a_rollout),
                cmocka_unit_test(test_powered_off_host_does_not_count_against_the_deadline),
                cmocka_unit_test(test_a_job_that_ran_is_not_run_again_by_a_lost_state),
                cmocka_unit_test(test_any_interrupted_rollout_comes_to_rest_at_one_release_exactly),
                cmocka_unit_test(test_world_survives_json_and_decides_the_same),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
