/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Remote: asking, fetching from and pushing to another repository
 *
 * One branch at a time, over a local path, file://, https://, ssh:// or host:path. Host keys are compared with
 * a pinned known_hosts file; redirects are refused; credentials never leave for another host.
 *
 * Each call does its network part in a forked child: libgit2 1.5 has no time-outs, and a name server or a peer
 * that goes silent must not hold the pass. The child only adds objects; refs are moved by the caller's process
 * after the child said that all is there. Killing either at any moment leaves a usable repository.
 */

#include <stdbool.h>

#include "shared/base/fault.h"
#include "shared/git/mirror.h"
#include "shared/git/object.h"

struct remote_settings {
        const char *known_hosts; /* path; Required for ssh */
        const char *ssh_key;     /* path of an unencrypted private key; NULL: the agent at SSH_AUTH_SOCK */
        const char *ssh_user;    /* when the URL names none; NULL: "git" */
        const char *ca_file;     /* PEM bundle for https instead of the system's; NULL: the system's */
        const char *credentials; /* path, see credentials.h; NULL: none */
        bool allow_http;         /* take http:// URLs: others can read and hold back, signatures still protect */
        int stall_timeout_ms;    /* no progress for this long; 0: 30 s */
        int timeout_ms;          /* for the whole operation; 0: 10 min */
};

/*
 * The commit at the tip of one branch; nothing is downloaded. FETCH_BRANCH_MISSING (FAULT_TRANSIENT, -ENOENT)
 * when there is none. Further faults of all three calls: FETCH_FAILED, FETCH_AUTH (FAULT_TRANSIENT),
 * FETCH_HOST_KEY, FETCH_REDIRECT (FAULT_DENIED), TRUST_SHALLOW (FAULT_DENIED), FAULT_CONFIG for a URL or file
 * that cannot be used.
 */
int remote_tip(const struct remote_settings *settings, const char *url, const char *branch, struct object_id *ret,
               struct fault *reterr);

/*
 * Fetch one branch with all its history into the private ref remote_ref(@branch), which then is *ret_tip even
 * if the branch was rewritten: whether that is acceptable is for the trust layer. No tags, never shallow,
 * nothing is pruned. Downloads nothing when the tip is here.
 */
int remote_fetch(struct mirror *m, const struct remote_settings *settings, const char *url, const char *branch,
                 struct object_id *ret_tip, struct fault *reterr);

/* "refs/tally/remote/<branch>". @buf of REMOTE_REF_MAX bytes; returns @buf. */
#define REMOTE_REF_MAX 320
const char *remote_ref(const char *branch, char *buf);

enum remote_pushed {
        REMOTE_PUSHED,
        REMOTE_UP_TO_DATE,
        REMOTE_PUSHED_MAX_,
};

/*
 * Make the remote's @branch what @local_ref (a full name) is here, as a fast-forward only.
 * FAULT_CONFLICT/LEDGER_DIVERGED (-ESTALE) when the remote has commits that we do not have or that ours do not
 * descend from; FAULT_TRANSIENT/LEDGER_PUSH_FAILED when the server refuses the update (a hook, a protected
 * branch). @repository is borrowed.
 */
int remote_push(struct git_repository *repository, const struct remote_settings *settings, const char *url,
                const char *local_ref, const char *branch, enum remote_pushed *ret, struct fault *reterr);
