/* SPDX-License-Identifier: Apache-2.0 */

#include "policies/history.h"

#include <assert.h>

#include "shared/base/reason.h"

/* Of a commit in old history: more than we would accept in the range, where the strict reading decides. */
#define PARENTS_MAX 255

/* Numbers of commits still to be looked at. */
struct stack {
        uint32_t *items;
        uint32_t n, room;
};

static void stack_done(struct stack *s) {
        free(s->items);
}
#define own_stack own(stack_done)

/* Room for @more elements of @size behind the @n in *items. */
static int make_room(void *items_ptr, uint32_t n, uint32_t more, uint32_t *room, size_t size, struct fault *reterr) {
        void **items = items_ptr;
        uint32_t bigger = *room ? *room : 64;
        void *moved;

        if (n + more <= *room)
                return 0;
        while (bigger < n + more)
                bigger *= 2;
        moved = reallocarray(*items, bigger, size);
        if (!moved)
                return fault_set_oom(reterr);
        *items = moved;
        *room = bigger;
        return 0;
}

static int stack_push(struct stack *s, uint32_t i, struct fault *reterr) {
        int r = make_room(&s->items, s->n, 1, &s->room, sizeof(*s->items), reterr);

        if (r == 0)
                s->items[s->n++] = i;
        return r;
}

/*
 * Numbering
 */

/* Where the id stands in the table, or the empty slot where it belongs. An id is a hash: any part of it is one, too. */
static uint32_t *slot_of(const struct history *h, const struct object_id *id) {
        uint32_t at;

        memcpy(&at, id->raw, sizeof(at));
        for (at &= h->n_slots - 1; h->slots[at]; at = (at + 1) & (h->n_slots - 1))
                if (object_id_equal(&h->commits[h->slots[at] - 1].id, id))
                        break;
        return &h->slots[at];
}

static int grow_table(struct history *h, struct fault *reterr) {
        uint32_t n_slots = h->n_slots ? 2 * h->n_slots : 256;
        uint32_t *slots = calloc(n_slots, sizeof(*slots));

        if (!slots)
                return fault_set_oom(reterr);
        free(h->slots);
        h->slots = slots;
        h->n_slots = n_slots;
        for (uint32_t i = 0; i < h->n; i++)
                *slot_of(h, &h->commits[i].id) = i + 1;
        return 0;
}

/* The number of a commit, a new one when it was not met before. */
static int number_of(struct history *h, const struct object_id *id, uint32_t *ret, struct fault *reterr) {
        uint32_t *slot;
        int r = 0;

        if (2 * (h->n + 1) > h->n_slots)
                r = grow_table(h, reterr);
        if (r < 0)
                return r;
        slot = slot_of(h, id);
        if (!*slot) {
                if (h->n == LIMIT_HISTORY_COMMITS)
                        return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_LIMIT,
                                              "the history behind the branch holds more than %d commits",
                                              LIMIT_HISTORY_COMMITS);
                r = make_room(&h->commits, h->n, 1, &h->room, sizeof(*h->commits), reterr);
                if (r < 0)
                        return r;
                h->commits[h->n] = (struct history_commit){ .id = *id };
                *slot = ++h->n;
        }
        *ret = *slot - 1;
        return 0;
}

/* Learn the parents of @i. */
static int read_parents(struct history *h, const struct object_reader *reader, uint32_t i, struct fault *reterr) {
        struct object_id tree, ids[PARENTS_MAX];
        uint32_t first = h->n_parents;
        const void *bytes;
        size_t size, n;
        int r;

        if (h->commits[i].flags & HISTORY_READ)
                return 0;
        r = object_read(reader, &h->commits[i].id, OBJECT_COMMIT, LIMIT_COMMIT_BYTES, &bytes, &size, reterr);
        if (r < 0)
                return r;
        r = object_commit_links(bytes, size, &tree, ids, PARENTS_MAX, &n, reterr);
        if (r < 0) {
                char hex[OBJECT_ID_TEXT_MAX];

                return fault_context(reterr, r, "commit %.12s", object_id_format(&h->commits[i].id, hex));
        }
        r = make_room(&h->parents, first, (uint32_t)n, &h->parents_room, sizeof(*h->parents), reterr);
        for (size_t k = 0; r == 0 && k < n; k++)
                r = number_of(h, &ids[k], &h->parents[first + k], reterr);
        if (r < 0)
                return r;
        h->n_parents = first + (uint32_t)n;
        h->commits[i].first_parent = first;
        h->commits[i].n_parents = (uint8_t)n;
        h->commits[i].flags |= HISTORY_READ;
        return 0;
}

/*
 * Reach: mark @start and all its ancestors with @flag, not going beyond commits that carry @flag or @stop already
 */
static int reach(struct history *h, const struct object_reader *reader, uint32_t start, unsigned flag, unsigned stop,
                 struct fault *reterr) {
        own_stack struct stack todo = { 0 };
        int r;

        r = stack_push(&todo, start, reterr);
        while (r == 0 && todo.n > 0) {
                uint32_t i = todo.items[--todo.n];

                if (h->commits[i].flags & (flag | stop))
                        continue;
                h->commits[i].flags |= (uint8_t)flag;
                r = read_parents(h, reader, i, reterr);
                for (unsigned k = 0; r == 0 && k < h->commits[i].n_parents; k++)
                        r = stack_push(&todo, history_parent(h, i, k), reterr);
        }
        return r;
}

/*
 * Order: the range from the tip, each commit after its parents
 */

static bool is_accepted_or_descends(const struct history *h, uint32_t i) {
        return i == h->accepted || h->commits[i].flags & HISTORY_DESCENDS;
}

unsigned history_mainline_parent(const struct history *h, uint32_t i) {
        unsigned k = 0;

        while (k + 1 < h->commits[i].n_parents && !is_accepted_or_descends(h, history_parent(h, i, k)))
                k++;
        return k;
}

/* The @k-th parent to go to: the mainline's before the others, so that what is left is what the merge brings in. */
static uint32_t parent_in_order(const struct history *h, uint32_t i, unsigned k) {
        unsigned first = is_accepted_or_descends(h, i) ? history_mainline_parent(h, i) : 0;

        return history_parent(h, i, k == 0 ? first : k <= first ? k - 1 : k);
}

/* The next parent of @i that is new and was not visited, from *k on; false when none is left. */
static bool next_parent(const struct history *h, uint32_t i, uint32_t *k, uint32_t *ret) {
        while (*k < h->commits[i].n_parents) {
                uint32_t p = parent_in_order(h, i, (*k)++);

                if (history_is_new(h, p) && !(h->commits[p].flags & HISTORY_VISITED)) {
                        *ret = p;
                        return true;
                }
        }
        return false;
}

static void note_descent(struct history *h, uint32_t i) {
        for (unsigned k = 0; k < h->commits[i].n_parents; k++)
                if (is_accepted_or_descends(h, history_parent(h, i, k)))
                        h->commits[i].flags |= HISTORY_DESCENDS;
}

/* Depth first, with a stack of pairs: a commit, and which of its parents is next. */
static int put_in_order(struct history *h, struct fault *reterr) {
        own_stack struct stack path = { 0 };
        uint32_t *order = reallocarray(h->order, h->n, sizeof(*order));
        uint32_t next = h->tip;
        int r = 0;

        if (!order)
                return fault_set_oom(reterr);
        h->order = order;
        h->n_order = 0;
        for (uint32_t i = 0; i < h->n; i++)
                h->commits[i].flags &= (uint8_t)~HISTORY_VISITED;
        if (!history_is_new(h, h->tip))
                return 0;

        for (bool down = true; down || path.n > 0;) {
                if (down) {
                        h->commits[next].flags |= HISTORY_VISITED;
                        r = stack_push(&path, next, reterr);
                        if (r == 0)
                                r = stack_push(&path, 0, reterr);
                        if (r < 0)
                                return r;
                }
                down = next_parent(h, path.items[path.n - 2], &path.items[path.n - 1], &next);
                if (!down) {
                        path.n -= 2;
                        note_descent(h, path.items[path.n]);
                        order[h->n_order++] = path.items[path.n];
                }
        }
        return 0;
}

/*
 * The range
 */

static bool all_descend(const struct history *h) {
        for (uint32_t i = 0; i < h->n_order; i++)
                if (!(h->commits[h->order[i]].flags & HISTORY_DESCENDS))
                        return false;
        return true;
}

/*
 * What descends from the accepted commit is new. Of anything else that the tip reaches, only the accepted commit's own
 * ancestors can tell: dates and generation numbers are claims.
 */
static int find_range(struct history *h, const struct object_reader *reader, struct fault *reterr) {
        int r;

        h->commits[h->accepted].flags |= HISTORY_OLD;
        r = reach(h, reader, h->tip, HISTORY_REACHED, HISTORY_OLD, reterr);
        if (r == 0)
                r = put_in_order(h, reterr);
        if (r < 0 || all_descend(h))
                return r;

        h->commits[h->accepted].flags &= (uint8_t)~HISTORY_OLD;
        r = reach(h, reader, h->accepted, HISTORY_OLD, 0, reterr);
        if (r == 0)
                r = put_in_order(h, reterr);
        return r;
}

static int refuse_rewind(const struct history *h, struct fault *reterr) {
        char tip[OBJECT_ID_TEXT_MAX], accepted[OBJECT_ID_TEXT_MAX];
        bool behind = h->commits[h->tip].flags & HISTORY_OLD;
        int r;

        r = fault_set_code(
                reterr, FAULT_DENIED, REASON_TRUST_REWIND,
                behind ? "the branch was rewound to commit %.12s, which lies behind the accepted commit %.12s"
                       : "the branch points to commit %.12s, which does not descend from the accepted commit %.12s",
                object_id_format(&h->commits[h->tip].id, tip), object_id_format(&h->commits[h->accepted].id, accepted));
        fault_hint(reterr,
                   "history only grows: bring commit %.12s back into the branch, and revert what is wrong with "
                   "new commits",
                   accepted);
        return r;
}

int history_read(const struct object_reader *reader, const struct object_id *accepted, const struct object_id *tip,
                 struct history **ret, struct fault *reterr) {
        own_history struct history *h = calloc(1, sizeof(*h));
        int r;

        assert(!object_id_equal(accepted, tip));
        if (!h)
                return fault_set_oom(reterr);
        r = number_of(h, accepted, &h->accepted, reterr);
        if (r == 0)
                r = number_of(h, tip, &h->tip, reterr);
        if (r == 0)
                r = find_range(h, reader, reterr);
        if (r < 0)
                return r;
        if (!history_is_new(h, h->tip) || !(h->commits[h->tip].flags & HISTORY_DESCENDS))
                return refuse_rewind(h, reterr);
        if (h->n_order > LIMIT_RANGE_COMMITS)
                return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_LIMIT,
                                      "%u commits came since the accepted one; one pass verifies at most %d",
                                      h->n_order, LIMIT_RANGE_COMMITS);

        /* The first ordering did not know the mainline yet. */
        r = put_in_order(h, reterr);
        if (r < 0)
                return r;
        for (uint32_t i = h->tip; i != h->accepted; i = history_parent(h, i, history_mainline_parent(h, i)))
                h->commits[i].flags |= HISTORY_MAINLINE;
        *ret = take(h);
        return 0;
}

void history_free(struct history *h) {
        if (!h)
                return;
        free(h->commits);
        free(h->parents);
        free(h->slots);
        free(h->order);
        free(h);
}
