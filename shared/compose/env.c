/* SPDX-License-Identifier: Apache-2.0 */

/* What a container finds in its environment: env files, then `environment`, later ones win */

#include "shared/compose/compose_private.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/compose/dotenv.h"

/*
 * env_file: path, or [path], or [{path, required, format}]
 */

static int read_format(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct text_at text;
        int r = compose_text(node, &text, reterr);

        if (r < 0)
                return r;
        *(bool *)slot = str_eq(text.text, "raw");
        if (*(bool *)slot || *text.text == '\0')
                return 0;
        return fault_set_code_at(reterr, &text.at, REASON_LOAD_INVALID, "the only 'format' of an env file is raw");
}

static const struct field env_file_fields[] = {
        { .key = "path",
          .type = FIELD_TEXT,
          COMPOSE_AT(env_file, path),
          .flags = FIELD_REQUIRED,
          .doc = "A file of the app." },
        { .key = "required",
          .type = FIELD_BOOL,
          COMPOSE_AT(env_file, required),
          .absent = true,
          .doc = "Whether it must be there." },
        { .key = "format",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(env_file, raw),
          .read = read_format,
          .schema = "{\"enum\":[\"raw\"]}",
          .doc = "raw: values as they stand." },
        { .key = NULL },
};

static int read_env_file_short(const struct node *node, void *object, struct arena *a, struct fault *reterr) {
        struct env_file *file = object;

        file->required = true;
        return compose_text(node, &file->path, reterr);
}

static const struct table env_file_table = {
        .title = "EnvFile",
        .size = sizeof(struct env_file),
        .fields = env_file_fields,
        .extension_prefix = "x-",
        .read_short = read_env_file_short,
        .short_schema = COMPOSE_SCHEMA_STRING,
};

int compose_read_env_files(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct struct_list *list = slot;
        size_t n = node->type == NODE_LIST ? node->n : 1;
        struct env_file *items;

        if (node->type == NODE_NULL)
                return 0;
        items = arena_array(a, n, sizeof(*items));
        for (size_t i = 0; i < n; i++) {
                const struct node *item = node->type == NODE_LIST ? node->items[i] : node;
                int r = table_read(&env_file_table, item, &items[i], a, reterr);

                if (r < 0)
                        return r;
        }
        *list = (struct struct_list){ .items = items, .n = n };
        return 0;
}

/*
 * Putting them together
 */

/* A pair with its place, so that the last of equal keys wins. */
struct placed {
        struct string_pair pair;
        size_t place;
};

struct collection {
        struct placed *items;
        size_t n;
};

static void add_pair(const struct compose_context *x, struct collection *all, const struct string_pair *pair) {
        struct placed *p = arena_push(x->arena, &all->items, &all->n, sizeof(*p));

        *p = (struct placed){ .pair = *pair, .place = all->n };
        /* A name alone takes the value of the desired state's variable. Without one the image's own is unset. */
        if (!p->pair.value.text)
                p->pair.value.text = variables_get(x->in->variables, pair->key.text);
}

static int add_env_file(const struct compose_context *x, const struct env_file *env, struct collection *all,
                        struct fault *reterr) {
        const struct app_files *files = x->in->files;
        const char *path = app_path_normalize(env->path.text, x->arena);
        const struct app_file *file = path ? app_files_find(files, path) : NULL;
        struct string_map pairs;
        struct dotenv_input in;
        int r;

        if (!file && path && !env->required)
                return 0;
        if (!file)
                return compose_fault_missing(reterr, &env->path.at, files, "the env file", env->path.text);
        in = (struct dotenv_input){
                .name = arena_printf(x->arena, "%s/%s", files->folder, file->path),
                .bytes = file->bytes,
                .size = file->size,
                .raw = env->raw,
                .variables = x->in->variables,
        };
        r = dotenv_parse(&in, x->arena, &pairs, reterr);
        if (r < 0)
                return r;
        for (size_t i = 0; i < pairs.n; i++)
                add_pair(x, all, &pairs.items[i]);
        return 0;
}

static int compare_placed(const void *a, const void *b) {
        const struct placed *x = a, *y = b;
        int order = strcmp(x->pair.key.text, y->pair.key.text);

        return order ? order : (x->place > y->place) - (x->place < y->place);
}

int compose_resolve_env(const struct compose_context *x, struct service_draft *d, struct fault *reterr) {
        const struct env_file *env_files = d->env_files.items;
        struct collection all = { 0 };
        struct string_map *out = &d->s.environment;

        for (size_t i = 0; i < d->env_files.n; i++) {
                int r = add_env_file(x, &env_files[i], &all, reterr);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < d->environment.n; i++)
                add_pair(x, &all, &d->environment.items[i]);

        if (all.n > 1)
                qsort(all.items, all.n, sizeof(*all.items), compare_placed);
        out->items = arena_array(x->arena, all.n, sizeof(*out->items));
        for (size_t i = 0; i < all.n; i++)
                if (i + 1 == all.n || !str_eq(all.items[i].pair.key.text, all.items[i + 1].pair.key.text))
                        out->items[out->n++] = all.items[i].pair;
        return 0;
}
