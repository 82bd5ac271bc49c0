/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pushing: the remote is asked for its head first, and what it says is held against what we know. A remote that
 * cannot be brought up to date by adding commits is an event to record, never a reason to force.
 */

#include <stdio.h>
#include <string.h>

#include "reconciler/ledger/ledger_private.h"
#include "shared/base/clock.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

const char *const ledger_push_state_names[] = {
        [LEDGER_PUSH_UP_TO_DATE] = "up-to-date",
        [LEDGER_PUSH_DONE] = "pushed",
        [LEDGER_PUSH_REWOUND] = "rewound",
        [LEDGER_PUSH_VANISHED] = "vanished",
        NULL,
};

enum standing {
        STANDING_EQUAL,
        STANDING_BEHIND,   /* as we left it, or never pushed */
        STANDING_REWOUND,  /* at a commit of ours before the last that it took */
        STANDING_VANISHED, /* it took commits and has no such branch any more */
        STANDING_DIVERGED,
};

/* Later is soon enough: nothing is lost. Certificates and host keys keep their own code, a person must look. */
static int kept(struct fault *reterr, int r) {
        if (reterr->kind == FAULT_TRANSIENT || reterr->kind == FAULT_CONFLICT) {
                reterr->kind = FAULT_TRANSIENT;
                reterr->code = REASON_LEDGER_PUSH_FAILED;
        }
        return fault_context(reterr, r, "the ledger is kept here and pushed later");
}

static int ask(struct ledger *l, struct object_id *ret, struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        int r;

        *ret = (struct object_id){ 0 };
        r = remote_tip(l->settings.remote, l->settings.repository, l->branch, ret, &fault);
        if (r < 0 && str_eq(fault.code, REASON_FETCH_BRANCH_MISSING)) {
                *ret = (struct object_id){ 0 };
                return 0;
        }
        if (r < 0) {
                fault_move(reterr, &fault);
                return kept(reterr, r);
        }
        return 0;
}

static int classify(struct ledger *l, const struct object_id *there, enum standing *ret, struct fault *reterr) {
        const struct ledger_head *h = &l->head;
        int r;

        if (object_id_equal(there, &h->commit))
                *ret = STANDING_EQUAL;
        else if (object_id_is_zero(there))
                *ret = object_id_is_zero(&h->pushed) ? STANDING_BEHIND : STANDING_VANISHED;
        else if (object_id_equal(there, &h->pushed))
                *ret = STANDING_BEHIND;
        else if (!mirror_has(l->mirror, there))
                *ret = STANDING_DIVERGED;
        else {
                r = ledger_is_ancestor(l->mirror, there, &h->commit, 0, reterr);
                if (r < 0)
                        return r;
                if (r == 0)
                        *ret = STANDING_DIVERGED;
                else {
                        /* Ahead of what we remember as pushed: the answer to an earlier push was lost. */
                        r = object_id_is_zero(&h->pushed) ? 1
                                                          : ledger_is_ancestor(l->mirror, &h->pushed, there, 0, reterr);
                        if (r < 0)
                                return r;
                        *ret = r ? STANDING_BEHIND : STANDING_REWOUND;
                }
        }
        return 0;
}

/*
 * Anomalies
 */

static int record_anomaly(struct ledger *l, const char *what, const char *code, const struct object_id *there,
                          struct fault *reterr) {
        char remote[OBJECT_ID_TEXT_MAX], pushed[OBJECT_ID_TEXT_MAX], ours[OBJECT_ID_TEXT_MAX], subject[64];
        own_json json_t *error = record_error(code, reason_text(code));
        own_json json_t *body =
                json_pack("{s:s, s:s?, s:s?, s:{s:I, s:s, s:s}, s:O}", "anomaly", what, "remote",
                          object_id_is_zero(there) ? NULL : object_id_format(there, remote), "pushed",
                          object_id_is_zero(&l->head.pushed) ? NULL : object_id_format(&l->head.pushed, pushed), "ours",
                          "seq", (json_int_t)l->head.seq, "sha256", digest_hex(&l->head.record), "commit",
                          object_id_format(&l->head.commit, ours), "error", error);
        struct record r = { .kind = RECORD_REMOTE_ANOMALY, .body = body };
        struct ledger_entry e = { .records = &r, .n_records = 1, .subject = subject };

        if (!body)
                return fault_set_oom(reterr);
        (void)snprintf(subject, sizeof(subject), "the ledger at the remote has %s", what);
        return ledger_append(l, &e, NULL, reterr);
}

/* Once for each foreign head: every pass meets it again. */
static int refuse(struct ledger *l, const struct object_id *there, struct fault *reterr) {
        char hex[OBJECT_ID_TEXT_MAX];
        int r;

        if (!object_id_equal(there, &l->head.diverged)) {
                struct object_id before = l->head.diverged;

                l->head.diverged = *there;
                r = record_anomaly(l, "diverged", REASON_LEDGER_DIVERGED, there, reterr);
                if (r < 0) {
                        l->head.diverged = before;
                        return r;
                }
        }
        (void)fault_set_code(
                reterr, FAULT_DENIED, REASON_LEDGER_DIVERGED,
                "the ledger branch %s at the remote has commits that were not made here (%.12s): nothing is pushed",
                l->branch, object_id_format(there, hex));
        fault_hint(
                reterr,
                "somebody has this host's key, a copy of this host is running, or its state comes from a backup; find "
                "out which before anything else, then see `tally doctor`");
        return -EINVAL;
}

/*
 * Pushing
 */

static int note_pushed(struct ledger *l, struct fault *reterr) {
        l->head.pushed = l->head.commit;
        l->head.pushed_at = clock_wall_ms();
        l->head.diverged = (struct object_id){ 0 };
        return ledger_head_write(l->state, &l->head, reterr);
}

static int push(struct ledger *l, struct fault *reterr) {
        enum remote_pushed pushed;
        int r;

        r = remote_push(mirror_repository(l->mirror), l->settings.remote, l->settings.repository, l->ref, l->branch,
                        &pushed, reterr);
        return r < 0 ? kept(reterr, r) : note_pushed(l, reterr);
}

static int mend(struct ledger *l, enum standing standing, const struct object_id *there, struct fault *reterr) {
        bool rewound = standing == STANDING_REWOUND;
        struct object_id pushed = l->head.pushed;
        int r;

        /* What we remember is what it has now: one anomaly, one record, even if the push fails and is tried again. */
        r = record_anomaly(l, rewound ? "rewound" : "vanished", REASON_LEDGER_REWOUND, there, reterr);
        if (r < 0)
                return r;
        l->head.pushed = *there;
        r = ledger_head_write(l->state, &l->head, reterr);
        if (r < 0)
                l->head.pushed = pushed;
        return r < 0 ? r : push(l, reterr);
}

int ledger_push(struct ledger *l, enum ledger_push_state *ret, struct fault *reterr) {
        enum ledger_push_state state = LEDGER_PUSH_DONE;
        enum standing standing = STANDING_BEHIND;
        struct object_id there;
        int r;

        r = ask(l, &there, reterr);
        if (r == 0)
                r = classify(l, &there, &standing, reterr);
        if (r < 0)
                return r;
        switch (standing) {
        case STANDING_EQUAL:
                state = LEDGER_PUSH_UP_TO_DATE;
                r = object_id_equal(&l->head.pushed, &there) ? 0 : note_pushed(l, reterr);
                break;
        case STANDING_REWOUND:
        case STANDING_VANISHED:
                state = standing == STANDING_REWOUND ? LEDGER_PUSH_REWOUND : LEDGER_PUSH_VANISHED;
                r = mend(l, standing, &there, reterr);
                break;
        case STANDING_DIVERGED:
                return refuse(l, &there, reterr);
        case STANDING_BEHIND:
        default:
                r = push(l, reterr);
                break;
        }
        if (r < 0)
                return r;
        *ret = state;
        return 0;
}
