/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/sign/wire.h"

#include <errno.h>
#include <sodium.h>

bool wire_take(struct wire *w, void *ret, size_t size) {
        if (w->size < size)
                return false;
        memcpy(ret, w->data, size);
        w->data += size;
        w->size -= size;
        return true;
}

bool wire_take_be32(struct wire *w, uint32_t *ret) {
        unsigned char b[4];

        if (!wire_take(w, b, sizeof(b)))
                return false;
        *ret = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        return true;
}

bool wire_take_string(struct wire *w, struct wire *ret) {
        struct wire rest = *w;
        uint32_t n;

        if (!wire_take_be32(&rest, &n) || rest.size < n)
                return false;
        *ret = (struct wire){ rest.data, n };
        *w = (struct wire){ rest.data + n, rest.size - n };
        return true;
}

bool wire_take_literal(struct wire *w, const char *literal) {
        size_t n = strlen(literal);

        if (w->size < n || memcmp(w->data, literal, n) != 0)
                return false;
        w->data += n;
        w->size -= n;
        return true;
}

bool wire_take_fixed(struct wire *w, void *ret, size_t size) {
        struct wire rest = *w, value;

        if (!wire_take_string(&rest, &value) || value.size != size)
                return false;
        memcpy(ret, value.data, size);
        *w = rest;
        return true;
}

bool wire_copy_text(const struct wire *w, char *buf, size_t room) {
        if (w->size >= room)
                return false;
        for (size_t i = 0; i < w->size; i++)
                if (w->data[i] < 0x20 || w->data[i] == 0x7f)
                        return false;
        memcpy(buf, w->data, w->size);
        buf[w->size] = '\0';
        return true;
}

/*
 * Base64 (RFC 4648). libsodium's works in constant time, which keys want; it fills a buffer of known size.
 */

void base64_encode(const void *data, size_t size, size_t columns, struct buffer *out) {
        const unsigned char *p = data;
        /* Whole groups of three at a time: the pieces join without padding between them. */
        char text[sodium_base64_ENCODED_LEN(48, sodium_base64_VARIANT_ORIGINAL)];
        size_t column = 0;

        for (size_t at = 0; at < size; at += 48) {
                size_t n = size - at < 48 ? size - at : 48;

                sodium_bin2base64(text, sizeof(text), p + at, n, sodium_base64_VARIANT_ORIGINAL);
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

int base64_decode(const char *text, size_t size, bool url, struct buffer *out) {
        int variant = url ? sodium_base64_VARIANT_URLSAFE : sodium_base64_VARIANT_ORIGINAL;
        unsigned char piece[48];
        int r = 0;

        if (size % 4 != 0)
                return -EINVAL;
        /* libsodium refuses stray characters, wrong padding and left-over bits; padding may only end the last piece. */
        for (size_t at = 0; r == 0 && at < size; at += 64) {
                size_t n = size - at < 64 ? size - at : 64, used = 0;

                if (sodium_base642bin(piece, sizeof(piece), text + at, n, NULL, &used, NULL, variant) < 0 ||
                    (at + n < size && used != sizeof(piece)))
                        r = -EINVAL;
                else
                        buffer_append(out, piece, used);
        }
        sodium_memzero(piece, sizeof(piece));
        return r;
}
