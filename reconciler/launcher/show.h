/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Showing status.json to people, and telling the supervisor when to come back. Used by the quiet pass, too. */

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* One line for the host, one for each app, and below it what is wrong or waited for. */
void show_status(FILE *out, const json_t *status);
/* "converged: 2 apps" */
void show_summary(char *buf, size_t size, const json_t *status);

/*
 * The lines that tallyd reads from --next-fd: next_ms, poll_ms, limit_ms, status. @text is the fd's number; NULL:
 * nothing to do.
 */
void show_next(const char *text, int64_t next_ms, int64_t poll_ms, int64_t limit_ms, const json_t *status);
