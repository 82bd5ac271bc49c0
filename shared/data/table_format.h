/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Formats: what a string of a table may look like. Private to the tables. */

#include <stdbool.h>

struct format {
        const char *name; /* as fields name it */
        bool (*is_valid)(const char *text);
        const char *what; /* "a name": what the string must be */
        const char *hint;
        const char *pattern; /* the JSON Schema's, ECMA-262; it may take a little more than is_valid() does */
};

/* NULL for NULL; asserts that the table names a format that there is. */
const struct format *format_find(const char *name);
