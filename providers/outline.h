/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Outline: what every runtime's render() makes alike of a compose model
 *
 * App, release, services with their dependencies and replicas, and the artifact. What is left to the
 * runtime: each service's spec and spec_digest, and the resources. Pure.
 */

#include "providers/runtime.h"

/* Every image is pinned (compose_pin). @release->of gives the roles; NULL: all are primaries. Borrows from @compose and @settings; the rest lives in @a. */
int outline_make(const struct runtime_settings *settings, const char *runtime, const struct compose *compose,
                 const struct release *release, const char *release_id, struct arena *a, struct workload *ret,
                 struct fault *reterr);

/*
 * The specification of every service of @w, as @spec_of makes it (a new reference, which the arena releases), and its digest. The
 * services of @w are those of @compose, in the same order.
 */
int outline_specs(const struct compose *compose,
                  int (*spec_of)(const struct compose *c, const struct compose_service *s, json_t **ret, struct fault *reterr),
                  struct arena *a, struct workload *w, struct fault *reterr);

/* The order that an observation promises: app, service, specification, index, id. */
void outline_sort_instances(struct instance *instances, size_t n);
