/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/cli/lock_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/desired/tree.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/yaml.h"
#include "shared/compose/dotenv.h"

#define DEFAULT_FILE "compose.yaml"

struct reader {
        struct arena *arena;
        const char *environment, *app;
        struct tree *tree; /* the app's folder and the environment's */
};

/* A file as text in the arena; bytes NULL when it is not there. */
struct text {
        const char *path;
        const char *bytes;
        size_t size;
};

const char *lock_tree_path(const char *environment, const char *app, struct arena *a) {
        return arena_printf(a, "environments/%s/%s.yaml", environment, app);
}

static int read_text(const struct reader *rd, const char *folder, const char *name, struct text *ret,
                     struct fault *reterr) {
        size_t i;
        int r;

        *ret = (struct text){ .path = arena_printf(rd->arena, "%s/%s", folder, name) };
        if (!tree_find(rd->tree, ret->path, &i))
                return 0;
        if (rd->tree->entries[i].type == DESIRED_SYMLINK)
                return fault_set(reterr, FAULT_CONFIG, ELOOP, "%s is a symbolic link", ret->path);
        r = tree_read(rd->tree, i, LIMIT_DOCUMENT_BYTES, reterr);
        if (r < 0)
                return r;
        ret->bytes = rd->tree->entries[i].bytes;
        ret->size = rd->tree->entries[i].size;
        return 0;
}

static int read_table(const struct reader *rd, const struct text *text, const struct table *table, void *object,
                      struct fault *reterr) {
        const struct node *root;
        int r = yaml_parse(text->path, text->bytes, text->size, rd->arena, &root, reterr);

        return r < 0 ? r : table_read(table, root, object, rd->arena, reterr);
}

static int fault_at(const struct source_pos *at, const char *code, const char *message, struct fault *reterr) {
        int r = fault_set_at(reterr, at, "%s", message);

        reterr->code = code;
        return r;
}

/*
 * The compose file
 */

/* As a pass has them: the app's .env, and over it the environment's variables. */
static int read_variables(const struct reader *rd, struct variables *ret, struct fault *reterr) {
        const char *apps = arena_printf(rd->arena, "apps/%s", rd->app);
        struct environment environment = { .order = 0 };
        struct string_map pairs = { 0 };
        struct variables over, under;
        struct text text;
        int r = read_text(rd, arena_printf(rd->arena, "environments/%s", rd->environment), "environment.yaml", &text,
                          reterr);

        if (r == 0 && text.bytes)
                r = read_table(rd, &text, &environment_table, &environment, reterr);
        if (r < 0)
                return r;
        over = variables_of_map(&environment.variables, rd->arena);
        r = read_text(rd, apps, ".env", &text, reterr);
        if (r == 0 && text.bytes)
                r = dotenv_parse(&(struct dotenv_input){ .name = text.path,
                                                         .bytes = text.bytes,
                                                         .size = text.size,
                                                         .variables = &over },
                                 rd->arena, &pairs, reterr);
        if (r < 0)
                return r;
        under = variables_of_map(&pairs, rd->arena);
        *ret = variables_merge(&under, &over, rd->arena);
        return 0;
}

static int read_service(const struct reader *rd, const struct node_entry *entry, const struct variables *variables,
                        struct string_pair *ret, struct fault *reterr) {
        const struct node *image = node_get(entry->value, "image");
        const char *text;
        int r;

        *ret = (struct string_pair){ .key = { entry->key, entry->at }, .value.at = entry->at };
        if (entry->value->type != NODE_MAP)
                return fault_at(&entry->value->at, REASON_LOAD_INVALID, "a service is a map", reterr);
        if (!image)
                return 0;
        if (image->type != NODE_STRING)
                return fault_at(&image->at, REASON_LOAD_INVALID, "an image is a string", reterr);
        r = interpolate_text(image->text, &image->at, variables_lookup, variables, rd->arena, &text, reterr);
        if (r < 0)
                return r;
        ret->value = (struct text_at){ text, image->at };
        return 0;
}

static int compare_pairs(const void *a, const void *b) {
        return strcmp(((const struct string_pair *)a)->key.text, ((const struct string_pair *)b)->key.text);
}

static int read_services(const struct reader *rd, const struct node *root, const struct variables *variables,
                         struct string_map *ret, struct fault *reterr) {
        const struct node *services = node_get(root, "services");
        struct string_map map = { 0 };
        int r;

        if (!services || services->type != NODE_MAP || services->n == 0)
                return fault_at(services ? &services->at : &root->at, REASON_LOAD_INVALID,
                                "the compose file has no services", reterr);
        if (services->n > LIMIT_SERVICES)
                return fault_at(&services->at, REASON_LOAD_LIMIT, "there are too many services (LIMIT_SERVICES)",
                                reterr);
        map.items = arena_array(rd->arena, services->n, sizeof(*map.items));
        map.n = services->n;
        for (size_t i = 0; i < services->n; i++) {
                r = read_service(rd, &services->entries[i], variables, &map.items[i], reterr);
                if (r < 0)
                        return r;
        }
        qsort(map.items, map.n, sizeof(*map.items), compare_pairs);
        *ret = map;
        return 0;
}

/* app.yaml, which may give another name to the compose file, and the runtime. */
static int read_app(const struct reader *rd, const char *folder, struct app *ret, struct fault *reterr) {
        struct app app = { .keep = 0 };
        struct text text;
        int r = read_text(rd, folder, "app.yaml", &text, reterr);

        if (r == 0 && text.bytes)
                r = read_table(rd, &text, &app_table, &app, reterr);
        if (r < 0)
                return r;
        if (!app.file.text)
                app.file.text = DEFAULT_FILE;
        *ret = app;
        return 0;
}

/* The YAML files of the app: a compose file may include and extend these. */
static int read_yaml_files(const struct reader *rd, const char *folder, struct app_files *ret, struct fault *reterr) {
        const char *prefix = arena_printf(rd->arena, "%s/", folder);
        struct tree *t = rd->tree;
        struct desired_entry *files = arena_array(rd->arena, t->n, sizeof(*files));
        size_t n = 0;

        for (size_t i = entries_begin(t->entries, t->n, prefix); i < t->n && str_after(t->entries[i].path, prefix);
             i++) {
                const char *path = t->entries[i].path;
                int r;

                if (t->entries[i].type == DESIRED_SYMLINK ||
                    (!str_ends_with(path, ".yaml") && !str_ends_with(path, ".yml")))
                        continue;
                r = tree_read(t, i, LIMIT_DOCUMENT_BYTES, reterr);
                if (r < 0)
                        return r;
                files[n++] = t->entries[i];
        }
        return app_files_make(folder, files, n, rd->arena, ret, reterr);
}

/* With docker compose a service may stand in a file that is included. */
static int put_in_files(const struct reader *rd, const char *folder, const struct variables *variables,
                        const struct node **root, struct fault *reterr) {
        struct app_files files;
        const struct compose_input in = { .app = rd->app, .files = &files, .variables = variables };
        int r = read_yaml_files(rd, folder, &files, reterr);

        if (r == 0)
                r = interpolate_node(*root, variables, rd->arena, root, reterr);
        return r < 0 ? r : compose_flatten(*root, &in, rd->arena, root, reterr);
}

static int read_compose(const struct reader *rd, struct string_map *ret, struct fault *reterr) {
        const char *folder = arena_printf(rd->arena, "apps/%s", rd->app);
        struct variables variables;
        const struct node *root;
        struct text text;
        struct app app;
        int r = read_app(rd, folder, &app, reterr);

        if (r == 0)
                r = read_text(rd, folder, app.file.text, &text, reterr);
        if (r < 0)
                return r;
        if (!text.bytes)
                return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_REFERENCE, "%s is not there", text.path);
        r = yaml_parse(text.path, text.bytes, text.size, rd->arena, &root, reterr);
        if (r == 0)
                r = read_variables(rd, &variables, reterr);
        if (r == 0 && app.runtime == APP_COMPOSE)
                r = put_in_files(rd, folder, &variables, &root, reterr);
        return r < 0 ? r : read_services(rd, root, &variables, ret, reterr);
}

/*
 * The release
 */

/* Lines of comment above the document: people explain there why a release is as it is. */
static const char *heading_of(const struct text *text, struct arena *a) {
        size_t end = 0;

        while (end < text->size && text->bytes[end] == '#') {
                const char *newline = memchr(text->bytes + end, '\n', text->size - end);

                if (!newline)
                        break;
                end = (size_t)(newline - text->bytes) + 1;
        }
        return arena_strndup(a, text->bytes, end);
}

static int read_release(const struct reader *rd, struct lock_tree *tree, struct fault *reterr) {
        struct release *release = arena_new_of(rd->arena, struct release);
        struct text text;
        int r = read_text(rd, arena_printf(rd->arena, "environments/%s", rd->environment),
                          arena_printf(rd->arena, "%s.yaml", rd->app), &text, reterr);

        tree->heading = "";
        if (r < 0 || !text.bytes)
                return r;
        r = read_table(rd, &text, &release_table, release, reterr);
        if (r < 0)
                return r;
        if (!str_eq(release->app.text, rd->app)) {
                r = fault_at(&release->app.at, REASON_LOAD_REFERENCE,
                             "this release is of another app than its file's name says", reterr);
                fault_hint(reterr, "write '%s' here, or rename the file", rd->app);
                return r;
        }
        tree->release = release;
        tree->heading = heading_of(&text, rd->arena);
        return 0;
}

int lock_tree_read(const char *folder, const char *environment, const char *app, struct arena *a, struct lock_tree *ret,
                   struct fault *reterr) {
        const char *apps = arena_printf(a, "apps/%s", app);
        const char *const below[] = { apps, arena_printf(a, "environments/%s", environment), NULL };
        struct lock_tree tree = { .release = NULL };
        struct reader rd = { .arena = a, .environment = environment, .app = app };
        const char *prefix = arena_printf(a, "%s/", apps);
        size_t first;
        int r = tree_of_folder(folder, below, a, &rd.tree, reterr);

        if (r < 0)
                return r;
        first = entries_begin(rd.tree->entries, rd.tree->n, prefix);
        if (first == rd.tree->n || !str_after(rd.tree->entries[first].path, prefix)) {
                r = fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_REFERENCE, "there is no folder %s", apps);
                fault_hint(reterr, "run it in a working tree of the desired state, or name the tree with --dir");
                return r;
        }
        r = read_compose(&rd, &tree.services, reterr);
        if (r == 0)
                r = read_release(&rd, &tree, reterr);
        if (r < 0)
                return r;
        *ret = tree;
        return 0;
}

int lock_tree_write(const char *folder, const char *environment, const char *app, const struct buffer *text,
                    struct fault *reterr) {
        own_buffer struct buffer name = BUFFER_INIT;
        own_fd int root = -1;
        own_fd int top = -1;
        own_fd int fd = -1;
        int r;

        buffer_printf(&name, "%s.yaml", app);
        r = buffer_check(&name, "a file's name", reterr);
        if (r == 0)
                r = dir_open(AT_FDCWD, folder, &root, reterr);
        if (r == 0)
                r = dir_make(root, "environments", 0755, &top, reterr);
        if (r == 0)
                r = dir_make(top, environment, 0755, &fd, reterr);
        return r < 0 ? r : file_write(fd, name.data, text->data, text->size, 0644, reterr);
}
