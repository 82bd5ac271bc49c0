/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Dotenv: the lines of an env file (Compose Specification, "env_file format")
 *
 *      # comment
 *      KEY=value               # a comment after a blank
 *      export KEY="a\nb $X"    escapes and variables, may span lines
 *      KEY='as it $tands'      literally, may span lines
 *      KEY                     no value of its own
 *
 * Values may use variables: those of the desired state first, then what stands above in the file.
 */

#include "shared/data/table.h"
#include "shared/compose/interpolate.h"

struct dotenv_input {
        const char *name; /* as positions call the file: "apps/shop/web.env" */
        const void *bytes;
        size_t size;
        /* `format: raw`: no quotes, no variables, no comments behind values */
        bool raw;
        const struct variables *variables;
};

/*
 * The pairs in the order written, repeated keys included; value.text is NULL for a KEY alone. All in @a, a copy of the
 * text for positions too. FAULT_CONFIG with position; code LOAD_INVALID, LOAD_REFERENCE or LOAD_LIMIT.
 */
int dotenv_parse(const struct dotenv_input *in, struct arena *a, struct string_map *ret, struct fault *reterr);
