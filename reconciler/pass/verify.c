/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Verify and load: a tip is accepted when every commit up to it verifies and its documents can be read. Anything else
 * keeps the commit that is accepted, and says why.
 */

#include <fcntl.h>

#include "policies/history.h"
#include "reconciler/journal/message.h"
#include "reconciler/pass/context.h"
#include "reconciler/state/verified.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

#define ACCEPTED_REF "refs/tally/accepted"

static int read_root(struct pass *p, struct buffer *out, struct fault *reterr) {
        int r = file_read(AT_FDCWD, p->config->trust, LIMIT_SIGNERS_BYTES, out, reterr);

        if (r < 0) {
                reterr->kind = FAULT_CONFIG;
                fault_hint(
                        reterr,
                        "`trust:` in the configuration names the pinned allowed_signers: the first commit must verify by it");
        }
        return r;
}

/* Remember why the tip is not accepted; the time is that of the first refusal for the same reason. */
static void refuse(struct pass *p, const struct object_id *tip, const struct fault *fault) {
        struct accepted_refusal *before = p->accepted.refusal, *now = arena_new_of(p->arena, struct accepted_refusal);
        own_free char *text = fault_to_string(fault);
        char hex[OBJECT_ID_TEXT_MAX];

        now->commit = arena_strdup(p->arena, object_id_format(tip, hex));
        now->code = fault->code ? fault->code : REASON_LOAD_INVALID;
        now->message = arena_strdup(p->arena, text ? text : fault->message);
        now->hint = fault->hint ? arena_strdup(p->arena, fault->hint) : NULL;
        now->at = clock_wall_ms();
        if (before && str_eq(before->commit, now->commit) && str_eq(before->code, now->code)) {
                now->at = before->at;
        } else {
                p->refusal_is_new = true;
                log_write(LOG_LEVEL_WARNING,
                          LOG_FIELDS({ "MESSAGE_ID", MESSAGE_RELEASE_REFUSED }, { "TALLY_COMMIT", now->commit },
                                     { "TALLY_REASON", now->code }),
                          "refused %.12s: %s", now->commit, now->message);
        }
        p->accepted.refusal = now;
}

static int trust(struct pass *p, const struct object_id *tip, struct trust_result *ret, struct fault *reterr) {
        own_verified struct verified *verified = verified_new(p->state.dirfd);
        own_buffer struct buffer root = BUFFER_INIT;
        struct object_reader reader = mirror_reader(p->mirror);
        struct object_id accepted;
        struct trust_request request = {
                .reader = &reader,
                .tip = *tip,
                .root_name = p->config->trust,
                .now_ms = clock_wall_ms(),
                .options = { .require_touch = p->config->require_touch, .skew_ms = TRUST_SKEW_MS },
                .memory = verified_memory(verified),
        };
        int r;

        if (p->accepted.commit && object_id_parse(p->accepted.commit, &accepted) == 0) {
                /* The whole history of the tip is here, and a ref keeps what was accepted from here. */
                if (!mirror_has(p->mirror, &accepted))
                        return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_REWIND,
                                              "the branch does not hold commit %.12s, which was accepted before",
                                              p->accepted.commit);
                request.accepted = &accepted;
        } else {
                r = read_root(p, &root, reterr);
                if (r < 0)
                        return r;
                request.root = buffer_str(&root);
                request.root_size = root.size;
        }
        r = trust_verify(&request, ret, reterr);
        if (!p->options->dry) {
                own_fault struct fault ignored = FAULT_INIT;

                /* A cache: what cannot be saved is verified again. */
                (void)verified_save(verified, &ignored);
        }
        return r;
}

/* Said once, when they come; status goes on to say it. */
static void tell_approvals(const struct pass *p) {
        for (size_t i = 0; i < p->desired.n_deployments; i++) {
                const struct refused_retry *refused = p->desired.approvals[i].refused.items;

                for (size_t k = 0; k < p->desired.approvals[i].refused.n; k++)
                        log_write(LOG_LEVEL_WARNING,
                                  LOG_FIELDS({ "TALLY_APP", p->desired.deployments[i].release->app.text },
                                             { "TALLY_REASON", REASON_RETRY_INVALID }),
                                  "%s", refused[k].message);
        }
}

static void accept(struct pass *p, const struct trust_result *t) {
        char hex[OBJECT_ID_TEXT_MAX];
        const char *commit = arena_strdup(p->arena, object_id_format(&t->accepted, hex));

        p->accepted.refusal = NULL;
        if (str_eq(commit, p->accepted.commit)) {
                /* Recalled from the ledger, which does not say these. */
                p->accepted.tree = arena_strdup(p->arena, object_id_format(&t->tree, hex));
                p->accepted.trust = arena_strdup(p->arena, t->trust.text);
                return;
        }
        if (p->accepted.trust && !str_eq(p->accepted.trust, t->trust.text))
                p->trust_before = p->accepted.trust;
        p->accepted.commit = commit;
        p->accepted.tree = arena_strdup(p->arena, object_id_format(&t->tree, hex));
        p->accepted.trust = arena_strdup(p->arena, t->trust.text);
        p->accepted.principal = arena_strdup(p->arena, t->principal);
        p->accepted.fingerprint = arena_strdup(p->arena, t->fingerprint);
        p->accepted.algorithm = sshkey_type_to_string(t->algorithm);
        p->accepted.signed_at = t->signed_at_ms;
        p->accepted.first_seen = clock_wall_ms();
        log_write(LOG_LEVEL_INFO, LOG_FIELDS({ "MESSAGE_ID", MESSAGE_RELEASE_ACCEPTED }, { "TALLY_COMMIT", commit }),
                  "accepted %.12s, signed by %s (%zu commits, %zu verified now)", commit, t->principal, t->n_commits,
                  t->n_verified);
        tell_approvals(p);
}

/* The mirror never loses what is accepted without being found damaged. */
static int keep(struct pass *p, const struct trust_result *t, struct fault *reterr) {
        struct object_id kept;
        own_fault struct fault ignored = FAULT_INIT;

        if (p->options->dry ||
            (mirror_ref(p->mirror, ACCEPTED_REF, &kept, &ignored) == 0 && object_id_equal(&kept, &t->accepted)))
                return 0;
        return mirror_set_ref(p->mirror, ACCEPTED_REF, &t->accepted, reterr);
}

/* The documents of a commit, and what a runtime makes of them. */
static int load_commit(struct pass *p, const char *hex, struct fault *reterr) {
        /* What was accepted before keeps the time at which it was first seen: its approvals stay what they were. */
        const struct approval_rules rules = {
                .seen_at = str_eq(hex, p->accepted.commit) && p->accepted.first_seen ? p->accepted.first_seen
                                                                                     : clock_wall_ms(),
                .require_touch = p->config->require_touch,
        };
        struct object_id id;
        int r;

        if (object_id_parse(hex, &id) < 0)
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_STATE_CORRUPT,
                                      "accepted.json holds no commit id");
        r = desired_load_commit(p->mirror, &id, p->config->host.text, &rules, p->arena, &p->desired, reterr);
        return r < 0 ? r : pass_render(p, reterr);
}

/*
 * At the first acceptance: a ledger whose key the commit itself names as this host's says how far history has come, and a
 * commit before that is a rewind. Any other ledger says nothing.
 */
static int check_floor(struct pass *p, const struct object_id *tip, struct fault *reterr) {
        struct object_reader reader = mirror_reader(p->mirror);
        own_history struct history *history = NULL;
        own_fault struct fault fault = FAULT_INIT;
        struct object_id floor;
        struct sshkey named;

        if (p->accepted.commit || !p->floor || !p->desired.host || !p->desired.host->key.text ||
            sshkey_parse(p->desired.host->key.text, &named, &fault) < 0 || !sshkey_equal(&named, &p->floor_signer) ||
            object_id_parse(p->floor, &floor) < 0 || object_id_equal(&floor, tip))
                return 0;
        if (mirror_has(p->mirror, &floor))
                return history_read(&reader, &floor, tip, &history, reterr);
        return fault_set_code(
                reterr, FAULT_DENIED, REASON_TRUST_REWIND,
                "the branch does not hold commit %.12s, which this host's ledger says was accepted before", p->floor);
}

/* What the mirror cannot give says nothing about the tip: the mirror has lost it, or the remote never had it. */
static bool lacks_objects(const struct pass *p, const struct fault *fault) {
        return fault->code == REASON_TRUST_MISSING_OBJECT || mirror_is_damaged(p->mirror);
}

/*
 * @ret_loaded: the tip is accepted and its documents are the desired state. A refusal is no failure of the pass;
 * objects that are missing are one, unless @last.
 */
static int judge_tip(struct pass *p, const struct object_id *tip, bool last, bool *ret_loaded, struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        enum fault_kind refusing = FAULT_DENIED; /* the kind that says something about the tip, not about this run */
        struct trust_result result;
        char hex[OBJECT_ID_TEXT_MAX];
        int r = 0;

        if (!p->options->commit)
                r = trust(p, tip, &result, &fault);
        if (r == 0) {
                refusing = FAULT_CONFIG;
                r = load_commit(p, object_id_format(tip, hex), &fault);
        }
        if (r == 0 && !p->options->commit) {
                refusing = FAULT_DENIED;
                r = check_floor(p, tip, &fault);
        }
        if (r == 0 && !p->options->commit)
                r = keep(p, &result, &fault);
        if (r == 0) {
                *ret_loaded = true;
                if (!p->options->commit)
                        accept(p, &result);
                return 0;
        }
        if (p->options->commit || (lacks_objects(p, &fault) ? !last : fault.kind != refusing)) {
                fault_move(reterr, &fault);
                return r;
        }
        refuse(p, tip, &fault);
        if (!p->accepted.commit) {
                /* No commit takes its place: nothing of the refused one may be acted on. */
                pass_forget_apps(p);
                p->desired = (struct desired){ 0 };
        }
        return 0;
}

/* Nothing can be done without the documents of what is accepted, and nothing is touched. */
static void hold(struct pass *p, const struct fault *why) {
        log_write(LOG_LEVEL_WARNING, LOG_FIELDS({ "TALLY_REASON", why->code }), "the accepted commit %.12s: %s",
                  p->accepted.commit, why->message);
        if (p->facts.blocked)
                return;
        p->facts.blocked_code = REASON_TRUST_MISSING_OBJECT;
        p->facts.blocked_exit = 1;
        p->facts.blocked = arena_printf(
                p->arena,
                "the accepted commit %.12s is not at hand: nothing is touched until the repository has it again",
                p->accepted.commit);
}

/* Judge the tip, if there is @any; without a better one the accepted commit is loaded. */
static int verify(struct pass *p, const struct object_id *tip, bool any, bool last, struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        bool loaded = false;
        int r = any ? judge_tip(p, tip, last, &loaded, reterr) : 0;

        if (r < 0 || loaded || !p->accepted.commit)
                return r;
        r = load_commit(p, p->accepted.commit, &fault);
        if (r < 0 && last && lacks_objects(p, &fault)) {
                hold(p, &fault);
                return 0;
        }
        if (r < 0) {
                fault_move(reterr, &fault);
                return fault_context(reterr, r, "the accepted commit %.12s", p->accepted.commit);
        }
        return 0;
}

/* The remote has what the mirror lacks, unless the mirror comes fresh from it or this was tried for this very tip. */
static bool may_heal(const struct pass *p, const struct object_id *tip) {
        const struct accepted_refusal *refusal = p->accepted.refusal;
        char hex[OBJECT_ID_TEXT_MAX];

        return !p->mirror_is_new && !(refusal && str_eq(refusal->code, REASON_TRUST_MISSING_OBJECT) &&
                                      str_eq(refusal->commit, object_id_format(tip, hex)));
}

static int heal(struct pass *p, struct object_id *tip, bool *ret_any, struct fault *reterr) {
        int r;

        mirror_mark_damaged(p->mirror);
        mirror_free(take(p->mirror));
        r = pass_open_mirror(p, reterr);
        return r < 0 ? r : pass_fetch(p, tip, ret_any, reterr);
}

int pass_verify(struct pass *p, struct object_id *tip, bool any, struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        bool last = !any || !may_heal(p, tip);
        int r = verify(p, tip, any, last, &fault);

        if (r < 0 && !last && lacks_objects(p, &fault)) {
                fault_done(&fault);
                r = heal(p, tip, &any, &fault);
                if (r == 0)
                        r = verify(p, tip, any, true, &fault);
        }
        if (r < 0)
                fault_move(reterr, &fault);
        p->facts.accepted = p->accepted.commit;
        p->facts.fetched_at = p->accepted.fetched_at;
        p->facts.fleet = p->accepted.commit ? p->desired.fleet.name : NULL;
        if (p->accepted.refusal)
                p->facts.refusal = (struct status_refusal){
                        .commit = p->accepted.refusal->commit,
                        .code = p->accepted.refusal->code,
                        .message = p->accepted.refusal->message,
                        .hint = p->accepted.refusal->hint,
                        .at = p->accepted.refusal->at,
                };
        return r;
}
