/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever is read is a bounded tree with sane positions and valid text; whatever is not has a fault to show. */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/data/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct node *n, unsigned depth) {
        size_t count = 1;

        assert(n->type >= NODE_NULL && n->type < NODE_TYPE_MAX_);
        assert(n->at.source && n->at.line > 0 && n->at.column > 0);
        assert(n->text && utf8_is_valid(n->text, strlen(n->text)));
        assert(node_is_scalar(n) || depth < LIMIT_YAML_DEPTH);
        for (size_t i = 0; n->type == NODE_LIST && i < n->n; i++)
                count += walk(n->items[i], depth + 1);
        for (size_t i = 0; n->type == NODE_MAP && i < n->n; i++) {
                assert(n->entries[i].key && n->entries[i].at.line > 0);
                count += walk(n->entries[i].value, depth + 1);
        }
        return count;
}

/* As JSON it can be written and read, and every key is there once. */
static void check_json(const struct node *n) {
        own_fault struct fault fault = FAULT_INIT;
        own_buffer struct buffer text = BUFFER_INIT;
        own_json json_t *json = node_to_json(n), *again = NULL;

        assert(json);
        assert(n->type != NODE_MAP || json_object_size(json) == n->n);
        assert(json_canonical(json, &text, &fault) == 0);
        assert(json_parse("again", text.data, text.size, &again, &fault) == 0);
        assert(json_equal(json, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_fault struct fault fault = FAULT_INIT;
        own_arena struct arena *a = arena_new();
        const struct node *root = NULL;

        if (yaml_parse("fuzz.yaml", data, size, a, &root, &fault) < 0) {
                assert(!root && fault.kind == FAULT_CONFIG && fault.code && fault.message);
                assert(fault.line > 0 || size > LIMIT_DOCUMENT_BYTES);
                return 0;
        }
        assert(!fault_is_set(&fault));
        assert(walk(root, 0) <= LIMIT_YAML_NODES);
        check_json(root);
        return 0;
}
