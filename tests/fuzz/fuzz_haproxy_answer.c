/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What HAProxy's runtime API may answer: maps, a map and servers, all in one text. What is read can be put into force
 * again.
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "providers/routers/haproxy_answer.h"
#include "shared/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_back(const struct haproxy_layout *l, struct arena *a) {
        static const struct traffic traffic = { .path = "/", .listen = ":80" };
        const struct haproxy_files files = { .folder = "/f", .app = "shop", .traffic = &traffic };
        own_buffer struct buffer text = BUFFER_INIT, commands = BUFFER_INIT;
        own_fault struct fault fault = FAULT_INIT;
        struct haproxy_layout again;
        struct route route;
        const char *odd;

        haproxy_render(&files, l, &text);
        haproxy_layout_route(l, "shop", a, &route, &odd);
        if (route_check(&traffic, &route, &fault) < 0)
                return; /* an address in two places: not one of ours */
        haproxy_layout_make(&route, l, a, &again);
        assert(again.n == l->n);
        haproxy_commands(&files, l, &again, &commands);
        assert(!strpbrk(buffer_str(&commands), ";'\"\\$"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        const char *text = arena_strndup(a, (const char *)data, size);
        struct haproxy_layout l = { .n = 0 };
        char digest[17];

        if (haproxy_parse_maps(text, "/f", "shop", digest))
                assert(hex_is_valid(digest, 16));
        if (haproxy_parse_map(text, a, &l, &fault) == 0 &&
            haproxy_parse_servers(text, "tally_shop:current", VARIATION_CURRENT, a, &l, &fault) == 0 &&
            haproxy_parse_servers(text, "tally_shop:candidate", VARIATION_CANDIDATE, a, &l, &fault) == 0)
                put_back(&l, a);
        else
                assert(fault.kind == FAULT_TRANSIENT);
        return 0;
}
