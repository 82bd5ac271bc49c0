/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A simulated host for tests of the pure core: instances that do what actions say, a router, checks, commands, faults
 * on demand, time as a number. It is a world with a memory; decide() cannot tell it from a real one.
 *
 * The rollout goes through its JSON before every look, as it does on a host: what does not survive its file is not
 * remembered. A look can be killed at any of its points (sim_pass); then only what was persisted, and the world, is
 * left.
 */

#include <stdlib.h>
#include <string.h>

#include "policies/gate.h"
#include "reconciler/core/rollout.h"
#include "reconciler/core/decide.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/model/settings.h"

/* What becomes of the instances of a specification; without one they become healthy at once, and jobs end well. */
enum fate {
        FATE_WELL,
        FATE_SLOW,     /* healthy after a while */
        FATE_STARTING, /* never healthy, never ill */
        FATE_ILL,      /* its health check fails after a while */
        FATE_DIES,     /* exits with code 1 after a while */
        FATE_LOOPS,    /* the engine restarts it again and again */
        FATE_MAX_,
};

struct sim_fate {
        const char *spec;
        enum fate fate;
        int64_t after_ms;
};

/* What is known of an instance beside what a runtime shows. Times are of a clock that never jumps. */
struct sim_life {
        const char *id;
        bool job;
        int64_t port;              /* of the container, that it publishes; 0: none */
        int64_t started;           /* 0: never */
        int64_t let_go;            /* since when no route leads to it; 0: always, or one does now */
        bool routed;               /* a route leads to it */
        struct string_list passed; /* checks that it passed since it was started */
};

struct sim_router {
        bool away;
        int refuses;   /* so many ROUTEs and UNROUTEs to come fail; -1: for ever */
        bool for_good; /* … because what is asked is invalid */
        struct route_state state;
        int moves; /* how often it was changed */
};

/* What a check says: of instances of @spec (NULL: of any, or of the release). */
struct sim_saying {
        const char *check, *spec;
        enum check_verdict verdict;
        bool measures;
        int64_t value, baseline;
};

struct simulation {
        struct arena *arena;   /* lives as long as the simulation */
        struct arena *scratch; /* of one look; the same as arena unless sim_forget() is used */
        struct decision_input world;
        struct app_input app;
        struct struct_list instances; /* struct instance, unsorted */
        struct struct_list lives;     /* struct sim_life, beside instances */
        int next_id, next_port;
        int64_t mono;   /* what really passed, ms */
        int64_t job_ms; /* how long a job takes: default 300 */
        bool has_health_check;
        const char *broken_spec;    /* instances of this specification turn unhealthy at once */
        const char *crashing_spec;  /* … or exit by themselves */
        struct struct_list fates;   /* struct sim_fate */
        struct struct_list sayings; /* struct sim_saying: the last that fits counts; none: the check passes */
        /* struct workload *: what CREATE and PREPARE may work from beside wanted and settled */
        struct struct_list releases;
        struct sim_router routers[ROUTER_KIND_MAX_];
        int failing_commands; /* so many commands to come fail; -1: all */
        int commands;         /* run so far */
        /* Called before an action takes effect; a negative result with the fault set fails it. NULL: nothing fails. */
        int (*interfere)(struct simulation *s, const struct action *action, struct fault *fault);
        void *data; /* of the test */
        /* Called for every action that is carried out, before its effect. NULL: nobody looks. */
        void (*witness)(struct simulation *s, const struct action *action);
        /* Called by sim_pass() with what decide() made of the world, which still stands in @s. NULL: nobody looks. */
        void (*judge)(struct simulation *s, const struct decision *d);
        bool nobody_checks; /* no check that is due is made */
        const char *gate;   /* a gate beside those of policies/, while a rollout is under way; NULL: none */
        enum verdict_value gate_says;
        struct string_list *trace; /* gets a line for every action; NULL: none */
        int actions, failures;     /* carried out so far; those that failed */
        int facts_made;
        /* places where a pass may be killed: passed so far, and where it is; -1: nowhere */
        int points, kill_at;
        enum event last_event;
        int events[EVENT_MAX_];
};

void sim_init(struct simulation *s);
/* The same, where release 1.0 of two services is in service. */
void sim_init_settled(struct simulation *s);
void sim_done(struct simulation *s);

/* From now on every look has memory of its own, released at the next one: decisions live that long only. */
void sim_forget(struct simulation *s);

const char *sim_digest(struct simulation *s, const char *seed);

/*
 * A workload of @n services svc0, svc1, … each of @replicas; the specification of service i changes with @versions[i].
 */
struct workload *sim_workload(struct simulation *s, const char *version, size_t n, int64_t replicas,
                              const char *const *versions);
/* One service of it. */
struct workload_service *sim_service(struct workload *w, size_t at);
void sim_depend(struct simulation *s, struct workload *w, size_t from, size_t on, enum depend_condition c);
/* @router carries the requests to service @at. */
void sim_route_to(struct simulation *s, struct workload *w, size_t at, enum router_kind router, int64_t drain_ms);
void sim_fate(struct simulation *s, const struct workload_service *service, enum fate fate, int64_t after_ms);
void sim_say(struct simulation *s, const char *check, const struct workload_service *service,
             enum check_verdict verdict);
/* A check of the declared release, made every @interval_ms, that fails after @retries failures in a row. */
struct check *sim_check(struct simulation *s, const char *name, const struct workload_service *service,
                        int64_t interval_ms, int64_t retries);

/* Declare a release (NULL: none), with the plan that these settings give. */
void sim_want(struct simulation *s, struct workload *w);
/* The plan of the declared release. */
void sim_plan(struct simulation *s, const struct rollout_settings *settings, const struct struct_list *steps);
/* A step for an own plan; @needs: names with spaces between, NULL: the one before. */
struct plan_step *sim_step(struct simulation *s, struct struct_list *steps, const char *name, const char *needs);

struct instance *sim_find(struct simulation *s, const char *id);
struct sim_life *sim_life(struct simulation *s, const char *id);
void sim_remove(struct simulation *s, const char *id);
/* What @router has in force was changed: whom it let go of is let go as of now. */
void sim_reroute(struct simulation *s, enum router_kind router);

/* What time does to instances: checks pass or fail, processes end. */
void sim_settle(struct simulation *s);
/* Time passes. */
void sim_wait(struct simulation *s, int64_t ms);

/*
 * Fill in the world: instances sorted, the route, facts of the checks that are due, verdicts. The rollout goes through
 * its JSON.
 */
void sim_look(struct simulation *s);
/* Look and decide; the rollout's next state is kept, as the pass would persist it. */
struct decision sim_decide(struct simulation *s);
/*
 * Carry out one action; false when it failed. An action on something that is gone does nothing, as in a real engine's
 * idempotent calls.
 */
bool sim_act(struct simulation *s, const struct action *action);
/* All of them, up to the first that fails. */
bool sim_act_all(struct simulation *s, const struct decision *d);

/*
 * A look as the pass makes it: persist, act, persist; killed at point kill_at, when that comes. False when it was: the
 * state is what was persisted last.
 */
bool sim_pass(struct simulation *s, struct decision *ret);

/* Passes until nothing happens for a while; at most @limit looks. True when it came to rest. */
bool sim_run(struct simulation *s, int limit);
/* Passes until the rollout is in @phase, or has taken @limit looks; true when it is. */
bool sim_run_to(struct simulation *s, enum phase phase, int limit);

size_t sim_running(const struct simulation *s, const char *spec);
/* Running and healthy, of service @name; of @spec when that is not NULL. */
size_t sim_healthy(const struct simulation *s, const char *name, const char *spec);
/* Exactly the instances of @w, all running, nothing else; jobs have ended or are gone. */
bool sim_is_exactly(const struct simulation *s, const struct workload *w);
/* What @router has in force leads to exactly the running instances of the routed service; nothing when @w is NULL. */
bool sim_routes_exactly(const struct simulation *s, const struct workload *w);
const struct rollout_step *sim_step_of(const struct simulation *s, const char *name);
enum step_state sim_state_of(const struct simulation *s, const char *name);
