/* SPDX-License-Identifier: Apache-2.0 */

#include <fcntl.h>
#include <stdio.h>

#include "providers/runtime/runtime.h"
#include "reconciler/cli/cli.h"
#include "reconciler/desired/desired.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/sign/signers.h"

/* The trust file of the tree: a merge that breaks it would be refused by every host. */
static int check_signers(const char *folder, struct arena *a, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT;
        struct signers signers;
        own_fd int fd = -1;
        own_fd int trust = -1;
        int r = dir_open(AT_FDCWD, folder, &fd, reterr);

        if (r == 0)
                r = dir_open(fd, "trust", &trust, reterr);
        if (r == 0)
                r = file_read(trust, "allowed_signers", LIMIT_SIGNERS_BYTES, &text, reterr);
        if (r < 0) {
                reterr->kind = FAULT_CONFIG;
                fault_hint(reterr,
                           "every desired state needs trust/allowed_signers: it says who may sign the next commit");
                return r;
        }
        return signers_parse("trust/allowed_signers", buffer_str(&text), text.size, a, &signers, reterr);
}

/* What the app's runtime would make of it, without asking the runtime: a key that it cannot carry out shows here. */
static int check_render(struct cli *cli, const struct deployment *d, struct fault *reterr) {
        const struct runtime_settings settings = {
                .host = "check",
                .environment = d->release->environment,
                .endpoint = "unix:///run/docker.sock",
                .files = "/var/lib/tally/files",
        };
        const char *name = app_runtime_names[d->app->runtime];
        own_runtime struct runtime *rt = NULL;
        struct workload workload;
        int r;

        if (d->app->runtime == APP_FAKE)
                return 0; /* for tests: it takes everything */
        r = runtime_open(runtime_find(name), &settings, &rt, reterr);
        return r < 0 ? r
                     : runtime_render(rt, &d->compose, d->release->version.text, d->id, cli->arena, &workload, reterr);
}

/* One warning for each file. */
static void add_warnings(struct struct_list *all, const struct struct_list *some, struct arena *a) {
        const struct refused_retry *items = some->items;
        size_t before = all->n;

        for (size_t i = 0; i < some->n; i++) {
                const struct refused_retry *there = all->items;
                bool told = false;

                for (size_t k = 0; k < before; k++)
                        told = told || str_eq(there[k].path, items[i].path);
                if (!told)
                        *(struct refused_retry *)arena_push(a, &all->items, &all->n, sizeof(*items)) = items[i];
        }
}

/* What does not count, but keeps nobody from deploying. */
static struct struct_list warnings_of(const struct loaded_tree *t, struct arena *a) {
        struct struct_list all = { .items = NULL };

        for (size_t i = 0; i < t->fleet.n_releases; i++)
                add_warnings(&all, &t->approvals[i].refused, a);
        add_warnings(&all, &t->misplaced, a);
        return all;
}

static void print_warnings(const struct struct_list *warnings) {
        const struct refused_retry *items = warnings->items;

        for (size_t i = 0; i < warnings->n; i++) {
                fprintf(stderr, "warning: %s\n", items[i].message);
                if (items[i].hint)
                        fprintf(stderr, "  hint: %s\n", items[i].hint);
        }
}

static json_t *warnings_to_json(const struct struct_list *warnings) {
        const struct refused_retry *items = warnings->items;
        json_t *array = json_array();

        for (size_t i = 0; i < warnings->n; i++)
                json_array_append_new(array, table_write(&refused_retry_table, &items[i]));
        return array;
}

static int run(struct cli *cli, const struct verb *verb, int *ret_exit, struct fault *reterr) {
        const char *folder = cli_arguments()->n > 0 ? cli_arguments()->positional[0] : ".";
        const struct approval_rules rules = { .seen_at = clock_wall_ms() };
        const struct fleet *fleet;
        struct struct_list warnings = { .items = NULL };
        struct loaded_tree tree;
        int r = check_signers(folder, cli->arena, reterr);

        if (r == 0)
                r = desired_load_folder(folder, &rules, cli->arena, &tree, reterr);
        for (size_t i = 0; r == 0 && i < tree.fleet.n_releases; i++)
                r = check_render(cli, &tree.deployments[i], reterr);
        if (r < 0)
                return r;
        fleet = &tree.fleet;
        warnings = warnings_of(&tree, cli->arena);
        if (cli->json) {
                json_t *document = json_object();

                json_object_set_new(document, "valid", json_true());
                json_set_string(document, "fleet", fleet->name);
                json_object_set_new(document, "hosts", json_integer((json_int_t)fleet->n_hosts));
                json_object_set_new(document, "environments", json_integer((json_int_t)fleet->n_environments));
                json_object_set_new(document, "apps", json_integer((json_int_t)fleet->n_apps));
                json_object_set_new(document, "releases", json_integer((json_int_t)fleet->n_releases));
                json_object_set_new(document, "warnings", warnings_to_json(&warnings));
                return cli_print_json(cli, document, reterr);
        }
        print_warnings(&warnings);
        if (!cli->quiet)
                printf("valid: %zu hosts, %zu environments, %zu apps, %zu releases\n", fleet->n_hosts,
                       fleet->n_environments, fleet->n_apps, fleet->n_releases);
        return 0;
}

const struct verb verb_check = {
        .name = "check",
        .arguments = "[DIR]",
        .summary = "Validate a working tree of the desired state: schema, references, digests, trust file.",
        .example = "tally check .",
        .max_arguments = 1,
        .run = run,
};
