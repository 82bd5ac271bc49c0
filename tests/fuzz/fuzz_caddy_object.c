/* SPDX-License-Identifier: Apache-2.0 */

/* What Caddy's admin API gives for our id: a route or nothing, and the route is that of what we would make of it. */

#include <assert.h>
#include <stdint.h>

#include "providers/routers/caddy_config.h"
#include "shared/data/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct traffic traffic = { .listen = ":80", .path = "/" };
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT, why = FAULT_INIT, never = FAULT_INIT;
        own_json json_t *json = NULL, *again = NULL;
        struct route route, back;

        if (json_parse("Caddy", data, size, &json, &fault) < 0)
                return 0;
        (void)caddy_is_empty(json);
        if (caddy_parse(json, "shop", a, &route, &why) < 0) {
                assert(why.kind == FAULT_TRANSIENT);
                return 0;
        }
        again = caddy_render(&traffic, &route);
        assert(caddy_parse(again, "shop", a, &back, &never) == 0);
        assert(route_equal(&route, &back));
        return 0;
}
