/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Journal: the sink of log.h under systemd
 *
 * A line goes to the journal with its fields as they are; MESSAGE_ID (one of
 * reconciler/journal/message.h) is a field like the others. SYSLOG_IDENTIFIER is the
 * program's name.
 */

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/log.h"

/* The most fields of one line; what is beyond is left out. */
#define JOURNAL_FIELDS_MAX 32

/*
 * Whether @stream, the value of $JOURNAL_STREAM (systemd.exec(5): "device:inode"; may be NULL), is the file behind @fd.
 */
bool journal_stream_is(const char *stream, int fd);

/* For log_setup(). When the journal does not take the line, it goes to stderr, without fields. */
void journal_sink(enum log_level level, const char *message, const struct log_field *fields, size_t n_fields);
