/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Interpolate: variables in a compose file (Compose Specification, "Interpolation")
 *
 *      $VAR ${VAR}            the value, or an error when it is not set
 *      ${VAR:-d} ${VAR-d}     d when unset or empty; d when unset
 *      ${VAR:?m} ${VAR?m}     an error with message m when unset or empty; when unset
 *      ${VAR:+r} ${VAR+r}     r when set and not empty; r when set; else nothing
 *      $$                     a dollar sign
 *
 * d and r may hold variables again, to LIMIT_INTERPOLATION_DEPTH. Variables come from the desired state only, never
 * from a process's environment: what runs is what was signed. For the same reason a variable that is set nowhere is an
 * error here, where docker compose warns and takes an empty text.
 */

#include "shared/data/table.h"

struct variable {
        const char *name;
        const char *value;
};

/* Sorted by name, each name once. */
struct variables {
        const struct variable *items;
        size_t n;
};

/* [A-Za-z_][A-Za-z0-9_]* */
bool variable_name_is_valid(const char *name);
/* The value, or NULL. Logarithmic. */
const char *variables_get(const struct variables *v, const char *name);
/* Sort @n variables, of equal names the last one wins; in @a. */
struct variables variables_make(const struct variable *items, size_t n, struct arena *a);
/* The same of a map as tables read it; keys without a value are left out. */
struct variables variables_of_map(const struct string_map *map, struct arena *a);
/* Both; where both have a name, @over wins. In @a. */
struct variables variables_merge(const struct variables *under, const struct variables *over, struct arena *a);

/* Where values come from: NULL for a variable that is not set. variables_lookup() is one over struct variables. */
typedef const char *(*variable_lookup)(const void *data, const char *name);
const char *variables_lookup(const void *variables, const char *name);

/*
 * One text; the result is in @a (or @text itself when there is nothing in it to replace). Faults point at the
 * expression when it can be found in the source from @at on; code LOAD_INVALID, LOAD_REFERENCE for a variable that is
 * not set, LOAD_LIMIT. They name variables, never values.
 */
int interpolate_text(const char *text, const struct source_pos *at, variable_lookup lookup, const void *data,
                     struct arena *a, const char **ret, struct fault *reterr);

/*
 * Every scalar value of a tree, keys are left alone. What changed becomes an integer or boolean when it reads as one,
 * as if it had been written plain. Unchanged parts are shared with @root.
 */
int interpolate_node(const struct node *root, const struct variables *v, struct arena *a, const struct node **ret,
                     struct fault *reterr);
