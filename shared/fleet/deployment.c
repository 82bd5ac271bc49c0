/* SPDX-License-Identifier: Apache-2.0 */

/* A release with all it needs to run: the compose file, read with its variables, pinned, and named by its id */

#include <string.h>

#include "shared/base/text.h"
#include "shared/data/yaml.h"
#include "shared/fleet/deployment_clash.h"
#include "shared/compose/dotenv.h"
#include "shared/fleet/fleet_private.h"

/* The app's .env, and over it the environment's variables. */
static int read_variables(const struct environment *e, const struct app_files *files, struct arena *a,
                          struct variables *ret, struct fault *reterr) {
        struct variables over = variables_of_map(&e->variables, a), under;
        const struct app_file *file = app_files_find(files, ".env");
        struct string_map pairs = { 0 };

        if (file) {
                struct dotenv_input in = {
                        .name = arena_printf(a, "%s/.env", files->folder),
                        .bytes = file->bytes,
                        .size = file->size,
                        .variables = &over,
                };
                int r = dotenv_parse(&in, a, &pairs, reterr);

                if (r < 0)
                        return r;
        }
        under = variables_of_map(&pairs, a);
        *ret = variables_merge(&under, &over, a);
        return 0;
}

static int read_compose(const struct app *app, const struct app_files *files, const struct variables *variables,
                        struct arena *a, struct compose *ret, struct fault *reterr) {
        struct compose_input in = {
                .app = app->app.text,
                .files = files,
                .variables = variables,
                .keys = app->runtime == APP_COMPOSE ? COMPOSE_KEYS_ALL : 0,
        };
        const struct app_file *file = app_files_find(files, app->file.text);
        const struct node *root;
        int r;

        if (!file)
                return fault_set(reterr, FAULT_INTERNAL, ENOENT, "apps/%s/%s was not read", app->app.text,
                                 app->file.text);
        r = yaml_parse(arena_printf(a, "%s/%s", files->folder, file->path), file->bytes, file->size, a, &root, reterr);
        if (r < 0)
                return r;
        return compose_read(root, &in, a, ret, reterr);
}

int fleet_resolve(const struct fleet *f, const struct release *release, struct arena *a, struct deployment *ret,
                  struct fault *reterr) {
        const struct app *app = release->of;
        struct app_files *files = arena_new_of(a, struct app_files);
        struct variables *variables = arena_new_of(a, struct variables);
        struct deployment d = {
                .release = release,
                .app = app,
                .environment = fleet_environment(f, release->environment),
                .files = files,
        };
        struct digest id;
        int r = app_files_make(arena_printf(a, "apps/%s", app->app.text), app->entries, app->n_entries, a, files,
                               reterr);

        if (r == 0)
                r = read_variables(d.environment, files, a, variables, reterr);
        if (r == 0)
                r = read_compose(app, files, variables, a, &d.compose, reterr);
        if (r == 0)
                r = compose_pin(&d.compose, &release->images, a, reterr);
        if (r == 0)
                r = deployment_check(&d, reterr);
        if (r < 0)
                return r;
        id = release_id(app->app.text, release->version.text, &d.compose, files);
        d.id = arena_strdup(a, id.text);
        *ret = d;
        return 0;
}

/* What the releases addressed to @h, resolved beside @f->releases, want of it. */
static int check_host(const struct fleet *f, const struct deployment *resolved, const struct host *h, struct arena *a,
                      struct fault *reterr) {
        size_t n = 0;
        const struct release *const *selected = fleet_select(f, h, a, &n);
        const struct deployment **here = arena_array(a, n, sizeof(*here));

        for (size_t i = 0; i < n; i++)
                here[i] = &resolved[selected[i] - f->releases];
        return deployment_clash(h->host.text, here, n, reterr);
}

int fleet_check(const struct fleet *f, struct arena *a, struct deployment **ret, struct fault *reterr) {
        struct deployment *resolved = arena_array(a, f->n_releases, sizeof(*resolved));
        int r = 0;

        for (size_t i = 0; r == 0 && i < f->n_releases; i++) {
                r = fleet_resolve(f, &f->releases[i], a, &resolved[i], reterr);
                /* Only here: on a host it would hold up all other apps, for one that runs and perhaps never changes. */
                if (r == 0)
                        r = deployment_check_exclusive(&resolved[i], reterr);
        }
        for (size_t i = 0; r == 0 && i < f->n_hosts; i++)
                r = check_host(f, resolved, &f->hosts[i], a, reterr);
        if (r == 0 && ret)
                *ret = resolved;
        return r;
}
