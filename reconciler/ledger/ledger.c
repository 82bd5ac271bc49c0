/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/ledger/ledger.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/ledger/ledger_private.h"
#include "reconciler/ledger/seal.h"
#include "reconciler/state/state_private.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "shared/git/url.h"
#include "shared/git/write.h"
#include "shared/sign/sshsig.h"

#define PROGRAM   "tally"
#define NS_PER_MS 1000000

/* What becomes one commit. Bytes that are made on the way live in the arena. */
struct draft {
        struct ledger *l;
        const struct ledger_entry *entry;
        struct arena *arena;
        struct git_change *changes;
        size_t n_changes;
        struct ledger_head next;
        struct buffer trailers;
        int64_t wall_ms;
        struct record_desired desired;
        const char *status, *sticker; /* bytes, for the copies in the state folder */
};

static void draft_done(struct draft *d) {
        buffer_done(&d->trailers);
        arena_free(d->arena);
}

/*
 * Files
 */

static void add(struct draft *d, const char *path, const void *bytes, size_t size) {
        struct git_change *c = arena_push(d->arena, &d->changes, &d->n_changes, sizeof(*c));

        *c = (struct git_change){ arena_strdup(d->arena, path), bytes, size };
}

static bool is_in_draft(const struct draft *d, const char *path) {
        for (size_t i = 0; i < d->n_changes; i++)
                if (str_eq(d->changes[i].path, path))
                        return true;
        return false;
}

/* A file named after its content is added once; the same bytes may come again and again. */
static int add_once(struct draft *d, const char *folder, const char *suffix, const void *bytes, size_t size,
                    struct fault *reterr) {
        own_fault struct fault missing = FAULT_INIT;
        struct digest digest = digest_of(bytes, size);
        const char *path = arena_printf(d->arena, "%s/%s%s", folder, digest_hex(&digest), suffix);
        enum object_mode mode;
        struct object_id id;
        int r;

        if (is_in_draft(d, path))
                return 0;
        if (d->l->head.any) {
                r = mirror_find(d->l->mirror, &d->l->head.commit, path, &mode, &id, &missing);
                if (r == 0)
                        return 0;
                if (r != -ENOENT) {
                        fault_move(reterr, &missing);
                        return r;
                }
        }
        add(d, path, bytes, size);
        return 0;
}

/* Pretty JSON as a file at the top of the tree. */
static int add_document(struct draft *d, const char *name, const json_t *json, const char **ret, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT;
        int r;

        r = json_pretty(json, &text, reterr);
        if (r == 0)
                r = buffer_check(&text, name, reterr);
        if (r < 0)
                return r;
        *ret = arena_strndup(d->arena, text.data, text.size);
        add(d, name, *ret, text.size);
        return 0;
}

/*
 * Records
 */

static int note_intents(struct ledger_head *h, const struct record *r, int64_t seq, struct fault *reterr) {
        size_t kept = 0;

        if (r->closes > 0) {
                for (size_t i = 0; i < h->n_open_intents; i++)
                        if (h->open_intents[i] != r->closes)
                                h->open_intents[kept++] = h->open_intents[i];
                if (kept == h->n_open_intents)
                        return fault_set(reterr, FAULT_INTERNAL, EINVAL, "record %" PRId64 " is no open intent",
                                         r->closes);
                h->n_open_intents = kept;
        }
        if (r->kind == RECORD_INTENT) {
                if (h->n_open_intents == LEDGER_OPEN_INTENTS)
                        return fault_set(reterr, FAULT_INTERNAL, EOVERFLOW, "more than %d intents are open",
                                         LEDGER_OPEN_INTENTS);
                h->open_intents[h->n_open_intents++] = seq;
        }
        return 0;
}

/* Who, where and when, after what stands in @d->next. */
static struct record_place place_of(struct draft *d, const char *boot_id) {
        struct ledger_head *h = &d->next;
        struct record_place p = {
                .seq = h->any ? h->seq + 1 : 0,
                .epoch = h->epoch,
                .prev = h->any ? digest_hex(&h->record) : NULL,
                .genesis = h->any ? digest_hex(&h->genesis) : NULL,
                .open_intents = h->open_intents,
                .host = d->l->settings.host,
                .machine_id_hash = d->l->machine_id_hash[0] ? d->l->machine_id_hash : NULL,
                .boot_id = boot_id,
                .program = PROGRAM,
                .version = d->l->settings.version,
                .key = h->key,
                .wall_ms = d->wall_ms,
                .monotonic_ns = clock_monotonic_ns(),
                .synchronized = clock_is_synchronized(),
                .desired = d->entry->desired ? &d->desired : NULL,
        };

        p.has_step = h->any && *boot_id && str_eq(boot_id, h->boot_id);
        if (p.has_step)
                p.step_ms = (p.wall_ms - h->wall_ms) - (p.monotonic_ns - h->monotonic_ns) / NS_PER_MS;
        return p;
}

static void put_trailers(struct draft *d, const struct record *r, const struct record_place *p,
                         const struct digest *envelope) {
        buffer_printf(&d->trailers, "Seq: %" PRId64 "\nRecord-Sha256: %s\n", p->seq, digest_hex(envelope));
        if (p->prev && p->seq == d->l->head.seq + 1) /* the others follow from the one above */
                buffer_printf(&d->trailers, "Prev-Sha256: %s\n", p->prev);
        if (r->app)
                buffer_printf(&d->trailers, "App: %s\n", r->app);
}

static int seal(struct draft *d, const struct record *r, struct fault *reterr) {
        own_buffer struct buffer file = BUFFER_INIT, envelope = BUFFER_INIT;
        char name_buffer[RECORD_FILE_NAME_MAX], path[RECORD_PATH_MAX], boot_id[37];
        struct record_place place = place_of(d, clock_boot_id(boot_id));
        struct digest digest, file_digest;
        const char *name;
        int rc;

        assert((r->kind == RECORD_GENESIS) == (place.seq == 0));
        rc = record_file(r, &file, name_buffer, &name, reterr);
        if (rc == 0)
                rc = add_once(d, "artifacts", "", arena_strndup(d->arena, file.data, file.size), file.size, reterr);
        if (rc == 0)
                rc = note_intents(&d->next, r, place.seq, reterr);
        if (rc < 0)
                return rc;
        place.n_open_intents = d->next.n_open_intents;
        file_digest = digest_of(file.data, file.size);
        rc = seal_write(d->l->key, r, &place, name, &file_digest, &envelope, reterr);
        if (rc < 0)
                return rc;

        digest = digest_of(envelope.data, envelope.size);
        put_trailers(d, r, &place, &digest);
        add(d, record_path(place.seq, r->kind, r->app, path), arena_strndup(d->arena, envelope.data, envelope.size),
            envelope.size);
        d->next.record = digest;
        if (!d->next.any)
                d->next.genesis = digest;
        d->next.any = true;
        d->next.seq = place.seq;
        d->next.wall_ms = place.wall_ms;
        d->next.monotonic_ns = place.monotonic_ns;
        memcpy(d->next.boot_id, boot_id, sizeof(boot_id));
        return 0;
}

/*
 * The commit
 */

/* The status as it is when this commit is the ledger's head. */
static int add_status(struct draft *d, struct fault *reterr) {
        own_json json_t *status = json_deep_copy(d->entry->status);
        json_t *ledger =
                json_pack("{s:I, s:s}", "sequence", (json_int_t)d->next.seq, "head", digest_hex(&d->next.record));
        char at[RFC3339_TEXT_MAX];

        if (!status || !ledger || json_object_set_new(status, "ledger", ledger) < 0)
                return fault_set_oom(reterr);
        json_set_string(status, "at", rfc3339_format(d->wall_ms, at));
        return add_document(d, "status.json", status, &d->status, reterr);
}

static int draft_fill(struct draft *d, struct fault *reterr) {
        const struct ledger_entry *e = d->entry;
        int r = 0;

        for (size_t i = 0; r == 0 && i < e->n_records; i++)
                r = seal(d, &e->records[i], reterr);
        for (size_t i = 0; r == 0 && i < e->n_artifacts; i++)
                r = add_once(d, "artifacts", "", e->artifacts[i].bytes, e->artifacts[i].size, reterr);
        for (size_t i = 0; r == 0 && i < e->n_worlds; i++)
                r = add_once(d, "worlds", ".json", e->worlds[i].bytes, e->worlds[i].size, reterr);
        if (r == 0 && e->status)
                r = add_status(d, reterr);
        if (r == 0 && e->sticker)
                r = add_document(d, "sticker.json", e->sticker, &d->sticker, reterr);
        return r;
}

static int sign_commit(const void *payload, size_t size, struct buffer *out, void *userdata, struct fault *reterr) {
        const struct ledger *l = userdata;

        return sshsig_sign(l->key, LEDGER_NAMESPACE, payload, size, out, reterr);
}

static int message_of(struct draft *d, struct buffer *out, struct fault *reterr) {
        char *subject = arena_strdup(d->arena, d->entry->subject && *d->entry->subject ? d->entry->subject : "record");

        text_make_harmless(subject, "");
        buffer_printf(out, "%s\n", subject);
        if (d->trailers.size > 0)
                buffer_printf(out, "\n%s", buffer_str(&d->trailers));
        return buffer_check(out, "a commit's message", reterr);
}

static int commit(struct draft *d, struct fault *reterr) {
        own_buffer struct buffer message = BUFFER_INIT;
        struct ledger *l = d->l;
        struct git_person person = { l->name, l->email, d->wall_ms / 1000 };
        struct git_commit_request req = {
                .ref = l->ref,
                .parent = l->head.any ? &l->head.commit : NULL,
                .changes = d->changes,
                .n_changes = d->n_changes,
                .author = person,
                .committer = person,
                .sign = sign_commit,
                .userdata = l,
        };
        int r;

        r = message_of(d, &message, reterr);
        if (r == 0)
                r = buffer_check(&d->trailers, "trailers", reterr);
        if (r < 0)
                return r;
        req.message = message.data;
        return git_commit_write(l->mirror, &req, &d->next.commit, reterr);
}

/* The copies that people and monitoring read without git. */
static int copy_out(const struct draft *d, const char *name, const char *text, struct fault *reterr) {
        int r;

        if (!text)
                return 0;
        r = file_write(d->l->state->dirfd, name, text, strlen(text), 0600, reterr);
        return r < 0 ? state_unwritable(d->l->state->path, r, reterr) : 0;
}

/* The branch has moved: from here on the records are there, whatever becomes of the files beside it. */
static int settle(struct draft *d, struct fault *reterr) {
        int r;

        d->l->head = d->next;
        r = ledger_head_write(d->l->state, &d->l->head, reterr);
        if (r == 0)
                r = copy_out(d, "status.json", d->status, reterr);
        if (r == 0)
                r = copy_out(d, "sticker.json", d->sticker, reterr);
        return r;
}

static void set_desired(struct draft *d) {
        own_buffer struct buffer redacted = BUFFER_INIT;

        if (!d->entry->desired)
                return;
        d->desired = *d->entry->desired;
        if (d->desired.repository) {
                git_redact(d->desired.repository, &redacted);
                d->desired.repository = arena_strdup(d->arena, buffer_str(&redacted));
        }
}

int ledger_append(struct ledger *l, const struct ledger_entry *e, int64_t *ret_first, struct fault *reterr) {
        __attribute__((cleanup(draft_done))) struct draft d = {
                .l = l,
                .entry = e,
                .arena = arena_new(),
                .next = l->head,
                .trailers = BUFFER_INIT,
                .wall_ms = e->now_ms ? e->now_ms : clock_wall_ms(),
        };
        int64_t first = l->head.any ? l->head.seq + 1 : 0;
        int r;

        assert(l->key);
        assert(l->head.any || (e->n_records > 0 && e->records[0].kind == RECORD_GENESIS));
        (void)sshkey_fingerprint(&l->key->key, d.next.key);
        set_desired(&d);
        r = draft_fill(&d, reterr);
        if (r == 0)
                r = commit(&d, reterr);
        if (r == 0)
                r = settle(&d, reterr);
        if (r < 0)
                return fault_context(reterr, r, "nothing could be recorded");
        if (ret_first)
                *ret_first = first;
        return 0;
}

bool ledger_clock_went_back(const struct ledger *l, int64_t now_ms) {
        return ledger_head_clock_went_back(&l->head, now_ms);
}

const struct ledger_head *ledger_head(const struct ledger *l) {
        return &l->head;
}

const struct ledger_head *ledger_remembered(const struct ledger *l) {
        return &l->remembered;
}

const char *ledger_branch(const struct ledger *l) {
        return l->branch;
}

struct mirror *ledger_mirror(const struct ledger *l) {
        return l->mirror;
}
