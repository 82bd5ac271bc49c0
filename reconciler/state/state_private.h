/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* State, inside: what the files of state.h share. */

#include "reconciler/state/state.h"

/* Add to a fault of writing what it means and what helps. Returns @r. */
int state_unwritable(const char *path, int r, struct fault *reterr);

/* A JSON document in one of the state's folders. -ENOENT when it is not there. */
int state_json_read_at(int dirfd, const char *name, json_t **ret, struct fault *reterr);
int state_json_write_at(const struct state *s, int dirfd, const char *name, const json_t *json, struct fault *reterr);

/* The file is there and readable, but is not what it should be: FAULT_CONFIG says so of a parser's input. */
bool state_is_damage(int r, const struct fault *f);
/* Set a damaged file aside. Returns -EUCLEAN with STATE_CORRUPT. */
int state_corrupt(const struct state *s, const char *name, const struct fault *why, struct fault *reterr);
