/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/docker/exec_stream.h"

#include <string.h>

#include "shared/base/text.h"

/* Room for as many of the newest bytes as there can be. */
static size_t let_go(struct exec_stream *s, size_t size) {
        size_t room = sizeof(s->text) - s->size;
        size_t surplus = size > room ? size - room : 0;

        if (surplus > s->size)
                surplus = s->size;
        s->cut = s->cut || size > room;
        memmove(s->text, s->text + surplus, s->size - surplus);
        s->size -= surplus;
        return size > sizeof(s->text) ? size - sizeof(s->text) : 0;
}

static void keep(struct exec_stream *s, const unsigned char *bytes, size_t size) {
        size_t skip = s->last ? let_go(s, size) : 0, room = sizeof(s->text) - s->size;

        bytes += skip;
        size -= skip;
        if (size > room)
                size = room;
        memcpy(s->text + s->size, bytes, size);
        s->size += size;
}

static bool header_is_frame(const struct exec_stream *s) {
        static const unsigned char highest[4] = { 2, 0, 0, 0 };

        for (size_t i = 0; i < s->n_header && i < sizeof(highest); i++)
                if (s->header[i] > highest[i])
                        return false;
        return true;
}

static uint32_t frame_size(const unsigned char *header) {
        return (uint32_t)header[4] << 24 | (uint32_t)header[5] << 16 | (uint32_t)header[6] << 8 | header[7];
}

static void take_header_byte(struct exec_stream *s, unsigned char byte) {
        s->header[s->n_header++] = byte;
        if (!header_is_frame(s)) {
                s->raw = true;
                keep(s, s->header, s->n_header);
                s->n_header = 0;
        } else if (s->n_header == EXEC_FRAME_HEADER) {
                s->left = frame_size(s->header);
                s->n_header = 0;
        }
}

int exec_stream_feed(const void *bytes, size_t size, void *userdata) {
        const unsigned char *p = bytes;
        struct exec_stream *s = userdata;

        while (size > 0) {
                size_t n = 1;

                if (s->raw) {
                        n = size;
                        keep(s, p, n);
                } else if (s->left > 0) {
                        n = size < s->left ? size : s->left;
                        keep(s, p, n);
                        s->left -= (uint32_t)n;
                } else {
                        take_header_byte(s, *p);
                }
                p += n;
                size -= n;
        }
        return 0;
}

const char *exec_stream_text(const struct exec_stream *s, struct arena *a) {
        const char *line = s->cut ? memchr(s->text, '\n', s->size) : NULL, *from = line ? line + 1 : s->text;
        size_t size = s->size - (size_t)(from - s->text);
        char *text = arena_strndup(a, from, size);

        for (char *p = memchr(text, '\0', size); p; p = memchr(text, '\0', size))
                *p = '?';
        text_make_harmless(text, "\n\t");
        return text;
}
