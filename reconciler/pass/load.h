/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Load: the accepted commit's tree as a fleet, and what of it is for this host
 *
 * Reads objects from the mirror by id, never a checkout. Documents of the whole fleet are read, files of apps only where a
 * release is addressed to this host.
 */

#include "shared/git/mirror.h"
#include "shared/model/fleet.h"

struct desired {
        struct fleet fleet;
        const struct host *host;             /* NULL: not enrolled */
        const struct environment *environment;
        struct deployment *deployments;      /* of this host, sorted by app */
        size_t n_deployments;
};

/* Everything lives in @a. FAULT_CONFIG at its position when a document is invalid. */
int load(struct mirror *m, const struct object_id *commit, const char *host, struct arena *a, struct desired *ret,
         struct fault *reterr);

/* The same of a working tree, for `tally check`: every release is resolved, in the order of the fleet's. */
int load_tree(const char *folder, struct arena *a, struct fleet *ret, struct deployment **ret_deployments,
              struct fault *reterr);
