/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Ledger, inside: what the files of ledger.h share. */

#include "reconciler/ledger/ledger.h"
#include "shared/sign/sshkey.h"

#define LEDGER_REPOSITORY "ledger.git"
#define LEDGER_NAMESPACE  "git"
#define LEDGER_REF_MAX    (LIMIT_BRANCH_BYTES + 16)
#define LEDGER_PERSON_MAX 128
#define LEDGER_FOLDER     1000 /* records in one folder of evidence/ */

struct ledger {
        struct state *state;
        const struct sshkey_private *key; /* NULL: open for reading */
        struct sshkey public;
        bool has_public;
        struct ledger_settings settings;
        char branch[LIMIT_BRANCH_BYTES + 1];
        char ref[LEDGER_REF_MAX];
        char name[LEDGER_PERSON_MAX], email[LEDGER_PERSON_MAX];
        char machine_id_hash[65]; /* "" when the machine has no id */
        struct mirror *mirror;
        struct ledger_head head;
        struct ledger_head remembered; /* what head.json said at first */
};

/* Branch, names and the machine. */
int ledger_new(struct state *s, const struct ledger_settings *settings, struct ledger **ret, struct fault *reterr);

/*
 * Commits
 */

/* A commit of a ledger; @raw holds what @ret points into. */
int ledger_commit_read(struct mirror *m, const struct object_id *id, struct buffer *raw, struct object_commit *ret,
                       struct fault *reterr);
/* Who signed it, when the signature is good. FAULT_DENIED/LEDGER_INVALID. */
int ledger_commit_signer(const struct object_commit *c, struct sshkey *ret, struct fault *reterr);

/* The records that a commit's trailers name: how many, and the last. */
struct ledger_trailers {
        size_t n;
        int64_t seq;
        struct digest record;
};
int ledger_trailers_read(const struct object_commit *c, struct ledger_trailers *ret, struct fault *reterr);

/*
 * Is @old @tip, or on the way from it to its first commit? 1, 0, or a fault. At most @steps commits are read (0: all).
 */
int ledger_is_ancestor(struct mirror *m, const struct object_id *old, const struct object_id *tip, size_t steps,
                       struct fault *reterr);

/*
 * Records
 */

/* The files of one folder of evidence/ of a commit, in the order of their numbers. */
int ledger_folder(struct mirror *m, const struct object_id *commit, int64_t folder, struct arena *a,
                  struct mirror_listing *ret, struct fault *reterr);
/* Read a record of @commit. @key NULL: its signature is not looked at. */
int ledger_read_at(struct mirror *m, const struct object_id *commit, int64_t seq, const struct sshkey *key,
                   struct arena *a, struct ledger_record *ret, struct fault *reterr);
