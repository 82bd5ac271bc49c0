/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* HAProxy: files in a folder that it loads, and its runtime API (docs/routers.md) */

#include "providers/router.h"

extern const struct router_ops haproxy_router_ops;
