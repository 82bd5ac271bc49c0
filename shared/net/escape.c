/* SPDX-License-Identifier: Apache-2.0 */

/* Apart from http.c, so that who escapes a path does not bring libcurl in. */

#include <string.h>

#include "shared/net/http.h"

void http_escape(struct buffer *out, const char *s, bool keep_slash) {
        static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

        for (; *s; s++) {
                if (strchr(unreserved, *s) || (keep_slash && *s == '/'))
                        buffer_putc(out, *s);
                else
                        buffer_printf(out, "%%%02X", (unsigned)(unsigned char)*s);
        }
}
