/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Gates: pure functions from the world to verdicts
 *
 * A gate says whether a declared release may begin on this host now. It sees the world and nothing else, so its verdict
 * can be replayed. A fact that a gate needs and the world lacks is deny or pending, never allow. Gates hold back the
 * beginning of a rollout; one that is under way goes on to its own end.
 */

#include "shared/model/decision_input.h"

struct gate {
        /* How verdicts name it: lower case, stable for ever. */
        const char *name;
        /* Required. Append one verdict about @app to @verdicts (verdict_add). Strings live in @a. */
        void (*judge)(const struct gate *gate, const struct decision_input *input, const struct app_input *app,
                      struct arena *a, struct struct_list *verdicts);
        const char *doc;
};

/* In the order in which verdicts are listed; ended by NULL. */
extern const struct gate *const gate_table[];

extern const struct gate gate_ledger;
extern const struct gate gate_poison;
extern const struct gate gate_suspension;

/* Run every gate on every declared app of @world; replaces the verdicts that are there. */
void gate_judge(struct decision_input *input, struct arena *a);
