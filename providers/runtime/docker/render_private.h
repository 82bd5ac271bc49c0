/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The parts of render.h, one file each; and JSON that leaves out what was not declared. */

#include "providers/runtime/docker/render.h"
#include "shared/data/json.h"

/* HostConfig but for mounts, restart policy and NetworkMode. New reference; NULL without memory. */
json_t *render_host(const struct compose_service *s);
/* Adds "mounts", "binds" and "files". */
int render_mounts(const struct compose *c, const struct compose_service *s, json_t *spec, struct fault *reterr);
/* The "networks" of a service's specification, or "network_mode". */
int render_networks(const struct compose *c, const struct compose_service *s, json_t *spec, struct fault *reterr);
json_t *render_restart(const struct compose_service *s);
/* The "files" of a service's specification alone: what it mounts of the app, and its configs and secrets. */
int render_mounted_files(const struct compose_service *s, json_t *spec, struct fault *reterr);
/* The "files" of a workload's resources. */
void render_files(json_t *resources, const struct compose *c);
/* "80/tcp" */
json_t *render_port_key(const struct compose_port *p);

/* Nothing is set for NULL, 0, false and empty lists. Without memory they abort, as digest_of_json() does. */
void put(json_t *object, const char *key, json_t *value);
void put_text(json_t *object, const char *key, const char *value);
void put_number(json_t *object, const char *key, int64_t value);
void put_true(json_t *object, const char *key, bool value);
void put_list(json_t *object, const char *key, const struct string_list *list);
void put_map(json_t *object, const char *key, const struct string_map *map);

/* The name under which the files of a mount or a grant are kept (files.h); new string of @a. */
#define FILES_NAME_MAX 128
const char *render_mount_name(const struct compose_mount *m, char *buf);
const char *render_grant_name(const struct compose_grant *g, char *buf);
