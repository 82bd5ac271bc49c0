/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/vtable.h"

#include <errno.h>

int vtable_verify(const struct vtable *v, struct fault *reterr) {
        if (v->abi != v->wanted_abi)
                return fault_set(reterr, FAULT_INTERNAL, ENOTSUP, "a %s is built for interface %u, not %u", v->what,
                                 v->abi, v->wanted_abi);
        if (!v->name || !v->name[0])
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "a %s has no name", v->what);
        for (size_t i = 0; i < v->n_required; i++)
                if (!v->required[i].there)
                        return fault_set(reterr, FAULT_INTERNAL, EINVAL, "%s '%s' has no %s", v->what, v->name,
                                         v->required[i].name);
        return 0;
}
