/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Opening this host's ledger to read, for the verbs that show or check it. */

#include "reconciler/cli/cli.h"
#include "reconciler/ledger/ledger.h"

struct ledger_access {
        struct state state;
        struct sshkey_private key;
        struct remote_settings remote;
        struct ledger_settings settings;
        struct ledger *ledger;
        bool has_key;
};

#define LEDGER_ACCESS_INIT ((struct ledger_access){ .state = STATE_INIT })

/* Read the configuration, the state, the key when there is one, and open the ledger. */
int ledger_access_open(struct cli *cli, struct ledger_access *ret, struct fault *reterr);
void ledger_access_done(struct ledger_access *a);
#define own_ledger_access __attribute__((cleanup(ledger_access_done)))
