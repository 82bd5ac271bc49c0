/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The contract of providers/runtime/runtime.h, held to by every runtime: the first part by the fake one, too, the second where
 * there is an engine. runtime.sh brings the engine and says which runtime it is.
 */

#include <signal.h>
#include <sys/wait.h>

#include "tests/conformance/runtime_contract.h"
#include "tests/lib/runtime_world.h"

/*
 * Instances come, take over, and go
 */

static void looking_changes_nothing(void **state) {
        struct decision_input *w = *state;
        struct workload load = simple(w, "1", env("TEST_V1"));
        struct observation o = rig_observe(&w->rig, &load);

        assert_true(o.available);
        assert_string_equal(o.runtime, env("TEST_RUNTIME"));
        assert_non_null(o.version);
        assert_int_equal(o.instances.n, 0);
        (void)rig_observe(&w->rig, &load);
        assert_int_equal(rig_observe(&w->rig, NULL).instances.n, 0);
}

static void a_deployed_instance_runs_the_pinned_image(void **state) {
        struct decision_input *w = *state;
        struct workload load = simple(w, "1", env("TEST_V1"));
        const struct instance *in;
        const char *id;

        id = deploy(w, &load);
        in = look(w, &load, id);
        assert_int_equal(in->state, INSTANCE_RUNNING);
        assert_int_equal(in->health, HEALTH_NONE);
        assert_true(in->image_matches);
        assert_string_equal(in->app, "shop");
        assert_string_equal(in->service, "web");
        assert_string_equal(in->release, load.release);
        assert_string_equal(in->spec, rig_service(&load, "web")->spec_digest);
        assert_int_equal(in->index, 1);
        assert_int_equal(in->networks_missing.n, 0);
        assert_string_equal(in->image, rig_service(&load, "web")->image);
        assert_string_equal(in->version, "1");
        if (!w->engine)
                return;
        assert_true(in->started_at > INT64_C(1500000000000));
        assert_string_equal(restart_of(w, id), "always");
        assert_non_null(engine(w, "GET", 200, NULL, "/networks/shop_default"));
}

static void doing_everything_twice_is_doing_it_once(void **state) {
        struct decision_input *w = *state;
        struct workload load = simple(w, "1", env("TEST_V1"));
        const char *id = deploy(w, &load), *again = deploy(w, &load);

        assert_string_equal(id, again);
        stop(w, id);
        stop(w, id);
        (void)wait_for(w, &load, id, is_exited);
        if (w->engine)
                assert_string_equal(restart_of(w, id), "no");
        assert_string_equal(create(w, &load, "web", 1), id);
        start(w, id);
        assert_int_equal(look(w, &load, id)->state, INSTANCE_RUNNING);
        if (w->engine)
                assert_string_equal(restart_of(w, id), "always");
        remove_instance(w, id);
        remove_instance(w, id);
        stop(w, id);
        assert_int_equal(rig_observe(&w->rig, &load).instances.n, 0);
}

static void starting_what_is_gone_is_a_conflict(void **state) {
        struct decision_input *w = *state;
        struct workload load = simple(w, "1", env("TEST_V1"));
        own_fault struct fault fault = FAULT_INIT;
        const char *id = deploy(w, &load);

        remove_instance(w, id);
        assert_true(runtime_start(w->rig.runtime, &(struct instance){ .id = id }, &fault) < 0);
        assert_int_equal(fault.kind, FAULT_CONFLICT);
}

static void a_new_release_of_the_same_specification_keeps_the_instance(void **state) {
        struct decision_input *w = *state;
        struct workload one = simple(w, "1", env("TEST_V1")), two = simple(w, "1.1", env("TEST_V1"));
        struct workload other = simple(w, "2", env("TEST_V2"));
        const char *id = deploy(w, &one);

        assert_string_not_equal(one.release, two.release);
        assert_string_equal(rig_service(&one, "web")->spec_digest, rig_service(&two, "web")->spec_digest);
        assert_string_equal(create(w, &two, "web", 1), id);
        prepare(w, &other);
        assert_string_not_equal(create(w, &other, "web", 1), id);
}

static void making_one_leaves_the_others_as_they_are(void **state) {
        struct decision_input *w = *state;
        struct workload one = simple(w, "1", env("TEST_V1")), two = simple(w, "2", env("TEST_V2"));
        const char *first = deploy(w, &one), *second = create(w, &one, "web", 2), *third, *next;
        int64_t started = look(w, &one, first)->started_at;

        start(w, second);
        stop(w, second);
        third = create(w, &one, "web", 3);
        prepare(w, &two);
        next = create(w, &two, "web", 1);
        start(w, next);
        assert_int_equal(rig_observe(&w->rig, &two).instances.n, 4);
        assert_int_equal(look(w, &one, first)->state, INSTANCE_RUNNING);
        assert_int_equal(look(w, &one, first)->started_at, started);
        (void)wait_for(w, &one, second, is_exited);
        assert_int_equal(look(w, &one, third)->state, INSTANCE_CREATED);
        assert_int_equal(look(w, &one, third)->index, 3);
        assert_int_equal(look(w, &two, next)->state, INSTANCE_RUNNING);
        assert_string_equal(look(w, &two, next)->release, two.release);
        remove_instance(w, second);
        assert_int_equal(rig_observe(&w->rig, &two).instances.n, 3);
        assert_int_equal(look(w, &one, first)->started_at, started);
}

static void a_stopped_instance_takes_over_again(void **state) {
        struct decision_input *w = *state;
        struct workload one = simple(w, "1", env("TEST_V1")), two = simple(w, "2", env("TEST_V2"));
        const char *old = deploy(w, &one), *new = deploy(w, &two);

        stop(w, old);
        (void)wait_for(w, &two, old, is_exited);
        start(w, old);
        stop(w, new);
        remove_instance(w, new);
        assert_int_equal(look(w, &one, old)->state, INSTANCE_RUNNING);
        assert_int_equal(rig_observe(&w->rig, &one).instances.n, 1);
}

static void services_are_told_apart(void **state) {
        struct decision_input *w = *state;
        struct workload load =
                rig_workload(&w->rig, "shop", "1",
                             compose(w,
                                     "services:\n"
                                     "  web: {image: '%s', depends_on: [db], ports: ['127.0.0.1::80']}\n"
                                     "  db: {image: '%s', container_name: the-db, deploy: {replicas: 1}}\n",
                                     env("TEST_V1"), env("TEST_V1")));
        const struct workload_service *services = load.services.items;
        const char *db, *web;

        assert_string_equal(services[0].name, "db");
        assert_string_equal(services[0].why_exclusive, "it has the container_name the-db");
        assert_false(services[1].exclusive);
        assert_null(services[1].why_exclusive);
        prepare(w, &load);
        db = create(w, &load, "db", 1);
        web = create(w, &load, "web", 1);
        assert_string_equal(look(w, &load, db)->service, "db");
        assert_string_equal(look(w, &load, web)->service, "web");
        assert_string_not_equal(services[0].spec_digest, services[1].spec_digest);
}

/* Known by its labels alone: nothing is lost when the desired state forgets an app. */
static void what_nothing_declares_is_seen_and_can_go(void **state) {
        struct decision_input *w = *state;
        struct workload load = simple(w, "1", env("TEST_V1"));
        const char *id = deploy(w, &load);
        const struct instance *in = look(w, NULL, id);

        assert_string_equal(in->app, "shop");
        assert_string_equal(in->service, "web");
        assert_int_equal(in->state, INSTANCE_RUNNING);
        rig_fine(runtime_stop(w->rig.runtime, in, &fault));
        rig_fine(runtime_remove(w->rig.runtime, in, &fault));
        assert_int_equal(rig_observe(&w->rig, NULL).instances.n, 0);
}

static void take_working_name(struct decision_input *w, const struct workload *load) {
        static const char script[] = "{\"foreign\": [\"shop/web\"]}";
        char name[100] = "shop-web-1";

        if (!w->engine) {
                rig_fine(file_write(AT_FDCWD, w->settings.endpoint + strlen("fake:"), script, strlen(script), 0600,
                                    &fault));
                return;
        }
        if (is_runtime("docker"))
                (void)snprintf(name, sizeof(name), "shop-web-1-%.8s",
                               rig_service(load, "web")->spec_digest + strlen("sha256:"));
        (void)foreign_container(w, name);
}

static void a_working_name_that_is_taken_is_refused(void **state) {
        struct decision_input *w = *state;
        struct workload load = simple(w, "1", env("TEST_V1"));
        own_fault struct fault fault = FAULT_INIT;
        const char *id;

        prepare(w, &load);
        take_working_name(w, &load);
        assert_true(runtime_create(w->rig.runtime, &load, rig_service(&load, "web"), 1, w->rig.arena, &id, &fault) < 0);
        assert_string_equal(fault.code, REASON_RESOURCE_FOREIGN);
        assert_int_equal(fault.kind, FAULT_DENIED);
        assert_int_equal(rig_observe(&w->rig, &load).instances.n, 0);
}

/*
 * Being killed
 */

/* As a pass that dies: everything up to @delay_ms of a create(). */
static void create_and_die(struct decision_input *w, const struct workload *load, int delay_ms) {
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0) {
                own_fault struct fault fault = FAULT_INIT;
                struct runtime *rt = NULL;
                const char *id;

                if (runtime_open(w->rig.runtime->ops, &w->settings, &rt, &fault) == 0)
                        (void)runtime_create(rt, load, rig_service(load, "web"), 1, w->rig.arena, &id, &fault);
                _exit(0);
        }
        clock_sleep_ms(delay_ms);
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* What the dead one had begun may end meanwhile: a conflict is tried again, as the next pass would. */
static const char *create_again(struct decision_input *w, const struct workload *load) {
        const char *id = NULL;

        for (int i = 0; i < 50; i++) {
                own_fault struct fault fault = FAULT_INIT;

                if (runtime_create(w->rig.runtime, load, rig_service(load, "web"), 1, w->rig.arena, &id, &fault) == 0)
                        return id;
                if (fault.kind != FAULT_CONFLICT && fault.kind != FAULT_TRANSIENT)
                        rig_expect_fine(-1, &fault);
                clock_sleep_ms(100);
        }
        fail_msg("it cannot be made any more");
        return NULL;
}

static void whatever_a_kill_leaves_is_one_instance(void **state) {
        static const int delays[] = { 0, 5, 20, 40, 60, 90, 120, 160, 220, 300 };
        struct decision_input *w = *state;

        for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
                struct workload load = simple(w, "1", env("TEST_V1"));
                const char *id;

                prepare(w, &load);
                create_and_die(w, &load, delays[i]);
                id = create_again(w, &load);
                start(w, id);
                clock_sleep_ms(300); /* for a straggler */
                assert_string_equal(create(w, &load, "web", 1), id);
                assert_int_equal(rig_observe(&w->rig, &load).instances.n, 1);
                assert_int_equal(look(w, &load, id)->state, INSTANCE_RUNNING);
                remove_instance(w, id);
        }
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                CASE(looking_changes_nothing),
                CASE(a_deployed_instance_runs_the_pinned_image),
                CASE(doing_everything_twice_is_doing_it_once),
                CASE(starting_what_is_gone_is_a_conflict),
                CASE(a_new_release_of_the_same_specification_keeps_the_instance),
                CASE(making_one_leaves_the_others_as_they_are),
                CASE(a_stopped_instance_takes_over_again),
                CASE(services_are_told_apart),
                CASE(what_nothing_declares_is_seen_and_can_go),
                CASE(a_working_name_that_is_taken_is_refused),
                CASE(whatever_a_kill_leaves_is_one_instance),
        };
        int failed = cmocka_run_group_tests(tests, NULL, NULL);

        return is_runtime("fake") ? failed : failed + run_engine_contract();
}
