/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What answers where nginx should tell us what it has in force: a route or nothing, and a route that can be put into
 * force again.
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "providers/routers/nginx_config.h"
#include "providers/routers/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct traffic traffic = { .listen = ":80", .path = "/" };
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT, never = FAULT_INIT;
        own_buffer struct buffer text = BUFFER_INIT;
        struct digest digest;
        struct route route;

        if (nginx_parse_told("shop", data, size, a, &digest, &route, &fault) < 0) {
                assert(fault.kind == FAULT_TRANSIENT);
                return 0;
        }
        assert(digest_is_valid(digest.text));
        assert(route_check(&traffic, &route, &never) == 0);
        assert(nginx_render("127.0.0.1:1", &traffic, &route, &text, &digest, &never) == 0);
        for (const char *line = text.data; *line; line += strcspn(line, "\n") + 1)
                assert(strcspn(line, "\n") < 4096);
        return 0;
}
