/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Verdict: what one gate says about one app, with stable reason codes. A missing fact is never "allow". */

#include "shared/data/table.h"

enum verdict_value {
        VERDICT_DENY, /* zero, so that a verdict nobody filled in denies */
        VERDICT_PENDING,
        VERDICT_ALLOW,
        VERDICT_MAX_,
};
extern const char *const verdict_names[]; /* deny pending allow */

struct verdict {
        const char *gate; /* "poison", "suspension", "ledger" */
        enum verdict_value verdict;
        struct string_list reasons; /* codes of shared/base/reason.h, sorted */
        const char *message;        /* for people; NULL when allowed */
};

extern const struct table verdict_table;

/* Add a verdict with at most one reason code (NULL: none). */
void verdict_add(struct struct_list *list, struct arena *a, const char *gate, enum verdict_value value,
                 const char *reason, const char *message);

/* The strictest of a list: deny before pending before allow. An empty list denies. */
enum verdict_value verdict_combined(const struct struct_list *list);
/* The first verdict of the strictest value; NULL for an empty list. */
const struct verdict *verdict_decisive(const struct struct_list *list);
