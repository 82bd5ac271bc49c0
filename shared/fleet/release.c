/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/fleet/release.h"

#include <assert.h>
#include <stdlib.h>

#include "shared/data/json.h"

static void set(json_t *object, const char *key, const char *value) {
        if (json_object_set_new(object, key, json_text(value)) < 0)
                abort();
}

static json_t *images_of(const struct compose *c) {
        const struct compose_service *services = c->services.items;
        json_t *images = json_object();

        for (size_t i = 0; i < c->services.n; i++) {
                assert(services[i].pinned);
                set(images, services[i].name.text, services[i].pinned);
        }
        return images;
}

static json_t *files_of(const struct app_files *files) {
        json_t *object = json_object();

        for (size_t i = 0; i < files->n; i++)
                set(object, files->items[i].path, digest_hex(&files->items[i].digest));
        return object;
}

struct digest release_id(const char *app, const char *version, const struct compose *c, const struct app_files *files) {
        own_json json_t *id = json_pack("{s:s, s:s, s:o, s:o}", "app", app, "version", version, "images", images_of(c),
                                        "files", files_of(files));

        if (!id)
                abort();
        return digest_of_json(id);
}
