/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Approvals: what somebody says about one release, as a file that stock tools sign
 *
 *      approvals/<env>/<app>/<release id, 64 hex digits>/statement.json          with <principal>.sig beside it
 *                                                        statement-<word>.json   with statement-<word>.<principal>.sig
 *
 * The second form lets a release have more than one statement. A signature is one of `ssh-keygen -Y sign -n
 * approval@tallyman` over the statement's bytes. The statement is one JSON object:
 *
 *      { "fleet": "acme", "environment": "prod", "app": "shop", "release": "sha256:<64 hex digits>", "meaning":
 *      "retry",
 *        "reason": "the database was down", "at": "2026-11-23T10:00:00Z", "expires": "2026-11-24T10:00:00Z" }
 *
 * `reason`, `at` and `expires` may be absent; times are RFC 3339. Every other key, a repeated one, and a file beyond
 * LIMIT_APPROVAL_BYTES are refused. policies/approval.h says whether a statement counts.
 */

#include "shared/base/buffer.h"
#include "shared/base/limits.h"
#include "shared/data/digest.h"
#include "shared/data/table.h"

enum approval_meaning {
        APPROVAL_APPROVE,
        APPROVAL_REJECT,
        APPROVAL_CONFIRM,
        APPROVAL_RETRY,
        APPROVAL_MEANING_MAX_,
};
extern const char *const approval_meaning_names[]; /* approve reject confirm retry */

struct approval {
        struct text_at fleet, environment, app, release;
        enum approval_meaning meaning;
        const char *reason; /* harmless for terminals; NULL: none given */
        int64_t at;         /* wall ms; 0: not said */
        int64_t expires_at; /* wall ms; 0: never */
};

extern const struct table approval_table;

/*
 * Read a statement. @name is what positions call it; everything lives in @a. FAULT_CONFIG, with line and column
 * wherever the text can be read as YAML, too (which JSON that people write can).
 */
int approval_read(const char *name, const void *bytes, size_t size, struct arena *a, struct approval *ret,
                  struct fault *reterr);

/* Append it as `tally` writes it: JSON for people, with a final LF. */
int approval_write(const struct approval *approval, struct buffer *out, struct fault *reterr);

enum approval_file {
        APPROVAL_NONE, /* not under approvals/, or a README.md or a dot file there */
        APPROVAL_STATEMENT,
        APPROVAL_SIGNATURE,
        APPROVAL_MISPLACED, /* under approvals/, but nothing that is looked at */
        APPROVAL_FILE_MAX_,
};

#define APPROVAL_PREFIX_MAX (sizeof("statement-") + LIMIT_NAME_BYTES)

struct approval_path {
        enum approval_file file;
        /* For statements and signatures: */
        char environment[LIMIT_NAME_BYTES + 1], app[LIMIT_NAME_BYTES + 1];
        char release[DIGEST_TEXT_MAX];             /* sha256:… */
        char statement[APPROVAL_PREFIX_MAX];       /* the statement's file name without .json */
        char principal[LIMIT_PRINCIPAL_BYTES + 1]; /* signatures only */
};

/* What a path of the desired state is. A signature is told by its name, whether or not its statement is there. */
struct approval_path approval_path_read(const char *path);
