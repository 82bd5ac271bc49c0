/* SPDX-License-Identifier: Apache-2.0 */

/* Anything that docker compose may say: read without a fault, and harmless when it is shown. */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "providers/runtime/compose/program.h"
#include "shared/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_arena struct arena *a = arena_new();
        own_free char *complaint = NULL;
        const char *text = arena_strndup(a, (const char *)data, size), *name;
        uint64_t major = 0, minor = 0;

        complaint = program_complaint(text);
        assert(complaint && *complaint && utf8_is_valid(complaint, strlen(complaint)) &&
               !strpbrk(complaint, "\r\n\x1b"));
        name = program_name_in_use(text, a);
        assert(!name || (*name && strstr(text, name)));
        if (program_version(text, &major, &minor))
                assert(strchr(text, '.'));
        return 0;
}
