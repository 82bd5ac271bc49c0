/* SPDX-License-Identifier: Apache-2.0 */

/* Values that many keys of a compose file share: strings and lists, maps, sizes, times. */

#include "shared/compose/compose_private.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/compose/words.h"

int compose_expected(const struct node *node, const char *what, struct fault *reterr) {
        return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID, "expected %s, found %s", what,
                                 node_type_to_string(node->type));
}

int compose_fault_missing(struct fault *reterr, const struct source_pos *at, const struct app_files *files,
                          const char *what, const char *path) {
        int r = fault_set_code_at(reterr, at, REASON_LOAD_REFERENCE, "%s '%s' is not in %s/", what, path,
                                  files->folder);

        fault_hint(reterr, "commit it there; only files of the desired state are used");
        return r;
}

int compose_text(const struct node *node, struct text_at *ret, struct fault *reterr) {
        if (!node_is_scalar(node) || node->type == NODE_NULL)
                return compose_expected(node, "a string", reterr);
        *ret = (struct text_at){ .text = node->text, .at = node->at };
        return 0;
}

const char *compose_target(const char *path, struct arena *a) {
        size_t n = strlen(path);

        if (*path != '/' || !utf8_is_valid(path, n))
                return NULL;
        while (n > 1 && path[n - 1] == '/')
                n--;
        path = arena_strndup(a, path, n);
        return n == 1 || path_is_inside(path + 1) ? path : NULL;
}

int compose_read_items(const struct node *node, unsigned shapes, size_t size, compose_item_fn read, struct arena *a,
                       struct struct_list *ret, struct fault *reterr) {
        static const char *const names[] = {
                [COMPOSE_LIST] = "a list", [COMPOSE_MAP] = "a map", [COMPOSE_LIST | COMPOSE_MAP] = "a list or a map"
        };
        char *items;
        int r = 0;

        if (node->type == NODE_NULL)
                return 0;
        if (!(node->type == NODE_LIST && (shapes & COMPOSE_LIST)) &&
            !(node->type == NODE_MAP && (shapes & COMPOSE_MAP)))
                return compose_expected(node, names[shapes], reterr);
        items = arena_array(a, node->n, size);
        for (size_t i = 0; r == 0 && i < node->n; i++) {
                const struct node_entry *entry = node->type == NODE_MAP ? &node->entries[i] : NULL;

                r = read(entry ? entry->value : node->items[i], entry, items + i * size, a, reterr);
        }
        *ret = (struct struct_list){ .items = items, .n = node->n };
        return r;
}

/*
 * Strings and lists of strings
 */

static int read_list(const struct node *node, struct string_list *list, struct arena *a, struct fault *reterr) {
        list->items = arena_array(a, node->n, sizeof(*list->items));
        list->n = node->n;
        for (size_t i = 0; i < node->n; i++) {
                int r = compose_text(node->items[i], &list->items[i], reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

int compose_read_strings(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct string_list *list = slot;

        if (node->type == NODE_NULL)
                return 0;
        if (node->type == NODE_LIST)
                return read_list(node, list, a, reterr);
        if (node->type == NODE_MAP)
                return compose_expected(node, "a string or a list", reterr);
        list->items = arena_array(a, 1, sizeof(*list->items));
        list->n = 1;
        return compose_text(node, list->items, reterr);
}

int compose_read_command(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct compose_command *command = slot;

        if (node->type == NODE_NULL)
                return 0;
        if (node->type == NODE_MAP)
                return compose_expected(node, "a string or a list of words", reterr);
        command->set = true;
        if (node->type == NODE_LIST)
                return read_list(node, &command->words, a, reterr);
        return words_split(node->text, &node->at, a, &command->words, reterr);
}

/*
 * Maps of strings
 */

static int compare_pairs(const void *a, const void *b) {
        const struct string_pair *x = a, *y = b;
        int order = strcmp(x->key.text, y->key.text);

        if (order)
                return order;
        return (x->key.at.line > y->key.at.line) - (x->key.at.line < y->key.at.line);
}

void compose_sort_map(struct string_map *map) {
        if (map->n > 1)
                qsort(map->items, map->n, sizeof(*map->items), compare_pairs);
}

const char *compose_map_get(const struct string_map *map, const char *key) {
        for (size_t i = 0; i < map->n; i++)
                if (str_eq(map->items[i].key.text, key))
                        return map->items[i].value.text;
        return NULL;
}

static int check_pairs(const struct string_map *map, struct fault *reterr) {
        for (size_t i = 0; i < map->n; i++) {
                const struct text_at *key = &map->items[i].key;

                if (*key->text == '\0')
                        return fault_set_code_at(reterr, &key->at, REASON_LOAD_INVALID, "the name is empty");
                if (i > 0 && str_eq(map->items[i - 1].key.text, key->text))
                        return fault_set_code_at(reterr, &key->at, REASON_LOAD_INVALID, "'%s' stands here twice",
                                                 key->text);
        }
        return 0;
}

static int read_pair(const struct node *item, struct string_pair *ret, struct arena *a, struct fault *reterr) {
        struct text_at text;
        const char *equals;
        int r = compose_text(item, &text, reterr);

        if (r < 0)
                return r;
        equals = strchr(text.text, '=');
        *ret = (struct string_pair){ .key = text, .value = { .at = text.at } };
        if (equals) {
                ret->key.text = arena_strndup(a, text.text, (size_t)(equals - text.text));
                ret->value.text = equals + 1;
        }
        return 0;
}

static int read_entry(const struct node_entry *entry, struct string_pair *ret, struct fault *reterr) {
        const struct node *value = entry->value;

        if (!node_is_scalar(value))
                return compose_expected(value, "a string", reterr);
        *ret = (struct string_pair){
                .key = { .text = entry->key, .at = entry->at },
                .value = { .text = value->type == NODE_NULL ? NULL : value->text, .at = value->at },
        };
        return 0;
}

/* A map, or a list of K=V; K alone, and a null, have no value. Sorted, each key once. */
int compose_read_environment(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct string_map map = { .n = node->n };

        if (node->type == NODE_NULL)
                return 0;
        if (node_is_scalar(node))
                return compose_expected(node, "a map or a list", reterr);
        map.items = arena_array(a, map.n, sizeof(*map.items));
        for (size_t i = 0; i < map.n; i++) {
                int r = node->type == NODE_MAP ? read_entry(&node->entries[i], &map.items[i], reterr)
                                               : read_pair(node->items[i], &map.items[i], a, reterr);
                if (r < 0)
                        return r;
        }
        compose_sort_map(&map);
        *(struct string_map *)slot = map;
        return check_pairs(&map, reterr);
}

int compose_read_string_map(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct string_map *map = slot;
        int r = compose_read_environment(node, map, a, reterr);

        if (r < 0)
                return r;
        for (size_t i = 0; i < map->n; i++)
                if (!map->items[i].value.text)
                        map->items[i].value.text = "";
        return 0;
}

/*
 * Numbers
 */

int compose_read_bytes(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct text_at text;
        int r = compose_text(node, &text, reterr);

        if (r < 0)
                return r;
        if (parse_bytes(text.text, slot) < 0) {
                r = fault_set_code_at(reterr, &text.at, REASON_LOAD_INVALID, "'%s' is not a size", text.text);
                fault_hint(reterr, "write a number and a unit: 512k, 64m, 1gb");
                return r;
        }
        return 0;
}

int compose_read_swap(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        if (node_is_scalar(node) && str_eq(node->text, "-1")) {
                *(int64_t *)slot = -1;
                return 0;
        }
        return compose_read_bytes(node, slot, a, reterr);
}

/* "1", "0.5", "1.25": at most nine digits behind the point, so that it is exact in units of 1e-9. */
static int parse_nano(const char *s, int64_t *ret) {
        int64_t value = 0, unit = 1000 * 1000 * 1000;
        size_t digits = 0;

        for (; *s >= '0' && *s <= '9'; s++, digits++) {
                value = value * 10 + (*s - '0');
                if (value > 100 * 1000)
                        return -ERANGE;
        }
        value *= unit;
        if (*s == '.')
                for (s++; *s >= '0' && *s <= '9' && unit > 1; s++, digits++)
                        value += (*s - '0') * (unit /= 10);
        if (*s || digits == 0)
                return -EINVAL;
        *ret = value;
        return 0;
}

int compose_read_cpus(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct text_at text;
        int r = compose_text(node, &text, reterr);

        if (r < 0)
                return r;
        if (parse_nano(text.text, slot) < 0) {
                r = fault_set_code_at(reterr, &text.at, REASON_LOAD_INVALID, "'%s' is not a number of CPUs", text.text);
                fault_hint(reterr, "write a decimal number: 2, 0.5");
                return r;
        }
        return 0;
}

int compose_read_duration(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct text_at text;
        int r = compose_text(node, &text, reterr);

        if (r < 0)
                return r;
        if (parse_go_duration(text.text, slot) < 0 || *(int64_t *)slot < 0) {
                r = fault_set_code_at(reterr, &text.at, REASON_LOAD_INVALID, "'%s' is not a duration", text.text);
                fault_hint(reterr, "write numbers with units: 1m30s, 500ms");
                return r;
        }
        return 0;
}

/* 0444 is octal for every reader of compose files, but decimal in YAML 1.2: take the digits as written. */
int compose_read_mode(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct text_at text;
        int64_t mode = 0;
        const char *p;
        int r = compose_text(node, &text, reterr);

        if (r < 0)
                return r;
        p = str_after(text.text, "0o");
        if (!p)
                p = text.text;
        for (const char *q = p; *q; q++) {
                if (*q < '0' || *q > '7' || q - p >= 5)
                        mode = -1;
                if (mode >= 0)
                        mode = mode * 8 + (*q - '0');
        }
        if (*p == '\0' || mode < 0 || mode > 07777) {
                r = fault_set_code_at(reterr, &text.at, REASON_LOAD_INVALID, "'%s' is not a file mode", text.text);
                fault_hint(reterr, "write octal digits: 0440");
                return r;
        }
        *(int64_t *)slot = mode;
        return 0;
}

int compose_read_bool(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        bool *value;

        if (node->type != NODE_BOOL)
                return compose_expected(node, "true or false", reterr);
        value = arena_new_of(a, bool);
        *value = node->boolean;
        *(const bool **)slot = value;
        return 0;
}
