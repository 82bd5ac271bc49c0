/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Texts of YAML: what is checked before libyaml reads them, and what its complaints mean. Private to yaml.c. */

#include <yaml.h>

#include "shared/data/node.h"

/*
 * Copy a text to the arena, without its BOM. Refuses what is too big, not UTF-8, or has NUL, %TAG, or line breaks that
 * only some readers see as such: a reviewer must see the same lines as we do.
 */
int yaml_text_take(const char *name, const void *bytes, size_t size, struct arena *a, const struct source **ret,
                   struct fault *reterr);

/* The fault for what stopped @parser, in our words. Always negative. */
int yaml_text_refuse(const yaml_parser_t *parser, const struct source *source, struct fault *reterr);
