/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Remote URLs, as git takes them (gitremote-helpers, git-clone(1), "GIT URLS")
 *
 *      /srv/fleet.git  ./fleet.git  file:///srv/fleet.git       local
 *      https://[user@]host[:port]/path no IP addresses as host: libgit2's name check is unsafe there
 *      http://…                                                only where the settings allow it
 *      ssh://[user@]host[:port]/path   [user@]host:path        ssh
 *
 * A password in a URL is refused: URLs end up in logs, records and process lists.
 */

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/buffer.h"
#include "shared/base/fault.h"

enum git_scheme {
        GIT_SCHEME_LOCAL,
        GIT_SCHEME_HTTP,
        GIT_SCHEME_HTTPS,
        GIT_SCHEME_SSH,
        GIT_SCHEME_MAX_,
};

const char *git_scheme_to_string(enum git_scheme s); /* "local", "http", "https", "ssh" */

struct git_url {
        enum git_scheme scheme;
        char *user;    /* owned, percent-decoded, or NULL */
        char *host;    /* owned, lower case, without brackets; NULL for local */
        unsigned port; /* 0: not given */
        char *path;    /* owned. Local: the folder. ssh: as sent to the server. http: starts with '/' */
};

/* FAULT_CONFIG for what cannot be used; its message never shows a password. */
int git_url_parse(const char *text, struct git_url *ret, struct fault *reterr);
/*
 * The same for a line of a credentials file: a password is taken (owned, percent-decoded; NULL when there is
 * none) and IP addresses are, too. 0 or -EINVAL, without a fault: nothing of such a line may be shown.
 */
int git_url_parse_secret(const char *text, struct git_url *ret, char **ret_password);
void git_url_done(struct git_url *u);
#define own_git_url __attribute__((cleanup(git_url_done)))

/* An IPv4 or IPv6 address in any spelling that a resolver would take without asking. */
bool git_host_is_address(const char *host);

/*
 * Append @text with the password of every "scheme://user:password@" in it (also user names alone in http URLs,
 * which may be tokens) replaced by "***". For everything that is printed, recorded or put into a fault.
 */
void git_redact(const char *text, struct buffer *out);
