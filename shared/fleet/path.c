/* SPDX-License-Identifier: Apache-2.0 */

#include <string.h>

#include "shared/base/text.h"
#include "shared/fleet/fleet_private.h"

/* Copy a component that is a name; false when it is none. */
static bool take_name(const char *s, size_t n, char *out) {
        if (n == 0 || n > LIMIT_NAME_BYTES)
                return false;
        memcpy(out, s, n);
        out[n] = '\0';
        return name_is_valid(out);
}

/* "<name>.yaml"; what is no YAML at all (README.md, .gitkeep) is nobody's business. */
static enum fleet_place read_document(const char *file, enum fleet_place place, char *name) {
        size_t n = strlen(file);

        if (strchr(file, '/'))
                return PLACE_NONE;
        if (str_ends_with(file, ".yml"))
                return PLACE_MISNAMED;
        if (!str_ends_with(file, ".yaml"))
                return PLACE_NONE;
        return take_name(file, n - 5, name) ? place : PLACE_MISNAMED;
}

/* Split "<folder>/<rest>"; NULL when there is no folder. */
static const char *read_folder(const char *path, char *folder, bool *ret_valid) {
        const char *slash = strchr(path, '/');

        if (!slash)
                return NULL;
        *ret_valid = take_name(path, (size_t)(slash - path), folder);
        return slash + 1;
}

static enum fleet_place read_environment(const char *rest, struct fleet_path *p) {
        bool valid;
        const char *file = read_folder(rest, p->folder, &valid);
        enum fleet_place place;

        if (!file)
                return PLACE_NONE;
        place = read_document(file, PLACE_RELEASE, p->name);
        if (place == PLACE_RELEASE && !valid)
                return PLACE_MISNAMED;
        return place == PLACE_RELEASE && str_eq(p->name, "environment") ? PLACE_ENVIRONMENT : place;
}

static enum fleet_place read_app(const char *rest, struct fleet_path *p) {
        bool valid;
        const char *file = read_folder(rest, p->folder, &valid);

        if (!file)
                return PLACE_NONE;
        if (!valid)
                return PLACE_MISNAMED;
        return str_eq(file, "app.yaml") ? PLACE_APP : PLACE_APP_FILE;
}

struct fleet_path fleet_path_read(const char *path) {
        struct fleet_path p = { .place = PLACE_NONE };
        const char *rest;

        if (str_eq(path, "fleet.yaml"))
                p.place = PLACE_FLEET;
        else if (str_eq(path, "fleet.yml"))
                p.place = PLACE_MISNAMED;
        else if ((rest = str_after(path, "hosts/")))
                p.place = read_document(rest, PLACE_HOST, p.name);
        else if ((rest = str_after(path, "environments/")))
                p.place = read_environment(rest, &p);
        else if ((rest = str_after(path, "apps/")))
                p.place = read_app(rest, &p);
        return p;
}

bool fleet_path_is_document(const char *path) {
        enum fleet_place place = fleet_path_read(path).place;

        return place >= PLACE_FLEET && place <= PLACE_APP;
}

const char *fleet_path_app(const char *path, char *buf) {
        struct fleet_path p = fleet_path_read(path);

        if (p.place != PLACE_APP && p.place != PLACE_APP_FILE)
                return NULL;
        memcpy(buf, p.folder, sizeof(p.folder));
        return buf;
}
