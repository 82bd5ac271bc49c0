/* SPDX-License-Identifier: Apache-2.0 */

/* Fetch: the tip of the desired branch into the mirror. Without the remote the accepted commit stays in force. */

#include "reconciler/pass/context.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

static const char *id_text(const struct pass *p, const struct object_id *id) {
        char buf[OBJECT_ID_TEXT_MAX];

        return arena_strdup(p->arena, object_id_format(id, buf));
}

int pass_open_mirror(struct pass *p, struct fault *reterr) {
        char broken[MIRROR_NAME_MAX] = "";
        int r = mirror_open(p->config->state, "desired.git", &p->mirror, broken, reterr);

        if (r == 0 && *broken) {
                p->mirror_is_new = true;
                log_warning("the mirror of the desired state was damaged and is fetched again; the old one is %s",
                            broken);
        }
        return r;
}

static int fetch_commit(struct pass *p, struct object_id *ret_tip, bool *ret_any, struct fault *reterr) {
        if (object_id_parse(p->options->commit, ret_tip) < 0)
                return fault_set(reterr, FAULT_CONFIG, 0, "'%s' is no commit id of 40 hex digits", p->options->commit);
        if (!mirror_has(p->mirror, ret_tip))
                return fault_set(reterr, FAULT_CONFIG, 0, "commit %s is not in the fetched history",
                                 p->options->commit);
        *ret_any = true;
        return 0;
}

int pass_fetch(struct pass *p, struct object_id *ret_tip, bool *ret_any, struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;
        int r = remote_fetch(p->mirror, &p->remote, p->config->repository.text, p->config->branch, ret_tip, &fault);

        if (r == 0) {
                p->facts.tip = p->accepted.tip = id_text(p, ret_tip);
                p->accepted.fetched_at = clock_wall_ms();
                *ret_any = true;
        } else if (fault.kind == FAULT_CONFIG) {
                fault_move(reterr, &fault);
                return r;
        } else {
                p->facts.stale = arena_strdup(p->arena, fault.message);
                p->stale_kind = fault.kind;
                p->facts.tip = p->accepted.tip;
                log_write(LOG_LEVEL_WARNING, LOG_FIELDS({ "TALLY_REASON", fault.code }), "%s", fault.message);
                *ret_any = false;
        }
        return p->options->commit ? fetch_commit(p, ret_tip, ret_any, reterr) : 0;
}
