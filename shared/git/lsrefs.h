/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ls-refs: the tip of one branch of an http(s) remote, in one small request (gitprotocol-v2(5))
 *
 * Version 2 over http is stateless, so the command is sent without asking for the capabilities first; a server
 * that only speaks an older version answers with an error. The cost does not depend on how many refs the remote
 * has. Whatever is unexpected is "don't know": ask libgit2.
 */

#include "shared/base/buffer.h"
#include "shared/git/credentials.h"
#include "shared/git/refs.h"
#include "shared/net/http.h"

struct lsrefs_settings {
        const struct credentials *credentials; /* borrowed; NULL: none */
        bool allow_http;                       /* http:// too */
        int connect_timeout_ms, timeout_ms;    /* 0: the defaults of http.h, 30 s in all */
};

/*
 * FAULT_TRANSIENT/FETCH_FAILED when the server cannot be reached at all (asking libgit2 would not help);
 * FETCH_AUTH for 401 and 403; FAULT_DENIED/FETCH_REDIRECT for any redirect, FETCH_CERTIFICATE for a certificate
 * that does not verify; FAULT_CONFIG for a URL that cannot be used. Otherwise 0 and *ret_answer; *ret_tip is
 * set for REF_FOUND only.
 */
int lsrefs_tip(struct http *http, const struct lsrefs_settings *settings, const char *url, const char *branch,
               enum ref_answer *ret_answer, struct object_id *ret_tip, struct fault *reterr);

/*
 * The pieces, for tests and the fuzzer. pkt-line: gitprotocol-common(5).
 */

/* Append the request for refs/heads/<branch>. */
void lsrefs_request(const char *branch, struct buffer *out);
/* Read the answer to it. */
enum ref_answer lsrefs_parse(const void *bytes, size_t size, const char *branch, struct object_id *ret);
