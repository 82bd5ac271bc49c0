/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Buffer: the one string and byte builder
 *
 * Append freely, check once: the first failure (no memory, or beyond @max)
 * sticks, later appends do nothing, and buffer_check() reports it. The content
 * is always followed by a NUL that is not counted.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "shared/base/fault.h"

struct buffer {
        char *data; /* owned; NULL while empty */
        size_t size;
        size_t room;
        size_t max; /* 0: BUFFER_MAX_DEFAULT */
        int failed; /* 0, or the errno that stuck: ENOMEM or EFBIG */
};

#define BUFFER_INIT        ((struct buffer){ .data = NULL })
#define BUFFER_MAX_DEFAULT (256u * 1024 * 1024)
#define own_buffer         __attribute__((cleanup(buffer_done)))

void buffer_append(struct buffer *b, const void *data, size_t size);
void buffer_puts(struct buffer *b, const char *s);
/*
 * Append @n bytes from outside as valid UTF-8 without NUL: characters stay, each other byte becomes \xNN (two lower-case
 * hex digits).
 */
void buffer_append_utf8(struct buffer *b, const char *bytes, size_t n);
void buffer_putc(struct buffer *b, char c);
void buffer_printf(struct buffer *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Big-endian, and the SSH `string` (uint32 length, bytes): RFC 4251, section 5. */
void buffer_put_be32(struct buffer *b, uint32_t v);
void buffer_put_string(struct buffer *b, const void *data, size_t size);

/* Forget the content, keep the memory, clear the failure. */
void buffer_clear(struct buffer *b);
/* 0, or a fault saying what could not be held (@what: "container list"). */
int buffer_check(const struct buffer *b, const char *what, struct fault *reterr);
/* Hand the bytes over (free() them); the buffer is empty afterwards. Never NULL unless it failed. */
char *buffer_steal(struct buffer *b, size_t *ret_size);
/* The content as a C string, "" while empty. Borrowed. */
const char *buffer_str(const struct buffer *b);
void buffer_done(struct buffer *b);
/* sodium_memzero/explicit_bzero before releasing: for secrets. */
void buffer_wipe(struct buffer *b);
#define own_secret __attribute__((cleanup(buffer_wipe)))
