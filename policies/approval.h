/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Approvals: does a signed statement count?
 *
 * Pure. A statement (shared/model/approval.h) counts for the release in whose folder it stands when it names this
 * fleet, environment, app and release, and when one of the signatures beside it was made in the namespace
 * approval@tallyman by a key that the accepted commit's own trust/allowed_signers allows for the principal after whom
 * the signature's file is named: valid at the time when this host first saw that commit, and at the time that the
 * statement claims. So a key that is removed or has run out takes its statements with it at the next merge. Expiry is
 * not judged here: gates do, by the world's clock.
 *
 * A line of allowed_signers without `namespaces` is good for approvals, too; one with namespaces="git" is not.
 */

#include "shared/model/approval.h"
#include "shared/model/decision_input.h"
#include "shared/sign/signers.h"

#define APPROVAL_NAMESPACE "approval@tallyman"

/* By what statements are judged. */
struct approval_rules {
        int64_t seen_at;    /* wall ms: when the accepted commit was first seen */
        bool require_touch; /* a security key's signature must say that it was touched */
};

struct approval_request {
        const char *fleet, *environment, *app, *release; /* where it stands */
        const char *statement_path, *signature_path;     /* for messages */
        const void *statement, *signature;
        size_t statement_size, signature_size;
        const char *principal; /* after whom the signature's file is named */
        const struct signers *signers;
        struct approval_rules rules;
};

/*
 * Read the statement and hold it against its place: what can be said without a signature. FAULT_CONFIG, at its
 * position, or FAULT_DENIED; always with code RETRY_INVALID.
 */
int approval_judge_statement(const struct approval_request *q, struct arena *a, struct approval *ret,
                             struct fault *reterr);

/* May this signature speak for the statement, as read by the above? FAULT_DENIED, code RETRY_INVALID. */
int approval_judge_signature(const struct approval_request *q, const struct approval *approval, struct fault *reterr);

/*
 * What both allow, when it means `retry`: a permission to try the release again. Strings are in @a, or the statement's.
 */
struct retry_permission approval_retry(const struct approval_request *q, const struct approval *approval,
                                       struct arena *a);
