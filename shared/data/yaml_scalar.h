/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Scalars of YAML: what a text is under the core schema (YAML 1.2.2, section 10.3). Private to yaml.c. */

#include "shared/data/node.h"

/* A tag that a scalar may carry: those of the core schema, and "!". */
bool yaml_scalar_tag_is_known(const char *tag);

/*
 * Set type, quoted, boolean and integer of @n from its text. @tag is a known one or NULL; @plain says that the text
 * was not quoted. -EINVAL when the text is not what the tag says.
 */
int yaml_scalar_resolve(struct node *n, const char *tag, bool plain);
