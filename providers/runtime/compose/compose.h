/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The compose runtime: the official `docker compose` v2 makes the containers, all else is done as in the docker runtime
 *
 * render() locks the app's compose file: variables, includes and extends put in, every image by digest. prepare() pulls
 * and verifies the images with our own client and has docker compose make networks and volumes. create() gives docker
 * compose one service of the locked file and asks for one container more than there are (`up --no-start --no-recreate
 * --no-deps --scale`): those that are there stay untouched. From then on the container is found by its labels and
 * observed, started, stopped and removed by its id over the Engine API.
 */

#include "providers/runtime/runtime.h"

extern const struct runtime_ops compose_runtime_ops;
