/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Checks of real containers and against a real Prometheus server. checks.sh starts them and says where everything is.
 */

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policies/analysis.h"
#include "providers/runtime/docker/engine.h"
#include "providers/runtime/docker/fingerprint.h"
#include "providers/probe.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "tests/lib/rig.h"

#define TIMEOUT_MS 2000
#define NOBODY     65534

/*
 * 8080 serves files, 8081 is always busy, 8082 never answers; 8083 is published, but nobody listens there. Of those
 * that are not published, somebody listens at 8084.
 */
static const char web_text[] =
        "services:\n"
        "  web:\n"
        "    image: '%s'\n"
        "    stop_grace_period: 1s\n"
        "    environment: {GREETING: hello}\n"
        "    ports: ['127.0.0.1::8080', '127.0.0.1::8081', '127.0.0.1::8082', '127.0.0.1::8083', '127.0.0.1::53/udp']\n"
        "    command:\n"
        "      - sh\n"
        "      - -c\n"
        "      - |\n"
        "        httpd -p 8080 -h /www\n"
        "        httpd -p 8084 -h /www\n"
        "        nc -ll -p 8081 -e sh -c 'while read line && [ $${#line} -gt 1 ]; do :; done; printf \"HTTP/1.0 503 Busy\\r\\n\\r\\nbusy\"' &\n"
        "        nc -ll -p 8082 -e sleep 30 &\n"
        "        trap 'exit 0' TERM\n"
        "        while :; do sleep 1 & wait; done\n";

struct decision_input {
        struct rig rig;
        struct runtime_settings settings;
        struct engine *engine;
        struct workload load;
        const struct instance *web;
};

static const char *env(const char *name) {
        const char *value = getenv(name);

        if (!value)
                fail_msg("%s is not set: run checks.sh", name);
        return value;
}

static const struct instance *look_again(struct decision_input *w) {
        struct observation *o = arena_new_of(w->rig.arena, struct observation);

        *o = rig_observe(&w->rig, &w->load);
        if (!o->available)
                fail_msg("%s", o->reason);
        assert_int_equal(o->instances.n, 1);
        return o->instances.items;
}

/* One container for all tests. */
static int setup(void **state) {
        struct decision_input *w = calloc(1, sizeof(*w));
        struct text_at words[] = { { .text = "sh" },
                                   { .text = "-c" },
                                   { .text = "until wget -q -O /dev/null http://127.0.0.1:8084/; do :; done" } };
        const struct string_list ready = { words, 3 };
        const char *id, *output, *text;
        int64_t code = 77;
        char *files = NULL;

        assert_non_null(w);
        assert_true(asprintf(&files, "%s/files", env("TEST_DIR")) > 0);
        w->settings = (struct runtime_settings){
                .host = "web1", .environment = "test", .endpoint = env("ENGINE_HOST"), .files = files
        };
        rig_open(&w->rig, "docker", &w->settings);
        rig_fine(engine_new(env("ENGINE_HOST"), &w->engine, &fault));
        text = arena_printf(w->rig.arena, web_text, env("TEST_V1"));
        w->load = rig_workload(&w->rig, "shop", "1", text);
        rig_fine(runtime_prepare(w->rig.runtime, &w->load, NULL, &fault));
        rig_fine(runtime_create(w->rig.runtime, &w->load, rig_service(&w->load, "web"), 1, w->rig.arena, &id, &fault));
        rig_fine(runtime_start(w->rig.runtime, &(struct instance){ .id = id }, &fault));
        w->web = look_again(w);
        rig_fine(runtime_exec(w->rig.runtime, w->web, &ready, 20000, w->rig.arena, &code, &output, &fault));
        assert_int_equal(code, 0);
        *state = w;
        return 0;
}

static int teardown(void **state) {
        struct decision_input *w = *state;

        rig_fine(runtime_stop(w->rig.runtime, w->web, &fault));
        rig_fine(runtime_remove(w->rig.runtime, w->web, &fault));
        rig_fine(runtime_collect(w->rig.runtime, &(struct runtime_keep){ .workloads = NULL }, &fault));
        engine_free(w->engine);
        rig_close(&w->rig);
        free((char *)w->settings.files);
        free(w);
        return 0;
}

static struct probe_target target_of(struct decision_input *w) {
        return (struct probe_target){ .runtime = w->rig.runtime,
                                      .instance = w->web,
                                      .host = "web1",
                                      .app = "shop",
                                      .service = "web",
                                      .release = "sha256:new",
                                      .version = "2",
                                      .current_release = "sha256:old",
                                      .current_version = "1" };
}

static void assert_fact(const struct check_fact *f, enum check_verdict verdict, const char *detail) {
        if (f->verdict != verdict || !pattern_matches(detail, f->detail))
                fail_msg("%s '%s' instead of %s '%s'", check_verdict_names[f->verdict], f->detail,
                         check_verdict_names[verdict], detail);
}

static struct check_fact make(struct decision_input *w, struct check check, int64_t timeout_ms) {
        const struct probe_target target = target_of(w);
        struct check_fact fact;

        check.name.text = "check";
        check.timeout_ms = timeout_ms;
        probe(&check, &target, w->rig.arena, &fact);
        return fact;
}

/*
 * Where it is reached
 */

static void published_ports_are_observed_with_their_addresses(void **state) {
        struct decision_input *w = *state;
        const struct endpoint *e = w->web->endpoints.items;

        assert_int_equal(w->web->endpoints.n, 4);
        for (int64_t i = 0; i < 4; i++) {
                assert_int_equal(e[i].port, 8080 + i);
                assert_non_null(str_after(e[i].address, "127.0.0.1:"));
        }
        assert_non_null(str_after(w->web->address, "10."));
        assert_non_null(str_after(instance_reach(w->web, 8084, w->rig.arena), w->web->address));
}

static struct digest fingerprint(struct decision_input *w) {
        struct digest d;

        rig_fine(docker_fingerprint(w->settings.endpoint, "web1", &d, &fault));
        return d;
}

/* Neither checks nor time change what makes a pass look closer. */
static void a_check_leaves_the_fingerprint_as_it_is(void **state) {
        struct decision_input *w = *state;
        struct text_at words[] = { { .text = "true" } };
        const struct check_exec exec = { .command = { words, 1 } };
        const struct check_http http = { .port = 8080, .path = "/" };
        struct digest before = fingerprint(w), after;

        for (int i = 0; i < 3; i++) {
                struct check_fact one = make(w, (struct check){ .exec = &exec }, TIMEOUT_MS),
                                  two = make(w, (struct check){ .http = &http }, TIMEOUT_MS);

                assert_fact(&one, CHECK_PASS, "exit code 0");
                assert_fact(&two, CHECK_PASS, "status 200");
                clock_sleep_ms(500);
        }
        after = fingerprint(w);
        assert_string_equal(before.text, after.text);
}

/*
 * HTTP and TCP
 */

static void ask(struct decision_input *w, struct check_http http, enum check_verdict verdict, const char *detail) {
        struct check_fact fact = make(w, (struct check){ .http = &http }, 700);

        assert_fact(&fact, verdict, detail);
        assert_string_equal(fact.instance, w->web->id);
        assert_true(fact.started_at > INT64_C(1500000000000));
}

static void http_tells_a_good_answer_from_a_bad_or_late_one(void **state) {
        struct decision_input *w = *state;

        ask(w, (struct check_http){ .port = 8080, .path = "/", .contains = "version 1" }, CHECK_PASS, "status 200");
        ask(w, (struct check_http){ .port = 8080, .path = "/", .contains = "version 2" }, CHECK_FAIL,
            "status 200, but 'version 2' is not in the body");
        ask(w, (struct check_http){ .port = 8080, .path = "/nothing" }, CHECK_FAIL, "status 404, not 200 to 399");
        ask(w, (struct check_http){ .port = 8081, .path = "/" }, CHECK_FAIL, "status 503, not 200 to 399");
        ask(w, (struct check_http){ .port = 8081, .path = "/", .status = 503, .contains = "busy" }, CHECK_PASS,
            "status 503");
        ask(w, (struct check_http){ .port = 8082, .path = "/" }, CHECK_FAIL,
            "no whole answer from 127.0.0.1:* within 700ms");
}

static void a_published_port_with_nobody_behind_it_fails(void **state) {
        struct decision_input *w = *state;
        const struct check_tcp tcp = { .port = 8083 };
        struct check_fact fact = make(w, (struct check){ .tcp = &tcp }, 700);

        assert_fact(&fact, CHECK_FAIL, "127.0.0.1:* takes *");
        ask(w, (struct check_http){ .port = 8083, .path = "/" }, CHECK_FAIL, "GET http://127.0.0.1:*/: *");
}

static void tcp_is_taken_or_refused(void **state) {
        static const int64_t open[] = { 8080, 8081, 8082, 8084 };
        struct decision_input *w = *state;
        const struct check_tcp closed = { .port = 8085 };
        struct check_fact fact;

        for (size_t i = 0; i < 4; i++) {
                const struct check_tcp tcp = { .port = open[i] };

                fact = make(w, (struct check){ .tcp = &tcp }, TIMEOUT_MS);
                assert_fact(&fact, CHECK_PASS, "it takes connections");
        }
        fact = make(w, (struct check){ .tcp = &closed }, TIMEOUT_MS);
        assert_fact(&fact, CHECK_FAIL, "10.*:8085 takes no connection: Connection refused");
}

/* Not published: at the container's own address. */
static void a_port_that_is_not_published_is_asked_at_the_containers_address(void **state) {
        ask(*state, (struct check_http){ .port = 8084, .path = "/", .contains = "version 1" }, CHECK_PASS,
            "status 200");
}

/*
 * Exec
 */

static const char *run(struct decision_input *w, const char *script, int timeout_ms, int64_t *ret_code, int *ret_r,
                       struct fault *reterr) {
        struct text_at words[] = { { .text = "sh" }, { .text = "-c" }, { .text = script } };
        const struct string_list command = { words, 3 };
        const char *output = NULL;

        *ret_r = runtime_exec(w->rig.runtime, w->web, &command, timeout_ms, w->rig.arena, ret_code, &output, reterr);
        return output;
}

static void assert_run(struct decision_input *w, const char *script, int64_t code, const char *output) {
        own_fault struct fault fault = FAULT_INIT;
        int64_t said = 77;
        const char *printed;
        int r;

        printed = run(w, script, 10000, &said, &r, &fault);
        rig_expect_fine(r, &fault);
        assert_int_equal(said, code);
        assert_string_equal(printed, output);
}

static void a_command_gives_its_exit_code_and_both_outputs(void **state) {
        struct decision_input *w = *state;
        own_fault struct fault fault = FAULT_INIT;
        const char *much;
        int64_t code = 77;
        int r;

        assert_run(w, "true", 0, "");
        assert_run(w, "exit 3", 3, "");
        assert_run(w, "echo $GREETING; sleep 0.2; echo oh no >&2; exit 1", 1, "hello\noh no\n");
        assert_run(w, "kill -9 $$", 137, "");
        assert_run(w, "printf '\\033[31m'; cat", 0, "?[31m"); /* and there is nothing to read */
        much = run(w, "i=0; while [ $i -lt 3000 ]; do echo a line that is repeated; i=$((i+1)); done; exit 4", 20000,
                   &code, &r, &fault);
        rig_expect_fine(r, &fault);
        assert_int_equal(code, 4);
        assert_int_equal(strlen(much), LIMIT_EXEC_OUTPUT_BYTES);
        assert_non_null(str_after(much, "a line that is repeated\na line"));
}

static struct check_fact exec_check(struct decision_input *w, const char *program, const char *argument, bool output) {
        struct text_at words[] = { { .text = program }, { .text = "-c" }, { .text = argument } };
        const struct check_exec exec = { .command = { words, argument ? 3 : 1 }, .output = output };

        return make(w, (struct check){ .exec = &exec }, 1000);
}

static void an_exec_check_passes_with_0_only(void **state) {
        struct decision_input *w = *state;
        struct check_fact fact = exec_check(w, "true", NULL, false);

        assert_fact(&fact, CHECK_PASS, "exit code 0");
        fact = exec_check(w, "false", NULL, false);
        assert_fact(&fact, CHECK_FAIL, "exit code 1");
        fact = exec_check(w, "sh", "echo not yet >&2; exit 7", true);
        assert_fact(&fact, CHECK_FAIL, "exit code 7: not yet");
        fact = exec_check(w, "sh", "echo not yet >&2; exit 7", false);
        assert_fact(&fact, CHECK_FAIL, "exit code 7");
}

static void a_command_that_is_not_in_the_image_fails_and_says_so(void **state) {
        struct check_fact fact = exec_check(*state, "no-such-program", NULL, true);

        assert_fact(&fact, CHECK_FAIL, "*no-such-program*");
}

/* Processes of this machine with @word in their command line. */
static int count_processes(const char *word) {
        DIR *proc = opendir("/proc");
        int n = 0;

        for (struct dirent *d = readdir(proc); d; d = readdir(proc)) {
                own_buffer struct buffer text = BUFFER_INIT;
                own_fault struct fault ignored = FAULT_INIT;
                char path[300];

                (void)snprintf(path, sizeof(path), "/proc/%s/cmdline", d->d_name);
                if (isdigit((unsigned char)d->d_name[0]) && file_read(AT_FDCWD, path, 100000, &text, &ignored) == 0 &&
                    text.size > 0 && memmem(text.data, text.size, word, strlen(word)))
                        n++;
        }
        (void)closedir(proc);
        return n;
}

/* Within 10 s. */
static void assert_gone(const char *word) {
        for (int i = 0; i < 100 && count_processes(word) > 0; i++)
                clock_sleep_ms(100);
        assert_int_equal(count_processes(word), 0);
}

static void a_command_that_does_not_end_is_given_up_and_ended(void **state) {
        struct decision_input *w = *state;
        char number[32], script[100];
        struct check_fact fact;

        (void)snprintf(number, sizeof(number), "9%07d", (int)getpid());
        (void)snprintf(script, sizeof(script), "sleep %s; true", number);
        fact = exec_check(w, "sh", script, true);
        assert_fact(&fact, CHECK_FAIL, "no end within 1s");
        assert_true(fact.took_ms >= 990 && fact.took_ms < 8000);
        assert_gone(number); /* the shell, and what it ran */
        assert_run(w, "true", 0, "");
}

/* As tallyd does: in the group of the socket, but not the user whose processes these are. */
static void whoever_may_only_use_the_socket_ends_it_from_inside(void **state) {
        struct decision_input *w = *state;
        char number[32], script[100];
        int status = -1;
        pid_t pid;

        (void)snprintf(number, sizeof(number), "8%07d", (int)getpid());
        (void)snprintf(script, sizeof(script), "sleep %s; true", number);
        pid = fork();
        if (pid == 0) {
                own_fault struct fault fault = FAULT_INIT;
                struct text_at words[] = { { .text = "sh" }, { .text = "-c" }, { .text = script } };
                const struct string_list command = { words, 3 };
                struct runtime *rt = NULL;
                const char *output;
                int64_t code;
                int r;

                if (setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
                    runtime_open(w->rig.runtime->ops, &w->settings, &rt, &fault) < 0)
                        _exit(1);
                r = runtime_exec(rt, w->web, &command, 1000, w->rig.arena, &code, &output, &fault);
                if (r != -ETIMEDOUT)
                        fprintf(stderr, "%d %s\n", r, fault.message ? fault.message : "");
                _exit(r == -ETIMEDOUT ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_gone(number);
}

static void post(struct decision_input *w, const char *kind) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;

        rig_fine(engine_send(w->engine, "POST", arena_printf(w->rig.arena, "/containers/%s/%s", w->web->id, kind), NULL,
                             &reply, &fault));
        assert_int_equal(reply.status, 204);
}

static void what_does_not_run_runs_no_command(void **state) {
        struct decision_input *w = *state;
        own_fault struct fault paused = FAULT_INIT, gone = FAULT_INIT;
        struct text_at words[] = { { .text = "true" } };
        const struct string_list command = { words, 1 };
        struct instance none = { .id = "0123456789ab", .app = "shop", .service = "web", .state = INSTANCE_RUNNING };
        const char *output;
        int64_t code;
        int r;

        post(w, "pause");
        r = runtime_exec(w->rig.runtime, w->web, &command, TIMEOUT_MS, w->rig.arena, &code, &output, &paused);
        post(w, "unpause");
        assert_int_equal(r, -EAGAIN);
        assert_int_equal(paused.kind, FAULT_CONFLICT);
        assert_int_equal(runtime_exec(w->rig.runtime, &none, &command, TIMEOUT_MS, w->rig.arena, &code, &output, &gone),
                         -ENOENT);
        assert_int_equal(gone.kind, FAULT_CONFLICT);
}

static void no_command_runs_in_what_is_not_ours(void **state) {
        struct decision_input *w = *state;
        own_json json_t *body =
                json_pack("{ss s[sss]}", "Image", env("TEST_V1"), "Cmd", "sh", "-c", "while :; do sleep 1; done");
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT, ignored = ENGINE_REPLY_INIT;
        own_fault struct fault foreign = FAULT_INIT;
        struct text_at words[] = { { .text = "true" } };
        const struct string_list command = { words, 1 };
        const char *output, *id;
        int64_t code;
        int r;

        rig_fine(engine_send(w->engine, "POST", "/containers/create?name=somebodys", body, &reply, &fault));
        id = json_get_string(reply.json, "Id");
        rig_fine(engine_send(w->engine, "POST", "/containers/somebodys/start", NULL, &ignored, &fault));
        r = runtime_exec(w->rig.runtime, &(struct instance){ .id = id }, &command, TIMEOUT_MS, w->rig.arena, &code,
                         &output, &foreign);
        rig_fine(engine_send(w->engine, "DELETE", "/containers/somebodys?force=1", NULL, &ignored, &fault));
        assert_true(r < 0);
        assert_int_equal(foreign.kind, FAULT_DENIED);
        assert_string_equal(foreign.code, REASON_RESOURCE_FOREIGN);
}

/*
 * Prometheus
 */

static struct check_fact measure(struct decision_input *w, const char *server, const char *release,
                                 struct check_prometheus p, int64_t timeout_ms) {
        const struct check check = { .name = { .text = "errors" }, .prometheus = &p, .timeout_ms = timeout_ms };
        struct probe_target target = target_of(w);
        struct check_fact fact;

        p.url = server;
        target.release = release;
        target.instance = NULL;
        probe(&check, &target, w->rig.arena, &fact);
        return fact;
}

#define OF_RELEASE "{release=\"${release}\"}"

static void a_real_server_gives_numbers_of_both_releases(void **state) {
        struct decision_input *w = *state;
        const char *server = env("TEST_PROMETHEUS");
        struct check_fact fact = measure(w, server, "sha256:new",
                                         (struct check_prometheus){ .query = "sum(error_ratio" OF_RELEASE ")",
                                                                    .baseline = "sum(error_ratio" OF_RELEASE ")",
                                                                    .traffic = "requests" OF_RELEASE },
                                         TIMEOUT_MS);

        assert_fact(&fact, CHECK_PASS, "0.5, baseline 0.2");
        assert_int_equal(*fact.value, 500000);
        assert_int_equal(*fact.baseline, 200000);
        fact = measure(w, server, "sha256:new",
                       (struct check_prometheus){ .query = "scalar(error_ratio" OF_RELEASE ") * 2" }, TIMEOUT_MS);
        assert_fact(&fact, CHECK_PASS, "1");
}

static void a_real_server_says_when_there_is_no_number(void **state) {
        static const struct {
                const char *query, *detail;
        } table[] = {
                { "error_ratio", "query: 3 series instead of one number: aggregate them" },
                { "error_ratio{release=\"sha256:other\"}", "query: no data" },
                { "vector(0) / 0", "query: the answer is NaN, not a number" },
                { "vector(1) / 0", "query: the answer is +Inf, not a number" },
                { "-1 / 0", "query: the answer is -Inf, not a number" },
                { "1e300", "query: the answer is too large a number" },
                { "error_ratio[1m]", "query: the answer is a matrix, not a number" },
                { "\"text\"", "query: the answer is a string, not a number" },
                { "sum(", "query: the server says bad_data: *parse error*" },
                { "error_ratio{release=\"${release}\"} * on() group_right() error_ratio", "query: *" },
        };
        struct decision_input *w = *state;

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                struct check_fact fact = measure(w, env("TEST_PROMETHEUS"), "sha256:new",
                                                 (struct check_prometheus){ .query = table[i].query }, TIMEOUT_MS);

                assert_fact(&fact, CHECK_INCONCLUSIVE, table[i].detail);
                assert_null(fact.value);
        }
}

static void a_real_server_says_that_there_is_no_traffic(void **state) {
        struct check_fact fact =
                measure(*state, env("TEST_PROMETHEUS"), "sha256:idle",
                        (struct check_prometheus){ .query = "vector(0)", .traffic = "requests" OF_RELEASE },
                        TIMEOUT_MS);

        assert_fact(&fact, CHECK_INCONCLUSIVE, "no traffic: 0");
        fact = measure(*state, env("TEST_PROMETHEUS"), "sha256:nobody",
                       (struct check_prometheus){ .query = "vector(0)", .traffic = "requests" OF_RELEASE }, TIMEOUT_MS);
        assert_fact(&fact, CHECK_INCONCLUSIVE, "traffic: no data");
}

/* A value that would end the string of the query is only a value. */
static void a_value_cannot_change_the_query(void **state) {
        static const char evil[] = "x\"} or vector(1) or up{a=\"", odd[] = "it's \"\\ `\n\xc3\xa4";
        struct check_fact fact = measure(*state, env("TEST_PROMETHEUS"), evil,
                                         (struct check_prometheus){ .query = "requests" OF_RELEASE }, TIMEOUT_MS);

        assert_fact(&fact, CHECK_INCONCLUSIVE, "query: no data");
        /* And it stands for itself: there is a release of that name. */
        fact = measure(*state, env("TEST_PROMETHEUS"), odd,
                       (struct check_prometheus){ .query = "requests{release='${release}'}" }, TIMEOUT_MS);
        assert_fact(&fact, CHECK_PASS, "7");
        fact = measure(*state, env("TEST_PROMETHEUS"), odd, (struct check_prometheus){ .query = "requests" OF_RELEASE },
                       TIMEOUT_MS);
        assert_fact(&fact, CHECK_PASS, "7");
}

/* Probe and analysis together, over the same server. */
static enum check_verdict judged(struct decision_input *w, const char *release, const char **ret_detail) {
        struct check_prometheus p = { .url = env("TEST_PROMETHEUS"),
                                      .query = "sum(error_ratio" OF_RELEASE ")",
                                      .baseline = "sum(error_ratio{release=\"sha256:old\"})",
                                      .samples = 5 };
        const struct check check = {
                .name = { .text = "errors" }, .prometheus = &p, .timeout_ms = TIMEOUT_MS, .retries = 1
        };
        struct check_state s = { 0 };

        for (int i = 0; i < 5; i++) {
                struct check_fact fact = measure(w, p.url, release, p, TIMEOUT_MS);

                assert_int_equal(s.verdict, CHECK_INCONCLUSIVE);
                analysis_round(&check, &fact, 1, clock_wall_ms(), w->rig.arena, &s);
        }
        *ret_detail = s.detail;
        return s.verdict;
}

static void a_release_that_is_worse_than_the_old_one_fails_and_an_equal_one_passes(void **state) {
        const char *detail;

        assert_int_equal(judged(*state, "sha256:new", &detail), CHECK_FAIL);
        assert_string_equal(detail, "mean 0.5, baseline 0.2, score 1500, above 3");
        assert_int_equal(judged(*state, "sha256:same", &detail), CHECK_PASS);
        assert_string_equal(detail, "mean 0.2, baseline 0.2, score 0");
        assert_int_equal(judged(*state, "sha256:nobody", &detail), CHECK_INCONCLUSIVE);
        assert_string_equal(detail, "query: no data");
}

static void a_server_that_misbehaves_is_inconclusive(void **state) {
        static const struct {
                const char *query, *detail;
        } table[] = {
                { "busy", "query: the server answers with status 503" },
                { "late", "query: no answer from http://127.0.0.1:* within 700ms" },
                { "cut", "GET http://127.0.0.1:*/api/v1/query: *" },
                { "moved", "query: the server answers with status 302" },
                { "partial", "query: the server warns: one store did not answer" },
                { "unknown",
                  "GET http://127.0.0.1:*/api/v1/query: the server closed the connection without an answer*" },
        };
        struct decision_input *w = *state;
        struct check_fact fact =
                measure(w, env("TEST_STUB"), "sha256:new", (struct check_prometheus){ .query = "fine" }, 700);

        assert_fact(&fact, CHECK_PASS, "3");
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                fact = measure(w, env("TEST_STUB"), "sha256:new", (struct check_prometheus){ .query = table[i].query },
                               700);
                assert_fact(&fact, CHECK_INCONCLUSIVE, table[i].detail);
        }
        /* The number is there, but the baseline is not. */
        fact = measure(w, env("TEST_STUB"), "sha256:new",
                       (struct check_prometheus){ .query = "fine", .baseline = "busy" }, 700);
        assert_fact(&fact, CHECK_INCONCLUSIVE, "baseline: the server answers with status 503");
        assert_null(fact.value);
}

/*
 * Away. The last one: it stops the container.
 */

static void a_container_that_stopped_fails_every_check(void **state) {
        struct decision_input *w = *state;
        const struct check_tcp tcp = { .port = 8080 };
        struct instance still = *w->web;
        struct check_fact fact;

        rig_fine(runtime_stop(w->rig.runtime, w->web, &fault));
        w->web = look_again(w);
        for (int i = 0; i < 100 && w->web->state == INSTANCE_RUNNING; i++) {
                clock_sleep_ms(100);
                w->web = look_again(w);
        }
        assert_null(w->web->address);
        assert_int_equal(w->web->endpoints.n, 0);
        fact = make(w, (struct check){ .tcp = &tcp }, 700);
        assert_fact(&fact, CHECK_FAIL, "it is not running but exited");
        /* What was seen a moment ago may be gone by now. */
        w->web = &still;
        fact = make(w, (struct check){ .tcp = &tcp }, 700);
        assert_fact(&fact, CHECK_FAIL, "127.0.0.1:* takes *");
        fact = exec_check(w, "true", NULL, false);
        assert_fact(&fact, CHECK_FAIL, "*it is not running*");
        w->web = look_again(w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(published_ports_are_observed_with_their_addresses),
                cmocka_unit_test(a_check_leaves_the_fingerprint_as_it_is),
                cmocka_unit_test(http_tells_a_good_answer_from_a_bad_or_late_one),
                cmocka_unit_test(a_published_port_with_nobody_behind_it_fails),
                cmocka_unit_test(tcp_is_taken_or_refused),
                cmocka_unit_test(a_port_that_is_not_published_is_asked_at_the_containers_address),
                cmocka_unit_test(a_command_gives_its_exit_code_and_both_outputs),
                cmocka_unit_test(an_exec_check_passes_with_0_only),
                cmocka_unit_test(a_command_that_is_not_in_the_image_fails_and_says_so),
                cmocka_unit_test(a_command_that_does_not_end_is_given_up_and_ended),
                cmocka_unit_test(whoever_may_only_use_the_socket_ends_it_from_inside),
                cmocka_unit_test(what_does_not_run_runs_no_command),
                cmocka_unit_test(no_command_runs_in_what_is_not_ours),
                cmocka_unit_test(a_real_server_gives_numbers_of_both_releases),
                cmocka_unit_test(a_real_server_says_when_there_is_no_number),
                cmocka_unit_test(a_real_server_says_that_there_is_no_traffic),
                cmocka_unit_test(a_value_cannot_change_the_query),
                cmocka_unit_test(a_release_that_is_worse_than_the_old_one_fails_and_an_equal_one_passes),
                cmocka_unit_test(a_server_that_misbehaves_is_inconclusive),
                cmocka_unit_test(a_container_that_stopped_fails_every_check),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
