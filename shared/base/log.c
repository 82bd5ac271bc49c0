/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/base/log.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/buffer.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

/* What the process is: set once, before anything is logged. */
static struct {
        enum log_level max_level;
        enum log_format format;
        log_sink sink;
} setup = { .max_level = LOG_LEVEL_INFO };

struct level_name {
        const char *name;
        const char *prefix; /* of a text line: what needs no attention has none */
};

static const struct level_name level_names[] = {
        [LOG_LEVEL_ERROR] = { "error", "error: " }, [LOG_LEVEL_WARNING] = { "warning", "warning: " },
        [LOG_LEVEL_NOTICE] = { "notice", "" },      [LOG_LEVEL_INFO] = { "info", "" },
        [LOG_LEVEL_DEBUG] = { "debug", "debug: " },
};

void log_setup(enum log_level max_level, enum log_format format, log_sink sink) {
        setup.max_level = max_level;
        setup.format = format;
        setup.sink = sink;
}

enum log_level log_max_level(void) {
        return setup.max_level;
}

/* A JSON string (RFC 8259, section 7); a byte that is not UTF-8 becomes U+FFFD. */
static void put_json(struct buffer *b, const char *s) {
        size_t n = strlen(s);

        buffer_putc(b, '"');
        while (n > 0) {
                uint32_t c = 0;
                size_t step = utf8_decode(s, n, &c);

                if (step == 0) {
                        buffer_puts(b, "\xef\xbf\xbd");
                        step = 1;
                } else if (c == '"' || c == '\\') {
                        buffer_putc(b, '\\');
                        buffer_putc(b, (char)c);
                } else if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
                        buffer_printf(b, "\\u%04x", (unsigned)c);
                else
                        buffer_append(b, s, step);
                s += step;
                n -= step;
        }
        buffer_putc(b, '"');
}

static void put_json_line(struct buffer *b, enum log_level level, const char *message, const struct log_field *fields,
                          size_t n_fields) {
        char time[RFC3339_TEXT_MAX];

        buffer_printf(b, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", rfc3339_format(clock_wall_ms(), time),
                      level_names[level].name);
        put_json(b, message);
        for (size_t i = 0; i < n_fields; i++) {
                if (!fields[i].value)
                        continue;
                buffer_putc(b, ',');
                put_json(b, fields[i].name);
                buffer_putc(b, ':');
                put_json(b, fields[i].value);
        }
        buffer_puts(b, "}\n");
}

/* One write() for each line, so that lines of several processes do not mix. */
static void log_to_stderr(enum log_level level, const char *message, const struct log_field *fields, size_t n_fields) {
        own_buffer struct buffer line = BUFFER_INIT;

        if (setup.format == LOG_FORMAT_JSON)
                put_json_line(&line, level, message, fields, n_fields);
        else
                buffer_printf(&line, "%s%s\n", level_names[level].prefix, message);
        if (!line.failed)
                (void)write_all(STDERR_FILENO, line.data, line.size);
}

/* Cut to the limit, between two characters. */
static void cut(char *message) {
        size_t n = LIMIT_LOG_MESSAGE;

        if (strlen(message) <= n)
                return;
        while (n > 0 && ((unsigned char)message[n] & 0xc0) == 0x80)
                n--;
        message[n] = '\0';
}

void log_write(enum log_level level, const struct log_field *fields, size_t n_fields, const char *fmt, ...) {
        own_free char *message = NULL;
        int saved = errno;
        va_list ap;

        if (level > setup.max_level)
                return;

        va_start(ap, fmt);
        if (vasprintf(&message, fmt, ap) < 0)
                message = NULL;
        va_end(ap);
        if (message) {
                cut(message);
                text_make_harmless(message, "");
                (setup.sink ? setup.sink : log_to_stderr)(level, message, fields, n_fields);
        }
        errno = saved;
}
