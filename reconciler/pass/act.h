/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Act: carry out what was decided, in order, and say what became of it
 *
 * The actions of one app stop at its first failure; other apps go on. Every action is safe to repeat, so being killed
 * in the middle costs nothing but time. Actions about instances of one app that need nothing of each other are carried
 * out side by side, where the runtime is made for it; what they came to is told in their order, failures last.
 */

#include "providers/router.h"
#include "providers/runtime/runtime.h"
#include "shared/model/decision.h"
#include "shared/model/decision_input.h"

struct act_result {
        const struct action *action;
        bool done; /* false: failed, or left out after a failure before it */
        bool skipped;
        int64_t started_at, finished_at; /* wall ms; 0 when skipped */
        const char *code;                /* reason code of the failure, or NULL */
        const char *message;             /* of the failure */
        const char *instance;            /* id of the instance that was acted on or made */
};

/* What actions are carried out with. */
struct act_ports {
        /* The runtime that carries an app; never NULL for an app of the world. */
        struct runtime *(*runtime)(void *data, const struct app_input *app);
        /* The router of that name, opened. */
        int (*router)(void *data, const char *name, struct router **ret, struct fault *reterr);
        /* Run the host's command of an action to its end. */
        int (*command)(void *data, const struct app_input *app, const struct action *action, struct fault *reterr);
        /* Told after each action: the pass keeps the rollout's progress. */
        void (*done)(void *data, const struct app_input *app, const struct act_result *result,
                     const struct fault *fault);
        const struct progress *progress; /* NULL: none */
        void *data;
};

/* Results, one an action, live in @a. A failing action is no fault of act() itself. */
struct act_result *act(const struct decision_input *input, const struct decision *decision,
                       const struct act_ports *ports, struct arena *a);

/* The workload an action works from: the wanted or the settled one, by its release; NULL when neither. */
const struct workload *act_workload(const struct app_input *app, const struct action *action);

/* Whether it changes an instance: needs an intent record before it. */
bool action_changes_workload(const struct action *action);
