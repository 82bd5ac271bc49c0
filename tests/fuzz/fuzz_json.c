/* SPDX-License-Identifier: Apache-2.0 */

/* The canonical form is one: reading it and writing it again changes neither the value nor a byte. */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "shared/base/arena.h"
#include "shared/data/json.h"
#include "shared/data/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_canonical(const json_t *json) {
        own_fault struct fault fault = FAULT_INIT;
        own_buffer struct buffer once = BUFFER_INIT, twice = BUFFER_INIT;
        own_json json_t *again = NULL;

        if (json_canonical(json, &once, &fault) < 0) {
                assert(fault.kind == FAULT_INTERNAL); /* a real number */
                return;
        }
        assert(json_parse("again", once.data, once.size, &again, &fault) == 0);
        assert(json_equal(json, again));
        assert(json_canonical(again, &twice, &fault) == 0);
        assert(once.size == twice.size && memcmp(once.data, twice.data, once.size) == 0);
}

static void check_pretty(const json_t *json) {
        own_fault struct fault fault = FAULT_INIT;
        own_buffer struct buffer text = BUFFER_INIT;
        own_json json_t *again = NULL;

        assert(json_pretty(json, &text, &fault) == 0);
        assert(json_parse("pretty", text.data, text.size, &again, &fault) == 0);
        assert(json_equal(json, again));
}

static void check_nodes(const json_t *json) {
        own_fault struct fault fault = FAULT_INIT;
        own_arena struct arena *a = arena_new();
        const struct node *n = NULL;

        assert(node_from_json(json, NULL, a, &n, &fault) == 0);
        assert(n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_fault struct fault fault = FAULT_INIT;
        own_json json_t *json = NULL;

        if (json_parse("fuzz.json", data, size, &json, &fault) < 0) {
                assert(!json && fault.kind == FAULT_CONFIG && fault.message);
                return 0;
        }
        assert(!fault_is_set(&fault));
        check_canonical(json);
        check_pretty(json);
        check_nodes(json);
        return 0;
}
