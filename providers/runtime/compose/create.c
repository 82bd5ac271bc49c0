/* SPDX-License-Identifier: Apache-2.0 */

/* Create: one container more, with docker compose, beside those that are there */

#include <stdio.h>
#include <string.h>

#include "providers/runtime/compose/compose_private.h"
#include "providers/runtime/compose/locked.h"
#include "providers/runtime/docker/labels.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/net/http.h"

/* Filling a new volume from an image copies files. */
#define CREATE_TIMEOUT_MS (10 * 60 * 1000)

static void list_path(const char *project, const char *service, struct buffer *path) {
        own_json json_t *filters = json_pack("{s[s+ s+ s]}", "label", LABEL_COMPOSE_PROJECT "=", project,
                                             LABEL_COMPOSE_SERVICE "=", service, LABEL_COMPOSE_ONEOFF "=False");
        own_free char *text = filters ? json_dumps(filters, JSON_COMPACT) : NULL;

        buffer_puts(path, "/containers/json?all=1&filters=");
        http_escape(path, text ? text : "", false);
}

static bool is_at_rest(const char *state) {
        static const char *const states[] = { "created", "running", "restarting", "exited" };

        for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
                if (str_eq(state, states[i]))
                        return true;
        return false;
}

static bool is_same(const json_t *labels, const struct body_input *in) {
        const char *index = json_get_string(labels, LABEL_INDEX);
        int64_t n;

        return str_eq(json_get_string(labels, LABEL_HOST), in->settings->host) &&
               str_eq(json_get_string(labels, LABEL_APP), in->workload->app) &&
               str_eq(json_get_string(labels, LABEL_SPEC), in->service->spec_digest) && index &&
               parse_i64(index, &n) == 0 && n == in->index;
}

/*
 * How many containers docker compose will count (pkg/compose, getContainers and ensureService): more than we ask for
 * would be removed, fewer be made good. One that is paused or being removed it would try to start. The instance itself
 * is looked for in the same list: between two of them a docker compose that outlived its pass may make it, and there
 * would be two.
 */
static int look_at_siblings(struct compose_runtime *c, const struct body_input *in, size_t *ret, json_t **ret_same,
                            struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_buffer struct buffer path = BUFFER_INIT;
        const json_t *busy = NULL;
        size_t i, n = 0;
        json_t *entry;
        int r;

        list_path(json_get_string(in->service->spec, "project"), in->service->name, &path);
        r = engine_get(c->docker.engine, buffer_str(&path), &reply, reterr);
        if (r < 0)
                return r;
        if (!engine_reply_is_ok(&reply) || !json_is_array(reply.json))
                return engine_refused(&reply, NULL, "cannot list containers", reterr);
        json_array_foreach(reply.json, i, entry) {
                const json_t *labels = json_object_get(entry, "Labels");
                const char *state = json_get_string(entry, "State");

                if (!json_object_get(labels, LABEL_COMPOSE_HASH))
                        continue;
                n++;
                if (is_same(labels, in) && !str_eq(state, "removing") && !str_eq(state, "dead") && !*ret_same)
                        *ret_same = json_incref(entry);
                else if (!is_at_rest(state))
                        busy = entry;
        }
        *ret = n;
        if (*ret_same || !busy)
                return 0;
        return fault_set(reterr, FAULT_CONFLICT, EBUSY,
                         "container %.12s is %s: docker compose makes no other one beside it",
                         json_get_string(busy, "Id"), json_get_string(busy, "State"));
}

static int complain(struct compose_runtime *c, const struct body_input *in, const struct process_result *result,
                    struct arena *a, struct fault *reterr) {
        const char *text = buffer_str(&result->err), *name = program_name_in_use(text, a);
        own_free char *complaint = NULL;

        if (name)
                return docker_name_taken(&c->docker, in, name, reterr);
        complaint = program_complaint(text);
        if (strstr(text, "No such image") || strstr(text, "declared as external, but could not be found"))
                return fault_set(reterr, FAULT_CONFLICT, ENOENT,
                                 "the engine lost image, network or volume meanwhile: %s", complaint ? complaint : "?");
        if (strstr(text, "bind source path does not exist"))
                return fault_set_code(reterr, FAULT_CONFIG, REASON_RESOURCE_MISSING,
                                      "a folder of the host is missing: %s", complaint ? complaint : "?");
        return fault_set_code(reterr, FAULT_TRANSIENT, REASON_ROLLOUT_START_FAILED, "docker compose cannot make it: %s",
                              complaint ? complaint : "?");
}

static int run_create(struct compose_runtime *c, const struct body_input *in, size_t siblings, struct arena *a,
                      struct fault *reterr) {
        char *scale = arena_printf(a, "%s=%zu", in->service->name, siblings + 1);
        const char *const args[] = {
                "up",    "--no-start", "--no-recreate", "--no-deps",       "--no-build", "--pull",
                "never", "--scale",    scale,           in->service->name, NULL,
        };
        own_json json_t *document = locked_instance(in);
        own_process_result struct process_result result = { .exit_code = 0 };
        int r = program_run(&c->program, c->docker.settings, document, args, CREATE_TIMEOUT_MS, &result, reterr);

        return r < 0 || result.exit_code == 0 ? r : complain(c, in, &result, a, reterr);
}

/* The container, with whatever of its networks a crash, an older API or somebody's hand left it without. */
static int use(struct compose_runtime *c, const struct body_input *in, const json_t *found, struct arena *a,
               const char **ret_id, struct fault *reterr) {
        const json_t *attached = json_object_get(json_object_get(found, "NetworkSettings"), "Networks");

        *ret_id = arena_strdup(a, json_get_string(found, "Id"));
        return docker_attach_missing(&c->docker, in, *ret_id, attached, reterr);
}

int compose_create(struct runtime *rt, const struct workload *w, const struct workload_service *service, int64_t index,
                   struct arena *a, const char **ret_id, struct fault *reterr) {
        struct compose_runtime *c = compose_runtime_of(rt);
        struct body_input in = { .settings = c->docker.settings, .workload = w, .service = service, .index = index };
        own_json json_t *same = NULL, *made = NULL;
        size_t siblings = 0;
        int r;

        if (!service->spec)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "service %s was not rendered", service->name);
        r = engine_negotiate(c->docker.engine, reterr);
        if (r < 0)
                return r;
        in.api = engine_api(c->docker.engine);
        r = look_at_siblings(c, &in, &siblings, &same, reterr);
        if (r < 0)
                return r;
        if (same)
                return use(c, &in, same, a, ret_id, reterr);
        r = docker_image_id(&c->docker, service->image, &in.image_id, reterr);
        if (r < 0)
                return r;
        if (!in.image_id)
                return fault_set(reterr, FAULT_CONFLICT, ENOENT, "the engine does not hold %s any more",
                                 service->image);
        r = run_create(c, &in, siblings, a, reterr);
        if (r == 0)
                r = docker_find_instance(&c->docker, &in, &made, reterr);
        if (r < 0)
                return r;
        if (!made)
                return fault_set(reterr, FAULT_TRANSIENT, EPROTO,
                                 "docker compose says that it made a container, but there is none");
        return use(c, &in, made, a, ret_id, reterr);
}
