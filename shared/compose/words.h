/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Words: a command line written as one text, split as docker compose splits it
 *
 * Blanks separate, '…' keeps everything, "…" and a backslash keep the next character. No shell is involved: an operator
 * outside of quotes (| & ; < > ( )), which docker compose cuts the command off at, is an error.
 */

#include "shared/data/table.h"

/* FAULT_CONFIG at the text's position, code LOAD_INVALID. */
int words_split(const char *text, const struct source_pos *at, struct arena *a, struct string_list *ret,
                struct fault *reterr);
