/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>

#include "policies/gate.h"
#include "reconciler/cli/ledger_access.h"
#include "reconciler/core/decide.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

/* The world of a record, checked against its name, as a structure again. */
static int read_world(struct cli *cli, struct ledger *ledger, const char *hex, struct decision_input *ret,
                      struct fault *reterr) {
        own_buffer struct buffer bytes = BUFFER_INIT;
        own_json json_t *json = NULL;
        int r = ledger_read_world(ledger, hex, &bytes, reterr);

        if (r == 0)
                r = json_parse("world", buffer_str(&bytes), bytes.size, &json, reterr);
        if (r == 0)
                r = table_read_json(&decision_input_table, "world", json, ret, cli->arena, reterr);
        return r;
}

static int answer(struct cli *cli, int64_t seq, const char *input, const char *recorded, const char *replayed,
                  struct fault *reterr) {
        json_t *document;

        if (!cli->json) {
                printf("record %lld: decided again from world %.12s: %s\n", (long long)seq, input,
                       str_eq(recorded, replayed) ? "the same decision, byte for byte" : "ANOTHER decision");
                return 0;
        }
        document = json_object();
        json_object_set_new(document, "sequence", json_integer(seq));
        json_set_string(document, "world", input);
        json_set_string(document, "recorded", recorded);
        json_set_string(document, "replayed", replayed);
        json_object_set_new(document, "same", json_boolean(str_eq(recorded, replayed)));
        return cli_print_json(cli, document, reterr);
}

static int run(struct cli *cli, const struct verb *verb, int *ret_exit, struct fault *reterr) {
        own_ledger_access struct ledger_access access = LEDGER_ACCESS_INIT;
        struct ledger_record record;
        struct decision decision;
        struct digest digest;
        struct decision_input input;
        const json_t *replay;
        const char *hex, *recorded;
        int64_t seq = 0;
        int r = ledger_access_open(cli, &access, reterr);

        if (r == 0)
                r = ledger_find_record(access.ledger, cli_arguments()->positional[0], &seq, reterr);
        if (r == 0)
                r = ledger_read_record(access.ledger, seq, cli->arena, &record, reterr);
        if (r < 0)
                return r;
        replay = json_object_get(record.predicate, "replay");
        hex = json_get_string(replay, "world");
        recorded = json_get_string(replay, "decision");
        if (!hex || !recorded) {
                r = fault_set(reterr, FAULT_CONFIG, 0, "record %lld is a %s: it holds no decision to replay",
                              (long long)seq, record_kind_names[record.kind]);
                fault_hint(reterr, "`tally history` shows which records are decisions");
                return r;
        }
        r = read_world(cli, access.ledger, hex, &input, reterr);
        if (r < 0)
                return r;
        gate_judge(&input, cli->arena);
        decide(&input, cli->arena, &decision);
        own_json json_t *json = table_write(&decision_table, &decision);
        digest = digest_of_json(json);
        *ret_exit = str_eq(digest_hex(&digest), recorded) && record.verified ? EXIT_DONE : EXIT_REFUSED;
        return answer(cli, seq, hex, recorded, digest_hex(&digest), reterr);
}

const struct verb verb_replay = {
        .name = "replay",
        .arguments = "RECORD",
        .summary = "Decide again from the world of a record and compare with what was decided then.",
        .example = "tally replay 2",
        .max_arguments = 1,
        .min_arguments = 1,
        .run = run,
};
