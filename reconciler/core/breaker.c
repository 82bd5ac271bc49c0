/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/breaker.h"

/* How long the next repair waits after so many of them. */
static int64_t wait_after(int64_t repairs) {
        static const int64_t waits_ms[] = { 0, 0, 0, 10000, 30000, 60000, BREAKER_WAIT_MAX_MS };
        const int64_t n = sizeof(waits_ms) / sizeof(waits_ms[0]);

        return waits_ms[repairs < n ? repairs : n - 1];
}

static int64_t no_later_than(int64_t time, int64_t limit) {
        return time < limit ? time : limit;
}

/* What lies in the future was written by a clock that was set back since. */
static void take_clock(struct breaker *b, int64_t now) {
        b->next_at = no_later_than(b->next_at, now + (b->state == BREAKER_OPEN ? b->open_ms : BREAKER_WAIT_MAX_MS));
        b->opened_at = no_later_than(b->opened_at, now);
        b->tried_at = no_later_than(b->tried_at, now);
        b->unchanged_at = no_later_than(b->unchanged_at, now);
}

static void open_for(struct breaker *b, int64_t ms, int64_t now) {
        b->state = BREAKER_OPEN;
        b->open_ms = no_later_than(ms, BREAKER_OPEN_MAX_MS);
        b->opened_at = now;
        b->next_at = now + b->open_ms;
        b->tried_at = 0;
        b->recent = (struct struct_list){ .items = NULL };
}

static bool has_memory(const struct breaker *b) {
        return b->state != BREAKER_CLOSED || b->repairs > 0;
}

void breaker_observe(struct breaker *b, bool drifts, int64_t now) {
        bool was_unchanged;

        take_clock(b, now);
        if (b->unchanged_at && now - b->unchanged_at >= BREAKER_QUIET_MS)
                *b = (struct breaker){ .state = BREAKER_CLOSED };
        if (!drifts) {
                if (!b->unchanged_at && has_memory(b))
                        b->unchanged_at = now;
                return;
        }
        was_unchanged = b->unchanged_at != 0;
        b->unchanged_at = 0;
        if (b->state == BREAKER_HALF_OPEN && b->tried_at && (was_unchanged || now - b->tried_at >= BREAKER_SETTLE_MS)) {
                open_for(b, 2 * b->open_ms, now);
        } else if (b->state == BREAKER_OPEN && now >= b->next_at) {
                b->state = BREAKER_HALF_OPEN;
                b->next_at = 0;
        }
}

int64_t breaker_wait_ms(const struct breaker *b, int64_t now) {
        int64_t until = b->state == BREAKER_HALF_OPEN ? b->tried_at ? b->tried_at + BREAKER_SETTLE_MS : 0 : b->next_at;

        return until > now ? until - now : 0;
}

/* The repairs of the last hour and this one; those of the future, by a clock that was set back, as of now. */
static void note(struct breaker *b, int64_t now, struct arena *a) {
        const struct breaker_repair *before = b->recent.items;
        struct struct_list recent = { .items = NULL };
        struct breaker_repair *repair;

        for (size_t i = 0; i < b->recent.n; i++) {
                if (now - before[i].at >= BREAKER_WINDOW_MS)
                        continue;
                repair = arena_push(a, &recent.items, &recent.n, sizeof(struct breaker_repair));
                repair->at = no_later_than(before[i].at, now);
        }
        repair = arena_push(a, &recent.items, &recent.n, sizeof(struct breaker_repair));
        repair->at = now;
        b->recent = recent;
}

void breaker_repaired(struct breaker *b, int64_t now, struct arena *a) {
        int64_t wait;

        b->repairs++;
        b->unchanged_at = 0;
        if (b->state != BREAKER_CLOSED) {
                b->state = BREAKER_HALF_OPEN;
                b->tried_at = now;
                return;
        }
        note(b, now, a);
        wait = wait_after(b->repairs);
        b->next_at = wait ? now + wait : 0;
        if (b->recent.n >= BREAKER_REPAIRS_MAX)
                open_for(b, BREAKER_OPEN_MS, now);
}

const char *breaker_why(const struct breaker *b) {
        switch (b->state) {
        case BREAKER_OPEN:
                return "drift keeps coming back after its repair: repairs are stopped for a while";
        case BREAKER_HALF_OPEN:
                return "one repair is on trial, as drift kept coming back";
        case BREAKER_CLOSED:
        case BREAKER_STATE_MAX_:
                break;
        }
        return "drift came back soon after its repair; the next repair waits";
}
