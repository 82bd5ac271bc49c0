/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Arena: memory for everything one run reads, released at once
 *
 * Documents, nodes and the structures read from them live as long as the run.
 * Nothing in an arena is freed on its own. Running out of memory aborts: a
 * worker that cannot hold its own input has nothing better to do, and the next
 * pass starts from disk. Inputs are bounded by shared/base/limits.h long
 * before that.
 */

#include <stdarg.h>
#include <stddef.h>

#include "shared/base/cleanup.h"

struct arena;

/* Never returns NULL. */
struct arena *arena_new(void);
/* Accepts NULL. */
void arena_free(struct arena *a);
DEFINE_OWN(struct arena, arena_free)
#define own_arena own(arena_free_p)

/* Zeroed, aligned for any type. Never returns NULL; a size of 0 is served too. */
void *arena_alloc(struct arena *a, size_t size);
/* @n zeroed elements; aborts when the product overflows. */
void *arena_array(struct arena *a, size_t n, size_t size);

char *arena_strdup(struct arena *a, const char *s);            /* NULL in, NULL out */
char *arena_strndup(struct arena *a, const char *s, size_t n); /* copies exactly n bytes and a NUL */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Grow a list by one: *items has *n elements of @size and comes from here or from arena_array(), or is NULL
 * while *n is 0. Returns the new, zeroed element; the others may have moved. Amortised O(1).
 */
void *arena_push(struct arena *a, void *items_ptr, size_t *n, size_t size);

#define arena_new_of(a, type) ((type *)arena_alloc((a), sizeof(type)))

/* Call @release(@p) when the arena is freed, the last one first: for what lives as long but has its own memory. */
void arena_defer(struct arena *a, void (*release)(void *p), void *p);

/* Bytes handed out so far. */
size_t arena_used(const struct arena *a);
