/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Lock's view of a working tree: which services an app has, and the release that an environment has of it. */

#include "shared/base/buffer.h"
#include "shared/fleet/fleet.h"

struct lock_tree {
        /* service: image as the compose file has it, variables replaced; text NULL: none. Sorted by service. */
        struct string_map services;
        const struct release *release; /* NULL: there is none yet */
        const char *heading;           /* the comment at the top of its file, with line ends; "" when there is none */
};

/* The release's place in the tree, in @a: "environments/prod/shop.yaml". */
const char *lock_tree_path(const char *environment, const char *app, struct arena *a);

/*
 * Read apps/<app>/app.yaml (optional), its compose file with the environment's variables and .env, and the release
 * (optional), without following links. FAULT_CONFIG with position.
 */
int lock_tree_read(const char *folder, const char *environment, const char *app, struct arena *a, struct lock_tree *ret,
                   struct fault *reterr);

/* Replace the release's file, making its folder when it is missing. */
int lock_tree_write(const char *folder, const char *environment, const char *app, const struct buffer *text,
                    struct fault *reterr);
