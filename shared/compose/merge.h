/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Merge: a service over the one that it extends, and paths that move to another folder
 *
 * The rules of the Compose Specification ("Merge and override", 13-merge.md) as compose-go v2 carries them out
 * (override/merge.go, override/uncity.go): maps are merged key by key, lists are appended, commands and tests are
 * replaced; what has an identity (a variable's name, a mount's target, a port) is there once, and the later one wins.
 */

#include "shared/data/node.h"

/* @over over @base, both maps; in @a. What cannot be merged (a list over a map) is @over's. */
const struct node *compose_merge_service(const struct node *base, const struct node *over, struct arena *a);

/*
 * A document whose relative paths are meant from @folder (in the app's folder; "" is that folder itself) as one whose
 * paths are meant from the app's folder: env_file, mounts, files of configs and secrets. Not those of include and
 * extends.
 */
const struct node *compose_rebase_document(const struct node *root, const char *folder, struct arena *a);

/* @path as it is meant from @folder, seen from the app's folder; "" for that folder, NULL when it leaves it. In @a. */
const char *compose_path_from(const char *folder, const char *path, struct arena *a);
