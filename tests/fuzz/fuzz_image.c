/* SPDX-License-Identifier: Apache-2.0 */

/* What is taken for a reference reads the same again in its pinned form. */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "shared/model/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct text_at text = { .text = arena_strndup(a, (const char *)data, size) };
        struct image_ref ref, again;

        if (image_parse(&text, a, &ref, &fault) < 0) {
                assert(fault.kind == FAULT_CONFIG && fault.code);
                return 0;
        }
        assert(!fault_is_set(&fault));
        if (!ref.digest)
                return 0;
        text.text = image_pinned(&ref, a);
        assert(image_parse(&text, a, &again, &fault) == 0);
        assert(strcmp(again.registry, ref.registry) == 0 && strcmp(again.repository, ref.repository) == 0);
        assert(strcmp(again.digest, ref.digest) == 0 && !again.tag);
        return 0;
}
