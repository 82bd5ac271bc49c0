/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Plan: a rollout as steps that need each other
 *
 * Every rollout walks a plan. An app may write its own (`steps:` in app.yaml); otherwise its strategy gives one:
 *
 *      recreate     prepare → stage 100 %
 *      rolling      prepare → stage 100 %, max_parallel at a time
 *      canary       prepare → stage w1 → traffic w1 → check for h1 → … → stage 100 % → traffic 100 %
 *      blue-green   prepare → stage 100 % beside the old → traffic 100 % → check for the bake time
 *
 * A plan is a directed acyclic graph: a step is ready when all that it needs are over, and steps that need nothing of
 * each other run side by side. The plan that a rollout began with is kept in its state, so a changed app.yaml does not
 * change its course.
 */

#include "shared/data/table.h"

enum step_kind {
        STEP_GATE,    /* wait until a gate allows */
        STEP_PREPARE, /* pull and verify; before anything is touched */
        STEP_HOOK,    /* a one-shot service of the app, or a command that the host's configuration names */
        STEP_STAGE,   /* bring up the share of new instances that weight says, healthy */
        STEP_CHECK,   /* health and checks must hold for a time */
        STEP_WAIT,    /* a time passes */
        STEP_TRAFFIC, /* the candidate's share of the requests */
        /* tell a command that the host's configuration names; fails nothing unless on_failure says so */
        STEP_NOTIFY,
        STEP_KIND_MAX_,
};
extern const char *const step_kind_names[];

enum step_failure {
        STEP_FAIL,     /* the rollout failed: on_failure of the rollout says what follows */
        STEP_CONTINUE, /* the step is marked failed, what needs it goes on */
        STEP_PAUSE,    /* the rollout pauses for a person */
        STEP_FAILURE_MAX_,
};
extern const char *const step_failure_names[]; /* fail continue pause */

/* A step as declared, and as a plan has it. */
struct step_hook {
        struct text_at service, command;
}; /* one of both */
struct step_stage {
        int64_t weight;
        bool beside;
}; /* beside: the old ones run on */
struct step_check {
        int64_t for_ms;
};
struct step_traffic {
        int64_t weight;
};
struct step_wait {
        int64_t for_ms;
};
struct plan_step {
        struct text_at name;
        struct string_list needs;     /* names of steps; absent: the one before it in the list */
        bool needs_given;             /* `needs:` stands there, perhaps empty */
        const struct step_hook *hook; /* exactly one of these is set */
        const struct step_stage *stage;
        const struct step_check *check;
        const struct step_traffic *traffic;
        struct text_at gate, notify; /* name of the gate, of the command */
        const struct step_wait *wait;
        bool prepare;
        int64_t timeout_ms; /* from its start; 0: none of its own, the rollout's deadlines hold */
        int64_t retries;    /* how often it is tried again: default 0 */
        enum step_failure on_failure;
        struct source_pos at;
};
extern const struct table plan_step_table;

enum step_kind plan_step_kind(const struct plan_step *s);

/* States of a step. Legal moves: plan_may_move(). */
enum step_state {
        STEP_PENDING, /* what it needs is not over */
        STEP_READY,
        STEP_RUNNING,
        STEP_WAITING, /* it runs, and something outside must happen: a gate, a time, health */
        STEP_SUCCEEDED,
        STEP_FAILED,
        STEP_SKIPPED,   /* never started, because what it needs failed or the rollout ended */
        STEP_CANCELLED, /* started, and ended with the rollout */
        STEP_STATE_MAX_,
};
extern const char *const step_state_names[];

bool plan_may_move(enum step_state from, enum step_state to);
bool plan_step_is_over(enum step_state s);

/* A step of a rollout: what it is and how far. Persisted with the rollout. */
struct rollout_step {
        struct plan_step step;
        enum step_state state;
        int64_t attempts;             /* failed ones */
        int64_t started_at, ended_at; /* wall ms; 0: not yet */
        int64_t moved_at;             /* wall ms: when it last went forward, or what it waits for held */
        int64_t since;                /* wall ms: since when what it waits for holds without a break; 0: not now */
        int64_t batch;                /* stage: the batch that is under way, from 1 */
        int64_t retry_at;             /* wall ms: not before this */
        const char *detail;           /* for people: what came out, or what it waits for */
};
extern const struct table rollout_step_table;

struct fault;

/*
 * Is it a plan? Names unique, needs known, no circle, the last stage is 100, stages only grow along the way, whatever
 * stages or hooks comes after a prepare, nothing goes on after a prepare or a stage that failed. FAULT_CONFIG at the
 * position of what is wrong.
 */
int plan_check(const struct struct_list *steps, struct fault *reterr);

struct rollout_settings;

/*
 * The plan of a rollout: of the app's own steps when there are any, else of its strategy; as struct rollout_step, all
 * pending, in an order in which each stands after what it needs. @routed: a router carries the app's requests. @steps
 * has passed plan_check().
 */
void plan_make(const struct rollout_settings *settings, const struct struct_list *steps, bool routed, struct arena *a,
               struct struct_list *ret);

/* The graph in the DOT language of Graphviz, states as colours; appended to @out. @steps: struct rollout_step. */
struct buffer;
void plan_dot(const char *title, const struct struct_list *steps, struct buffer *out);
