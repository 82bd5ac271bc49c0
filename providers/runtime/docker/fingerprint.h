/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Quiet: has anything changed at the engine since we last looked?
 *
 * One list call, boiled down to a digest that stays the same as long as every container of ours stays what it is:
 * state, health, restarts (an endpoint has another id after each), image, names, labels, networks, ports and mounts.
 * What changes by itself is left out ("Up 3 minutes"). Materialised files that are mounted are part of it by inode,
 * size and change time.
 */

#include <jansson.h>

#include "shared/base/fault.h"
#include "shared/data/digest.h"

int docker_fingerprint(const char *endpoint, const char *host, struct digest *ret, struct fault *reterr);

/*
 * The same of an answer to GET /containers/json that is at hand; only files are looked at. False when @list is no list.
 */
bool docker_list_fingerprint(const json_t *list, struct digest *ret);

/*
 * What a running container's entry in the list comes to; two that are equal show the same run of it, unasked. False
 * when the entry cannot tell that: it does not run, or has no endpoint, which each start makes anew. Pure.
 */
bool docker_run_fingerprint(const json_t *entry, struct digest *ret);

/* The digest of an answer to GET /containers/json, without the files. Pure. False when @list is no list. */
bool docker_listing_fingerprint(const json_t *list, struct digest *ret);
