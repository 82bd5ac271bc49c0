/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Requests, as the small servers of tests read them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Whether these @n bytes, with a NUL behind them, are the headers and as much of a body as they announce. */
static inline bool http_request_is_whole(const char *buf, size_t n) {
        const char *end = strstr(buf, "\r\n\r\n"), *length = end ? strcasestr(buf, "\r\ncontent-length:") : NULL;

        if (!end)
                return false;
        return !length || length > end ||
               n - (size_t)(end + 4 - buf) >= strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
}
