/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tables: a structure described once
 *
 * One table per document kind drives reading (YAML or JSON, through nodes), writing JSON, and the JSON Schema that
 * `tally schema` prints. A field is written down once. Unknown and repeated keys are errors at their position with a
 * "did you mean".
 *
 *      struct owner { const char *name; int64_t grace_ms; bool prune; enum mode mode; struct list ports; struct
 *      source_pos at; };
 *
 *      static const struct field owner_fields[] = {
 *              { .key = "name", .type = FIELD_STRING, .at = offsetof(struct owner, name), .flags = FIELD_REQUIRED,
 *              .format = "name", .doc = "…" }, { .key = "grace", .type = FIELD_DURATION, .at = offsetof(struct owner,
 *              grace_ms), .absent = 10000, .doc = "…" }, { .key = "mode", .type = FIELD_ENUM, .at = offsetof(struct
 *              owner, mode), .names = mode_names, .doc = "…" }, { .key = NULL }
 *      };
 *      static const struct table owner_table = { .title = "Owner", .size = sizeof(struct owner), .fields =
 *      owner_fields,
 *              .position = offsetof(struct owner, at) + 1 };
 */

#include "shared/data/node.h"

/* A string together with where it stands. */
struct text_at {
        const char *text; /* NULL when absent */
        struct source_pos at;
};

/* The list types that tables fill. Elements live in the arena. */
struct string_list {
        struct text_at *items;
        size_t n;
};
/* Whether @text (NULL: never) is one of them. */
bool string_list_has(const struct string_list *list, const char *text);
struct string_pair {
        struct text_at key, value;
};
struct string_map {
        struct string_pair *items;
        size_t n;
}; /* in document order */
struct struct_list {
        void *items;
        size_t n;
}; /* n elements of sub->size, in document order */

enum field_type {
        FIELD_STRING,      /* const char *        any scalar but null when FIELD_SCALAR is set, else a string */
        FIELD_TEXT,        /* struct text_at      the same with its position */
        FIELD_BOOL,        /* bool */
        FIELD_INTEGER,     /* int64_t             within minimum..maximum when these are not both 0 */
        FIELD_DURATION,    /* int64_t             milliseconds, from "30s"; in JSON the same text */
        FIELD_ENUM,        /* int (any enum)      index into names */
        FIELD_STRING_LIST, /* struct string_list */
        FIELD_STRING_MAP,  /* struct string_map   values are scalars */
        FIELD_STRUCT,      /* struct of sub, embedded */
        FIELD_STRUCT_PTR,  /* pointer to a struct of sub; NULL when absent */
        FIELD_STRUCT_LIST, /* struct struct_list of sub */
        FIELD_STRUCT_MAP,  /* struct struct_list of sub; sub->map_key receives the key */
        FIELD_JSON,        /* json_t *            any JSON value; the arena releases it */
        FIELD_CUSTOM,      /* anything            through read/write/schema */
        FIELD_TYPE_MAX_,
};

enum field_flags {
        FIELD_REQUIRED = 1 << 0,
        FIELD_SCALAR = 1 << 1, /* strings: take integers, booleans and reals as written, too */
        /* JSON: leave out when false, 0, empty or NULL; without it null, [] or {} is written */
        FIELD_OMIT = 1 << 2,
        FIELD_HIDDEN = 1 << 3, /* read and written, but not shown in the schema */
        /* an explicit null reads as absent; without it a null is an error, as for any wrong type */
        FIELD_NULLABLE = 1 << 4,
};

struct table;

struct field {
        const char *key;
        enum field_type type;
        size_t at; /* offset in the structure */
        unsigned flags;
        int64_t absent;           /* BOOL, INTEGER, DURATION, ENUM: the value when the key is missing */
        int64_t minimum, maximum; /* INTEGER, DURATION: inclusive, when not both 0 */
        /*
         * STRING, TEXT: "name", "digest", "path", "image", "non-empty": checked and put in the schema; NULL: any. Of
         * lists and maps of strings: each value
         */
        const char *format;
        const char *const *names; /* ENUM: NULL-terminated, index = value; a NULL name inside is skipped by "" */
        /* ENUM: words from this value on are taken, but neither offered in messages nor shown in the schema; 0: none */
        int hidden_from;
        const struct table *sub; /* STRUCT*, STRUCT_LIST, STRUCT_MAP */
        const char *doc;         /* one sentence: the schema's description, and the manual page's */

        /* CUSTOM only. @slot points at the field. write returns a new reference, NULL to omit the key. */
        int (*read)(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
        json_t *(*write)(const void *slot);
        const char *schema; /* a JSON Schema fragment, as text */
};

struct table {
        const char *title; /* "Host" */
        /* the value of `kind:` for top-level documents, else NULL; apiVersion and kind are then required first */
        const char *kind;
        size_t size;
        const struct field *fields; /* ended by a field without key */
        size_t position;            /* 1 + offset of a struct source_pos for where the value starts; 0: none */
        size_t map_key;             /* FIELD_STRUCT_MAP: 1 + offset of a struct text_at for the key; 0: none */
        const char *map_key_format; /* checked like field.format */
        const char *doc;
        /* Checks across fields, after reading; NULL: none. */
        int (*check)(void *object, const struct node *node, struct fault *reterr);
        /* A short form: when the node is a scalar or a list instead of a map; NULL: a map is required. */
        int (*read_short)(const struct node *node, void *object, struct arena *a, struct fault *reterr);
        const char *short_schema;     /* the schema fragment of that short form */
        const char *extension_prefix; /* keys with this prefix ("x-") are ignored; NULL: none */
};

#define API_VERSION "tallyman/v1"

/*
 * Read a structure of @t from @node. Strings and lists live in @a. @object has t->size bytes and is
 * overwritten. FAULT_CONFIG with the position, code LOAD_INVALID.
 */
int table_read(const struct table *t, const struct node *node, void *object, struct arena *a, struct fault *reterr);

/*
 * Read from parsed JSON: for our own files and stored worlds. @name is for messages. What table_write() writes as null
 * (FIELD_STRING, FIELD_TEXT and FIELD_STRUCT_PTR without FIELD_OMIT) reads back as absent here, whatever the flags.
 */
int table_read_json(const struct table *t, const char *name, const json_t *json, void *object, struct arena *a,
                    struct fault *reterr);

/*
 * A new JSON object with what table_read_json() reads back as equal. Aborts without memory. FIELD_OMIT leaves a false
 * or 0 in where the default is another; an enumeration's value whose word is "" is always left out.
 */
json_t *table_write(const struct table *t, const void *object);

/* JSON Schema (draft 2020-12) of @t, self-contained; a new reference. */
json_t *table_schema(const struct table *t);

/* The value of `kind:` in a document, or NULL. */
const char *document_kind(const struct node *root);
