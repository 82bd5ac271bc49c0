/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Opening: what is here, what we remember, what the remote has, and which of it the next record follows.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/ledger/ledger_private.h"
#include "reconciler/ledger/verify.h"
#include "shared/base/file.h"
#include "shared/data/json.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/git/compact.h"
#include "shared/git/refs.h"

#define MACHINE_ID      "/etc/machine-id"
#define MACHINE_ID_SALT "tallyman " /* the id itself is not to be shown: machine-id(5) */
#define CATCH_UP        256         /* commits that the clone may be ahead of what we remember */

/*
 * Making
 */

static void hash_machine_id(char ret[65]) {
        own_buffer struct buffer id = BUFFER_INIT;
        own_fault struct fault ignored = FAULT_INIT;
        struct digest digest;

        buffer_puts(&id, MACHINE_ID_SALT);
        if (file_read(AT_FDCWD, MACHINE_ID, 128, &id, &ignored) < 0 || id.failed)
                return;
        digest = digest_of(id.data, id.size);
        memcpy(ret, digest_hex(&digest), 65);
}

/* @given, or @otherwise with the host's name. */
static bool set_text(char *ret, size_t room, const char *given, const char *otherwise, const char *host) {
        int n = given ? snprintf(ret, room, "%s", given) : snprintf(ret, room, "%s%s", otherwise, host);

        return n > 0 && (size_t)n < room;
}

int ledger_new(struct state *s, const struct ledger_settings *settings, struct ledger **ret, struct fault *reterr) {
        own_ledger struct ledger *l = calloc(1, sizeof(*l));

        if (!l)
                return fault_set_oom(reterr);
        if (!name_is_valid(settings->host))
                return fault_set(reterr, FAULT_CONFIG, 0, "'%s' cannot be the name of a host", settings->host);
        l->state = s;
        l->settings = *settings;
        if (!set_text(l->branch, sizeof(l->branch), settings->branch, "tally/", settings->host) ||
            !branch_is_valid(l->branch))
                return fault_set(reterr, FAULT_CONFIG, 0, "'%s' cannot be the branch of a ledger", settings->branch);
        if (!set_text(l->name, sizeof(l->name), settings->author_name, "tally ", settings->host) ||
            !set_text(l->email, sizeof(l->email), settings->author_email, "tally@", settings->host))
                return fault_set(reterr, FAULT_CONFIG, 0, "the name and email of the ledger's author are too long");
        (void)snprintf(l->ref, sizeof(l->ref), "refs/heads/%s", l->branch);
        hash_machine_id(l->machine_id_hash);
        *ret = take(l);
        return 0;
}

void ledger_free(struct ledger *l) {
        if (!l)
                return;
        mirror_free(l->mirror);
        free(l);
}

/* The branch here; zero when there is none. */
static int read_tip(struct ledger *l, struct object_id *ret, struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        int r;

        *ret = (struct object_id){ 0 };
        r = mirror_ref(l->mirror, l->ref, ret, &fault);
        if (r == -ENOENT) {
                *ret = (struct object_id){ 0 };
                return 0;
        }
        if (r < 0)
                fault_move(reterr, &fault);
        return r;
}

/*
 * The head, from the branch itself
 */

/* The last commit with records, from @tip backwards: those that carry only a status stand between. */
static int last_records(struct mirror *m, const struct object_id *tip, struct ledger_trailers *ret,
                        struct fault *reterr) {
        struct object_id at = *tip;

        for (;;) {
                own_buffer struct buffer raw = BUFFER_INIT;
                struct object_commit c;
                int r;

                r = ledger_commit_read(m, &at, &raw, &c, reterr);
                if (r == 0)
                        r = ledger_trailers_read(&c, ret, reterr);
                if (r < 0)
                        return r;
                if (ret->n > 0)
                        return 0;
                if (c.n_parents != 1)
                        return fault_set_code(reterr, FAULT_DENIED, REASON_LEDGER_INVALID, "the ledger has no record");
                at = c.parents[0];
        }
}

static int signer_of(struct mirror *m, const struct object_id *commit, struct sshkey *ret, struct fault *reterr) {
        own_buffer struct buffer raw = BUFFER_INIT;
        struct object_commit c;
        int r;

        r = ledger_commit_read(m, commit, &raw, &c, reterr);
        return r < 0 ? r : ledger_commit_signer(&c, ret, reterr);
}

/* Set what the branch says about its own end; what it cannot say (pushed, diverged) stays. */
static int rebuild(struct ledger *l, const struct object_id *tip, struct fault *reterr) {
        own_arena struct arena *a = arena_new();
        struct ledger_head *h = &l->head;
        struct ledger_trailers trailers;
        struct ledger_record record;
        struct sshkey signer;
        int r;

        r = signer_of(l->mirror, tip, &signer, reterr);
        if (r == 0)
                r = last_records(l->mirror, tip, &trailers, reterr);
        if (r == 0)
                r = ledger_read_at(l->mirror, tip, trailers.seq, &signer, a, &record, reterr);
        if (r < 0)
                return r;
        if (!record.verified || !digest_equal(&record.digest, &trailers.record) ||
            !str_eq(record.head.host, l->settings.host) || strlen(record.head.boot_id) >= sizeof(h->boot_id) ||
            !ledger_head_take_intents(h, record.head.open_intents))
                return fault_set_code(reterr, FAULT_DENIED, REASON_LEDGER_INVALID,
                                      "the last record of the ledger is not what its commit says");
        h->any = true;
        h->seq = record.seq;
        h->epoch = record.head.epoch;
        h->record = record.digest;
        h->genesis = record.digest;
        if (record.head.genesis)
                memcpy(h->genesis.text + strlen("sha256:"), record.head.genesis, 65);
        h->commit = *tip;
        h->wall_ms = record.head.wall_ms;
        h->monotonic_ns = record.head.monotonic_ns;
        memcpy(h->boot_id, record.head.boot_id, strlen(record.head.boot_id) + 1);
        (void)sshkey_fingerprint(&signer, h->key);
        return 0;
}

/*
 * Records that opening makes
 */

static json_t *never_null(json_t *json) {
        if (!json)
                abort();
        return json;
}

static json_t *head_json(const struct ledger_head *h) {
        char hex[OBJECT_ID_TEXT_MAX];

        if (!h->any)
                return never_null(json_null());
        return never_null(json_pack("{s:I, s:s, s:s}", "seq", (json_int_t)h->seq, "sha256", digest_hex(&h->record),
                                    "commit", object_id_format(&h->commit, hex)));
}

static json_t *key_json(const struct sshkey *k) {
        own_buffer struct buffer line = BUFFER_INIT;

        sshkey_put_line(k, NULL, &line);
        return json_text(buffer_str(&line));
}

/* Takes @body over. */
static int append_one(struct ledger *l, enum record_kind kind, json_t *body, const char *subject,
                      struct fault *reterr) {
        own_json json_t *own_body = never_null(body);
        struct record r = { .kind = kind, .body = own_body };
        struct ledger_entry e = { .records = &r, .n_records = 1, .subject = subject, .now_ms = l->settings.now_ms };

        return ledger_append(l, &e, NULL, reterr);
}

static int begin(struct ledger *l, const struct ledger_head *lost, struct fault *reterr) {
        json_t *body = json_pack("{s:o, s:s}", "publicKey", key_json(&l->public), "branch", l->branch);
        char subject[LIMIT_NAME_BYTES + 32];

        if (lost->any && json_object_set_new(never_null(body), "lost", head_json(lost)) < 0)
                abort();
        l->head = (struct ledger_head){ .epoch = lost->any ? lost->epoch + 1 : 0 };
        (void)snprintf(subject, sizeof(subject), "%s: the ledger begins", l->settings.host);
        return append_one(l, RECORD_GENESIS, body, subject, reterr);
}

/* When the branch goes on under another key, whoever reads it learns from here which one to expect. */
static int rotate(struct ledger *l, struct fault *reterr) {
        char fingerprint[FINGERPRINT_TEXT_MAX];
        struct sshkey previous;
        json_t *body;
        int r;

        if (str_eq(l->head.key, sshkey_fingerprint(&l->public, fingerprint)))
                return 0;
        r = signer_of(l->mirror, &l->head.commit, &previous, reterr);
        if (r < 0)
                return r;
        body = json_pack("{s:o, s:{s:o, s:o}}", "publicKey", key_json(&l->public), "previous", "publicKey",
                         key_json(&previous), "head", head_json(&l->head));
        l->head.epoch++;
        return append_one(l, RECORD_KEY_ROTATION, body, "the host has a new key", reterr);
}

static int declare_gap(struct ledger *l, const struct ledger_head *remembered, struct fault *reterr) {
        json_t *body;
        int r = rotate(l, reterr); /* before anything else is said under a new key */

        if (r < 0)
                return r;
        body = json_pack("{s:s, s:o, s:o}", "reason",
                         remembered->any ? "records that were made here are gone from this host and from the remote"
                                         : "the host lost its state: records after the one continued may be missing",
                         "continues", head_json(&l->head), "remembered", head_json(remembered));
        return append_one(l, RECORD_GAP_DECLARED, body, "the host's state was lost", reterr);
}

/*
 * Recovery: the clone is not what we remember
 */

/* What the remote has, fetched; zero when it has no such branch. */
static int fetch(struct ledger *l, struct object_id *ret, struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        int r;

        *ret = (struct object_id){ 0 };
        r = remote_fetch(l->mirror, l->settings.remote, l->settings.repository, l->branch, ret, &fault);
        if (r < 0 && str_eq(fault.code, REASON_FETCH_BRANCH_MISSING)) {
                *ret = (struct object_id){ 0 };
                return 0;
        }
        if (r < 0) {
                fault_move(reterr, &fault);
                fault_hint(reterr,
                           "whether this host has a ledger already must be known before the next record is made");
                return fault_context(reterr, r, "the ledger is not complete here");
        }
        return 0;
}

static int contradicts(struct fault *reterr, const struct fault *why, const char *branch) {
        (void)fault_set_code(reterr, FAULT_DENIED, REASON_LEDGER_DIVERGED,
                             "the ledger %s at the remote cannot be continued: %s", branch,
                             why ? why->message : "it is another one than what is here");
        fault_hint(
                reterr,
                "find out who wrote to the branch; if it must be given up, move it aside at the remote and remove " LEDGER_REPOSITORY
                " and head.json from the state");
        return -EINVAL;
}

/* The longer of two branches of which one must be the beginning of the other; zero ids are no branch. */
static int choose(struct ledger *l, const struct object_id *here, const struct object_id *there, struct object_id *ret,
                  struct fault *reterr) {
        int r;

        *ret = object_id_is_zero(there) ? *here : *there;
        if (object_id_is_zero(here) || object_id_is_zero(there))
                return 0;
        r = ledger_is_ancestor(l->mirror, here, there, 0, reterr);
        if (r != 0)
                return r < 0 ? r : 0;
        *ret = *here;
        r = ledger_is_ancestor(l->mirror, there, here, 0, reterr);
        if (r < 0)
                return r;
        return r ? 0 : contradicts(reterr, NULL, l->branch);
}

static int verify(struct ledger *l, const struct object_id *tip, struct fault *reterr) {
        /* Whose key it is comes later: rotate() writes down any other than ours. */
        const struct ledger_expected expected = { .host = l->settings.host };
        own_fault struct fault fault = FAULT_INIT;
        struct ledger_verified verified;
        int r;

        r = ledger_verify(l->mirror, tip, &expected, &verified, &fault);
        if (r < 0 && fault.kind == FAULT_DENIED)
                return contradicts(reterr, &fault, l->branch);
        if (r < 0)
                fault_move(reterr, &fault);
        return r;
}

static int continue_from(struct ledger *l, const struct object_id *tip, const struct object_id *there,
                         const struct ledger_head *remembered, struct fault *reterr) {
        int r, complete = 0;

        r = verify(l, tip, reterr);
        if (r == 0)
                r = mirror_set_ref(l->mirror, l->ref, tip, reterr);
        if (r == 0)
                r = rebuild(l, tip, reterr);
        if (r < 0)
                return r;
        l->head.pushed = *there;
        if (remembered->any)
                complete = ledger_is_ancestor(l->mirror, &remembered->commit, tip, 0, reterr);
        if (complete < 0)
                return complete;
        return complete ? ledger_head_write(l->state, &l->head, reterr) : declare_gap(l, remembered, reterr);
}

static int recover(struct ledger *l, const struct object_id *here, struct fault *reterr) {
        struct ledger_head remembered = l->head;
        struct object_id there, tip;
        int r;

        r = fetch(l, &there, reterr);
        if (r == 0)
                r = choose(l, here, &there, &tip, reterr);
        if (r < 0)
                return r;
        if (object_id_is_zero(&tip))
                return begin(l, &remembered, reterr);
        return continue_from(l, &tip, &there, &remembered, reterr);
}

/*
 * Opening
 */

/*
 * A crash after the branch was moved and before head.json was: take in what was committed. Without a head.json nothing
 * tells whether the clone is all there was. 1 when that explains what is here.
 */
static int catch_up(struct ledger *l, const struct object_id *tip, struct fault *reterr) {
        struct ledger_head remembered = l->head;
        int r = 1;

        if (remembered.any) {
                own_fault struct fault unreadable = FAULT_INIT;

                r = ledger_is_ancestor(l->mirror, &remembered.commit, tip, CATCH_UP, &unreadable);
        }
        if (r <= 0)
                return 0;
        r = rebuild(l, tip, reterr);
        if (r == 0 && !remembered.any && l->head.seq > 0)
                r = declare_gap(l, &remembered, reterr);
        else if (r == 0)
                r = ledger_head_write(l->state, &l->head, reterr);
        return r < 0 ? r : 1;
}

static int open_clone(struct ledger *l, struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        char broken[MIRROR_NAME_MAX];
        int r;

        r = mirror_open_kept(l->state->path, LEDGER_REPOSITORY, &l->mirror, &fault);
        if (r == -EUCLEAN) {
                r = mirror_set_aside(l->state->path, LEDGER_REPOSITORY, broken, reterr);
                return r < 0 ? r : mirror_open_kept(l->state->path, LEDGER_REPOSITORY, &l->mirror, reterr);
        }
        if (r < 0)
                fault_move(reterr, &fault);
        return r;
}

/* A head.json that cannot be read is set aside by reading it; the branch tells the same, but for what was pushed. */
static int read_head(struct ledger *l, struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        int r;

        r = ledger_head_read(l->state, &l->head, &fault);
        if (r < 0 && r != -EUCLEAN) {
                fault_move(reterr, &fault);
                return r;
        }
        l->remembered = l->head;
        return 0;
}

static int find_head(struct ledger *l, struct fault *reterr) {
        struct object_id tip;
        int r;

        r = read_tip(l, &tip, reterr);
        if (r < 0)
                return r;
        if (l->head.any && object_id_equal(&tip, &l->head.commit))
                return 0;
        if (!object_id_is_zero(&tip)) {
                r = catch_up(l, &tip, reterr);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        return recover(l, &tip, reterr);
}

int ledger_open(struct state *s, const struct sshkey_private *key, const struct ledger_settings *settings,
                struct ledger **ret, struct fault *reterr) {
        own_ledger struct ledger *l = NULL;
        int r;

        assert(s->mode == STATE_WRITE);
        r = ledger_new(s, settings, &l, reterr);
        if (r < 0)
                return r;
        l->key = key;
        l->public = key->key;
        l->has_public = true;
        r = open_clone(l, reterr);
        if (r == 0) {
                mirror_sweep(l->mirror); /* the one writer before may have been killed */
                r = read_head(l, reterr);
        }
        if (r == 0)
                r = find_head(l, reterr);
        if (r == 0)
                r = rotate(l, reterr);
        if (r < 0)
                return r;
        *ret = take(l);
        return 0;
}

static int check_is_there(const struct state *s, struct fault *reterr) {
        if (faccessat(s->dirfd, LEDGER_REPOSITORY, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return 0;
        return fault_set(reterr, FAULT_TRANSIENT, errno, "there is no ledger in '%s' yet", s->path);
}

int ledger_open_read(struct state *s, const struct sshkey *key, const struct ledger_settings *settings,
                     struct ledger **ret, struct fault *reterr) {
        own_ledger struct ledger *l = NULL;
        own_fault struct fault damaged = FAULT_INIT;
        struct object_id tip;
        int r;

        r = check_is_there(s, reterr);
        if (r == 0)
                r = ledger_new(s, settings, &l, reterr);
        if (r < 0)
                return r;
        if (key)
                l->public = *key;
        l->has_public = key != NULL;
        r = mirror_open_kept(s->path, LEDGER_REPOSITORY, &l->mirror, reterr);
        if (r == 0)
                r = read_tip(l, &tip, reterr);
        if (r == 0 && object_id_is_zero(&tip))
                r = fault_set(reterr, FAULT_TRANSIENT, ENOENT, "the ledger in '%s' has no records yet", s->path);
        if (r < 0)
                return r;
        if (ledger_head_read(s, &l->remembered, &damaged) == 0)
                l->head = l->remembered;
        if (!object_id_equal(&l->head.commit, &tip))
                r = rebuild(l, &tip, reterr);
        if (r < 0)
                return r;
        *ret = take(l);
        return 0;
}
