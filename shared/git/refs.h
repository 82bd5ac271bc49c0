/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Refs: the tip of one branch of a repository on this machine, read from its files
 *
 * For the pass with nothing to do: two or three small reads instead of a git library. Understands bare and
 * non-bare repositories, `.git` files (gitfile: gitrepository-layout(5)), linked work trees (commondir), loose
 * refs, symbolic refs and packed-refs. Anything else (reftable, worktree-local tricks, SHA-256, odd permissions)
 * is "don't know", and the caller asks libgit2.
 */

#include "shared/base/fault.h"
#include "shared/git/object.h"

enum ref_answer {
        REF_FOUND,
        REF_MISSING,   /* the repository is there and has no such branch */
        REF_DONT_KNOW, /* ask another way */
        REF_ANSWER_MAX_,
};

const char *ref_answer_to_string(enum ref_answer a);

/* @path is a local path or a file:// URL. *ret is set for REF_FOUND only. Never fails: doubt is REF_DONT_KNOW. */
enum ref_answer refs_local_tip(const char *path, const char *branch, struct object_id *ret);

/*
 * What git check-ref-format(1) takes as refs/heads/<branch>; also no control characters, at most
 * LIMIT_BRANCH_BYTES.
 */
bool branch_is_valid(const char *branch);
