/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Maps of YAML while they are read: merge keys and repeated keys. Private to yaml.c. */

#include "shared/data/node.h"

/* Merged entries are kept apart until the end, because the ones written out win. */
struct yaml_map {
        struct node_entry *entries;
        size_t n;
        struct node_entry *merged;
        size_t n_merged;
        bool has_merge; /* a "<<" was there */
};

/* Take a "<<" entry. @value_at is where its value is written, which for an alias is not where the value stands. */
int yaml_map_merge(struct yaml_map *m, const struct node_entry *entry, const struct source_pos *value_at,
                   struct arena *a, struct fault *reterr);

/* Refuse repeated keys, then append to the entries what was merged and is not hidden by another. */
int yaml_map_finish(struct yaml_map *m, struct arena *a, struct fault *reterr);
