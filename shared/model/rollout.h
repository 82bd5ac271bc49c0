/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rollout: where an app stands on its way from one release to the next
 *
 * The one piece of deployment state that cannot be read off the engine: which instances served before, since when the
 * new ones are healthy, and which releases failed here. Persisted (rollouts/<app>.json) before each effect that follows
 * from it.
 *
 *      settled → preparing → staging → evaluating → finishing → settled
 *                    └──────────┴───────────┴──→ reverting → settled (release poisoned)
 *                                                    └────→ stuck   (the revert failed: loud)
 */

#include "shared/model/breaker.h"
#include "shared/model/check.h"
#include "shared/model/plan.h"

enum phase {
        PHASE_ABSENT, /* nothing of this app was ever brought here */
        PHASE_SETTLED,
        PHASE_PREPARING,  /* pulling and verifying; no instance is touched */
        PHASE_STAGING,    /* new instances take over, service by service */
        PHASE_EVALUATING, /* all new instances run; health must hold */
        PHASE_FINISHING,  /* the new release is proven and settled; the old instances are retired */
        PHASE_REVERTING,  /* the old instances take over again */
        PHASE_PAUSED,     /* failed, and on_failure is pause: a person decides */
        PHASE_STUCK,      /* the revert itself failed */
        PHASE_REMOVING,   /* the app is no longer declared */
        PHASE_MAX_,
};
extern const char *const phase_names[];

struct rollout {
        const char *app;
        enum phase phase;
        const char *runtime;           /* what it was last brought to; NULL: nothing was */
        const char *release, *version; /* where it is going; NULL when settled and nothing was deployed */
        const char *current_release, *current_version; /* the last release proven here; NULL: none yet */
        int64_t current_since;                         /* wall ms: since when */
        struct string_list previous;                   /* ids of the instances that ran before this rollout began */
        struct string_list restarted; /* ids of those of them that the revert under way has started again */
        bool prepared;                /* preparing succeeded */
        struct struct_list steps;     /* struct rollout_step: the plan under way; none when settled */
        struct struct_list checks;    /* struct check_state: of the release under way */
        /* percent of the requests that the new release should get; -1: as instances stand */
        int64_t candidate;
        int64_t routed_at;      /* wall ms: when the route was last changed; 0: never */
        const char *routed;     /* digest of the route that was last put into force; NULL: none */
        const char *router;     /* where; NULL: nowhere */
        int64_t route_attempts; /* failed tries to change the route */
        int64_t route_retry_at; /* wall ms: the next one is not before this */
        int64_t started_at;     /* wall ms: of the rollout */
        int64_t progress_at;    /* wall ms: of the last step forward */
        /* wall ms: when decide() last looked while a rollout was under way: deadlines count watched time only */
        int64_t seen_at;
        int64_t attempts; /* failed tries of the current phase */
        int64_t retry_at; /* wall ms: not before this */
        /* an action failed for good: the next look ends the rollout with failure_code */
        bool doomed;
        /* reason code of the failure being handled, or of the last rollout; NULL: none */
        const char *failure_code;
        const char *failure_text;
        /* what holds up taking it back: the last action that failed; NULL: nothing */
        const char *trouble;
        struct string_list poisoned; /* release ids that failed here, oldest first */
        struct string_list retried;  /* ids of the signed retries that were used up, oldest first */
        int64_t intent;              /* sequence number of the open intent record, -1: none */
        struct breaker breaker;      /* of the repairs of drift */
};

extern const struct table rollout_table;

bool rollout_is_poisoned(const struct rollout *r, const char *release);

/* Nothing is here and nothing is to be remembered: what an app leaves that is no longer declared. */
bool rollout_is_over(const struct rollout *r);

/* Was the signed retry with this id used up here? */
bool rollout_has_used(const struct rollout *r, const char *retry);
