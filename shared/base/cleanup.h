/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Scope-bound ownership
 *
 * A local that owns something is declared with one of the own_* markers and
 * initialised on the same line. Leaving the scope releases it; handing it to
 * somebody else is spelled take(). A function therefore has one success path
 * and plain early returns; goto is not needed for cleanup.
 *
 * Every release function accepts NULL (or -1 for descriptors) and preserves
 * errno, so it is safe on half-built objects and on error paths.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define own(release) __attribute__((cleanup(release)))

/* Generate release_p() for a `void release(type *)` destructor. */
#define DEFINE_OWN(type, release) \
        static inline void release##_p(type **p) { \
                int saved = errno; \
                release(*p); \
                *p = NULL; \
                errno = saved; \
        }

static inline void own_free_p(void *p) {
        int saved = errno;
        free(*(void **)p);
        errno = saved;
}

static inline void own_fd_p(int *fd) {
        int saved = errno;
        if (*fd >= 0)
                (void)close(*fd);
        *fd = -1;
        errno = saved;
}

static inline void own_file_p(FILE **f) {
        int saved = errno;
        if (*f)
                (void)fclose(*f);
        *f = NULL;
        errno = saved;
}

#define own_free own(own_free_p)
#define own_fd   own(own_fd_p)
#define own_file own(own_file_p)

/* Move ownership out of a variable, leaving it empty. */
#define take(ptr) \
        __extension__({ \
                __typeof__(ptr) *slot_ = &(ptr); \
                __typeof__(ptr) value_ = *slot_; \
                *slot_ = NULL; \
                value_; \
        })

static inline int take_fd(int *fd) {
        int value = *fd;
        *fd = -1;
        return value;
}
