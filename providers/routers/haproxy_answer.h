/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * HAProxy, the answers: what its runtime API says about us (https://docs.haproxy.org/2.6/management.html, 9.3: show
 * map, show servers state)
 *
 * Pure.
 */

#include "providers/routers/haproxy_config.h"

/*
 * In the list that `show map` gives, the map of @app in @folder: its digest of 16 hex digits to @digest. False: HAProxy
 * has none loaded. Of several the last one counts.
 */
bool haproxy_parse_maps(const char *text, const char *folder, const char *app, char digest[static 17]);

/* The entries of `show map FILE` into a layout's share and releases. FAULT_TRANSIENT when they are not there. */
int haproxy_parse_map(const char *text, struct arena *a, struct haproxy_layout *l, struct fault *reterr);

/*
 * The lines of `show servers state` for one backend into the layout's places; the first call for a layout with n 0 sets
 * its n. FAULT_TRANSIENT when they are not ours.
 */
int haproxy_parse_servers(const char *text, const char *backend, enum variation v, struct arena *a,
                          struct haproxy_layout *l, struct fault *reterr);
