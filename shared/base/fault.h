/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Faults: what went wrong, said once, for a person
 *
 * Every fallible function returns 0 or a negative errno and takes a
 * `struct fault *reterr` as its last parameter. The number is for code that
 * has to branch; the fault is for whoever has to repair something.
 *
 *   - On success the fault is left untouched.
 *   - On failure it is filled exactly once, by the function that knows the
 *     cause. Callers add context with fault_context() and pass it upwards;
 *     they never overwrite it and never log it. Only the outermost caller
 *     (main, the pass, a test) prints.
 *   - The kind, not the errno, decides what happens next, and the exit code.
 *   - A fault that stems from a file the user wrote carries the position in
 *     that file and a copy of the line.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum fault_kind {
        FAULT_NONE = 0,
        FAULT_CONFIG,    /* the user's files or arguments are wrong: wait for a new commit. Exit 2 */
        FAULT_DENIED,    /* signature, gate or evidence refused it: report, do not retry. Exit 4 */
        FAULT_TRANSIENT, /* network, disk or a daemon was away: retry with back-off. Exit 1 */
        FAULT_CONFLICT,  /* the world moved since we looked: observe and decide again. Exit 1 */
        FAULT_INTERNAL,  /* we are wrong: abort this run, keep the evidence. Exit 1 */
        FAULT_KIND_MAX_,
};

/* A text that positions refer to. It outlives every position that points at it. */
struct source {
        const char *name; /* as the user calls it: "apps/shop/compose.yaml" */
        const char *text; /* the bytes; NULL when they are not kept */
        size_t size;
};

/* A place in a source. Lines and columns count from 1, columns in characters; 0 means unknown. */
struct source_pos {
        const struct source *source; /* borrowed; NULL: no position */
        unsigned line;
        unsigned column;
};

struct fault {
        enum fault_kind kind;
        int errno_value;  /* positive, 0 if there is none */
        const char *code; /* stable reason code from shared/base/reason.h, static, or NULL */
        char *path;       /* owned copy, or NULL */
        unsigned line, column;
        char *excerpt; /* owned copy of the offending line, or NULL */
        char *message; /* owned, one sentence, no trailing newline */
        char *hint;    /* owned, what to do about it, or NULL */
};

#define FAULT_INIT ((struct fault){ .kind = FAULT_NONE })

/* Fill @reterr and return -errno_value (-EINVAL when that is 0), so that callers can `return` it. */
int fault_set(struct fault *reterr, enum fault_kind kind, int errno_value, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/* The same, with a stable reason code (shared/base/reason.h). */
int fault_set_code(struct fault *reterr, enum fault_kind kind, const char *code, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/* FAULT_CONFIG at a position in the user's files; copies the line for the caret. Returns -EINVAL. */
int fault_set_at(struct fault *reterr, const struct source_pos *at, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/* The same, with a stable reason code. */
int fault_set_code_at(struct fault *reterr, const struct source_pos *at, const char *code, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/* FAULT_INTERNAL / ENOMEM. Returns -ENOMEM. */
int fault_set_oom(struct fault *reterr);

/* Prefix the message: "context: message". Returns @r unchanged. */
int fault_context(struct fault *reterr, int r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Attach advice; keeps the first hint given. Returns nothing so that it reads as a side remark. */
void fault_hint(struct fault *reterr, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

bool fault_is_set(const struct fault *f);

/* Move what @from holds to @to (which must be unset); @from is reset. */
void fault_move(struct fault *to, struct fault *from);

/* "config", "denied", "transient", "conflict", "internal". */
const char *fault_kind_to_string(enum fault_kind kind);

/*
 * The process exit code for a fault (docs: exit codes): config 2, denied 4, everything else 1.
 */
int fault_exit_code(const struct fault *f);

/*
 * path:12:7: message: Cause
 *     the offending line
 *           ^
 *   hint: what to do
 */
void fault_print(FILE *out, const struct fault *f);

/*
 * Only the first line of fault_print(), without newline; for logs and records. Owned by the caller; NULL without
 * memory.
 */
char *fault_to_string(const struct fault *f);

/* Release what the fault owns and reset it to FAULT_INIT. Accepts an unset fault. */
void fault_done(struct fault *f);

#define own_fault __attribute__((cleanup(fault_done)))
