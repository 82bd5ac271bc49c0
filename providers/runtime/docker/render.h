/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Render: from the compose model to what the Engine API takes. Pure
 *
 * A service's specification is one JSON object, and its digest names the specification: equal digests mean that nothing
 * needs to be made anew. So it holds what was declared and nothing else: no defaults of ours that may change, no
 * release, no path of this host. create.h turns it into the body of POST /containers/create.
 *
 *      { "project", "service", "image", "platform"?, "container_name"?,
 *        "config": {…},                 // of the container: Docker Engine API, ContainerConfig
 *        "host": {…},                   // HostConfig, without mounts and restart policy
 *        "labels": {…},                 // as declared
 *        "mounts": […], "binds": […],   // HostConfig.Mounts and .Binds: those that don't depend on where our files lie
 *        "files": [{"name", "target", "digest", "folder"?, "grant"?, "options"?}],   // files.h
 *        "networks": [{"name", "aliases"?, "ipv4"?, "ipv6"?, "link_local"?, "mac"?}], // highest priority first
 *        "network_mode"?, "restart": {"Name", "MaximumRetryCount"?} }
 *
 * A workload's resources:
 *
 *      { "project",
 *        "networks": [{"key", "name", "external", "create": {…}}],
 *        "volumes":  [{"key", "name", "external", "create": {…}}],
 *        "files":    [{"name", "digest", "folder", "entries": [{"path", "executable", "text" | "base64"}],
 *                      "grant"?: {"mode", "uid", "gid"}}] }
 */

#include "providers/runtime/runtime.h"

/* The runtime's render(). */
int docker_render(const struct runtime_settings *settings, const struct compose *compose, const char *version,
                  const char *release_id, struct arena *a, struct workload *ret, struct fault *reterr);

/* A service's specification; a new reference. FAULT_CONFIG at the position of what cannot be carried out. */
int render_service(const struct compose *c, const struct compose_service *s, json_t **ret, struct fault *reterr);

/* A workload's resources; a new reference. */
int render_resources(const struct compose *c, json_t **ret, struct fault *reterr);
