/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Auth: credentials for a registry from Docker's config.json
 *
 * Looked up like the docker command line does: credHelpers for the registry, then credsStore, then auths (with "auth",
 * "username" and "password", or "identitytoken"). Helpers are programs docker-credential-<name> that get the server on
 * stdin (docker-credential-helpers, "Development"). Everything secret on the way is wiped.
 */

#include <jansson.h>

#include "shared/base/buffer.h"
#include "shared/base/fault.h"

/*
 * The value for X-Registry-Auth (base64url of {"username", "password", "serveraddress"} or {"identitytoken",
 * "serveraddress"}) for @registry ("docker.io", "registry.example:5000"), appended to @ret; nothing when the
 * file is not there or knows no credentials. @ret is the caller's own_secret. FAULT_CONFIG when the file is wrong.
 */
int auth_header(const char *config_path, const char *registry, struct buffer *ret, struct fault *reterr);

/* The same from the file's bytes; @config_path is for messages. Runs helpers. */
int auth_from_config(const char *config_path, const void *bytes, size_t size, const char *registry, struct buffer *ret,
                     struct fault *reterr);

/* The key under which config.json knows a registry: "https://index.docker.io/v1/" for Docker Hub, else its own name. */
const char *auth_server(const char *registry);

/* Overwrite every string in @value (which is about to be released). */
void json_wipe(json_t *value);
