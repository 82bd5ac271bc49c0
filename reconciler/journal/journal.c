/* SPDX-License-Identifier: Apache-2.0 */

/* Where in this file a line is handed on says nothing about where it comes from. */
#define SD_JOURNAL_SUPPRESS_LOCATION

#include "reconciler/journal/journal.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "shared/base/buffer.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

bool journal_stream_is(const char *stream, int fd) {
        char device[24];
        uint64_t dev, ino;
        const char *colon;
        struct stat st;

        colon = stream ? strchr(stream, ':') : NULL;
        if (!colon || (size_t)(colon - stream) >= sizeof(device))
                return false;
        memcpy(device, stream, (size_t)(colon - stream));
        device[colon - stream] = '\0';
        if (parse_u64(device, &dev) < 0 || parse_u64(colon + 1, &ino) < 0)
                return false;
        return fstat(fd, &st) == 0 && (uint64_t)st.st_dev == dev && (uint64_t)st.st_ino == ino;
}

/* All entries behind each other, NUL-terminated; where each begins is known when the buffer has stopped moving. */
static void put_entry(struct buffer *b, size_t *starts, size_t *n, const char *name, const char *value) {
        starts[(*n)++] = b->size;
        buffer_printf(b, "%s=%s", name, value);
        buffer_putc(b, '\0');
}

void journal_sink(enum log_level level, const char *message, const struct log_field *fields, size_t n_fields) {
        own_buffer struct buffer text = BUFFER_INIT;
        struct iovec entries[2 + JOURNAL_FIELDS_MAX];
        size_t starts[2 + JOURNAL_FIELDS_MAX], n = 0;
        const char priority[] = { (char)('0' + level), '\0' };

        put_entry(&text, starts, &n, "PRIORITY", priority);
        put_entry(&text, starts, &n, "MESSAGE", message);
        for (size_t i = 0; i < n_fields && n < sizeof(starts) / sizeof(*starts); i++)
                if (fields[i].value)
                        put_entry(&text, starts, &n, fields[i].name, fields[i].value);

        if (!text.failed) {
                for (size_t i = 0; i < n; i++) {
                        size_t end = i + 1 < n ? starts[i + 1] : text.size;

                        entries[i] = (struct iovec){ text.data + starts[i], end - starts[i] - 1 };
                }
                if (sd_journal_sendv(entries, (int)n) >= 0)
                        return;
        }
        (void)write_all(STDERR_FILENO, message, strlen(message));
        (void)write_all(STDERR_FILENO, "\n", 1);
}
