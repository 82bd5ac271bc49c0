/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Outline: a runtime's render(), of which it gives only what is its own. Pure.
 */

#include "providers/runtime/runtime.h"

struct outline_runtime {
        const char *name;
        /* A service's specification; a new reference. */
        int (*spec_of)(const struct compose *c, const struct compose_service *s, json_t **ret, struct fault *reterr);
        /* What its services share, as the runtime's prepare() reads it; a new reference. NULL: nothing. */
        int (*resources_of)(const struct compose *c, json_t **ret, struct fault *reterr);
};

/*
 * Every image is pinned (compose_pin). All services are primaries: the caller knows their roles and the router. Borrows
 * from @compose and @settings; the rest lives in @a. The services of @ret are those of @compose, in the same order.
 */
int outline_render(const struct outline_runtime *runtime, const struct runtime_settings *settings,
                   const struct compose *compose, const char *version, const char *release_id, struct arena *a,
                   struct workload *ret, struct fault *reterr);

/* The order that an observation promises: app, service, specification, index, id. */
void outline_sort_instances(struct instance *instances, size_t n);
