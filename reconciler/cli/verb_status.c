/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <stdio.h>

#include "reconciler/cli/cli.h"
#include "reconciler/launcher/show.h"
#include "reconciler/launcher/unchanged.h"
#include "reconciler/state/state.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

/* The exit code that the pass which wrote this had for its state. */
static int exit_code_of(const json_t *status) {
        static const struct {
                const char *state;
                int code;
        } codes[] = {
                { "converged", EXIT_DONE }, { "progressing", EXIT_PENDING }, { "blocked", EXIT_PENDING },
                { "degraded", EXIT_RETRY }, { "refused", EXIT_REFUSED },     { "failed", EXIT_ROLLED_BACK },
        };
        const char *state = json_get_string(status, "state");

        for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
                if (str_eq(codes[i].state, state))
                        return codes[i].code;
        return EXIT_RETRY;
}

/*
 * Status is written when something changes; that the repository still answers is known from what passes leave behind.
 */
static void put_fetched(const struct state *s, json_t *status) {
        own_arena struct arena *scratch = arena_new();
        own_fault struct fault ignored = FAULT_INIT;
        struct accepted accepted = { .fetched_at = 0 };
        json_t *desired = json_object_get(status, "desired");
        int64_t asked = unchanged_asked_at(s);
        char at[RFC3339_TEXT_MAX];

        if (state_accepted_read(s, scratch, &accepted, NULL, &ignored) == 0 && accepted.fetched_at > asked)
                asked = accepted.fetched_at;
        if (asked > 0)
                json_set_string(desired, "fetched", rfc3339_format(asked, at));
}

/* That nobody asks any more is seen by how long ago somebody did. */
static void show_fetched(FILE *out, const char *fetched) {
        int64_t at, ago;
        char text[DURATION_TEXT_MAX];

        if (!fetched || rfc3339_parse(fetched, &at) < 0)
                return;
        ago = clock_wall_ms() - at;
        if (ago >= 0)
                fprintf(out, "  the repository answered %s ago\n", format_duration(ago - ago % 1000, text));
        else
                fprintf(out, "  the repository answered at %s\n", fetched);
}

static int run(struct cli *cli, const struct verb *verb, int *ret_exit, struct fault *reterr) {
        own_state struct state state = STATE_INIT;
        own_json json_t *status = NULL;
        int r = cli_config(cli, reterr);

        if (r == 0)
                r = state_open(cli->config.state, STATE_READ, &state, reterr);
        if (r == 0)
                r = state_json_read(&state, "status.json", &status, reterr);
        if (r < 0)
                return r;
        if (!status) {
                r = fault_set(reterr, FAULT_TRANSIENT, ENOENT, "there is no status yet in %s", cli->config.state);
                fault_hint(reterr, "`tally pass` makes the first one");
                return r;
        }
        *ret_exit = exit_code_of(status);
        put_fetched(&state, status);
        if (cli->json)
                return cli_print_json(cli, json_incref(status), reterr);
        show_status(stdout, status);
        show_fetched(stdout, json_get_string(json_object_get(status, "desired"), "fetched"));
        return 0;
}

const struct verb verb_status = {
        .name = "status",
        .arguments = "",
        .summary = "Show how this host stands, from its state, without touching a runtime.",
        .example = "tally status --json",
        .run = run,
};
