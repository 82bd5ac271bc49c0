/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>

#include "reconciler/cli/ledger_access.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

#define HISTORY_DEFAULT 50

struct listing {
        bool json;
        json_t *records;
};

static json_t *entry_json(const struct ledger_record *r) {
        json_t *o = json_object(), *value;
        static const char *const members[] = { "change", "outcome", "error", "reason", "drift", "refused" };
        char at[RFC3339_TEXT_MAX];

        json_object_set_new(o, "sequence", json_integer(r->seq));
        json_set_string(o, "kind", record_kind_names[r->kind]);
        json_set_string(o, "app", r->app);
        json_set_string(o, "at", rfc3339_format(r->head.wall_ms, at));
        json_set_string(o, "path", r->path);
        json_set_string(o, "sha256", digest_hex(&r->digest));
        json_object_set_new(o, "verified", json_boolean(r->verified));
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
                value = json_object_get(r->predicate, members[i]);
                if (value)
                        json_object_set(o, members[i], value);
        }
        return o;
}

static const char *version_of(const json_t *change, const char *side) {
        const char *version = json_get_string(json_object_get(change, side), "version");

        return version ? version : "nothing";
}

static void print_entry(const json_t *o) {
        const json_t *change = json_object_get(o, "change"), *error = json_object_get(o, "error"), *drift;
        size_t i;

        printf("%8lld  %s  %-12s %s", (long long)json_get_integer(o, "sequence", 0), json_get_string(o, "at"),
               json_get_string(o, "kind"), json_get_string(o, "app") ? json_get_string(o, "app") : "");
        if (json_is_object(json_object_get(change, "to")) && json_is_object(json_object_get(change, "from")))
                printf(" %s → %s", version_of(change, "from"), version_of(change, "to"));
        else if (json_is_object(json_object_get(change, "to")))
                printf(" %s", version_of(change, "to"));
        if (json_get_string(o, "outcome"))
                printf("  %s", json_get_string(o, "outcome"));
        if (!json_get_bool(o, "verified", false))
                fputs("  SIGNATURE DOES NOT VERIFY", stdout);
        putchar('\n');
        if (error)
                printf("          %s: %s\n", json_get_string(error, "code") ? json_get_string(error, "code") : "-",
                       json_get_string(error, "message") ? json_get_string(error, "message") : "");
        json_array_foreach(json_object_get(o, "drift"), i, drift)
                printf("          %s: %s\n", json_get_string(drift, "code"),
                       json_get_string(drift, "detail") ? json_get_string(drift, "detail") : "");
}

static int each(void *data, const struct ledger_record *record, struct fault *reterr) {
        struct listing *l = data;
        own_json json_t *entry = entry_json(record);

        if (l->json)
                json_array_append(l->records, entry);
        else
                print_entry(entry);
        return 0;
}

static int run(struct cli *cli, const struct verb *verb, int *ret_exit, struct fault *reterr) {
        own_ledger_access struct ledger_access access = LEDGER_ACCESS_INIT;
        own_json json_t *records = json_array();
        struct listing l = { .json = cli->json, .records = records };
        uint64_t limit = HISTORY_DEFAULT;
        int r;

        if (cli_option("limit") && parse_u64(cli_option("limit"), &limit) < 0)
                return fault_set(reterr, FAULT_CONFIG, 0, "--limit: '%s' is no number", cli_option("limit"));
        r = ledger_access_open(cli, &access, reterr);
        if (r == 0)
                r = ledger_history(access.ledger, cli_arguments()->positional[0], (size_t)limit, each, &l, reterr);
        if (r < 0)
                return r;
        return cli->json ? cli_print_json(cli, json_incref(records), reterr) : 0;
}

static const struct option_spec options[] = {
        { "limit", "N", "at most this many records; 0: all. Default: 50" },
        { NULL, NULL, NULL },
};

const struct verb verb_history = {
        .name = "history",
        .arguments = "[APP]",
        .summary = "Show what happened, newest first, from the ledger on this host.",
        .example = "tally history shop --limit 10",
        .options = options,
        .max_arguments = 1,
        .run = run,
};
