/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/base/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/text.h"

#define ROOM_FIRST 64u

static size_t buffer_max(const struct buffer *b) {
        return b->max ? b->max : BUFFER_MAX_DEFAULT;
}

/* Memory may hold a secret when it is outgrown; realloc() would leave a copy of it behind. */
static int buffer_move(struct buffer *b, size_t room) {
        char *data = malloc(room);

        if (!data)
                return ENOMEM;
        if (b->size > 0)
                memcpy(data, b->data, b->size);
        data[b->size] = '\0';
        if (b->data)
                explicit_bzero(b->data, b->room);
        free(b->data);
        b->data = data;
        b->room = room;
        return 0;
}

/* Room for @size more bytes and the NUL. False once the buffer has failed. */
static bool buffer_reserve(struct buffer *b, size_t size) {
        size_t max = buffer_max(b), need, room;

        if (b->failed)
                return false;
        if (b->size > max || size > max - b->size) {
                b->failed = EFBIG;
                return false;
        }
        need = b->size + size + 1;
        if (need <= b->room)
                return true;

        room = b->room > ROOM_FIRST / 2 ? b->room : ROOM_FIRST / 2;
        do
                room = room > max / 2 ? max + 1 : room * 2;
        while (room < need);
        b->failed = buffer_move(b, room);
        return b->failed == 0;
}

void buffer_append(struct buffer *b, const void *data, size_t size) {
        if (!buffer_reserve(b, size))
                return;
        if (size > 0)
                memcpy(b->data + b->size, data, size);
        b->size += size;
        b->data[b->size] = '\0';
}

void buffer_puts(struct buffer *b, const char *s) {
        buffer_append(b, s, strlen(s));
}

void buffer_putc(struct buffer *b, char c) {
        buffer_append(b, &c, 1);
}

void buffer_printf(struct buffer *b, const char *fmt, ...) {
        va_list ap, again;
        int n;

        if (b->failed)
                return;

        va_start(ap, fmt);
        va_copy(again, ap);
        n = vsnprintf(NULL, 0, fmt, ap);
        va_end(ap);
        if (n < 0)
                b->failed = EFBIG; /* longer than an int can say */
        else if (buffer_reserve(b, (size_t)n)) {
                (void)vsnprintf(b->data + b->size, (size_t)n + 1, fmt, again);
                b->size += (size_t)n;
        }
        va_end(again);
}

void buffer_put_be32(struct buffer *b, uint32_t v) {
        const unsigned char bytes[4] = {
                (unsigned char)(v >> 24),
                (unsigned char)(v >> 16),
                (unsigned char)(v >> 8),
                (unsigned char)v,
        };

        buffer_append(b, bytes, sizeof(bytes));
}

void buffer_put_string(struct buffer *b, const void *data, size_t size) {
        if (size > UINT32_MAX) {
                if (!b->failed)
                        b->failed = EFBIG;
                return;
        }
        buffer_put_be32(b, (uint32_t)size);
        buffer_append(b, data, size);
}

void buffer_clear(struct buffer *b) {
        b->size = 0;
        b->failed = 0;
        if (b->data)
                b->data[0] = '\0';
}

int buffer_check(const struct buffer *b, const char *what, struct fault *reterr) {
        if (b->failed == 0)
                return 0;
        if (b->failed == EFBIG)
                return fault_set(reterr, FAULT_TRANSIENT, EFBIG, "%s: more than %zu bytes", what, buffer_max(b));
        return fault_context(reterr, fault_set_oom(reterr), "%s", what);
}

void buffer_append_utf8(struct buffer *b, const char *bytes, size_t n) {
        for (size_t at = 0; at < n;) {
                uint32_t c = 0;
                size_t step = utf8_decode(bytes + at, n - at, &c);

                if (step == 0 || c == 0) {
                        buffer_printf(b, "\\x%02x", (unsigned char)bytes[at]);
                        step = 1;
                } else
                        buffer_append(b, bytes + at, step);
                at += step;
        }
}

char *buffer_steal(struct buffer *b, size_t *ret_size) {
        char *data;

        buffer_append(b, "", 0); /* an empty buffer has no memory yet */
        if (b->failed)
                return NULL;
        if (ret_size)
                *ret_size = b->size;
        data = take(b->data);
        b->size = b->room = 0;
        return data;
}

const char *buffer_str(const struct buffer *b) {
        return b->data ? b->data : "";
}

void buffer_done(struct buffer *b) {
        int saved = errno;

        free(b->data);
        *b = (struct buffer){ .max = b->max };
        errno = saved;
}

void buffer_wipe(struct buffer *b) {
        if (b->data)
                explicit_bzero(b->data, b->room);
        buffer_done(b);
}
