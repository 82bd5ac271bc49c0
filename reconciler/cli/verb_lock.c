/* SPDX-License-Identifier: Apache-2.0 */

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "providers/registry/registry.h"
#include "reconciler/cli/cli.h"
#include "reconciler/cli/lock.h"
#include "shared/base/clock.h"
#include "shared/base/process.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

#define TIMEOUT_MS     30000
#define GIT_TIMEOUT_MS 5000

extern char **environ;

static int resolve(const struct image_ref *ref, struct digest *ret, void *userdata, struct fault *reterr) {
        struct registry_manifest manifest;
        int r = registry_resolve(userdata, ref, &manifest, reterr);

        if (r < 0)
                return r;
        *ret = manifest.digest;
        return 0;
}

/* Who git would name as the author of the commit that follows: "Name <address>", without the time behind it. */
static const char *git_author(const char *folder, struct arena *a) {
        const char *argv[] = { "git", "-C", folder, "var", "GIT_AUTHOR_IDENT", NULL };
        own_process_result struct process_result result = { 0 };
        own_fault struct fault ignored = FAULT_INIT;
        const char *end;
        int r = process_run(
                &(struct process_request){
                        .argv = argv,
                        .envp = (const char *const *)environ,
                        .timeout_ms = GIT_TIMEOUT_MS,
                },
                &result, &ignored);

        if (r < 0 || result.exit_code != 0)
                return NULL;
        end = strrchr(buffer_str(&result.out), '>');
        if (!end || !utf8_is_valid(buffer_str(&result.out), result.out.size))
                return NULL;
        return arena_strndup(a, result.out.data, (size_t)(end - result.out.data) + 1);
}

static const char *find_author(const char *folder, struct arena *a) {
        const char *by = cli_option("by");
        struct passwd *user;

        if (!by)
                by = git_author(folder, a);
        if (by)
                return by;
        user = getpwuid(getuid());
        return user ? arena_strdup(a, user->pw_name) : arena_printf(a, "uid %u", (unsigned)getuid());
}

/* The host's own when a configuration is named; else where the docker command line keeps it. */
static int find_credentials(struct cli *cli, const char **ret, struct fault *reterr) {
        const char *folder = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

        if (cli->config_option || getenv("TALLY_CONFIG")) {
                int r = cli_config(cli, reterr);

                if (r < 0)
                        return r;
                if (cli->config.docker.config) {
                        *ret = cli->config.docker.config;
                        return 0;
                }
        }
        if (folder && *folder)
                *ret = arena_printf(cli->arena, "%s/config.json", folder);
        else
                *ret = home && *home ? arena_printf(cli->arena, "%s/.docker/config.json", home) : NULL;
        return 0;
}

static int make_registry(struct cli *cli, struct registry **ret, struct fault *reterr) {
        struct registry_options options = { .ca_file = cli_option("ca") };
        int64_t timeout_ms;
        int r = cli_option_duration("timeout", TIMEOUT_MS, &timeout_ms, reterr);

        if (r == 0 && (timeout_ms < 1 || timeout_ms > INT32_MAX))
                r = fault_set(reterr, FAULT_CONFIG, 0, "--timeout is a time of at least 1ms");
        if (r == 0)
                r = find_credentials(cli, &options.docker_config, reterr);
        if (r < 0)
                return r;
        options.timeout_ms = (int)timeout_ms;
        return registry_new(&options, ret, reterr);
}

static json_t *result_to_json(const struct lock_request *q, const struct lock_result *result) {
        const struct lock_change *c = result->changes.items;
        json_t *document = json_object(), *images = json_object(), *changes = json_array();

        json_set_string(document, "path", result->path);
        json_set_string(document, "app", q->app);
        json_set_string(document, "environment", q->environment);
        json_set_string(document, "version", result->version);
        json_object_set_new(document, "written", json_boolean(result->written));
        for (size_t i = 0; i < result->images.n; i++)
                json_set_string(images, result->images.items[i].key.text, result->images.items[i].value.text);
        for (size_t i = 0; i < result->changes.n; i++) {
                json_t *change = json_object();

                json_set_string(change, "service", c[i].service);
                json_set_string(change, "from", c[i].was);
                json_set_string(change, "to", c[i].now);
                json_array_append_new(changes, change);
        }
        json_object_set_new(document, "images", images);
        json_object_set_new(document, "changes", changes);
        return document;
}

static void print_result(const struct lock_result *result) {
        const struct lock_change *c = result->changes.items;

        if (!result->written) {
                printf("%s: version %s, nothing changed\n", result->path, result->version);
                return;
        }
        if (!result->was_version || str_eq(result->was_version, result->version))
                printf("%s: version %s\n", result->path, result->version);
        else
                printf("%s: version %s -> %s\n", result->path, result->was_version, result->version);
        for (size_t i = 0; i < result->changes.n; i++)
                printf("  %s: %s -> %s\n", c[i].service, c[i].was ? c[i].was : "(none)",
                       c[i].now ? c[i].now : "(none)");
}

static int run(struct cli *cli, const struct verb *verb, int *ret_exit, struct fault *reterr) {
        struct lock_request q = {
                .folder = cli_option("dir") ? cli_option("dir") : ".",
                .environment = cli_option("env"),
                .app = cli_option("app"),
                .version = cli_option("version"),
                .update = cli_option("update") != NULL,
                .pins = cli_arguments()->positional,
                .now_ms = clock_wall_ms(),
                .resolve = resolve,
        };
        own_registry struct registry *registry = NULL;
        struct lock_result result;
        int r;

        if (!q.environment || !q.app) {
                r = fault_set(reterr, FAULT_CONFIG, EINVAL, "tally lock needs --env and --app");
                fault_hint(reterr, "for example: %s", verb->example);
                return r;
        }
        r = make_registry(cli, &registry, reterr);
        if (r < 0)
                return r;
        q.userdata = registry;
        q.by = find_author(q.folder, cli->arena);
        r = lock_run(&q, cli->arena, &result, reterr);
        if (r < 0)
                return r;
        if (cli->json)
                return cli_print_json(cli, result_to_json(&q, &result), reterr);
        print_result(&result);
        return 0;
}

static const struct option_spec options[] = {
        { "env", "ENVIRONMENT", "the environment whose release is written" },
        { "app", "APP", "the app" },
        { "dir", "DIR", "the working tree of the desired state; default: ." },
        { "version", "VERSION", "what people call the release; default: the tag that its images share" },
        { "update", NULL, "ask again for the tags of the release that is there" },
        { "by", "WHO", "who resolves; default: the author that git would name" },
        { "ca", "FILE", "certificates to check registries with, instead of the system's" },
        { "timeout", "DURATION", "how long a registry may take for one answer; default: 30s" },
        { NULL, NULL, NULL },
};

const struct verb verb_lock = {
        .name = "lock",
        .arguments = "[SERVICE=REFERENCE …]",
        .summary = "Resolve image tags at their registries and write the digests to the release.",
        .example = "tally lock --env prod --app shop web=registry.example/shop/web:1.4.2",
        .options = options,
        .max_arguments = -1,
        .run = run,
};
