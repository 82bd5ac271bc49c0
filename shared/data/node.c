/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/data/node.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"

static const char *const type_names[NODE_TYPE_MAX_] = {
        [NODE_NULL] = "nothing",       [NODE_BOOL] = "a boolean",  [NODE_INTEGER] = "an integer",
        [NODE_REAL] = "a real number", [NODE_STRING] = "a string", [NODE_LIST] = "a list",
        [NODE_MAP] = "a map",
};

const char *node_type_to_string(enum node_type type) {
        assert(type >= NODE_NULL && type < NODE_TYPE_MAX_);
        return type_names[type];
}

const struct node *node_get(const struct node *map, const char *key) {
        if (!map || map->type != NODE_MAP)
                return NULL;
        for (size_t i = 0; i < map->n; i++)
                if (strcmp(map->entries[i].key, key) == 0)
                        return map->entries[i].value;
        return NULL;
}

/*
 * Copies
 */

const struct node *node_list(const struct source_pos *at, const struct node *const *items, size_t n, struct arena *a) {
        struct node *node = arena_new_of(a, struct node);

        *node = (struct node){ .type = NODE_LIST, .at = *at, .text = "", .items = items, .n = n };
        return node;
}

const struct node *node_map(const struct source_pos *at, const struct node_entry *entries, size_t n, struct arena *a) {
        struct node *node = arena_new_of(a, struct node);

        *node = (struct node){ .type = NODE_MAP, .at = *at, .text = "", .entries = entries, .n = n };
        return node;
}

const struct node *node_string(const struct source_pos *at, const char *text, struct arena *a) {
        struct node *node = arena_new_of(a, struct node);

        *node = (struct node){ .type = NODE_STRING, .at = *at, .text = text, .quoted = true };
        return node;
}

const struct node *node_with(const struct node *map, const char *key, const struct node *value, struct arena *a) {
        struct node_entry *entries = arena_array(a, map->n + 1, sizeof(*entries));
        size_t i = 0;

        if (map->n > 0)
                memcpy(entries, map->entries, map->n * sizeof(*entries));
        while (i < map->n && strcmp(entries[i].key, key) != 0)
                i++;
        if (i == map->n)
                entries[i] = (struct node_entry){ .key = key, .at = value->at };
        entries[i].value = value;
        return node_map(&map->at, entries, i == map->n ? map->n + 1 : map->n, a);
}

const struct node *node_without(const struct node *map, const char *key, struct arena *a) {
        struct node_entry *entries = arena_array(a, map->n, sizeof(*entries));
        size_t n = 0;

        for (size_t i = 0; i < map->n; i++)
                if (strcmp(map->entries[i].key, key) != 0)
                        entries[n++] = map->entries[i];
        return node_map(&map->at, entries, n, a);
}

/*
 * From JSON
 */

struct json_walk {
        struct arena *a;
        struct source_pos at;
        struct fault *reterr;
};

static int node_build(struct json_walk *w, const json_t *json, unsigned depth, const struct node **ret);

static int node_build_list(struct json_walk *w, const json_t *json, unsigned depth, struct node *n) {
        const struct node **items;
        int r;

        n->type = NODE_LIST;
        n->text = "";
        n->n = json_array_size(json);
        n->items = items = arena_array(w->a, n->n, sizeof(*items));
        for (size_t i = 0; i < n->n; i++) {
                r = node_build(w, json_array_get(json, i), depth + 1, &items[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int node_build_map(struct json_walk *w, const json_t *json, unsigned depth, struct node *n) {
        struct node_entry *e;
        int r;

        n->type = NODE_MAP;
        n->text = "";
        n->n = json_object_size(json);
        n->entries = e = arena_array(w->a, n->n, sizeof(*e));
        /* Iterators are not const in jansson, but only step. */
        for (void *i = json_object_iter((json_t *)json); i; i = json_object_iter_next((json_t *)json, i), e++) {
                e->key = arena_strdup(w->a, json_object_iter_key(i));
                e->at = w->at;
                r = node_build(w, json_object_iter_value(i), depth + 1, &e->value);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int node_build_scalar(struct json_walk *w, const json_t *json, struct node *n) {
        n->text = "";
        switch (json_typeof(json)) {
        case JSON_STRING:
                n->type = NODE_STRING;
                n->quoted = true;
                n->text = arena_strndup(w->a, json_string_value(json), json_string_length(json));
                if (strlen(n->text) != json_string_length(json))
                        return fault_set_at(w->reterr, &w->at, "a string holds a NUL character");
                return 0;
        case JSON_INTEGER:
                n->type = NODE_INTEGER;
                n->integer = json_integer_value(json);
                n->text = arena_printf(w->a, "%" PRId64, n->integer);
                return 0;
        case JSON_REAL:
                n->type = NODE_REAL;
                n->text = arena_printf(w->a, "%.17g", json_real_value(json));
                return 0;
        case JSON_TRUE:
        case JSON_FALSE:
                n->type = NODE_BOOL;
                n->boolean = json_is_true(json);
                n->text = n->boolean ? "true" : "false";
                return 0;
        case JSON_NULL:
        case JSON_OBJECT:
        case JSON_ARRAY:
                break;
        }
        n->type = NODE_NULL;
        return 0;
}

static int node_build(struct json_walk *w, const json_t *json, unsigned depth, const struct node **ret) {
        struct node *n = arena_new_of(w->a, struct node);
        int r;

        n->at = w->at;
        if (json_is_object(json) || json_is_array(json)) {
                if (depth >= LIMIT_JSON_DEPTH)
                        return fault_set_at(w->reterr, &w->at, "the JSON text is nested deeper than %d levels",
                                            LIMIT_JSON_DEPTH);
                r = json_is_array(json) ? node_build_list(w, json, depth, n) : node_build_map(w, json, depth, n);
        } else
                r = node_build_scalar(w, json, n);
        if (r < 0)
                return r;
        *ret = n;
        return 0;
}

int node_from_json(const json_t *json, const struct source *source, struct arena *a, const struct node **ret,
                   struct fault *reterr) {
        struct json_walk walk = { .a = a, .at = { .source = source }, .reterr = reterr };

        assert(json);
        return node_build(&walk, json, 0, ret);
}

/*
 * To JSON
 */

static json_t *list_to_json(const struct node *n) {
        json_t *list = json_array();

        for (size_t i = 0; i < n->n; i++)
                if (json_array_append_new(list, node_to_json(n->items[i])) < 0)
                        abort();
        return list;
}

static json_t *map_to_json(const struct node *n) {
        json_t *map = json_object();

        for (size_t i = 0; i < n->n; i++)
                if (json_object_set_new(map, n->entries[i].key, node_to_json(n->entries[i].value)) < 0)
                        abort();
        return map;
}

json_t *node_to_json(const struct node *n) {
        switch (n->type) {
        case NODE_NULL:
                return json_null();
        case NODE_BOOL:
                return json_boolean(n->boolean);
        case NODE_INTEGER:
                return json_integer(n->integer);
        case NODE_REAL:
        case NODE_STRING:
                return json_string(n->text);
        case NODE_LIST:
                return list_to_json(n);
        case NODE_MAP:
                return map_to_json(n);
        case NODE_TYPE_MAX_:
                break;
        }
        assert(!"a node of no known type");
        return NULL;
}
