/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Trust: may this tip be the next accepted commit?
 *
 * Pure: objects come through a callback, the time as a value. The verdict depends on the objects, the accepted commit,
 * the options and the time, on nothing else; never on the dates in commits for ancestry.
 *
 * First commit. Nothing is accepted yet: the tip alone is judged, by the pinned root of trust.
 *
 * Afterwards the tip must be the accepted commit or descend from it. The range is every commit that can be reached from
 * the tip and not from the accepted one; all of it must verify. A commit never decides about its own signer:
 *
 *   - The mainline leads from the tip back to the accepted commit. At a merge it follows the first parent that is the
 *     accepted commit or descends from it. A mainline commit is judged by the trust/allowed_signers of its mainline
 *     parent.
 *   - A merge on the mainline brings in the commits that can be reached from its other parents and not from its
 *     mainline parent. Each of them is judged by the file of its first parent that is brought in by the same merge;
 *     when none is, by the file of the merge's mainline parent.
 *   - A key that the mainline has removed does not come back through a branch from before: when the file of the merge's
 *     mainline parent does not allow a brought-in commit's key, some commit brought in with it must have added that
 *     key.
 *   - A key removed on any merged side cannot sign the merge: when another parent's file does not allow the merge's
 *     key, and a commit brought in has removed it, the merge is refused. (A side that never had the key says nothing.)
 *
 * "Allow" means: a line for the key, namespace git, valid at the time we first see the commit and at its committer
 * date. So a back-dated commit does not help an expired key, nor does the future: a committer date beyond the skew is
 * refused. Every commit of the range must itself carry a trust/allowed_signers that is a regular file, well-formed, and
 * leaves somebody who can sign commits, or nobody could ever repair the repository.
 *
 * Cost: each commit and root tree of the range is read twice at most and verified once. When a merge brings in a branch
 * that started before the accepted commit, the history behind it is walked too (parents only): dates cannot be trusted
 * to tell where it ends.
 */

#include <stdbool.h>

#include "shared/data/digest.h"
#include "shared/git/object.h"
#include "shared/sign/sshsig.h"

#define TRUST_PATH             "trust/allowed_signers"
#define TRUST_NAMESPACE_COMMIT "git"
#define TRUST_SKEW_MS          (5 * 60 * 1000)

struct trust_options {
        /* A security key's signature must say that it was touched. Keys that are no security keys are not affected. */
        bool require_touch;
        int64_t skew_ms; /* how far in the future a committer date may lie; 0: TRUST_SKEW_MS */
};

/*
 * What was verified before. @trust is the digest of the file that judged the commit (and of require_touch). A commit
 * that is known needs no signature check and no check of times: those were made when it was first seen.
 */
struct trust_memory {
        bool (*is_verified)(void *data, const struct object_id *id, const struct digest *trust); /* NULL: nothing is */
        void (*note_verified)(void *data, const struct object_id *id, const struct digest *trust); /* NULL: not kept */
        void *data;
};

struct trust_request {
        const struct object_reader *reader;
        const struct object_id *accepted; /* NULL: none yet */
        struct object_id tip;
        /* the pinned root of trust, for messages; used only when nothing is accepted */
        const char *root_name;
        const void *root;
        size_t root_size;
        int64_t now_ms; /* when this tip was first seen */
        struct trust_options options;
        struct trust_memory memory;
};

struct trust_result {
        struct object_id accepted; /* the tip */
        struct object_id tree;     /* its tree */
        size_t n_commits;          /* in the range; 0 when the tip was accepted already */
        size_t n_verified;         /* of them, verified now and not known from before */
        struct digest trust;       /* of the tip's trust/allowed_signers, which decides about what comes next */
        /* The tip's signature. Empty when the tip was accepted already. */
        char principal[LIMIT_PRINCIPAL_BYTES + 1];
        char fingerprint[FINGERPRINT_TEXT_MAX];
        enum sshkey_type algorithm;
        uint8_t sk_flags;        /* SSHSIG_USER_PRESENT … */
        int64_t signed_at_ms;    /* the committer date: a claim */
        struct digest judged_by; /* of the file that allowed it */
};

/*
 * 0 when every commit of the range is accepted. FAULT_DENIED with a TRUST_* code when not: the message names the
 * commit, and for a malformed trust/allowed_signers the position inside it. FAULT_CONFIG when the pinned root is
 * malformed.
 */
int trust_verify(const struct trust_request *request, struct trust_result *ret, struct fault *reterr);
