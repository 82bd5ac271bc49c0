/* SPDX-License-Identifier: Apache-2.0 */

/* Mounts: the host's paths, volumes, memory, and files of the app by the digest of their content */

#include <stdio.h>
#include <string.h>

#include "providers/runtime/docker/render_private.h"
#include "shared/base/text.h"

const char *render_mount_name(const struct compose_mount *m, char *buf) {
        (void)snprintf(buf, FILES_NAME_MAX, "%s", digest_hex(&m->digest));
        return buf;
}

/* Owner and mode are part of the name: the same secret may be granted with several. */
const char *render_grant_name(const struct compose_grant *g, char *buf) {
        (void)snprintf(buf, FILES_NAME_MAX, "%s-%04llo-%lld-%lld", digest_hex(&g->digest), (long long)g->mode,
                       (long long)g->uid, (long long)g->gid);
        return buf;
}

static void append(json_t *spec, const char *key, json_t *value) {
        json_t *array = json_object_get(spec, key);

        if (!array) {
                put(spec, key, json_array());
                array = json_object_get(spec, key);
        }
        if (!value || json_array_append_new(array, value) < 0)
                abort();
}

static bool has_word(const char *options, const char *word) {
        size_t n = strlen(word);

        for (const char *p = options; p; p = strchr(p, ',')) {
                p += *p == ',';
                if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0'))
                        return true;
        }
        return false;
}

static bool same_place(const struct source_pos *x, const struct source_pos *y) {
        return x->source == y->source && x->line == y->line && x->column == y->column && x->line > 0;
}

/*
 * What is signed is not written to: files of the app are mounted read-only whether or not that was asked for, and
 * asking for the opposite is an error. The model doesn't keep that something was asked for, so we look at how it was
 * written.
 */
static bool asks_for_writing(const struct compose_service *s, const struct compose_mount *m) {
        const struct node *volumes = node_get(s->node, "volumes");

        for (size_t i = 0; volumes && volumes->type == NODE_LIST && i < volumes->n; i++) {
                const struct node *item = volumes->items[i], *source = node_get(item, "source");
                const struct node *read_only = node_get(item, "read_only");

                if (source && same_place(&source->at, &m->at))
                        return read_only && read_only->type == NODE_BOOL && !read_only->boolean;
                if (item->type == NODE_STRING && same_place(&item->at, &m->at)) {
                        const char *options = strrchr(item->text, ':');

                        return options && has_word(options + 1, "rw");
                }
        }
        return false;
}

static const char *comma(const char *text) {
        return text ? "," : "";
}

static const char *text_or_nothing(const char *text) {
        return text ? text : "";
}

static int mount_files(const struct compose_service *s, const struct compose_mount *m, json_t *spec,
                       struct fault *reterr) {
        char name[FILES_NAME_MAX];
        json_t *value;
        int r;

        if (asks_for_writing(s, m)) {
                r = fault_set_at(reterr, &m->at,
                                 "'%s' is a file of the desired state and cannot be mounted for writing", m->target);
                fault_hint(reterr, "mount it read-only, or put what the container writes into a volume");
                return r;
        }
        value = json_pack("{ss ss ss}", "name", render_mount_name(m, name), "target", m->target, "digest",
                          m->digest.text);
        put_true(value, "folder", m->folder);
        if (m->propagation || m->selinux)
                put(value, "options",
                    json_sprintf("ro%s%s%s%s", comma(m->propagation), text_or_nothing(m->propagation),
                                 comma(m->selinux), text_or_nothing(m->selinux)));
        append(spec, "files", value);
        return 0;
}

/* The API's Mounts know neither relabelling nor making the path on engines before 24; Binds always did both. */
static void mount_bind(const struct compose_mount *m, json_t *spec) {
        json_t *mount;

        if (m->create_host_path || m->selinux) {
                append(spec, "binds",
                       json_sprintf("%s:%s:%s%s%s%s%s", m->source, m->target, m->read_only ? "ro" : "rw",
                                    comma(m->propagation), text_or_nothing(m->propagation), comma(m->selinux),
                                    text_or_nothing(m->selinux)));
                return;
        }
        mount = json_pack("{ss ss ss}", "Type", "bind", "Source", m->source, "Target", m->target);
        put_true(mount, "ReadOnly", m->read_only);
        if (m->propagation)
                put(mount, "BindOptions", json_pack("{ss}", "Propagation", m->propagation));
        append(spec, "mounts", mount);
}

static int mount_volume(const struct compose *c, const struct compose_mount *m, json_t *spec, struct fault *reterr) {
        const struct compose_volume *volume = m->source ? compose_find_volume(c, m->source) : NULL;
        json_t *mount, *options;

        if (m->source && !volume)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "volume '%s' is not in the model", m->source);
        mount = json_pack("{ss ss}", "Type", "volume", "Target", m->target);
        if (volume)
                put_text(mount, "Source", volume->name);
        put_true(mount, "ReadOnly", m->read_only);
        if (m->nocopy || m->subpath) {
                options = json_object();
                put_true(options, "NoCopy", m->nocopy);
                put_text(options, "Subpath", m->subpath);
                put(mount, "VolumeOptions", options);
        }
        append(spec, "mounts", mount);
        return 0;
}

static void mount_tmpfs(const struct compose_mount *m, json_t *spec) {
        json_t *mount = json_pack("{ss ss}", "Type", "tmpfs", "Target", m->target), *options = json_object();

        put_true(mount, "ReadOnly", m->read_only);
        put_number(options, "SizeBytes", m->tmpfs_size);
        if (m->tmpfs_mode >= 0)
                put(options, "Mode", json_integer(m->tmpfs_mode));
        if (json_object_size(options) > 0)
                put(mount, "TmpfsOptions", options);
        else
                json_decref(options);
        append(spec, "mounts", mount);
}

static int render_mount(const struct compose *c, const struct compose_service *s, const struct compose_mount *m,
                        json_t *spec, struct fault *reterr) {
        switch (m->type) {
        case MOUNT_BIND:
                mount_bind(m, spec);
                return 0;
        case MOUNT_VOLUME:
                return mount_volume(c, m, spec, reterr);
        case MOUNT_TMPFS:
                mount_tmpfs(m, spec);
                return 0;
        case MOUNT_FILES:
                return mount_files(s, m, spec, reterr);
        case MOUNT_TYPE_MAX_:
                break;
        }
        return fault_set(reterr, FAULT_INTERNAL, EINVAL, "a mount of an unknown type");
}

static void render_grants(const struct compose_service *s, json_t *spec) {
        const struct compose_grant *grants = s->grants.items;
        char name[FILES_NAME_MAX];

        for (size_t i = 0; i < s->grants.n; i++)
                append(spec, "files",
                       json_pack("{ss ss ss sb}", "name", render_grant_name(&grants[i], name), "target",
                                 grants[i].target, "digest", grants[i].digest.text, "grant", 1));
}

int render_mounts(const struct compose *c, const struct compose_service *s, json_t *spec, struct fault *reterr) {
        const struct compose_mount *mounts = s->mounts.items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < s->mounts.n; i++)
                r = render_mount(c, s, &mounts[i], spec, reterr);
        if (r == 0)
                render_grants(s, spec);
        return r;
}

int render_mounted_files(const struct compose_service *s, json_t *spec, struct fault *reterr) {
        const struct compose_mount *mounts = s->mounts.items;
        int r = 0;

        for (size_t i = 0; r == 0 && i < s->mounts.n; i++)
                if (mounts[i].type == MOUNT_FILES)
                        r = mount_files(s, &mounts[i], spec, reterr);
        if (r == 0)
                render_grants(s, spec);
        return r;
}
