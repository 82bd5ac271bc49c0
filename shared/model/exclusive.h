/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Exclusive: what keeps a service from running twice on one host
 *
 * A port or an address of the host, a name, or data that is written. The strategies canary and blue-green need two of
 * each primary service at a time: what the rollout refuses (ROLLOUT_EXCLUSIVE) can be told from app.yaml and the
 * compose file alone.
 */

#include "shared/model/fleet.h"

/*
 * What of @s can be had by one instance only, for people: "it publishes port 8080 of the host". NULL when there is no
 * such thing. In @a.
 */
const char *exclusive_why(const struct compose_service *s, struct arena *a);

/*
 * FAULT_CONFIG/ROLLOUT_EXCLUSIVE at the line of the compose file that keeps a primary service from running beside its
 * predecessor.
 */
int exclusive_check(const struct deployment *d, struct fault *reterr);
