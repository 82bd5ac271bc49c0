/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Desired state: a tree as a fleet, its releases resolved, the approvals beside them judged
 *
 * One loader for the accepted commit, as a pass sees it, and for a working tree, as the command line sees it. Documents
 * of the whole fleet are read, files of apps and approvals only of the releases that are asked for.
 */

#include "reconciler/desired/approvals.h"
#include "reconciler/desired/tree.h"

struct desired {
        struct fleet fleet;
        const struct host *host; /* NULL: not enrolled */
        const struct environment *environment;
        struct deployment *deployments; /* of this host, sorted by app */
        size_t n_deployments;
        struct approvals *approvals; /* beside the deployments */
};

/*
 * What of @commit is for @host. Everything lives in @a. FAULT_CONFIG at its position when a document is invalid; never
 * for what stands under approvals/, which is judged by @rules.
 */
int desired_load_commit(struct mirror *m, const struct object_id *commit, const char *host,
                        const struct approval_rules *rules, struct arena *a, struct desired *ret, struct fault *reterr);

struct loaded_tree {
        struct fleet fleet;
        struct deployment *deployments;  /* every release is resolved, in the order of the fleet's */
        struct approval_signers signers; /* of its trust/allowed_signers */
        struct approvals *approvals;     /* beside the deployments */
        /* struct world_refused_retry: files under approvals/ that no host looks at */
        struct struct_list misplaced;
};

/* A working tree with all its releases, for the command line. */
int desired_load_folder(const char *folder, const struct approval_rules *rules, struct arena *a,
                        struct loaded_tree *ret, struct fault *reterr);
