/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libgit2: started once, and its errors turned into faults in one place
 *
 * libgit2 keeps "the last error" of a thread; the next call may overwrite it, and some failures set none. So
 * git_fault() is called directly after the call that failed.
 */

#include "shared/base/fault.h"

/*
 * Start libgit2 for this process, as we use it: no system or user configuration is read, everything written is
 * fsync'd, hashes are verified, caches are small. Calls nest; each needs its git_end(). Costs some 7 ms (TLS),
 * so a pass that finds no new tip should not get here. The structures of this folder do it for themselves.
 */
int git_begin(struct fault *reterr);
void git_end(void);

/*
 * Turn the libgit2 return value @rc (negative) and its last error into a fault; the formatted text says what was being
 * done ("fetching main"). Kinds and codes: authentication FAULT_TRANSIENT/FETCH_AUTH, certificate or host key
 * FAULT_DENIED/FETCH_HOST_KEY, network FAULT_TRANSIENT/FETCH_FAILED (errno ETIMEDOUT, EIO, …), redirects
 * FAULT_DENIED/FETCH_REDIRECT, not found -ENOENT, locked -EBUSY, modified FAULT_CONFLICT/-EAGAIN,
 * no space FAULT_TRANSIENT/-ENOSPC, the rest FAULT_TRANSIENT/-EIO. Passwords in libgit2's text are redacted.
 * Returns the negative errno.
 */
int git_fault(struct fault *reterr, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
