/* SPDX-License-Identifier: Apache-2.0 */

/* What a worker says, in one piece and byte by byte, means the same, and is always within its bounds. */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "reconciler/tallyd/next.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_in_bounds(int64_t v, int64_t min) {
        assert(v == NEXT_UNSAID || (v >= min && v <= NEXT_MAX_MS));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_fault struct fault first = FAULT_INIT, second = FAULT_INIT;
        struct next whole, pieces;
        int r, s = 0;

        next_clear(&whole);
        r = next_feed(&whole, data, size, &first);
        if (r == 0)
                r = next_end(&whole, &first);

        next_clear(&pieces);
        for (size_t i = 0; i < size && s == 0; i++)
                s = next_feed(&pieces, data + i, 1, &second);
        if (s == 0)
                s = next_end(&pieces, &second);

        assert(r == s && whole.refused == pieces.refused);
        assert(whole.next_ms == pieces.next_ms && whole.poll_ms == pieces.poll_ms);
        assert(whole.limit_ms == pieces.limit_ms && strcmp(whole.status, pieces.status) == 0);
        assert_in_bounds(whole.next_ms, 0);
        assert_in_bounds(whole.poll_ms, NEXT_POLL_MIN_MS);
        assert_in_bounds(whole.limit_ms, NEXT_LIMIT_MIN_MS);
        assert(strlen(whole.status) < sizeof(whole.status));
        for (const char *p = whole.status; *p; p++)
                assert((unsigned char)*p >= 0x20);
        return 0;
}
