/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Approval files: a statement about one release, put into a working tree of the desired state, and signed with
 * ssh-keygen.
 */

#include "reconciler/desired/desired.h"

struct approval_draft {
        const char *folder; /* the working tree */
        const struct loaded_tree *tree;
        const struct deployment *deployment; /* what it is about */
        enum approval_meaning meaning;
        const char *reason;     /* NULL: none */
        int64_t at, expires_at; /* wall ms; expires_at 0: never */
        const char *principal;  /* who signs; NULL: the owner of the key, else who git says commits there */
        const char *key;        /* key file; NULL: somebody signs later */
};

struct approval_written {
        /* paths from the root of the tree; the latter is there when a key was given */
        const char *statement, *signature;
        const char *principal; /* NULL: not known */
        const char *command;   /* the command line that makes the signature, from where we are */
        size_t n_dropped;      /* signatures of the statement before, which say nothing any more */
};

/*
 * The release that @text names: its id or the beginning of it (6 digits or more, with or without sha256:), or
 * APP@VERSION. @environment may be NULL where only one is meant. FAULT_CONFIG when none is, or several are.
 */
int approval_find_release(const struct loaded_tree *tree, const char *text, const char *environment,
                          const struct deployment **ret, struct fault *reterr);

/*
 * Write the statement, and with a key its signature, which is then judged as hosts will. FAULT_DENIED before anything
 * is written when the key may not sign approvals. A statement that is there with the same meaning is replaced; one with
 * another meaning stays, and this one becomes statement-<meaning>.json.
 */
int approval_file_write(const struct approval_draft *draft, struct arena *a, struct approval_written *ret,
                        struct fault *reterr);
