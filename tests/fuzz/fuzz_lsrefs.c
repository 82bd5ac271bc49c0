/* SPDX-License-Identifier: Apache-2.0 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "shared/git/lsrefs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Copied, so that reading one byte too far is seen. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct object_id id = { .raw = { 0 } };
        uint8_t *copy = malloc(size ? size : 1);
        enum ref_answer a;

        if (!copy)
                return 0;
        for (size_t i = 0; i < size; i++)
                copy[i] = data[i];
        a = lsrefs_parse(copy, size, "main", &id);
        if (a >= REF_ANSWER_MAX_ || (a != REF_FOUND && !object_id_is_zero(&id)))
                abort();
        free(copy);
        return 0;
}
