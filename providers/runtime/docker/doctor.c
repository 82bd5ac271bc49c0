/* SPDX-License-Identifier: Apache-2.0 */

/* Doctor: what a person wants to know of the engine when something is wrong: {"check", "state", "detail", "hint"?} */

#include "providers/runtime/docker/docker_private.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

static void say(json_t *out, const char *check, const char *state, const char *hint, json_t *detail) {
        json_t *line = json_pack("{ss ss so}", "check", check, "state", state, "detail", detail);

        json_set_string(line, "hint", hint);
        json_array_append_new(out, line);
}

static const char *text_of(const json_t *object, const char *key) {
        const char *text = json_get_string(object, key);

        return text ? text : "?";
}

/* The containerd image store calls itself by the snapshotter, and tells so in DriverStatus. */
static const char *store_of(const json_t *info) {
        size_t i;
        json_t *pair;

        json_array_foreach(json_object_get(info, "DriverStatus"), i,
                           pair) if (str_eq(json_string_value(json_array_get(pair, 0)), "driver-type") &&
                                     str_after(json_string_value(json_array_get(pair, 1)),
                                               "io.containerd.snapshotter")) return "containerd image store";
        return "classic image store";
}

static int doctor_info(struct docker *d, json_t *out, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        int r = engine_get(d->engine, "/info", &reply, reterr);
        size_t i;
        json_t *warning;

        if (r < 0)
                return r;
        if (!engine_reply_is_ok(&reply))
                return engine_refused(&reply, NULL, "the engine does not tell about itself", reterr);
        say(out, "storage", "ok", NULL,
            json_sprintf("%s, %s, in %s", text_of(reply.json, "Driver"), store_of(reply.json),
                         text_of(reply.json, "DockerRootDir")));
        say(out, "containers", "ok", NULL,
            json_sprintf("%lld running, %lld in all", (long long)json_get_integer(reply.json, "ContainersRunning", 0),
                         (long long)json_get_integer(reply.json, "Containers", 0)));
        if (!json_get_bool(reply.json, "LiveRestoreEnabled", false))
                say(out, "live-restore", "warn", "set \"live-restore\": true in /etc/docker/daemon.json",
                    json_string("containers stop while the engine is upgraded or restarted"));
        json_array_foreach(json_object_get(reply.json, "Warnings"), i, warning) if (json_is_string(warning))
                say(out, "engine-warning", "warn", NULL, json_incref(warning));
        return 0;
}

int docker_doctor(struct runtime *rt, json_t *out, struct fault *reterr) {
        own_fault struct fault why = FAULT_INIT;
        struct docker *d = docker_of(rt);
        const char *version;

        if (engine_negotiate(d->engine, &why) < 0) {
                say(out, "engine", "fail", why.hint, json_string(why.message ? why.message : "cannot be asked"));
                return 0;
        }
        version = engine_version(d->engine);
        say(out, "engine", "ok", NULL,
            json_sprintf("%s at %s, API 1.%d", version ? version : "unknown version", engine_socket(d->engine),
                         engine_api(d->engine)));
        return doctor_info(d, out, reterr);
}
