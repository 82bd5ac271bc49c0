/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* nginx: files in a folder that nginx.conf includes (docs/routers.md) */

#include "providers/router.h"

extern const struct router_ops nginx_router_ops;
