/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/cli/ledger_access.h"

#include <errno.h>

#include "reconciler/version.h"

int ledger_access_open(struct cli *cli, struct ledger_access *ret, struct fault *reterr) {
        own_fault struct fault no_key = FAULT_INIT;
        int r = cli_config(cli, reterr);

        if (r == 0)
                r = state_open(cli->config.state, STATE_READ, &ret->state, reterr);
        if (r < 0)
                return r;
        ret->has_key = state_key_read(&ret->state, &ret->key, &no_key) == 0;
        ret->settings = (struct ledger_settings){
                .host = cli->config.host.text,
                .branch = cli->config.ledger.branch,
                .repository = cli->config.ledger.repository.text,
                .remote = &ret->remote,
                .version = TALLY_VERSION,
        };
        r = ledger_open_read(&ret->state, ret->has_key ? &ret->key.key : NULL, &ret->settings, &ret->ledger, reterr);
        if (r == -ENOENT)
                fault_hint(reterr, "`tally pass` begins the ledger");
        return r;
}

void ledger_access_done(struct ledger_access *a) {
        ledger_free(a->ledger);
        sshkey_private_wipe(&a->key);
        state_done(&a->state);
        *a = LEDGER_ACCESS_INIT;
}
