/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/instance.h"

#include <string.h>

const char *const instance_state_names[] = {
        [INSTANCE_CREATED] = "created", [INSTANCE_RUNNING] = "running", [INSTANCE_RESTARTING] = "restarting",
        [INSTANCE_PAUSED] = "paused",   [INSTANCE_EXITED] = "exited",   [INSTANCE_REMOVING] = "removing",
        [INSTANCE_DEAD] = "dead",       [INSTANCE_STATE_MAX_] = NULL,
};

const char *const health_names[] = {
        [HEALTH_NONE] = "none",           [HEALTH_STARTING] = "starting", [HEALTH_HEALTHY] = "healthy",
        [HEALTH_UNHEALTHY] = "unhealthy", [HEALTH_MAX_] = NULL,
};

#define AT(type, member) .at = offsetof(struct type, member)

static const struct field endpoint_fields[] = {
        { .key = "port", .type = FIELD_INTEGER, AT(endpoint, port), .doc = "The container's port." },
        { .key = "address",
          .type = FIELD_STRING,
          AT(endpoint, address),
          .flags = FIELD_REQUIRED,
          .doc = "Where the host reaches it." },
        { .key = NULL },
};

static const struct table endpoint_table = {
        .title = "Endpoint",
        .size = sizeof(struct endpoint),
        .fields = endpoint_fields,
        .doc = "A published port.",
};

static const struct field instance_fields[] = {
        { .key = "id", .type = FIELD_STRING, AT(instance, id), .flags = FIELD_REQUIRED, .doc = "The engine's id." },
        { .key = "name", .type = FIELD_STRING, AT(instance, name), .flags = FIELD_OMIT, .doc = "The engine's name." },
        { .key = "app",
          .type = FIELD_STRING,
          AT(instance, app),
          .flags = FIELD_REQUIRED,
          .doc = "Label tallyman.app." },
        { .key = "service",
          .type = FIELD_STRING,
          AT(instance, service),
          .flags = FIELD_REQUIRED,
          .doc = "Label tallyman.service." },
        { .key = "release",
          .type = FIELD_STRING,
          AT(instance, release),
          .flags = FIELD_OMIT,
          .doc = "Label tallyman.release." },
        { .key = "version",
          .type = FIELD_STRING,
          AT(instance, version),
          .flags = FIELD_OMIT,
          .doc = "Label tallyman.version." },
        { .key = "spec", .type = FIELD_STRING, AT(instance, spec), .flags = FIELD_OMIT, .doc = "Label tallyman.spec." },
        { .key = "index",
          .type = FIELD_INTEGER,
          AT(instance, index),
          .absent = 1,
          .doc = "Number of the replica, from 1." },
        { .key = "image",
          .type = FIELD_STRING,
          AT(instance, image),
          .flags = FIELD_OMIT,
          .doc = "The reference it was made from." },
        { .key = "image_id",
          .type = FIELD_STRING,
          AT(instance, image_id),
          .flags = FIELD_OMIT,
          .doc = "What the engine says it runs." },
        { .key = "image_matches",
          .type = FIELD_BOOL,
          AT(instance, image_matches),
          .doc = "Whether that is what the engine holds for the pinned digest." },
        { .key = "state",
          .type = FIELD_ENUM,
          AT(instance, state),
          .flags = FIELD_REQUIRED,
          .names = instance_state_names,
          .doc = "The engine's word for its state." },
        { .key = "health",
          .type = FIELD_ENUM,
          AT(instance, health),
          .names = health_names,
          .doc = "What its health check says." },
        { .key = "exit_code",
          .type = FIELD_INTEGER,
          AT(instance, exit_code),
          .flags = FIELD_OMIT,
          .doc = "How it ended, when it did." },
        { .key = "lost",
          .type = FIELD_BOOL,
          AT(instance, lost),
          .flags = FIELD_OMIT,
          .doc = "It ended with its engine: exit_code says nothing." },
        { .key = "restarts",
          .type = FIELD_INTEGER,
          AT(instance, restarts),
          .flags = FIELD_OMIT,
          .doc = "How often the engine restarted it by itself." },
        { .key = "started_at",
          .type = FIELD_INTEGER,
          AT(instance, started_at),
          .flags = FIELD_OMIT,
          .doc = "When it was started, milliseconds since 1970; 0: never." },
        { .key = "endpoints",
          .type = FIELD_STRUCT_LIST,
          AT(instance, endpoints),
          .flags = FIELD_OMIT,
          .sub = &endpoint_table,
          .doc = "Its published ports." },
        { .key = "address",
          .type = FIELD_STRING,
          AT(instance, address),
          .flags = FIELD_OMIT,
          .doc = "Its own address in its first network." },
        { .key = "networks_missing",
          .type = FIELD_STRING_LIST,
          AT(instance, networks_missing),
          .flags = FIELD_OMIT,
          .doc = "Networks of its specification that it is not attached to." },
        { .key = "files_changed",
          .type = FIELD_STRING_LIST,
          AT(instance, files_changed),
          .flags = FIELD_OMIT,
          .doc = "Mounts whose content on the host is not what was declared." },
        { .key = NULL },
};

const struct table instance_table = {
        .title = "Instance",
        .size = sizeof(struct instance),
        .fields = instance_fields,
        .doc = "One container that a runtime reports as ours.",
};

static const struct field observation_fields[] = {
        { .key = "runtime",
          .type = FIELD_STRING,
          AT(observation, runtime),
          .flags = FIELD_REQUIRED,
          .doc = "The runtime that was asked." },
        { .key = "available",
          .type = FIELD_BOOL,
          AT(observation, available),
          .doc = "Whether it answered; when not, nothing may be concluded." },
        { .key = "reason", .type = FIELD_STRING, AT(observation, reason), .flags = FIELD_OMIT, .doc = "Why not." },
        { .key = "version",
          .type = FIELD_STRING,
          AT(observation, version),
          .flags = FIELD_OMIT,
          .doc = "Version of the engine." },
        { .key = "instances",
          .type = FIELD_STRUCT_LIST,
          AT(observation, instances),
          .sub = &instance_table,
          .doc = "What runs, sorted by app, service, specification, index and id." },
        { .key = NULL },
};

const struct table observation_table = {
        .title = "Observation",
        .size = sizeof(struct observation),
        .fields = observation_fields,
        .doc = "What one runtime runs for one host.",
};

const char *instance_reach(const struct instance *i, int64_t port, struct arena *a) {
        const struct endpoint *endpoints = i->endpoints.items;

        for (size_t n = 0; n < i->endpoints.n; n++)
                if (endpoints[n].port == port)
                        return endpoints[n].address;
        if (!i->address)
                return NULL;
        return arena_printf(a, strchr(i->address, ':') ? "[%s]:%lld" : "%s:%lld", i->address, (long long)port);
}
