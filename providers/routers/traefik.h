/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Traefik: files in a folder of its file provider (docs/routers.md) */

#include "providers/router.h"

extern const struct router_ops traefik_router_ops;
