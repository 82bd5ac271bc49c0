/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ledger: what this host did, as signed commits on its own branch (docs/ledger.md)
 *
 *      status.json  sticker.json
 *      evidence/<seq / 1000>/<seq, 8 digits>-<kind>[-<app>].dsse.json
 *      artifacts/<sha256>
 *      worlds/<sha256>.json
 *
 * One writer, the pass that holds the lock of the state. Commits have one parent, are SSH-signed by the host's key and
 * carry, for each record, the trailers Seq and Record-Sha256 (and App), and Prev-Sha256 for the first. Below evidence/,
 * artifacts/ and worlds/ files are only added. Three bindings: git's parents, `prev` in the records, the head beside
 * the clone (ledger_head.h).
 *
 * The branch is moved before the head is written, so after a crash the clone is at most one commit ahead; ledger_open()
 * takes that commit in. The cost of an append does not grow with the number of records, but for the one tree that lists
 * each of artifacts/ and worlds/.
 *
 *      ledger_open()      once a pass, when there is something to record or push
 *      ledger_append()    decision and intent before acting, result after it
 *      ledger_push()      at the end
 */

#include "reconciler/state/ledger_head.h"
#include "shared/git/remote.h"
#include "shared/model/record.h"

struct ledger;

struct ledger_settings {
        const char *host;
        const char *branch;     /* NULL: tally/<host> */
        const char *repository; /* where it is pushed */
        const struct remote_settings *remote;
        const char *author_name, *author_email; /* NULL: "tally <host>", "tally@<host>" */
        const char *version;                    /* of the program */
        int64_t now_ms;                         /* time of what opening records; 0: the clock's */
};

/*
 * Open for writing. The state is locked; all pointers are borrowed and outlive the ledger.
 *
 *   - Nothing here and nothing at the remote: the ledger begins with a genesis record.
 *   - Nothing here (the state was lost, or the clone is broken): the branch is fetched, verified from its first commit
 *     to its last (ledger_verify.h), continued, and a gap-declared record says so. The remote must be reachable for
 *     this: FAULT_TRANSIENT else, for a ledger that begins beside an older one would be a fork.
 *   - The clone is behind the head that we remember: the same.
 *   - The branch was made with another key than @key (the host has a new one): it is verified with the key it was made
 *     with, and a key-rotation record starts the next epoch.
 *   - What the remote has does not verify, or contradicts what is here: FAULT_DENIED/LEDGER_DIVERGED.
 *
 * STATE_UNWRITABLE when the disk is full or read-only.
 */
int ledger_open(struct state *s, const struct sshkey_private *key, const struct ledger_settings *settings,
                struct ledger **ret, struct fault *reterr);
/*
 * Open for reading: history, replay, doctor. Needs no lock, no remote, no private key, writes nothing. @key may be
 * NULL: then nothing is compared with it. -ENOENT when there is no ledger yet.
 */
int ledger_open_read(struct state *s, const struct sshkey *key, const struct ledger_settings *settings,
                     struct ledger **ret, struct fault *reterr);
/* Accepts NULL. */
void ledger_free(struct ledger *l);
DEFINE_OWN(struct ledger, ledger_free)
#define own_ledger own(ledger_free_p)

/* Borrowed; changes with each append and push. */
const struct ledger_head *ledger_head(const struct ledger *l);
/*
 * What head.json said when the ledger was opened: more than the branch has when something was cut off. For
 * ledger_verify().
 */
const struct ledger_head *ledger_remembered(const struct ledger *l);
const char *ledger_branch(const struct ledger *l);
struct mirror *ledger_mirror(const struct ledger *l);

/*
 * Writing (ledger.c)
 */

struct ledger_blob {
        const void *bytes;
        size_t size;
};

/* One commit, of a thousand records at most (LIMIT_COMMIT_BYTES of trailers). Everything is borrowed. */
struct ledger_entry {
        const struct record *records; /* in order; none: a commit of the status alone */
        size_t n_records;
        const struct record_desired *desired; /* what is accepted; NULL: nothing yet */
        const json_t *status;                 /* NULL: stays; `ledger` and `at` are put in here */
        const json_t *sticker;                /* NULL: stays */
        const struct ledger_blob *artifacts;  /* to artifacts/<sha256>; the records' own files come by themselves */
        size_t n_artifacts;
        const struct ledger_blob *worlds; /* to worlds/<sha256>.json; canonical JSON */
        size_t n_worlds;
        const char *subject; /* first line of the commit message */
        int64_t now_ms;      /* wall clock; 0: the clock's */
};

/*
 * Seal and commit; durable when it returns 0. @ret_first (may be NULL) is the number of the first record, the others
 * follow. status.json and sticker.json of the state folder are replaced by the same bytes afterwards.
 * FAULT_TRANSIENT/STATE_UNWRITABLE when it could not be written: nothing happened then.
 */
int ledger_append(struct ledger *l, const struct ledger_entry *e, int64_t *ret_first, struct fault *reterr);

/* See ledger_head_clock_went_back(). */
bool ledger_clock_went_back(const struct ledger *l, int64_t now_ms);

/*
 * Intents without a result: a crash left them. The pass closes each with a result, outcome "interrupted". In @a, oldest
 * first.
 */
struct ledger_intent {
        int64_t seq;
        const char *app;
};
int ledger_open_intents(struct ledger *l, struct arena *a, struct ledger_intent **ret, size_t *ret_n,
                        struct fault *reterr);

/*
 * Pushing (ledger_push.c)
 */

enum ledger_push_state {
        LEDGER_PUSH_UP_TO_DATE,
        LEDGER_PUSH_DONE,
        LEDGER_PUSH_REWOUND,  /* done; the remote had gone back and is mended; recorded as remote-anomaly */
        LEDGER_PUSH_VANISHED, /* done; the branch had been removed; likewise */
        LEDGER_PUSH_STATE_MAX_,
};
extern const char *const ledger_push_state_names[]; /* up-to-date pushed rewound vanished */

/*
 * Ask for the remote's head and bring it up to date; never by force. FAULT_TRANSIENT/LEDGER_PUSH_FAILED: kept, try
 * later. FAULT_DENIED/LEDGER_DIVERGED: the remote has commits that are not ours (somebody has the key, or a copy of
 * this host runs); recorded once for each foreign head, nothing is pushed until a person has looked.
 */
int ledger_push(struct ledger *l, enum ledger_push_state *ret, struct fault *reterr);

/*
 * Reading (ledger_read.c)
 */

struct ledger_record {
        int64_t seq;
        enum record_kind kind;
        const char *app;         /* or NULL */
        const char *path;        /* in the branch */
        struct object_id commit; /* the branch's head it was read from */
        const void *envelope;    /* the bytes */
        size_t size;
        struct digest digest; /* of the envelope */
        const json_t *statement, *predicate;
        struct record_head head;
        bool verified; /* the envelope is signed by the key given to open() */
};

/* By number. Everything lives in @a. -ENOENT when there is none. */
int ledger_read_record(struct ledger *l, int64_t seq, struct arena *a, struct ledger_record *ret, struct fault *reterr);
/*
 * What a person types: "42", "00000042-decision-shop", a path, or the first digits (8 at least) of a recent envelope's
 * SHA-256. FAULT_CONFIG.
 */
int ledger_find_record(struct ledger *l, const char *name, int64_t *ret_seq, struct fault *reterr);

/*
 * Newest first, at most @limit (0: all), of @app alone unless NULL. The callback returns 0 to go on, 1 for enough, or a
 * negative errno with a fault; what it is given lives until it returns.
 */
int ledger_history(struct ledger *l, const char *app, size_t limit,
                   int (*each)(void *data, const struct ledger_record *record, struct fault *reterr), void *data,
                   struct fault *reterr);

/* Append worlds/<hex>.json or artifacts/<hex>, checked against its name. */
int ledger_read_world(struct ledger *l, const char *hex, struct buffer *out, struct fault *reterr);
int ledger_read_artifact(struct ledger *l, const char *hex, struct buffer *out, struct fault *reterr);
/* status.json and sticker.json of the branch; NULL when it has none. */
int ledger_read_status(struct ledger *l, json_t **ret, struct fault *reterr);
int ledger_read_sticker(struct ledger *l, json_t **ret, struct fault *reterr);

/*
 * The commit that the last status says was accepted, for a state that lost accepted.json, and the key that signed that
 * status. Anybody who may push can plant a ledger that is valid in itself: the caller must know the key as this host's.
 * -ENOENT when the ledger says none.
 */
int ledger_accepted(struct ledger *l, struct object_id *ret, struct sshkey *ret_signer, struct fault *reterr);
