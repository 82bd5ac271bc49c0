/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/ledger/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/ledger/ledger_private.h"
#include "reconciler/ledger/tree.h"
#include "reconciler/ledger/seal.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/* The chain so far, from the first commit on. */
struct chain {
        struct mirror *mirror;
        const struct ledger_expected *expected;
        struct sshkey key; /* that signs now */
        char fingerprint[FINGERPRINT_TEXT_MAX];
        char host[LIMIT_NAME_BYTES + 1];
        struct ledger_head at; /* number, digests, intents after the last record */
        bool seen_remembered;
        json_t *files; /* paths of all artifacts and worlds so far, as keys */
        struct ledger_verified result;
};

/* One commit under examination. */
struct step {
        struct chain *chain;
        const struct object_id *id;
        struct object_commit commit;
        struct arena *arena;
        struct ledger_additions added;
};

__attribute__((format(printf, 2, 3))) static int invalid(struct fault *reterr, const char *fmt, ...) {
        va_list ap;
        char line[512];

        va_start(ap, fmt);
        (void)vsnprintf(line, sizeof(line), fmt, ap);
        va_end(ap);
        return fault_set_code(reterr, FAULT_DENIED, REASON_LEDGER_INVALID, "%s", line);
}

/*
 * Keys
 */

static bool names_key(const json_t *object, const struct sshkey *key) {
        own_fault struct fault ignored = FAULT_INIT;
        const char *line = json_get_string(object, "publicKey");
        struct sshkey named;

        return line && sshkey_parse(line, &named, &ignored) == 0 && sshkey_equal(&named, key);
}

static void use_key(struct chain *c, const struct sshkey *key) {
        c->key = *key;
        (void)sshkey_fingerprint(key, c->fingerprint);
        c->result.epochs++;
}

/* Another key than before: the first record says which it is, and which it takes over from. */
static int check_rotation(const struct step *s, const struct sealed *record, const struct sshkey *before,
                          struct fault *reterr) {
        const struct chain *c = s->chain;

        if (!names_key(record->predicate, &c->key))
                return invalid(reterr, "record %" PRId64 " does not name the key that signs it", record->head.seq);
        if (!before)
                return 0;
        if (record->head.kind != RECORD_KEY_ROTATION)
                return invalid(reterr, "another key signs, and record %" PRId64 " is no key-rotation",
                               record->head.seq);
        if (!names_key(json_object_get(record->predicate, "previous"), before))
                return invalid(reterr, "record %" PRId64 " does not name the key before it", record->head.seq);
        return 0;
}

/*
 * Records
 */

static int check_place(struct chain *c, const struct ledger_addition *file, const struct sealed *r,
                       struct fault *reterr) {
        const struct record_head *h = &r->head;
        int64_t seq = c->at.any ? c->at.seq + 1 : 0;
        int64_t epoch = h->kind == RECORD_KEY_ROTATION ? c->at.epoch + 1 : c->at.epoch;
        char path[RECORD_PATH_MAX];

        if (h->seq != seq)
                return invalid(reterr, "%s is record %" PRId64 ", but %" PRId64 " must follow", file->path, h->seq,
                               seq);
        if (!str_eq(file->path, record_path(h->seq, h->kind, h->app, path)))
                return invalid(reterr, "%s must be called %s", file->path, path);
        if (c->at.any && !str_eq(h->prev, digest_hex(&c->at.record)))
                return invalid(reterr,
                               "record %" PRId64 " does not follow the record before it: prev is another envelope",
                               seq);
        if (c->at.any && !str_eq(h->genesis, digest_hex(&c->at.genesis)))
                return invalid(reterr, "record %" PRId64 " belongs to another genesis", seq);
        if (c->at.any && h->epoch != epoch)
                return invalid(reterr, "record %" PRId64 " is of epoch %" PRId64 ", not %" PRId64, seq, h->epoch,
                               epoch);
        if (!str_eq(h->key, c->fingerprint))
                return invalid(reterr, "record %" PRId64 " names another key than the one that signs it", seq);
        if (c->at.any && !str_eq(h->host, c->host))
                return invalid(reterr, "record %" PRId64 " is of another host, '%s'", seq, h->host);
        if (c->expected->host && !str_eq(h->host, c->expected->host))
                return invalid(reterr, "the ledger is of another host, '%s'", h->host);
        return 0;
}

/* What is open after this record follows from what was open before it. */
static int check_intents(struct chain *c, const struct record_head *h, struct fault *reterr) {
        struct ledger_head *at = &c->at;
        size_t kept = 0;

        if (h->closes > 0) {
                for (size_t i = 0; i < at->n_open_intents; i++)
                        if (at->open_intents[i] != h->closes)
                                at->open_intents[kept++] = at->open_intents[i];
                if (kept == at->n_open_intents)
                        return invalid(reterr, "record %" PRId64 " closes %" PRId64 ", which is no open intent", h->seq,
                                       h->closes);
                at->n_open_intents = kept;
        }
        if (h->kind == RECORD_INTENT && at->n_open_intents < LEDGER_OPEN_INTENTS)
                at->open_intents[at->n_open_intents++] = h->seq;
        if (json_array_size(h->open_intents) != at->n_open_intents)
                return invalid(reterr, "record %" PRId64 " counts other open intents than there are", h->seq);
        for (size_t i = 0; i < at->n_open_intents; i++)
                if (json_integer_value(json_array_get(h->open_intents, i)) != at->open_intents[i])
                        return invalid(reterr, "record %" PRId64 " counts other open intents than there are", h->seq);
        return 0;
}

static int check_is_there(const struct step *s, int64_t seq, const char *folder, const char *hex, const char *suffix,
                          struct fault *reterr) {
        const char *path = arena_printf(s->arena, "%s/%s%s", folder, hex, suffix);

        if (!json_object_get(s->chain->files, path))
                return invalid(reterr, "record %" PRId64 " is about %s, which is not there", seq, path);
        return 0;
}

static int check_files(const struct step *s, const struct sealed *r, struct fault *reterr) {
        const json_t *replay = json_object_get(r->predicate, "replay");
        const char *input = json_get_string(replay, "world");
        int rc;

        rc = check_is_there(s, r->head.seq, "artifacts", digest_hex(&r->file), "", reterr);
        if (rc < 0 || !input)
                return rc;
        if (!hex_is_valid(input, 64))
                return invalid(reterr, "record %" PRId64 " names no world", r->head.seq);
        return check_is_there(s, r->head.seq, "worlds", input, ".json", reterr);
}

static void advance(struct chain *c, const struct sealed *r) {
        const struct ledger_head *remembered = c->expected->remembered;

        if (!c->at.any) {
                c->at.genesis = r->digest;
                c->result.first_ms = r->head.wall_ms;
                memcpy(c->host, r->head.host, strlen(r->head.host) + 1);
        }
        c->at.any = true;
        c->at.seq = r->head.seq;
        c->at.epoch = r->head.epoch;
        c->at.record = r->digest;
        c->result.n_records++;
        c->result.last_ms = r->head.wall_ms;
        if (remembered && remembered->any && remembered->seq == r->head.seq)
                c->seen_remembered = digest_equal(&remembered->record, &r->digest);
}

static int check_record(struct step *s, const struct ledger_addition *file, const struct sshkey *before, bool rotates,
                        struct fault *reterr) {
        own_buffer struct buffer bytes = BUFFER_INIT;
        struct chain *c = s->chain;
        struct sealed record;
        int r;

        r = mirror_read(c->mirror, &file->id, OBJECT_BLOB, LIMIT_ENVELOPE_BYTES, &bytes, reterr);
        if (r == 0)
                r = seal_read(file->path, bytes.data, bytes.size, &c->key, false, s->arena, &record, reterr);
        if (r == 0 && rotates)
                r = check_rotation(s, &record, before, reterr);
        if (r == 0 && !rotates && record.head.kind == RECORD_KEY_ROTATION)
                r = invalid(reterr, "record %" PRId64 " is a key-rotation, but the key stays", record.head.seq);
        if (r == 0)
                r = check_place(c, file, &record, reterr);
        if (r == 0)
                r = check_intents(c, &record.head, reterr);
        if (r == 0)
                r = check_files(s, &record, reterr);
        if (r == 0)
                advance(c, &record);
        return r;
}

/*
 * Commits
 */

static int check_records(struct step *s, const struct sshkey *before, bool rotates, struct fault *reterr) {
        struct ledger_trailers trailers;
        int r;

        r = ledger_trailers_read(&s->commit, &trailers, reterr);
        if (r < 0)
                return r;
        if (rotates && s->added.n == 0)
                return invalid(reterr, "another key signs, and no record says why");
        for (size_t i = 0; r == 0 && i < s->added.n; i++)
                r = check_record(s, &s->added.items[i], before, rotates && i == 0, reterr);
        if (r < 0)
                return r;
        if (trailers.n != s->added.n || (trailers.n > 0 && (trailers.seq != s->chain->at.seq ||
                                                            !digest_equal(&trailers.record, &s->chain->at.record))))
                return invalid(reterr, "the commit's trailers do not say which records it holds");
        return 0;
}

static int check_commit(struct step *s, const struct object_id *parent, struct fault *reterr) {
        own_buffer struct buffer raw = BUFFER_INIT;
        struct chain *c = s->chain;
        struct sshkey before = c->key, signer;
        struct object_id parent_tree;
        bool first = !parent, rotates;
        int r;

        r = ledger_commit_read(c->mirror, s->id, &raw, &s->commit, reterr);
        if (r == 0)
                r = ledger_commit_signer(&s->commit, &signer, reterr);
        if (r == 0 && parent)
                r = mirror_tree_of(c->mirror, parent, &parent_tree, reterr);
        if (r == 0)
                r = ledger_tree_additions(c->mirror, parent ? &parent_tree : NULL, &s->commit.tree, c->files, s->arena,
                                          &s->added, reterr);
        if (r < 0)
                return r;
        rotates = first || !sshkey_equal(&signer, &before);
        if (rotates)
                use_key(c, &signer);
        return check_records(s, first ? NULL : &before, rotates, reterr);
}

/* The line of commits from the first to @head. */
static int line_of(struct mirror *m, const struct object_id *head, struct arena *a, struct object_id **ret,
                   size_t *ret_n, struct fault *reterr) {
        own_buffer struct buffer raw = BUFFER_INIT;
        struct object_id *ids = NULL, at = *head, tree, parents[LIMIT_COMMIT_PARENTS];
        char hex[OBJECT_ID_TEXT_MAX];
        size_t n = 0, n_parents = 1;
        int r;

        while (n_parents == 1) {
                *(struct object_id *)arena_push(a, &ids, &n, sizeof(*ids)) = at;
                buffer_clear(&raw);
                r = mirror_read(m, &at, OBJECT_COMMIT, LIMIT_COMMIT_BYTES, &raw, reterr);
                if (r == 0)
                        r = object_commit_links(raw.data, raw.size, &tree, parents, LIMIT_COMMIT_PARENTS, &n_parents,
                                                reterr);
                if (r < 0)
                        return r;
                if (n_parents > 1)
                        return invalid(reterr, "commit %.12s has more than one parent", object_id_format(&at, hex));
                at = parents[0];
        }
        for (size_t i = 0; i < n / 2; i++) {
                struct object_id other = ids[n - 1 - i];

                ids[n - 1 - i] = ids[i];
                ids[i] = other;
        }
        *ret = ids;
        *ret_n = n;
        return 0;
}

static int check_line(struct chain *c, const struct object_id *ids, size_t n, struct fault *reterr) {
        char hex[OBJECT_ID_TEXT_MAX];
        int r;

        for (size_t i = 0; i < n; i++) {
                own_arena struct arena *a = arena_new();
                struct step s = { .chain = c, .id = &ids[i], .arena = a };

                r = check_commit(&s, i > 0 ? &ids[i - 1] : NULL, reterr);
                if (r < 0)
                        return fault_context(reterr, r, "commit %.12s", object_id_format(&ids[i], hex));
        }
        return 0;
}

static int check_end(struct chain *c, struct fault *reterr) {
        const struct ledger_head *remembered = c->expected->remembered;
        char fingerprint[FINGERPRINT_TEXT_MAX];

        if (c->expected->key && !sshkey_equal(c->expected->key, &c->key))
                return invalid(reterr, "the last records are signed by %s, not by the host's key %s", c->fingerprint,
                               sshkey_fingerprint(c->expected->key, fingerprint));
        if (remembered && remembered->any && remembered->seq > c->at.seq)
                return invalid(reterr,
                               "the ledger ends with record %" PRId64 ", but it had %" PRId64 ": something was cut off",
                               c->at.seq, remembered->seq);
        if (remembered && remembered->any && !c->seen_remembered)
                return invalid(reterr, "record %" PRId64 " is not the one that was made here", remembered->seq);
        return 0;
}

/* Whatever a parser calls it, here it means that the ledger is not what a host wrote. */
static int as_invalid(struct fault *f, int r, struct fault *reterr) {
        if (f->kind == FAULT_CONFIG || f->kind == FAULT_DENIED) {
                f->kind = FAULT_DENIED;
                f->code = REASON_LEDGER_INVALID;
        }
        fault_move(reterr, f);
        return r;
}

int ledger_verify(struct mirror *m, const struct object_id *head, const struct ledger_expected *expected,
                  struct ledger_verified *ret, struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        own_arena struct arena *a = arena_new();
        own_free struct chain *c = calloc(1, sizeof(*c));
        own_json json_t *files = json_object();
        struct object_id *ids = NULL;
        size_t n = 0;
        int r;

        if (!c || !files)
                return fault_set_oom(reterr);
        c->files = files;
        c->mirror = m;
        c->expected = expected;
        r = line_of(m, head, a, &ids, &n, &fault);
        if (r == 0)
                r = check_line(c, ids, n, &fault);
        if (r == 0)
                r = check_end(c, &fault);
        if (r < 0)
                return as_invalid(&fault, r, reterr);
        c->result.n_commits = n;
        c->result.key = c->key;
        *ret = c->result;
        return 0;
}
