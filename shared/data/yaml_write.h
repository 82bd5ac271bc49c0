/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * YAML, written: a document for people to review, the same bytes for the same value
 *
 * Block style, two spaces, members in the order of the object (table_write() gives that of the table). Members that are
 * null, {} or [] are left out: to our tables that is the same. Strings are written plain where every reader sees a
 * string, also one of YAML 1.1, else in double quotes. yaml_parse() reads the same value back.
 */

#include <jansson.h>

#include "shared/base/buffer.h"

/* @value is an object; objects, arrays, strings, integers and booleans in it. FAULT_INTERNAL for anything else. */
int yaml_write(const json_t *value, struct buffer *out, struct fault *reterr);
