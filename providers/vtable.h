/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Vtable: a provider with a hole is refused before it is opened. */

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/fault.h"

struct vtable_slot {
        const char *name;
        bool there;
};

struct vtable {
        const char *what; /* "router" */
        const char *name; /* what it calls itself; NULL: nothing */
        unsigned abi, wanted_abi;
        const struct vtable_slot *required;
        size_t n_required;
};

/*
 * FAULT_INTERNAL when it was built for another interface (-ENOTSUP), or has nothing in a slot that is required
 * (-EINVAL).
 */
int vtable_verify(const struct vtable *v, struct fault *reterr);
