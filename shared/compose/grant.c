/* SPDX-License-Identifier: Apache-2.0 */

/* Configs and secrets, and other content of the app that goes into a container's specification */

#include "shared/compose/compose_private.h"

#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"

/*
 * Top level: configs: {name: {file | content | environment}}, secrets: {name: {file}}
 */

static const struct field content_fields[] = {
        { .key = "file", .type = FIELD_TEXT, COMPOSE_AT(content_draft, file), .doc = "A file of the app." },
        { .key = "content",
          .type = FIELD_TEXT,
          COMPOSE_AT(content_draft, content),
          .flags = FIELD_SCALAR,
          .doc = "The content itself; configs only." },
        { .key = "environment",
          .type = FIELD_TEXT,
          COMPOSE_AT(content_draft, environment),
          .doc = "A variable that holds the content; configs only." },
        { .key = "name", .type = FIELD_STRING, COMPOSE_AT(content_draft, name), .doc = "A name for people." },
        { .key = NULL },
};

static int check_content(void *object, const struct node *node, struct fault *reterr) {
        const struct content_draft *c = object;
        int n = !!c->file.text + !!c->content.text + !!c->environment.text;

        if (n == 1)
                return 0;
        return fault_set_code_at(reterr, n == 0 ? &c->key.at : &node->at, REASON_LOAD_INVALID,
                                 "'%s' has %s of file, content and environment", c->key.text,
                                 n == 0 ? "none" : "more than one");
}

const struct table compose_content_table = {
        .title = "Content",
        .size = sizeof(struct content_draft),
        .fields = content_fields,
        .position = offsetof(struct content_draft, at) + 1,
        .map_key = offsetof(struct content_draft, key) + 1,
        .extension_prefix = "x-",
        .check = check_content,
};

/*
 * In a service: [name] or [{source, target, uid, gid, mode}]
 */

static int read_id(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct text_at text;
        uint64_t id;
        int r = compose_text(node, &text, reterr);

        if (r < 0)
                return r;
        if (parse_u64(text.text, &id) < 0 || id > UINT32_MAX)
                return fault_set_code_at(reterr, &text.at, REASON_LOAD_INVALID,
                                         "'%s' is not the number of a user or group", text.text);
        *(int64_t *)slot = (int64_t)id;
        return 0;
}

static const struct field grant_fields[] = {
        { .key = "source",
          .type = FIELD_TEXT,
          COMPOSE_AT(grant_draft, source),
          .flags = FIELD_REQUIRED,
          .doc = "The key under the top level's configs or secrets." },
        { .key = "target",
          .type = FIELD_TEXT,
          COMPOSE_AT(grant_draft, target),
          .format = "non-empty",
          .doc = "The file in the container." },
        { .key = "uid",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(grant_draft, uid),
          .read = read_id,
          .schema = COMPOSE_SCHEMA_BYTES,
          .doc = "Its owner." },
        { .key = "gid",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(grant_draft, gid),
          .read = read_id,
          .schema = COMPOSE_SCHEMA_BYTES,
          .doc = "Its group." },
        { .key = "mode",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(grant_draft, mode),
          .read = compose_read_mode,
          .schema = COMPOSE_SCHEMA_BYTES,
          .doc = "Permission bits, octal." },
        { .key = NULL },
};

static int read_grant_short(const struct node *node, void *object, struct arena *a, struct fault *reterr) {
        return compose_text(node, &((struct grant_draft *)object)->source, reterr);
}

static const struct table grant_table = {
        .title = "Grant",
        .size = sizeof(struct grant_draft),
        .fields = grant_fields,
        .position = offsetof(struct grant_draft, at) + 1,
        .extension_prefix = "x-",
        .read_short = read_grant_short,
        .short_schema = COMPOSE_SCHEMA_STRING,
};

static int read_grant(const struct node *value, const struct node_entry *entry, void *item, struct arena *a,
                      struct fault *reterr) {
        struct grant_draft *grant = item;
        int r = table_read(&grant_table, value, grant, a, reterr);

        if (r < 0)
                return r;
        grant->uid = node_get(value, "uid") ? grant->uid : -1;
        grant->gid = node_get(value, "gid") ? grant->gid : -1;
        grant->mode = node_get(value, "mode") ? grant->mode : 0444;
        return 0;
}

int compose_read_grants(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        return compose_read_items(node, COMPOSE_LIST, sizeof(struct grant_draft), read_grant, a, slot, reterr);
}

/*
 * Looking up what is granted
 */

static const struct content_draft *find_content(const struct struct_list *list, const char *key) {
        const struct content_draft *items = list->items;

        for (size_t i = 0; i < list->n; i++)
                if (str_eq(items[i].key.text, key))
                        return &items[i];
        return NULL;
}

static int resolve_file(const struct compose_context *x, const struct content_draft *c, struct compose_grant *g,
                        struct fault *reterr) {
        const char *path = app_path_normalize(c->file.text, x->arena);
        const struct app_file *file = path ? app_files_find(x->in->files, path) : NULL;

        if (!file)
                return compose_fault_missing(reterr, &c->file.at, x->in->files, "the file", c->file.text);
        g->path = file->path;
        g->bytes = file->bytes;
        g->size = file->size;
        return 0;
}

static int resolve_content(const struct compose_context *x, const struct content_draft *c, struct compose_grant *g,
                           struct fault *reterr) {
        const char *text = c->content.text;

        if (c->file.text)
                return resolve_file(x, c, g, reterr);
        if (c->environment.text) {
                text = variables_get(x->in->variables, c->environment.text);
                if (!text)
                        return fault_set_code_at(reterr, &c->environment.at, REASON_LOAD_REFERENCE,
                                                 "variable '%s' is not set", c->environment.text);
        }
        g->bytes = text;
        g->size = strlen(text);
        return 0;
}

/* Where docker compose puts it: a config at /<target>, a secret under /run/secrets, unless the target is absolute. */
static const char *target_of(const struct grant_draft *d, bool secret, struct arena *a) {
        const char *target = d->target.text ? d->target.text : d->source.text;

        if (*target != '/')
                target = arena_printf(a, "%s/%s", secret ? "/run/secrets" : "", target);
        return compose_target(target, a);
}

static int resolve_grant(const struct compose_context *x, const struct grant_draft *d, bool secret,
                         struct compose_grant *g, struct fault *reterr) {
        const struct struct_list *contents = secret ? &x->draft->secrets : &x->draft->configs;
        const struct content_draft *c = find_content(contents, d->source.text);
        int r;

        if (!c)
                return fault_set_code_at(reterr, &d->source.at, REASON_LOAD_REFERENCE,
                                         "there is no '%s' under the top-level '%s'", d->source.text,
                                         secret ? "secrets" : "configs");
        *g = (struct compose_grant){
                .source = d->source.text,
                .secret = secret,
                .target = target_of(d, secret, x->arena),
                .uid = d->uid,
                .gid = d->gid,
                .mode = d->mode,
                .at = d->at,
        };
        if (!g->target)
                return fault_set_code_at(reterr, d->target.text ? &d->target.at : &d->source.at, REASON_LOAD_INVALID,
                                         "'%s' is not a path in the container",
                                         d->target.text ? d->target.text : d->source.text);
        r = resolve_content(x, c, g, reterr);
        if (r < 0)
                return r;
        g->digest = digest_of(g->bytes, g->size);
        return 0;
}

int compose_resolve_grants(const struct compose_context *x, struct service_draft *d, struct fault *reterr) {
        const struct struct_list *lists[] = { &d->configs, &d->secrets };
        struct struct_list *out = &d->s.grants;

        for (size_t k = 0; k < 2; k++)
                for (size_t i = 0; i < lists[k]->n; i++) {
                        const struct grant_draft *g = (const struct grant_draft *)lists[k]->items + i;
                        int r = resolve_grant(x, g, k == 1,
                                              arena_push(x->arena, &out->items, &out->n, sizeof(struct compose_grant)),
                                              reterr);
                        if (r < 0)
                                return r;
                }
        return 0;
}

/*
 * security_opt: the engine wants a seccomp profile's text, a compose file names a file
 */

static int resolve_seccomp(const struct compose_context *x, struct text_at *option, const char *name,
                           struct fault *reterr) {
        const char *path = app_path_normalize(name, x->arena);
        const struct app_file *file = path ? app_files_find(x->in->files, path) : NULL;

        if (!file)
                return compose_fault_missing(reterr, &option->at, x->in->files, "the seccomp profile", name);
        if (!utf8_is_valid(file->bytes, file->size) || memchr(file->bytes, '\0', file->size))
                return fault_set_code_at(reterr, &option->at, REASON_LOAD_INVALID, "the seccomp profile is not text");
        option->text = arena_printf(x->arena, "seccomp=%.*s", (int)file->size, (const char *)file->bytes);
        return 0;
}

int compose_resolve_security(const struct compose_context *x, struct service_draft *d, struct fault *reterr) {
        for (size_t i = 0; i < d->s.security_opt.n; i++) {
                struct text_at *option = &d->s.security_opt.items[i];
                const char *name = str_after(option->text, "seccomp=");
                int r;

                if (!name)
                        name = str_after(option->text, "seccomp:");
                if (!name)
                        continue;
                if (str_eq(name, "unconfined") || str_eq(name, "builtin")) {
                        option->text = arena_printf(x->arena, "seccomp=%s", name);
                        continue;
                }
                r = resolve_seccomp(x, option, name, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}
