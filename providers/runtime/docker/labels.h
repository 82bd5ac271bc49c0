/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Labels: how a container, network or volume says whose it is and what it was made from
 *
 * Fixed for ever: without them nothing is ours. Everything that start() and stop() need to know of an instance whose
 * workload is long gone is here, too. The com.docker.compose.* labels let `docker compose ls` and `ps` list our apps.
 */

#define LABEL_HOST        "tallyman.host"
#define LABEL_ENVIRONMENT "tallyman.environment"
#define LABEL_APP         "tallyman.app"
#define LABEL_SERVICE     "tallyman.service"
#define LABEL_RELEASE     "tallyman.release"
#define LABEL_VERSION     "tallyman.version"
#define LABEL_SPEC        "tallyman.spec"
#define LABEL_INDEX       "tallyman.index"    /* replica, from 1 */
#define LABEL_IMAGE       "tallyman.image"    /* repository@sha256:…, as pinned */
#define LABEL_IMAGE_ID    "tallyman.image-id" /* what the engine held for it, verified, when the container was made */
#define LABEL_NAME        "tallyman.name"     /* the public name (container_name); absent: the instance keeps its own */
#define LABEL_RESTART     "tallyman.restart"  /* "always", "on-failure:3", …: the policy while it is in service */

#define LABEL_RUNTIME \
        "tallyman.runtime" /* of networks and volumes: whose definition LABEL_SPEC is of; absent: docker */

#define LABEL_COMPOSE_PROJECT "com.docker.compose.project"
#define LABEL_COMPOSE_SERVICE "com.docker.compose.service"
#define LABEL_COMPOSE_NUMBER  "com.docker.compose.container-number"
#define LABEL_COMPOSE_ONEOFF  "com.docker.compose.oneoff"
#define LABEL_COMPOSE_HASH    "com.docker.compose.config-hash"
#define LABEL_COMPOSE_NETWORK "com.docker.compose.network"
#define LABEL_COMPOSE_VOLUME  "com.docker.compose.volume"
