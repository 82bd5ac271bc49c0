/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Errors of libgit2, turned into faults in one place
 *
 * libgit2 keeps "the last error" of a thread; the next call may overwrite it, and some failures set none. So
 * git_fault() is called directly after the call that failed.
 */

#include "shared/base/fault.h"

/*
 * Turn the libgit2 return value @rc (negative) and its last error into a fault; the formatted text says what
 * was being done ("fetching main"). Kinds and codes: authentication FAULT_TRANSIENT/FETCH_AUTH, host key
 * FAULT_DENIED/FETCH_HOST_KEY, certificate FAULT_DENIED/FETCH_CERTIFICATE, redirect
 * FAULT_DENIED/FETCH_REDIRECT, network FAULT_TRANSIENT/FETCH_FAILED, not found -ENOENT, locked -EBUSY, modified
 * FAULT_CONFLICT/-EAGAIN, no space FAULT_TRANSIENT/-ENOSPC, the rest FAULT_TRANSIENT/-EIO. Passwords in
 * libgit2's text are redacted. Returns the negative errno.
 */
int git_fault(struct fault *reterr, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
