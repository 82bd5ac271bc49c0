/* SPDX-License-Identifier: Apache-2.0 */

/* The second part of the contract: what a real engine shows of the containers that a runtime makes. */

#include "shared/base/limits.h"
#include "tests/conformance/runtime_contract.h"
#include "tests/lib/runtime_world.h"

static void an_engine_that_is_away_is_told_and_nothing_concluded(void **state) {
        struct decision_input *w = *state;
        struct workload load = simple(w, "1", env("TEST_V1"));
        struct runtime_settings settings = w->settings;
        own_fault struct fault fault = FAULT_INIT;
        struct observation o;
        struct rig away;

        settings.endpoint = "unix:///nonexistent/docker.sock";
        rig_open(&away, env("TEST_RUNTIME"), &settings);
        o = rig_observe(&away, &load);
        assert_false(o.available);
        assert_non_null(o.reason);
        assert_int_equal(o.instances.n, 0);
        assert_true(runtime_prepare(away.runtime, &load, NULL, &fault) < 0);
        assert_int_equal(fault.kind, FAULT_TRANSIENT);
        assert_string_equal(fault.code, REASON_RUNTIME_UNAVAILABLE);
        assert_non_null(strstr(fault.hint, "/nonexistent/docker.sock"));
        rig_close(&away);
}

static void container_name_is_carried_by_the_one_in_service(void **state) {
        static const char text[] =
                "services: {db: {image: '%s', container_name: the-db, stop_grace_period: 1s, environment: {V: '%d'}}}\n";
        struct decision_input *w = *state;
        struct workload one = rig_workload(&w->rig, "shop", "1", compose(w, text, env("TEST_V1"), 1));
        struct workload two = rig_workload(&w->rig, "shop", "2", compose(w, text, env("TEST_V1"), 2));
        own_fault struct fault fault = FAULT_INIT;
        const char *old = deploy(w, &one), *new;

        assert_true(rig_service(&one, "db")->exclusive);
        assert_string_equal(name_of(w, old), "/the-db");
        prepare(w, &two);
        new = create(w, &two, "db", 1);
        assert_string_not_equal(name_of(w, new), "/the-db");
        /* Not while the old one carries it. */
        assert_true(runtime_start(w->rig.runtime, &(struct instance){ .id = new }, &fault) < 0);
        assert_int_equal(fault.kind, FAULT_CONFLICT);
        assert_int_equal(look(w, &two, old)->state, INSTANCE_RUNNING);
        stop(w, old);
        assert_string_not_equal(name_of(w, old), "/the-db");
        start(w, new);
        assert_string_equal(name_of(w, new), "/the-db");
        /* And back. */
        stop(w, new);
        start(w, old);
        assert_string_equal(name_of(w, old), "/the-db");
        assert_int_equal(look(w, &one, old)->state, INSTANCE_RUNNING);
        (void)wait_for(w, &one, new, is_exited);
}

static const char *label_of(struct decision_input *w, const char *id, const char *label) {
        return json_get_string(json_object_get(json_object_get(inspect(w, id), "Config"), "Labels"), label);
}

static void labels_say_what_it_is(void **state) {
        struct decision_input *w = *state;
        struct workload load =
                rig_workload(&w->rig, "shop", "1.2",
                             compose(w, "services: {web: {image: '%s', labels: {team: 'a$$b'}}}\n", env("TEST_V1")));
        const struct workload_service *web = rig_service(&load, "web");
        const char *id = deploy(w, &load);

        assert_string_equal(label_of(w, id, "tallyman.host"), "web1");
        assert_string_equal(label_of(w, id, "tallyman.environment"), "test");
        assert_string_equal(label_of(w, id, "tallyman.app"), "shop");
        assert_string_equal(label_of(w, id, "tallyman.service"), "web");
        assert_string_equal(label_of(w, id, "tallyman.release"), load.release);
        assert_string_equal(label_of(w, id, "tallyman.version"), "1.2");
        assert_string_equal(label_of(w, id, "tallyman.spec"), web->spec_digest);
        assert_string_equal(label_of(w, id, "tallyman.image"), web->image);
        assert_string_equal(label_of(w, id, "com.docker.compose.project"), "shop");
        assert_string_equal(label_of(w, id, "com.docker.compose.service"), "web");
        assert_string_equal(label_of(w, id, "team"), "a$b");
}

static void restart_engine(void) {
        const char *argv[] = {
                "bash", "-c", ". \"$0\"; engine_restart \"$1\"", env("TEST_ENGINE_SH"), env("TEST_ENGINE_DIR"), NULL
        };
        const struct process_request req = { .argv = argv, .envp = (const char *const *)environ, .timeout_ms = 120000 };
        own_process_result struct process_result result = { 0 };

        rig_fine(process_run(&req, &result, &fault));
        if (result.exit_code != 0)
                fail_msg("%s", buffer_str(&result.err));
}

static void no_engine_restart_brings_a_stopped_container_back(void **state) {
        struct decision_input *w = *state;
        struct workload one = simple(w, "1", env("TEST_V1")), two = simple(w, "2", env("TEST_V2"));
        const char *old = deploy(w, &one), *new, *waiting;

        prepare(w, &two);
        new = create(w, &two, "web", 1);
        waiting = create(w, &two, "web", 2);
        stop(w, old);
        start(w, new);
        restart_engine();
        (void)wait_for(w, &two, old, is_exited);
        assert_int_equal(look(w, &two, new)->state, INSTANCE_RUNNING);
        assert_int_equal(look(w, &two, waiting)->state, INSTANCE_CREATED);
        assert_true(look(w, &two, new)->image_matches);
}

static void a_command_in_an_instance_says_how_it_ended(void **state) {
        struct decision_input *w = *state;
        struct workload load = simple(w, "1", env("TEST_V1"));
        const char *id = deploy(w, &load), *output = NULL;
        struct text_at words[] = { { .text = "sh" }, { .text = "-c" }, { .text = "cat /www/index.html; exit 3" } };
        const struct string_list argv = { .items = words, .n = 3 };
        int64_t code = 0;

        rig_fine(runtime_exec(w->rig.runtime, &(struct instance){ .id = id }, &argv, 10000, w->rig.arena, &code,
                              &output, &fault));
        assert_int_equal(code, 3);
        assert_string_equal(output, "version 1\n");
}

static const char *output_of(struct decision_input *w, const struct workload *load, const char *service) {
        const char *id = create(w, load, service, 1), *output = NULL;

        start(w, id);
        (void)wait_for(w, load, id, is_exited);
        rig_fine(runtime_output(w->rig.runtime, &(struct instance){ .id = id }, w->rig.arena, &output, &fault));
        return output;
}

static void the_end_of_what_it_printed_can_be_read_when_it_is_over(void **state) {
        /* The engine reads two streams, and one of them sooner. */
        static const char text[] =
                "x-job: &job {image: '%s', command: [sh, -c, 'i=0; while [ $$i -lt 900 ]; do echo line $$i; i=$$((i+1)); done; sleep 1; echo bye >&2; exit 3']}\n"
                "services:\n"
                "  plain: {<<: *job}\n"
                "  terminal: {<<: *job, tty: true}\n"
                "  silent: {<<: *job, logging: {driver: none}}\n"
                "  mute: {<<: *job, command: ['true']}\n";
        struct decision_input *w = *state;
        struct workload load = rig_workload(&w->rig, "shop", "1", compose(w, text, env("TEST_V1")));
        const char *output;

        prepare(w, &load);
        output = output_of(w, &load, "plain");
        assert_non_null(strstr(output, "line 898\nline 899\n"));
        assert_non_null(strstr(output, "bye\n"));
        assert_memory_equal(output, "line ", 5);
        assert_in_range(strlen(output), 1000, LIMIT_EXEC_OUTPUT_BYTES);
        assert_non_null(strstr(output_of(w, &load, "terminal"), "line 899 \nbye"));
        assert_null(output_of(w, &load, "silent"));
        assert_string_equal(output_of(w, &load, "mute"), "");
        /* Nobody's business: what is gone, and what is not ours. */
        rig_fine(runtime_output(w->rig.runtime, &(struct instance){ .id = "0123456789ab" }, w->rig.arena, &output,
                                &fault));
        assert_null(output);
}

/*
 * Images
 */

static void count_bytes(void *data, const char *what, const char *subject, int64_t done, int64_t total) {
        int64_t *calls = data;

        (*calls)++;
}

static void a_pull_tells_its_progress_once_and_never_again(void **state) {
        struct decision_input *w = *state;
        struct workload load = simple(w, "2", env("TEST_V2"));
        int64_t calls = 0;
        const struct progress progress = { .tell = count_bytes, .data = &calls };

        /* Other tests may have pulled it. */
        rig_fine(runtime_collect(w->rig.runtime, &(struct runtime_keep){ .n_workloads = 0 }, &fault));
        rig_fine(runtime_prepare(w->rig.runtime, &load, &progress, &fault));
        assert_true(calls > 0);
        calls = 0;
        rig_fine(runtime_prepare(w->rig.runtime, &load, &progress, &fault));
        assert_int_equal(calls, 0);
}

static void an_index_is_no_drift(void **state) {
        struct decision_input *w = *state;
        struct workload load = simple(w, "1", env("TEST_INDEX"));
        const char *id = deploy(w, &load);

        assert_true(look(w, &load, id)->image_matches);
}

static void a_container_of_another_image_with_our_labels_is_drift(void **state) {
        struct decision_input *w = *state;
        struct workload load = simple(w, "1", env("TEST_V1")), other = simple(w, "2", env("TEST_V2"));
        own_json json_t *body = NULL;
        const char *id = deploy(w, &load), *forged;
        json_t *labels;

        prepare(w, &other);
        labels = json_object_get(json_object_get(inspect(w, id), "Config"), "Labels");
        body = json_pack("{ss sO s{ss}}", "Image", env("TEST_V2"), "Labels", labels, "HostConfig", "NetworkMode",
                         "none");
        forged = json_get_string(engine(w, "POST", 201, body, "/containers/create?name=forged"), "Id");
        assert_false(look(w, &load, forged)->image_matches);
        assert_true(look(w, &load, id)->image_matches);
}

static void a_digest_that_the_registry_does_not_have_is_said_so(void **state) {
        struct decision_input *w = *state;
        own_free char *image = NULL;
        own_fault struct fault fault = FAULT_INIT;
        struct workload load;

        assert_true(asprintf(&image, "%.*s@sha256:%064d", (int)(strchr(env("TEST_V1"), '@') - env("TEST_V1")),
                             env("TEST_V1"), 7) > 0);
        load = simple(w, "1", image);
        assert_true(runtime_prepare(w->rig.runtime, &load, NULL, &fault) < 0);
        assert_string_equal(fault.code, REASON_IMAGE_NOT_FOUND);
        assert_int_equal(fault.kind, FAULT_TRANSIENT);
        assert_int_equal(rig_observe(&w->rig, &load).instances.n, 0);
}

static void bytes_that_do_not_match_the_pin_are_refused(void **state) {
        struct decision_input *w = *state;
        own_fault struct fault fault = FAULT_INIT;
        struct workload load = simple(w, "1", env("TEST_BAD"));

        assert_true(runtime_prepare(w->rig.runtime, &load, NULL, &fault) < 0);
        assert_true(fault.code == REASON_IMAGE_DIGEST_MISMATCH || fault.code == REASON_IMAGE_PULL_FAILED);
}

static void write_config(const char *path, const char *registry, const char *auth) {
        own_free char *text = NULL;

        assert_true(asprintf(&text, "{\"auths\": {\"%s\": {\"auth\": \"%s\"}}}", registry, auth) > 0);
        rig_fine(file_write(AT_FDCWD, path, text, strlen(text), 0600, &fault));
}

static void a_closed_registry_opens_with_credentials_only(void **state) {
        struct decision_input *w = *state;
        struct workload load = simple(w, "1", env("TEST_CLOSED_IMAGE"));
        own_fault struct fault without = FAULT_INIT, wrong = FAULT_INIT;
        own_free char *path = NULL;

        assert_true(asprintf(&path, "%s/config.json", env("TEST_DIR")) > 0);
        assert_true(runtime_prepare(w->rig.runtime, &load, NULL, &without) < 0);
        assert_string_equal(without.code, REASON_IMAGE_AUTH);
        assert_int_equal(without.kind, FAULT_DENIED);
        w->settings.registry_config = path;
        write_config(path, env("TEST_CLOSED_REGISTRY"), "dGFsbHk6d3Jvbmc=");
        assert_true(runtime_prepare(w->rig.runtime, &load, NULL, &wrong) < 0);
        assert_string_equal(wrong.code, REASON_IMAGE_AUTH);
        write_config(path, env("TEST_CLOSED_REGISTRY"), env("TEST_CLOSED_AUTH"));
        prepare(w, &load);
}

/*
 * What is there already
 */

static void a_container_that_is_not_ours_keeps_its_name(void **state) {
        struct decision_input *w = *state;
        struct workload load =
                rig_workload(&w->rig, "shop", "1",
                             compose(w, "services: {db: {image: '%s', container_name: taken}}\n", env("TEST_V1")));
        own_fault struct fault fault = FAULT_INIT;
        const char *foreign, *id;

        prepare(w, &load);
        foreign = foreign_container(w, "taken");
        id = create(w, &load, "db", 1);
        assert_true(runtime_start(w->rig.runtime, &(struct instance){ .id = id }, &fault) < 0);
        assert_string_equal(fault.code, REASON_RESOURCE_FOREIGN);
        assert_int_equal(fault.kind, FAULT_DENIED);
        assert_string_equal(name_of(w, foreign), "/taken");
}

static void a_container_without_our_label_is_never_touched(void **state) {
        struct decision_input *w = *state;
        struct workload load = simple(w, "1", env("TEST_V1"));
        const struct instance foreign = { .id = (prepare(w, &load), foreign_container(w, "somebody")) };
        own_fault struct fault f1 = FAULT_INIT, f2 = FAULT_INIT, f3 = FAULT_INIT;

        assert_true(runtime_start(w->rig.runtime, &foreign, &f1) < 0);
        assert_true(runtime_stop(w->rig.runtime, &foreign, &f2) < 0);
        assert_true(runtime_remove(w->rig.runtime, &foreign, &f3) < 0);
        assert_string_equal(f3.code, REASON_RESOURCE_FOREIGN);
        assert_int_equal(rig_observe(&w->rig, &load).instances.n, 0);
        assert_string_equal(name_of(w, foreign.id), "/somebody");
}

static void foreign_networks_and_volumes_are_refused_and_external_ones_used(void **state) {
        struct decision_input *w = *state;
        struct workload ours =
                rig_workload(&w->rig, "shop", "1",
                             compose(w, "services: {web: {image: '%s', networks: [a]}}\nnetworks: {a: {name: town}}\n",
                                     env("TEST_V1")));
        struct workload external = rig_workload(
                &w->rig, "shop", "1",
                compose(w,
                        "services: {web: {image: '%s', networks: [a]}}\nnetworks: {a: {name: town, external: true}}\n",
                        env("TEST_V1")));
        struct workload volume =
                rig_workload(&w->rig, "shop", "1",
                             compose(w,
                                     "services: {web: {image: '%s', volumes: ['v:/v']}}\nvolumes: {v: {name: well}}\n",
                                     env("TEST_V1")));
        own_fault struct fault missing = FAULT_INIT, foreign = FAULT_INIT, well = FAULT_INIT;
        own_json json_t *network = json_pack("{ss}", "Name", "town"), *body = json_pack("{ss}", "Name", "well");

        assert_true(runtime_prepare(w->rig.runtime, &external, NULL, &missing) < 0);
        assert_string_equal(missing.code, REASON_RESOURCE_MISSING);
        (void)engine(w, "POST", 201, network, "/networks/create");
        (void)engine(w, "POST", 201, body, "/volumes/create");
        assert_true(runtime_prepare(w->rig.runtime, &ours, NULL, &foreign) < 0);
        assert_string_equal(foreign.code, REASON_RESOURCE_FOREIGN);
        assert_true(runtime_prepare(w->rig.runtime, &volume, NULL, &well) < 0);
        assert_string_equal(well.code, REASON_RESOURCE_FOREIGN);
        prepare(w, &external);
        prepare(w, &external);
}

static void a_network_with_other_settings_is_said_so(void **state) {
        struct decision_input *w = *state;
        struct workload one =
                rig_workload(&w->rig, "shop", "1",
                             compose(w, "services: {web: {image: '%s', networks: [a]}}\nnetworks: {a: {}}\n",
                                     env("TEST_V1")));
        struct workload two =
                rig_workload(&w->rig, "shop", "2",
                             compose(w,
                                     "services: {web: {image: '%s', networks: [a]}}\nnetworks: {a: {internal: true}}\n",
                                     env("TEST_V1")));
        own_fault struct fault fault = FAULT_INIT;

        prepare(w, &one);
        assert_true(runtime_prepare(w->rig.runtime, &two, NULL, &fault) < 0);
        assert_int_equal(fault.kind, FAULT_CONFIG);
}

/* Somebody's `docker compose up` in a project of the same name. */
static void containers_of_somebody_else_in_the_project_are_left_alone(void **state) {
        struct decision_input *w = *state;
        struct workload load = simple(w, "1", env("TEST_V1"));
        own_json json_t *body =
                json_pack("{ss s{ss} s{ss ss ss ss ss}}", "Image", env("TEST_V1"), "HostConfig", "NetworkMode", "none",
                          "Labels", "com.docker.compose.project", "shop", "com.docker.compose.service", "web",
                          "com.docker.compose.oneoff", "False", "com.docker.compose.container-number", "1",
                          "com.docker.compose.config-hash", "abc");
        const char *foreign, *id;

        prepare(w, &load);
        foreign = json_get_string(engine(w, "POST", 201, body, "/containers/create?name=shop-web-1"), "Id");
        (void)engine(w, "POST", 204, NULL, "/containers/%s/start", foreign);
        id = deploy(w, &load);
        assert_string_not_equal(id, foreign);
        assert_true(json_get_bool(json_object_get(inspect(w, foreign), "State"), "Running", false));
        assert_int_equal(rig_observe(&w->rig, &load).instances.n, 1);
        (void)create(w, &load, "web", 2);
        assert_true(json_get_bool(json_object_get(inspect(w, foreign), "State"), "Running", false));
        assert_string_equal(name_of(w, foreign), "/shop-web-1");
}

/*
 * Networks, ports, files, health
 */

static void both_networks_are_attached_and_a_lost_one_is_seen_and_mended(void **state) {
        struct decision_input *w = *state;
        struct workload load = rig_workload(
                &w->rig, "shop", "1",
                compose(w,
                        "services: {web: {image: '%s', networks: {a: {aliases: [frontdoor]}, b: {}}}}\nnetworks: {a: {}, b: {}}\n",
                        env("TEST_V1")));
        const char *id = deploy(w, &load);
        own_json json_t *body = json_pack("{ss}", "Container", id);
        const struct instance *in = look(w, &load, id);

        assert_int_equal(in->networks_missing.n, 0);
        (void)engine(w, "POST", 200, body, "/networks/shop_b/disconnect");
        in = look(w, &load, id);
        assert_int_equal(in->networks_missing.n, 1);
        assert_string_equal(in->networks_missing.items[0].text, "shop_b");
        assert_string_equal(create(w, &load, "web", 1), id);
        assert_int_equal(look(w, &load, id)->networks_missing.n, 0);
}

static void a_port_in_use_is_a_clear_fault(void **state) {
        static const char text[] =
                "services: {web: {image: '%s', ports: ['127.0.0.1:%d:80'], environment: {V: '%d'}}}\n";
        struct decision_input *w = *state;
        int port = 40000 + getpid() % 20000;
        struct workload one = rig_workload(&w->rig, "shop", "1", compose(w, text, env("TEST_V1"), port, 1));
        struct workload two = rig_workload(&w->rig, "shop", "2", compose(w, text, env("TEST_V1"), port, 2));
        own_fault struct fault fault = FAULT_INIT;
        const char *id;

        (void)deploy(w, &one);
        prepare(w, &two);
        id = create(w, &two, "web", 1);
        assert_true(runtime_start(w->rig.runtime, &(struct instance){ .id = id }, &fault) < 0);
        assert_string_equal(fault.code, REASON_ROLLOUT_START_FAILED);
        assert_non_null(fault.hint);
        assert_non_null(strstr(fault.hint, "listens on that port"));
}

static void health_is_seen(void **state) {
        static const char text[] =
                "services: {web: {image: '%s', healthcheck: {test: [CMD, %s], interval: 1s, retries: 1}}}\n";
        struct decision_input *w = *state;
        struct workload good = rig_workload(&w->rig, "shop", "1", compose(w, text, env("TEST_V1"), "'true'"));
        struct workload bad = rig_workload(&w->rig, "shop", "2", compose(w, text, env("TEST_V1"), "'false'"));
        const char *id = deploy(w, &good), *other;

        assert_true(rig_service(&good, "web")->health_checked);
        (void)wait_for(w, &good, id, is_healthy);
        other = deploy(w, &bad);
        (void)wait_for(w, &bad, other, is_unhealthy);
}

static void an_exit_and_a_crash_loop_are_seen(void **state) {
        struct decision_input *w = *state;
        struct workload once =
                rig_workload(&w->rig, "shop", "1",
                             compose(w, "services: {job: {image: '%s', command: [sh, -c, exit 3]}}\n", env("TEST_V1")));
        struct workload loop =
                rig_workload(&w->rig, "shop", "2",
                             compose(w, "services: {job: {image: '%s', command: ['false'], restart: always}}\n",
                                     env("TEST_V1")));
        const struct instance *in = wait_for(w, &once, deploy(w, &once), is_exited);

        assert_int_equal(in->exit_code, 3);
        (void)wait_for(w, &loop, deploy(w, &loop), has_restarted);
}

static void a_command_that_is_not_in_the_image_says_so(void **state) {
        struct decision_input *w = *state;
        struct workload load = rig_workload(&w->rig, "shop", "1",
                                            compose(w, "services: {job: {image: '%s', command: [no-such-program]}}\n",
                                                    env("TEST_V1")));
        own_fault struct fault fault = FAULT_INIT;
        const char *id;

        prepare(w, &load);
        id = create(w, &load, "job", 1);
        assert_true(runtime_start(w->rig.runtime, &(struct instance){ .id = id }, &fault) < 0);
        assert_string_equal(fault.code, REASON_ROLLOUT_START_FAILED);
        assert_non_null(strstr(fault.message, "no-such-program"));
}

static void variables_are_those_of_file_and_environment(void **state) {
        struct decision_input *w = *state;
        struct workload load;
        const json_t *variables;
        const char *found = NULL;
        size_t i;
        json_t *item;

        rig_file(&w->rig, "web.env", "A=file\nB='a$b'\n");
        load = rig_workload(&w->rig, "shop", "1",
                            compose(w,
                                    "services: {web: {image: '%s', env_file: [web.env], environment: {A: 'x$$y'}}}\n",
                                    env("TEST_V1")));
        variables = json_object_get(json_object_get(inspect(w, deploy(w, &load)), "Config"), "Env");
        json_array_foreach(variables, i, item) {
                assert_string_not_equal(json_string_value(item), "A=file");
                if (str_eq(json_string_value(item), "A=x$y"))
                        found = "A";
                if (str_after(json_string_value(item), "B="))
                        assert_string_equal(json_string_value(item), "B=a$b");
        }
        assert_non_null(found);
}

static void files_of_the_repository_are_mounted_by_content(void **state) {
        struct decision_input *w = *state;
        struct workload one = with_files(w, "1", "one\n"), two = with_files(w, "2", "two\n"),
                        same = with_files(w, "3", "one\n");
        const char *id = deploy(w, &one);
        struct stat st;
        char secret[300];

        assert_inside(w, id, "/etc/app.conf", "one\n");
        assert_inside(w, id, "/etc/plain", "one\n");
        assert_inside(w, id, "/srv/static/a/index.html", "<p>");
        assert_inside(w, id, "/run/secrets/hidden", "pssst");
        assert_int_equal(look(w, &one, id)->files_changed.n, 0);
        assert_string_not_equal(rig_service(&one, "web")->spec_digest, rig_service(&two, "web")->spec_digest);
        assert_string_equal(rig_service(&one, "web")->spec_digest, rig_service(&same, "web")->spec_digest);
        (void)snprintf(secret, sizeof(secret), "/proc/%lld/root/run/secrets/hidden",
                       (long long)json_get_integer(json_object_get(inspect(w, id), "State"), "Pid", 0));
        assert_int_equal(stat(secret, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0400);
        assert_int_equal(stat(w->settings.files, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0700);
}

static void a_file_that_was_changed_on_the_host_is_seen_until_the_container_has_the_right_one(void **state) {
        struct decision_input *w = *state;
        struct workload load = with_files(w, "1", "one\n");
        const char *id = deploy(w, &load), *path = source_of(w, id, "/etc/app.conf"), *again;
        const struct instance *in;

        overwrite(path, "two\n");
        in = look(w, &load, id);
        assert_int_equal(in->files_changed.n, 1);
        assert_string_equal(in->files_changed.items[0].text, "/etc/app.conf");
        /* The file is right again, but the container still holds the inode of the wrong one. */
        clock_sleep_ms(1100);
        prepare(w, &load);
        assert_inside(w, id, "/etc/app.conf", "two\n");
        assert_int_equal(look(w, &load, id)->files_changed.n, 1);
        stop(w, id);
        remove_instance(w, id);
        again = deploy(w, &load);
        assert_inside(w, again, "/etc/app.conf", "one\n");
        assert_int_equal(look(w, &load, again)->files_changed.n, 0);
}

static void a_file_more_in_a_mounted_folder_is_seen(void **state) {
        struct decision_input *w = *state;
        struct workload load = with_files(w, "1", "one\n");
        const char *id = deploy(w, &load);
        char path[400];

        (void)snprintf(path, sizeof(path), "%s/more", source_of(w, id, "/srv/static"));
        rig_fine(file_write(AT_FDCWD, path, "x", 1, 0644, &fault));
        assert_int_equal(look(w, &load, id)->files_changed.n, 1);
        prepare(w, &load);
        assert_int_equal(access(path, F_OK), -1);
}

/*
 * Cleaning up
 */

static void named_volumes_stay_and_anonymous_ones_go(void **state) {
        struct decision_input *w = *state;
        struct workload load = rig_workload(
                &w->rig, "shop", "1",
                compose(w,
                        "services: {db: {image: '%s', stop_grace_period: 1s, volumes: ['data:/data', '/scratch']}}\nvolumes: {data: {}}\n",
                        env("TEST_V1")));
        const char *id = deploy(w, &load);
        json_t *volumes = json_object_get(engine(w, "GET", 200, NULL, "/volumes"), "Volumes");

        assert_int_equal(json_array_size(volumes), 2);
        stop(w, id);
        remove_instance(w, id);
        rig_fine(runtime_collect(w->rig.runtime, &(struct runtime_keep){ .n_workloads = 0 }, &fault));
        volumes = json_object_get(engine(w, "GET", 200, NULL, "/volumes"), "Volumes");
        assert_int_equal(json_array_size(volumes), 1);
        assert_string_equal(json_get_string(json_array_get(volumes, 0), "Name"), "shop_data");
}

static void collect_removes_what_nothing_needs_and_nothing_else(void **state) {
        struct decision_input *w = *state;
        struct workload one = with_files(w, "1", "one\n"), two = simple(w, "2", env("TEST_V2"));
        own_json json_t *foreign = json_pack("{ss}", "Name", "somebodys");
        const char *id = deploy(w, &one);
        char path[400];

        prepare(w, &two);
        (void)engine(w, "POST", 201, foreign, "/networks/create");
        (void)snprintf(path, sizeof(path), "%s", source_of(w, id, "/etc/app.conf"));
        /* A container holds everything of the first, and the second is wanted. */
        rig_fine(
                runtime_collect(w->rig.runtime, &(struct runtime_keep){ .workloads = &two, .n_workloads = 1 }, &fault));
        assert_int_equal(access(path, F_OK), 0);
        (void)engine(w, "GET", 200, NULL, "/images/%s/json", env("TEST_V1"));
        (void)engine(w, "GET", 200, NULL, "/images/%s/json", env("TEST_V2"));
        (void)engine(w, "GET", 200, NULL, "/networks/shop_default");
        stop(w, id);
        remove_instance(w, id);
        rig_fine(
                runtime_collect(w->rig.runtime, &(struct runtime_keep){ .workloads = &two, .n_workloads = 1 }, &fault));
        assert_int_equal(access(path, F_OK), -1);
        (void)engine(w, "GET", 404, NULL, "/images/%s/json", env("TEST_V1"));
        (void)engine(w, "GET", 200, NULL, "/images/%s/json", env("TEST_V2"));
        (void)engine(w, "GET", 200, NULL, "/networks/shop_default");
        rig_fine(runtime_collect(w->rig.runtime, &(struct runtime_keep){ .n_workloads = 0 }, &fault));
        (void)engine(w, "GET", 404, NULL, "/images/%s/json", env("TEST_V2"));
        (void)engine(w, "GET", 404, NULL, "/networks/shop_default");
        (void)engine(w, "GET", 200, NULL, "/networks/somebodys");
}

/*
 * Doctor, and one of everything
 */

static void doctor_names_engine_and_storage(void **state) {
        struct decision_input *w = *state;
        own_json json_t *out = json_array();

        rig_fine(runtime_doctor(w->rig.runtime, out, &fault));
        assert_true(json_array_size(out) >= 3);
        assert_string_equal(json_get_string(json_array_get(out, 0), "check"), "engine");
        assert_string_equal(json_get_string(json_array_get(out, 0), "state"), "ok");
}

/* One of everything that the engine can say no to. */
static void a_service_with_all_kinds_of_settings_runs(void **state) {
        struct decision_input *w = *state;
        struct workload load = rig_workload(
                &w->rig, "shop", "1",
                compose(w,
                        "services:\n"
                        "  web:\n"
                        "    image: '%s'\n"
                        "    command: [sh, -c, 'trap \"exit 0\" TERM; while :; do sleep 1 & wait; done']\n"
                        "    environment: {A: one, B: ''}\n"
                        "    ports: ['127.0.0.1::80', '53/udp']\n"
                        "    tmpfs: ['/run:size=1m']\n"
                        "    volumes: [{type: tmpfs, target: /scratch, tmpfs: {size: 1m}}, '/tmp:/host-tmp:ro']\n"
                        "    labels: {com.example.team: shop}\n"
                        "    restart: 'on-failure:3'\n"
                        "    user: '1000:1000'\n"
                        "    working_dir: /tmp\n"
                        "    init: true\n"
                        "    read_only: true\n"
                        "    cap_drop: [ALL]\n"
                        "    cap_add: [NET_BIND_SERVICE]\n"
                        "    security_opt: ['no-new-privileges:true']\n"
                        "    ulimits: {nofile: {soft: 100, hard: 200}}\n"
                        "    sysctls: {net.ipv4.ip_unprivileged_port_start: '80'}\n"
                        "    devices: ['/dev/null:/dev/nothing:r']\n"
                        "    shm_size: 8m\n"
                        "    stop_signal: SIGTERM\n"
                        "    stop_grace_period: 1s\n"
                        "    hostname: web\n"
                        "    extra_hosts: ['db:10.0.0.1']\n"
                        "    dns: [127.0.0.1]\n"
                        "    logging: {driver: json-file, options: {max-size: 1m}}\n"
                        "    deploy: {resources: {limits: {cpus: '0.5', memory: 64m, pids: 50}}}\n",
                        env("TEST_V1")));
        const char *id = deploy(w, &load);
        const json_t *host = json_object_get(inspect(w, id), "HostConfig");

        assert_int_equal(look(w, &load, id)->state, INSTANCE_RUNNING);
        assert_string_equal(restart_of(w, id), "on-failure");
        assert_int_equal(json_get_integer(host, "Memory", 0), 64 * 1024 * 1024);
        assert_int_equal(json_get_integer(host, "NanoCpus", 0), 500000000);
        assert_true(json_get_bool(host, "ReadonlyRootfs", false));
}

int run_engine_contract(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                CASE(an_engine_that_is_away_is_told_and_nothing_concluded),
                CASE(container_name_is_carried_by_the_one_in_service),
                CASE(labels_say_what_it_is),
                CASE(no_engine_restart_brings_a_stopped_container_back),
                CASE(a_command_in_an_instance_says_how_it_ended),
                CASE(the_end_of_what_it_printed_can_be_read_when_it_is_over),
                CASE(a_pull_tells_its_progress_once_and_never_again),
                CASE(an_index_is_no_drift),
                CASE(a_container_of_another_image_with_our_labels_is_drift),
                CASE(a_digest_that_the_registry_does_not_have_is_said_so),
                CASE(bytes_that_do_not_match_the_pin_are_refused),
                CASE(a_closed_registry_opens_with_credentials_only),
                CASE(a_container_that_is_not_ours_keeps_its_name),
                CASE(a_container_without_our_label_is_never_touched),
                CASE(foreign_networks_and_volumes_are_refused_and_external_ones_used),
                CASE(a_network_with_other_settings_is_said_so),
                CASE(containers_of_somebody_else_in_the_project_are_left_alone),
                CASE(both_networks_are_attached_and_a_lost_one_is_seen_and_mended),
                CASE(a_port_in_use_is_a_clear_fault),
                CASE(health_is_seen),
                CASE(an_exit_and_a_crash_loop_are_seen),
                CASE(a_command_that_is_not_in_the_image_says_so),
                CASE(variables_are_those_of_file_and_environment),
                CASE(files_of_the_repository_are_mounted_by_content),
                CASE(a_file_that_was_changed_on_the_host_is_seen_until_the_container_has_the_right_one),
                CASE(a_file_more_in_a_mounted_folder_is_seen),
                CASE(named_volumes_stay_and_anonymous_ones_go),
                CASE(collect_removes_what_nothing_needs_and_nothing_else),
                CASE(doctor_names_engine_and_storage),
                CASE(a_service_with_all_kinds_of_settings_runs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
