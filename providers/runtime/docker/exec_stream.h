/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Exec stream: what a command in a container prints, or the container itself, as the engine sends it
 *
 * Without a terminal both streams come in one, in frames: a byte for the stream (0 to 2), three zeros, the size in 32
 * bits, big-endian, and so many bytes (Docker Engine API, ContainerAttach, "Stream format"). What does not begin as a
 * frame is text as it stands: that is how the engine tells that a command cannot be started. Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/arena.h"
#include "shared/base/limits.h"

#define EXEC_FRAME_HEADER 8

struct exec_stream {
        /* the first bytes of both streams, in the order they came; with last, the last ones */
        char text[LIMIT_EXEC_OUTPUT_BYTES];
        size_t size;
        bool last; /* set before the first byte */
        bool cut;  /* last: the text begins somewhere in a line */
        unsigned char header[EXEC_FRAME_HEADER];
        size_t n_header; /* bytes of it that are there */
        uint32_t left;   /* of the frame that is being read */
        bool raw;        /* no frames: text to the end */
};

#define EXEC_STREAM_INIT \
        { .size = 0 }

/*
 * For engine_request.sink: @userdata is a struct exec_stream. Always 0: what is beyond the limit is read and dropped.
 */
int exec_stream_feed(const void *bytes, size_t size, void *userdata);
/*
 * What was kept, of the last only whole lines if there is one: valid UTF-8 without control characters but line ends and
 * tabs. In @a.
 */
const char *exec_stream_text(const struct exec_stream *s, struct arena *a);
