/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Nodes: a document as values with positions
 *
 * YAML and JSON texts both become a tree of nodes; tables (table.h) read
 * structures from it. Nodes live in the arena of the run and are never changed.
 * An alias shares its anchor's node, so the tree may be a DAG; it has no cycle.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "shared/base/arena.h"
#include "shared/base/fault.h"

enum node_type {
        NODE_NULL,
        NODE_BOOL,
        NODE_INTEGER,
        NODE_REAL, /* kept as text only: nothing of ours computes with floats */
        NODE_STRING,
        NODE_LIST,
        NODE_MAP,
        NODE_TYPE_MAX_,
};

struct node_entry;

struct node {
        enum node_type type;
        struct source_pos at;
        /* scalars: as written (after YAML unquoting), NUL-terminated, valid UTF-8, no inner NUL; "" for null */
        const char *text;
        bool quoted;                      /* a quoted or block scalar, or tagged !!str: always NODE_STRING */
        bool boolean;                     /* NODE_BOOL */
        int64_t integer;                  /* NODE_INTEGER; values beyond int64 are NODE_REAL */
        const struct node *const *items;  /* NODE_LIST */
        const struct node_entry *entries; /* NODE_MAP, in the order written; keys are unique */
        size_t n;                         /* of items or entries */
};

struct node_entry {
        const char *key;
        struct source_pos at; /* of the key */
        const struct node *value;
};

/* "a string", "a list", "nothing", … with article, for messages. */
const char *node_type_to_string(enum node_type type);

/* The value of @key, or NULL when @map has none (or is no map, or NULL). */
const struct node *node_get(const struct node *map, const char *key);

static inline bool node_is_scalar(const struct node *n) {
        return n->type < NODE_LIST;
}

/*
 * Changed copies, in @a; what did not change is shared. node_with() puts @value in the place of @key's, or behind the
 * others; node_without() leaves @key out. @map is a map.
 */
const struct node *node_with(const struct node *map, const char *key, const struct node *value, struct arena *a);
const struct node *node_without(const struct node *map, const char *key, struct arena *a);
/* A list or map of these, at @at; a string at @at. The arrays and @text are borrowed. */
const struct node *node_list(const struct source_pos *at, const struct node *const *items, size_t n, struct arena *a);
const struct node *node_map(const struct source_pos *at, const struct node_entry *entries, size_t n, struct arena *a);
const struct node *node_string(const struct source_pos *at, const char *text, struct arena *a);

/* A tree from parsed JSON. Positions carry @source (may be NULL) without line. Fails beyond LIMIT_JSON_DEPTH. */
int node_from_json(const json_t *json, const struct source *source, struct arena *a, const struct node **ret,
                   struct fault *reterr);

/*
 * JSON from a tree: integers, booleans and null stay themselves, reals become strings. Never NULL but without memory.
 */
json_t *node_to_json(const struct node *n);
