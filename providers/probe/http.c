/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/probe/probe_private.h"

#include <errno.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/net/http.h"

/*
 * libcurl hands the body over in pieces of at most 16 KiB (CURL_MAX_WRITE_SIZE), and the one that exceeds a limit is
 * lost.
 */
#define PIECE_BYTES (16 * 1024)

static struct finding judge_status(const struct check_http *http, int status, struct arena *a) {
        if (http->status == status || (http->status == 0 && status >= 200 && status < 400))
                return (struct finding){ .verdict = CHECK_PASS, .detail = arena_printf(a, "status %d", status) };
        if (http->status == 0)
                return finding_of(CHECK_FAIL, a, "status %d, not 200 to 399", status);
        return finding_of(CHECK_FAIL, a, "status %d, not %d", status, (int)http->status);
}

static struct finding judge(const struct check_http *http, const struct http_response *answer, struct arena *a) {
        struct finding found = judge_status(http, answer->status, a);
        size_t n = answer->body.size < LIMIT_CHECK_BODY_BYTES ? answer->body.size : LIMIT_CHECK_BODY_BYTES;

        if (found.verdict != CHECK_PASS || !http->contains)
                return found;
        if (answer->body.data && memmem(answer->body.data, n, http->contains, strlen(http->contains)))
                return found;
        return finding_of(CHECK_FAIL, a, "%s, but '%s' is not in the body", found.detail, http->contains);
}

struct finding probe_http(const struct check *check, const char *address, struct arena *a) {
        own_http_response struct http_response answer = HTTP_RESPONSE_INIT;
        own_fault struct fault fault = FAULT_INIT;
        own_http struct http *client = NULL;
        const struct check_http *http = check->http;
        const char *headers[] = { http->host ? arena_printf(a, "Host: %s", http->host) : NULL, NULL };
        const struct http_request request = {
                .url = arena_printf(a, "http://%s%s", address, http->path),
                .headers = headers,
                .connect_timeout_ms = (int)check->timeout_ms,
                .timeout_ms = (int)check->timeout_ms,
                .stall_timeout_ms = -1,
                .max_body = LIMIT_CHECK_BODY_BYTES + PIECE_BYTES,
                .direct = true,
        };
        char limit[DURATION_TEXT_MAX];
        int r = http_new(NULL, &client, &fault);

        if (r < 0)
                return finding_of_fault(CHECK_INCONCLUSIVE, a, &fault);
        r = http_perform(client, &request, &answer, &fault);
        /* A body beyond the limit was an answer, too. */
        if (r == 0 || r == -EFBIG)
                return judge(http, &answer, a);
        if (r == -ENOMEM)
                return finding_of_fault(CHECK_INCONCLUSIVE, a, &fault);
        if (r == -ETIMEDOUT)
                return finding_of(CHECK_FAIL, a, "no whole answer from %s within %s", address,
                                  format_duration(check->timeout_ms, limit));
        return finding_of_fault(CHECK_FAIL, a, &fault);
}
