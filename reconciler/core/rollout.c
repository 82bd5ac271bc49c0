/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/rollout.h"

#include "shared/base/reason.h"
#include "shared/base/text.h"

/* How soon to look again while instances start or health is awaited, and how often a revert is tried before it is loud. */
#define LOOK_AGAIN_MS 200
#define REVERT_TRIES 5
/* An instance that the engine had to restart must stay up this long, whatever min_healthy_time says. */
#define RESTARTED_HOLD_MS (10 * 1000)
/* A pause between two looks that is longer than this was not watching: deadlines don't run on. */
#define WATCH_GAP_MS (60 * 1000)

#define BACK_OFF_MAX_MS (5 * 60 * 1000)

int64_t rollout_back_off_ms(int64_t attempts) {
        int64_t wait = 1000;

        for (int64_t i = 1; i < attempts && wait < BACK_OFF_MAX_MS; i++)
                wait *= 2;
        return wait < BACK_OFF_MAX_MS ? wait : BACK_OFF_MAX_MS;
}

/*
 * Moves of the state. Each resets what belongs to the phase that is left.
 */

static void go(struct step *s, enum phase phase) {
        s->next->phase = phase;
        s->next->progress_at = s->world->now;
        s->next->healthy_since = 0;
        s->next->attempts = 0;
        s->next->retry_at = 0;
}

static void begin(struct step *s) {
        const struct instance *instances = s->app->instances.items;
        const struct workload *wanted = s->app->wanted;
        bool fresh = s->next->phase == PHASE_SETTLED || s->next->phase == PHASE_ABSENT;

        /* A release that overtakes a running rollout goes back to the same old instances if it fails. */
        if (fresh) {
                s->next->kept = (struct string_list){ .items = NULL };
                for (size_t i = 0; i < s->app->instances.n; i++)
                        if (instances[i].state == INSTANCE_RUNNING || instances[i].state == INSTANCE_RESTARTING ||
                            instances[i].state == INSTANCE_PAUSED) {
                                struct text_at *kept = arena_push(s->arena, &s->next->kept.items, &s->next->kept.n,
                                                                  sizeof(struct text_at));
                                kept->text = instances[i].id;
                        }
        }
        s->next->release = wanted->release;
        s->next->version = wanted->version;
        s->next->prepared = false;
        s->next->started_at = s->world->now;
        s->next->seen_at = s->world->now;
        s->next->failure_code = NULL;
        s->next->failure_text = NULL;
        go(s, PHASE_PREPARING);
        s->out->event = EVENT_STARTED;
}

static void poison(struct step *s) {
        struct text_at *item;

        if (!s->next->release || rollout_is_poisoned(s->next, s->next->release))
                return;
        /* A copy: the list that came in belongs to the world. */
        struct string_list old = s->next->poisoned;
        s->next->poisoned.items = arena_array(s->arena, old.n + 1, sizeof(struct text_at));
        if (old.n > 0)
                memcpy(s->next->poisoned.items, old.items, old.n * sizeof(struct text_at));
        item = &s->next->poisoned.items[old.n];
        item->text = s->next->release;
        s->next->poisoned.n = old.n + 1;
}

static void fail(struct step *s, const char *code, const char *text) {
        s->next->failure_code = code;
        s->next->failure_text = text;
        poison(s);
        s->out->event = EVENT_FAILED;
        go(s, s->app->settings.on_failure == ON_FAILURE_PAUSE ? PHASE_PAUSED : PHASE_REVERTING);
}

static bool gates_allow(const struct step *s) {
        return verdict_combined(&s->app->verdicts) == VERDICT_ALLOW;
}

/* Another release than the one under way, or than the settled one, may begin. */
static bool may_begin(const struct step *s, const char *than) {
        return s->app->declared && s->app->wanted && !str_eq(s->app->wanted->release, than) && gates_allow(s);
}

/* What failed is tried again after a while; a clock that was set back does not make the while any longer. */
static bool waits_to_retry(struct step *s, const char *what) {
        int64_t left = s->next->retry_at - s->world->now;

        if (left <= 0 || left > BACK_OFF_MAX_MS)
                return false;
        step_wait(s, s->next->failure_text ? s->next->failure_text : what, left);
        return true;
}

/*
 * Phases
 */

static const char *why_replaced(const struct step *s, const struct instance *old, const struct workload_service *service) {
        if (!str_eq(old->image, service->image))
                return arena_printf(s->arena, "image %s → %s", old->image ? old->image : "(none)", service->image);
        return "its specification changed";
}

/* A stopped instance starts again; what is wrong otherwise needs a new instance, made from verified content. */
static bool starts_in_place(const struct drift *d, const struct instance *instance) {
        return str_eq(d->code, REASON_DRIFT_STOPPED) && instance && instance->state != INSTANCE_DEAD;
}

static void repair_replica(struct step *s, const struct drift *d) {
        const struct workload_service *service = lookup_service(s->lookup, d->service);
        const struct instance *instance = lookup_instance(s->lookup, service, d->index);

        if (starts_in_place(d, instance)) {
                step_act(s, VERB_START, service, d->index, instance, d->code, d->detail);
                return;
        }
        if (instance) {
                step_act(s, VERB_STOP, service, d->index, instance, d->code, d->detail);
                step_act(s, VERB_REMOVE, service, d->index, instance, d->code, d->detail);
        }
        step_act(s, VERB_CREATE, service, d->index, NULL, d->code, d->detail);
        step_act(s, VERB_START, service, d->index, NULL, d->code, d->detail);
}

/* Drift that a repair can do something about; ill health and a restarting engine are only told. */
static bool is_repairable(const struct step *s, const struct drift *d) {
        const struct workload_service *service = lookup_service(s->lookup, d->service);
        const struct instance *instance = service ? lookup_instance(s->lookup, service, d->index) : NULL;

        if (str_eq(d->code, REASON_DRIFT_UNHEALTHY))
                return false;
        if (str_eq(d->code, REASON_DRIFT_EXTRA))
                return service || s->app->settings.prune;
        return !instance || instance->state != INSTANCE_RESTARTING;
}

static void repair_extra(struct step *s, const struct drift *d) {
        const struct instance *items = s->app->instances.items;

        for (size_t i = 0; i < s->app->instances.n; i++)
                if (str_eq(items[i].id, d->instance)) {
                        step_act(s, VERB_STOP, NULL, items[i].index, &items[i], d->code, d->detail);
                        step_act(s, VERB_REMOVE, NULL, items[i].index, &items[i], d->code, d->detail);
                        return;
                }
}

/* Repairs slow down when they don't last: three at once, then after back-off; an hour of quiet forgets them. */
static bool may_repair(struct step *s) {
        static const int64_t waits_ms[] = { 0, 0, 0, 10000, 30000, 60000, 300000, 600000 };
        const int64_t n = sizeof(waits_ms) / sizeof(waits_ms[0]), forget_ms = 3600 * 1000;
        int64_t since = s->world->now - s->next->repaired_at, wait;

        if (since < 0 || since > forget_ms)
                s->next->repairs = 0;
        wait = waits_ms[s->next->repairs < n ? s->next->repairs : n - 1];
        if (s->next->repairs > 0 && since >= 0 && since < wait) {
                step_wait(s, "drift came back soon after its repair; the next repair waits", wait - since);
                return false;
        }
        return true;
}

/* Extra instances first: they may hold the name or the port of one that is missing. */
static void repair_all(struct step *s) {
        const struct drift *drift = s->out->drift.items;
        bool prepared = false;

        for (size_t i = 0; i < s->out->drift.n; i++)
                if (str_eq(drift[i].code, REASON_DRIFT_EXTRA) && is_repairable(s, &drift[i]))
                        repair_extra(s, &drift[i]);
        for (size_t i = 0; i < s->out->drift.n; i++) {
                const struct workload_service *service = lookup_service(s->lookup, drift[i].service);

                if (str_eq(drift[i].code, REASON_DRIFT_EXTRA) || !is_repairable(s, &drift[i]))
                        continue;
                if (!prepared && !starts_in_place(&drift[i], lookup_instance(s->lookup, service, drift[i].index))) {
                        step_act(s, VERB_PREPARE, NULL, 0, NULL, drift[i].code, "verify what new instances are made from");
                        prepared = true;
                }
                repair_replica(s, &drift[i]);
        }
}

static void repair(struct step *s) {
        const struct drift *drift = s->out->drift.items;
        bool any = false;

        for (size_t i = 0; i < s->out->drift.n; i++)
                any = any || is_repairable(s, &drift[i]);
        if (!any || s->app->settings.drift != DRIFT_REPAIR || s->world->suspended || !s->world->ledger_writable ||
            !may_repair(s))
                return;
        repair_all(s);
        s->next->repairs++;
        s->next->repaired_at = s->world->now;
        s->out->event = EVENT_REPAIRING;
}

static void phase_undeclared(struct step *s) {
        const struct instance *items = s->app->instances.items;
        bool anything = s->app->instances.n > 0 || s->next->settled_release;

        /* Nobody wants any more what failed. */
        s->next->failure_code = NULL;
        s->next->failure_text = NULL;
        if (anything && s->app->settings.prune && !s->world->suspended && s->world->ledger_writable) {
                go(s, PHASE_REMOVING);
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

static void phase_settled(struct step *s) {
        if (!s->app->declared) {
                phase_undeclared(s);
                return;
        }
        if (may_begin(s, s->next->settled_release)) {
                begin(s);
                return;
        }
        /* The settled release, freshly rendered when it is the declared one. */
        step_aim(s, s->app->wanted && str_eq(s->app->wanted->release, s->next->settled_release) ? s->app->wanted
                                                                                                : s->app->settled);
        if (!s->goal)
                return;
        /* What failed is no longer wanted: that it is poisoned stays, that it failed is history. */
        if (s->goal == s->app->wanted) {
                s->next->failure_code = NULL;
                s->next->failure_text = NULL;
        }
        drift_find(s->lookup, s->arena, &s->out->drift);
        repair(s);
}

/* True when the release under way is no longer the one that is wanted, and the rollout was turned. */
static bool overtaken(struct step *s) {
        if (s->app->declared && s->app->wanted && str_eq(s->app->wanted->release, s->next->release))
                return false;
        if (may_begin(s, s->next->release)) {
                begin(s);
                return true;
        }
        /* Withdrawn, or followed by one that may not begin: back to what ran before. It did not fail: no poison. */
        s->next->failure_code = NULL;
        s->next->failure_text = "the release was withdrawn while it was rolled out";
        s->out->event = EVENT_FAILED;
        go(s, PHASE_REVERTING);
        return true;
}

static void phase_preparing(struct step *s) {
        if (overtaken(s))
                return;
        if (s->next->prepared) {
                go(s, PHASE_STAGING);
                return;
        }
        if (waits_to_retry(s, "the images"))
                return;
        step_aim(s, s->app->wanted);
        step_act(s, VERB_PREPARE, NULL, 0, NULL, NULL, "pull and verify the images before anything is stopped");
}

/* Whether what a service depends on is as far as it must be. */
static bool dependencies_met(const struct step *s, const struct workload_service *service) {
        const struct depend *depends = service->depends_on.items;

        for (size_t d = 0; d < service->depends_on.n; d++) {
                const struct workload_service *on = lookup_service(s->lookup, depends[d].service);
                bool job = on && lookup_is_job(s->lookup, on);

                if (!on)
                        continue;
                for (int64_t index = 1; index <= on->replicas; index++) {
                        const struct instance *i = lookup_instance(s->lookup, on, index);
                        bool met = i && (depends[d].condition == DEPEND_HEALTHY     ? instance_is_healthy(i, job)
                                         : depends[d].condition == DEPEND_COMPLETED ? i->state == INSTANCE_EXITED && i->exit_code == 0
                                                                                    : instance_is_up(i, job));

                        if (!met && (depends[d].required || (i && !instance_has_failed(i, job))))
                                return false;
                }
        }
        return true;
}

/*
 * Stop the predecessors of a service: those that still run, and, before a successor starts, also those that ended by
 * themselves: they may still carry the name that it takes.
 */
static void stop_old(struct step *s, const struct workload_service *service, bool ended) {
        const struct instance *first, *end;

        lookup_range(s->lookup, service->name, &first, &end);
        for (const struct instance *i = first; i < end; i++)
                if (!lookup_is_wanted(s->lookup, i) && (ended || i->state != INSTANCE_EXITED) &&
                    i->state != INSTANCE_CREATED && i->state != INSTANCE_REMOVING && i->state != INSTANCE_DEAD)
                        step_act(s, VERB_STOP, service, i->index, i, NULL, why_replaced(s, i, service));
}

/* True when all replicas of the service are there and up. Adds what is missing. */
static bool stage_service(struct step *s, const struct workload_service *service) {
        bool job = lookup_is_job(s->lookup, service), up = true, start = false;

        for (int64_t index = 1; index <= service->replicas; index++) {
                const struct instance *i = lookup_instance(s->lookup, service, index);

                if (i && instance_is_up(i, job))
                        continue;
                up = false;
                if (!i)
                        step_act(s, VERB_CREATE, service, index, NULL, NULL, "the release declares it");
                start = start || !i || i->state == INSTANCE_CREATED || i->state == INSTANCE_EXITED;
        }
        if (up && !start) {
                stop_old(s, service, false);
                return true;
        }
        if (!dependencies_met(s, service)) {
                step_wait(s, arena_printf(s->arena, "what %s depends on", service->name), LOOK_AGAIN_MS);
                return false;
        }
        stop_old(s, service, start);
        for (int64_t index = 1; index <= service->replicas; index++) {
                const struct instance *i = lookup_instance(s->lookup, service, index);

                if (!i || i->state == INSTANCE_CREATED || (i->state == INSTANCE_EXITED && !instance_is_up(i, job)))
                        step_act(s, VERB_START, service, index, i, NULL, "it takes over");
        }
        return false;
}

/* The first new instance that stopped by itself or is ill; NULL when none. One that merely was kept is judged as well. */
static const struct instance *first_failure(const struct step *s, const char **ret_code, const char **ret_text) {
        const struct instance *items = s->app->instances.items;

        for (size_t n = 0; n < s->app->instances.n; n++) {
                const struct instance *i = &items[n];
                const struct workload_service *service = lookup_service(s->lookup, i->service);
                bool job = service && lookup_is_job(s->lookup, service);

                if (!lookup_is_wanted(s->lookup, i) || step_is_kept(s, i))
                        continue;
                if (instance_has_failed(i, job) && (i->started_at > 0 || i->state != INSTANCE_EXITED)) {
                        *ret_code = REASON_ROLLOUT_EXITED;
                        *ret_text = arena_printf(s->arena, "%s stopped by itself (%s, exit code %lld, restarted %lld times)",
                                                 i->name, instance_state_names[i->state], (long long)i->exit_code,
                                                 (long long)i->restarts);
                        return i;
                }
                if (i->health == HEALTH_UNHEALTHY && i->state == INSTANCE_RUNNING) {
                        *ret_code = REASON_ROLLOUT_UNHEALTHY;
                        *ret_text = arena_printf(s->arena, "%s failed its health check", i->name);
                        return i;
                }
        }
        return NULL;
}

/* Deadlines count only the time in which somebody looked, and never run backwards with the clock. */
static void watch(struct step *s) {
        int64_t gap = s->world->now - s->next->seen_at;

        if (gap < 0 || gap > WATCH_GAP_MS || s->next->progress_at > s->world->now) {
                s->next->progress_at = s->world->now;
                s->next->healthy_since = 0;
        }
        s->next->seen_at = s->world->now;
}

static bool failed(struct step *s) {
        const char *code = NULL, *text = NULL;

        if (s->next->failure_code) {
                fail(s, s->next->failure_code, s->next->failure_text);
                return true;
        }
        if (first_failure(s, &code, &text)) {
                fail(s, code, text);
                return true;
        }
        return false;
}

static void phase_staging(struct step *s) {
        const struct workload_service *services;
        bool all_up = true;

        if (overtaken(s))
                return;
        step_aim(s, s->app->wanted);
        watch(s);
        if (failed(s))
                return;
        if (s->world->now - s->next->progress_at > s->app->settings.progress_deadline_ms) {
                fail(s, REASON_ROLLOUT_TIMEOUT, "the rollout made no step forward before progress_deadline");
                return;
        }
        if (waits_to_retry(s, "the engine"))
                return;
        services = s->goal->services.items;
        for (size_t i = 0; i < s->goal->services.n; i++)
                all_up = stage_service(s, &services[i]) && all_up;
        if (s->acts)
                return;
        if (all_up)
                go(s, PHASE_EVALUATING);
        else
                step_wait(s, "the new instances to run", LOOK_AGAIN_MS);
}

/* Up and healthy, and not just between two crashes. */
static bool is_steady(const struct step *s, const struct instance *i, bool job) {
        return i && instance_is_healthy(i, job) && (i->restarts == 0 || s->world->now - i->started_at >= RESTARTED_HOLD_MS);
}

static bool all_healthy(const struct step *s, const char **ret_waits_for) {
        const struct workload_service *services = s->goal->services.items;

        for (size_t n = 0; n < s->goal->services.n; n++)
                for (int64_t index = 1; index <= services[n].replicas; index++) {
                        const struct instance *i = lookup_instance(s->lookup, &services[n], index);

                        if (!is_steady(s, i, lookup_is_job(s->lookup, &services[n]))) {
                                *ret_waits_for = arena_printf(s->arena, "%s to become healthy", services[n].name);
                                return false;
                        }
                }
        return true;
}

static void phase_evaluating(struct step *s) {
        const char *waits_for = "health";
        int64_t held;

        if (overtaken(s))
                return;
        step_aim(s, s->app->wanted);
        watch(s);
        if (failed(s))
                return;
        if (!all_healthy(s, &waits_for)) {
                s->next->healthy_since = 0;
                if (s->world->now - s->next->progress_at > s->app->settings.healthy_deadline_ms)
                        fail(s, REASON_ROLLOUT_UNHEALTHY,
                             arena_printf(s->arena, "waited for %s until healthy_deadline", waits_for));
                else
                        step_wait(s, waits_for, LOOK_AGAIN_MS);
                return;
        }
        if (!s->next->healthy_since)
                s->next->healthy_since = s->world->now;
        held = s->world->now - s->next->healthy_since;
        if (held < s->app->settings.min_healthy_ms) {
                int64_t left = s->app->settings.min_healthy_ms - held;

                step_wait(s, "health to hold for min_healthy_time", left < LOOK_AGAIN_MS ? left : LOOK_AGAIN_MS);
                return;
        }
        go(s, PHASE_FINISHING);
}

static void phase_finishing(struct step *s) {
        const struct instance *items = s->app->instances.items;

        if (s->app->wanted && str_eq(s->app->wanted->release, s->next->release))
                step_aim(s, s->app->wanted);
        for (size_t i = 0; s->goal && i < s->app->instances.n; i++) {
                bool superseded = lookup_service(s->lookup, items[i].service) && !lookup_is_wanted(s->lookup, &items[i]);

                if (superseded || (s->app->settings.prune && !lookup_service(s->lookup, items[i].service)))
                        step_act(s, VERB_REMOVE, NULL, items[i].index, &items[i], NULL, "the new release is proven");
        }
        if (s->acts)
                return;
        s->next->settled_release = s->next->release;
        s->next->settled_version = s->next->version;
        s->next->settled_at = s->world->now;
        s->next->kept = (struct string_list){ .items = NULL };
        s->next->failure_code = NULL;
        s->next->failure_text = NULL;
        s->next->repairs = 0;
        s->out->event = EVENT_SETTLED;
        go(s, PHASE_SETTLED);
        step_act(s, VERB_COLLECT, NULL, 0, NULL, NULL, "what no release needs");
}

/* Belongs to the release that served before: found running when the rollout began, or made from its specification. */
static bool belongs_to_old(const struct step *s, const struct instance *i) {
        const struct workload_service *service = s->lookup ? lookup_service(s->lookup, i->service) : NULL;

        return step_is_kept(s, i) || (service && str_eq(service->spec_digest, i->spec));
}

/* It was started in this revert already and ended by itself. Repairs will try again, and slow down; the revert is over. */
static bool has_ended_again(const struct step *s, const struct instance *i) {
        return i->state == INSTANCE_EXITED && i->started_at > s->next->seen_at;
}

static void revert_start_old(struct step *s) {
        const struct instance *items = s->app->instances.items;

        for (size_t n = 0; n < s->app->instances.n; n++) {
                const struct instance *i = &items[n];
                bool kept = step_is_kept(s, i);

                if (kept && i->state != INSTANCE_RUNNING && i->state != INSTANCE_RESTARTING &&
                    i->state != INSTANCE_REMOVING && !has_ended_again(s, i))
                        step_act(s, VERB_START, NULL, i->index, i, NULL, "it takes over again");
        }
}

static void phase_reverting(struct step *s) {
        const struct instance *items = s->app->instances.items;

        step_aim(s, s->app->settled);
        if (waits_to_retry(s, "the release before"))
                return;
        for (size_t n = 0; n < s->app->instances.n; n++)
                /* Also what ended by itself: it may still carry the name that the old one takes back. */
                if (!belongs_to_old(s, &items[n]) && items[n].state != INSTANCE_CREATED &&
                    items[n].state != INSTANCE_REMOVING &&
                    (!s->goal || lookup_service(s->lookup, items[n].service) || !step_is_kept(s, &items[n])))
                        step_act(s, VERB_STOP, NULL, items[n].index, &items[n], s->next->failure_code,
                                 "the release is taken back");
        revert_start_old(s);
        for (size_t n = 0; n < s->app->instances.n; n++)
                if (!belongs_to_old(s, &items[n]) && items[n].state != INSTANCE_REMOVING)
                        step_act(s, VERB_REMOVE, NULL, items[n].index, &items[n], s->next->failure_code,
                                 "the release is taken back");
        if (s->acts)
                return;
        s->next->kept = (struct string_list){ .items = NULL };
        s->next->release = s->next->settled_release;
        s->next->version = s->next->settled_version;
        s->out->event = EVENT_REVERTED;
        go(s, s->next->settled_release ? PHASE_SETTLED : PHASE_ABSENT);
}

static void phase_paused(struct step *s) {
        if (may_begin(s, s->next->release))
                begin(s);
        else if (!s->app->declared)
                go(s, PHASE_REVERTING);
        else
                step_wait(s, "a person: the rollout is paused after a failure; merge another release", 0);
}

static void phase_stuck(struct step *s) {
        if (may_begin(s, s->next->release)) {
                begin(s);
                return;
        }
        if (waits_to_retry(s, "the release before"))
                return;
        phase_reverting(s);
}

static void phase_removing(struct step *s) {
        const struct instance *items = s->app->instances.items;

        if (s->app->declared) {
                go(s, PHASE_ABSENT);
                return;
        }
        for (size_t i = 0; i < s->app->instances.n; i++) {
                step_act(s, VERB_STOP, NULL, items[i].index, &items[i], NULL, "the app is no longer declared");
                step_act(s, VERB_REMOVE, NULL, items[i].index, &items[i], NULL, "the app is no longer declared");
        }
        if (s->acts)
                return;
        s->next->release = s->next->version = NULL;
        s->next->settled_release = s->next->settled_version = NULL;
        s->next->kept = (struct string_list){ .items = NULL };
        s->out->event = EVENT_REMOVED;
        go(s, PHASE_ABSENT);
        step_act(s, VERB_COLLECT, NULL, 0, NULL, NULL, "what no release needs");
}

static void (*const phase_steps[PHASE_MAX_])(struct step *s) = {
        [PHASE_ABSENT] = phase_settled,
        [PHASE_SETTLED] = phase_settled,
        [PHASE_PREPARING] = phase_preparing,
        [PHASE_STAGING] = phase_staging,
        [PHASE_EVALUATING] = phase_evaluating,
        [PHASE_FINISHING] = phase_finishing,
        [PHASE_REVERTING] = phase_reverting,
        [PHASE_PAUSED] = phase_paused,
        [PHASE_STUCK] = phase_stuck,
        [PHASE_REMOVING] = phase_removing,
};

void rollout_step(struct step *s) {
        enum phase before;

        /* An event ends the look: it is recorded before anything follows from it. */
        do {
                before = s->next->phase;
                phase_steps[before](s);
        } while (s->next->phase != before && !s->acts && s->out->event == EVENT_NONE);
}

/*
 * Outcomes of actions
 */

void rollout_prepared(struct rollout *r, int64_t now) {
        if (r->phase != PHASE_PREPARING)
                return;
        r->prepared = true;
        r->failure_code = NULL;
        r->failure_text = NULL;
        rollout_progressed(r, now);
}

void rollout_progressed(struct rollout *r, int64_t now) {
        r->progress_at = now;
        r->attempts = 0;
        r->retry_at = 0;
}

/* Credentials are the host's affair: once they are mended, the same release goes on. */
static bool fails_for_good(const struct fault *fault) {
        return (fault->kind == FAULT_DENIED && !str_eq(fault->code, REASON_IMAGE_AUTH)) || fault->kind == FAULT_CONFIG;
}

void rollout_action_failed(struct rollout *r, enum action_verb verb, const struct fault *fault, int64_t now, struct arena *a) {
        const char *code = fault->code ? fault->code : REASON_ROLLOUT_START_FAILED;

        r->attempts++;
        r->retry_at = now + rollout_back_off_ms(r->attempts);
        if (r->phase == PHASE_SETTLED || r->phase == PHASE_ABSENT || r->phase == PHASE_REMOVING)
                return;
        r->failure_text = arena_strdup(a, fault->message);
        if (r->phase == PHASE_REVERTING || r->phase == PHASE_STUCK) {
                if (r->attempts >= REVERT_TRIES)
                        r->phase = PHASE_STUCK;
                return;
        }
        /* An engine or registry that is away is no verdict on the release; neither is a world that moved meanwhile. */
        if (fault->kind == FAULT_CONFLICT || str_eq(fault->code, REASON_RUNTIME_UNAVAILABLE) ||
            (verb == VERB_PREPARE && !fails_for_good(fault))) {
                /* Told while it is tried again. Later phases would take it for a verdict. */
                if (r->phase == PHASE_PREPARING)
                        r->failure_code = code;
                return;
        }
        r->failure_code = code;
        if (r->phase == PHASE_PREPARING)
                r->phase = PHASE_STAGING;
}
