/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Other keys: of a compose file that docker compose carries out (COMPOSE_KEYS_OTHER)
 *
 * The strict tables read what we decide about and bring ourselves. So the keys that the tables would
 * not know are left out before they read it: they stay in each service's node, which docker compose is given. A
 * key that nobody knows is docker compose's to refuse, unless it is nearly one that we know.
 */

#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/compose/compose_private.h"

/*
 * What the tables are given
 */

struct keep {
        const char *key;
        const struct keep *of_map;  /* of the value, a map; NULL: all of it */
        const struct keep *of_each; /* of each value of that map, or item of that list; NULL: all of it */
};

static const struct keep keep_depend[] = { { .key = "condition" }, { .key = "required" }, { .key = NULL } };
static const struct keep keep_attachment[] = {
        { .key = "aliases" },     { .key = "ipv4_address" }, { .key = "ipv6_address" }, { .key = "link_local_ips" },
        { .key = "mac_address" }, { .key = "priority" },     { .key = NULL },
};
static const struct keep keep_bind[] = {
        { .key = "propagation" },
        { .key = "create_host_path" },
        { .key = "selinux" },
        { .key = NULL },
};
static const struct keep keep_volume_options[] = { { .key = "nocopy" }, { .key = "subpath" }, { .key = NULL } };
static const struct keep keep_tmpfs[] = { { .key = "size" }, { .key = "mode" }, { .key = NULL } };
static const struct keep keep_mount[] = {
        { .key = "type" },
        { .key = "source" },
        { .key = "target" },
        { .key = "read_only" },
        { .key = "bind", .of_map = keep_bind },
        { .key = "volume", .of_map = keep_volume_options },
        { .key = "tmpfs", .of_map = keep_tmpfs },
        { .key = NULL },
};
static const struct keep keep_deploy[] = { { .key = "replicas" }, { .key = NULL } };
static const struct keep keep_named[] = { { .key = "name" }, { .key = "external" }, { .key = NULL } };
static const struct keep keep_content[] = {
        { .key = "file" }, { .key = "content" }, { .key = "environment" }, { .key = "name" }, { .key = NULL },
};
static const struct keep keep_service[] = {
        { .key = "configs" },
        { .key = "container_name" },
        { .key = "depends_on", .of_each = keep_depend },
        { .key = "deploy", .of_map = keep_deploy },
        { .key = "env_file" },
        { .key = "environment" },
        { .key = "healthcheck" },
        { .key = "image" },
        { .key = "labels" },
        { .key = "network_mode" },
        { .key = "networks", .of_each = keep_attachment },
        { .key = "platform" },
        { .key = "ports" },
        { .key = "restart" },
        { .key = "scale" },
        { .key = "secrets" },
        { .key = "security_opt" },
        { .key = "stop_grace_period" },
        { .key = "tmpfs" },
        { .key = "volumes", .of_each = keep_mount },
        { .key = NULL },
};
static const struct keep keep_document[] = {
        { .key = "name" },
        { .key = "services", .of_each = keep_service },
        { .key = "networks", .of_each = keep_named },
        { .key = "volumes", .of_each = keep_named },
        { .key = "configs", .of_each = keep_content },
        { .key = "secrets", .of_each = keep_content },
        { .key = NULL },
};

static const struct node *filter_map(const struct node *map, const struct keep *keep, struct arena *a);

static const struct node *filter_each(const struct node *node, const struct keep *keep, struct arena *a) {
        if (node->type == NODE_MAP) {
                struct node_entry *entries = arena_array(a, node->n, sizeof(*entries));

                for (size_t i = 0; i < node->n; i++) {
                        entries[i] = node->entries[i];
                        entries[i].value = filter_map(node->entries[i].value, keep, a);
                }
                return node_map(&node->at, entries, node->n, a);
        }
        if (node->type == NODE_LIST) {
                const struct node **items = arena_array(a, node->n, sizeof(*items));

                for (size_t i = 0; i < node->n; i++)
                        items[i] = filter_map(node->items[i], keep, a);
                return node_list(&node->at, items, node->n, a);
        }
        return node;
}

static const struct keep *find_keep(const struct keep *keep, const char *key) {
        for (; keep->key; keep++)
                if (str_eq(keep->key, key))
                        return keep;
        return NULL;
}

/* Anything but a map is the tables' business. */
static const struct node *filter_map(const struct node *map, const struct keep *keep, struct arena *a) {
        struct node_entry *entries;
        size_t n = 0;

        if (map->type != NODE_MAP)
                return map;
        entries = arena_array(a, map->n, sizeof(*entries));
        for (size_t i = 0; i < map->n; i++) {
                const struct keep *k = find_keep(keep, map->entries[i].key);
                struct node_entry *e = &entries[n];

                if (!k)
                        continue;
                *e = map->entries[i];
                if (k->of_map)
                        e->value = filter_map(e->value, k->of_map, a);
                else if (k->of_each)
                        e->value = filter_each(e->value, k->of_each, a);
                n++;
        }
        return node_map(&map->at, entries, n, a);
}

/*
 * Keys that need more than leaving out
 */

/* Words of Docker Desktop that mean nothing elsewhere: "src:/src:cached". */
static bool is_consistency(const char *word, size_t n) {
        static const char *const words[] = { "cached", "consistent", "delegated" };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (strlen(words[i]) == n && memcmp(words[i], word, n) == 0)
                        return true;
        return false;
}

static const struct node *plain_mount(const struct node *item, struct arena *a) {
        const char *colon = item->type == NODE_STRING ? strchr(item->text, ':') : NULL, *options;
        char *out, *end;

        colon = colon ? strchr(colon + 1, ':') : NULL;
        if (!colon)
                return item;
        out = arena_strdup(a, item->text);
        end = out + (colon - item->text);
        options = colon + 1;
        for (bool first = true; *options;) {
                size_t n = strcspn(options, ",");

                if (!is_consistency(options, n)) {
                        *end++ = first ? ':' : ',';
                        memcpy(end, options, n);
                        end += n;
                        first = false;
                }
                options += n;
                options += *options == ',';
        }
        *end = '\0';
        return node_string(&item->at, out, a);
}

/* Kinds that we bring nothing for (npipe, cluster) are docker compose's alone. */
static const struct node *plain_mounts(const struct node *mounts, struct arena *a) {
        static const char *const known[] = { "bind", "volume", "tmpfs" };
        const struct node **items = arena_array(a, mounts->n, sizeof(*items));
        size_t n = 0;

        if (mounts->type != NODE_LIST)
                return mounts;
        for (size_t i = 0; i < mounts->n; i++) {
                const struct node *type = node_get(mounts->items[i], "type");
                bool is_known = !type || !node_is_scalar(type);

                for (size_t k = 0; !is_known && k < 3; k++)
                        is_known = str_eq(type->text, known[k]);
                if (is_known)
                        items[n++] = plain_mount(mounts->items[i], a);
        }
        return node_list(&mounts->at, items, n, a);
}

/* deploy.restart_policy wins over `restart`, as in docker compose (pkg/compose/create.go, getRestartPolicy). */
static const struct node *restart_of(const struct node *policy, struct arena *a) {
        const struct node *condition = node_get(policy, "condition"), *attempts = node_get(policy, "max_attempts");
        const char *word = condition && node_is_scalar(condition) ? condition->text : "any";

        if (str_eq(word, "none"))
                word = "no";
        else if (str_eq(word, "any") || *word == '\0')
                word = "always";
        if (str_eq(word, "on-failure") && attempts && attempts->type == NODE_INTEGER)
                word = arena_printf(a, "on-failure:%lld", (long long)attempts->integer);
        return node_string(condition ? &condition->at : &policy->at, word, a);
}

/* A mode that the docker runtime does not know leaves the service without networks of its own. */
static bool is_other_mode(const struct node *mode) {
        return mode && node_is_scalar(mode) && mode->type != NODE_NULL && !str_eq(mode->text, "none") &&
               !str_eq(mode->text, "host") && !str_eq(mode->text, "bridge");
}

static bool profile_is_on(const char *profiles, const char *name) {
        size_t n = strlen(name);

        for (const char *p = profiles; p && *p;) {
                size_t word = strcspn(p, ",");

                if ((word == n && memcmp(p, name, n) == 0) || (word == 1 && *p == '*'))
                        return true;
                p += word;
                p += *p == ',';
        }
        return false;
}

static bool service_is_on(const struct node *service, const char *profiles) {
        const struct node *wanted = node_get(service, "profiles");

        if (!wanted || wanted->type != NODE_LIST || wanted->n == 0)
                return true;
        for (size_t i = 0; i < wanted->n; i++)
                if (node_is_scalar(wanted->items[i]) && profile_is_on(profiles, wanted->items[i]->text))
                        return true;
        return false;
}

static const struct node *none_at(const struct source_pos *at, struct arena *a) {
        struct node *node = arena_new_of(a, struct node);

        *node = (struct node){ .type = NODE_INTEGER, .at = *at, .text = "0" };
        return node;
}

/* @whole as the tables read it: @plain, with what is said elsewhere. */
static const struct node *adjust_service(const struct node *whole, const struct node *plain, const char *profiles,
                                         struct arena *a) {
        const struct node *policy = node_get(node_get(whole, "deploy"), "restart_policy"),
                          *mounts = node_get(plain, "volumes"), *mode = node_get(whole, "network_mode");

        if (whole->type != NODE_MAP)
                return plain;
        if (mounts)
                plain = node_with(plain, "volumes", plain_mounts(mounts, a), a);
        if (policy && policy->type == NODE_MAP)
                plain = node_with(plain, "restart", restart_of(policy, a), a);
        if (is_other_mode(mode))
                plain = node_with(plain, "network_mode", node_string(&mode->at, "none", a), a);
        if (!service_is_on(whole, profiles))
                plain = node_with(node_without(plain, "deploy", a), "scale", none_at(&whole->at, a), a);
        return plain;
}

static const struct node *adjust(const struct node *whole, const struct node *plain, const char *profiles,
                                 struct arena *a) {
        const struct node *services = node_get(plain, "services"), *from = node_get(whole, "services");
        struct node_entry *entries;

        if (!services || services->type != NODE_MAP)
                return plain;
        entries = arena_array(a, services->n, sizeof(*entries));
        for (size_t i = 0; i < services->n; i++) {
                entries[i] = services->entries[i];
                entries[i].value = adjust_service(from->entries[i].value, services->entries[i].value, profiles, a);
        }
        return node_with(plain, "services", node_map(&services->at, entries, services->n, a), a);
}

/*
 * Checks
 */

/* A misspelt key would be found by docker compose on the host only. */
static int check_keys(const struct node *service, struct arena *a, struct fault *reterr) {
        const struct field *fields = compose_service_table.fields;
        const char **known = NULL, *closest;
        size_t n = 0;
        bool is_known;

        for (const struct field *f = fields; f->key; f++)
                *(const char **)arena_push(a, &known, &n, sizeof(*known)) = f->key;
        *(const char **)arena_push(a, &known, &n, sizeof(*known)) = NULL;
        for (size_t i = 0; service->type == NODE_MAP && i < service->n; i++) {
                const char *key = service->entries[i].key;
                int r;

                is_known = str_after(key, "x-") || compose_is_refused(key);
                for (size_t k = 0; !is_known && known[k]; k++)
                        is_known = str_eq(known[k], key);
                closest = is_known ? NULL : closest_name(key, known);
                if (!closest)
                        continue;
                r = fault_set_code_at(reterr, &service->entries[i].at, REASON_LOAD_INVALID, "there is no key '%s'",
                                      key);
                fault_hint(reterr, "did you mean '%s'?", closest);
                return r;
        }
        return 0;
}

/* What is needed must run. */
static int check_profiles(const struct compose *c, struct fault *reterr) {
        const struct compose_service *services = c->services.items;

        for (size_t i = 0; i < c->services.n; i++) {
                const struct compose_depend *depends = services[i].depends_on.items;

                for (size_t d = 0; services[i].replicas > 0 && d < services[i].depends_on.n; d++) {
                        const struct compose_service *on = compose_find(c, depends[d].service.text);
                        int r;

                        if (!on || on->replicas > 0 || !depends[d].required || !node_get(on->node, "profiles"))
                                continue;
                        r = fault_set_code_at(reterr, &depends[d].service.at, REASON_LOAD_REFERENCE,
                                              "service '%s' is needed, but its profile is not on", on->name.text);
                        fault_hint(reterr, "set COMPOSE_PROFILES in the app's .env or the environment's variables");
                        return r;
                }
        }
        return 0;
}

/* The model's services with all that the file says of them. */
static void keep_nodes(struct compose *c) {
        struct compose_service *services = c->services.items;
        const struct node *from = node_get(c->root, "services");

        for (size_t i = 0; i < c->services.n; i++)
                services[i].node = node_get(from, services[i].name.text);
}

int compose_leave_other(const struct node *root, const struct variables *variables, struct arena *a,
                        const struct node **ret, struct fault *reterr) {
        const struct node *services = node_get(root, "services");
        int r = compose_refuse_whole(root, reterr);

        for (size_t i = 0; r == 0 && services && services->type == NODE_MAP && i < services->n; i++)
                r = check_keys(services->entries[i].value, a, reterr);
        if (r == 0)
                *ret = adjust(root, filter_map(root, keep_document, a), variables_get(variables, "COMPOSE_PROFILES"),
                              a);
        return r;
}

int compose_keep_other(struct compose *c, struct fault *reterr) {
        keep_nodes(c);
        return check_profiles(c, reterr);
}
