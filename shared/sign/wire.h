/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Wire: SSH's data types (RFC 4251, section 5), read strictly
 *
 * A reader is a range of bytes that shrinks. Each take returns false, and changes nothing, when the bytes are not
 * there.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "shared/base/buffer.h"

struct wire {
        const unsigned char *data;
        size_t size;
};

bool wire_take(struct wire *w, void *ret, size_t size);
bool wire_take_be32(struct wire *w, uint32_t *ret);
/* A `string`; what it holds stays where it is. */
bool wire_take_string(struct wire *w, struct wire *ret);
/* Exactly these bytes. */
bool wire_take_literal(struct wire *w, const char *literal);
/* A `string` of exactly @size bytes. */
bool wire_take_fixed(struct wire *w, void *ret, size_t size);

static inline bool wire_equals(const struct wire *w, const char *s) {
        return w->size == strlen(s) && memcmp(w->data, s, w->size) == 0;
}
/* Copy to a NUL-terminated text: false when it is too long or holds a NUL or another control character. */
bool wire_copy_text(const struct wire *w, char *buf, size_t room);
