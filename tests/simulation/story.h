/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Story: a random app on a simulated host, and what befalls it
 *
 * Everything follows from a seed and a round. What the app is comes from one row of random numbers, what befalls it
 * from another, so that a story told again with fewer kinds of faults is about the same app: that is how a failing one
 * is made shorter.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/simulation.h"

enum trouble {
        TROUBLE_KILL,          /* an instance ends by itself */
        TROUBLE_HAND,          /* somebody removes one */
        TROUBLE_CHANGE,        /* … or changes it */
        TROUBLE_EXTRA,         /* … or makes one */
        TROUBLE_ILL,           /* one is ill for a moment */
        TROUBLE_FORWARD,       /* the clock is set on */
        TROUBLE_BACK,          /* … or back */
        TROUBLE_GAP,           /* nobody looks for a while */
        TROUBLE_CRASH,         /* the pass is killed */
        TROUBLE_FAIL,          /* an action fails: no verdict on the release */
        TROUBLE_REFUSE,        /* … for good */
        TROUBLE_ENGINE,        /* the engine does not answer */
        TROUBLE_ROUTER,        /* the router does not answer */
        TROUBLE_ROUTE_REFUSED, /* … does not take a route */
        TROUBLE_ROUTE_ALTERED, /* … is changed by somebody */
        TROUBLE_CHECK,         /* a check says something else for a while */
        TROUBLE_SUSPEND,       /* acting is suspended for a while */
        TROUBLE_OVERTAKE,      /* another release is declared */
        TROUBLE_WITHDRAW,      /* the one before is declared again */
        TROUBLE_UNDECLARE,     /* none is declared for a while */
        TROUBLE_RETRY,         /* a retry is signed */
        TROUBLE_MAX_,
};
extern const char *const trouble_names[];

/* What is wrong with a release. */
enum mood {
        MOOD_GOOD,
        MOOD_ILL, /* a service of it … */
        MOOD_DIES,
        MOOD_LOOPS,
        MOOD_NEVER_HEALTHY,
        MOOD_JOB_FAILS,
        MOOD_CHECK_FAILS,
        MOOD_CHECK_SILENT,
        MOOD_MAX_,
};

#define STORY_RELEASES 4

struct story_release {
        struct workload *workload;
        struct struct_list checks;
        struct app_settings settings;
        struct struct_list plan;
        enum mood mood;
        bool bad; /* it can not be proven, whatever happens */
};

struct story {
        struct simulation sim;
        uint64_t app_random, fate_random;
        uint32_t troubles; /* which kinds may happen */
        struct story_release releases[STORY_RELEASES];
        int wanted;   /* index; -1: none */
        int retries;  /* signed so far */
        bool calm;    /* nothing befalls it any more */
        int failures; /* actions that had failed before this look */
        bool said;    /* a check says something else for a moment: the last of sim.sayings */
        /* What the watch remembers; see watch.c. */
        bool taken;  /* something took an instance since the rollout began, other than the rollout */
        bool jumped; /* the clock did */
        const struct decision *decision; /* that is carried out */
        int64_t promised[8];             /* of each service of the app, by its place */
        bool promises;
        struct string_list ran;      /* specifications of which an instance ended well since the rollout began */
        struct string_list used;     /* retries that were used up */
        struct string_list poisoned; /* as last persisted */
        enum step_state states[64];
        size_t n_states;
        int64_t states_of; /* started_at of the rollout that states[] are of; 0: none */
        const char *states_release;
        int64_t looks;
        bool verbose;
        bool thorough;          /* the same world is decided again at every look, not only at some */
        uint64_t sample_random; /* which those are */
        char failure[400];      /* empty: all is well */
};

uint32_t story_random(uint64_t *state, uint32_t below);

/* Begin round @round of @seed. */
void story_begin(struct story *t, uint64_t seed, uint64_t round, uint32_t troubles);
/* One of which everything is known: no troubles, and release 1 is in this mood. */
void story_begin_plain(struct story *t, enum rollout_strategy strategy, enum rollout_order order, bool own_plan,
                       enum mood mood);
void story_end(struct story *t);

/* Declare the release with this index (-1: none), with its own settings, checks and plan. */
void story_want(struct story *t, int release);

/*
 * One look, as far as it comes; then time passes. False when an invariant broke. @ret_quiet: nothing was due, and
 * nothing is.
 */
bool story_look(struct story *t, bool *ret_quiet);

/* Looks until three in a row are quiet, at most @n; with troubles when @troubled. */
bool story_looks(struct story *t, int n, bool troubled);

/*
 * A first release, then others, with troubles; at the end nothing happens any more and it must come to rest. False: see
 * failure.
 */
bool story_tell(struct story *t);

/* Only the calm end of it. */
bool story_converges(struct story *t);

/* watch.c: the invariants. */
void watch_begin(struct story *t);
void watch_judge(struct simulation *s, const struct decision *d);
void watch_action(struct simulation *s, const struct action *action);
void watch_after(struct story *t, const struct decision *d, bool whole);
/* The promise about instances in service was broken by something else than the rollout. */
void watch_taken(struct story *t);
bool story_fails(struct story *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* troubles.c: what befalls it before the next look. */
void trouble_strike(struct story *t);
int trouble_interfere(struct simulation *s, const struct action *action, struct fault *fault);
void trouble_end(struct story *t);
