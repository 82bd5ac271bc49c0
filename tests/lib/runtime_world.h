/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Runtime world: a runtime, the engine that it works on, and what a person would do there with the docker command
 *
 * The script that runs the program says where everything is: TEST_RUNTIME, ENGINE_HOST, TEST_DIR, and the images
 * TEST_V1, TEST_V2, … With the fake runtime there is no engine, and ENGINE_HOST is "fake:PATH".
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "providers/runtime/docker/engine.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/process.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "tests/lib/rig.h"

struct decision_input {
        struct rig rig;
        struct runtime_settings settings;
        struct engine *engine; /* for what a person would do with the docker command; NULL: the fake runtime */
};

static inline const char *env(const char *name) {
        const char *value = getenv(name);

        if (!value)
                fail_msg("%s is not set: run the script that belongs to this program", name);
        return value;
}

static inline bool is_runtime(const char *name) {
        return strcmp(env("TEST_RUNTIME"), name) == 0;
}

static inline int setup(void **state) {
        struct decision_input *w = calloc(1, sizeof(*w));
        struct fault fault = FAULT_INIT;
        char *files = NULL;

        assert_non_null(w);
        assert_true(asprintf(&files, "%s/files", env("TEST_DIR")) > 0);
        w->settings = (struct runtime_settings){
                .host = "web1",
                .environment = "test",
                .endpoint = env("ENGINE_HOST"),
                .files = files,
        };
        rig_open(&w->rig, env("TEST_RUNTIME"), &w->settings);
        if (!is_runtime("fake"))
                rig_expect_fine(engine_new(env("ENGINE_HOST"), &w->engine, &fault), &fault);
        *state = w;
        return 0;
}

static inline void delete_thing(struct decision_input *w, const char *base, const char *name) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_buffer struct buffer path = BUFFER_INIT;

        buffer_printf(&path, "%s%s?force=1&v=1", base, name);
        rig_fine(engine_send(w->engine, "DELETE", buffer_str(&path), NULL, &reply, &fault));
}

static inline void empty_engine(struct decision_input *w) {
        struct engine_reply reply = ENGINE_REPLY_INIT;
        struct fault fault = FAULT_INIT;
        size_t i;
        json_t *entry;

        rig_expect_fine(engine_get(w->engine, "/containers/json?all=1", &reply, &fault), &fault);
        json_array_foreach(reply.json, i, entry) delete_thing(w, "/containers/", json_get_string(entry, "Id"));
        rig_expect_fine(engine_send(w->engine, "POST", "/networks/prune", NULL, &reply, &fault), &fault);
        rig_expect_fine(engine_get(w->engine, "/volumes", &reply, &fault), &fault);
        json_array_foreach(json_object_get(reply.json, "Volumes"), i, entry)
                delete_thing(w, "/volumes/", json_get_string(entry, "Name"));
        engine_reply_done(&reply);
}

/* Every test leaves an empty engine behind, named volumes and foreign things included. */
static inline int teardown(void **state) {
        struct decision_input *w = *state;

        if (w->engine)
                empty_engine(w);
        else
                (void)unlink(w->settings.endpoint + strlen("fake:"));
        rig_close(&w->rig);
        engine_free(w->engine);
        free((char *)w->settings.files);
        free(w);
        return 0;
}

/* What `docker …` would do, with the status that is expected. The answer lives in the arena. */
__attribute__((format(printf, 5, 6))) static inline json_t *engine(struct decision_input *w, const char *method,
                                                                   int status, const json_t *body, const char *fmt,
                                                                   ...) {
        struct engine_reply reply = ENGINE_REPLY_INIT;
        own_free char *path = NULL;
        va_list ap;

        va_start(ap, fmt);
        assert_true(vasprintf(&path, fmt, ap) > 0);
        va_end(ap);
        rig_fine(engine_send(w->engine, method, path, body, &reply, &fault));
        if (reply.status != status)
                fail_msg("%s %s: %d %s", method, path, reply.status, engine_message(&reply));
        arena_defer(w->rig.arena, (void (*)(void *))json_decref, reply.json);
        return reply.json;
}

static inline json_t *inspect(struct decision_input *w, const char *id) {
        return engine(w, "GET", 200, NULL, "/containers/%s/json", id);
}

static inline const char *name_of(struct decision_input *w, const char *id) {
        return json_get_string(inspect(w, id), "Name");
}

static inline const char *restart_of(struct decision_input *w, const char *id) {
        return json_get_string(json_object_get(json_object_get(inspect(w, id), "HostConfig"), "RestartPolicy"), "Name");
}

__attribute__((format(printf, 2, 3))) static inline const char *compose(struct decision_input *w, const char *fmt,
                                                                        ...) {
        va_list ap;
        char *text = NULL;

        va_start(ap, fmt);
        assert_true(vasprintf(&text, fmt, ap) > 0);
        va_end(ap);
        arena_defer(w->rig.arena, free, text);
        return text;
}

static inline struct workload simple(struct decision_input *w, const char *version, const char *image) {
        return rig_workload(&w->rig, "shop", version,
                            compose(w, "services: {web: {image: '%s', restart: always, stop_grace_period: 1s}}\n",
                                    image));
}

static inline const char *create(struct decision_input *w, const struct workload *load, const char *service,
                                 int64_t index) {
        const char *id = NULL;

        rig_fine(runtime_create(w->rig.runtime, load, rig_service(load, service), index, w->rig.arena, &id, &fault));
        return id;
}

static inline void prepare(struct decision_input *w, const struct workload *load) {
        rig_fine(runtime_prepare(w->rig.runtime, load, NULL, &fault));
}

static inline void start(struct decision_input *w, const char *id) {
        rig_fine(runtime_start(w->rig.runtime, &(struct instance){ .id = id }, &fault));
}

static inline void stop(struct decision_input *w, const char *id) {
        rig_fine(runtime_stop(w->rig.runtime, &(struct instance){ .id = id }, &fault));
}

static inline void remove_instance(struct decision_input *w, const char *id) {
        rig_fine(runtime_remove(w->rig.runtime, &(struct instance){ .id = id }, &fault));
}

/* Prepare, create and start the only service's first instance. */
static inline const char *deploy(struct decision_input *w, const struct workload *load) {
        const struct workload_service *services = load->services.items;
        const char *id;

        prepare(w, load);
        id = create(w, load, services[0].name, 1);
        start(w, id);
        return id;
}

static inline const struct instance *look(struct decision_input *w, const struct workload *load, const char *id) {
        struct observation *o = arena_new_of(w->rig.arena, struct observation);

        *o = rig_observe(&w->rig, load);
        if (!o->available)
                fail_msg("%s", o->reason);
        return rig_find(o, id);
}

/* Wait until @done says so, for at most 20 s: the engine's list may lag a little behind what it has just done. */
static inline const struct instance *wait_for(struct decision_input *w, const struct workload *load, const char *id,
                                              bool (*done)(const struct instance *in)) {
        const struct instance *in = NULL;

        for (int i = 0; i < 200; i++) {
                in = look(w, load, id);
                if (done(in))
                        return in;
                clock_sleep_ms(100);
        }
        fail_msg("%s is %s, %s", id, instance_state_names[in->state], health_names[in->health]);
        return NULL;
}

static inline bool is_healthy(const struct instance *in) {
        return in->health == HEALTH_HEALTHY;
}
static inline bool is_unhealthy(const struct instance *in) {
        return in->health == HEALTH_UNHEALTHY;
}
static inline bool is_exited(const struct instance *in) {
        return in->state == INSTANCE_EXITED;
}
static inline bool has_restarted(const struct instance *in) {
        return in->restarts > 0;
}

/*
 * Containers and files
 */

static inline const char *foreign_container(struct decision_input *w, const char *name) {
        own_json json_t *body = json_pack("{ss s{ss}}", "Image", env("TEST_V1"), "HostConfig", "NetworkMode", "none");

        return json_get_string(engine(w, "POST", 201, body, "/containers/create?name=%s", name), "Id");
}

/* What the container sees at @path. */
static inline void assert_inside(struct decision_input *w, const char *id, const char *path, const char *text) {
        own_buffer struct buffer found = BUFFER_INIT;
        char inside[300];
        int64_t pid = json_get_integer(json_object_get(inspect(w, id), "State"), "Pid", 0);

        (void)snprintf(inside, sizeof(inside), "/proc/%lld/root%s", (long long)pid, path);
        rig_fine(file_read(AT_FDCWD, inside, 1000, &found, &fault));
        assert_string_equal(buffer_str(&found), text);
}

static const char files_text[] = "services:\n"
                                 "  web:\n"
                                 "    image: '%s'\n"
                                 "    stop_grace_period: 1s\n"
                                 "    volumes: ['./conf/app.conf:/etc/app.conf', './static:/srv/static:ro']\n"
                                 "    configs: [{source: plain, target: /etc/plain}]\n"
                                 "    secrets: [{source: hidden, uid: '0', gid: '0', mode: 0400}]\n"
                                 "configs: {plain: {file: ./conf/app.conf}}\n"
                                 "secrets: {hidden: {file: ./conf/hidden}}\n";

static inline struct workload with_files(struct decision_input *w, const char *version, const char *conf) {
        w->rig.entries = NULL;
        w->rig.n_entries = 0;
        rig_file(&w->rig, "conf/app.conf", conf);
        rig_file(&w->rig, "conf/hidden", "pssst");
        rig_file(&w->rig, "static/a/index.html", "<p>");
        rig_file(&w->rig, "static/b", "");
        return rig_workload(&w->rig, "shop", version, compose(w, files_text, env("TEST_V1")));
}

static inline const char *source_of(struct decision_input *w, const char *id, const char *target) {
        const json_t *mounts = json_object_get(inspect(w, id), "Mounts");
        size_t i;
        json_t *mount;

        json_array_foreach(mounts, i, mount) if (str_eq(json_get_string(mount, "Destination"),
                                                        target)) return json_get_string(mount, "Source");
        fail_msg("%s is not mounted", target);
        return NULL;
}

static inline void overwrite(const char *path, const char *text) {
        own_fd int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}
