/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON: reading with limits, and the one canonical way to write it
 *
 * Canonical is RFC 8785 (JCS) without floating-point numbers: no white space, keys sorted by UTF-16 code units,
 * the shortest escapes, integers in decimal. Everything that is hashed or signed is written this way, so the same
 * value is the same bytes everywhere.
 */

#include <jansson.h>

#include "shared/base/buffer.h"
#include "shared/base/cleanup.h"
#include "shared/base/fault.h"

DEFINE_OWN(json_t, json_decref)
#define own_json own(json_decref_p)

/*
 * Parse a whole text of any value: what is not UTF-8, repeated keys, trailing text, NUL, depth beyond LIMIT_JSON_DEPTH
 * and size beyond LIMIT_JSON_BYTES are FAULT_CONFIG at their line and column. @name is for the message, which never
 * quotes the text: it may hold credentials.
 */
int json_parse(const char *name, const void *bytes, size_t size, json_t **ret, struct fault *reterr);

/* Append the canonical form. A real number, or depth beyond LIMIT_JSON_DEPTH, is FAULT_INTERNAL. */
int json_canonical(const json_t *value, struct buffer *out, struct fault *reterr);

/* For people and for git diffs: sorted keys, two spaces, a final newline. */
int json_pretty(const json_t *value, struct buffer *out, struct fault *reterr);

/* Convenience on objects; NULL or the default when the key is missing or of another type. Borrowed. */
const char *json_get_string(const json_t *object, const char *key);
int64_t json_get_integer(const json_t *object, const char *key, int64_t otherwise);
bool json_get_bool(const json_t *object, const char *key, bool otherwise);
/*
 * JSON text of bytes that may come from outside: the one way to make it. Valid UTF-8 stays as it is; in any other text
 * each byte that belongs to no character becomes \xNN. NULL gives JSON null. A new reference, never NULL.
 */
json_t *json_text(const char *bytes);
/* Set json_text(@value), or nothing when @value is NULL. */
void json_set_string(json_t *object, const char *key, const char *value);
