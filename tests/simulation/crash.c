/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Crash enumeration: for every strategy, a good and a bad release, the pass is killed at every point where it could be
 * (before and after every state write and every effect), and starts again from what was persisted and what runs. The
 * invariants of watch.c hold all the time, and it comes to rest at exactly the old or the new release.
 *
 *      TALLY_CASE, TALLY_POINT   only this case, killed only there, told look by look; printed by what fails
 */

#include "tests/simulation/story.h"

struct way {
        const char *name;
        enum rollout_strategy strategy;
        enum rollout_order order;
        bool own_plan;
};

static const struct way ways[] = {
        { "recreate", STRATEGY_RECREATE, ORDER_AUTO, false },
        { "rolling", STRATEGY_ROLLING, ORDER_AUTO, false },
        { "rolling stop-first", STRATEGY_ROLLING, ORDER_STOP_FIRST, false },
        { "canary", STRATEGY_CANARY, ORDER_AUTO, false },
        { "blue-green", STRATEGY_BLUE_GREEN, ORDER_AUTO, false },
        { "own plan", STRATEGY_ROLLING, ORDER_AUTO, true },
};

static const enum mood moods[] = { MOOD_GOOD, MOOD_ILL, MOOD_JOB_FAILS, MOOD_CHECK_FAILS };
#define N_WAYS  (sizeof(ways) / sizeof(ways[0]))
#define N_MOODS (sizeof(moods) / sizeof(moods[0]))

/* What a kill takes along. */
enum cut {
        CUT_PASS,  /* the pass alone */
        CUT_TWICE, /* … and the next one soon after */
        CUT_POWER, /* everything: what ran starts again when the host does, or not */
        CUT_MAX_,
};
static const char *const cut_names[] = { "killed", "killed twice", "power cut" };

static uint64_t number(const char *name, uint64_t otherwise) {
        const char *text = getenv(name);
        uint64_t n;

        return text && parse_u64(text, &n) == 0 ? n : otherwise;
}

/* The host boots: every other container is started again by its restart policy, at another port. */
static void boot(struct story *t) {
        struct instance *items = t->sim.instances.items;

        watch_taken(t);
        for (size_t i = 0; i < t->sim.instances.n; i++) {
                struct sim_life *life = sim_life(&t->sim, items[i].id);

                if (items[i].state != INSTANCE_RUNNING)
                        continue;
                items[i].state = INSTANCE_EXITED;
                items[i].lost = true;
                items[i].exit_code = i % 3 == 0 ? 0 : 137;
                items[i].health = HEALTH_NONE;
                items[i].endpoints.n = 0;
                if (i % 2 == 0 && !life->job) {
                        struct endpoint *e = arena_new_of(t->sim.arena, struct endpoint);

                        e->port = life->port;
                        e->address = arena_printf(t->sim.arena, "127.0.0.1:%d", t->sim.next_port++);
                        items[i].state = INSTANCE_RUNNING;
                        items[i].exit_code = 0;
                        items[i].lost = false;
                        items[i].health = HEALTH_STARTING;
                        items[i].started_at = t->sim.world.now;
                        items[i].endpoints = (struct struct_list){ .items = e, .n = life->port ? 1 : 0 };
                        life->started = t->sim.mono;
                        life->routed = false;
                }
        }
        sim_wait(&t->sim, 45000);
}

/*
 * Release 0 serves, and 1 is declared; the pass is killed at @point of the rollout (-1: never). The points that there
 * are.
 */
static int roll(struct story *t, const struct way *way, enum mood mood, int point, enum cut cut) {
        bool quiet;
        int began;

        story_begin_plain(t, way->strategy, way->order, way->own_plan, mood);
        story_want(t, 0);
        (void)story_looks(t, 400, false);
        if (!t->failure[0] && !sim_is_exactly(&t->sim, t->releases[0].workload))
                (void)story_fails(t, "the first release did not come up");
        story_want(t, 1);
        began = t->sim.points;
        t->sim.kill_at = point < 0 ? -1 : began + point;
        for (int still = 0; still < 3 && story_look(t, &quiet);) {
                still = quiet ? still + 1 : 0;
                if (t->sim.kill_at >= 0 || point < 0)
                        continue;
                /* It was killed in this look. */
                if (cut == CUT_POWER)
                        boot(t);
                if (cut == CUT_TWICE)
                        t->sim.kill_at = t->sim.points + 1 + point % 5;
                point = -1;
        }
        return t->sim.points - began;
}

static bool ends_well(struct story *t) {
        bool bad = t->releases[1].bad, at_new;

        if (t->failure[0] || !story_converges(t))
                return false;
        at_new = str_eq(t->sim.app.rollout.current_release, t->releases[1].workload->release);
        if (bad && at_new)
                return story_fails(t, "a bad release was proven");
        return bad || at_new || story_fails(t, "a good release was not proven: %s", t->sim.app.rollout.failure_text);
}

static void test_a_rollout_that_is_killed_anywhere_comes_to_rest_at_one_release(void **state) {
        uint64_t only = number("TALLY_CASE", UINT64_MAX), at = number("TALLY_POINT", UINT64_MAX), failures = 0,
                 cases = 0;
        struct story t = { .verbose = only != UINT64_MAX };

        for (uint64_t c = 0; c < N_WAYS * N_MOODS * CUT_MAX_; c++) {
                const struct way *way = &ways[c % N_WAYS];
                enum mood mood = moods[c / N_WAYS % N_MOODS];
                enum cut cut = (enum cut)(c / N_WAYS / N_MOODS);
                int points;

                if (only != UINT64_MAX && c != only)
                        continue;
                points = roll(&t, way, mood, -1, cut);
                story_end(&t);
                assert_string_equal(t.failure, "");
                assert_in_range(points, 5, 2000);
                for (int point = 0; point < points; point++) {
                        /* The pass alone everywhere; what else a kill takes along, at every third. */
                        if (at != UINT64_MAX ? (uint64_t)point != at : cut != CUT_PASS && point % 3 != (int)(c % 3))
                                continue;
                        (void)roll(&t, way, mood, point, cut);
                        if (!ends_well(&t)) {
                                print_error("%s, mood %d, %s at point %d of %d: %s (TALLY_CASE=%llu TALLY_POINT=%d)\n",
                                            way->name, mood, cut_names[cut], point, points, t.failure,
                                            (unsigned long long)c, point);
                                failures++;
                        }
                        story_end(&t);
                        cases++;
                }
        }
        print_message("%llu kills\n", (unsigned long long)cases);
        assert_int_equal(failures, 0);
        assert_true(only != UINT64_MAX || cases > 1000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_rollout_that_is_killed_anywhere_comes_to_rest_at_one_release),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
