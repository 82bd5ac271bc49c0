/* SPDX-License-Identifier: Apache-2.0 */

/* Lifecycle: start, stop and remove a container that is ours */

#include <errno.h>
#include <string.h>

#include "providers/runtime/docker/body.h"
#include "providers/runtime/docker/docker_private.h"
#include "providers/runtime/docker/labels.h"
#include "shared/base/clock.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/net/http.h"

#define START_TIMEOUT_MS (2 * 60 * 1000)
#define STOP_SLACK_MS    (60 * 1000)
#define UPDATE_TRIES     40
#define UPDATE_PAUSE_MS  50
#define GRACE_DEFAULT_S  10
#define GRACE_MAX_S      (24 * 60 * 60)

void container_done(struct container *c) {
        json_decref(c->json);
        c->json = NULL;
}

int container_open(struct docker *d, const char *id, struct container *ret, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        const json_t *labels;
        const char *name;
        int r;

        if (!engine_id_is_valid(id))
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "'%s' is not the id of a container", id ? id : "");
        r = docker_inspect(d, id, &reply, reterr);
        if (r < 0)
                return r;
        *ret = (struct container){ .json = NULL };
        if (reply.status == 404)
                return 0;
        labels = json_object_get(json_object_get(reply.json, "Config"), "Labels");
        name = json_get_string(reply.json, "Name");
        if (!str_eq(json_get_string(labels, LABEL_HOST), d->settings->host) || !name)
                return fault_set_code(reterr, FAULT_DENIED, REASON_RESOURCE_FOREIGN, "container %.12s is not ours", id);
        *ret = (struct container){
                .id = id,
                .name = name[0] == '/' ? name + 1 : name,
                .public_name = json_get_string(labels, LABEL_NAME),
                .spec = json_get_string(labels, LABEL_SPEC),
                .restart = json_get_string(labels, LABEL_RESTART),
                .state = json_object_get(reply.json, "State"),
        };
        ret->json = take(reply.json);
        return 0;
}

int container_post(struct docker *d, const char *id, const char *kind, const json_t *body, int timeout_ms,
                   struct engine_reply *ret, struct fault *reterr) {
        own_buffer struct buffer path = BUFFER_INIT;

        buffer_printf(&path, "/containers/%s/%s", id, kind);
        return engine_call(d->engine,
                           &(struct engine_request){ .method = "POST",
                                                     .path = buffer_str(&path),
                                                     .body = body,
                                                     .timeout_ms = timeout_ms },
                           ret, reterr);
}

/* Gone or done already is what we want, too. */
static bool reply_is_done(const struct engine_reply *reply) {
        return engine_reply_is_ok(reply) || reply->status == 304 || reply->status == 404;
}

/*
 * It crashed just now: until the engine has noticed, it neither updates it as one that runs nor as one that does not.
 * The words are those of containerd (pkg/process/init_state.go), of its tasks, and of runc.
 */
static bool is_ending(const struct engine_reply *reply) {
        static const char *const words[] = { "cannot update a stopped container", "cannot update a deleted process",
                                             "no running task", "process already finished", "container not running" };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (strstr(engine_message(reply), words[i]))
                        return true;
        return false;
}

static int update(struct docker *d, const char *id, const json_t *body, struct engine_reply *reply,
                  struct fault *reterr) {
        int r = container_post(d, id, "update", body, 0, reply, reterr);

        for (int tries = 1; r == 0 && is_ending(reply) && tries < UPDATE_TRIES; tries++) {
                clock_sleep_ms(UPDATE_PAUSE_MS);
                r = container_post(d, id, "update", body, 0, reply, reterr);
        }
        return r;
}

static int set_restart(struct docker *d, const struct container *c, const char *policy, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_json json_t *wanted = body_restart(policy), *body = NULL;
        const json_t *now = json_object_get(json_object_get(c->json, "HostConfig"), "RestartPolicy");
        char text[RESTART_TEXT_MAX], current[RESTART_TEXT_MAX];
        int r;

        if (str_eq(body_restart_text(wanted, text), body_restart_text(now, current)))
                return 0;
        body = json_pack("{sO}", "RestartPolicy", wanted);
        r = update(d, c->id, body, &reply, reterr);
        if (r < 0 || reply_is_done(&reply))
                return r;
        return engine_refused(&reply, NULL, "cannot set its restart policy", reterr);
}

static int rename_to(struct docker *d, const struct container *c, const char *name, struct engine_reply *reply,
                     struct fault *reterr) {
        own_buffer struct buffer kind = BUFFER_INIT;

        buffer_puts(&kind, "rename?name=");
        http_escape(&kind, name, false);
        return container_post(d, c->id, buffer_str(&kind), NULL, 0, reply, reterr);
}

/* The public name is taken: by an instance that was not stopped yet, or by somebody else. */
static int public_name_taken(struct docker *d, const char *name, struct fault *reterr) {
        own_container struct container holder = { .json = NULL };
        own_fault struct fault why = FAULT_INIT;
        int r = container_open(d, name, &holder, &why);

        if (r < 0 && why.code == REASON_RESOURCE_FOREIGN) {
                fault_set_code(reterr, FAULT_DENIED, REASON_RESOURCE_FOREIGN,
                               "there is a container '%s' already, and it is not ours", name);
                fault_hint(reterr, "it is not touched; rename or remove it to let this instance have its name");
                return -EACCES;
        }
        if (r < 0) {
                fault_move(reterr, &why);
                return r;
        }
        return fault_set(reterr, FAULT_CONFLICT, EBUSY, "the name '%s' is still carried by another instance of ours",
                         name);
}

static int take_name(struct docker *d, const struct container *c, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        int r;

        if (!c->public_name || str_eq(c->public_name, c->name))
                return 0;
        r = rename_to(d, c, c->public_name, &reply, reterr);
        if (r < 0 || engine_reply_is_ok(&reply))
                return r;
        if (reply.status == 409)
                return public_name_taken(d, c->public_name, reterr);
        return engine_refused(&reply, REASON_ROLLOUT_START_FAILED, "cannot give it its name", reterr);
}

static int give_up_name(struct docker *d, const struct container *c, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_buffer struct buffer other = BUFFER_INIT;
        char name[CONTAINER_NAME_MAX];
        int r;

        if (!c->public_name || !str_eq(c->public_name, c->name))
                return 0;
        r = rename_to(d, c, body_name_stopped(c->public_name, c->spec, name), &reply, reterr);
        if (r < 0 || reply_is_done(&reply))
                return r;
        if (reply.status != 409)
                return engine_refused(&reply, NULL, "cannot take its name away", reterr);
        /* An older one of the same specification lies there: its own id is free in any case. */
        buffer_printf(&other, "%s.prev-%.12s", c->public_name, c->id);
        r = rename_to(d, c, buffer_str(&other), &reply, reterr);
        if (r < 0 || reply_is_done(&reply))
                return r;
        return engine_refused(&reply, NULL, "cannot take its name away", reterr);
}

static int start_fault(const struct engine_reply *reply, struct fault *reterr) {
        const char *message = engine_message(reply);
        int r = engine_refused(reply, REASON_ROLLOUT_START_FAILED, "the engine cannot start it", reterr);

        if (strstr(message, "port is already allocated") || strstr(message, "address already in use"))
                fault_hint(reterr,
                           "another process or container listens on that port of the host: `ss -ltnp` names it");
        else if (strstr(message, "network") && strstr(message, "not found"))
                fault_hint(reterr,
                           "its network was removed and made anew meanwhile; the instance must be made anew, too");
        else if (strstr(message, "executable file not found"))
                fault_hint(reterr, "command or entrypoint names a program that the image does not have");
        return r;
}

static int unpause(struct docker *d, const struct container *c, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        int r;

        if (!json_get_bool(c->state, "Paused", false))
                return 0;
        r = container_post(d, c->id, "unpause", NULL, START_TIMEOUT_MS, &reply, reterr);
        if (r < 0 || reply_is_done(&reply) || reply.status == 409)
                return r;
        return engine_refused(&reply, NULL, "cannot unpause it", reterr);
}

/*
 * An engine that crashed while it started a container can forget that it did, and then refuses to start it for ever.
 * That says nothing about the release: the container goes (its volumes stay), and the next look makes it anew.
 */
static int give_up_container(struct docker *d, const struct container *c, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_buffer struct buffer path = BUFFER_INIT;
        int r;

        buffer_printf(&path, "/containers/%s?force=1", c->id);
        r = engine_send(d->engine, "DELETE", buffer_str(&path), NULL, &reply, reterr);
        if (r < 0)
                return r;
        return fault_set(reterr, FAULT_CONFLICT, EAGAIN,
                         "the engine lost track of it and refuses to start it; it is made anew");
}

static bool engine_lost_track(const struct engine_reply *reply) {
        const char *message = engine_message(reply);

        return strstr(message, "task ") && strstr(message, ": already exists");
}

int docker_start(struct runtime *rt, const struct instance *instance, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_container struct container c = { .json = NULL };
        struct docker *d = docker_of(rt);
        int r;

        r = container_open(d, instance->id, &c, reterr);
        if (r < 0)
                return r;
        if (!c.json)
                return fault_set(reterr, FAULT_CONFLICT, ENOENT, "container %.12s is gone", instance->id);
        r = take_name(d, &c, reterr);
        if (r == 0)
                r = set_restart(d, &c, c.restart, reterr);
        if (r == 0)
                r = unpause(d, &c, reterr);
        if (r < 0 || json_get_bool(c.state, "Running", false))
                return r;
        r = container_post(d, c.id, "start", NULL, START_TIMEOUT_MS, &reply, reterr);
        if (r < 0 || engine_reply_is_ok(&reply) || reply.status == 304)
                return r;
        return engine_lost_track(&reply) ? give_up_container(d, &c, reterr) : start_fault(&reply, reterr);
}

static int64_t grace_of(const struct container *c) {
        int64_t grace = json_get_integer(json_object_get(c->json, "Config"), "StopTimeout", GRACE_DEFAULT_S);

        return grace < 0 || grace > GRACE_MAX_S ? GRACE_MAX_S : grace;
}

int docker_stop(struct runtime *rt, const struct instance *instance, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_container struct container c = { .json = NULL };
        struct docker *d = docker_of(rt);
        int r;

        r = container_open(d, instance->id, &c, reterr);
        if (r < 0 || !c.json)
                return r;
        /* The policy first: a crash after it leaves a container that stays down once it is down. */
        r = set_restart(d, &c, "no", reterr);
        if (r == 0)
                r = unpause(d, &c, reterr);
        if (r < 0)
                return r;
        /* Signal and grace are the container's own, from its specification. */
        r = container_post(d, c.id, "stop", NULL, (int)(grace_of(&c) * 1000) + STOP_SLACK_MS, &reply, reterr);
        if (r < 0)
                return r;
        if (!reply_is_done(&reply))
                return engine_refused(&reply, NULL, "the engine cannot stop it", reterr);
        return give_up_name(d, &c, reterr);
}

int docker_remove(struct runtime *rt, const struct instance *instance, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_container struct container c = { .json = NULL };
        own_buffer struct buffer path = BUFFER_INIT;
        struct docker *d = docker_of(rt);
        int r;

        r = container_open(d, instance->id, &c, reterr);
        if (r < 0 || !c.json)
                return r;
        /* v: anonymous volumes only; a named one outlives everything. */
        buffer_printf(&path, "/containers/%s?force=1&v=1", c.id);
        r = engine_send(d->engine, "DELETE", buffer_str(&path), NULL, &reply, reterr);
        if (r < 0)
                return r;
        if (reply_is_done(&reply) || (reply.status == 409 && strstr(engine_message(&reply), "already in progress")))
                return 0;
        return engine_refused(&reply, NULL, "the engine cannot remove it", reterr);
}
