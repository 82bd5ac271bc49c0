/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Caddy: its admin API (docs/routers.md) */

#include "providers/router.h"

extern const struct router_ops caddy_router_ops;
