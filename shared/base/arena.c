/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_FIRST (4u * 1024)
#define CHUNK_LAST  (256u * 1024)
#define LIST_FIRST  4u /* elements a list has room for when it is first pushed to */

struct chunk {
        struct chunk *next;
        size_t room;
        size_t used;
        alignas(max_align_t) unsigned char data[];
};

struct deferred {
        struct deferred *next;
        void (*release)(void *p);
        void *p;
};

struct arena {
        struct deferred *deferred;
        struct chunk *chunks; /* the first one is filled, the others are full or held one big block */
        size_t next_room;
        size_t used;
};

/* Both fail only when the host is out of memory or a size is absurd: see the header. */
static void *zeroed(size_t size) {
        void *p = calloc(1, size);

        if (!p)
                abort();
        return p;
}

static size_t multiply(size_t n, size_t size) {
        size_t product;

        if (__builtin_mul_overflow(n, size, &product))
                abort();
        return product;
}

static struct chunk *chunk_new(size_t room) {
        struct chunk *c;

        if (room > SIZE_MAX - sizeof(struct chunk))
                abort();
        c = zeroed(sizeof(struct chunk) + room);
        c->room = room;
        return c;
}

struct arena *arena_new(void) {
        struct arena *a = zeroed(sizeof(*a));

        a->next_room = CHUNK_FIRST;
        return a;
}

void arena_free(struct arena *a) {
        if (!a)
                return;
        for (struct deferred *d = a->deferred; d; d = d->next)
                d->release(d->p);
        for (struct chunk *c = a->chunks, *next; c; c = next) {
                next = c->next;
                free(c);
        }
        free(a);
}

/* A chunk with @size bytes left. A block too big for the usual chunk gets its own, behind the one in use. */
static struct chunk *arena_chunk(struct arena *a, size_t size) {
        struct chunk *c = a->chunks;

        if (c && c->room - c->used >= size)
                return c;

        if (c && size > a->next_room / 4) {
                struct chunk *big = chunk_new(size);

                big->next = c->next;
                c->next = big;
                return big;
        }

        c = chunk_new(size > a->next_room ? size : a->next_room);
        c->next = a->chunks;
        a->chunks = c;
        if (a->next_room < CHUNK_LAST)
                a->next_room *= 2;
        return c;
}

void *arena_alloc(struct arena *a, size_t size) {
        const size_t align = alignof(max_align_t);
        struct chunk *c;
        void *p;

        if (size == 0)
                size = 1;
        if (size > SIZE_MAX - align)
                abort();
        size = (size + align - 1) / align * align;

        c = arena_chunk(a, size);
        p = c->data + c->used;
        c->used += size;
        a->used += size;
        return p;
}

/*
 * How many elements a list of @n has room for. It follows from @n alone, so no list carries a capacity;
 * arena_array() rounds up by the same rule, and its result may be pushed to.
 */
static size_t list_room(size_t n) {
        size_t room = LIST_FIRST;

        if (n == 0)
                return 0;
        while (room < n)
                room = multiply(room, 2);
        return room;
}

void *arena_array(struct arena *a, size_t n, size_t size) {
        return arena_alloc(a, multiply(list_room(n), size));
}

void *arena_push(struct arena *a, void *items_ptr, size_t *n, size_t size) {
        unsigned char *items, *item;

        /* The caller's pointer has its own type; memcpy reads and writes it without aliasing it as void *. */
        memcpy(&items, items_ptr, sizeof(items));
        assert(items || *n == 0);

        if (*n == list_room(*n)) {
                unsigned char *grown = arena_array(a, *n + 1, size);

                if (*n > 0)
                        memcpy(grown, items, *n * size);
                items = grown;
                memcpy(items_ptr, &items, sizeof(items));
        }

        item = items + *n * size;
        memset(item, 0, size); /* it may have been used before, by a list that was cut short */
        (*n)++;
        return item;
}

char *arena_strdup(struct arena *a, const char *s) {
        return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_strndup(struct arena *a, const char *s, size_t n) {
        char *copy;

        if (n == SIZE_MAX)
                abort();
        copy = arena_alloc(a, n + 1);
        if (n > 0)
                memcpy(copy, s, n);
        return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...) {
        va_list ap, again;
        char brief[128], *text;
        int n;

        assert(fmt); /* gcc with UBSan warns of a null format without it */
        va_start(ap, fmt);
        va_copy(again, ap);
        n = vsnprintf(brief, sizeof(brief), fmt, ap);
        va_end(ap);
        if (n < 0)
                abort();
        text = arena_alloc(a, (size_t)n + 1);
        /* Most texts are brief, and need not be made twice. */
        if ((size_t)n < sizeof(brief))
                memcpy(text, brief, (size_t)n + 1);
        else
                (void)vsnprintf(text, (size_t)n + 1, fmt, again);
        va_end(again);
        return text;
}

void arena_defer(struct arena *a, void (*release)(void *p), void *p) {
        struct deferred *d = arena_new_of(a, struct deferred);

        *d = (struct deferred){ .next = a->deferred, .release = release, .p = p };
        a->deferred = d;
}

size_t arena_used(const struct arena *a) {
        return a->used;
}
