/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Deployment clash: two apps of one host that want the same thing of it
 *
 * A port of the host (port_binding.h), a `container_name`, or the name of a network or volume that both would make, be
 * it written down or made of the project's name. What is external belongs to nobody and may be used by all.
 */

#include "shared/fleet/fleet.h"

/*
 * Check all deployments of host @host, sorted by app. FAULT_CONFIG/LOAD_INVALID at the position of the later app's,
 * naming the other app and its position. n log n in ports, services, networks and volumes.
 */
int deployment_clash(const char *host, const struct deployment *const *deployments, size_t n, struct fault *reterr);
