/* SPDX-License-Identifier: Apache-2.0 */

/*
 * libsodium's base64 works in constant time, which keys want; it fills a buffer of known size, so all goes through it
 * in pieces.
 */

#include "shared/data/base64.h"

#include <errno.h>
#include <sodium.h>

static int variant_of(bool url) {
        return url ? sodium_base64_VARIANT_URLSAFE : sodium_base64_VARIANT_ORIGINAL;
}

/* @columns 0: no lines */
static void encode(const void *data, size_t size, bool url, size_t columns, struct buffer *out) {
        const unsigned char *p = data;
        /* Whole groups of three at a time: the pieces join without padding between them. */
        char text[sodium_base64_ENCODED_LEN(48, sodium_base64_VARIANT_ORIGINAL)];
        size_t column = 0;

        for (size_t at = 0; at < size; at += 48) {
                size_t n = size - at < 48 ? size - at : 48;

                sodium_bin2base64(text, sizeof(text), p + at, n, variant_of(url));
                for (const char *c = text; *c; c++) {
                        if (columns && column == columns) {
                                buffer_putc(out, '\n');
                                column = 0;
                        }
                        buffer_putc(out, *c);
                        column++;
                }
        }
        sodium_memzero(text, sizeof(text));
}

void base64_encode(const void *data, size_t size, bool url, struct buffer *out) {
        encode(data, size, url, 0, out);
}

void base64_encode_lines(const void *data, size_t size, size_t columns, struct buffer *out) {
        encode(data, size, false, columns, out);
}

int base64_decode(const char *text, size_t size, bool url, struct buffer *out) {
        unsigned char piece[48];
        int r = 0;

        if (size % 4 != 0)
                return -EINVAL;
        /* libsodium refuses stray characters, wrong padding and left-over bits; padding may only end the last piece. */
        for (size_t at = 0; r == 0 && at < size; at += 64) {
                size_t n = size - at < 64 ? size - at : 64, used = 0;

                if (sodium_base642bin(piece, sizeof(piece), text + at, n, NULL, &used, NULL, variant_of(url)) < 0 ||
                    (at + n < size && used != sizeof(piece)))
                        r = -EINVAL;
                else
                        buffer_append(out, piece, used);
        }
        sodium_memzero(piece, sizeof(piece));
        return r;
}
