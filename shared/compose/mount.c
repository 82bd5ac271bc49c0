/* SPDX-License-Identifier: Apache-2.0 */

/* Mounts: "[source:]target[:options]", the long form, and tmpfs */

#include "shared/compose/compose_private.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"

const char *const compose_mount_type_names[] = {
        [MOUNT_BIND] = "bind",   [MOUNT_VOLUME] = "volume", [MOUNT_TMPFS] = "tmpfs",
        [MOUNT_FILES] = "files", [MOUNT_TYPE_MAX_] = NULL,
};

/*
 * The short form
 */

static const char *const propagations[] = { "private", "rprivate", "shared", "rshared", "slave", "rslave", NULL };

static const char *find_propagation(const char *word) {
        for (size_t i = 0; propagations[i]; i++)
                if (str_eq(word, propagations[i]))
                        return propagations[i];
        return NULL;
}

static int read_option(const char *word, const struct source_pos *at, struct mount_draft *m, struct fault *reterr) {
        const char *propagation = find_propagation(word);
        int r;

        if (str_eq(word, "ro"))
                m->read_only = true;
        else if (str_eq(word, "rw"))
                m->read_only = false;
        else if (str_eq(word, "z"))
                m->bind.selinux = "z";
        else if (str_eq(word, "Z"))
                m->bind.selinux = "Z";
        else if (str_eq(word, "nocopy"))
                m->volume.nocopy = true;
        else if (propagation)
                m->bind.propagation = propagation;
        else {
                r = fault_set_code_at(reterr, at, REASON_LOAD_INVALID, "there is no mount option '%s'", word);
                fault_hint(reterr, "ro rw z Z nocopy and [r]private [r]shared [r]slave are known");
                return r;
        }
        return 0;
}

static int read_options(char *options, const struct source_pos *at, struct mount_draft *m, struct fault *reterr) {
        for (char *word = options, *next; word; word = next) {
                int r;

                next = strchr(word, ',');
                if (next)
                        *next++ = '\0';
                r = read_option(word, at, m, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

static enum compose_mount_type type_of_source(const char *source) {
        return strchr("/.~", *source) ? MOUNT_BIND : MOUNT_VOLUME;
}

static int read_short(const struct node *node, void *object, struct arena *a, struct fault *reterr) {
        struct mount_draft *m = object;
        struct text_at text;
        char *parts[3] = { NULL };
        size_t n = 0;
        int r = compose_text(node, &text, reterr);

        if (r < 0)
                return r;
        for (char *p = arena_strdup(a, text.text); p && n < 3; n++) {
                parts[n] = p;
                p = n < 2 ? strchr(p, ':') : NULL;
                if (p)
                        *p++ = '\0';
        }
        if (*parts[0] == '\0' || (n > 1 && *parts[1] == '\0') || (n > 2 && *parts[2] == '\0')) {
                r = fault_set_code_at(reterr, &text.at, REASON_LOAD_INVALID, "'%s' is not a mount", text.text);
                fault_hint(reterr, "write \"[source:]target[:options]\"");
                return r;
        }
        m->type = MOUNT_VOLUME;
        if (n > 1) {
                m->source = (struct text_at){ .text = parts[0], .at = text.at };
                m->type = (int)type_of_source(parts[0]);
                m->bind.create_host_path = true;
        }
        m->target = (struct text_at){ .text = n > 1 ? parts[1] : parts[0], .at = text.at };
        return n > 2 ? read_options(parts[2], &text.at, m, reterr) : 0;
}

/*
 * The long form
 */

static const char *const long_types[] = {
        [MOUNT_BIND] = "bind",
        [MOUNT_VOLUME] = "volume",
        [MOUNT_TMPFS] = "tmpfs",
        [MOUNT_FILES] = NULL,
};

static int read_propagation(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct text_at text;
        int r = compose_text(node, &text, reterr);

        if (r < 0)
                return r;
        *(const char **)slot = find_propagation(text.text);
        if (*(const char **)slot)
                return 0;
        r = fault_set_code_at(reterr, &text.at, REASON_LOAD_INVALID, "there is no propagation '%s'", text.text);
        fault_hint(reterr, "it is one of private rprivate shared rshared slave rslave");
        return r;
}

static int read_selinux(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct text_at text;
        int r = compose_text(node, &text, reterr);

        if (r < 0)
                return r;
        *(const char **)slot = text.text;
        if (str_eq(text.text, "z") || str_eq(text.text, "Z"))
                return 0;
        return fault_set_code_at(reterr, &text.at, REASON_LOAD_INVALID, "'selinux' is z (shared) or Z (private)");
}

static const struct field bind_fields[] = {
        { .key = "propagation",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(mount_bind, propagation),
          .read = read_propagation,
          .schema = COMPOSE_SCHEMA_STRING,
          .doc = "How mounts below it spread." },
        { .key = "create_host_path",
          .type = FIELD_BOOL,
          COMPOSE_AT(mount_bind, create_host_path),
          .absent = true,
          .doc = "Make the folder on the host when it is missing." },
        { .key = "selinux",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(mount_bind, selinux),
          .read = read_selinux,
          .schema = COMPOSE_SCHEMA_STRING,
          .doc = "Relabel: z shared, Z private." },
        { .key = NULL },
};
static const struct field volume_fields[] = {
        { .key = "nocopy",
          .type = FIELD_BOOL,
          COMPOSE_AT(mount_volume, nocopy),
          .doc = "Leave a new volume empty instead of filling it from the image." },
        { .key = "subpath",
          .type = FIELD_STRING,
          COMPOSE_AT(mount_volume, subpath),
          .format = "path",
          .doc = "Mount only this part of the volume." },
        { .key = NULL },
};
static const struct field tmpfs_fields[] = {
        { .key = "size",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(mount_tmpfs, size),
          .read = compose_read_bytes,
          .schema = COMPOSE_SCHEMA_BYTES,
          .doc = "How much it may hold." },
        { .key = "mode",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(mount_tmpfs, mode),
          .read = compose_read_mode,
          .schema = COMPOSE_SCHEMA_BYTES,
          .doc = "Permission bits, octal." },
        { .key = NULL },
};

#define PART(title_, type, fields_) \
        { .title = title_, .size = sizeof(struct type), .fields = fields_, .extension_prefix = "x-" }
static const struct table bind_table = PART("MountBind", mount_bind, bind_fields);
static const struct table volume_table = PART("MountVolume", mount_volume, volume_fields);
static const struct table tmpfs_table = PART("MountTmpfs", mount_tmpfs, tmpfs_fields);

static const struct field mount_fields[] = {
        { .key = "type",
          .type = FIELD_ENUM,
          COMPOSE_AT(mount_draft, type),
          .flags = FIELD_REQUIRED,
          .names = long_types,
          .doc = "What is mounted." },
        { .key = "source",
          .type = FIELD_TEXT,
          COMPOSE_AT(mount_draft, source),
          .format = "non-empty",
          .doc = "A path on the host, a file of the app (./…), or a volume." },
        { .key = "target",
          .type = FIELD_TEXT,
          COMPOSE_AT(mount_draft, target),
          .flags = FIELD_REQUIRED,
          .doc = "The path in the container." },
        { .key = "read_only", .type = FIELD_BOOL, COMPOSE_AT(mount_draft, read_only), .doc = "Without writing." },
        { .key = "bind",
          .type = FIELD_STRUCT,
          COMPOSE_AT(mount_draft, bind),
          .sub = &bind_table,
          .doc = "Options of a bind mount." },
        { .key = "volume",
          .type = FIELD_STRUCT,
          COMPOSE_AT(mount_draft, volume),
          .sub = &volume_table,
          .doc = "Options of a volume." },
        { .key = "tmpfs",
          .type = FIELD_STRUCT,
          COMPOSE_AT(mount_draft, tmpfs),
          .sub = &tmpfs_table,
          .doc = "Options of a file system in memory." },
        { .key = NULL },
};

static int check_mount(void *object, const struct node *node, struct fault *reterr) {
        const struct mount_draft *m = object;
        static const struct {
                const char *key;
                int type;
        } parts[] = {
                { "bind", MOUNT_BIND },
                { "volume", MOUNT_VOLUME },
                { "tmpfs", MOUNT_TMPFS },
        };

        for (size_t i = 0; i < 3; i++) {
                const struct node *part = node_get(node, parts[i].key);

                if (part && m->type != parts[i].type)
                        return fault_set_code_at(reterr, &part->at, REASON_LOAD_INVALID,
                                                 "'%s' does not belong to a mount of type %s", parts[i].key,
                                                 long_types[m->type]);
        }
        if (m->type == MOUNT_BIND && !m->source.text)
                return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID, "a bind mount needs a 'source'");
        if (m->type == MOUNT_TMPFS && m->source.text)
                return fault_set_code_at(reterr, &m->source.at, REASON_LOAD_INVALID, "a tmpfs mount has no 'source'");
        return 0;
}

static const struct table mount_table = {
        .title = "Mount",
        .size = sizeof(struct mount_draft),
        .fields = mount_fields,
        .position = offsetof(struct mount_draft, at) + 1,
        .extension_prefix = "x-",
        .check = check_mount,
        .read_short = read_short,
        .short_schema = COMPOSE_SCHEMA_STRING,
};

static int read_mount(const struct node *value, const struct node_entry *entry, void *item, struct arena *a,
                      struct fault *reterr) {
        struct mount_draft *mount = item;
        int r = table_read(&mount_table, value, mount, a, reterr);

        if (r == 0 && !node_get(node_get(value, "tmpfs"), "mode"))
                mount->tmpfs.mode = -1;
        return r;
}

int compose_read_mounts(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        return compose_read_items(node, COMPOSE_LIST, sizeof(struct mount_draft), read_mount, a, slot, reterr);
}

int compose_read_tmpfs(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct string_list paths = { 0 };
        struct struct_list *list = slot;
        int r = compose_read_strings(node, &paths, a, reterr);

        for (size_t i = 0; r == 0 && i < paths.n; i++) {
                const struct text_at *path = &paths.items[i];
                const char *colon = strchr(path->text, ':');
                struct compose_tmpfs *t = arena_push(a, &list->items, &list->n, sizeof(*t));

                t->at = path->at;
                t->options = colon ? colon + 1 : "";
                t->target = colon ? arena_strndup(a, path->text, (size_t)(colon - path->text)) : path->text;
                t->target = compose_target(t->target, a);
                if (!t->target)
                        r = fault_set_code_at(reterr, &path->at, REASON_LOAD_INVALID,
                                              "'%s' is not an absolute path in the container", path->text);
        }
        return r;
}

/*
 * Looking up what is mounted
 */

static int resolve_files(const struct compose_context *x, const struct mount_draft *d, struct compose_mount *m,
                         struct fault *reterr) {
        const struct app_files *files = x->in->files;
        int r;

        m->type = MOUNT_FILES;
        m->source = *d->source.text == '~' ? NULL : app_path_normalize(d->source.text, x->arena);
        if (!m->source) {
                r = fault_set_code_at(reterr, &d->source.at, REASON_LOAD_REFERENCE, "'%s' is outside of %s/",
                                      d->source.text, files->folder);
                fault_hint(reterr, "mount a file of the app (./…), an absolute path of the host, or a volume");
                return r;
        }
        m->folder = !app_files_find(files, m->source);
        if (!app_files_digest(files, m->source, &m->digest))
                return compose_fault_missing(reterr, &d->source.at, files, "the mounted", d->source.text);
        return 0;
}

static int resolve_bind(const struct compose_context *x, const struct mount_draft *d, struct compose_mount *m,
                        struct fault *reterr) {
        if (*d->source.text != '/')
                return resolve_files(x, d, m, reterr);
        m->source = compose_target(d->source.text, x->arena);
        m->create_host_path = d->bind.create_host_path;
        if (!m->source)
                return fault_set_code_at(reterr, &d->source.at, REASON_LOAD_INVALID,
                                         "'%s' is not a clean absolute path", d->source.text);
        return 0;
}

static int resolve_mount(const struct compose_context *x, const struct mount_draft *d, struct compose_mount *m,
                         struct fault *reterr) {
        *m = (struct compose_mount){
                .type = (enum compose_mount_type)d->type,
                .source = d->source.text,
                .target = compose_target(d->target.text, x->arena),
                .read_only = d->read_only,
                .nocopy = d->volume.nocopy,
                .subpath = d->volume.subpath,
                .propagation = d->bind.propagation,
                .selinux = d->bind.selinux,
                .tmpfs_size = d->tmpfs.size,
                .tmpfs_mode = d->tmpfs.mode,
                .at = d->source.text ? d->source.at : d->at,
        };
        if (!m->target)
                return fault_set_code_at(reterr, &d->target.at, REASON_LOAD_INVALID,
                                         "'%s' is not an absolute path in the container", d->target.text);
        return m->type == MOUNT_BIND ? resolve_bind(x, d, m, reterr) : 0;
}

static int compare_mounts(const void *a, const void *b) {
        return strcmp(((const struct compose_mount *)a)->target, ((const struct compose_mount *)b)->target);
}

int compose_resolve_mounts(const struct compose_context *x, struct service_draft *d, struct fault *reterr) {
        const struct mount_draft *drafts = d->mounts.items;
        struct compose_mount *mounts = arena_array(x->arena, d->mounts.n, sizeof(*mounts));

        for (size_t i = 0; i < d->mounts.n; i++) {
                int r = resolve_mount(x, &drafts[i], &mounts[i], reterr);
                if (r < 0)
                        return r;
        }
        if (d->mounts.n > 1)
                qsort(mounts, d->mounts.n, sizeof(*mounts), compare_mounts);
        d->s.mounts = (struct struct_list){ .items = mounts, .n = d->mounts.n };
        return 0;
}
