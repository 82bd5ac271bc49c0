/* SPDX-License-Identifier: Apache-2.0 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shared/net/plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Copied, so that reading one byte too far is seen. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *copy = malloc(size ? size : 1);
        size_t body = SIZE_MAX;
        int status = -1;

        if (!copy)
                return 0;
        if (size > 0)
                memcpy(copy, data, size);
        if (plain_parse(copy, size, &status, &body) == 0) {
                if (status < 100 || status > 999 || body > size || body < 4 ||
                    memcmp(copy + body - 4, "\r\n\r\n", 4) != 0)
                        abort();
        } else if (status != -1 || body != SIZE_MAX) {
                abort();
        }
        free(copy);
        return 0;
}
