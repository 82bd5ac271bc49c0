/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/tallyd/next.h"

#include <errno.h>
#include <string.h>

#include "shared/base/text.h"

/* A number and where it goes; the text of `status` is the one other thing there is. */
struct key {
        const char *prefix;
        size_t offset;
        int64_t min;
};

static const struct key keys[] = {
        { "next_ms=", offsetof(struct next, next_ms), 0 },
        { "poll_ms=", offsetof(struct next, poll_ms), NEXT_POLL_MIN_MS },
        { "limit_ms=", offsetof(struct next, limit_ms), NEXT_LIMIT_MIN_MS },
};

void next_clear(struct next *n) {
        *n = (struct next){ .next_ms = NEXT_UNSAID, .poll_ms = NEXT_UNSAID, .limit_ms = NEXT_UNSAID };
}

static int take_number(struct next *n, const struct key *key, const char *text, struct fault *reterr) {
        uint64_t v = 0;
        int r;

        r = parse_u64(text, &v);
        if (r == -EINVAL)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "the worker's '%s%s' is not a number", key->prefix,
                                 text);
        if (r < 0 || v < (uint64_t)key->min || v > NEXT_MAX_MS)
                return fault_set(reterr, FAULT_INTERNAL, ERANGE, "the worker's '%s%s' is not between %lld and %lld",
                                 key->prefix, text, (long long)key->min, (long long)NEXT_MAX_MS);
        *(int64_t *)((char *)n + key->offset) = (int64_t)v;
        return 0;
}

static int take_line(struct next *n, struct fault *reterr) {
        const char *rest;

        n->line[n->used] = '\0';
        if (strlen(n->line) != n->used)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "a line of the worker contains a NUL byte");
        text_make_harmless(n->line, "");

        for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
                rest = str_after(n->line, keys[i].prefix);
                if (rest)
                        return take_number(n, &keys[i], rest, reterr);
        }
        rest = str_after(n->line, "status=");
        if (!rest)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "the worker's line '%s' is none we know", n->line);
        memcpy(n->status, rest, strlen(rest) + 1);
        return 0;
}

static int take_byte(struct next *n, char c, struct fault *reterr) {
        int r;

        if (++n->total > LIMIT_WORKER_BYTES)
                return fault_set(reterr, FAULT_INTERNAL, EFBIG,
                                 "the worker said more than %d bytes "
                                 "(LIMIT_WORKER_BYTES)",
                                 LIMIT_WORKER_BYTES);
        if (c == '\n') {
                r = take_line(n, reterr);
                n->used = 0;
                return r;
        }
        if (n->used == LIMIT_WORKER_LINE)
                return fault_set(reterr, FAULT_INTERNAL, EFBIG,
                                 "a line of the worker is longer than %d bytes "
                                 "(LIMIT_WORKER_LINE)",
                                 LIMIT_WORKER_LINE);
        n->line[n->used++] = c;
        return 0;
}

int next_feed(struct next *n, const void *data, size_t size, struct fault *reterr) {
        const char *p = data;

        for (size_t i = 0; i < size && !n->refused; i++) {
                int r = take_byte(n, p[i], reterr);

                if (r < 0) {
                        n->refused = true;
                        return r;
                }
        }
        return 0;
}

int next_end(struct next *n, struct fault *reterr) {
        if (n->refused || n->used == 0)
                return 0;
        n->refused = true;
        return fault_set(reterr, FAULT_INTERNAL, EINVAL, "the worker's last line has no end");
}
