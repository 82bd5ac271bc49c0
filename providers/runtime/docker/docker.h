/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The docker runtime: our own client of the Docker Engine API, container by container. */

#include "providers/runtime/runtime.h"

extern const struct runtime_ops docker_runtime_ops;
