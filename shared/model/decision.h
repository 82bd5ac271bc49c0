/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Decision: what decide() makes of a world. It has a table: a replay compares its canonical bytes. */

#include "shared/model/rollout.h"
#include "shared/model/instance.h"
#include "shared/model/route.h"

enum action_kind {
        ACTION_PREPARE, /* pull and verify images, write files, make networks and volumes */
        ACTION_CREATE,  /* make an instance, not started */
        ACTION_STOP,    /* stop an instance but keep it */
        ACTION_START,
        ACTION_REMOVE,
        ACTION_ROUTE,   /* put a route into force */
        ACTION_UNROUTE, /* take the app out of its router */
        ACTION_COMMAND, /* run a command that the host's configuration names, for a hook or a notify step */
        ACTION_COLLECT, /* remove images, files and networks that nothing needs */
        ACTION_MAX_,
};
extern const char *const action_kind_names[];

struct action {
        enum action_kind kind;
        const char *app;
        const char *release;       /* of the workload that PREPARE, CREATE and START work from */
        const char *service;       /* NULL for PREPARE and COLLECT */
        int64_t index;             /* replica, from 1; 0 where it does not apply */
        const char *instance;      /* id; NULL for CREATE, and for START of what CREATE before it makes */
        const char *name;          /* of the instance, for people; NULL when it does not exist */
        const struct route *route; /* ROUTE only */
        const char *router;        /* ROUTE and UNROUTE: its name */
        const char *command;       /* COMMAND only: its name */
        const char *step;          /* the step of the plan that it belongs to, or NULL */
        int64_t timeout_ms;        /* COMMAND only */
        const char *reason;        /* a reason code, or NULL */
        const char *why;           /* one clause for people: "image web: 1.4.1 → 1.4.2" */
};

/* One difference between what is declared and what runs. */
struct drift {
        const char *service;
        int64_t index;
        const char *instance; /* id, or NULL when there is none */
        const char *code;     /* DRIFT_… */
        const char *detail;   /* for people */
};

/* What happened to an app at this decision; each is recorded once. */
enum event {
        EVENT_NONE,
        EVENT_STARTED,   /* a rollout begins */
        EVENT_SETTLED,   /* the new release is proven */
        EVENT_FAILED,    /* the rollout failed: it reverts, pauses, or nothing had been touched yet */
        EVENT_REVERTED,  /* the old instances serve again */
        EVENT_STUCK,     /* the revert failed */
        EVENT_REPAIRING, /* drift is being repaired */
        EVENT_REMOVED,   /* an app that is no longer declared is gone */
        EVENT_MAX_,
};
extern const char *const event_names[];

enum app_state {
        APP_CONVERGED,   /* what is declared runs, healthy */
        APP_PROGRESSING, /* a rollout or a repair is under way */
        APP_BLOCKED,     /* a gate holds the declared release; the one before runs on */
        APP_DEGRADED,    /* the right release, but drift, ill health, or the runtime cannot be asked */
        APP_FAILED,      /* rolled back, paused or stuck: the declared release failed here */
        APP_STATE_MAX_,
};
extern const char *const app_state_names[];

struct decision_app {
        const char *app;
        enum app_state state;
        enum event event;
        enum health health;       /* of what runs: the worst of its instances */
        struct rollout rollout;   /* what to persist before the actions */
        struct struct_list drift; /* struct drift */
        const char *waits_for;    /* for people; NULL: nothing */
        int64_t wake_at;          /* wall ms: when to look again; 0: at the next poll */
        int64_t due_at;           /* wall ms: until then nothing happens by itself; 0: nobody knows */
};

struct decision {
        struct struct_list actions; /* struct action, in order; those of one app stop at its first failure */
        struct struct_list apps;    /* struct decision_app, in the order of the world */
};

extern const struct table action_table;
extern const struct table drift_table;
extern const struct table decision_app_table;
extern const struct table decision_table;
