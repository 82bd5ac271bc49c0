/* SPDX-License-Identifier: Apache-2.0 */

#include <curl/curl.h>
#include <git2.h>
#include <sodium.h>
#include <stdio.h>
#include <yaml.h>

#include "reconciler/cli/cli.h"
#include "reconciler/version.h"
#include "shared/data/json.h"

static int run(struct cli *cli, const struct verb *verb, int *ret_exit, struct fault *reterr) {
        int major = 0, minor = 0, revision = 0;
        const char *git, *compiler = __VERSION__;
        json_t *document = json_object(), *libraries = json_object();

        git_libgit2_version(&major, &minor, &revision);
        git = arena_printf(cli->arena, "%d.%d.%d", major, minor, revision);
        json_set_string(libraries, "libgit2", git);
        json_set_string(libraries, "libcurl", curl_version_info(CURLVERSION_NOW)->version);
        json_set_string(libraries, "jansson", jansson_version_str());
        json_set_string(libraries, "libsodium", sodium_version_string());
        json_set_string(libraries, "libyaml", yaml_get_version_string());
        json_set_string(libraries, "libssh2", curl_version_info(CURLVERSION_NOW)->libssh_version);
        json_set_string(document, "tally", TALLY_VERSION);
        json_set_string(document, "compiler", compiler);
        json_object_set_new(document, "libraries", libraries);
        if (cli->json)
                return cli_print_json(cli, document, reterr);

        own_json json_t *owned = document;
        const char *name;
        json_t *value;

        (void)owned; /* clang 14 does not see that it is released */
        printf("tally %s\n", TALLY_VERSION);
        json_object_foreach(libraries, name, value) printf("  %-10s %s\n", name, json_string_value(value));
        return 0;
}

const struct verb verb_version = {
        .name = "version",
        .arguments = "",
        .summary = "Print the versions of the program and of each library.",
        .example = "tally version --json",
        .run = run,
};
