/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Caddy, the configuration: what a route is in Caddy's JSON (https://caddyserver.com/docs/json/)
 *
 * One object with the "@id" tally_<app>: a server when the app listens, else a handler that the operator's
 * configuration has a place for. Chance is the random id that every request has: `{http.request.uuid} < "40000000"` is
 * true for a quarter of them. Pure.
 */

#include "providers/routers/parts.h"

/* A new reference; aborts without memory. */
json_t *caddy_render(const struct traffic *traffic, const struct route *route);
/* The object that an operator's configuration has in the place of an app that is not routed. */
json_t *caddy_placeholder(const char *app);
/* Is it that, or nothing? */
bool caddy_is_empty(const json_t *object);

/* The route of an object that caddy_render() made, or of one like it. FAULT_TRANSIENT when it is none. */
int caddy_parse(const json_t *object, const char *app, struct arena *a, struct route *ret, struct fault *reterr);
