/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Challenge: what a WWW-Authenticate header asks for (RFC 9110, 11.6.1), read strictly
 *
 *      Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull"
 *      Basic realm="tests"
 *
 * One header may hold several challenges. Schemes other than these two are skipped, but must be well-formed. Parameters
 * of one challenge are unique. Nothing here is trusted: whoever follows a realm checks it first.
 */

#include <stddef.h>

#include "shared/base/arena.h"
#include "shared/base/fault.h"

enum challenge_scheme {
        CHALLENGE_BASIC,
        CHALLENGE_BEARER,
        CHALLENGE_OTHER,
        CHALLENGE_SCHEME_MAX_,
};
extern const char *const challenge_scheme_names[]; /* Basic Bearer other */

struct challenge {
        enum challenge_scheme scheme;
        const char *realm, *service, *scope, *error; /* each NULL when absent; unquoted, no control characters */
};

/*
 * Append the challenges of one header value to the @n of *items (arena_push()). FAULT_DENIED, code IMAGE_AUTH, when it
 * is malformed or exceeds LIMIT_CHALLENGE_BYTES, LIMIT_CHALLENGES or LIMIT_CHALLENGE_PARAMETERS.
 */
int challenge_parse(const char *value, struct arena *a, struct challenge **items, size_t *n, struct fault *reterr);
