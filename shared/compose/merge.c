/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/compose/merge.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"
#include "shared/data/json.h"

/*
 * Forms: "K=V" lists and maps say the same, as do one and a list of one
 */

static struct node_entry *push_entry(struct node_entry **entries, size_t *n, struct arena *a) {
        return arena_push(a, entries, n, sizeof(**entries));
}

static const struct node **push_item(const struct node ***items, size_t *n, struct arena *a) {
        return (const struct node **)arena_push(a, items, n, sizeof(**items));
}

static const struct node *null_at(const struct source_pos *at, struct arena *a) {
        struct node *node = arena_new_of(a, struct node);

        *node = (struct node){ .type = NODE_NULL, .at = *at, .text = "" };
        return node;
}

/* A map of a list of "K=V" (or "K:V" with @colon), K alone is K without value; anything else as it is. */
static const struct node *as_map(const struct node *node, const char *separators, struct arena *a) {
        struct node_entry *entries = NULL;
        size_t n = 0;

        if (node->type != NODE_LIST)
                return node;
        for (size_t i = 0; i < node->n; i++) {
                const struct node *item = node->items[i];
                const char *text = node_is_scalar(item) ? item->text : "", *value = strpbrk(text, separators);
                struct node_entry *e = push_entry(&entries, &n, a);

                e->key = value ? arena_strndup(a, text, (size_t)(value - text)) : text;
                e->at = item->at;
                e->value = value ? node_string(&item->at, value + 1, a) : null_at(&item->at, a);
        }
        return node_map(&node->at, entries, n, a);
}

static const struct node *as_list(const struct node *node, struct arena *a) {
        const struct node **items;

        if (node->type == NODE_LIST || node->type == NODE_MAP)
                return node;
        items = arena_array(a, 1, sizeof(*items));
        items[0] = node;
        return node_list(&node->at, items, node->type == NODE_NULL ? 0 : 1, a);
}

/* depends_on: [db] is {db: {condition: service_started}}; networks: [front] is {front: }. */
static const struct node *names_as_map(const struct node *node, bool conditions, struct arena *a) {
        struct node_entry *entries = NULL;
        size_t n = 0;

        if (node->type != NODE_LIST)
                return node;
        for (size_t i = 0; i < node->n; i++) {
                const struct node *item = node->items[i];
                struct node_entry *e = push_entry(&entries, &n, a), *condition;

                *e = (struct node_entry){ .key = item->text, .at = item->at, .value = null_at(&item->at, a) };
                if (!conditions)
                        continue;
                condition = arena_new_of(a, struct node_entry);
                *condition = (struct node_entry){ .key = "condition",
                                                  .at = item->at,
                                                  .value = node_string(&item->at, "service_started", a) };
                e->value = node_map(&item->at, condition, 1, a);
        }
        return node_map(&node->at, entries, n, a);
}

/*
 * Identity: what an item of a list is about, so that it is there once. NULL: itself only
 */

static const char *before(const char *text, char separator, struct arena *a) {
        const char *end = strchr(text, separator);

        return end ? arena_strndup(a, text, (size_t)(end - text)) : text;
}

static const char *text_of(const struct node *map, const char *key) {
        const struct node *value = node_get(map, key);

        return value && node_is_scalar(value) ? value->text : "";
}

/* "[source:]target[:options]" */
static const char *mount_identity(const struct node *item, struct arena *a) {
        const char *target;

        if (item->type == NODE_MAP)
                return text_of(item, "target");
        target = strchr(item->text, ':');
        return target ? before(target + 1, ':', a) : item->text;
}

static const char *port_identity(const struct node *item, struct arena *a) {
        if (item->type != NODE_MAP)
                return item->text;
        return arena_printf(a, "%s|%s|%s|%s", text_of(item, "host_ip"), text_of(item, "published"),
                            text_of(item, "target"), text_of(item, "protocol"));
}

static const char *grant_identity(const struct node *item, struct arena *a) {
        const char *target = text_of(item, "target");

        return item->type != NODE_MAP ? item->text : *target ? target : text_of(item, "source");
}

static const char *path_identity(const struct node *item, struct arena *a) {
        return item->type == NODE_MAP ? text_of(item, "path") : item->text;
}

static const char *key_identity(const struct node *item, struct arena *a) {
        return node_is_scalar(item) ? before(item->text, '=', a) : NULL;
}

/* The later of two takes the earlier one's place. */
static const struct node *unique(const struct node *list,
                                 const char *(*identity)(const struct node *item, struct arena *a), struct arena *a) {
        const struct node **items = arena_array(a, list->n, sizeof(*items));
        own_json json_t *places = json_object();
        size_t n = 0;

        for (size_t i = 0; i < list->n; i++) {
                const char *name = identity(list->items[i], a);
                size_t at = name ? (size_t)json_get_integer(places, name, (json_int_t)n) : n;

                items[at] = list->items[i];
                if (at == n && name)
                        json_object_set_new(places, name, json_integer((json_int_t)at));
                n += at == n;
        }
        return node_list(&list->at, items, n, a);
}

/*
 * Merging
 */

enum rule {
        RULE_PLAIN,
        RULE_REPLACE, /* the later one is all there is */
        RULE_PAIRS,   /* a map, or a list of K=V */
        RULE_HOSTS,   /* a map, or a list of K=V or K:V; a name may stand more than once */
        RULE_LIST,    /* one, or a list */
        RULE_DEPENDS,
        RULE_NAMES,
        RULE_LOGGING,
};

struct special {
        const char *key;
        enum rule rule;
        const char *(*identity)(const struct node *item, struct arena *a);
};

static const struct special of_service[] = {
        { "annotations", RULE_PAIRS, NULL },
        { "cap_add", RULE_LIST, key_identity },
        { "cap_drop", RULE_LIST, key_identity },
        { "command", RULE_REPLACE, NULL },
        { "configs", RULE_LIST, grant_identity },
        { "depends_on", RULE_DEPENDS, NULL },
        { "devices", RULE_LIST, mount_identity },
        { "dns", RULE_LIST, key_identity },
        { "dns_opt", RULE_LIST, key_identity },
        { "dns_search", RULE_LIST, key_identity },
        { "entrypoint", RULE_REPLACE, NULL },
        { "env_file", RULE_LIST, path_identity },
        { "environment", RULE_PAIRS, NULL },
        { "expose", RULE_LIST, key_identity },
        { "extra_hosts", RULE_HOSTS, NULL },
        { "labels", RULE_PAIRS, NULL },
        { "logging", RULE_LOGGING, NULL },
        { "networks", RULE_NAMES, NULL },
        { "ports", RULE_LIST, port_identity },
        { "profiles", RULE_LIST, key_identity },
        { "secrets", RULE_LIST, grant_identity },
        { "sysctls", RULE_PAIRS, NULL },
        { "tmpfs", RULE_LIST, key_identity },
        { "volumes", RULE_LIST, mount_identity },
        { .key = NULL },
};
static const struct special of_healthcheck[] = { { "test", RULE_REPLACE, NULL }, { .key = NULL } };
static const struct special of_deploy[] = { { "labels", RULE_PAIRS, NULL }, { .key = NULL } };
static const struct special of_nothing[] = { { .key = NULL } };

static const struct special *find_special(const struct special *table, const char *key) {
        for (; table->key; table++)
                if (str_eq(table->key, key))
                        return table;
        return NULL;
}

/* The rules one level below; the deeper ones are plain. */
static const struct special *table_below(const struct special *table, const char *key) {
        if (table == of_service && str_eq(key, "healthcheck"))
                return of_healthcheck;
        if (table == of_service && str_eq(key, "deploy"))
                return of_deploy;
        return of_nothing;
}

static const struct node *merge_maps(const struct node *base, const struct node *over, const struct special *table,
                                     struct arena *a);

static const struct node *merge_lists(const struct node *base, const struct node *over, struct arena *a) {
        const struct node **items = NULL;
        size_t n = 0;

        for (size_t i = 0; i < base->n; i++)
                *push_item(&items, &n, a) = base->items[i];
        for (size_t i = 0; i < over->n; i++)
                *push_item(&items, &n, a) = over->items[i];
        return node_list(&over->at, items, n, a);
}

/* Nothing over something leaves it. */
static const struct node *merge_plain(const struct node *base, const struct node *over, const struct special *below,
                                      struct arena *a) {
        if (over->type == NODE_NULL && !node_is_scalar(base))
                return base;
        if (base->type == NODE_MAP && over->type == NODE_MAP)
                return merge_maps(base, over, below, a);
        if (base->type == NODE_LIST && over->type == NODE_LIST)
                return merge_lists(base, over, a);
        return over;
}

/* Both as lists of "name=address". */
static const struct node *hosts_as_list(const struct node *node, struct arena *a) {
        const struct node **items = NULL;
        size_t n = 0;

        if (node->type != NODE_MAP)
                return as_list(node, a);
        for (size_t i = 0; i < node->n; i++) {
                const struct node *list = as_list(node->entries[i].value, a);

                for (size_t k = 0; list->type == NODE_LIST && k < list->n; k++)
                        *push_item(&items, &n, a) =
                                node_string(&list->items[k]->at,
                                            arena_printf(a, "%s=%s", node->entries[i].key, list->items[k]->text), a);
        }
        return node_list(&node->at, items, n, a);
}

static const char *whole_identity(const struct node *item, struct arena *a) {
        return item->text;
}

static const struct node *merge_logging(const struct node *base, const struct node *over, struct arena *a) {
        const char *old = text_of(base, "driver"), *new = text_of(over, "driver");

        /* Options of one driver mean nothing to another. */
        return *old && *new && !str_eq(old, new) ? over : merge_plain(base, over, of_nothing, a);
}

static const struct node *merge_value(const struct node *base, const struct node *over, const struct special *special,
                                      const struct special *below, struct arena *a) {
        const struct node *merged;

        switch (special ? special->rule : RULE_PLAIN) {
        case RULE_PLAIN:
                return merge_plain(base, over, below, a);
        case RULE_REPLACE:
                return over;
        case RULE_PAIRS:
                return merge_plain(as_map(base, "=", a), as_map(over, "=", a), of_nothing, a);
        case RULE_HOSTS:
                merged = merge_plain(hosts_as_list(base, a), hosts_as_list(over, a), of_nothing, a);
                return merged->type == NODE_LIST ? unique(merged, whole_identity, a) : merged;
        case RULE_LIST:
                merged = merge_plain(as_list(base, a), as_list(over, a), of_nothing, a);
                return merged->type == NODE_LIST ? unique(merged, special->identity, a) : merged;
        case RULE_DEPENDS:
                return merge_plain(names_as_map(base, true, a), names_as_map(over, true, a), of_nothing, a);
        case RULE_NAMES:
                return merge_plain(names_as_map(base, false, a), names_as_map(over, false, a), of_nothing, a);
        case RULE_LOGGING:
                return merge_logging(base, over, a);
        }
        return over;
}

static const struct node *merge_maps(const struct node *base, const struct node *over, const struct special *table,
                                     struct arena *a) {
        struct node_entry *entries = arena_array(a, base->n + over->n, sizeof(*entries));
        own_json json_t *places = json_object();
        size_t n = base->n;

        for (size_t i = 0; i < base->n; i++) {
                entries[i] = base->entries[i];
                json_object_set_new(places, entries[i].key, json_integer((json_int_t)i));
        }
        for (size_t i = 0; i < over->n; i++) {
                const struct node_entry *later = &over->entries[i];
                struct node_entry *e = &entries[json_get_integer(places, later->key, (json_int_t)n)];

                if (e == &entries[n]) {
                        entries[n++] = *later;
                        continue;
                }
                e->at = later->at;
                e->value =
                        merge_value(e->value, later->value, find_special(table, e->key), table_below(table, e->key), a);
        }
        return node_map(&over->at, entries, n, a);
}

const struct node *compose_merge_service(const struct node *base, const struct node *over, struct arena *a) {
        return merge_maps(base, over, of_service, a);
}

/*
 * Paths
 */

/* Take a part off or add it to the *size bytes of @out, which has room for it. False when it would leave the folder. */
static bool path_step(char *out, size_t *size, const char *part, size_t n) {
        if (n == 0 || (n == 1 && part[0] == '.'))
                return true;
        if (n == 2 && part[0] == '.' && part[1] == '.') {
                if (*size == 0)
                        return false;
                while (*size > 0 && out[--*size] != '/')
                        ;
                return true;
        }
        if (*size > 0)
                out[(*size)++] = '/';
        memcpy(out + *size, part, n);
        *size += n;
        return true;
}

const char *compose_path_from(const char *folder, const char *path, struct arena *a) {
        size_t size = strlen(folder);
        char *out = arena_alloc(a, size + strlen(path) + 2);

        memcpy(out, folder, size);
        if (*path == '/' || *path == '~')
                return NULL;
        while (*path) {
                size_t n = strcspn(path, "/");

                if (!path_step(out, &size, path, n))
                        return NULL;
                path += n;
                path += strspn(path, "/");
        }
        out[size] = '\0';
        return size == 0 || path_is_inside(out) ? out : NULL;
}

/* "./conf/x" seen from the app's folder. What leaves it, or is no such path, stays as it is: the reader says so. */
static const char *rebase_path(const char *path, const char *folder, struct arena *a) {
        const char *moved = compose_path_from(folder, path, a);

        return moved ? arena_printf(a, "./%s", moved) : path;
}

static const struct node *rebase_text(const struct node *node, const char *folder, struct arena *a) {
        return node_is_scalar(node) && node->type != NODE_NULL
                       ? node_string(&node->at, rebase_path(node->text, folder, a), a)
                       : node;
}

static const struct node *rebase_key(const struct node *map, const char *key, const char *folder, struct arena *a) {
        const struct node *value = node_get(map, key);

        return value ? node_with(map, key, rebase_text(value, folder, a), a) : map;
}

static const struct node *rebase_env_file(const struct node *item, const char *folder, struct arena *a) {
        return item->type == NODE_MAP ? rebase_key(item, "path", folder, a) : rebase_text(item, folder, a);
}

/* Only what begins with a dot is a path; a name is a volume. */
static const struct node *rebase_mount(const struct node *item, const char *folder, struct arena *a) {
        const struct node *source = node_get(item, "source");
        const char *rest;

        if (item->type == NODE_MAP)
                return source && str_eq(text_of(item, "type"), "bind") ? rebase_key(item, "source", folder, a) : item;
        rest = strchr(item->text, ':');
        if (!rest || item->text[0] != '.')
                return item;
        return node_string(&item->at, arena_printf(a, "%s%s", rebase_path(before(item->text, ':', a), folder, a), rest),
                           a);
}

static const struct node *rebase_each(const struct node *list, const char *folder, struct arena *a,
                                      const struct node *(*one)(const struct node *item, const char *folder,
                                                                struct arena *a)) {
        const struct node **items = arena_array(a, list->n, sizeof(*items));

        if (list->type != NODE_LIST)
                return one(list, folder, a);
        for (size_t i = 0; i < list->n; i++)
                items[i] = one(list->items[i], folder, a);
        return node_list(&list->at, items, list->n, a);
}

static const struct node *rebase_service(const struct node *service, const char *folder, struct arena *a) {
        const struct node *env_files = node_get(service, "env_file"), *mounts = node_get(service, "volumes");

        if (service->type != NODE_MAP)
                return service;
        if (env_files)
                service = node_with(service, "env_file", rebase_each(env_files, folder, a, rebase_env_file), a);
        if (mounts && mounts->type == NODE_LIST)
                service = node_with(service, "volumes", rebase_each(mounts, folder, a, rebase_mount), a);
        return service;
}

static const struct node *rebase_content(const struct node *content, const char *folder, struct arena *a) {
        return content->type == NODE_MAP ? rebase_key(content, "file", folder, a) : content;
}

const struct node *compose_rebase_document(const struct node *root, const char *folder, struct arena *a) {
        static const struct {
                const char *key;
                const struct node *(*one)(const struct node *item, const char *folder, struct arena *a);
        } maps[] = {
                { "services", rebase_service },
                { "configs", rebase_content },
                { "secrets", rebase_content },
        };

        for (size_t m = 0; *folder && m < sizeof(maps) / sizeof(maps[0]); m++) {
                const struct node *map = node_get(root, maps[m].key);
                struct node_entry *entries;

                if (!map || map->type != NODE_MAP)
                        continue;
                entries = arena_array(a, map->n, sizeof(*entries));
                for (size_t i = 0; i < map->n; i++) {
                        entries[i] = map->entries[i];
                        entries[i].value = maps[m].one(map->entries[i].value, folder, a);
                }
                root = node_with(root, maps[m].key, node_map(&map->at, entries, map->n, a), a);
        }
        return root;
}
