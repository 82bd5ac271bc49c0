/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Approvals of the desired state: the statements that stand beside the releases that a host runs
 *
 * Only the folders of declared releases are looked at: what was said about earlier ones is history. Nothing here fails:
 * a statement or a signature that does not count is told, and has no other effect.
 */

#include "policies/approval.h"
#include "shared/model/files.h"
#include "shared/fleet/fleet.h"

struct approvals {
        struct struct_list retries; /* struct world_retry */
        struct struct_list refused; /* struct world_refused_retry */
};

/* By whom statements may be signed: the accepted commit's trust/allowed_signers, or why it cannot be read. */
struct approval_signers {
        struct signers signers;
        const char *unusable; /* NULL: it can */
};

/* "approvals/<env>/<app>/<64 hex>/", in @a. */
const char *approvals_folder(const struct deployment *d, struct arena *a);

/*
 * Judge what stands in the folder of @d. @entries are sorted by path; entries in the folder whose bytes are NULL are
 * taken as beyond the limit. Everything lives in @a or is borrowed from @entries.
 */
void approvals_judge(const struct fleet *fleet, const struct deployment *d, const struct desired_entry *entries,
                     size_t n, const struct approval_signers *signers, const struct approval_rules *rules,
                     struct arena *a, struct approvals *ret);

/*
 * Files under approvals/ that no host will ever look at: not of an environment and an app that there are, or misnamed.
 * Appends to @refused (struct world_refused_retry).
 */
void approvals_find_misplaced(const struct fleet *fleet, const struct desired_entry *entries, size_t n, struct arena *a,
                              struct struct_list *refused);
