/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * YAML: one document of the desired state, strictly (YAML 1.2 core schema through libyaml)
 *
 * Accepted: UTF-8 with or without BOM, LF or CRLF, anchors, aliases, merge keys ("<<", a map or a list of maps; keys
 * written out win and come first). Refused, each at its position and with a hint: bytes that are not UTF-8, NUL, tabs
 * as indentation, several documents, repeated keys, keys that are null or no scalars, recursive aliases, tags other
 * than the core schema's, %TAG, line breaks that not every reader sees (a lone CR, U+0085, U+2028, U+2029), and more
 * than LIMIT_YAML_DEPTH, LIMIT_YAML_NODES (aliases counted as what they expand to) or LIMIT_DOCUMENT_BYTES.
 * Plain scalars: null ~ true false (any of the core schema's spellings), decimal, 0o and 0x integers, floats; all else
 * is a string. `yes`, `no`, `on`, `off` are strings. `0440` is decimal: whoever means octal reads the text.
 */

#include "shared/data/node.h"

/*
 * Parse @size bytes. @name is what positions call the text; @name and the bytes are copied to the arena.
 * An empty document is a NODE_NULL. On failure FAULT_CONFIG with position, and code LOAD_INVALID or LOAD_LIMIT.
 */
int yaml_parse(const char *name, const void *bytes, size_t size, struct arena *a, const struct node **ret,
               struct fault *reterr);
