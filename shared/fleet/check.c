/* SPDX-License-Identifier: Apache-2.0 */

/* What the documents of a fleet must say about each other */

#include <stdlib.h>
#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/fleet/fleet_private.h"

/*
 * References
 */

static void hint_environments(const struct fleet *f, const char *name, struct fault *reterr) {
        const char **known = calloc(f->n_environments + 1, sizeof(*known)), *closest;

        for (size_t i = 0; known && i < f->n_environments; i++)
                known[i] = f->environments[i].environment.text;
        closest = known ? closest_name(name, known) : NULL;
        if (closest)
                fault_hint(reterr, "did you mean '%s'?", closest);
        else
                fault_hint(reterr, "an environment is a folder environments/%s/ with a file in it", name);
        free(known);
}

static int check_environment_exists(const struct fleet *f, const struct text_at *name, struct fault *reterr) {
        int r;

        if (fleet_environment(f, name->text))
                return 0;
        r = fault_set_code_at(reterr, &name->at, REASON_LOAD_REFERENCE, "there is no environment '%s'", name->text);
        hint_environments(f, name->text, reterr);
        return r;
}

/*
 * Environments: variables are names; promotion goes in no circle
 */

static int check_variables(const struct environment *e, struct fault *reterr) {
        for (size_t i = 0; i < e->variables.n; i++) {
                const struct text_at *key = &e->variables.items[i].key;

                if (!variable_name_is_valid(key->text))
                        return fault_set_code_at(reterr, &key->at, REASON_LOAD_INVALID,
                                                 "'%s' is not the name of a variable", key->text);
        }
        return 0;
}

static int check_promotion(const struct fleet *f, const struct environment *e, struct fault *reterr) {
        const struct environment *from = e;

        if (!e->promotion)
                return 0;
        for (size_t steps = 0; from && from->promotion; steps++) {
                if (steps > f->n_environments || (steps > 0 && from == e))
                        return fault_set_code_at(reterr, &e->promotion->from.at, REASON_LOAD_INVALID,
                                                 "environment '%s' is promoted from itself", e->environment.text);
                from = fleet_environment(f, from->promotion->from.text);
        }
        return check_environment_exists(f, &e->promotion->from, reterr);
}

static int check_environments(const struct fleet *f, struct fault *reterr) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < f->n_environments; i++) {
                r = check_variables(&f->environments[i], reterr);
                if (r == 0)
                        r = check_promotion(f, &f->environments[i], reterr);
        }
        return r;
}

/*
 * Hosts: a key belongs to one host
 */

/* "ssh-ed25519 AAAA…" without what stands behind it. */
static size_t key_length(const char *key) {
        size_t n = strcspn(key, " \t");

        n += strspn(key + n, " \t");
        return n + strcspn(key + n, " \t");
}

static int compare_keys(const void *a, const void *b) {
        const struct host *x = *(const struct host *const *)a, *y = *(const struct host *const *)b;
        size_t nx = key_length(x->key.text), ny = key_length(y->key.text), n = nx < ny ? nx : ny;
        int order = memcmp(x->key.text, y->key.text, n);

        if (order)
                return order;
        if (nx != ny)
                return nx < ny ? -1 : 1;
        return strcmp(x->host.text, y->host.text);
}

static bool same_key(const struct host *x, const struct host *y) {
        size_t n = key_length(x->key.text);

        return n == key_length(y->key.text) && memcmp(x->key.text, y->key.text, n) == 0;
}

static int check_keys(const struct fleet *f, struct fault *reterr) {
        own_free const struct host **hosts = calloc(f->n_hosts + 1, sizeof(*hosts));
        size_t n = 0;

        if (!hosts)
                return fault_set_oom(reterr);
        for (size_t i = 0; i < f->n_hosts; i++)
                if (f->hosts[i].key.text)
                        hosts[n++] = &f->hosts[i];
        qsort(hosts, n, sizeof(*hosts), compare_keys);
        for (size_t i = 1; i < n; i++)
                if (same_key(hosts[i - 1], hosts[i])) {
                        int r = fault_set_code_at(reterr, &hosts[i]->key.at, REASON_LOAD_INVALID,
                                                  "this key is the one of host '%s', too", hosts[i - 1]->host.text);

                        fault_hint(reterr, "each host makes a key of its own: `tally init` prints it");
                        return r;
                }
        return 0;
}

static int check_hosts(const struct fleet *f, struct fault *reterr) {
        for (size_t i = 0; i < f->n_hosts; i++) {
                const struct host *h = &f->hosts[i];
                int r;

                if (h->key.text && !str_after(h->key.text, "ssh-ed25519 ")) {
                        r = fault_set_code_at(reterr, &h->key.at, REASON_LOAD_INVALID,
                                              "'key' is not an ed25519 public key");
                        fault_hint(reterr, "write the line of the host's id_ed25519.pub: ssh-ed25519 AAAA…");
                        return r;
                }
                r = check_environment_exists(f, &h->environment, reterr);
                if (r < 0)
                        return r;
        }
        return check_keys(f, reterr);
}

/*
 * Apps and releases
 */

static bool has_file(const struct app *app, const char *file) {
        for (size_t i = 0; i < app->n_entries; i++) {
                const char *rest = str_after(app->entries[i].path, "apps/");

                if (rest && str_eq(strchr(rest, '/') + 1, file))
                        return true;
        }
        return false;
}

static int check_apps(const struct fleet *f, struct fault *reterr) {
        for (size_t i = 0; i < f->n_apps; i++) {
                const struct app *app = &f->apps[i];
                int r;

                if (strchr(app->file.text, '/'))
                        return fault_set_code_at(reterr, &app->file.at, REASON_LOAD_INVALID,
                                                 "the compose file stands in the app's folder itself");
                if (has_file(app, app->file.text))
                        continue;
                r = fault_set_code_at(reterr, &app->file.at, REASON_LOAD_REFERENCE, "apps/%s/%s is missing",
                                      app->app.text, app->file.text);
                fault_hint(reterr, "every app has a compose file; `file` in app.yaml names another one");
                return r;
        }
        return 0;
}

static int check_releases(struct fleet *f, struct fault *reterr) {
        for (size_t i = 0; i < f->n_releases; i++) {
                struct release *release = &f->releases[i];
                int r;

                release->of = fleet_app(f, release->app.text);
                if (release->of)
                        continue;
                r = fault_set_code_at(reterr, &release->app.at, REASON_LOAD_REFERENCE, "there is no app '%s'",
                                      release->app.text);
                fault_hint(reterr, "an app is a folder apps/%s/ with a compose.yaml", release->app.text);
                return r;
        }
        return 0;
}

int fleet_check_documents(struct fleet *f, struct fault *reterr) {
        int r = check_environments(f, reterr);

        if (r == 0)
                r = check_hosts(f, reterr);
        if (r == 0)
                r = check_apps(f, reterr);
        return r < 0 ? r : check_releases(f, reterr);
}
