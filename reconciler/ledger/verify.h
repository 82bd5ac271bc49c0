/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ledger verify: the whole chain, from the first commit to a head
 *
 *   - commits: strict objects, one parent (none for the first), SSH signature in namespace git, trailers that fit
 *   - files: evidence/, artifacts/ and worlds/ only grow, named as they must be; nothing beside them but status.json
 *     and sticker.json
 *   - records: numbered from 0 by ones, `prev` is the SHA-256 of the envelope before, `genesis` that of the first; the
 *     envelope's signature, a valid statement, paths that say what the record says; every subject that is a file is
 *     there; the world that a decision names is there; intents are closed once
 *   - keys: the first record names its key, a key-rotation the next one, and the last must be the one expected
 *   - nothing was cut off: the record that is remembered beside the clone is in it
 */

#include "reconciler/state/ledger_head.h"
#include "shared/git/mirror.h"
#include "shared/sign/sshkey.h"

struct ledger_expected {
        /*
         * Who signed the head. NULL takes the last key the ledger itself names: then its consistency is proven, not
         * whose it is.
         */
        const struct sshkey *key;
        const char *host;                     /* NULL: anybody's ledger */
        const struct ledger_head *remembered; /* NULL, or with any == false: nothing is */
};

struct ledger_verified {
        size_t n_commits;
        int64_t n_records;
        int64_t epochs;            /* keys in use over time */
        int64_t first_ms, last_ms; /* wall times of the first and last record */
        struct sshkey key;         /* that signed the head */
};

/*
 * FAULT_DENIED/LEDGER_INVALID naming the commit or record. Linear in the history, but for the trees that list
 * artifacts/ and worlds/.
 */
int ledger_verify(struct mirror *m, const struct object_id *head, const struct ledger_expected *expected,
                  struct ledger_verified *ret, struct fault *reterr);
