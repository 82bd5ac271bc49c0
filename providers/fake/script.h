/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Script: the document that is the whole world of a fake provider
 *
 * In memory, or in a file that is read before and written after every call, so that a test can kill the process at the
 * nth call and look at, or change, the world between two processes. What all fakes have in it:
 *
 *      { "available": true, "reason": "why not",
 *        "counts": { "create": 2, "*": 9 },               // calls so far, by name and together
 *        "trace": ["create shop/web 1 1.4.2", …],         // what was asked, oldest first
 *        "fail": [{"call": "create", "nth": 2, "last": 3, "after": false, "kind": "transient", "code":
 * "IMAGE_PULL_FAILED", "message": "…"}],
 *        "exit": [{"call": "start", "nth": 1, "after": true, "code": 137}], // _exit() before, or after, the effect was
 *        written
 *        "slow": 0 }                                      // every call takes this many milliseconds before its effect
 *
 * "call" is a function's name or "*"; "nth" counts from 1 and "last" (default: nth; 0: for ever) ends the range.
 */

#include "shared/base/fault.h"
#include "shared/data/json.h"

struct script {
        const char *path; /* NULL: in memory only; borrowed */
        json_t *world;    /* with a file: what the last call left */
};

struct script_call {
        const char *name;
        int64_t nth, any;
};

/* The folder of @path is made. */
int script_init(struct script *s, const char *path, struct fault *reterr);
void script_done(struct script *s);

/* Read the world, count and note the call, and fail or die when the script says so. */
int script_begin(struct script *s, const char *name, const char *what, struct script_call *ret, struct fault *reterr);
/* Write the effect; fail or die behind it when the script says so. */
int script_end(struct script *s, const struct script_call *call, struct fault *reterr);

bool script_is_away(const struct script *s);
const char *script_reason(const struct script *s, const char *otherwise);
/* The value of @key in @object, made when it is not there. Borrowed. */
json_t *script_member(json_t *object, const char *key, json_t *(*make)(void));
