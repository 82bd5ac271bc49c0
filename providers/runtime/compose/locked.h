/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Locked: from the compose model to what docker compose is given. Pure
 *
 * A service's specification is one JSON object. Its digest names it, so it holds what was declared and nothing else.
 * What the docker runtime's functions read of one (providers/docker/render.h) stands in it in the same form:
 *
 *      { "project", "service", "image", "platform"?, "container_name"?, "labels"?, "restart", "files"?,
 *        "networks" | "network_mode",          // but a mode that only docker compose knows stands in "definition"
 *        "definition": {…},                    // the service as docker compose takes it, without the above
 *        "seccomp"?: "<name of the file>",
 *        "network_keys": {"<key>": "<name>"}, "volume_keys": {"<key>": "<name>"} }
 *
 * A workload's resources:
 *
 *      { "project",
 *        "networks": [{"key", "name", "external", "create": {…}, "labels"?: {…}}],  // create: as the file defines it
 *        "volumes":  [likewise],
 *        "files":    [as the docker runtime's] }
 */

#include "providers/runtime/docker/body.h"

/* The runtime's render(). */
int locked_render(const struct runtime_settings *settings, const struct compose *compose, const char *version,
                  const char *release_id, struct arena *a, struct workload *ret, struct fault *reterr);

/*
 * The documents that docker compose reads, with every '$' doubled; new references. locked_instance(): the one service
 * of @in, with all labels, its networks and volumes as external. locked_all(): every service that way, to be checked
 * only. locked_resources(): networks and volumes named by @networks and @volumes (elements of the resources), and a
 * service that uses them and has no instances, called LOCKED_NO_SERVICE.
 */
json_t *locked_instance(const struct body_input *in);
json_t *locked_all(const struct runtime_settings *settings, const struct workload *w);
#define LOCKED_NO_SERVICE "Tallyman.resources" /* capitals: no service of an app is called so */
struct docker;
json_t *locked_resources(const struct docker *d, const struct workload *w, const json_t *networks,
                         const json_t *volumes);
