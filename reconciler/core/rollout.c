/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/rollout.h"

#include "reconciler/core/begin.h"
#include "reconciler/core/checks.h"
#include "reconciler/core/repair.h"
#include "reconciler/core/revert.h"
#include "reconciler/core/revive.h"
#include "reconciler/core/split.h"
#include "reconciler/core/stage.h"
#include "reconciler/core/walk.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/* A pause between two looks that is longer than this was not watching: deadlines don't run on. */
#define WATCH_GAP_MS (60 * 1000)

/*
 * Phases
 */

/* The settled release as it was rendered; NULL when it is lost, or was written for another that a crash kept from settling. */
static const struct workload *settled_workload(const struct look *s) {
        return s->app->settled && str_eq(s->app->settled->release, s->next->settled_release) ? s->app->settled : NULL;
}

static void phase_undeclared(struct look *s) {
        const struct instance *items = s->app->instances.items;
        bool anything = s->app->instances.n > 0 || s->next->settled_release;

        /* Nobody wants any more what failed. */
        s->next->failure_code = NULL;
        s->next->failure_text = NULL;
        if (anything && s->app->settings.prune && !s->world->suspended && s->world->ledger_writable) {
                look_go(s, PHASE_REMOVING);
                return;
        }
        for (size_t i = 0; i < s->app->instances.n; i++) {
                struct drift *d = arena_push(s->arena, &s->out->drift.items, &s->out->drift.n, sizeof(struct drift));

                d->service = items[i].service;
                d->index = items[i].index;
                d->instance = items[i].id;
                d->code = REASON_DRIFT_EXTRA;
                d->detail = arena_printf(s->arena, "nothing declares %s any more", items[i].name);
        }
}

/* A repair that had nothing to do, or must wait, was none. */
static void put_right(struct look *s) {
        const struct breaker before = s->next->breaker;

        repair(s);
        /* A split that somebody changed is put right only with what else drifted; otherwise it follows the instances. */
        if (s->out->event == EVENT_REPAIRING || s->lets_go || !look_has_drift(s, REASON_DRIFT_ROUTE))
                split_apply(s);
        if (s->acts || s->out->event != EVENT_REPAIRING)
                return;
        s->out->event = EVENT_NONE;
        s->next->breaker = before;
}

static void phase_settled(struct look *s) {
        if (!s->app->declared) {
                phase_undeclared(s);
                return;
        }
        if (begin_is_due(s, s->next->settled_release)) {
                begin(s);
                return;
        }
        /* The settled release, freshly rendered when it is the declared one. */
        look_aim(s, s->app->wanted && str_eq(s->app->wanted->release, s->next->settled_release) ? s->app->wanted
                                                                                                : settled_workload(s));
        if (!s->goal)
                return;
        /* What failed is no longer wanted: that it is poisoned stays, that it failed is history. */
        if (s->goal == s->app->wanted) {
                s->next->failure_code = NULL;
                s->next->failure_text = NULL;
        }
        drift_find(s->lookup, s->arena, &s->out->drift);
        split_drift(s);
        put_right(s);
}

/* What served before is declared again: going back to it is a revert, not a rollout with stages of its own. */
static bool is_withdrawn(const struct look *s) {
        return !s->app->declared || (s->app->wanted && str_eq(s->app->wanted->release, s->next->settled_release));
}

static bool may_overtake(const struct look *s) {
        return begin_is_due(s, s->next->release) && !is_withdrawn(s);
}

/* True when the release under way is no longer the one that is wanted, and the rollout was turned. */
static bool overtaken(struct look *s) {
        if (s->app->declared && s->app->wanted && str_eq(s->app->wanted->release, s->next->release))
                return false;
        if (may_overtake(s)) {
                begin(s);
                return true;
        }
        /* Withdrawn, or followed by one that may not begin: back to what ran before. It did not fail: no poison. */
        s->next->failure_code = NULL;
        s->next->failure_text = "the release was withdrawn while it was rolled out";
        s->out->event = EVENT_FAILED;
        look_go(s, PHASE_REVERTING);
        return true;
}

/* Deadlines count only the time in which somebody looked, and never run backwards with the clock. */
static void watch(struct look *s) {
        struct rollout_step *steps = s->next->steps.items;
        int64_t gap = s->world->now - s->next->seen_at;

        if (gap < 0 || gap > WATCH_GAP_MS || s->next->progress_at > s->world->now) {
                s->next->progress_at = s->world->now;
                look_break(s->next);
                /* What just has to wait may do so unwatched. */
                for (size_t i = 0; i < s->next->steps.n; i++)
                        if ((steps[i].state == STEP_RUNNING || steps[i].state == STEP_WAITING) && !steps[i].step.wait) {
                                steps[i].started_at += gap;
                                steps[i].moved_at = s->world->now;
                        }
        }
        s->next->seen_at = s->world->now;
}

/* A service that cannot run twice, where the strategy needs two of it: nothing is touched. */
static const struct workload_service *first_exclusive(const struct look *s) {
        const struct workload_service *services = s->goal->services.items;

        if (s->app->settings.strategy != STRATEGY_CANARY && s->app->settings.strategy != STRATEGY_BLUE_GREEN)
                return NULL;
        for (size_t i = 0; i < s->goal->services.n; i++) {
                const struct workload_service *before = s->app->settled ? workload_find(s->app->settled, services[i].name) : NULL;

                if (services[i].exclusive && services[i].role == ROLE_PRIMARY && before &&
                    !str_eq(before->spec_digest, services[i].spec_digest))
                        return &services[i];
        }
        return NULL;
}

static bool failed(struct look *s) {
        const char *code = NULL, *text = NULL;
        const struct workload_service *exclusive;

        if (s->next->doomed) {
                s->next->doomed = false;
                look_fail(s, s->next->failure_code, s->next->failure_text);
                return true;
        }
        if (stage_first_failure(s, &code, &text)) {
                look_fail(s, code, text);
                return true;
        }
        exclusive = first_exclusive(s);
        if (exclusive) {
                look_fail(s, REASON_ROLLOUT_EXCLUSIVE,
                          arena_printf(s->arena, "strategy %s needs two of %s at a time, and it cannot run twice%s%s",
                                       rollout_strategy_names[s->app->settings.strategy], exclusive->name,
                                       exclusive->why_exclusive ? ": " : "", exclusive->why_exclusive ? exclusive->why_exclusive : ""));
                return true;
        }
        return false;
}

/* Only what can be tried for ever without harm may go on for longer: pulling, and what people take their time for. */
static bool is_stalled(struct look *s) {
        if (s->next->phase != PHASE_STAGING ||
            s->world->now - s->next->progress_at <= s->app->settings.progress_deadline_ms)
                return false;
        look_fail(s, REASON_ROLLOUT_TIMEOUT, "the rollout made no step forward before progress_deadline");
        return true;
}

/* preparing, staging, evaluating: the plan is walked. */
static void phase_walking(struct look *s) {
        enum phase phase;

        if (overtaken(s))
                return;
        look_aim(s, s->app->wanted);
        watch(s);
        if (failed(s) || is_stalled(s))
                return;
        if (look_waits_to_retry(s, s->next->phase == PHASE_PREPARING ? "the images" : "the engine")) {
                stage_admit(s);
                split_mend(s);
                return;
        }
        if (revive(s)) {
                stage_admit(s);
                split_mend(s);
                look_wait(s, "what ended with its engine to run again", LOOK_AGAIN_MS);
                return;
        }
        checks_fold(s);
        if (!walk(s))
                return;
        split_apply(s);
        if (walk_is_over(s->next)) {
                look_go(s, PHASE_FINISHING);
                return;
        }
        phase = walk_phase(s);
        if (phase == s->next->phase)
                return;
        /* A phase of its own for people and deadlines; what is tried again is so in any of them. */
        s->next->phase = phase;
}

/* What the new release replaces, and what it no longer has where that is to be removed. */
static bool is_leaving(const struct look *s, const struct instance *i) {
        return s->goal && !lookup_is_wanted(s->lookup, i) && i->state != INSTANCE_REMOVING &&
               (lookup_service(s->lookup, i->service) || s->app->settings.prune);
}

static void mark_leaving(struct look *s) {
        const struct instance *items = s->app->instances.items;

        for (size_t i = 0; i < s->app->instances.n; i++)
                s->retiring[i] = is_leaving(s, &items[i]);
}

/* Until the requests are with the new instances nothing is proven: the old ones are still there to go back to. */
static void route_at_last(struct look *s) {
        if (s->world->now - s->next->progress_at > s->app->settings.progress_deadline_ms) {
                look_fail(s, REASON_ROUTER_UNAVAILABLE,
                          s->out->waits_for ? s->out->waits_for : "the router did not follow before progress_deadline");
                return;
        }
        split_apply(s);
        look_wait(s, "the router to follow", LOOK_AGAIN_MS);
}

/* The new release is proven: what it replaces goes. True when nothing of it is left. */
static bool clear_away(struct look *s) {
        const struct instance *items = s->app->instances.items;
        bool nothing = true;

        for (size_t i = 0; i < s->app->instances.n; i++) {
                if (!is_leaving(s, &items[i]))
                        continue;
                nothing = false;
                if (!split_releases(s, &items[i]))
                        continue;
                if (items[i].state == INSTANCE_RUNNING || items[i].state == INSTANCE_RESTARTING || items[i].state == INSTANCE_PAUSED)
                        look_act(s, VERB_STOP, NULL, items[i].index, &items[i], NULL, "the new release is proven");
                look_act(s, VERB_REMOVE, NULL, items[i].index, &items[i], NULL, "the new release is proven");
        }
        return nothing;
}

/* The release is proven: from here on it is the settled one, while what makes it so is at hand. */
static void settle(struct look *s) {
        s->next->settled_release = s->next->release;
        s->next->settled_version = s->next->version;
        s->next->settled_at = s->world->now;
        s->next->failure_code = NULL;
        s->next->failure_text = NULL;
        s->next->breaker = (struct breaker){ .state = BREAKER_CLOSED };
        s->out->event = EVENT_SETTLED;
        look_go(s, PHASE_FINISHING);
}

/* The plan is walked; nothing is proven until the requests are with the new instances. */
static void follow_and_settle(struct look *s) {
        if (overtaken(s))
                return;
        watch(s);
        if (failed(s))
                return;
        s->next->candidate = -1;
        mark_leaving(s);
        if (split_follows(s))
                settle(s);
        else
                route_at_last(s);
}

static void phase_finishing(struct look *s) {
        look_aim(s, s->app->wanted && str_eq(s->app->wanted->release, s->next->release) ? s->app->wanted : settled_workload(s));
        if (!str_eq(s->next->settled_release, s->next->release)) {
                follow_and_settle(s);
                return;
        }
        mark_leaving(s);
        if (look_waits_to_retry(s, "what was replaced to go")) {
                split_mend(s);
                return;
        }
        if (!clear_away(s)) {
                split_apply(s);
                return;
        }
        s->next->kept = (struct string_list){ .items = NULL };
        s->next->steps = (struct struct_list){ .items = NULL };
        s->next->checks = (struct struct_list){ .items = NULL };
        look_go(s, PHASE_SETTLED);
        look_act(s, VERB_COLLECT, NULL, 0, NULL, NULL, "what no release needs");
}

/* A revert that waits for something for too long, a router that is away, needs a person as much as one that fails. */
static void be_loud_when_late(struct look *s) {
        if (s->next->phase != PHASE_REVERTING || s->acts ||
            s->world->now - s->next->progress_at <= s->app->settings.progress_deadline_ms)
                return;
        if (!s->next->failure_text)
                s->next->failure_text = s->out->waits_for;
        s->out->event = EVENT_STUCK;
        look_go(s, PHASE_STUCK);
}

static void phase_reverting(struct look *s) {
        look_aim(s, settled_workload(s));
        watch(s);
        walk_end(s->next, s->world->now);
        if (look_waits_to_retry(s, "the release before")) {
                split_mend(s);
                return;
        }
        if (!revert(s)) {
                be_loud_when_late(s);
                return;
        }
        s->next->kept = (struct string_list){ .items = NULL };
        s->next->steps = (struct struct_list){ .items = NULL };
        s->next->candidate = -1;
        s->next->release = s->next->settled_release;
        s->next->version = s->next->settled_version;
        s->out->event = EVENT_REVERTED;
        look_go(s, s->next->settled_release ? PHASE_SETTLED : PHASE_ABSENT);
}

static void phase_paused(struct look *s) {
        walk_end(s->next, s->world->now);
        if (is_withdrawn(s)) {
                look_go(s, PHASE_REVERTING);
                return;
        }
        if (may_overtake(s) || begin_is_due_again(s)) {
                begin(s);
                return;
        }
        look_wait(s, "a person: the rollout is paused after a failure; merge another release, or a signed retry of this one", 0);
        /* All stays, but for requests to what stays no more. */
        if (!s->app->wanted || !str_eq(s->app->wanted->release, s->next->release))
                return;
        look_aim(s, s->app->wanted);
        stage_admit(s);
        split_mend(s);
}

static void phase_stuck(struct look *s) {
        if (may_overtake(s))
                begin(s);
        else
                phase_reverting(s);
}

static void phase_removing(struct look *s) {
        const struct instance *items = s->app->instances.items;

        /* Declared again before all of it was gone: what is missing of the settled release is drift. */
        if (s->app->declared) {
                look_go(s, s->next->settled_release ? PHASE_SETTLED : PHASE_ABSENT);
                return;
        }
        if (look_waits_to_retry(s, "the instances to go"))
                return;
        if (!split_end(s) && !s->acts)
                return;
        for (size_t i = 0; i < s->app->instances.n; i++) {
                look_act(s, VERB_STOP, NULL, items[i].index, &items[i], NULL, "the app is no longer declared");
                look_act(s, VERB_REMOVE, NULL, items[i].index, &items[i], NULL, "the app is no longer declared");
        }
        if (s->acts)
                return;
        s->next->release = s->next->version = NULL;
        s->next->settled_release = s->next->settled_version = NULL;
        s->next->kept = (struct string_list){ .items = NULL };
        s->out->event = EVENT_REMOVED;
        look_go(s, PHASE_ABSENT);
        look_act(s, VERB_COLLECT, NULL, 0, NULL, NULL, "what no release needs");
}

static void (*const phases[PHASE_MAX_])(struct look *s) = {
        [PHASE_ABSENT] = phase_settled,
        [PHASE_SETTLED] = phase_settled,
        [PHASE_PREPARING] = phase_walking,
        [PHASE_STAGING] = phase_walking,
        [PHASE_EVALUATING] = phase_walking,
        [PHASE_FINISHING] = phase_finishing,
        [PHASE_REVERTING] = phase_reverting,
        [PHASE_PAUSED] = phase_paused,
        [PHASE_STUCK] = phase_stuck,
        [PHASE_REMOVING] = phase_removing,
};

/*
 * A pass that was killed when it had written the release down as the settled one, and had not yet written down the rollout. What is proven
 * stays proven; of the release before only the instances are left, and nothing to make new ones from.
 */
static bool was_proven(const struct look *s) {
        const struct rollout *r = s->next;

        return s->app->settled && r->settled_release && str_eq(s->app->settled->release, r->release) &&
               !str_eq(r->release, r->settled_release) && r->phase >= PHASE_PREPARING && r->phase <= PHASE_FINISHING;
}

void rollout_look(struct look *s) {
        enum phase before;

        if (s->next->phase != PHASE_SETTLED && s->next->phase != PHASE_ABSENT)
                split_notice(s);
        if (was_proven(s)) {
                s->next->candidate = -1;
                settle(s);
                return;
        }
        /* An event ends the look: it is recorded before anything follows from it. */
        do {
                before = s->next->phase;
                phases[before](s);
        } while (s->next->phase != before && !s->acts && s->out->event == EVENT_NONE);
}
