/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Plain: one GET over a unix socket, without libcurl
 *
 * For the pass with nothing to do: it asks one question on this machine, and bringing in libcurl with all that it
 * brings along takes several times as long as the answer. It speaks HTTP/1.0 (RFC 1945), so that the answer is neither
 * chunked nor compressed and ends with the connection. Everything else is for http.h.
 */

#include "shared/base/buffer.h"
#include "shared/base/fault.h"

/*
 * 0 and the status with the whole body, whatever the status is. @path is escaped already. FAULT_TRANSIENT: no such
 * socket, nobody listens, no answer in time (-ETIMEDOUT), one that is cut off or no HTTP (-EPROTO), one beyond
 * @max_body (-EFBIG).
 */
int plain_get(const char *socket, const char *path, size_t max_body, int timeout_ms, int *ret_status,
              struct buffer *body, struct fault *reterr);

/* Where the body of a whole answer begins; 0 or -EPROTO. Pure. */
int plain_parse(const char *bytes, size_t size, int *ret_status, size_t *ret_body);
