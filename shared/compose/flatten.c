/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Flatten: `include` and `extends` put in, so that one document says it all (Compose Specification, 14-include.md and
 * "extends" in 05-services.md). Only files of the app are taken: what is fetched from elsewhere was not signed.
 */

#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/yaml.h"
#include "shared/compose/merge.h"
#include "shared/compose/compose_private.h"

struct flatten {
        const struct compose_input *in;
        struct arena *arena;
        size_t n_files;
};

/* One compose file, with all its paths as seen from the app's folder but those of other compose files. */
struct file {
        const struct node *root;
        const char *folder; /* that it lies in */
};

/*
 * Files
 */

static bool is_remote(const char *path) {
        static const char *const starts[] = { "git@", "github.com/", "oci:", "ssh:" };

        for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
                if (str_after(path, starts[i]))
                        return true;
        return strstr(path, "://") != NULL;
}

static int fault_outside(const struct flatten *f, const struct text_at *path, const char *key, struct fault *reterr) {
        const char *folder = f->in->files->folder;
        int r;

        if (is_remote(path->text)) {
                r = fault_set_code_at(reterr, &path->at, REASON_LOAD_REFERENCE,
                                      "'%s' is remote: '%s' takes files of %s/ only", path->text, key, folder);
                fault_hint(reterr, "commit a copy there: what runs is what was signed");
                return r;
        }
        return fault_set_code_at(reterr, &path->at, REASON_LOAD_REFERENCE, "'%s' is outside of %s/", path->text,
                                 folder);
}

/* The folder that @path lies in, seen from the app's. */
static const char *folder_of(const char *path, struct arena *a) {
        const char *slash = strrchr(path, '/');

        return slash ? arena_strndup(a, path, (size_t)(slash - path)) : "";
}

/* @base: the folder that its paths are meant from; NULL: its own. */
static int load(struct flatten *f, const struct text_at *written, const char *folder, const char *key, const char *base,
                struct file *ret, struct fault *reterr) {
        const char *path = is_remote(written->text) ? NULL : compose_path_from(folder, written->text, f->arena);
        const struct app_file *file = path ? app_files_find(f->in->files, path) : NULL;
        const struct node *root;
        int r;

        if (!path)
                return fault_outside(f, written, key, reterr);
        if (!file)
                return compose_fault_missing(reterr, &written->at, f->in->files, "the file", written->text);
        if (++f->n_files > LIMIT_COMPOSE_FILES)
                return fault_set_code_at(reterr, &written->at, REASON_LOAD_LIMIT,
                                         "more than %d files are included or extended (LIMIT_COMPOSE_FILES)",
                                         LIMIT_COMPOSE_FILES);
        r = yaml_parse(arena_printf(f->arena, "%s/%s", f->in->files->folder, path), file->bytes, file->size, f->arena,
                       &root, reterr);
        if (r == 0)
                r = interpolate_node(root, f->in->variables, f->arena, &root, reterr);
        if (r < 0)
                return r;
        ret->folder = folder_of(path, f->arena);
        ret->root = compose_rebase_document(root, base ? base : ret->folder, f->arena);
        return 0;
}

/*
 * extends
 */

static int fault_deep(const struct source_pos *at, const char *what, struct fault *reterr) {
        return fault_set_code_at(reterr, at, REASON_LOAD_INVALID, "%s each other in a circle, or more than %d deep",
                                 what, LIMIT_EXTENDS_DEPTH);
}

static int fault_no_service(const struct node *services, const struct text_at *name, struct arena *a,
                            struct fault *reterr) {
        size_t n = services && services->type == NODE_MAP ? services->n : 0;
        const char **known = arena_array(a, n + 1, sizeof(*known)), *closest;
        int r = fault_set_code_at(reterr, &name->at, REASON_LOAD_REFERENCE, "there is no service '%s' to extend",
                                  name->text);

        for (size_t i = 0; i < n; i++)
                known[i] = services->entries[i].key;
        closest = closest_name(name->text, known);
        if (closest)
                fault_hint(reterr, "did you mean '%s'?", closest);
        return r;
}

/* extends: name, or {service: name, file: path}. */
static int read_extends(const struct node *node, struct text_at *service, struct text_at *file, struct fault *reterr) {
        const struct node *name = node->type == NODE_MAP ? node_get(node, "service") : node,
                          *path = node_get(node, "file");
        int r;

        if (!name)
                return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID, "'extends' has no 'service'");
        r = compose_text(name, service, reterr);
        if (r == 0 && path)
                r = compose_text(path, file, reterr);
        return r;
}

static int flatten_service(struct flatten *f, const struct file *file, const struct text_at *name, unsigned depth,
                           const struct node **ret, struct fault *reterr) {
        const struct node *services = node_get(file->root, "services"), *service = node_get(services, name->text),
                          *extends, *base;
        struct text_at from = { .text = NULL }, path = { .text = NULL };
        struct file other = *file;
        int r;

        if (!service)
                return fault_no_service(services, name, f->arena, reterr);
        extends = node_get(service, "extends");
        if (service->type != NODE_MAP || !extends) {
                *ret = service;
                return 0;
        }
        if (depth > LIMIT_EXTENDS_DEPTH)
                return fault_deep(&extends->at, "services extend", reterr);
        r = read_extends(extends, &from, &path, reterr);
        if (r == 0 && path.text)
                r = load(f, &path, file->folder, "extends", NULL, &other, reterr);
        if (r == 0)
                r = flatten_service(f, &other, &from, depth + 1, &base, reterr);
        if (r < 0)
                return r;
        if (base->type != NODE_MAP)
                return compose_expected(base, "a service", reterr);
        *ret = node_without(compose_merge_service(base, service, f->arena), "extends", f->arena);
        return 0;
}

static int flatten_services(struct flatten *f, struct file *file, struct fault *reterr) {
        const struct node *services = node_get(file->root, "services");
        struct node_entry *entries;

        if (!services || services->type != NODE_MAP)
                return 0;
        entries = arena_array(f->arena, services->n, sizeof(*entries));
        for (size_t i = 0; i < services->n; i++) {
                const struct text_at name = { .text = services->entries[i].key, .at = services->entries[i].at };
                int r;

                entries[i] = services->entries[i];
                r = flatten_service(f, file, &name, 1, &entries[i].value, reterr);
                if (r < 0)
                        return r;
        }
        file->root =
                node_with(file->root, "services", node_map(&services->at, entries, services->n, f->arena), f->arena);
        return 0;
}

/*
 * include
 */

/* What an included file declares, beside what is there. The same name twice is one too many. */
static int add_resources(struct flatten *f, struct file *file, const struct node *from, struct fault *reterr) {
        static const char *const keys[] = { "services", "networks", "volumes", "configs", "secrets" };

        for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
                const struct node *theirs = node_get(from, keys[k]), *ours = node_get(file->root, keys[k]);

                if (!theirs || theirs->type != NODE_MAP)
                        continue;
                if (!ours || ours->type != NODE_MAP)
                        ours = node_map(&theirs->at, NULL, 0, f->arena);
                for (size_t i = 0; i < theirs->n; i++) {
                        const struct node_entry *e = &theirs->entries[i];

                        if (node_get(ours, e->key))
                                return fault_set_code_at(reterr, &e->at, REASON_LOAD_INVALID,
                                                         "'%s' of '%s' is declared by another file, too", e->key,
                                                         keys[k]);
                        ours = node_with(ours, e->key, e->value, f->arena);
                }
                file->root = node_with(file->root, keys[k], ours, f->arena);
        }
        return 0;
}

static int flatten_file(struct flatten *f, struct file *file, unsigned depth, struct fault *reterr);

/* include: path, or {path: path or [path], project_directory: folder}. */
static int include_one(struct flatten *f, struct file *file, const struct node *item, unsigned depth,
                       struct fault *reterr) {
        const struct node *path = item->type == NODE_MAP ? node_get(item, "path") : item,
                          *directory = node_get(item, "project_directory"), *env_file = node_get(item, "env_file");
        struct text_at written, folder = { .text = NULL };
        const char *base = NULL;
        struct file other;
        int r;

        if (env_file)
                return fault_set_code_at(
                        reterr, &env_file->at, REASON_LOAD_INVALID,
                        "an included file has no 'env_file' of its own: variables come from the app's .env and "
                        "the environment");
        if (path && path->type == NODE_LIST && path->n == 1)
                path = path->items[0];
        if (!path)
                return fault_set_code_at(reterr, &item->at, REASON_LOAD_INVALID, "'include' has no 'path'");
        r = compose_text(path, &written, reterr);
        if (r == 0 && directory)
                r = compose_text(directory, &folder, reterr);
        if (r < 0)
                return r;
        if (folder.text) {
                base = compose_path_from(file->folder, folder.text, f->arena);
                if (!base)
                        return fault_outside(f, &folder, "include", reterr);
        }
        if (depth > LIMIT_EXTENDS_DEPTH)
                return fault_deep(&written.at, "files include", reterr);
        r = load(f, &written, file->folder, "include", base, &other, reterr);
        if (r == 0)
                r = flatten_file(f, &other, depth + 1, reterr);
        return r < 0 ? r : add_resources(f, file, other.root, reterr);
}

static int flatten_file(struct flatten *f, struct file *file, unsigned depth, struct fault *reterr) {
        const struct node *include = node_get(file->root, "include");
        int r = flatten_services(f, file, reterr);

        if (r < 0 || !include)
                return r;
        file->root = node_without(file->root, "include", f->arena);
        if (include->type != NODE_LIST)
                return include->type == NODE_NULL ? 0 : compose_expected(include, "a list", reterr);
        for (size_t i = 0; r == 0 && i < include->n; i++)
                r = include_one(f, file, include->items[i], depth, reterr);
        return r;
}

int compose_flatten(const struct node *root, const struct compose_input *in, struct arena *a, const struct node **ret,
                    struct fault *reterr) {
        struct flatten f = { .in = in, .arena = a };
        struct file file = { .root = root, .folder = "" };
        int r;

        if (root->type != NODE_MAP)
                return compose_expected(root, "a map", reterr);
        r = flatten_file(&f, &file, 1, reterr);
        if (r < 0)
                return r;
        *ret = file.root;
        return 0;
}
