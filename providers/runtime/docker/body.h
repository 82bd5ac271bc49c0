/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Body: from a specification (render.h) to the requests that make a container of it. Pure
 *
 * What the specification leaves open is filled in here: labels, the name, where our files lie, the engine's API
 * version.
 */

#include "providers/runtime/runtime.h"

struct body_input {
        const struct runtime_settings *settings;
        const struct workload *workload;
        const struct workload_service *service;
        int64_t index;
        const char *image_id; /* verified */
        int api;              /* minor number */
};

/* The body of POST /containers/create; a new reference. */
int body_create(const struct body_input *in, json_t **ret, struct fault *reterr);

/* All labels of a container: those declared, ours, and those of docker compose; a new reference. */
json_t *body_labels(const struct body_input *in);

/* FAULT_CONFIG / RUNTIME_UNSUPPORTED when the specification needs a newer API than 1.@api. */
int body_check_api(const json_t *spec, int api, struct fault *reterr);

/*
 * The endpoint of one of the specification's "networks", for create and for POST /networks/<name>/connect; a new
 * reference.
 */
json_t *body_endpoint(const struct body_input *in, const json_t *network);

/*
 * Names: an instance is made as <app>-<service>-<index>-<8 digits of the specification>, so that old and new can stand
 * side by side. With container_name it is <name>.next-<8> until it starts, <name> in service, <name>.prev-<8> when
 * stopped.
 */
#define CONTAINER_NAME_MAX 256
const char *body_name(const struct body_input *in, char *buf);
const char *body_name_stopped(const char *public_name, const char *spec_digest, char *buf);

/*
 * "on-failure:3" for {"Name": "on-failure", "MaximumRetryCount": 3} and back (a new reference; unknown words are "no").
 */
#define RESTART_TEXT_MAX 64
const char *body_restart_text(const json_t *restart, char *buf);
json_t *body_restart(const char *text);
