/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/pass/act.h"
#include "reconciler/pass/workers.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "tests/lib/group.h"

/*
 * A runtime that writes down what is asked of it
 */

#define SERVICES   4
#define EVENTS_MAX 256

struct moment {
        char what[8]; /* create, stop, start, remove */
        char service[8];
        bool end;
};

static struct {
        pthread_mutex_t lock;
        struct moment events[EVENTS_MAX];
        size_t n;
        int open, most_open, at_once, most_at_once;
        const char *fails; /* "stop b" */
} spy = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void forget(void) {
        spy.n = 0;
        spy.open = spy.most_open = spy.at_once = spy.most_at_once = 0;
        spy.fails = NULL;
}

static void note(const char *what, const char *service, bool end) {
        pthread_mutex_lock(&spy.lock);
        assert_true(spy.n < EVENTS_MAX);
        (void)snprintf(spy.events[spy.n].what, sizeof(spy.events[0].what), "%s", what);
        (void)snprintf(spy.events[spy.n].service, sizeof(spy.events[0].service), "%s", service);
        spy.events[spy.n++].end = end;
        spy.at_once += end ? -1 : 1;
        spy.most_at_once = spy.at_once > spy.most_at_once ? spy.at_once : spy.most_at_once;
        pthread_mutex_unlock(&spy.lock);
}

static int effect(const char *what, const char *service, struct fault *reterr) {
        char both[32];

        (void)snprintf(both, sizeof(both), "%s %s", what, service);
        note(what, service, false);
        (void)usleep(20000);
        note(what, service, true);
        return str_eq(both, spy.fails) ? fault_set(reterr, FAULT_TRANSIENT, EIO, "%s failed", both) : 0;
}

static int spy_open(const struct runtime_settings *settings, struct runtime **ret, struct fault *reterr);
static int spy_hand(struct runtime *rt, struct runtime **ret, struct fault *reterr) {
        return spy_open(rt->settings, ret, reterr);
}
static void spy_close(struct runtime *rt) {
        spy.open--;
        free(rt);
}
static int spy_render(struct runtime *rt, const struct compose *c, const char *version, const char *id, struct arena *a,
                      struct workload *ret, struct fault *reterr) {
        return 0;
}
static int spy_observe(struct runtime *rt, const struct workload *w, size_t n, struct arena *a, struct observation *ret,
                       struct fault *reterr) {
        return 0;
}
static int spy_prepare(struct runtime *rt, const struct workload *w, const struct progress *p, struct fault *reterr) {
        return 0;
}
static int spy_create(struct runtime *rt, const struct workload *w, const struct workload_service *s, int64_t index,
                      struct arena *a, const char **ret_id, struct fault *reterr) {
        *ret_id = arena_printf(a, "new-%s", s->name);
        return effect("create", s->name, reterr);
}
static int spy_start(struct runtime *rt, const struct instance *i, struct fault *reterr) {
        char id[16];

        (void)snprintf(id, sizeof(id), "new-%s", i->service);
        assert_string_equal(i->id, id);
        return effect("start", i->service, reterr);
}
static int spy_stop(struct runtime *rt, const struct instance *i, struct fault *reterr) {
        return effect("stop", i->service, reterr);
}
static int spy_remove(struct runtime *rt, const struct instance *i, struct fault *reterr) {
        return effect("remove", i->service, reterr);
}

static const struct runtime_ops side_ops = {
        .abi = RUNTIME_ABI,
        .name = "spy",
        .open = spy_open,
        .clone = spy_hand,
        .close = spy_close,
        .render = spy_render,
        .observe = spy_observe,
        .prepare = spy_prepare,
        .create = spy_create,
        .start = spy_start,
        .stop = spy_stop,
        .remove = spy_remove,
};

static int spy_open(const struct runtime_settings *settings, struct runtime **ret, struct fault *reterr) {
        *ret = calloc(1, sizeof(**ret));
        (*ret)->ops = &side_ops;
        spy.open++;
        spy.most_open = spy.open > spy.most_open ? spy.open : spy.most_open;
        return 0;
}

/*
 * Rig: services a to d are replaced, stopped first
 */

struct rig {
        struct arena *arena;
        struct runtime_ops ops;
        struct runtime runtime;
        struct runtime_settings settings;
        struct workload_service services[SERVICES];
        struct workload wanted;
        struct instance old[SERVICES];
        struct app_input app;
        struct decision_input world;
        struct decision decision;
        const char *told[64];
        size_t n_told;
};

static const char *const names[SERVICES] = { "a", "b", "c", "d" };

static struct action *add(struct rig *r, enum action_kind kind, int service, const char *instance) {
        struct action *action =
                arena_push(r->arena, &r->decision.actions.items, &r->decision.actions.n, sizeof(*action));

        *action = (struct action){
                .kind = kind,
                .app = "shop",
                .release = "new",
                .service = names[service],
                .index = 1,
                .instance = instance,
        };
        return action;
}

static void setup(struct rig *r, bool side_by_side) {
        forget();
        *r = (struct rig){ .arena = arena_new(), .ops = side_ops };
        r->ops.clone = side_by_side ? spy_hand : NULL;
        r->runtime = (struct runtime){ .ops = &r->ops, .settings = &r->settings };
        for (int i = 0; i < SERVICES; i++) {
                r->services[i] = (struct workload_service){ .name = names[i], .replicas = 1, .spec_digest = "new" };
                r->old[i] = (struct instance){ .id = arena_printf(r->arena, "old-%s", names[i]),
                                               .app = "shop",
                                               .service = names[i] };
        }
        r->wanted = (struct workload){ .app = "shop",
                                       .release = "new",
                                       .services = { .items = r->services, .n = SERVICES } };
        r->app = (struct app_input){ .app = "shop",
                                     .wanted = &r->wanted,
                                     .instances = { .items = r->old, .n = SERVICES } };
        r->world.apps = (struct struct_list){ .items = &r->app, .n = 1 };
        for (int i = 0; i < SERVICES; i++)
                add(r, ACTION_CREATE, i, NULL);
        for (int i = 0; i < SERVICES; i++) {
                add(r, ACTION_STOP, i, r->old[i].id);
                add(r, ACTION_START, i, NULL);
        }
}

static struct runtime *hand_runtime(void *data, const struct app_input *app) {
        return &((struct rig *)data)->runtime;
}

static void hand_done(void *data, const struct app_input *app, const struct act_result *result,
                      const struct fault *fault) {
        struct rig *r = data;

        assert_int_equal(result->done, fault == NULL);
        r->told[r->n_told++] = arena_printf(r->arena, "%s%s %s", fault ? "FAILED " : "",
                                            action_kind_names[result->action->kind], result->action->service);
}

static struct act_result *run(struct rig *r) {
        const struct act_ports hands = { .runtime = hand_runtime, .done = hand_done, .data = r };

        return act(&r->world, &r->decision, &hands, r->arena);
}

/* Where the @end of @what of @service is among the events; -1: nowhere. */
static int when(const char *what, const char *service, bool end) {
        for (size_t i = 0; i < spy.n; i++)
                if (str_eq(spy.events[i].what, what) && str_eq(spy.events[i].service, service) &&
                    spy.events[i].end == end)
                        return (int)i;
        return -1;
}

static void test_all_is_made_then_stopped_then_started(void **state) {
        struct rig r;
        struct act_result *results;

        setup(&r, true);
        results = run(&r);
        for (int x = 0; x < SERVICES; x++)
                for (int y = 0; y < SERVICES; y++) {
                        assert_true(when("create", names[x], true) < when("stop", names[y], false));
                        if (x <= y)
                                assert_true(when("stop", names[x], true) < when("start", names[y], false));
                }
        assert_true(spy.most_at_once > 1);
        assert_true(spy.most_open >= 1);
        assert_int_equal(spy.open, 0);
        for (size_t i = 0; i < r.decision.actions.n; i++) {
                assert_true(results[i].done && !results[i].skipped && results[i].finished_at >= results[i].started_at &&
                            results[i].started_at > 0);
                assert_string_equal(r.told[i],
                                    arena_printf(r.arena, "%s %s", action_kind_names[results[i].action->kind],
                                                 results[i].action->service));
        }
        assert_string_equal(results[0].instance, "new-a");
        assert_string_equal(results[5].instance, "new-a");
        arena_free(r.arena);
}

static void test_a_runtime_that_is_not_made_for_it_goes_one_after_the_other(void **state) {
        struct rig r;

        setup(&r, false);
        run(&r);
        assert_int_equal(spy.most_at_once, 1);
        assert_int_equal(spy.most_open, 0);
        assert_int_equal(spy.n, 2 * r.decision.actions.n);
        arena_free(r.arena);
}

static void test_after_a_failure_nothing_is_begun_and_it_is_told_last(void **state) {
        struct rig r;
        struct act_result *results;

        for (int side = 0; side < 2; side++) {
                setup(&r, side);
                spy.fails = "create b";
                results = run(&r);
                assert_int_equal(when("stop", "a", false), -1);
                assert_false(results[1].done);
                assert_non_null(strstr(results[1].message, "create b failed"));
                for (size_t i = SERVICES; i < r.decision.actions.n; i++)
                        assert_true(results[i].skipped && !results[i].done);
                assert_string_equal(r.told[r.n_told - 1], "FAILED create b");
                for (size_t i = 0; i + 1 < r.n_told; i++)
                        assert_null(str_after(r.told[i], "FAILED"));
                arena_free(r.arena);
        }
}

static void test_another_app_goes_on(void **state) {
        struct rig r;
        struct app_input apps[2];

        setup(&r, true);
        apps[0] = apps[1] = r.app;
        apps[1].app = "zoo";
        r.world.apps = (struct struct_list){ .items = apps, .n = 2 };
        add(&r, ACTION_REMOVE, 0, r.old[0].id)->app = "zoo";
        add(&r, ACTION_REMOVE, 1, r.old[1].id)->app = "zoo";
        add(&r, ACTION_REMOVE, 2, r.old[2].id);
        spy.fails = "create a";
        struct act_result *results = run(&r);

        assert_true(when("remove", "a", true) >= 0 && when("remove", "b", true) >= 0);
        assert_int_equal(when("remove", "c", true), -1);
        assert_true(results[r.decision.actions.n - 1].skipped);
        arena_free(r.arena);
}

/*
 * Beside
 */

static bool in_order(const void *data, size_t item, size_t earlier) {
        return true;
}
static bool at_will(const void *data, size_t item, size_t earlier) {
        return false;
}

struct meeting {
        int come; /* atomic */
        bool met;
        size_t order[8];
        size_t n;
};

/* Item 0 and 1 wait for each other. */
static int meet(void *data, size_t item, void *hand) {
        struct meeting *m = data;

        __atomic_add_fetch(&m->come, 1, __ATOMIC_SEQ_CST);
        for (int i = 0; i < 2000 && __atomic_load_n(&m->come, __ATOMIC_SEQ_CST) < 2; i++)
                clock_sleep_ms(5);
        return __atomic_load_n(&m->come, __ATOMIC_SEQ_CST) < 2 ? -1 : 0;
}

static int write_down(void *data, size_t item, void *hand) {
        struct meeting *m = data;

        m->order[m->n++] = item;
        return item == 5 ? -1 : 0;
}

static void test_items_that_need_nothing_of_each_other_run_at_once(void **state) {
        struct meeting m = { .come = 0 };
        const struct worker_job work = { .n = 2, .follows = at_will, .run = meet, .data = &m };
        void *hands[2] = { &m, &m };
        enum worker_state states[2];

        workers_run(&work, hands, 2, states);
        assert_int_equal(states[0], WORKER_DONE);
        assert_int_equal(states[1], WORKER_DONE);
}

static void test_items_that_follow_each_other_keep_their_order_with_many_hands(void **state) {
        struct meeting m = { .come = 0 };
        const struct worker_job work = { .n = 8, .follows = in_order, .run = write_down, .data = &m };
        void *hands[4] = { &m, &m, &m, &m };
        enum worker_state states[8];

        workers_run(&work, hands, 4, states);
        assert_int_equal(m.n, 6);
        for (size_t i = 0; i < m.n; i++)
                assert_int_equal(m.order[i], i);
        assert_int_equal(states[5], WORKER_FAILED);
        assert_int_equal(states[6], WORKER_WAITING);
        assert_int_equal(states[7], WORKER_WAITING);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_made_then_stopped_then_started),
        cmocka_unit_test(test_a_runtime_that_is_not_made_for_it_goes_one_after_the_other),
        cmocka_unit_test(test_after_a_failure_nothing_is_begun_and_it_is_told_last),
        cmocka_unit_test(test_another_app_goes_on),
        cmocka_unit_test(test_items_that_need_nothing_of_each_other_run_at_once),
        cmocka_unit_test(test_items_that_follow_each_other_keep_their_order_with_many_hands),
};

TEST_GROUP(act, tests);
