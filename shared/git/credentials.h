/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Credentials for https remotes: a file in the format of git-credential-store(1)
 *
 * One URL a line, `https://user:password@host[:port][/path]`, percent-encoded; empty lines and lines that start
 * with '#' are skipped, anything else rejects the file. It must be a regular file that only its owner can read
 * (0600 or less), owned by us or root. Kept in memory that is wiped; no fault ever shows a line of it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/cleanup.h"
#include "shared/base/fault.h"
#include "shared/git/url.h"

struct credentials;

struct credential {
        const char *user; /* borrowed from the credentials */
        const char *password;
};

int credentials_read(const char *path, struct credentials **ret, struct fault *reterr);
/* @name is for messages. */
int credentials_parse(const char *name, const char *text, size_t size, struct credentials **ret, struct fault *reterr);
/* Accepts NULL. Wipes. */
void credentials_free(struct credentials *c);
DEFINE_OWN(struct credentials, credentials_free)
#define own_credentials own(credentials_free_p)

/*
 * The first line with this scheme, host and port (the default port counts as none), user when @url names one, and
 * path when the line has one: the same path, or a leading part of it up to a '/'. false when there is none.
 */
bool credentials_find(const struct credentials *c, const struct git_url *url, struct credential *ret);
