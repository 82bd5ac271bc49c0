/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A file in Traefik's folder, and what its API shows: a route or nothing, and the route is that of the file that we
 * would make of it.
 */

#include <assert.h>
#include <stdint.h>

#include "providers/routers/traefik_config.h"
#include "shared/data/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_same(const struct route *route, struct arena *a) {
        static const struct traffic traffic = { .path = "/" };
        own_fault struct fault never = FAULT_INIT;
        own_json json_t *config = traefik_render(&traffic, route, NULL);
        struct route back;
        bool present = false;

        assert(traefik_parse(json_object_get(json_object_get(config, "http"), "services"), "shop", "", a, &present,
                             &back, &never) == 0);
        assert(present && route_equal(route, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT, why = FAULT_INIT;
        own_json json_t *json = NULL;
        const json_t *services;
        struct route route;
        bool present;

        if (traefik_read(data, size, &json, &fault) < 0)
                return 0;
        services = json_object_get(json_object_get(json, "http"), "services");
        if (traefik_parse(services, "shop", "", a, &present, &route, &why) == 0) {
                if (present)
                        expect_same(&route, a);
        } else
                assert(why.kind == FAULT_TRANSIENT);
        (void)traefik_difference(json, json, a);
        (void)traefik_entry_point(json, ":80");
        return 0;
}
