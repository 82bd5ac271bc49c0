/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Probe: make a check (shared/model/check.h), once
 *
 * HTTP, TCP and exec on one instance; a Prometheus query about the whole release. Whatever happens is a fact, never a fault:
 * an instance that does not answer fails; a Prometheus server that does not answer, has no data, or says that there is no
 * traffic is inconclusive. What a number means is not decided here (policies/analysis.h).
 */

#include "providers/runtime.h"
#include "shared/model/check.h"

struct probe_target {
        struct runtime *runtime;
        const struct instance *instance;                 /* NULL for a Prometheus query */
        const char *host, *app, *service;
        const char *release, *version;                   /* of the new release */
        const char *settled_release, *settled_version;   /* of the old one; NULL: none */
};

/* Strings live in @a. Takes at most the check's timeout (a Prometheus check: for each of its queries). */
void probe(const struct check *check, const struct probe_target *target, struct arena *a, struct check_fact *ret);
