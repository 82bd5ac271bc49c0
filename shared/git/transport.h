/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Transport: who we may talk to, and what we show them (the callbacks of libgit2)
 *
 * Prepared by the parent: files are read and settings checked before a process is started. Used by the child.
 */

#include <git2.h>

#include "shared/base/fault.h"
#include "shared/git/child.h"
#include "shared/git/credentials.h"
#include "shared/git/known_hosts.h"
#include "shared/git/remote.h"
#include "shared/git/url.h"

struct transport {
        const struct remote_settings *settings; /* borrowed */
        struct git_url url;
        char *shown;                     /* the URL without secrets, for messages */
        struct known_hosts *hosts;       /* ssh */
        struct credentials *credentials; /* https; NULL: none */
        char *home;                      /* a temporary folder with .ssh/known_hosts for libssh2, or NULL */
        struct child *child;             /* in the child */
        unsigned asked;                  /* how often we were asked for credentials */
        struct fault fault;              /* what a callback found: more exact than libgit2's error */
};

int transport_prepare(struct transport *t, const struct remote_settings *settings, const char *url,
                      struct fault *reterr);
/* Also for one that was never prepared, all zero. */
void transport_done(struct transport *t);

/* In the child: start libgit2 for it. */
int transport_begin(const struct transport *t, struct fault *reterr);
/* The callbacks, with @t as their payload. */
void transport_callbacks(struct transport *t, git_remote_callbacks *ret);
/* The fault of a callback when there is one, else git_fault() with "@doing <shown>". */
int transport_fault(struct transport *t, struct fault *reterr, int rc, const char *doing);
