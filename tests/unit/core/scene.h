/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Scene: the simulated host of one scenario, and what the scenario asks of it
 *
 * Names: releases are 1 to 4; services are a, b, c, …; an instance is SERVICE INDEX @ RELEASE: a2@1. A specification
 * that several releases share belongs to the first of them. An action is VERB:INSTANCE (stop:a2@1), VERB (prepare,
 * route, collect), unroute:ROUTER or command:NAME/STEP/TIMEOUT. Patterns are those of pattern_matches().
 * tests/unit/core/README.md has every line.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/simulation.h"
#include "tests/unit/core/line.h"

#define SCENE_RELEASES 4

struct scene_fault {
        const char *pattern;
        enum fault_kind kind;
        const char *code;
        int64_t times; /* this many times; -1: always */
};

/* So many instances of a specification were up. */
struct scene_running {
        const char *spec;
        int64_t n;
};

struct scene {
        struct simulation s;
        struct line *line; /* that is carried out */
        struct workload *releases[SCENE_RELEASES];
        struct struct_list steps;         /* struct plan_step, of the next `want` */
        struct struct_list faults;        /* struct scene_fault */
        struct struct_list always;        /* struct line: conditions that hold after every look */
        struct struct_list haunts;        /* struct line: changes of instances that are made after every look */
        struct string_list forbidden;     /* patterns of actions */
        const char *alone, *alone_action; /* no such action while such an instance runs; NULL: not watched */
        struct string_list trace;         /* actions since the mark */
        struct decision decision;         /* the last one */
        const char *crash, *crash_when;   /* the next look that has such an action is killed there */
        bool replays;                     /* the last decision came out the same from the world's document */
        int64_t marked;
        int commands, facts, moves, crashes;
        int64_t drain_ms;       /* what serves is let go of for so long before it stops; 0: not watched */
        int drained;            /* so many were */
        int events[EVENT_MAX_]; /* at the mark */
        struct struct_list cut; /* struct scene_running: at the last power cut */
};

struct workload *scene_release(struct scene *c, const char *name);
struct workload_service *scene_service(struct scene *c, struct workload *w, const char *name);
const char *scene_instance(struct scene *c, const struct instance *i);
const char *scene_action(struct scene *c, const struct action *action);
/* Release number of an id; "none". */
const char *scene_release_name(struct scene *c, const char *release);

/* How many instances of a specification run or are restarted by the engine. */
int64_t scene_running(const struct scene *c, const char *spec);

void scene_done(struct scene *c);
/* Carry out a line. */
void scene_play(struct scene *c, struct line *l);

/* expect.c: do the conditions of the line hold? If not, *ret_seen says what does. */
bool expect_holds(struct scene *c, struct line *l, const char **ret_seen);
