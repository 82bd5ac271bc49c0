/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * History: the commits between the accepted one and a tip, in the order in which they are judged (policies/trust.h)
 *
 * Ancestry comes from parents alone. Commits are numbered as they are met; nothing recurses; everything is linear in
 * the number of commits read.
 */

#include "shared/base/cleanup.h"
#include "shared/git/object.h"

enum history_flags {
        HISTORY_READ = 1 << 0,     /* its parents are known */
        HISTORY_OLD = 1 << 1,      /* the accepted commit, or an ancestor of it */
        HISTORY_REACHED = 1 << 2,  /* from the tip */
        HISTORY_VISITED = 1 << 3,  /* while ordering */
        HISTORY_DESCENDS = 1 << 4, /* from the accepted commit */
        HISTORY_MAINLINE = 1 << 5, /* on the way from the tip back to the accepted commit */
};

struct history_commit {
        struct object_id id;
        uint32_t first_parent; /* index into parents */
        uint8_t n_parents;
        uint8_t flags;
};

struct history {
        struct history_commit *commits;
        uint32_t n, room;
        uint32_t *parents; /* numbers of commits */
        uint32_t n_parents, parents_room;
        uint32_t *slots; /* hash table of numbers + 1; a power of two */
        uint32_t n_slots;

        uint32_t accepted, tip; /* numbers */
        /*
         * The range: parents before children, and each mainline commit right after all that it brings in. So the order
         * reads: brought in by the first mainline commit …, that commit, brought in by the second …
         */
        uint32_t *order;
        uint32_t n_order;
};

/*
 * Read the range of @tip over @accepted, two different commits. FAULT_DENIED: TRUST_REWIND when the tip does not
 * descend from the accepted commit, TRUST_LIMIT, TRUST_MISSING_OBJECT, TRUST_BAD_OBJECT.
 */
int history_read(const struct object_reader *reader, const struct object_id *accepted, const struct object_id *tip,
                 struct history **ret, struct fault *reterr);
void history_free(struct history *h);
DEFINE_OWN(struct history, history_free)
#define own_history own(history_free_p)

/* The number of the @k-th parent of commit @i. */
static inline uint32_t history_parent(const struct history *h, uint32_t i, unsigned k) {
        return h->parents[h->commits[i].first_parent + k];
}
/* In the range: reached from the tip, not from the accepted commit. */
static inline bool history_is_new(const struct history *h, uint32_t i) {
        return (h->commits[i].flags & (HISTORY_REACHED | HISTORY_OLD)) == HISTORY_REACHED;
}
/* Which parent of a commit that descends from the accepted one the mainline follows. */
unsigned history_mainline_parent(const struct history *h, uint32_t i);
