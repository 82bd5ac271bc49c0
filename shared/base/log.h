/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log: lines for the operator of the process
 *
 * Library code does not log; the pass, the verbs and the supervisor do. To a
 * terminal or pipe: one line to stderr. Under systemd (JOURNAL_STREAM names
 * our stderr) the sink that main() installs sends the same message with its
 * fields to the journal. With `--log json` each line is one JSON object.
 */

#include <stdarg.h>
#include <stddef.h>

enum log_level {
        LOG_LEVEL_ERROR = 3,
        LOG_LEVEL_WARNING = 4,
        LOG_LEVEL_NOTICE = 5,
        LOG_LEVEL_INFO = 6,
        LOG_LEVEL_DEBUG = 7
};
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* A structured field: NAME is upper case, "TALLY_APP". A NULL value drops the field. */
struct log_field {
        const char *name;
        const char *value;
};

typedef void (*log_sink)(enum log_level level, const char *message, const struct log_field *fields, size_t n_fields);

/* What the process is, set once by main(). */
void log_setup(enum log_level max_level, enum log_format format, log_sink sink /* NULL: stderr */);
enum log_level log_max_level(void);

void log_write(enum log_level level, const struct log_field *fields, size_t n_fields, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

#define LOG_FIELDS(...) \
        ((const struct log_field[]){ __VA_ARGS__ }), \
                (sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))
#define log_error(...)   log_write(LOG_LEVEL_ERROR, NULL, 0, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, NULL, 0, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_LEVEL_NOTICE, NULL, 0, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, NULL, 0, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, NULL, 0, __VA_ARGS__)
