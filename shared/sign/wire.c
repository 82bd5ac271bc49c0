/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/sign/wire.h"

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
