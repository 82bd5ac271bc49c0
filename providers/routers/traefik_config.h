/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Traefik, the configuration: what a route is in Traefik's dynamic configuration
 * (https://doc.traefik.io/traefik/v3.2/reference/dynamic-configuration/file/)
 *
 * For the app "shop": the weighted service tally_shop over tally_shop:current and tally_shop:candidate, whose names end
 * in the release for the sake of sticky sessions; the middleware tally_shop, which tries another server when one cannot
 * be connected to; and routers when the app says which requests are its own. Pure.
 */

#include "providers/routers/parts.h"
#include "shared/base/buffer.h"

/* Does the app have routers of its own, or only a service that the operator's routers use? */
bool traefik_has_routers(const struct traffic *traffic);
/*
 * @entry_point: the name of the one that listens at traffic->listen; NULL: the routers are for all. A new reference;
 * aborts without memory.
 */
json_t *traefik_render(const struct traffic *traffic, const struct route *route, const char *entry_point);
/* The file: JSON, which is YAML. */
int traefik_write(const char *app, const json_t *config, struct buffer *out, struct fault *reterr);

/*
 * From the bytes of a file that traefik_write() made, or something like it: FAULT_TRANSIENT when it is none. A new
 * reference.
 */
int traefik_read(const void *bytes, size_t size, json_t **ret, struct fault *reterr);
/*
 * The route of @app in services by name: those of a file, or with @provider "@file" those of the API's /api/rawdata.
 * *ret_present false: there are none. FAULT_TRANSIENT when they are not as we make them.
 */
int traefik_parse(const json_t *services, const char *app, const char *provider, struct arena *a, bool *ret_present,
                  struct route *ret, struct fault *reterr);

/* NULL when the running Traefik, by its /api/rawdata, has @config in force; else what it does not have, in @a. */
const char *traefik_difference(const json_t *config, const json_t *rawdata, struct arena *a);
/* The entry point that listens at @listen, in /api/entrypoints; NULL: none. Borrowed. */
const char *traefik_entry_point(const json_t *entry_points, const char *listen);
