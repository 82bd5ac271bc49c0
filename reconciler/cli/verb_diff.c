/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>

#include "reconciler/cli/cli.h"
#include "reconciler/launcher/show.h"
#include "reconciler/pass/pass.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

static void print_action(const json_t *a) {
        const char *name = json_get_string(a, "name"), *service = json_get_string(a, "service");
        const char *why = json_get_string(a, "why");

        printf("  %-8s %s%s%s%s%s\n", json_get_string(a, "verb"), json_get_string(a, "app"), service ? "/" : "",
               service ? service : "", name ? "  " : "", name ? name : "");
        if (why)
                printf("           %s\n", why);
}

/* A rollout that would begin: its actions come step by step, so say where it goes. */
static size_t print_begun(const json_t *decision, const json_t *status) {
        const json_t *app;
        size_t i, n = 0;

        json_array_foreach(json_object_get(decision, "apps"), i, app) {
                const json_t *rollout = json_object_get(app, "rollout");
                const json_t *drift = json_object_get(app, "drift"), *d;
                const char *from = json_get_string(rollout, "settled_version");
                size_t k;

                if (str_eq(json_get_string(app, "event"), "started")) {
                        printf("%s: release %s → %s begins\n", json_get_string(app, "app"), from ? from : "nothing",
                               json_get_string(rollout, "version"));
                        n++;
                } else if (json_array_size(drift) > 0 || str_eq(json_get_string(app, "state"), "blocked") ||
                           str_eq(json_get_string(app, "state"), "failed")) {
                        printf("%s: %s\n", json_get_string(app, "app"), json_get_string(app, "state"));
                        n++;
                }
                json_array_foreach(drift, k, d)
                        printf("  %s: %s\n", json_get_string(d, "code"), json_get_string(d, "detail"));
                if (json_get_string(app, "waits_for"))
                        printf("  waits for: %s\n", json_get_string(app, "waits_for"));
        }
        return n;
}

static void print_diff(const struct pass_result *result) {
        const json_t *actions = json_object_get(result->decision, "actions"), *a;
        const json_t *refusal = json_object_get(json_object_get(result->status, "desired"), "refusal");
        size_t i, n = print_begun(result->decision, result->status);

        if (json_is_object(refusal))
                printf("refused %.12s: %s: %s\n", json_get_string(refusal, "commit"), json_get_string(refusal, "code"),
                       json_get_string(refusal, "message"));
        if (json_object_get(result->status, "blocked"))
                printf("blocked: %s\n", json_get_string(json_object_get(result->status, "blocked"), "message"));
        json_array_foreach(actions, i, a) print_action(a);
        if (n + json_array_size(actions) == 0 && !json_is_object(refusal))
                puts("no difference");
}

static int run(struct cli *cli, const struct verb *verb, int *ret_exit, struct fault *reterr) {
        const struct pass_options options = { .dry = true, .commit = cli_option("commit"), .lock_wait_ms = 10000 };
        struct pass_result result = { .status = NULL };
        own_json json_t *status = NULL, *decision = NULL, *document = NULL;
        int r = cli_config(cli, reterr);

        if (r == 0)
                r = pass_run(&cli->config, &options, cli->arena, &result, reterr);
        if (r < 0)
                return r;
        status = result.status;
        decision = result.decision;
        document = json_object();
        *ret_exit = result.exit_code;
        json_object_set(document, "decision", decision);
        json_object_set(document, "status", status);
        if (cli->json)
                return cli_print_json(cli, json_incref(document), reterr);
        if (cli_option("graph"))
                fputs(result.graph, stdout);
        else
                print_diff(&result);
        return 0;
}

static const struct option_spec options_of_diff[] = {
        { "graph", NULL, "print the plan of each rollout as a graph, for `dot`" },
        { "commit", "ID", "judge this fetched commit as it stands, without verifying its signatures" },
        { NULL, NULL, NULL },
};

const struct verb verb_diff = {
        .name = "diff",
        .arguments = "",
        .summary = "Show what a pass would do here, and why; nothing on the host is changed.",
        .example = "tally diff",
        .options = options_of_diff,
        .run = run,
};
