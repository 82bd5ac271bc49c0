/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the tests of remotes stand on: a repository with two commits, a mirror, and the servers that git-remotes.sh
 * started.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "shared/base/process.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/git/mirror.h"
#include "shared/git/remote.h"

#define TEXT 512

/* One folder per test: a remote and a mirror that nobody else uses. */
struct fixture {
        char name[64];
        char remote[TEXT]; /* path of a bare repository with two commits on main */
        char state[TEXT];
        struct remote_settings settings;
        struct mirror *mirror;
};

const char *env(const char *name);
void format(char *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void print_fault(const struct fault *f);
#define assert_ok(expression, f) \
        do { \
                int r_ = (expression); \
                if (r_ < 0) \
                        print_fault(f); \
                assert_true(r_ >= 0); \
        } while (0)
void assert_fault(const struct fault *f, enum fault_kind kind, const char *code);

/* Runs git and returns the first line of what it prints. */
void git_says(char *ret, const char *const *args);
#define git(...)           git_says(NULL, (const char *const[]){ __VA_ARGS__, NULL })
#define git_line(ret, ...) git_says(ret, (const char *const[]){ __VA_ARGS__, NULL })

/* A commit on @branch of the remote, made with plumbing: there is no work tree. */
void commit(struct fixture *x, const char *branch, const char *message, bool from_scratch);
void tip_of(const struct fixture *x, const char *branch, struct object_id *ret);

void setup(struct fixture *x, const char *name);
void teardown(struct fixture *x);
#define own_fixture own(teardown)

void http_url(const struct fixture *x, char *ret);
void https_url(const struct fixture *x, char *ret);
void ssh_url(const struct fixture *x, char *ret);

#define N_TRANSPORTS 5
struct transport_case {
        const char *name;
        void (*url)(const struct fixture *x, char *ret);
};
extern const struct transport_case transports[N_TRANSPORTS];

/* A commit on a branch of the mirror, to push. */
void write_one(struct mirror *m, const char *ref, const struct object_id *parent, struct object_id *ret);

void write_file(const char *path, const char *text, mode_t mode);

/* test_git_refused.c: how many failed. */
int run_refused(void);
