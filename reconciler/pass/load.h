/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Load: the accepted commit's tree as a fleet, and what of it is for this host
 *
 * Reads objects from the mirror by id, never a checkout. Documents of the whole fleet are read, files of apps only
 * where a release is addressed to this host.
 */

#include "reconciler/pass/approvals.h"
#include "shared/git/mirror.h"

struct desired {
        struct fleet fleet;
        const struct host *host; /* NULL: not enrolled */
        const struct environment *environment;
        struct deployment *deployments; /* of this host, sorted by app */
        size_t n_deployments;
        struct approvals *approvals; /* beside the deployments */
};

/*
 * Everything lives in @a. FAULT_CONFIG at its position when a document is invalid; never for what stands under
 * approvals/, which is judged by @rules.
 */
int load(struct mirror *m, const struct object_id *commit, const char *host, const struct approval_rules *rules,
         struct arena *a, struct desired *ret, struct fault *reterr);

struct loaded_tree {
        struct fleet fleet;
        struct deployment *deployments;  /* every release is resolved, in the order of the fleet's */
        struct approval_signers signers; /* of its trust/allowed_signers */
        struct approvals *approvals;     /* beside the deployments */
        /* struct world_refused_retry: files under approvals/ that no host looks at */
        struct struct_list misplaced;
};

/* The same of a working tree, for the command line. */
int load_tree(const char *folder, const struct approval_rules *rules, struct arena *a, struct loaded_tree *ret,
              struct fault *reterr);
