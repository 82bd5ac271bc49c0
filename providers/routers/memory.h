/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Memory: a router that exists in a JSON document only
 *
 * Always built and offered to nobody; drives the tests of the reconciler. The document is
 * <settings->state>/memory.json, or in memory without a state folder; it is a script (providers/fake/script.h), whose
 * calls are observe, apply and remove, and has besides
 *
 *      { "routes": { "shop": {"settings": "<digest of traffic>", "route": { … as route_table writes it … }} }, // in
 *      force
 *        "altered": { "shop": "how" },                    // said of the app until it is applied again
 *        "refuse": { "shop": "why" } }                    // apply() finds the configuration invalid
 *
 * A test alters what is in force by changing "routes".
 */

#include "providers/router.h"

extern const struct router_ops memory_router_ops;

/* The document, to be scripted and looked at with jansson; borrowed. With a file, it is what the last call left. */
json_t *memory_world(struct router *r);
