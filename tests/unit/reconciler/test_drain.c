/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reconciler/core/rollout.h"
#include "reconciler/pass/decide.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

#define NOW 1000000000000
#define DRAIN_MS 1000

static const char OLD_SPEC[] = "sha256:0000000000000000000000000000000000000000000000000000000000000001";
static const char NEW_SPEC[] = "sha256:0000000000000000000000000000000000000000000000000000000000000002";

/* An app of one service with two instances of each release, beside a router. */
struct rig {
        struct arena *arena;
        struct traffic traffic;
        struct workload_service old_service, new_service;
        struct workload old, new;
        struct instance instances[4];   /* web 1 and 2 of the old, then of the new specification */
        struct endpoint endpoints[4];
        struct world_app app;
        struct world world;
        struct decision decision;
};

static void make_workload(struct rig *r, struct workload *w, struct workload_service *service, const char *release, const char *spec) {
        *service = (struct workload_service){ .name = "web", .image = "r/web@x", .spec_digest = spec, .replicas = 2 };
        *w = (struct workload){
                .app = "shop", .release = release, .version = release, .runtime = "fake", .traffic = &r->traffic,
                .services = { .items = service, .n = 1 },
        };
}

static void make_instance(struct rig *r, int at) {
        r->endpoints[at] = (struct endpoint){ .port = 80, .address = arena_printf(r->arena, "127.0.0.1:%d", 32768 + at) };
        r->instances[at] = (struct instance){
                .id = arena_printf(r->arena, "i%d", at), .name = arena_printf(r->arena, "i%d", at), .app = "shop", .service = "web",
                .index = at % 2 + 1, .spec = at < 2 ? OLD_SPEC : NEW_SPEC, .release = at < 2 ? "old" : "new", .image = "r/web@x",
                .image_matches = true, .state = INSTANCE_RUNNING, .started_at = NOW - 60000,
                .endpoints = { .items = &r->endpoints[at], .n = 1 },
        };
}

static void setup(struct rig *r) {
        *r = (struct rig){ .arena = arena_new() };
        r->traffic = (struct traffic){ .router = ROUTER_NGINX, .service.text = "web", .port = 80, .path = "/", .drain_ms = DRAIN_MS };
        make_workload(r, &r->old, &r->old_service, "old", OLD_SPEC);
        make_workload(r, &r->new, &r->new_service, "new", NEW_SPEC);
        for (int i = 0; i < 4; i++)
                make_instance(r, i);
        r->app = (struct world_app){
                .app = "shop", .runtime = "fake", .observed = true, .declared = true, .wanted = &r->new, .settled = &r->old,
                .settings = { .strategy = STRATEGY_ROLLING, .max_parallel = 2, .healthy_deadline_ms = 60000, .progress_deadline_ms = 60000 },
                .instances = { .items = r->instances, .n = 4 },
                .route = { .available = true, .present = true, .route.app = "shop" },
                .rollout = {
                        .app = "shop", .intent = -1, .candidate = -1, .settled_release = "old", .settled_version = "old", .router = "nginx",
                        .seen_at = NOW, .progress_at = NOW,
                },
        };
}

/* In force: a route to these instances, all alike. */
static void in_force(struct rig *r, int from, int to) {
        struct route *route = &r->app.route.route;

        route->targets.n = 0;
        for (int i = from; i <= to; i++) {
                struct route_target *t = arena_push(r->arena, &route->targets.items, &route->targets.n, sizeof(*t));

                *t = (struct route_target){ .instance = r->instances[i].id, .address = r->endpoints[i].address };
        }
}

/* What is in force is what the rollout remembers to have put there. */
static void note_route(struct rig *r) {
        r->app.rollout.routed = arena_strdup(r->arena, route_digest(&r->app.route.route).text);
}

/* The old one is what is declared, and nothing of the new one was made. */
static void setup_settled(struct rig *r) {
        setup(r);
        r->app.wanted = &r->old;
        r->app.instances.n = 2;
        r->app.rollout.phase = PHASE_SETTLED;
}

static void keep_old(struct rig *r) {
        r->app.rollout.kept.n = 0;
        for (int i = 0; i < 2; i++)
                ((struct text_at *)arena_push(r->arena, &r->app.rollout.kept.items, &r->app.rollout.kept.n, sizeof(struct text_at)))->text =
                        r->instances[i].id;
}

static const struct decision_app *look(struct rig *r, int64_t now) {
        const struct decision_app *out;

        r->world = (struct world){
                .schema = WORLD_SCHEMA, .host = "web1", .environment = "prod", .commit = "0123456789012345678901234567890123456789",
                .now = now, .ledger_writable = true, .apps = { .items = &r->app, .n = 1 },
        };
        decide(&r->world, r->arena, &r->decision);
        out = r->decision.apps.items;
        r->app.rollout = out->rollout;
        return out;
}

static int count(const struct rig *r, enum action_verb verb) {
        const struct action *actions = r->decision.actions.items;
        int n = 0;

        for (size_t i = 0; i < r->decision.actions.n; i++)
                n += actions[i].verb == verb;
        return n;
}

static const struct action *first(const struct rig *r, enum action_verb verb) {
        const struct action *actions = r->decision.actions.items;

        for (size_t i = 0; i < r->decision.actions.n; i++)
                if (actions[i].verb == verb)
                        return &actions[i];
        fail_msg("no action '%s'", verb_names[verb]);
        return NULL;
}

/* The router was told to let go of the old instances, and the pass was killed before it could write that down. */
static void test_what_a_forgotten_route_let_go_of_still_drains(void **state) {
        struct rig r;
        const struct decision_app *out;

        setup(&r);
        r.app.rollout.phase = PHASE_FINISHING;
        r.app.rollout.release = r.app.rollout.version = "new";
        keep_old(&r);
        in_force(&r, 0, 3);
        note_route(&r);
        r.app.rollout.routed_at = NOW - 3600 * 1000;

        out = look(&r, NOW);
        assert_int_equal(first(&r, VERB_ROUTE)->route->targets.n, 2);
        assert_int_equal(count(&r, VERB_STOP), 0);
        assert_int_equal(out->wake_at, NOW + LOOK_AGAIN_MS);

        in_force(&r, 2, 3);
        assert_int_equal(look(&r, NOW)->event, EVENT_SETTLED);
        r.app.settled = &r.new;
        out = look(&r, NOW);
        assert_int_equal(r.decision.actions.n, 0);
        assert_int_equal(out->rollout.routed_at, NOW);
        assert_int_equal(out->wake_at, NOW + DRAIN_MS);
        assert_string_equal(out->rollout.routed, route_digest(&r.app.route.route).text);
        look(&r, NOW + DRAIN_MS - 1);
        assert_int_equal(count(&r, VERB_STOP), 0);
        look(&r, NOW + DRAIN_MS);
        assert_int_equal(count(&r, VERB_STOP), 2);
        arena_free(r.arena);
}

static void test_an_app_that_goes_waits_for_a_router_that_is_away(void **state) {
        struct rig r;
        struct fault fault = FAULT_INIT;

        setup(&r);
        r.app.declared = false;
        r.app.wanted = NULL;
        r.app.settings.prune = true;
        r.app.rollout.phase = PHASE_REMOVING;
        look(&r, NOW);
        assert_string_equal(first(&r, VERB_UNROUTE)->router, "nginx");

        fault_set_code(&fault, FAULT_TRANSIENT, REASON_ROUTER_UNAVAILABLE, "it is away");
        rollout_action_failed(&r.app.rollout, first(&r, VERB_UNROUTE), &fault, NOW, r.arena);
        assert_true(look(&r, NOW)->wake_at > NOW);
        assert_int_equal(r.decision.actions.n, 0);
        look(&r, r.app.rollout.retry_at);
        assert_int_equal(count(&r, VERB_UNROUTE), 1);
        fault_done(&fault);
        arena_free(r.arena);
}

static void test_an_app_that_leaves_its_router_does_so_when_the_release_is_proven(void **state) {
        struct rig r;
        struct fault fault = FAULT_INIT;

        setup(&r);
        r.new.traffic = NULL;
        r.app.rollout.phase = PHASE_FINISHING;
        r.app.rollout.release = r.app.rollout.version = "new";
        keep_old(&r);
        in_force(&r, 0, 3);
        look(&r, NOW);
        assert_int_equal(count(&r, VERB_UNROUTE), 0);
        assert_int_equal(first(&r, VERB_ROUTE)->route->targets.n, 2);

        r.app.instances = (struct struct_list){ .items = &r.instances[2], .n = 2 };
        in_force(&r, 2, 3);
        assert_int_equal(look(&r, NOW + 5000)->event, EVENT_SETTLED);
        assert_int_equal(count(&r, VERB_UNROUTE), 0);
        r.app.settled = &r.new;
        look(&r, NOW + 5000);
        assert_int_equal(r.app.rollout.phase, PHASE_SETTLED);
        look(&r, NOW + 5000);
        fault_set_code(&fault, FAULT_TRANSIENT, REASON_ROUTER_UNAVAILABLE, "it is away");
        rollout_action_failed(&r.app.rollout, first(&r, VERB_UNROUTE), &fault, NOW + 5000, r.arena);
        look(&r, NOW + 5000);
        assert_int_equal(r.decision.actions.n, 0);
        look(&r, r.app.rollout.retry_at);
        rollout_action_done(&r.app.rollout, first(&r, VERB_UNROUTE), NOW + 9000, r.arena);
        look(&r, NOW + 9000);
        assert_int_equal(r.decision.actions.n, 0);
        fault_done(&fault);
        arena_free(r.arena);
}

static void test_a_clock_that_was_set_back_does_not_make_a_drain_last_for_longer(void **state) {
        struct rig r;

        setup_settled(&r);
        r.instances[0].image_matches = false;
        in_force(&r, 1, 1);
        note_route(&r);
        r.app.rollout.routed_at = NOW + 3600 * 1000;
        look(&r, NOW);
        assert_int_equal(count(&r, VERB_STOP), 1);
        arena_free(r.arena);
}

static void test_an_instance_is_made_anew_only_after_the_route_let_go_of_it(void **state) {
        struct rig r;

        setup_settled(&r);
        in_force(&r, 0, 1);
        note_route(&r);
        r.instances[0].image_matches = false;

        look(&r, NOW);
        assert_int_equal(r.decision.actions.n, 1);
        assert_int_equal(first(&r, VERB_ROUTE)->route->targets.n, 1);
        rollout_action_done(&r.app.rollout, first(&r, VERB_ROUTE), NOW, r.arena);

        in_force(&r, 1, 1);
        assert_int_equal(look(&r, NOW + 1)->event, EVENT_NONE);
        assert_int_equal(r.decision.actions.n, 0);
        assert_int_equal(look(&r, NOW + DRAIN_MS)->event, EVENT_REPAIRING);
        assert_string_equal(first(&r, VERB_STOP)->instance, "i0");
        assert_int_equal(r.app.rollout.breaker.repairs, 1);

        /* Nobody else could take the requests: nothing is gained by waiting. */
        r.instances[1].state = INSTANCE_EXITED;
        r.app.rollout.breaker = (struct breaker){ .repairs = 0 };
        in_force(&r, 0, 1);
        note_route(&r);
        look(&r, NOW + 2 * DRAIN_MS);
        assert_int_equal(count(&r, VERB_STOP), 1);
        arena_free(r.arena);
}

/* The same for what is settled: the router let go of what drifted, and the pass was killed before it could write that down. */
static void test_what_a_forgotten_route_let_go_of_drains_before_it_is_made_anew(void **state) {
        struct rig r;

        setup_settled(&r);
        in_force(&r, 0, 1);
        note_route(&r);
        r.app.rollout.routed_at = NOW - 3600 * 1000;
        r.instances[0].image_matches = false;

        in_force(&r, 1, 1);
        assert_int_equal(look(&r, NOW)->event, EVENT_NONE);
        assert_int_equal(r.decision.actions.n, 0);
        assert_int_equal(r.app.rollout.routed_at, NOW);
        assert_string_equal(r.app.rollout.routed, route_digest(&r.app.route.route).text);
        look(&r, NOW + DRAIN_MS - 1);
        assert_int_equal(count(&r, VERB_STOP), 0);
        look(&r, NOW + DRAIN_MS);
        assert_string_equal(first(&r, VERB_STOP)->instance, "i0");
        arena_free(r.arena);
}

/* A route of another router says nothing about the one that is to be left. */
static void test_what_is_in_force_does_not_make_forget_the_router_before(void **state) {
        struct rig r;

        setup(&r);
        r.app.wanted = &r.old;
        r.app.instances.n = 2;
        r.app.rollout.phase = PHASE_REVERTING;
        r.app.rollout.router = "haproxy";
        keep_old(&r);
        in_force(&r, 0, 1);
        look(&r, NOW);
        assert_string_equal(first(&r, VERB_UNROUTE)->router, "haproxy");
        arena_free(r.arena);
}

static void test_a_revert_ends_when_the_old_instances_take_requests(void **state) {
        struct rig r;

        setup(&r);
        r.app.rollout.phase = PHASE_REVERTING;
        r.app.rollout.release = r.app.rollout.version = "new";
        keep_old(&r);
        r.app.instances.n = 2;
        in_force(&r, 2, 3);
        r.instances[0].health = r.instances[1].health = HEALTH_STARTING;
        assert_int_equal(look(&r, NOW)->event, EVENT_NONE);
        assert_int_equal(r.app.rollout.phase, PHASE_REVERTING);

        r.instances[1].health = HEALTH_HEALTHY;
        look(&r, NOW + 1000);
        assert_int_equal(first(&r, VERB_ROUTE)->route->targets.n, 1);
        r.app.route.available = false;
        assert_int_equal(look(&r, NOW + 1500)->event, EVENT_NONE);
        r.app.route.available = true;
        in_force(&r, 1, 1);
        assert_int_equal(look(&r, NOW + 2000)->event, EVENT_REVERTED);
        arena_free(r.arena);
}

/* A route that somebody changed would wait for the repair, and the repair for the route. */
static void test_what_drifted_leaves_a_route_that_somebody_changed(void **state) {
        struct rig r;

        setup_settled(&r);
        in_force(&r, 0, 1);
        note_route(&r);
        r.app.route.altered = true;
        r.instances[0].image_matches = false;
        look(&r, NOW);
        assert_int_equal(first(&r, VERB_ROUTE)->route->targets.n, 1);
        arena_free(r.arena);
}

/*
 * Who gets requests
 */

static void test_what_nobody_wants_gets_no_requests(void **state) {
        struct rig r;

        setup_settled(&r);
        r.app.instances.n = 4;
        r.app.settings.drift = DRIFT_REPORT;
        in_force(&r, 0, 3);
        note_route(&r);
        look(&r, NOW);
        assert_int_equal(first(&r, VERB_ROUTE)->route->targets.n, 2);
        arena_free(r.arena);
}

/* The plan is walked, and what is new has no address that the router could reach. */
static void test_what_no_router_can_reach_is_told_and_proves_nothing(void **state) {
        struct rig r;
        const struct decision_app *out;

        setup(&r);
        r.app.rollout.phase = PHASE_FINISHING;
        r.app.rollout.release = r.app.rollout.version = "new";
        keep_old(&r);
        r.instances[3].endpoints.n = 0;
        in_force(&r, 2, 2);
        out = look(&r, NOW);
        assert_int_equal(out->event, EVENT_NONE);
        assert_non_null(strstr(out->waits_for, "a way to i3, port 80"));
        r.app.rollout.progress_at = NOW - 60001;
        out = look(&r, NOW);
        assert_int_equal(out->event, EVENT_FAILED);
        assert_string_equal(out->rollout.failure_code, REASON_ROUTER_UNAVAILABLE);
        assert_non_null(strstr(out->rollout.failure_text, "a way to i3, port 80"));
        /* The way back does not wait for it. */
        r.app.rollout.phase = PHASE_REVERTING;
        r.app.wanted = &r.old;
        out = look(&r, NOW);
        assert_null(out->waits_for ? strstr(out->waits_for, "a way to") : NULL);
        arena_free(r.arena);
}

/* Half-way from old to new: all four serve, the two new ones are proven. Then the second of the old ones is gone, or ill. */
static void setup_half_way(struct rig *r, enum phase phase, bool gone) {
        static const struct step_stage all = { .weight = 100 };
        struct rollout_step *step;

        setup(r);
        r->app.rollout.phase = phase;
        r->app.rollout.release = r->app.rollout.version = "new";
        step = arena_push(r->arena, &r->app.rollout.steps.items, &r->app.rollout.steps.n, sizeof(*step));
        *step = (struct rollout_step){ .step = { .name.text = "all", .stage = &all }, .state = STEP_RUNNING, .batch = 1, .started_at = NOW };
        keep_old(r);
        in_force(r, 0, 3);
        r->instances[1].state = gone ? INSTANCE_EXITED : INSTANCE_RUNNING;
        r->instances[1].health = gone ? HEALTH_NONE : HEALTH_UNHEALTHY;
}

/* Nothing is decided about the instances then: who is ill but runs stays in the route, who is gone does not, who was proven does. */
static void test_while_something_else_is_waited_for_only_who_is_gone_leaves_the_route(void **state) {
        static const struct { enum phase phase; size_t stay; } cases[] = { { PHASE_STAGING, 3 }, { PHASE_PAUSED, 3 }, { PHASE_REVERTING, 1 } };

        for (size_t i = 0; i < 3; i++)
                for (int gone = 0; gone < 2; gone++) {
                        struct rig r;

                        setup_half_way(&r, cases[i].phase, gone);
                        r.app.rollout.retry_at = NOW + 1000;
                        ((struct text_at *)arena_push(r.arena, &r.app.rollout.poisoned.items, &r.app.rollout.poisoned.n,
                                                      sizeof(struct text_at)))->text = "new";
                        look(&r, NOW);
                        assert_int_equal(count(&r, VERB_ROUTE), gone);
                        if (gone)
                                assert_int_equal(first(&r, VERB_ROUTE)->route->targets.n, cases[i].stay);
                        arena_free(r.arena);
                }
}

static void test_what_ended_with_its_engine_leaves_the_route_until_it_runs_again(void **state) {
        struct rig r;
        const struct decision_app *out;

        setup_half_way(&r, PHASE_STAGING, true);
        r.instances[3].state = INSTANCE_EXITED;
        r.instances[3].lost = true;
        out = look(&r, NOW);
        assert_string_equal(first(&r, VERB_START)->instance, "i3");
        assert_int_equal(first(&r, VERB_ROUTE)->route->targets.n, 2);
        assert_non_null(strstr(out->waits_for, "ended with its engine"));
        assert_true(out->wake_at > NOW);
        arena_free(r.arena);
}

/*
 * The end, and the way back
 */

/* The new release is settled, and what it replaces is to go. */
static void setup_clearing(struct rig *r) {
        setup(r);
        r->app.settled = &r->new;
        r->app.rollout.phase = PHASE_FINISHING;
        r->app.rollout.release = r->app.rollout.settled_release = "new";
        keep_old(r);
}

static void test_a_route_that_was_put_back_lets_go_of_what_was_replaced(void **state) {
        struct rig r;

        setup_clearing(&r);
        in_force(&r, 0, 3);
        look(&r, NOW);
        assert_int_equal(count(&r, VERB_STOP), 0);
        assert_int_equal(first(&r, VERB_ROUTE)->route->targets.n, 2);
        /* It gets none again while the engine that could not remove it is waited for. */
        in_force(&r, 2, 3);
        r.instances[3].state = INSTANCE_EXITED;
        r.app.rollout.retry_at = NOW + 1000;
        look(&r, NOW);
        assert_int_equal(first(&r, VERB_ROUTE)->route->targets.n, 1);
        arena_free(r.arena);
}

static void test_what_was_replaced_does_not_wait_for_each_other_where_nobody_else_serves(void **state) {
        struct rig r;

        setup_clearing(&r);
        in_force(&r, 0, 1);
        r.instances[2].health = r.instances[3].health = HEALTH_UNHEALTHY;
        look(&r, NOW);
        assert_int_equal(count(&r, VERB_STOP), 2);
        /* The same on the way back, where all of the old ended by themselves again. */
        r.app.settled = &r.old;
        r.app.rollout.phase = PHASE_REVERTING;
        r.app.rollout.settled_release = "old";
        r.app.rollout.restarted = r.app.rollout.kept;
        for (int i = 0; i < 4; i++) {
                r.instances[i].state = i < 2 ? INSTANCE_EXITED : INSTANCE_RUNNING;
                r.instances[i].health = HEALTH_NONE;
        }
        in_force(&r, 2, 3);
        look(&r, NOW);
        assert_int_equal(count(&r, VERB_STOP), 2);
        arena_free(r.arena);
}

static void test_a_late_way_back_is_loud_when_it_waits_and_was_watched(void **state) {
        static const struct { bool acts, watched, loud; } cases[] = { { false, true, true }, { true, true, false }, { false, false, false } };

        for (size_t i = 0; i < 3; i++) {
                struct rig r;
                const struct decision_app *out;

                setup(&r);
                r.app.rollout.phase = PHASE_REVERTING;
                r.app.rollout.progress_at = NOW - 60001;
                r.app.rollout.seen_at = cases[i].watched ? NOW : NOW - 60001;
                keep_old(&r);
                r.app.instances.n = 2;
                r.instances[0].state = cases[i].acts ? INSTANCE_EXITED : INSTANCE_RUNNING;
                in_force(&r, 2, 3);
                r.app.route = (struct route_state){ .available = false, .reason = "it is away" };
                out = look(&r, NOW);
                assert_int_equal(out->event, cases[i].loud ? EVENT_STUCK : EVENT_NONE);
                assert_int_equal(out->rollout.phase, cases[i].loud ? PHASE_STUCK : PHASE_REVERTING);
                if (cases[i].loud)
                        assert_string_equal(out->rollout.failure_text, out->waits_for);
                arena_free(r.arena);
        }
}

/* The second of the old ones may have to be started first: what is new and runs serves on until then. */
static void test_what_is_new_goes_on_the_way_back_unless_it_goes_already_or_serves_on(void **state) {
        for (int comes = 0; comes < 2; comes++)
                for (int was = 0; was < INSTANCE_STATE_MAX_; was++) {
                        struct rig r;
                        bool stays = was == INSTANCE_REMOVING || (comes && was == INSTANCE_RUNNING);

                        setup(&r);
                        r.app.rollout.phase = PHASE_REVERTING;
                        keep_old(&r);
                        r.app.instances.n = 3;
                        r.instances[1].state = comes ? INSTANCE_EXITED : INSTANCE_RUNNING;
                        r.instances[2].state = was;
                        in_force(&r, 0, 1);
                        note_route(&r);
                        assert_int_equal(look(&r, NOW)->event, was == INSTANCE_REMOVING && !comes ? EVENT_REVERTED : EVENT_NONE);
                        assert_int_equal(count(&r, VERB_STOP), !stays && was != INSTANCE_CREATED);
                        assert_int_equal(count(&r, VERB_REMOVE), !stays);
                        assert_int_equal(count(&r, VERB_START), comes);
                        arena_free(r.arena);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_a_forgotten_route_let_go_of_still_drains),
                cmocka_unit_test(test_an_app_that_goes_waits_for_a_router_that_is_away),
                cmocka_unit_test(test_an_app_that_leaves_its_router_does_so_when_the_release_is_proven),
                cmocka_unit_test(test_an_instance_is_made_anew_only_after_the_route_let_go_of_it),
                cmocka_unit_test(test_a_clock_that_was_set_back_does_not_make_a_drain_last_for_longer),
                cmocka_unit_test(test_what_a_forgotten_route_let_go_of_drains_before_it_is_made_anew),
                cmocka_unit_test(test_what_is_in_force_does_not_make_forget_the_router_before),
                cmocka_unit_test(test_a_revert_ends_when_the_old_instances_take_requests),
                cmocka_unit_test(test_what_nobody_wants_gets_no_requests),
                cmocka_unit_test(test_what_no_router_can_reach_is_told_and_proves_nothing),
                cmocka_unit_test(test_while_something_else_is_waited_for_only_who_is_gone_leaves_the_route),
                cmocka_unit_test(test_what_ended_with_its_engine_leaves_the_route_until_it_runs_again),
                cmocka_unit_test(test_what_drifted_leaves_a_route_that_somebody_changed),
                cmocka_unit_test(test_a_route_that_was_put_back_lets_go_of_what_was_replaced),
                cmocka_unit_test(test_what_was_replaced_does_not_wait_for_each_other_where_nobody_else_serves),
                cmocka_unit_test(test_a_late_way_back_is_loud_when_it_waits_and_was_watched),
                cmocka_unit_test(test_what_is_new_goes_on_the_way_back_unless_it_goes_already_or_serves_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
