/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Record: what the ledger says about one thing that happened (docs/ledger.md). Pure.
 *
 * A record becomes the predicate of an in-toto Statement, predicate type urn:tallyman:record:v1. The one who saw what
 * happened fills in struct record; the ledger adds where the record stands: its number, the record before it, host,
 * time. The predicate is an object of
 *
 *      schema "tallyman/record/v1"   recordType   app?   seq   epoch
 *      prev{sha256, seq} or null     genesis{sha256} or null (in the genesis record itself)
 *      openIntents[]                 numbers of the intents that are open after this record
 *      host{hostId, machineIdHash?, bootId?, daemon{name, version}, key}
 *      time{wall, monotonicNs, clock{synchronized, stepSincePrev?}}      stepSincePrev in ms, within one boot
 *      desired?{repository, ref, environment, commit, tree?, signer{principal, fingerprint, algorithm}, signedAt?,
 *      firstSeen?}
 *
 * and of the members of the body, which depend on the kind:
 *
 *      change{from, to}              each {release, version} or null
 *      release{id, version, components[], created?, by?, source?}
 *      gates[]                       {gate, verdict, reasons[]}
 *      plan{…}  execution{intentSeq, started, finished, steps[]}  observed{…}
 *      outcome                       a word: success, failed, rolled_back, held, denied, partial, interrupted
 *      error{code, message}
 *      replay{world, decision}       SHA-256, hex
 *      reason                        for people
 *
 * All of it is integers, strings, booleans, null: no floating point. No secrets: digests and names only.
 */

#include <jansson.h>

#include "shared/base/buffer.h"
#include "shared/base/fault.h"
#include "shared/data/digest.h"

#define RECORD_SCHEMA         "tallyman/record/v1"
#define RECORD_PREDICATE_TYPE "urn:tallyman:record:v1"

enum record_kind {
        RECORD_GENESIS,
        RECORD_START,
        RECORD_STOP,
        RECORD_SUSPEND,
        RECORD_RESUME,
        RECORD_HEARTBEAT,
        RECORD_DECISION,
        RECORD_INTENT,
        RECORD_RESULT,
        RECORD_ROLLBACK,
        RECORD_DRIFT,
        RECORD_EXTERNAL_CHANGE,
        RECORD_REFUSAL,
        RECORD_OVERRIDE,
        RECORD_TRUST_CHANGE,
        RECORD_POLICY_CHANGE,
        RECORD_KEY_ROTATION,
        RECORD_CLOCK_EVENT,
        RECORD_REMOTE_ANOMALY,
        RECORD_GAP_DECLARED,
        RECORD_PEER_ANOMALY,
        RECORD_DECOMMISSION,
        RECORD_KIND_MAX_,
};
extern const char *const record_kind_names[]; /* "genesis", "external-change", …; NULL-terminated */
/* RECORD_KIND_MAX_ when there is no such kind. */
enum record_kind record_kind_from_string(const char *name);

/* An image that the record is about. */
struct record_image {
        const char *name;   /* "shop/web@registry.example/shop/web" */
        const char *digest; /* "sha256:…" */
};

/* What happened. Everything is borrowed. */
struct record {
        enum record_kind kind;
        const char *app; /* NULL: about the host */
        /*
         * The plan or result as a file of its own, so that stock tools have a file to check: stored as
         * artifacts/<sha256> in canonical JSON, first subject of the statement. NULL: the body, with recordType and
         * app, is the file.
         */
        const char *file_name; /* "plan.json"; NULL: "<kind>.json" */
        const json_t *file;
        const struct record_image *images;
        size_t n_images;
        /* an object as above, or NULL; must not hold a member that the ledger sets */
        const json_t *body;
        int64_t closes; /* RESULT: number of the intent it closes (0 is no intent: 0 means none) */
};

/* Where the host stands in the desired state. Strings may be NULL, times 0, where not known. */
struct record_desired {
        const char *repository; /* without credentials */
        const char *ref;        /* "main" */
        const char *environment;
        const char *commit, *tree;                       /* hex */
        const char *principal, *fingerprint, *algorithm; /* of the commit's signature */
        int64_t signed_at, first_seen;                   /* wall ms */
};

/* Where a record stands in its ledger, and who made it when. */
struct record_place {
        int64_t seq;
        int64_t epoch;
        const char *prev;            /* SHA-256 of the envelope before, hex; NULL: none */
        const char *genesis;         /* SHA-256 of the first envelope, hex; NULL in that one */
        const int64_t *open_intents; /* after this record */
        size_t n_open_intents;
        const char *host;
        const char *machine_id_hash;   /* hex, or NULL */
        const char *boot_id;           /* or "" */
        const char *program, *version; /* "tally", "0.1.0" */
        const char *key;               /* fingerprint */
        int64_t wall_ms, monotonic_ns;
        bool synchronized;
        bool has_step;
        int64_t step_ms; /* wall time minus monotonic time since the record before, when has_step */
        const struct record_desired *desired; /* NULL: nothing is accepted yet */
};

/* A new reference. Aborts without memory. */
json_t *record_predicate(const struct record *r, const struct record_place *place);

/* The canonical bytes of the record's file, and its name ("<kind>.json" is written to @buf). */
#define RECORD_FILE_NAME_MAX 64
int record_file(const struct record *r, struct buffer *out, char buf[RECORD_FILE_NAME_MAX], const char **ret_name,
                struct fault *reterr);

/* Helpers for bodies. New references; abort without memory. */
json_t *record_release(const char *release, const char *version); /* {release, version}, or null without release */
json_t *record_change(const char *from, const char *from_version, const char *to, const char *to_version);
json_t *record_error(const char *code, const char *message); /* {code, message} */

/*
 * What a reader needs of any predicate. Strings are borrowed from it. FAULT_CONFIG when a field that every record has
 * is missing or wrong; members that we don't know are ignored.
 */
struct record_head {
        enum record_kind kind;
        const char *app; /* or NULL */
        int64_t seq, epoch;
        const char *prev;    /* hex, or NULL in the first */
        const char *genesis; /* hex, or NULL in the first */
        const char *host, *key, *boot_id;
        int64_t wall_ms, monotonic_ns;
        const json_t *open_intents;
        int64_t closes; /* execution.intentSeq, or 0 */
};
int record_head_read(const char *name, const json_t *predicate, struct record_head *ret, struct fault *reterr);

/*
 * Paths in the ledger: "evidence/<seq / 1000>/<seq, 8 digits>-<kind>[-<app>].dsse.json"; the folder's number is
 * plain decimal: 0, 1, 2 …, beyond 99,999,999 the file's number just grows.
 */
#define RECORD_PATH_MAX 160
const char *record_path(int64_t seq, enum record_kind kind, const char *app, char buf[RECORD_PATH_MAX]);
/*
 * The file name at the end of such a path. @ret_app points into @name (up to the suffix: @ret_app_size) or is NULL. 0
 * or -EINVAL.
 */
int record_name_parse(const char *name, int64_t *ret_seq, enum record_kind *ret_kind, const char **ret_app,
                      size_t *ret_app_size);
