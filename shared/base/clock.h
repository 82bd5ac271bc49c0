/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Clock: the only place that asks the time. The pure core gets time as a value. */

#include <stdbool.h>
#include <stdint.h>

int64_t clock_wall_ms(void);      /* milliseconds since 1970-01-01T00:00:00Z */
int64_t clock_monotonic_ns(void); /* CLOCK_BOOTTIME: goes on while suspended */
bool clock_is_synchronized(void); /* adjtimex() says so */
/* @buf of 37 bytes: /proc/sys/kernel/random/boot_id, or "" when it cannot be read. Returns @buf. */
const char *clock_boot_id(char *buf);
void clock_sleep_ms(int64_t ms);

/* "2026-11-23T10:00:00Z", or with milliseconds when they are not zero. @buf of RFC3339_TEXT_MAX bytes; returns @buf. */
#define RFC3339_TEXT_MAX 40
const char *rfc3339_format(int64_t wall_ms, char *buf);
/* What rfc3339_format() writes; also fractions of any length and numeric offsets (RFC 3339, 5.6). 0 or -EINVAL. */
int rfc3339_parse(const char *s, int64_t *ret_wall_ms);
