/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>

#include "reconciler/cli/approval_file.h"
#include "reconciler/cli/cli.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

#define EXPIRES_MS (INT64_C(7) * 24 * 3600 * 1000)

static json_t *to_json(const struct approval_draft *d, const struct approval_written *w) {
        const struct release *release = d->deployment->release;
        json_t *document = json_object();
        char at[RFC3339_TEXT_MAX];

        json_set_string(document, "environment", release->environment);
        json_set_string(document, "app", release->app.text);
        json_set_string(document, "version", release->version.text);
        json_set_string(document, "release", d->deployment->id);
        json_set_string(document, "statement", w->statement);
        json_set_string(document, "signature", w->signature);
        json_set_string(document, "principal", w->principal);
        json_object_set_new(document, "signed", json_boolean(d->key != NULL));
        json_set_string(document, "expires", d->expires_at ? rfc3339_format(d->expires_at, at) : NULL);
        json_set_string(document, "command", w->command);
        return document;
}

static void print(const struct approval_draft *d, const struct approval_written *w) {
        const struct release *release = d->deployment->release;
        char at[RFC3339_TEXT_MAX];

        printf("%s\n", w->statement);
        if (d->key)
                printf("%s\n", w->signature);
        printf("\nHosts of %s where release %s of %s failed may try it once more", release->environment,
               release->version.text, release->app.text);
        if (d->expires_at)
                printf(", until %s", rfc3339_format(d->expires_at, at));
        printf(".\n");
        if (w->n_dropped > 0)
                printf("%zu signature%s of the statement before %s removed: a new one is needed.\n", w->n_dropped,
                       w->n_dropped == 1 ? "" : "s", w->n_dropped == 1 ? "was" : "were");
        if (!d->key)
                printf("Sign it:\n\n  %s\n\n", w->command);
        printf("Commit both files, signed, and merge them to the branch that the hosts follow.\n");
}

/* What would keep every host from counting it. */
static void warn(const struct approval_draft *d) {
        const struct approval_signers *s = &d->tree->signers;

        if (s->unusable)
                fprintf(stderr, "warning: %s\n", s->unusable);
        else if (signers_count(&s->signers, APPROVAL_NAMESPACE) == 0)
                fprintf(stderr, "warning: trust/allowed_signers lets nobody sign approvals\n"
                                "  hint: let a line say namespaces=\"git," APPROVAL_NAMESPACE
                                "\", and merge that with the statement\n");
}

static int run(struct cli *cli, const struct verb *verb, int *ret_exit, struct fault *reterr) {
        const struct approval_rules rules = { .seen_at = clock_wall_ms() };
        struct approval_draft draft = {
                .folder = cli_option("dir") ? cli_option("dir") : ".",
                .meaning = APPROVAL_RETRY,
                .reason = cli_option("reason"),
                .principal = cli_option("as"),
                .key = cli_option("sign"),
                .at = rules.seen_at,
        };
        struct approval_written written;
        struct loaded_tree tree;
        int64_t expires_ms;
        int r = cli_option_duration("expires", EXPIRES_MS, &expires_ms, reterr);

        if (r == 0 && draft.reason && !utf8_is_valid(draft.reason, strlen(draft.reason)))
                r = fault_set(reterr, FAULT_CONFIG, 0, "--reason is not UTF-8");
        if (r == 0 && draft.principal &&
            (strchr(draft.principal, '/') || !*draft.principal || strlen(draft.principal) > LIMIT_PRINCIPAL_BYTES))
                r = fault_set(reterr, FAULT_CONFIG, 0, "--as is a principal of trust/allowed_signers");
        if (r == 0)
                r = desired_load_folder(draft.folder, &rules, cli->arena, &tree, reterr);
        if (r == 0)
                r = approval_find_release(&tree, cli_arguments()->positional[0], cli_option("env"), &draft.deployment,
                                          reterr);
        if (r < 0)
                return r;
        draft.tree = &tree;
        draft.expires_at = expires_ms ? draft.at + expires_ms : 0;
        r = approval_file_write(&draft, cli->arena, &written, reterr);
        if (r < 0)
                return r;
        warn(&draft);
        if (cli->json)
                return cli_print_json(cli, to_json(&draft, &written), reterr);
        print(&draft, &written);
        return 0;
}

static const struct option_spec options[] = {
        { "reason", "TEXT", "why; people and the ledger see it" },
        { "expires", "DURATION", "how long it counts; 0s: for ever; default: 7d" },
        { "env", "ENVIRONMENT", "the environment, where more than one has the release" },
        { "sign", "FILE", "sign it with this SSH key, or through an agent with this public one" },
        { "as", "PRINCIPAL", "who signs; default: who has the key, else the address that git knows" },
        { "dir", "DIR", "the working tree of the desired state; default: ." },
        { NULL, NULL, NULL },
};

const struct verb verb_retry = {
        .name = "retry",
        .arguments = "RELEASE",
        .summary = "Write a signed permission to try a release again that failed.",
        .example = "tally retry shop@1.4.2 --reason \"the database was down\"",
        .options = options,
        .max_arguments = 1,
        .min_arguments = 1,
        .run = run,
};
