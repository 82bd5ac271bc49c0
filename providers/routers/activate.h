/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Activate: a file of ours in a folder that a router's own configuration includes, changed so that it can be taken back
 *
 * A router validates what lies in its folders, so the new file must lie there before anybody knows that it is good.
 * What it replaces stays beside it as NAME.old (empty: there was none) until activate_keep(), and activate_revert()
 * puts it back; both are one rename. A NAME.old that is found later means that we were cut short between the two, and
 * what lies there was perhaps never validated.
 */

#include <stdbool.h>

#include "shared/base/buffer.h"
#include "shared/base/fault.h"
#include "shared/data/table.h"

struct activation {
        int folder; /* descriptor, borrowed */
        const char *name;
};

bool activate_is_cut_short(const struct activation *at);
/* The file's bytes, appended. *ret_there false: there is no such file. */
int activate_read(const struct activation *at, struct buffer *out, bool *ret_there, struct fault *reterr);
/* @data NULL: the file goes away. An attempt that was cut short is reverted first. */
int activate_put(const struct activation *at, const void *data, size_t size, struct fault *reterr);
int activate_revert(const struct activation *at, struct fault *reterr);
int activate_keep(const struct activation *at, struct fault *reterr);

/*
 * Run the operator's command, or @usual (NULL-terminated) when there is none. *ret_exit: its exit code; @said: what it
 * printed, as one harmless line. A fault when it could not be run.
 */
int activate_command(const struct string_list *argv, const char *const *usual, int *ret_exit, struct buffer *said,
                     struct fault *reterr);
