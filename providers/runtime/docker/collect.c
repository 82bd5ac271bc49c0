/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Collect: remove what nothing needs any more: networks, files and images that we brought
 *
 * Images carry no labels of ours, so what we pulled is written down in <files>/.images. Images pulled by digest are
 * never "dangling", which is why the engine's own prune leaves them for ever. What a container still uses, the engine
 * refuses to remove, and so do we: nothing here is forced. Volumes are not even looked at.
 *
 * The budget counts each image that we brought with the size that the engine shows, so a layer that two images share
 * counts twice: it rather keeps too little than fills the disk.
 */

#include <fcntl.h>
#include <string.h>

#include "providers/runtime/docker/docker_private.h"
#include "providers/runtime/docker/files.h"
#include "providers/runtime/docker/image.h"
#include "providers/runtime/docker/labels.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/net/http.h"

#define IMAGES_NAME ".images"

/*
 * The list of images that we pulled
 */

/* A list that cannot be read is begun anew: at worst an image stays for ever. */
static int images_read(int dirfd, json_t **ret, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT;
        own_fault struct fault ignored = FAULT_INIT;
        json_t *images = NULL;

        if (file_read(dirfd, IMAGES_NAME, LIMIT_STATE_BYTES, &text, &ignored) < 0 ||
            json_parse(IMAGES_NAME, text.data, text.size, &images, &ignored) < 0 || !json_is_object(images)) {
                json_decref(images);
                images = json_object();
        }
        *ret = images;
        return images ? 0 : fault_set_oom(reterr);
}

static int images_write(int dirfd, const json_t *images, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT;
        int r = json_pretty(images, &text, reterr);

        return r < 0 ? r : file_write(dirfd, IMAGES_NAME, text.data, text.size, 0600, reterr);
}

int docker_note_image(struct docker *d, const char *pinned, struct fault *reterr) {
        own_json json_t *images = NULL;
        own_fd int dirfd = -1;
        int r;

        r = dir_make(AT_FDCWD, d->settings->files, 0700, &dirfd, reterr);
        if (r == 0)
                r = images_read(dirfd, &images, reterr);
        if (r < 0 || json_object_get(images, pinned))
                return r;
        json_object_set_new(images, pinned, json_true());
        return images_write(dirfd, images, reterr);
}

/*
 * What is still needed, each a set of names
 */

struct needed {
        json_t *images, *files, *networks;
        json_t *apps; /* of workloads whose resources are not known: their networks stay */
};

static void needed_done(struct needed *n) {
        json_decref(n->images);
        json_decref(n->files);
        json_decref(n->networks);
        json_decref(n->apps);
}
#define own_needed __attribute__((cleanup(needed_done)))

static void need(json_t *set, const char *name) {
        if (name)
                json_object_set_new(set, name, json_true());
}

static void need_names(json_t *set, const json_t *list) {
        size_t i;
        json_t *item;

        json_array_foreach(list, i, item) need(set, json_get_string(item, "name"));
}

static void need_workload(struct needed *n, const struct workload *w) {
        const struct workload_service *services = w->services.items;

        for (size_t i = 0; i < w->services.n; i++)
                need(n->images, services[i].image);
        need_names(n->files, json_object_get(w->resources, "files"));
        need_names(n->networks, json_object_get(w->resources, "networks"));
        if (!w->resources)
                need(n->apps, w->app);
}

/* Containers that are kept need what they were made from, whether or not a workload of theirs is given. */
static void need_container(struct needed *n, const json_t *entry) {
        size_t i;
        json_t *mount, *network;
        const char *name;

        need(n->images, json_get_string(json_object_get(entry, "Labels"), LABEL_IMAGE));
        json_array_foreach(json_object_get(entry, "Mounts"), i, mount) {
                const char *source = json_get_string(mount, "Source"), *base = source ? strrchr(source, '/') : NULL;

                need(n->files, base ? base + 1 : NULL);
        }
        json_object_foreach(json_object_get(json_object_get(entry, "NetworkSettings"), "Networks"), name, network) {
                need(n->networks, name);
                need(n->networks, json_get_string(network, "NetworkID"));
        }
}

static int need_containers(struct docker *d, struct needed *n, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_buffer struct buffer path = BUFFER_INIT;
        size_t i;
        json_t *entry;
        int r;

        docker_list_path(&path, d->settings->host, NULL);
        r = engine_get(d->engine, buffer_str(&path), &reply, reterr);
        if (r < 0)
                return r;
        if (!engine_reply_is_ok(&reply))
                return engine_refused(&reply, NULL, "cannot list containers", reterr);
        json_array_foreach(reply.json, i, entry) need_container(n, entry);
        return 0;
}

/*
 * Removing the rest
 */

static int engine_delete(struct docker *d, const char *base, const char *name, int *ret_status, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_buffer struct buffer path = BUFFER_INIT;
        int r;

        buffer_puts(&path, base);
        http_escape(&path, name, true);
        r = engine_send(d->engine, "DELETE", buffer_str(&path), NULL, &reply, reterr);
        *ret_status = reply.status;
        return r;
}

static int collect_networks(struct docker *d, const struct needed *n, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_buffer struct buffer path = BUFFER_INIT, filters = BUFFER_INIT;
        size_t i;
        json_t *network;
        int r, status;

        buffer_printf(&filters, "{\"label\":[\"" LABEL_HOST "=%s\"]}", d->settings->host);
        buffer_puts(&path, "/networks?filters=");
        http_escape(&path, buffer_str(&filters), false);
        r = engine_get(d->engine, buffer_str(&path), &reply, reterr);
        if (r < 0)
                return r;
        if (!engine_reply_is_ok(&reply))
                return engine_refused(&reply, NULL, "cannot list networks", reterr);
        json_array_foreach(reply.json, i, network) {
                const json_t *labels = json_object_get(network, "Labels");
                const char *id = json_get_string(network, "Id"), *name = json_get_string(network, "Name");
                const char *app = json_get_string(labels, LABEL_APP);

                if (!engine_id_is_valid(id) || !name ||
                    !str_eq(json_get_string(labels, LABEL_HOST), d->settings->host) ||
                    json_object_get(n->networks, name) || json_object_get(n->networks, id) ||
                    (app && json_object_get(n->apps, app)))
                        continue;
                /* Somebody else's container in it makes the engine refuse: 403. */
                r = engine_delete(d, "/networks/", id, &status, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

/*
 * Add the size of an image that we brought, once for each id; one that is gone or not ours takes nothing of the budget.
 */
static int add_size(struct docker *d, const json_t *ours, const char *pinned, json_t *counted, int64_t *size,
                    struct fault *reterr) {
        own_json json_t *inspect = NULL;
        const char *id;
        int r;

        if (!json_object_get(ours, pinned))
                return 0;
        r = image_inspect(d->engine, pinned, &inspect, reterr);
        id = r == 0 ? json_get_string(inspect, "Id") : NULL;
        if (!id || json_object_get(counted, id))
                return r;
        need(counted, id);
        *size += json_get_integer(inspect, "Size", 0);
        return 0;
}

/* Of the older images, newest first, as many as the budget has room for beside those that are needed. */
static int need_older(struct docker *d, struct needed *n, const json_t *ours, const struct runtime_keep *keep,
                      struct fault *reterr) {
        own_json json_t *counted = json_object();
        const char *pinned;
        json_t *value;
        int64_t size = 0;
        int r = 0;

        if (keep->budget)
                json_object_foreach(n->images, pinned, value) {
                        r = add_size(d, ours, pinned, counted, &size, reterr);
                        if (r < 0)
                                return r;
                }
        for (size_t i = 0; i < keep->n_older; i++) {
                if (keep->budget)
                        r = add_size(d, ours, keep->older[i].image, counted, &size, reterr);
                if (r < 0)
                        return r;
                if (keep->budget && size > keep->budget)
                        break;
                need(n->images, keep->older[i].image);
        }
        return 0;
}

static int collect_images(struct docker *d, struct needed *n, const struct runtime_keep *keep, struct fault *reterr) {
        own_fd int dirfd = -1;
        own_json json_t *images = NULL, *left = json_object();
        const char *pinned;
        json_t *value;
        int r, status;

        r = dir_make(AT_FDCWD, d->settings->files, 0700, &dirfd, reterr);
        if (r == 0)
                r = images_read(dirfd, &images, reterr);
        if (r == 0)
                r = need_older(d, n, images, keep, reterr);
        if (r < 0)
                return r;
        json_object_foreach(images, pinned, value) {
                status = 409;
                if (!json_object_get(n->images, pinned)) {
                        r = engine_delete(d, "/images/", pinned, &status, reterr);
                        if (r < 0)
                                return r;
                        (void)json_object_del(d->images, pinned);
                }
                if (status != 200 && status != 404)
                        json_object_set(left, pinned, value);
        }
        return json_equal(left, images) ? 0 : images_write(dirfd, left, reterr);
}

int docker_collect(struct runtime *rt, const struct runtime_keep *keep, struct fault *reterr) {
        own_needed struct needed n = {
                .images = json_object(),
                .files = json_object(),
                .networks = json_object(),
                .apps = json_object(),
        };
        struct docker *d = docker_of(rt);
        int r;

        for (size_t i = 0; i < keep->n_workloads; i++)
                need_workload(&n, &keep->workloads[i]);
        r = need_containers(d, &n, reterr);
        if (r == 0)
                r = collect_networks(d, &n, reterr);
        if (r == 0)
                r = collect_images(d, &n, keep, reterr);
        return r < 0 ? r : files_collect(d->settings->files, n.files, reterr);
}
