/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * nginx, the file: what a route is in nginx's language
 *
 * For the app "shop" it defines the groups tally_shop_current and tally_shop_candidate, a server when the app listens,
 * and a server that tells what is in force. Without `listen` it has for the operator's own server the variable
 * $tally_shop, the group that a request goes to, and $tally_shop_cookie for a Set-Cookie header. Directives:
 * https://nginx.org/en/docs/dirindex.html; split_clients, map and upstream are the modules of these names.
 */

#include <jansson.h>

#include "shared/base/arena.h"
#include "shared/base/buffer.h"
#include "shared/data/digest.h"
#include "shared/model/route.h"

/* @tell: "127.0.0.1:8998", where the running nginx is asked. The route is one that route_check() took. Pure. */
int nginx_render(const char *tell, const struct traffic *traffic, const struct route *route, struct buffer *out,
                 struct digest *ret_digest, struct fault *reterr);

/* The host name under which the running nginx tells about @app. @buf: NGINX_HOST_MAX bytes; returned. */
#define NGINX_HOST_MAX 40
const char *nginx_host(const char *app, char *buf);

/* What it tells: the digest of its file and the route. FAULT_TRANSIENT when it is none of ours for @app. */
int nginx_parse_told(const char *app, const void *bytes, size_t size, struct arena *a, struct digest *ret_digest,
                     struct route *ret, struct fault *reterr);
