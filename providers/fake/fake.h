/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fake runtime: instances that exist in a JSON document only
 *
 * Always built; drives the tests of the reconciler. Its whole world, script included, is one document: in memory, or in
 * the file that the endpoint "fake:PATH" names, read before and written after every call, so that a test can kill the
 * process at the nth call and look at, or change, the world between two processes.
 *
 *      { "available": true, "reason": "why not", // false: observe() says so, everything else is FAULT_TRANSIENT
 *        "counts": { "create": 2, "*": 9 },               // calls so far, by name and together; observe() included
 *        "trace": ["create shop/web 1 1.4.2", …],         // what was asked, oldest first
 *        "fail": [{"call": "create", "nth": 2, "last": 3, "kind": "transient", "code": "IMAGE_PULL_FAILED", "message":
 *        "…"}], "exit": [{"call": "start", "nth": 1, "after": true, "code": 137}], // _exit() before, or after, the
 *        effect was written "start": { "shop/web@1.4.2": {"health": "unhealthy", "exit_code": 1, "image_matches":
 *        false,
 *                                      "endpoints": [{"port": 80, "address": "127.0.0.1:8080"}], "address":
 *                                      "127.0.0.2"} },
 *        "exec": { "shop/web@1.4.2": {"exit_code": 1, "output": "…", "timeout": true} }, // what a command in it does;
 *        default: exit code 0
 *        "output": { "shop/web@1.4.2": "…" },             // what it printed; default: nothing that anybody keeps
 *        "foreign": ["shop/web"],                         // create() of these finds the name taken by somebody else
 *        "slow": 0,                                       // every call takes this many milliseconds before its effect
 *        "now": 12,                                       // started_at of what is started; none: the time it is
 *        "prepared": ["<release id>"],
 *        "images": ["<repository@sha256:…>"], // of the older ones, collect() leaves as many as its budget has bytes
 *        "instances": [ … as instance_table writes them, with "public": bool … ] }
 *
 * "call" is a function's name or "*"; "nth" counts from 1 and "last" (default: nth; 0: for ever) ends the range. A
 * start, an exec or an output is looked up as "app/service/index@version", then "app/service@version", then
 * "app/service". Endpoints and address go when the instance is stopped.
 */

#include "providers/runtime/runtime.h"

extern const struct runtime_ops fake_runtime_ops;

/* The world, to be scripted and looked at with jansson; borrowed. With a file, it is what the last call left. */
json_t *fake_world(struct runtime *rt);
