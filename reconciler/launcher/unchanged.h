/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Quiet: recognising, cheaply, that a pass would find nothing to do
 *
 * After a pass that left everything converged and pushed, quiet.json remembers what that was seen with: the
 * configuration, the remote's tip, one listing of the engine, the files that are mounted. When all of it is the same,
 * the pass is over before a git library is loaded. It is a cache: anything in doubt is a full pass, and at the latest
 * every heartbeat there is one.
 */

#include "reconciler/config/config.h"
#include "reconciler/state/state.h"
#include "shared/data/digest.h"
#include "shared/git/object.h"

/*
 * Remember; failing to is only a slower next pass. The engine's fingerprint is from before the last look, so that what
 * changed since is seen; NULL when no engine was looked at.
 */
struct unchanged_state {
        const char *tip; /* hex */
        const struct digest *engine;
        int exit_code;    /* what the pass ended with: a rollout that only waits is quiet, too */
        int64_t until;    /* wall ms: something is due then; 0: at the heartbeat */
        int64_t again_ms; /* how soon to come back */
};
void unchanged_remember(const struct config *config, struct state *s, const struct unchanged_state *quiet);

/* The tip of the configured branch, asked without a git library; false when that cannot tell. */
typedef bool (*unchanged_tip_fn)(const struct config *config, struct object_id *ret);
bool unchanged_tip_local(const struct config *config, struct object_id *ret); /* a repository in a folder */
bool unchanged_tip_http(const struct config *config, struct object_id *ret);  /* one behind http(s); loads libcurl */

struct unchanged_answer {
        json_t *status; /* status.json; a new reference */
        int exit_code;
        int64_t next_ms; /* wish for the next pass */
};
/* True when nothing moved; that the repository was asked is then noted in the time of quiet.json. */
bool unchanged_check(const struct config *config, unchanged_tip_fn ask, struct unchanged_answer *ret);

/*
 * Wall ms: when a pass last saw that nothing moved, or remembered what it would know that by; 0: not known. Then the
 * repository answered.
 */
int64_t unchanged_asked_at(const struct state *s);
