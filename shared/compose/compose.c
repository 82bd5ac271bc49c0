/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/compose/compose.h"

#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/compose/compose_private.h"

/* [a-z0-9][a-z0-9_-]*, and the dots that an app's name may have. */
static int read_project(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct text_at text;
        int r = compose_text(node, &text, reterr);

        if (r < 0)
                return r;
        *(const char **)slot = text.text;
        if (name_is_valid(text.text))
                return 0;
        r = fault_set_code_at(reterr, &text.at, REASON_LOAD_INVALID, "'%s' is not the name of a project", text.text);
        fault_hint(reterr, "lower-case letters, digits, '-' and '_', beginning with a letter or digit");
        return r;
}

static const struct field draft_fields[] = {
        { .key = "name",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(compose_draft, name),
          .read = read_project,
          .schema = COMPOSE_SCHEMA_STRING,
          .doc = "The project; default: the app's name." },
        { .key = "version",
          .type = FIELD_STRING,
          COMPOSE_AT(compose_draft, version),
          .flags = FIELD_SCALAR | FIELD_NULLABLE | FIELD_HIDDEN,
          .doc = "Obsolete, without effect." },
        { .key = "services",
          .type = FIELD_STRUCT_MAP,
          COMPOSE_AT(compose_draft, services),
          .flags = FIELD_REQUIRED,
          .sub = &compose_service_table,
          .doc = "What runs." },
        { .key = "networks",
          .type = FIELD_STRUCT_MAP,
          COMPOSE_AT(compose_draft, networks),
          .flags = FIELD_NULLABLE,
          .sub = &compose_network_table,
          .doc = "Networks." },
        { .key = "volumes",
          .type = FIELD_STRUCT_MAP,
          COMPOSE_AT(compose_draft, volumes),
          .flags = FIELD_NULLABLE,
          .sub = &compose_volume_table,
          .doc = "Volumes." },
        { .key = "configs",
          .type = FIELD_STRUCT_MAP,
          COMPOSE_AT(compose_draft, configs),
          .flags = FIELD_NULLABLE,
          .sub = &compose_content_table,
          .doc = "Configs." },
        { .key = "secrets",
          .type = FIELD_STRUCT_MAP,
          COMPOSE_AT(compose_draft, secrets),
          .flags = FIELD_NULLABLE,
          .sub = &compose_content_table,
          .doc = "Secrets." },
        { .key = NULL },
};

const struct table compose_draft_table = {
        .title = "Compose",
        .size = sizeof(struct compose_draft),
        .fields = draft_fields,
        .position = offsetof(struct compose_draft, at) + 1,
        .extension_prefix = "x-",
        .doc = "The part of the Compose Specification that the docker runtime carries out.",
};

json_t *compose_schema(void) {
        return table_schema(&compose_draft_table);
}

/*
 * Reading
 */

static int read_image(const struct compose_context *x, struct compose_service *s, struct fault *reterr) {
        return s->image.text ? image_parse(&s->image, x->arena, &s->ref, reterr) : 0;
}

static int resolve_service(const struct compose_context *x, struct service_draft *d, struct fault *reterr) {
        static int (*const stages[])(const struct compose_context *x, struct service_draft *d, struct fault *reterr) = {
                compose_resolve_env,      compose_resolve_mounts,      compose_resolve_grants,
                compose_resolve_security, compose_resolve_attachments,
        };
        int r = read_image(x, &d->s, reterr);

        for (size_t i = 0; r == 0 && i < sizeof(stages) / sizeof(stages[0]); i++)
                r = stages[i](x, d, reterr);
        return r;
}

static int resolve_services(const struct compose_context *x, struct fault *reterr) {
        struct service_draft *drafts = x->draft->services.items;
        size_t n = x->draft->services.n;
        struct compose_service *services = arena_array(x->arena, n, sizeof(*services));

        for (size_t i = 0; i < n; i++) {
                int r = resolve_service(x, &drafts[i], reterr);
                if (r < 0)
                        return r;
                services[i] = drafts[i].s;
                services[i].at = drafts[i].s.name.at;
        }
        x->compose->services = (struct struct_list){ .items = services, .n = n };
        return 0;
}

/* Also those of contents that no service uses: a missing file is a mistake wherever it is named. */
static int check_contents(const struct compose_context *x, const struct struct_list *list, struct fault *reterr) {
        const struct content_draft *items = list->items;

        for (size_t i = 0; i < list->n; i++) {
                const char *path = items[i].file.text ? app_path_normalize(items[i].file.text, x->arena) : NULL;

                if (items[i].file.text && (!path || !app_files_find(x->in->files, path)))
                        return compose_fault_missing(reterr, &items[i].file.at, x->in->files, "the file",
                                                     items[i].file.text);
        }
        return 0;
}

static int check_size(const struct compose_draft *draft, struct fault *reterr) {
        if (draft->services.n == 0)
                return fault_set_code_at(reterr, &draft->at, REASON_LOAD_INVALID, "the compose file has no services");
        if (draft->services.n > LIMIT_SERVICES)
                return fault_set_code_at(reterr, &draft->at, REASON_LOAD_LIMIT,
                                         "the compose file has more than %d services (LIMIT_SERVICES)", LIMIT_SERVICES);
        return 0;
}

int compose_resolve(const struct compose_context *x, struct fault *reterr) {
        int r = check_size(x->draft, reterr);

        if (r == 0)
                r = resolve_services(x, reterr);
        if (r == 0)
                r = check_contents(x, &x->draft->configs, reterr);
        if (r == 0)
                r = check_contents(x, &x->draft->secrets, reterr);
        if (r == 0)
                r = compose_resolve_resources(x, reterr);
        if (r == 0)
                r = compose_check_services(x->compose, reterr);
        return r < 0 ? r : compose_order(x->compose, x->arena, reterr);
}

/* @root as the tables read it. */
static int prepare(const struct node *root, const struct compose_input *in, struct arena *a, struct compose *compose,
                   const struct node **ret, struct fault *reterr) {
        bool other = in->keys & COMPOSE_KEYS_OTHER;
        int r = other ? 0 : compose_refuse(root, in->keys, reterr);

        if (r == 0)
                r = interpolate_node(root, in->variables, a, &compose->root, reterr);
        if (r == 0 && in->keys & COMPOSE_KEYS_FILES)
                r = compose_flatten(compose->root, in, a, &compose->root, reterr);
        if (r < 0)
                return r;
        *ret = compose->root;
        return other ? compose_leave_other(compose->root, in->variables, a, ret, reterr) : 0;
}

int compose_read(const struct node *root, const struct compose_input *in, struct arena *a, struct compose *ret,
                 struct fault *reterr) {
        struct compose_draft draft;
        struct compose compose = { .app = in->app, .files = in->files };
        struct compose_context x = { .in = in, .draft = &draft, .compose = &compose, .arena = a };
        const struct node *plain;
        int r;

        if (root->type == NODE_NULL)
                return fault_set_code_at(reterr, &root->at, REASON_LOAD_INVALID, "the compose file is empty");
        r = prepare(root, in, a, &compose, &plain, reterr);
        if (r == 0)
                r = table_read(&compose_draft_table, plain, &draft, a, reterr);
        if (r < 0)
                return r;
        compose.project = draft.name ? draft.name : in->app;
        r = compose_resolve(&x, reterr);
        if (r == 0 && in->keys & COMPOSE_KEYS_OTHER)
                r = compose_keep_other(&compose, reterr);
        if (r == 0)
                *ret = compose;
        return r;
}

/*
 * Looking up
 */

const struct compose_service *compose_find(const struct compose *c, const char *service) {
        const struct compose_service *items = c->services.items;

        for (size_t i = 0; i < c->services.n; i++)
                if (str_eq(items[i].name.text, service))
                        return &items[i];
        return NULL;
}

const struct compose_network *compose_find_network(const struct compose *c, const char *key) {
        const struct compose_network *items = c->networks.items;

        for (size_t i = 0; i < c->networks.n; i++)
                if (str_eq(items[i].key, key))
                        return &items[i];
        return NULL;
}

const struct compose_volume *compose_find_volume(const struct compose *c, const char *key) {
        const struct compose_volume *items = c->volumes.items;

        for (size_t i = 0; i < c->volumes.n; i++)
                if (str_eq(items[i].key, key))
                        return &items[i];
        return NULL;
}
