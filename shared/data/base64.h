/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Base64 (RFC 4648, sections 4 and 5), padded, in its one canonical form */

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/buffer.h"

/* Append @size bytes at @data to @out; @url: in the URL-safe alphabet. */
void base64_encode(const void *data, size_t size, bool url, struct buffer *out);
/* In the standard alphabet, with a line break every @columns (1…) characters, but none at the end. */
void base64_encode_lines(const void *data, size_t size, size_t columns, struct buffer *out);
/*
 * Append what @size characters at @text say; nothing but base64 may stand there. 0 or -EINVAL; memory that is missing
 * sticks in @out.
 */
int base64_decode(const char *text, size_t size, bool url, struct buffer *out);
