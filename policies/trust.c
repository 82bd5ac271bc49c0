/* SPDX-License-Identifier: Apache-2.0 */

#include "policies/trust.h"

#include <assert.h>
#include <stdio.h>

#include "policies/history.h"
#include "policies/trustfile.h"
#include "shared/base/clock.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/* What a commit says about itself. Filled as far as reading came. */
struct claim {
        struct object_id tree;
        struct sshsig sig;
        char subject[72];
        int64_t times_ms[2]; /* when it must be allowed: now, and at its committer date */
        size_t n_times;      /* 0 when it was verified before */
};

/* What is known of a commit, by its number in the history. */
struct mark {
        struct object_id file; /* its trust/allowed_signers */
        bool located;
        uint32_t group; /* of the mainline commit that brought it in; 0: none */
};

/* A brought-in commit whose file is not the one of its parent. */
struct change {
        struct object_id before, after; /* before may be zero: the parent has no file that can be read */
};

struct run {
        const struct trust_request *request;
        struct trustfiles files;
        struct history *history;
        struct mark *marks;
        uint32_t mainline; /* the mainline commit that was judged last: the parent of what is judged now */
        uint32_t group;    /* counts mainline commits from 1 */
        struct arena *arena;
        struct change *changes; /* of all groups, one after the other */
        size_t n_changes, first_change;
        struct trust_result result;
};

static void run_done(struct run *run) {
        trustfiles_done(&run->files);
        history_free(run->history);
        free(run->marks);
        arena_free(run->arena);
}
#define own_run own(run_done)

/* What the person who reads the refusal can do about it. */
static const struct {
        const char *code, *hint;
} hints[] = {
        { REASON_TRUST_UNSIGNED, "sign it: git config gpg.format ssh, set user.signingkey, then git commit --amend -S "
                                 "(or git rebase --exec 'git commit --amend --no-edit -S')" },
        { REASON_TRUST_BAD_SIGNATURE, "the commit was changed after it was signed, or the signature is not its own; "
                                      "sign it again with git commit --amend -S" },
        { REASON_TRUST_UNKNOWN_SIGNER, "merge the key into " TRUST_PATH " first, in a commit signed by somebody who is "
                                       "there already" },
        { REASON_TRUST_REVOKED, "have somebody else sign the change, on top of the branch as it is now" },
        { REASON_TRUST_EXPIRED, "renew the key's line in " TRUST_PATH " or sign with another key" },
        { REASON_TRUST_NAMESPACE, "commits are signed in the namespace git; the key's line must allow it" },
        { REASON_TRUST_ALGORITHM, "sign with an ssh-ed25519 or sk-ssh-ed25519@openssh.com key and gpg.format ssh" },
        { REASON_TRUST_FUTURE, "check the clock of the machine that made the commit, and this host's" },
        { REASON_TRUST_TOUCH, "sign again with a key that was not made with -O no-touch-required" },
        { REASON_TRUST_SIGNERS_INVALID, "correct the file in the commit itself; nothing after it can repair it" },
        { REASON_TRUST_MISSING_OBJECT, "fetch the repository in full; if it stays missing, the remote is damaged" },
};

/* "commit 0123456789ab "Fix the shop": why" and advice. */
static int refuse_commit(const struct object_id *id, const struct claim *claim, int r, struct fault *reterr) {
        char hex[OBJECT_ID_TEXT_MAX];

        for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++)
                if (str_eq(reterr->code, hints[i].code))
                        fault_hint(reterr, "%s", hints[i].hint);
        object_id_format(id, hex);
        if (*claim->subject)
                return fault_context(reterr, r, "commit %.12s \"%s\"", hex, claim->subject);
        return fault_context(reterr, r, "commit %.12s", hex);
}

/*
 * One commit
 */

/* Read the object and, when @check, prove that the signature is over it. */
static int read_claim(const struct run *run, const struct object_id *id, bool check, struct claim *claim,
                      struct fault *reterr) {
        own_buffer struct buffer armour = BUFFER_INIT;
        struct object_commit commit;
        const void *bytes;
        size_t size;
        int r;

        r = object_read(run->request->reader, id, OBJECT_COMMIT, LIMIT_COMMIT_BYTES, &bytes, &size, reterr);
        if (r == 0)
                r = object_commit_parse(bytes, size, &commit, reterr);
        if (r < 0)
                return r;
        claim->tree = commit.tree;
        claim->times_ms[0] = run->request->now_ms;
        claim->times_ms[1] = commit.committer.time_ms;
        claim->n_times = check ? 2 : 0;
        object_commit_subject(&commit, claim->subject, sizeof(claim->subject));

        if (!commit.signature.data)
                return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_UNSIGNED, "it carries no signature");
        object_commit_put_signature(&commit, &armour);
        r = buffer_check(&armour, "signature", reterr);
        if (r == 0)
                r = sshsig_parse(armour.data, armour.size, &claim->sig, reterr);
        if (r == 0 && check)
                r = sshsig_verify_parts(&claim->sig, TRUST_NAMESPACE_COMMIT, commit.payload, 2, reterr);
        return r;
}

static int check_circumstances(const struct run *run, const struct claim *claim, struct fault *reterr) {
        const struct trust_options *options = &run->request->options;
        int64_t skew_ms = options->skew_ms ? options->skew_ms : TRUST_SKEW_MS;
        char date[RFC3339_TEXT_MAX];

        if (claim->times_ms[1] > claim->times_ms[0] && claim->times_ms[1] - claim->times_ms[0] > skew_ms)
                return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_FUTURE,
                                      "its committer date %s lies in the future",
                                      rfc3339_format(claim->times_ms[1], date));
        if (options->require_touch && claim->sig.key.type == SSHKEY_SK_ED25519 &&
            !(claim->sig.flags & SSHSIG_USER_PRESENT))
                return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_TOUCH,
                                      "its security key was not touched for the signature");
        return 0;
}

/* The name under which a verdict is remembered: what decided, and how strictly. */
static struct digest verdict_key(const struct run *run, const struct trustfile *by) {
        struct digest_state state;

        if (!run->request->options.require_touch)
                return by->digest;
        digest_begin(&state);
        digest_update(&state, by->digest.text, strlen(by->digest.text));
        digest_update(&state, "+touch", 6);
        return digest_end(&state);
}

static void fill_result(struct run *run, const struct claim *claim, const struct trustfile *by,
                        const struct signer *line) {
        struct trust_result *result = &run->result;

        (void)snprintf(result->principal, sizeof(result->principal), "%s", line->principal);
        sshkey_fingerprint(&claim->sig.key, result->fingerprint);
        result->algorithm = claim->sig.key.type;
        result->sk_flags = claim->sig.flags;
        result->signed_at_ms = claim->times_ms[1];
        result->judged_by = by->digest;
}

/* Judge a commit by @by, and check the file that it brings itself. @ret_file: its id. */
static int judge(struct run *run, const struct object_id *id, const struct trustfile *by, struct claim *claim,
                 struct object_id *ret_file, struct fault *reterr) {
        const struct trust_memory *memory = &run->request->memory;
        struct digest key = verdict_key(run, by);
        bool known = memory->is_verified && memory->is_verified(memory->data, id, &key);
        const struct signer *line;
        const struct trustfile *own;
        struct object_id file;
        int r;

        r = read_claim(run, id, !known, claim, reterr);
        if (r == 0 && !known)
                r = check_circumstances(run, claim, reterr);
        if (r == 0)
                r = signers_find_at(&by->signers, &claim->sig.key, TRUST_NAMESPACE_COMMIT, claim->times_ms,
                                    claim->n_times, &line, reterr);
        if (r < 0)
                return r;
        fill_result(run, claim, by, line);

        r = trustfiles_locate(&run->files, &claim->tree, &file, reterr);
        if (r == 0)
                r = trustfiles_get(&run->files, &file, &own, reterr);
        if (r < 0)
                return r;
        run->result.tree = claim->tree;
        run->result.trust = own->digest;
        *ret_file = file;
        return 0;
}

static void remember(struct run *run, const struct object_id *id, const struct trustfile *by,
                     const struct claim *claim) {
        const struct trust_memory *memory = &run->request->memory;
        struct digest key = verdict_key(run, by);

        run->result.n_commits++;
        if (claim->n_times == 0)
                return;
        run->result.n_verified++;
        if (memory->note_verified)
                memory->note_verified(memory->data, id, &key);
}

/*
 * Files of commits in the history
 */

static int locate(struct run *run, uint32_t i, struct object_id *ret, struct fault *reterr) {
        struct object_id tree, parents[UINT8_MAX];
        const void *bytes;
        size_t size, n;
        int r;

        if (!run->marks[i].located) {
                r = object_read(run->request->reader, &run->history->commits[i].id, OBJECT_COMMIT, LIMIT_COMMIT_BYTES,
                                &bytes, &size, reterr);
                if (r == 0)
                        r = object_commit_links(bytes, size, &tree, parents, UINT8_MAX, &n, reterr);
                if (r == 0)
                        r = trustfiles_locate(&run->files, &tree, &run->marks[i].file, reterr);
                if (r < 0)
                        return r;
                run->marks[i].located = true;
        }
        *ret = run->marks[i].file;
        return 0;
}

static int file_of(struct run *run, uint32_t i, const struct trustfile **ret, struct fault *reterr) {
        struct object_id file;
        int r;

        r = locate(run, i, &file, reterr);
        return r < 0 ? r : trustfiles_get(&run->files, &file, ret, reterr);
}

/* Does this file allow who signed @claim? No, when it cannot be read. */
static bool allows(struct run *run, const struct object_id *file, const struct claim *claim) {
        own_fault struct fault fault = FAULT_INIT;
        const struct trustfile *f;
        const struct signer *line;

        return !object_id_is_zero(file) && trustfiles_get(&run->files, file, &f, &fault) == 0 &&
               signers_find_at(&f->signers, &claim->sig.key, TRUST_NAMESPACE_COMMIT, claim->times_ms, claim->n_times,
                               &line, &fault) == 0;
}

/* The file of commit @i, or zero when it has none; that is only so of commits from before the range. */
static struct object_id file_or_none(struct run *run, uint32_t i) {
        own_fault struct fault fault = FAULT_INIT;
        struct object_id file;

        return locate(run, i, &file, &fault) == 0 ? file : (struct object_id){ 0 };
}

/*
 * Keys that come and go on merged sides
 */

/* Note where the brought-in commit @i changed the file. */
static void note_changes(struct run *run, uint32_t i) {
        for (unsigned k = 0; k < run->history->commits[i].n_parents; k++) {
                struct object_id before = file_or_none(run, history_parent(run->history, i, k));
                struct change *change;

                if (object_id_equal(&before, &run->marks[i].file))
                        continue;
                change = arena_push(run->arena, &run->changes, &run->n_changes, sizeof(*change));
                change->before = before;
                change->after = run->marks[i].file;
        }
}

/* Has a commit of this group added (or, without @added, removed) the key that signed @claim? */
static bool group_changed_key(struct run *run, const struct claim *claim, bool added) {
        for (size_t i = run->first_change; i < run->n_changes; i++) {
                const struct change *c = &run->changes[i];

                if (allows(run, &c->after, claim) == added && allows(run, &c->before, claim) != added)
                        return true;
        }
        return false;
}

static int refuse_revoked(const struct claim *claim, const char *where, struct fault *reterr) {
        char fingerprint[FINGERPRINT_TEXT_MAX];

        return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_REVOKED,
                              "the key %s was removed from " TRUST_PATH " %s",
                              sshkey_fingerprint(&claim->sig.key, fingerprint), where);
}

/* A key that the mainline removed must not come back through a branch from before. */
static int check_branch(struct run *run, const struct claim *claim, struct fault *reterr) {
        struct object_id mainline = file_or_none(run, run->mainline);

        if (allows(run, &mainline, claim) || group_changed_key(run, claim, true))
                return 0;
        return refuse_revoked(claim, "on the mainline, before this branch was merged", reterr);
}

/* A key that a merged side removed must not sign the merge. @by: the parent that judged it. */
static int check_merge(struct run *run, uint32_t i, uint32_t by, const struct claim *claim, struct fault *reterr) {
        for (unsigned k = 0; k < run->history->commits[i].n_parents; k++) {
                uint32_t p = history_parent(run->history, i, k);
                struct object_id file;

                if (p == by)
                        continue;
                file = file_or_none(run, p);
                if (!allows(run, &file, claim) && group_changed_key(run, claim, false))
                        return refuse_revoked(claim, "on a branch that this merge brings in", reterr);
        }
        return 0;
}

static bool knows(struct run *run, uint32_t i, const struct claim *claim) {
        own_fault struct fault fault = FAULT_INIT;
        const struct trustfile *f;

        return file_of(run, i, &f, &fault) == 0 && signers_know(&f->signers, &claim->sig.key);
}

/*
 * Did the file know the key once, before what is accepted? Follows first parents, and only so far: it is for the
 * message.
 */
static bool knew_before(struct run *run, const struct claim *claim) {
        struct object_id at = run->history->commits[run->history->accepted].id, last = { 0 };

        for (size_t n = 0; n < LIMIT_REVOKED_SEARCH; n++) {
                own_fault struct fault ignored = FAULT_INIT;
                struct object_id tree, file, parents[UINT8_MAX];
                const struct trustfile *f;
                const void *bytes;
                size_t size, n_parents;

                if (object_read(run->request->reader, &at, OBJECT_COMMIT, LIMIT_COMMIT_BYTES, &bytes, &size, &ignored) <
                            0 ||
                    object_commit_links(bytes, size, &tree, parents, UINT8_MAX, &n_parents, &ignored) < 0 ||
                    trustfiles_locate(&run->files, &tree, &file, &ignored) < 0)
                        return false;
                if (!object_id_equal(&file, &last)) {
                        if (trustfiles_get(&run->files, &file, &f, &ignored) < 0)
                                return false;
                        if (signers_know(&f->signers, &claim->sig.key))
                                return true;
                        last = file;
                }
                if (n_parents == 0)
                        return false;
                at = parents[0];
        }
        return false;
}

/*
 * An unknown key was taken away when the accepted file knew it, or one before or since, or a parent's that did not
 * learn it on this very branch. Say so: it is another story than a key that never was there.
 */
static void tell_revoked(struct run *run, uint32_t i, const struct claim *claim, struct fault *reterr) {
        const struct history *h = run->history;
        bool known = knows(run, h->accepted, claim);

        for (unsigned k = 0; !known && k < h->commits[i].n_parents; k++)
                known = knows(run, history_parent(h, i, k), claim) && !group_changed_key(run, claim, true);
        for (uint32_t pos = 0; !known && pos < h->n_order && h->order[pos] != i; pos++)
                known = h->commits[h->order[pos]].flags & HISTORY_MAINLINE && knows(run, h->order[pos], claim);
        if (!known && !knew_before(run, claim))
                return;
        fault_done(reterr);
        (void)refuse_revoked(claim, "before this commit", reterr);
}

/*
 * The range
 */

/* Whose file judges @i: the parent on the mainline, or a parent brought in together with it. */
static uint32_t judge_of(const struct run *run, uint32_t i) {
        const struct history *h = run->history;

        if (!(h->commits[i].flags & HISTORY_MAINLINE))
                for (unsigned k = 0; k < h->commits[i].n_parents; k++)
                        if (run->marks[history_parent(h, i, k)].group == run->group)
                                return history_parent(h, i, k);
        return run->mainline;
}

static int judge_new(struct run *run, uint32_t i, struct fault *reterr) {
        const struct object_id *id = &run->history->commits[i].id;
        bool mainline = run->history->commits[i].flags & HISTORY_MAINLINE;
        uint32_t parent = judge_of(run, i);
        struct claim claim = { .subject = "" };
        const struct trustfile *by;
        struct object_id file;
        int r;

        r = file_of(run, parent, &by, reterr);
        if (r < 0) {
                char hex[OBJECT_ID_TEXT_MAX];

                return fault_context(reterr, r, "the accepted commit %.12s",
                                     object_id_format(&run->history->commits[parent].id, hex));
        }
        r = judge(run, id, by, &claim, &file, reterr);
        if (r == 0 && run->history->commits[i].n_parents > 1)
                r = check_merge(run, i, parent, &claim, reterr);
        if (r == 0 && parent != run->mainline)
                r = check_branch(run, &claim, reterr);
        if (r < 0) {
                if (reterr->code == REASON_TRUST_UNKNOWN_SIGNER)
                        tell_revoked(run, i, &claim, reterr);
                return refuse_commit(id, &claim, r, reterr);
        }

        run->marks[i] = (struct mark){ .file = file, .located = true, .group = mainline ? 0 : run->group };
        r = file_of(run, parent, &by, reterr); /* the checks above may have moved it */
        if (r < 0)
                return r;
        remember(run, id, by, &claim);
        if (!mainline) {
                note_changes(run, i);
                return 0;
        }
        run->mainline = i;
        run->group++;
        run->first_change = run->n_changes;
        return 0;
}

static int judge_range(struct run *run, struct fault *reterr) {
        int r;

        r = history_read(run->request->reader, run->request->accepted, &run->request->tip, &run->history, reterr);
        if (r < 0)
                return r;
        run->marks = calloc(run->history->n, sizeof(*run->marks));
        if (!run->marks)
                return fault_set_oom(reterr);
        run->mainline = run->history->accepted;
        run->group = 1;
        for (uint32_t pos = 0; r == 0 && pos < run->history->n_order; pos++)
                r = judge_new(run, run->history->order[pos], reterr);
        return r;
}

/* Nothing is accepted yet: the pinned root judges the tip. */
static int judge_first(struct run *run, struct fault *reterr) {
        const struct trust_request *request = run->request;
        own_trustfile struct trustfile root = { 0 };
        struct claim claim = { .subject = "" };
        struct object_id file;
        int r;

        r = trustfile_init(&root, request->root_name, request->root, request->root_size, reterr);
        if (r < 0)
                return r;
        r = judge(run, &request->tip, &root, &claim, &file, reterr);
        if (r < 0) {
                if (reterr->code == REASON_TRUST_UNKNOWN_SIGNER)
                        fault_hint(reterr, "the first commit that is accepted must be signed by a key in %s",
                                   request->root_name);
                return refuse_commit(&request->tip, &claim, r, reterr);
        }
        remember(run, &request->tip, &root, &claim);
        return 0;
}

/* Nothing new: only say what decides about what comes next. */
static int look_at_accepted(struct run *run, struct fault *reterr) {
        struct object_id tree, file, parents[UINT8_MAX];
        const struct trustfile *f;
        const void *bytes;
        size_t size, n;
        int r;

        r = object_read(run->request->reader, run->request->accepted, OBJECT_COMMIT, LIMIT_COMMIT_BYTES, &bytes, &size,
                        reterr);
        if (r == 0)
                r = object_commit_links(bytes, size, &tree, parents, UINT8_MAX, &n, reterr);
        if (r == 0)
                r = trustfiles_locate(&run->files, &tree, &file, reterr);
        if (r == 0)
                r = trustfiles_get(&run->files, &file, &f, reterr);
        if (r < 0)
                return r;
        run->result.tree = tree;
        run->result.trust = f->digest;
        return 0;
}

int trust_verify(const struct trust_request *request, struct trust_result *ret, struct fault *reterr) {
        own_run struct run run = { .request = request, .arena = arena_new() };
        int r;

        assert(request->reader && request->reader->read);
        trustfiles_init(&run.files, request->reader);
        run.result.accepted = request->tip;
        if (!request->accepted)
                r = judge_first(&run, reterr);
        else if (object_id_equal(request->accepted, &request->tip))
                r = look_at_accepted(&run, reterr);
        else
                r = judge_range(&run, reterr);
        if (r == 0)
                *ret = run.result;
        return r;
}
