/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Compact: many small objects and packs of a mirror become one pack
 *
 * Every commit to the ledger leaves a handful of loose objects, every fetch a pack. When there are too many, the
 * loose objects and the smaller packs are written to one new pack, and removed once that is complete, on the disk
 * and read back. Packs that are large beside all that is smaller are left alone, so that the work for n objects is
 * n log n over the life of a repository, not n².
 *
 * Nothing is ever dropped, reachable from a ref or not: what is accepted may not be (somebody rewound the branch),
 * and what a killed writer left may be finished by the next one.
 *
 * The caller is the only writer: it holds the lock of the pass. Others may read meanwhile: who misses an object
 * looks for new packs, and the new one is there before anything is gone. Killed at any point it leaves what git
 * calls a sound repository, with some objects twice, and perhaps with files that mirror_sweep() removes.
 */

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/fault.h"
#include "shared/git/mirror.h"

struct compact_limits {
        size_t loose;        /* more loose objects than this, by an estimate, are packed */
        size_t packs;        /* more packs than this are merged */
        size_t objects;      /* of one new pack: bounds memory and time; packs beyond it are never touched */
        size_t object_bytes; /* larger objects stay where they are */
};

/* LIMIT_COMPACT_* */
extern const struct compact_limits compact_default;

/*
 * Do it when it is due; finding that out reads two folders. The work is done by a child process. @ret_done (may be
 * NULL): it was due and something was packed. A repository with a multi-pack-index or .keep files is somebody else's
 * to maintain: nothing is done.
 */
int mirror_compact(struct mirror *m, const struct compact_limits *limits, bool *ret_done, struct fault *reterr);

/*
 * Remove what a killed writer left in the folder of a repository: temporary files, locks of pack indexes (they would
 * make the same fetch fail for ever) and of refs, halves of packs. Never an object that can be read.
 */
void mirror_sweep(const struct mirror *m);
