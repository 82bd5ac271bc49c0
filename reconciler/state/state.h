/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * State: the folder that a pass starts from (docs/state.md)
 *
 *      lock               held by the pass that runs; ends with its process
 *      id_ed25519 .pub    the host's key pair, made on first use, never overwritten
 *      accepted.json      the accepted commit, the last tip seen, a refusal
 *      rollouts/<app>.json
 *      sticker.json       what is deployed
 *      status.json        what was last said
 *      head.json          the ledger's head (ledger_head.h)
 *      verified           commits verified before (verified.h)
 *      files/             materialised files of apps
 *      desired.git ledger.git
 *
 * Every file is replaced atomically and durably. A file that cannot be read is set aside as <name>.corrupt and reported
 * with STATE_CORRUPT where it can be made again; a rollout cannot (its poison list is nowhere else), so its app is
 * held until a person decides.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/data/json.h"
#include "shared/model/rollout.h"
#include "shared/sign/sshkey.h"

enum state_mode {
        STATE_READ, /* look only: nothing is made, swept or set aside. -ENOENT when there is no state yet */
        STATE_WRITE,
};

struct state {
        enum state_mode mode;
        int dirfd;
        int rollouts_fd; /* -1: there is no such folder (STATE_READ) */
        int lock_fd;     /* -1: not locked */
        char *path;      /* owned */
};

/*
 * Open the folder; with STATE_WRITE make it (0700, with rollouts/ and files/), check that it can be written.
 * FAULT_TRANSIENT/STATE_UNWRITABLE with a hint.
 */
int state_open(const char *path, enum state_mode mode, struct state *ret, struct fault *reterr);
/* Release the lock, too. Accepts STATE_INIT. */
void state_done(struct state *s);
#define STATE_INIT ((struct state){ .dirfd = -1, .rollouts_fd = -1, .lock_fd = -1 })
#define own_state  __attribute__((cleanup(state_done)))

/*
 * Be the one pass, and sweep what a killed one left. -EWOULDBLOCK, FAULT_TRANSIENT naming the other pid, after
 * @wait_ms.
 */
int state_lock(struct state *s, int wait_ms, struct fault *reterr);

/*
 * The host's key: read, or made when there is none yet (@ret_made, may be NULL). A key file that is broken, readable by
 * others or without its public half is FAULT_CONFIG with a hint; it is never replaced.
 */
int state_key(struct state *s, const char *host, struct sshkey_private *ret, bool *ret_made, struct fault *reterr);
/* Only read: -ENOENT when there is none. */
int state_key_read(struct state *s, struct sshkey_private *ret, struct fault *reterr);

/*
 * Rollouts
 */

struct state_rollout {
        struct rollout rollout;
        /* why it cannot be read: hold this app; rollout.app is set and nothing else. NULL: it can */
        const char *corrupt;
};

/* All of them, sorted by app, as struct state_rollout. Everything lives in @a. */
int state_rollouts_read(const struct state *s, struct arena *a, struct struct_list *ret, struct fault *reterr);
/* Before each effect that follows from it. */
int state_rollout_write(struct state *s, const struct rollout *r, struct fault *reterr);
int state_rollout_remove(struct state *s, const char *app, struct fault *reterr);

/*
 * What is accepted
 */

struct accepted_refusal {
        const char *commit; /* hex */
        const char *code;   /* reason code */
        const char *message;
        const char *hint; /* what helps; NULL: none */
        int64_t at;       /* wall ms: first refused */
};

struct accepted {
        const char *commit; /* hex; NULL: nothing is accepted yet */
        const char *tree;
        const char *trust;                               /* digest of the commit's trust/allowed_signers */
        const char *principal, *fingerprint, *algorithm; /* of its signature */
        int64_t signed_at;                               /* wall ms, as claimed */
        int64_t first_seen;                              /* wall ms: when it was accepted */
        const char *tip;                                 /* hex: last seen at the remote; NULL: never */
        int64_t fetched_at;               /* wall ms: when the remote was last asked with success; 0: never */
        struct accepted_refusal *refusal; /* of tip; NULL: none */
};
extern const struct table accepted_table;

/*
 * No file: all empty. A file that cannot be read is set aside, @ret is empty, @ret_corrupt (may be NULL; in @a) says
 * why: the accepted commit must then come from the ledger (ledger_accepted()), or a rewind would go unseen.
 */
int state_accepted_read(const struct state *s, struct arena *a, struct accepted *ret, const char **ret_corrupt,
                        struct fault *reterr);
int state_accepted_write(struct state *s, const struct accepted *accepted, struct fault *reterr);

/*
 * The sticker
 */

enum sticker_state {
        STICKER_SAME,
        STICKER_MISSING,
        STICKER_OTHER, /* readable, but not what we wrote */
        STICKER_UNREADABLE,
        STICKER_STATE_MAX_,
};
extern const char *const sticker_state_names[]; /* same missing other unreadable */

/* NULL when there is none. */
int state_sticker_read(const struct state *s, json_t **ret, struct fault *reterr);
int state_sticker_write(struct state *s, const json_t *sticker, struct fault *reterr);
/* Is the file what @expected (NULL: none) says? Compared by content: spaces and the order of keys do not count. */
int state_sticker_compare(const struct state *s, const json_t *expected, enum sticker_state *ret, struct fault *reterr);

/*
 * Other small documents: status.json, head.json, quiet.json, suspended.json
 */

/*
 * *ret is NULL when there is no such file. One that cannot be read is set aside (in a state opened with STATE_WRITE)
 * and FAULT_TRANSIENT/STATE_CORRUPT, -EUCLEAN.
 */
int state_json_read(const struct state *s, const char *name, json_t **ret, struct fault *reterr);
int state_json_write(struct state *s, const char *name, const json_t *json, struct fault *reterr);
int state_json_remove(struct state *s, const char *name, struct fault *reterr);
