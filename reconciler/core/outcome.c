/* SPDX-License-Identifier: Apache-2.0 */

/* What became of actions, folded into the rollout. */

#include "reconciler/core/context.h"
#include "reconciler/core/rollout.h"
#include "reconciler/core/execution.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/* How often a revert is tried before it is loud. */
#define REVERT_TRIES 5

static void progressed(struct rollout *r, int64_t now) {
        r->progress_at = now;
        r->attempts = 0;
        r->retry_at = 0;
        r->trouble = NULL;
}

static void prepared(struct rollout *r) {
        if (r->phase != PHASE_PREPARING)
                return;
        r->prepared = true;
        r->failure_code = NULL;
        r->failure_text = NULL;
}

static void routed(struct rollout *r, const struct action *action, int64_t now, struct arena *a) {
        struct digest digest = route_digest(action->route);

        r->routed = arena_strdup(a, digest.text);
        r->router = arena_strdup(a, action->router);
        r->routed_at = now;
        r->route_attempts = 0;
        r->route_retry_at = 0;
}

static void unrouted(struct rollout *r, int64_t now) {
        r->routed = r->router = NULL;
        r->routed_at = now;
        r->route_attempts = 0;
        r->route_retry_at = 0;
}

/* So that one which ends by itself again is not started for ever. */
static void restarted(struct rollout *r, const struct action *action, struct arena *a) {
        struct string_list old = r->restarted;

        if ((r->phase != PHASE_REVERTING && r->phase != PHASE_STUCK) || !action->instance)
                return;
        r->restarted.items = arena_array(a, old.n + 1, sizeof(struct text_at));
        if (old.n > 0)
                memcpy(r->restarted.items, old.items, old.n * sizeof(struct text_at));
        r->restarted.items[old.n].text = arena_strdup(a, action->instance);
        r->restarted.n = old.n + 1;
}

void rollout_action_done(struct rollout *r, const struct action *action, int64_t now, struct arena *a) {
        switch (action->kind) {
        case ACTION_PREPARE:
                prepared(r);
                break;
        case ACTION_ROUTE:
                routed(r, action, now, a);
                break;
        case ACTION_UNROUTE:
                unrouted(r, now);
                break;
        case ACTION_COMMAND:
                execution_command_done(r, action->step, true, NULL, now, a);
                break;
        case ACTION_START:
                restarted(r, action, a);
                break;
        case ACTION_CREATE:
        case ACTION_STOP:
        case ACTION_REMOVE:
        case ACTION_COLLECT:
        case ACTION_MAX_:
                break;
        }
        progressed(r, now);
}

/* Credentials are the host's affair: once they are mended, the same release goes on. */
static bool fails_for_good(const struct fault *fault) {
        return (fault->kind == FAULT_DENIED && !str_eq(fault->code, REASON_IMAGE_AUTH)) || fault->kind == FAULT_CONFIG;
}

/* An engine, registry or router that is away is no verdict on the release; neither is a world that moved meanwhile. */
static bool is_no_verdict(enum action_kind kind, const struct fault *fault) {
        return fault->kind == FAULT_CONFLICT || str_eq(fault->code, REASON_RUNTIME_UNAVAILABLE) ||
               ((kind == ACTION_PREPARE || kind == ACTION_ROUTE || kind == ACTION_UNROUTE) && !fails_for_good(fault));
}

/* A router that fails holds up its own next try, and nothing else. */
static void back_off(struct rollout *r, enum action_kind kind, int64_t now) {
        r->attempts++;
        if (kind == ACTION_ROUTE || kind == ACTION_UNROUTE)
                r->route_retry_at = now + context_back_off_ms(++r->route_attempts);
        else
                r->retry_at = now + context_back_off_ms(r->attempts);
}

void rollout_action_failed(struct rollout *r, const struct action *action, const struct fault *fault, int64_t now,
                           struct arena *a) {
        const char *code = fault->code ? fault->code : REASON_ROLLOUT_START_FAILED;

        if (action->kind == ACTION_COMMAND) {
                execution_command_done(r, action->step, false, fault->message, now, a);
                return;
        }
        back_off(r, action->kind, now);
        /* There is nothing to fail for good: the release is proven, or nothing of it is under way. */
        if (r->phase == PHASE_SETTLED || r->phase == PHASE_ABSENT || r->phase == PHASE_REMOVING ||
            r->phase == PHASE_PAUSED || (r->phase == PHASE_FINISHING && str_eq(r->current_release, r->release)))
                return;
        /* Why the release failed is not to be forgotten over it. */
        if (r->phase == PHASE_REVERTING || r->phase == PHASE_STUCK) {
                r->trouble = arena_strdup(a, fault->message);
                if (r->attempts >= REVERT_TRIES)
                        r->phase = PHASE_STUCK;
                return;
        }
        r->failure_text = arena_strdup(a, fault->message);
        if (is_no_verdict(action->kind, fault)) {
                /* Told while it is tried again. */
                if (r->phase == PHASE_PREPARING)
                        r->failure_code = code;
                return;
        }
        r->failure_code = code;
        r->doomed = true;
}
