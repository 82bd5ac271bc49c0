/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libgit2, started as we use it
 *
 * No system or user configuration is read, everything written is fsync'd, hashes are verified, caches are small.
 * The parts of this folder start it themselves; calls nest. Starting takes some 7 ms, nearly all of it for reading
 * the system's CA bundle, so a pass that finds no new tip should not get here.
 */

#include "shared/base/fault.h"

int git_begin(struct fault *reterr);
void git_end(void);

/*
 * For a forked child that talks to a remote: start anew (a random generator that was copied by fork() would
 * give every child the same keys), with @home as the folder whose .ssh/known_hosts tells libssh2 which type of
 * host key to ask for, and @ca_file instead of the system's bundle (either may be NULL). Everything that
 * libgit2 held before the fork is unusable in the child.
 */
int git_begin_child(const char *home, const char *ca_file, struct fault *reterr);
