/* SPDX-License-Identifier: Apache-2.0 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reconciler/ledger/ledger_private.h"
#include "reconciler/ledger/seal.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

#define PREFIX_DIGITS 8     /* of a SHA-256 that is taken for a name, at least */
#define RECENT        10000 /* records looked through for one by its SHA-256 */

/* Commits between the head and the one that wrote its status.json. */
#define STATUS_SEARCH_MAX 1000

int ledger_folder(struct mirror *m, const struct object_id *commit, int64_t folder, struct arena *a,
                  struct mirror_listing *ret, struct fault *reterr) {
        const char *path = arena_printf(a, "evidence/%" PRId64, folder);

        return mirror_list(m, commit, path, LEDGER_FOLDER, a, ret, reterr);
}

/* Records follow each other without a gap, so a record's place in its folder is known. NULL when it is not there. */
static const struct mirror_entry *entry_of(const struct mirror_listing *folder, int64_t seq, enum record_kind *ret_kind,
                                           const char **ret_app, size_t *ret_app_size) {
        size_t at = (size_t)(seq % LEDGER_FOLDER);
        const char *slash;
        int64_t found;

        if (at >= folder->n)
                return NULL;
        slash = strrchr(folder->items[at].path, '/');
        if (!slash || record_name_parse(slash + 1, &found, ret_kind, ret_app, ret_app_size) < 0 || found != seq)
                return NULL;
        return &folder->items[at];
}

static int no_record(int64_t seq, struct fault *reterr) {
        return fault_set(reterr, FAULT_CONFIG, ENOENT, "the ledger has no record %" PRId64, seq);
}

static int read_entry(struct mirror *m, const struct object_id *commit, const struct mirror_entry *e, int64_t seq,
                      enum record_kind kind, const char *app, const struct sshkey *key, struct arena *a,
                      struct ledger_record *ret, struct fault *reterr) {
        own_buffer struct buffer bytes = BUFFER_INIT;
        struct sealed sealed;
        int r;

        r = mirror_read(m, &e->id, OBJECT_BLOB, LIMIT_ENVELOPE_BYTES, &bytes, reterr);
        if (r == 0)
                r = seal_read(e->path, bytes.data, bytes.size, key, true, a, &sealed, reterr);
        if (r < 0)
                return r;
        if (sealed.head.seq != seq || sealed.head.kind != kind || !str_eq(sealed.head.app, app))
                return fault_set_code(reterr, FAULT_DENIED, REASON_LEDGER_INVALID,
                                      "%s holds another record than its name says", e->path);
        *ret = (struct ledger_record){
                .seq = seq,
                .kind = kind,
                .app = app,
                .path = e->path,
                .commit = *commit,
                .envelope = arena_strndup(a, bytes.data, bytes.size),
                .size = bytes.size,
                .digest = sealed.digest,
                .statement = sealed.statement,
                .predicate = sealed.predicate,
                .head = sealed.head,
                .verified = sealed.verified,
        };
        return 0;
}

int ledger_read_at(struct mirror *m, const struct object_id *commit, int64_t seq, const struct sshkey *key,
                   struct arena *a, struct ledger_record *ret, struct fault *reterr) {
        struct mirror_listing folder;
        const struct mirror_entry *e;
        enum record_kind kind;
        const char *app;
        size_t app_size;
        int r;

        if (seq < 0)
                return no_record(seq, reterr);
        r = ledger_folder(m, commit, seq / LEDGER_FOLDER, a, &folder, reterr);
        if (r < 0)
                return r;
        e = entry_of(&folder, seq, &kind, &app, &app_size);
        if (!e)
                return no_record(seq, reterr);
        return read_entry(m, commit, e, seq, kind, app ? arena_strndup(a, app, app_size) : NULL, key, a, ret, reterr);
}

static const struct sshkey *key_of(const struct ledger *l) {
        return l->has_public ? &l->public : NULL;
}

int ledger_read_record(struct ledger *l, int64_t seq, struct arena *a, struct ledger_record *ret,
                       struct fault *reterr) {
        if (seq > l->head.seq || !l->head.any)
                return no_record(seq, reterr);
        return ledger_read_at(l->mirror, &l->head.commit, seq, key_of(l), a, ret, reterr);
}

int ledger_open_intents(struct ledger *l, struct arena *a, struct ledger_intent **ret, size_t *ret_n,
                        struct fault *reterr) {
        const struct ledger_head *h = &l->head;
        struct ledger_intent *intents = arena_array(a, h->n_open_intents, sizeof(*intents));
        struct ledger_record record;
        int r;

        for (size_t i = 0; i < h->n_open_intents; i++) {
                r = ledger_read_record(l, h->open_intents[i], a, &record, reterr);
                if (r < 0)
                        return r;
                intents[i] = (struct ledger_intent){ record.seq, record.app };
        }
        *ret = intents;
        *ret_n = h->n_open_intents;
        return 0;
}

/*
 * History
 */

struct walk {
        struct ledger *l;
        const char *app;
        size_t left; /* 0: no end */
        int (*each)(void *data, const struct ledger_record *record, struct fault *reterr);
        void *data;
};

/* 1: enough, 0: go on. */
static int visit(struct walk *w, const struct mirror_listing *folder, int64_t seq, struct fault *reterr) {
        own_arena struct arena *a = arena_new();
        struct ledger_record record;
        const struct mirror_entry *e;
        enum record_kind kind;
        const char *app;
        size_t size;
        int r;

        e = entry_of(folder, seq, &kind, &app, &size);
        if (!e)
                return no_record(seq, reterr);
        app = app ? arena_strndup(a, app, size) : NULL;
        if (w->app && !str_eq(w->app, app))
                return 0;
        r = read_entry(w->l->mirror, &w->l->head.commit, e, seq, kind, app, key_of(w->l), a, &record, reterr);
        if (r == 0)
                r = w->each(w->data, &record, reterr);
        if (r != 0)
                return r;
        if (w->left == 0)
                return 0;
        w->left--;
        return w->left == 0;
}

static int walk_folder(struct walk *w, int64_t folder, int64_t newest, struct fault *reterr) {
        own_arena struct arena *a = arena_new();
        struct mirror_listing listing;
        int r;

        r = ledger_folder(w->l->mirror, &w->l->head.commit, folder, a, &listing, reterr);
        for (int64_t seq = newest; r == 0 && seq >= folder * LEDGER_FOLDER; seq--)
                r = visit(w, &listing, seq, reterr);
        return r;
}

int ledger_history(struct ledger *l, const char *app, size_t limit,
                   int (*each)(void *data, const struct ledger_record *record, struct fault *reterr), void *data,
                   struct fault *reterr) {
        struct walk w = { l, app, limit, each, data };
        int64_t newest = l->head.any ? l->head.seq : -1;
        int r = 0;

        while (r == 0 && newest >= 0) {
                int64_t folder = newest / LEDGER_FOLDER;

                r = walk_folder(&w, folder, newest, reterr);
                newest = folder * LEDGER_FOLDER - 1;
        }
        return r < 0 ? r : 0;
}

/*
 * Names
 */

struct search {
        const char *prefix;
        int64_t found;
        size_t seen;
};

static int match(void *data, const struct ledger_record *record, struct fault *reterr) {
        struct search *s = data;

        if (str_after(digest_hex(&record->digest), s->prefix)) {
                s->found = record->seq;
                return 1;
        }
        return ++s->seen >= RECENT;
}

static int parse_digits(const char *text, size_t n, int64_t *ret) {
        char digits[20];

        while (n > 1 && *text == '0') {
                text++;
                n--;
        }
        if (n == 0 || n >= sizeof(digits))
                return -EINVAL;
        memcpy(digits, text, n);
        digits[n] = '\0';
        return parse_i64(digits, ret);
}

/* "42", "00000042-decision-shop", with or without suffix. */
static bool parse_name(const char *name, int64_t *ret) {
        size_t digits = strspn(name, "0123456789");

        return digits > 0 && (name[digits] == '\0' || name[digits] == '-') && parse_digits(name, digits, ret) == 0;
}

int ledger_find_record(struct ledger *l, const char *name, int64_t *ret_seq, struct fault *reterr) {
        const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
        struct search search = { .prefix = str_after(base, "sha256:") ? str_after(base, "sha256:") : base,
                                 .found = -1 };
        size_t digits = strspn(search.prefix, "0123456789abcdef");
        bool numbered = parse_name(base, &search.found);
        int r;

        if (numbered && search.found <= l->head.seq) {
                *ret_seq = search.found;
                return 0;
        }
        search.found = -1;
        if (digits >= PREFIX_DIGITS && search.prefix[digits] == '\0') {
                r = ledger_history(l, NULL, 0, match, &search, reterr);
                if (r < 0)
                        return r;
        }
        if (search.found < 0) {
                (void)fault_set(reterr, FAULT_CONFIG, ENOENT, "the ledger has no record '%s'", name);
                fault_hint(reterr, "`tally history` lists them by number");
                return -ENOENT;
        }
        *ret_seq = search.found;
        return 0;
}

/*
 * Files
 */

/* A file named after its content must hold it: whoever changed one cannot have it replayed. */
static int read_blob(struct ledger *l, const char *folder, const char *hex, const char *suffix, struct buffer *out,
                     struct fault *reterr) {
        char path[128];
        size_t before = out->size;
        struct digest digest;
        int r;

        if (!hex_is_valid(hex, 64))
                return fault_set(reterr, FAULT_CONFIG, 0, "'%s' is not a SHA-256", hex);
        (void)snprintf(path, sizeof(path), "%s/%s%s", folder, hex, suffix);
        r = mirror_read_path(l->mirror, &l->head.commit, path, LIMIT_LEDGER_BLOB, out, reterr);
        if (r == 0)
                r = buffer_check(out, path, reterr);
        if (r < 0)
                return r;
        digest = digest_of(out->data + before, out->size - before);
        if (!str_eq(digest_hex(&digest), hex))
                return fault_set_code(reterr, FAULT_DENIED, REASON_LEDGER_INVALID,
                                      "%s does not have the content of its name", path);
        return 0;
}

int ledger_read_world(struct ledger *l, const char *hex, struct buffer *out, struct fault *reterr) {
        return read_blob(l, "worlds", hex, ".json", out, reterr);
}

int ledger_read_artifact(struct ledger *l, const char *hex, struct buffer *out, struct fault *reterr) {
        return read_blob(l, "artifacts", hex, "", out, reterr);
}

/* Append the file @name of @commit. 1, or 0 when the commit has none. */
static int read_file(struct ledger *l, const struct object_id *commit, const char *name, struct buffer *out,
                     struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        int r = mirror_read_path(l->mirror, commit, name, LIMIT_STATE_BYTES, out, &fault);

        if (r == -ENOENT)
                return 0;
        if (r < 0) {
                fault_move(reterr, &fault);
                return r;
        }
        r = buffer_check(out, name, reterr);
        return r < 0 ? r : 1;
}

static int read_document(struct ledger *l, const char *name, json_t **ret, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT;
        int r = read_file(l, &l->head.commit, name, &text, reterr);

        if (r < 0)
                return r;
        if (r == 0) {
                *ret = NULL;
                return 0;
        }
        return json_parse(name, text.data, text.size, ret, reterr);
}

int ledger_read_status(struct ledger *l, json_t **ret, struct fault *reterr) {
        return read_document(l, "status.json", ret, reterr);
}

int ledger_read_sticker(struct ledger *l, json_t **ret, struct fault *reterr) {
        return read_document(l, "sticker.json", ret, reterr);
}

/*
 * The key that signed the commit which wrote the branch's present status.json: commits with records alone leave the file
 * as it is. -ENOENT when there is no such file, or when that commit lies too far back.
 */
static int signer_of_status(struct ledger *l, struct sshkey *ret, struct fault *reterr) {
        own_buffer struct buffer present = BUFFER_INIT;
        struct object_id at = l->head.commit;
        int r = read_file(l, &at, "status.json", &present, reterr);

        for (int n = 0; r == 1 && n < STATUS_SEARCH_MAX; n++) {
                own_buffer struct buffer raw = BUFFER_INIT, before = BUFFER_INIT;
                struct object_commit c;
                bool same = false;

                r = ledger_commit_read(l->mirror, &at, &raw, &c, reterr);
                if (r == 0 && c.n_parents == 1) {
                        r = read_file(l, &c.parents[0], "status.json", &before, reterr);
                        same = r == 1 && before.size == present.size &&
                               memcmp(before.data, present.data, before.size) == 0;
                }
                if (r < 0)
                        return r;
                if (!same)
                        return ledger_commit_signer(&c, ret, reterr);
                at = c.parents[0];
                r = 1;
        }
        return r < 0 ? r : fault_set(reterr, FAULT_TRANSIENT, ENOENT, "nothing tells which key signed the status");
}

int ledger_accepted(struct ledger *l, struct object_id *ret, struct sshkey *ret_signer, struct fault *reterr) {
        own_json json_t *status = NULL;
        struct sshkey signer;
        const char *hex;
        int r;

        r = signer_of_status(l, &signer, reterr);
        if (r == 0)
                r = ledger_read_status(l, &status, reterr);
        if (r < 0)
                return r;
        hex = json_get_string(json_object_get(status, "desired"), "accepted");
        if (!hex || object_id_parse(hex, ret) < 0)
                return fault_set(reterr, FAULT_TRANSIENT, ENOENT, "the ledger does not say which commit was accepted");
        *ret_signer = signer;
        return 0;
}
