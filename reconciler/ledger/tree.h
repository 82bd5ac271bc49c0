/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ledger trees: what a commit adds, and that it adds only
 *
 * A tree of a ledger holds status.json, sticker.json and the folders evidence/, artifacts/ and worlds/, which only
 * grow.
 */

#include <jansson.h>

#include "shared/base/arena.h"
#include "shared/git/mirror.h"

/* A file that is new in evidence/. */
struct ledger_addition {
        const char *path;
        struct object_id id;
        int64_t seq;
};

struct ledger_additions {
        struct ledger_addition *items; /* sorted by number */
        size_t n;
};

/*
 * Compare two root trees; @before is NULL for the first commit. New artifacts and worlds have the content of their
 * names, and their paths become keys of the object @files: over all commits, those are the files that are there.
 * Everything else lives in @a. FAULT_DENIED/LEDGER_INVALID for what was changed, removed, or does not belong there.
 */
int ledger_tree_additions(struct mirror *m, const struct object_id *before, const struct object_id *after,
                          json_t *files, struct arena *a, struct ledger_additions *ret, struct fault *reterr);
