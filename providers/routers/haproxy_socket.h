/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* HAProxy, the socket: commands to its runtime API, which answers and closes (management.html, 9.3) */

#include "shared/base/buffer.h"
#include "shared/base/fault.h"

/*
 * Say each line of @commands, joined as far as HAProxy takes them in one, and append what it answers.
 * FAULT_TRANSIENT/ROUTER_UNAVAILABLE when nobody answers.
 */
int haproxy_say(const char *socket, const char *commands, struct buffer *answer, struct fault *reterr);
