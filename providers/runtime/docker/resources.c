/* SPDX-License-Identifier: Apache-2.0 */

/* Resources: networks and volumes of a workload, made when they are missing and never changed */

#include <string.h>

#include "providers/runtime/docker/docker_private.h"
#include "providers/runtime/docker/labels.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/digest.h"
#include "shared/data/json.h"
#include "shared/net/http.h"

struct kind {
        const char *name;   /* "network" */
        const char *list;   /* "networks" in the resources */
        const char *path;   /* "/networks/" */
        const char *create; /* "/networks/create" */
        const char *compose_label;
        const char *command; /* how a person makes one */
};

static const struct kind network_kind = {
        "network", "networks", "/networks/", "/networks/create", LABEL_COMPOSE_NETWORK, "docker network create",
};
static const struct kind volume_kind = {
        "volume", "volumes", "/volumes/", "/volumes/create", LABEL_COMPOSE_VOLUME, "docker volume create",
};

/* What cannot be changed afterwards, as one digest. Labels can differ without harm. */
static struct digest create_digest(const json_t *create) {
        own_json json_t *bare = json_copy((json_t *)(uintptr_t)create);

        (void)json_object_del(bare, "Labels");
        return digest_of_json(bare);
}

json_t *docker_resource_labels(const struct docker *d, const struct workload *w, const json_t *resource) {
        struct digest spec = create_digest(json_object_get(resource, "create"));
        json_t *labels = json_object();

        json_set_string(labels, LABEL_HOST, d->settings->host);
        json_set_string(labels, LABEL_ENVIRONMENT, d->settings->environment);
        json_set_string(labels, LABEL_APP, w->app);
        json_set_string(labels, LABEL_SPEC, spec.text);
        if (!str_eq(d->runtime.ops->name, "docker"))
                json_set_string(labels, LABEL_RUNTIME, d->runtime.ops->name);
        return labels;
}

static json_t *create_body(const struct docker *d, const struct kind *kind, const struct workload *w,
                           const json_t *resource) {
        json_t *body = json_deep_copy(json_object_get(resource, "create")), *labels;
        own_json json_t *ours = docker_resource_labels(d, w, resource);

        if (!body)
                return NULL;
        labels = json_object_get(body, "Labels");
        if (!labels) {
                json_object_set_new(body, "Labels", json_object());
                labels = json_object_get(body, "Labels");
        }
        json_object_update(labels, ours);
        json_set_string(labels, LABEL_COMPOSE_PROJECT, json_get_string(w->resources, "project"));
        json_set_string(labels, kind->compose_label, json_get_string(resource, "key"));
        /* Engines before API 1.44 would make a second network of the same name. */
        if (kind == &network_kind && engine_api(d->engine) < 44)
                json_object_set_new(body, "CheckDuplicate", json_true());
        return body;
}

/* Ours by label, or made by `docker compose` for the project of the same name. */
static int check_existing(const struct docker *d, const struct kind *kind, const struct workload *w,
                          const json_t *resource, const json_t *found, struct fault *reterr) {
        const char *name = json_get_string(resource, "name"), *host, *spec;
        const json_t *labels = json_object_get(found, "Labels");
        struct digest wanted = create_digest(json_object_get(resource, "create"));
        const char *runtime = json_get_string(labels, LABEL_RUNTIME);

        host = json_get_string(labels, LABEL_HOST);
        if (!host && str_eq(json_get_string(labels, LABEL_COMPOSE_PROJECT), json_get_string(w->resources, "project")))
                return 0;
        if (!str_eq(host, d->settings->host)) {
                fault_set_code(reterr, FAULT_DENIED, REASON_RESOURCE_FOREIGN,
                               "there is a %s '%s' already, and it is not ours", kind->name, name);
                fault_hint(reterr, "declare it with `external: true` to use it as it is, or give ours another `name:`");
                return -EACCES;
        }
        /* Another runtime writes definitions in another way; they cannot be compared. */
        spec = str_eq(runtime ? runtime : "docker", d->runtime.ops->name) ? json_get_string(labels, LABEL_SPEC) : NULL;
        if (spec && !str_eq(spec, wanted.text)) {
                fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_INVALID,
                               "%s '%s' is there with other settings, which cannot be changed", kind->name, name);
                fault_hint(reterr, "give it another `name:`, or remove it by hand once nothing needs it");
                return -EINVAL;
        }
        return 0;
}

static int resource_create(struct docker *d, const struct kind *kind, const struct workload *w, const json_t *resource,
                           struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_json json_t *body = create_body(d, kind, w, resource);
        int r;

        if (!body)
                return fault_set_oom(reterr);
        r = engine_send(d->engine, "POST", kind->create, body, &reply, reterr);
        if (r < 0 || engine_reply_is_ok(&reply))
                return r;
        return engine_refused(&reply, REASON_ROLLOUT_START_FAILED, "the engine cannot make it", reterr);
}

/*
 * *ret_missing: it is ours to make. A fault when it is there and cannot be used, or not there and is nobody's to make.
 */
static int resource_check(struct docker *d, const struct kind *kind, const struct workload *w, const json_t *resource,
                          bool *ret_missing, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_buffer struct buffer path = BUFFER_INIT;
        const char *name = json_get_string(resource, "name");
        int r;

        buffer_puts(&path, kind->path);
        http_escape(&path, name, false);
        r = engine_get(d->engine, buffer_str(&path), &reply, reterr);
        if (r < 0)
                return r;
        *ret_missing = false;
        /* The engine also answers to the beginning of a network's id. */
        if (engine_reply_is_ok(&reply) && str_eq(json_get_string(reply.json, "Name"), name))
                return json_get_bool(resource, "external", false)
                               ? 0
                               : check_existing(d, kind, w, resource, reply.json, reterr);
        if (!engine_reply_is_ok(&reply) && reply.status != 404)
                return engine_refused(&reply, NULL, name, reterr);
        if (json_get_bool(resource, "external", false)) {
                fault_set_code(reterr, FAULT_TRANSIENT, REASON_RESOURCE_MISSING, "external %s '%s' is not there",
                               kind->name, name);
                fault_hint(reterr, "%s %s", kind->command, name);
                return -ENOENT;
        }
        *ret_missing = true;
        return 0;
}

static int resource_make(struct docker *d, const struct kind *kind, const struct workload *w, const json_t *resource,
                         struct fault *reterr) {
        bool missing;
        int r = resource_check(d, kind, w, resource, &missing, reterr);

        return r < 0 || !missing ? r : resource_create(d, kind, w, resource, reterr);
}

int docker_check_resource(struct docker *d, const struct workload *w, bool is_volume, const json_t *resource,
                          bool *ret_missing, struct fault *reterr) {
        const struct kind *kind = is_volume ? &volume_kind : &network_kind;
        int r = resource_check(d, kind, w, resource, ret_missing, reterr);

        return r < 0 ? fault_context(reterr, r, "%s %s", kind->name, json_get_string(resource, "name")) : 0;
}

static int make_all(struct docker *d, const struct kind *kind, const struct workload *w, struct fault *reterr) {
        size_t i;
        json_t *resource;
        int r;

        json_array_foreach(json_object_get(w->resources, kind->list), i, resource) {
                r = resource_make(d, kind, w, resource, reterr);
                if (r < 0)
                        return fault_context(reterr, r, "%s %s", kind->name, json_get_string(resource, "name"));
        }
        return 0;
}

int docker_make_networks(struct docker *d, const struct workload *w, struct fault *reterr) {
        return make_all(d, &network_kind, w, reterr);
}

int docker_make_volumes(struct docker *d, const struct workload *w, struct fault *reterr) {
        return make_all(d, &volume_kind, w, reterr);
}
