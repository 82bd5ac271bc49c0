/* SPDX-License-Identifier: Apache-2.0 */

/* Create: one container of a specification, attached to all its networks, not started */

#include <string.h>

#include "providers/runtime/docker/body.h"
#include "providers/runtime/docker/docker_private.h"
#include "providers/runtime/docker/labels.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/net/http.h"

/* Filling a new volume from an image copies files. */
#define CREATE_TIMEOUT_MS (10 * 60 * 1000)

static bool is_usable(const json_t *container) {
        const char *state = json_get_string(container, "State");

        return !str_eq(state, "removing") && !str_eq(state, "dead") &&
               engine_id_is_valid(json_get_string(container, "Id"));
}

int docker_find_instance(struct docker *d, const struct body_input *in, json_t **ret, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_buffer struct buffer path = BUFFER_INIT, app = BUFFER_INIT, service = BUFFER_INIT, spec = BUFFER_INIT,
                                 index = BUFFER_INIT;
        size_t i;
        json_t *container;
        int r;

        buffer_printf(&app, LABEL_APP "=%s", in->workload->app);
        buffer_printf(&service, LABEL_SERVICE "=%s", in->service->name);
        buffer_printf(&spec, LABEL_SPEC "=%s", in->service->spec_digest);
        buffer_printf(&index, LABEL_INDEX "=%lld", (long long)in->index);
        docker_list_path(&path, d->settings->host,
                         (const char *const[]){ buffer_str(&app), buffer_str(&service), buffer_str(&spec),
                                                buffer_str(&index), NULL });
        r = engine_get(d->engine, buffer_str(&path), &reply, reterr);
        if (r < 0)
                return r;
        if (!engine_reply_is_ok(&reply))
                return engine_refused(&reply, NULL, "cannot list containers", reterr);
        *ret = NULL;
        json_array_foreach(reply.json, i, container) if (is_usable(container)) {
                *ret = json_incref(container);
                break;
        }
        return 0;
}

static int connect_network(struct docker *d, const struct body_input *in, const char *id, const json_t *network,
                           struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_json json_t *body = json_pack("{ss so}", "Container", id, "EndpointConfig", body_endpoint(in, network));
        own_buffer struct buffer path = BUFFER_INIT;
        const char *name = json_get_string(network, "name");
        int r;

        buffer_puts(&path, "/networks/");
        http_escape(&path, name, false);
        buffer_puts(&path, "/connect");
        r = engine_send(d->engine, "POST", buffer_str(&path), body, &reply, reterr);
        if (r < 0)
                return r;
        if (engine_reply_is_ok(&reply) || strstr(engine_message(&reply), "already exists in network"))
                return 0;
        return fault_context(reterr, engine_refused(&reply, REASON_ROLLOUT_START_FAILED, "cannot attach it", reterr),
                             "network %s", name);
}

/* Networks that a crash, an older API or somebody's hand left it without. */
int docker_attach_missing(struct docker *d, const struct body_input *in, const char *id, const json_t *attached,
                          struct fault *reterr) {
        size_t i;
        json_t *network;
        int r;

        json_array_foreach(json_object_get(in->service->spec, "networks"), i, network) {
                if (json_object_get(attached, json_get_string(network, "name")))
                        continue;
                r = connect_network(d, in, id, network, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

int docker_name_taken(struct docker *d, const struct body_input *in, const char *name, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        const json_t *labels;
        int r = docker_inspect(d, name, &reply, reterr);

        if (r < 0)
                return r;
        labels = json_object_get(json_object_get(reply.json, "Config"), "Labels");
        if (engine_reply_is_ok(&reply) && !str_eq(json_get_string(labels, LABEL_HOST), d->settings->host)) {
                fault_set_code(reterr, FAULT_DENIED, REASON_RESOURCE_FOREIGN,
                               "there is a container '%s' already, and it is not ours", name);
                fault_hint(reterr, "it is not touched; rename or remove it to let %s of %s have its name",
                           in->service->name, in->workload->app);
                return -EACCES;
        }
        return fault_set(reterr, FAULT_CONFLICT, EBUSY, "container '%s' is just being made or removed", name);
}

static int create_fault(const struct engine_reply *reply, const struct body_input *in, struct fault *reterr) {
        if (reply->status == 404)
                return fault_set(reterr, FAULT_CONFLICT, ENOENT, "the engine lost image or network meanwhile: %s",
                                 engine_message(reply));
        if (strstr(engine_message(reply), "bind source path does not exist"))
                return engine_refused(reply, REASON_RESOURCE_MISSING, "a folder of the host is missing", reterr);
        return engine_refused(reply, REASON_ROLLOUT_START_FAILED, "the engine refuses it", reterr);
}

static int create_path(const struct body_input *in, const char *name, struct buffer *path, struct fault *reterr) {
        const char *platform = json_get_string(in->service->spec, "platform");

        buffer_puts(path, "/containers/create?name=");
        http_escape(path, name, false);
        if (platform) {
                buffer_puts(path, "&platform=");
                http_escape(path, platform, false);
        }
        return buffer_check(path, "a request to the engine", reterr);
}

/*
 * One that was made already is as good: by a pass that was killed, or in a request that we gave up. *ret_id is NULL
 * without one.
 */
static int adopt(struct docker *d, const struct body_input *in, struct arena *a, const char **ret_id,
                 struct fault *reterr) {
        own_json json_t *same = NULL;
        int r = docker_find_instance(d, in, &same, reterr);

        if (r < 0 || !same)
                return r;
        *ret_id = arena_strdup(a, json_get_string(same, "Id"));
        return docker_attach_missing(d, in, *ret_id,
                                     json_object_get(json_object_get(same, "NetworkSettings"), "Networks"), reterr);
}

/* The name says app, service, index and specification: who has it is most likely the same. */
static int adopt_namesake(struct docker *d, const struct body_input *in, const char *name, struct arena *a,
                          const char **ret_id, struct fault *reterr) {
        int r = adopt(d, in, a, ret_id, reterr);

        return r < 0 || *ret_id ? r : docker_name_taken(d, in, name, reterr);
}

static int create_container(struct docker *d, const struct body_input *in, struct arena *a, const char **ret_id,
                            struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_buffer struct buffer path = BUFFER_INIT;
        own_json json_t *body = NULL;
        char name[CONTAINER_NAME_MAX];
        const char *id;
        int r;

        r = body_create(in, &body, reterr);
        if (r == 0)
                r = create_path(in, body_name(in, name), &path, reterr);
        if (r < 0)
                return r;
        r = engine_call(d->engine,
                        &(struct engine_request){ .method = "POST",
                                                  .path = buffer_str(&path),
                                                  .body = body,
                                                  .timeout_ms = CREATE_TIMEOUT_MS },
                        &reply, reterr);
        if (r < 0)
                return r;
        if (reply.status == 409)
                return adopt_namesake(d, in, name, a, ret_id, reterr);
        if (!engine_reply_is_ok(&reply))
                return create_fault(&reply, in, reterr);
        id = json_get_string(reply.json, "Id");
        if (!engine_id_is_valid(id))
                return fault_set(reterr, FAULT_TRANSIENT, EPROTO, "the engine made a container but does not say which");
        *ret_id = arena_strdup(a, id);
        return docker_attach_missing(d, in, *ret_id,
                                     json_object_get(json_object_get(body, "NetworkingConfig"), "EndpointsConfig"),
                                     reterr);
}

int docker_create(struct runtime *rt, const struct workload *w, const struct workload_service *service, int64_t index,
                  struct arena *a, const char **ret_id, struct fault *reterr) {
        struct docker *d = docker_of(rt);
        struct body_input in = { .settings = d->settings, .workload = w, .service = service, .index = index };
        int r;

        if (!service->spec)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "service %s was not rendered", service->name);
        r = engine_negotiate(d->engine, reterr);
        if (r < 0)
                return r;
        in.api = engine_api(d->engine);
        *ret_id = NULL;
        /* One that carries a name of its own by now stands in nobody's way: the engine would make a second one. */
        if (json_get_string(service->spec, "container_name"))
                r = adopt(d, &in, a, ret_id, reterr);
        if (r < 0 || *ret_id)
                return r;
        r = docker_image_id(d, service->image, &in.image_id, reterr);
        if (r < 0)
                return r;
        if (!in.image_id)
                return fault_set(reterr, FAULT_CONFLICT, ENOENT, "the engine does not hold %s any more",
                                 service->image);
        return create_container(d, &in, a, ret_id, reterr);
}
