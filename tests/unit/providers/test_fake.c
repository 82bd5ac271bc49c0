/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "providers/fake/fake.h"
#include "shared/base/reason.h"
#include "shared/data/json.h"
#include "tests/lib/group.h"
#include "tests/lib/rig.h"

#define IMAGE "r.example/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char one[] = "services: {web: {image: '" IMAGE "', healthcheck: {test: [CMD, x]}}}\n";
static const char two[] = "services: {web: {image: '" IMAGE "', environment: {A: b}}}\n";

static int setup(void **state) {
        static const struct runtime_settings settings = { .host = "web1", .environment = "test" };
        struct rig *rig = calloc(1, sizeof(*rig));

        assert_non_null(rig);
        rig_open(rig, "fake", &settings);
        *state = rig;
        return 0;
}

static int teardown(void **state) {
        rig_close(*state);
        free(*state);
        return 0;
}

static const char *create(struct rig *rig, const struct workload *w) {
        const char *id = NULL;

        rig_fine(runtime_prepare(rig->runtime, w, NULL, &fault));
        rig_fine(runtime_create(rig->runtime, w, rig_service(w, "web"), 1, rig->arena, &id, &fault));
        return id;
}

static void start(struct rig *rig, const char *id) {
        rig_fine(runtime_start(rig->runtime, &(struct instance){ .id = id }, &fault));
}

static void an_instance_lives_as_the_contract_says(void **state) {
        struct rig *rig = *state;
        struct workload w = rig_workload(rig, "shop", "1", one);
        const char *id = create(rig, &w);
        struct observation o = rig_observe(rig, &w);

        assert_string_equal(create(rig, &w), id);
        assert_int_equal(rig_find(&o, id)->state, INSTANCE_CREATED);
        start(rig, id);
        start(rig, id);
        o = rig_observe(rig, &w);
        assert_int_equal(rig_find(&o, id)->state, INSTANCE_RUNNING);
        assert_int_equal(rig_find(&o, id)->health, HEALTH_HEALTHY);
        rig_fine(runtime_stop(rig->runtime, rig_find(&o, id), &fault));
        rig_fine(runtime_stop(rig->runtime, rig_find(&o, id), &fault));
        o = rig_observe(rig, &w);
        assert_int_equal(rig_find(&o, id)->state, INSTANCE_EXITED);
        rig_fine(runtime_remove(rig->runtime, rig_find(&o, id), &fault));
        rig_fine(runtime_remove(rig->runtime, rig_find(&o, id), &fault));
        assert_int_equal(rig_observe(rig, &w).instances.n, 0);
}

static void other_settings_are_another_specification(void **state) {
        struct rig *rig = *state;
        struct workload w1 = rig_workload(rig, "shop", "1", one), w2 = rig_workload(rig, "shop", "2", two);

        assert_string_not_equal(rig_service(&w1, "web")->spec_digest, rig_service(&w2, "web")->spec_digest);
        assert_string_not_equal(create(rig, &w1), create(rig, &w2));
        assert_int_equal(rig_observe(rig, NULL).instances.n, 2);
}

static void a_scripted_instance_can_be_reached_while_it_runs(void **state) {
        struct rig *rig = *state;
        struct workload w = rig_workload(rig, "shop", "1", one);
        const char *id = create(rig, &w);
        struct observation o;

        json_object_set_new(fake_world(rig->runtime), "start",
                            json_pack("{s{s[{si ss}] ss}}", "shop/web", "endpoints", "port", 80, "address",
                                      "127.0.0.1:8080", "address", "127.0.0.2"));
        assert_int_equal(rig_observe(rig, &w).instances.n, 1);
        start(rig, id);
        o = rig_observe(rig, &w);
        assert_string_equal(instance_reach(rig_find(&o, id), 80, rig->arena), "127.0.0.1:8080");
        assert_string_equal(instance_reach(rig_find(&o, id), 81, rig->arena), "127.0.0.2:81");
        rig_fine(runtime_stop(rig->runtime, rig_find(&o, id), &fault));
        o = rig_observe(rig, &w);
        assert_null(instance_reach(rig_find(&o, id), 80, rig->arena));
}

static int run(struct rig *rig, const char *id, int64_t *ret_code, const char **ret_output, struct fault *reterr) {
        struct text_at words[] = { { .text = "ready" }, { .text = "-q" } };
        const struct string_list command = { words, 2 };

        return runtime_exec(rig->runtime, &(struct instance){ .id = id }, &command, 1000, rig->arena, ret_code,
                            ret_output, reterr);
}

static void a_scripted_command_ends_as_the_script_says(void **state) {
        struct rig *rig = *state;
        struct workload w = rig_workload(rig, "shop", "1", one);
        own_fault struct fault down = FAULT_INIT, late = FAULT_INIT, gone = FAULT_INIT;
        const char *id = create(rig, &w), *output = NULL;
        json_t *exec = json_object(), *trace;
        int64_t code = 77;

        assert_int_equal(run(rig, id, &code, &output, &down), -EAGAIN);
        assert_int_equal(down.kind, FAULT_CONFLICT);
        start(rig, id);
        rig_fine(run(rig, id, &code, &output, &fault));
        assert_int_equal(code, 0);
        assert_string_equal(output, "");
        json_object_set_new(fake_world(rig->runtime), "exec", exec);
        json_object_set_new(exec, "shop/web", json_pack("{si ss}", "exit_code", 3, "output", "no"));
        rig_fine(run(rig, id, &code, &output, &fault));
        assert_int_equal(code, 3);
        assert_string_equal(output, "no");
        json_object_set_new(exec, "shop/web@1", json_pack("{sb}", "timeout", true));
        assert_int_equal(run(rig, id, &code, &output, &late), -ETIMEDOUT);
        assert_int_equal(late.kind, FAULT_TRANSIENT);
        assert_int_equal(run(rig, "other", &code, &output, &gone), -ENOENT);
        trace = json_object_get(fake_world(rig->runtime), "trace");
        assert_string_equal(json_string_value(json_array_get(trace, json_array_size(trace) - 1)), "exec other ready");
}

static void the_nth_call_fails_as_scripted(void **state) {
        struct rig *rig = *state;
        struct workload w = rig_workload(rig, "shop", "1", one);
        own_fault struct fault fault = FAULT_INIT;
        const char *id = create(rig, &w);

        json_object_set_new(fake_world(rig->runtime), "fail",
                            json_pack("[{ss si ss ss}]", "call", "start", "nth", 2, "kind", "denied", "code",
                                      "RESOURCE_FOREIGN"));
        start(rig, id);
        assert_true(runtime_start(rig->runtime, &(struct instance){ .id = id }, &fault) < 0);
        assert_int_equal(fault.kind, FAULT_DENIED);
        assert_ptr_equal(fault.code, REASON_RESOURCE_FOREIGN);
        start(rig, id);
}

static void a_start_goes_as_scripted(void **state) {
        struct rig *rig = *state;
        struct workload w = rig_workload(rig, "shop", "1", one);
        struct observation o;
        const char *id;

        json_object_set_new(fake_world(rig->runtime), "start",
                            json_pack("{s{ss} s{si}}", "shop/web", "health", "unhealthy", "shop/web@9", "exit_code",
                                      3));
        id = create(rig, &w);
        start(rig, id);
        o = rig_observe(rig, &w);
        assert_int_equal(rig_find(&o, id)->health, HEALTH_UNHEALTHY);
        w = rig_workload(rig, "shop", "9", two);
        id = create(rig, &w);
        start(rig, id);
        o = rig_observe(rig, &w);
        assert_int_equal(rig_find(&o, id)->state, INSTANCE_EXITED);
        assert_int_equal(rig_find(&o, id)->exit_code, 3);
}

static void an_engine_that_is_away_is_only_observed(void **state) {
        struct rig *rig = *state;
        struct workload w = rig_workload(rig, "shop", "1", one);
        own_fault struct fault fault = FAULT_INIT;
        struct observation o;

        json_object_set_new(fake_world(rig->runtime), "available", json_false());
        o = rig_observe(rig, &w);
        assert_false(o.available);
        assert_non_null(o.reason);
        assert_true(runtime_prepare(rig->runtime, &w, NULL, &fault) < 0);
        assert_string_equal(fault.code, REASON_RUNTIME_UNAVAILABLE);
}

static void collect_keeps_images_of_workloads(void **state) {
        struct rig *rig = *state;
        struct workload w = rig_workload(rig, "shop", "1", one);

        (void)create(rig, &w);
        rig_fine(runtime_collect(rig->runtime, &(struct runtime_keep){ .workloads = &w, .n_workloads = 1 }, &fault));
        assert_int_equal(json_array_size(json_object_get(fake_world(rig->runtime), "images")), 1);
        rig_fine(runtime_collect(rig->runtime, &(struct runtime_keep){ .n_workloads = 0 }, &fault));
        assert_int_equal(json_array_size(json_object_get(fake_world(rig->runtime), "images")), 0);
}

static void collect_keeps_older_images_within_the_budget(void **state) {
        struct rig *rig = *state;
        struct workload w = rig_workload(rig, "shop", "1", one);
        const struct workload_service *service = w.services.items;
        const struct runtime_image older[] = { { service->image, 2 }, { "registry.example/gone@sha256:1", 1 } };
        struct runtime_keep keep = { .older = older, .n_older = 2 };

        (void)create(rig, &w);
        rig_fine(runtime_collect(rig->runtime, &keep, &fault));
        assert_int_equal(json_array_size(json_object_get(fake_world(rig->runtime), "images")), 1);
        keep.budget = 1;
        rig_fine(runtime_collect(rig->runtime, &keep, &fault));
        assert_int_equal(json_array_size(json_object_get(fake_world(rig->runtime), "images")), 1);
        keep.older = older + 1;
        keep.n_older = 1;
        rig_fine(runtime_collect(rig->runtime, &keep, &fault));
        assert_int_equal(json_array_size(json_object_get(fake_world(rig->runtime), "images")), 0);
}

/* In a child: prepare, create, start; the script ends it somewhere. */
static int child(const struct runtime_settings *settings) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                struct rig rig;
                struct workload w;

                rig_open(&rig, "fake", settings);
                w = rig_workload(&rig, "shop", "1", one);
                start(&rig, create(&rig, &w));
                rig_close(&rig);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WEXITSTATUS(status);
}

static void the_world_outlives_a_process_that_dies_at_any_call(void **state) {
        static const char *const calls[] = { "prepare", "create", "start", NULL };
        char path[] = "/tmp/tally-fake-XXXXXX", endpoint[100];
        struct runtime_settings settings = { .host = "web1", .environment = "test", .endpoint = endpoint };
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        (void)close(fd);
        (void)snprintf(endpoint, sizeof(endpoint), "fake:%s", path);
        for (size_t i = 0; calls[i]; i++)
                for (int after = 0; after < 2; after++) {
                        struct rig rig;
                        struct observation o;

                        (void)unlink(path);
                        rig_open(&rig, "fake", &settings);
                        json_object_set_new(fake_world(rig.runtime), "exit",
                                            json_pack("[{ss si sb si}]", "call", calls[i], "nth", 1, "after", after,
                                                      "code", 42));
                        assert_int_equal(json_dump_file(fake_world(rig.runtime), path, 0), 0);
                        assert_int_equal(child(&settings), 42);
                        assert_int_equal(child(&settings), 0);
                        o = rig_observe(&rig, NULL);
                        assert_int_equal(o.instances.n, 1);
                        assert_int_equal(((const struct instance *)o.instances.items)->state, INSTANCE_RUNNING);
                        rig_close(&rig);
                }
        assert_int_equal(unlink(path), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
        CASE(an_instance_lives_as_the_contract_says),
        CASE(other_settings_are_another_specification),
        CASE(a_scripted_instance_can_be_reached_while_it_runs),
        CASE(a_scripted_command_ends_as_the_script_says),
        CASE(the_nth_call_fails_as_scripted),
        CASE(a_start_goes_as_scripted),
        CASE(an_engine_that_is_away_is_only_observed),
        CASE(collect_keeps_images_of_workloads),
        CASE(collect_keeps_older_images_within_the_budget),
        cmocka_unit_test(the_world_outlives_a_process_that_dies_at_any_call),
};

TEST_GROUP(fake, tests);
