/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Verified: the commits whose signatures were found good, remembered across passes
 *
 * The file "verified" in the state folder: a 16-byte mark, then records of 52 bytes, commit id (20) and the SHA-256 of
 * the trust that judged it (32), in the order found. It is a cache: a torn tail is cut off, a file that isn't ours is
 * begun anew, and what is lost is verified again. Beyond LIMIT_VERIFIED_RECORDS the older half is dropped.
 *
 *      struct trust_memory memory = verified_memory(v);
 *      … trust_verify() …
 *      r = verified_save(v, &fault);
 */

#include "policies/trust.h"
#include "shared/base/cleanup.h"

struct verified;

/* Nothing is read before the first question. @dirfd is borrowed and outlives it. Never NULL. */
struct verified *verified_new(int dirfd);
/* Accepts NULL. What was not saved is lost. */
void verified_free(struct verified *v);
DEFINE_OWN(struct verified, verified_free)
#define own_verified own(verified_free_p)

bool verified_has(struct verified *v, const struct object_id *id, const struct digest *trust);
void verified_add(struct verified *v, const struct object_id *id, const struct digest *trust);
size_t verified_count(struct verified *v);
/* Append what is new to the file. Does nothing when nothing is. STATE_UNWRITABLE. */
int verified_save(struct verified *v, struct fault *reterr);

/* The callbacks that trust_verify() takes. @v outlives them. */
struct trust_memory verified_memory(struct verified *v);
