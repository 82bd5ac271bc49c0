/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/split.h"

#include <stdlib.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"

static bool takes_requests(const struct look *s, const struct instance *i) {
        return s->traffic && str_eq(i->service, s->traffic->service.text);
}

static bool is_well(const struct instance *i) {
        return i->state == INSTANCE_RUNNING && (i->health == HEALTH_NONE || i->health == HEALTH_HEALTHY);
}

static bool is_new(const struct look *s, const struct instance *i) {
        return s->lookup && lookup_is_wanted(s->lookup, i) && !look_is_kept(s, i);
}

/* Whether requests may go to @i: well, staying, and proven when it is new. */
static bool may_serve(const struct look *s, const struct instance *i) {
        size_t at = look_place(s, i);
        bool wanted = s->lookup && lookup_is_wanted(s->lookup, i);

        if (!takes_requests(s, i) || !is_well(i) || s->retiring[at])
                return false;
        /* Neither what was there before nor what is to come: left over from a release that was overtaken, or somebody's own. */
        if (!wanted && !look_is_kept(s, i))
                return false;
        return !is_new(s, i) || s->admitted[at] || s->next->phase == PHASE_SETTLED || s->next->phase == PHASE_FINISHING;
}

static const struct route_target *in_force(const struct look *s, const char *address) {
        const struct route_target *targets = s->app->route.route.targets.items;

        for (size_t i = 0; s->app->route.present && i < s->app->route.route.targets.n; i++)
                if (str_eq(targets[i].address, address))
                        return &targets[i];
        return NULL;
}

void split_notice(struct look *s) {
        const struct route_state *state = &s->app->route;
        struct digest found;

        if (!s->traffic || !state->available || !state->present)
                return;
        found = route_digest(&state->route);
        if (!str_eq(found.text, s->next->routed)) {
                s->next->routed = arena_strdup(s->arena, found.text);
                s->next->routed_at = s->world->now;
        }
        /* Another one is a router that the app is still to leave. */
        if (!s->next->router)
                s->next->router = router_kind_names[s->traffic->router];
}

static const char *address_of(const struct look *s, const struct instance *i) {
        return instance_reach(i, s->traffic->port, s->arena);
}

/* What serves already, though it should not any more, is better than nobody: left over from a release that was overtaken. */
static bool may_serve_on(const struct look *s, const struct instance *i) {
        const char *address = takes_requests(s, i) && is_well(i) && !s->retiring[look_place(s, i)] ? address_of(s, i) : NULL;

        return address && in_force(s, address);
}

/*
 * Letting go
 */

static bool another_serves(const struct look *s, const struct instance *i) {
        const struct instance *items = s->app->instances.items;

        for (size_t n = 0; n < s->app->instances.n; n++)
                if (&items[n] != i && ((may_serve(s, &items[n]) && address_of(s, &items[n])) || may_serve_on(s, &items[n])))
                        return true;
        return false;
}

bool split_releases(struct look *s, const struct instance *i) {
        const struct traffic *t = s->traffic;
        const char *address = t ? address_of(s, i) : NULL;
        int64_t left;

        s->retiring[look_place(s, i)] = true;
        if (!takes_requests(s, i) || i->state != INSTANCE_RUNNING || !another_serves(s, i))
                return true;
        if (!s->app->route.available) {
                look_wait(s, arena_printf(s->arena, "the router (%s)", s->app->route.reason ? s->app->route.reason : "no answer"),
                          LOOK_AGAIN_MS);
                return false;
        }
        if (address && in_force(s, address)) {
                look_wait(s, "the router to let go of what is to stop", LOOK_AGAIN_MS);
                return false;
        }
        split_notice(s);
        left = s->next->routed_at + t->drain_ms - s->world->now;
        if (left <= 0 || left > t->drain_ms)
                return true;
        look_wait(s, "requests under way to be answered", left);
        return false;
}

/*
 * The route of the moment
 */

static int compare_targets(const void *x, const void *y) {
        const struct route_target *a = x, *b = y;

        return strcmp(a->address, b->address);
}

static size_t count(const struct route *r, enum variation v) {
        const struct route_target *targets = r->targets.items;
        size_t n = 0;

        for (size_t i = 0; i < r->targets.n; i++)
                n += targets[i].variation == v;
        return n;
}

/* Only those of one variation stay, and they are what serves. */
static void reduce(struct route *r, enum variation keep) {
        struct route_target *targets = r->targets.items;
        size_t n = 0;

        for (size_t i = 0; i < r->targets.n; i++)
                if (targets[i].variation == keep) {
                        targets[n] = targets[i];
                        targets[n++].variation = VARIATION_CURRENT;
                }
        r->targets.n = n;
        r->candidate = 0;
}

/* How the share falls on whom there is. */
static void share(struct route *r, int64_t candidate) {
        struct route_target *targets = r->targets.items;
        size_t current = count(r, VARIATION_CURRENT), candidates = count(r, VARIATION_CANDIDATE);

        r->candidate = candidate;
        if (candidate < 0) {
                /* Both releases in one: a client has met neither. */
                for (size_t i = 0; i < r->targets.n; i++) {
                        targets[i].variation = VARIATION_CURRENT;
                        targets[i].release = current > 0 && candidates > 0 ? NULL : targets[i].release;
                }
                r->candidate = 0;
        } else if (candidates == 0 || (candidate == 0 && current > 0)) {
                reduce(r, VARIATION_CURRENT);
        } else if (current == 0 || candidate >= 100) {
                reduce(r, VARIATION_CANDIDATE);
        }
}

/*
 * What the cookie of a client says that met the new release, or the one before. A word that outlives the rollout: who met the candidate of
 * today must not be taken for one who met that of the next release.
 */
static const char *cookie_of(const struct look *s, bool new) {
        const char *release = new ? s->goal->release : s->next->settled_release;

        return s->traffic->sticky && release ? str_after(release, "sha256:") : NULL;
}

static struct route *route_to(struct look *s, bool (*may)(const struct look *s, const struct instance *i)) {
        const struct instance *items = s->app->instances.items;
        struct route *r = arena_new_of(s->arena, struct route);

        r->app = s->app->app;
        for (size_t i = 0; i < s->app->instances.n; i++) {
                struct route_target *target;

                if (!may(s, &items[i]) || !address_of(s, &items[i]))
                        continue;
                target = arena_push(s->arena, &r->targets.items, &r->targets.n, sizeof(struct route_target));
                *target = (struct route_target){
                        .instance = items[i].id,
                        .address = address_of(s, &items[i]),
                        .variation = is_new(s, &items[i]) ? VARIATION_CANDIDATE : VARIATION_CURRENT,
                        .release = cookie_of(s, is_new(s, &items[i])),
                };
        }
        share(r, s->next->candidate);
        if (r->targets.n > 1)
                qsort(r->targets.items, r->targets.n, sizeof(struct route_target), compare_targets);
        return r;
}

static struct route *route_of(struct look *s) {
        return route_to(s, may_serve);
}

static bool is_in_force(const struct look *s, const struct route *r) {
        return s->app->route.present && !s->app->route.altered && route_equal(&s->app->route.route, r);
}

/* An instance of the release under way that should get requests, and that no router could reach. What was there before is as it is. */
static const struct instance *first_out_of_reach(const struct look *s) {
        const struct instance *items = s->app->instances.items;

        /* A release that leaves the router need not be in its reach. */
        if (!s->goal || !s->goal->traffic)
                return NULL;
        for (size_t i = 0; i < s->app->instances.n && s->next->phase != PHASE_REVERTING && s->next->phase != PHASE_STUCK; i++)
                if (is_new(s, &items[i]) && may_serve(s, &items[i]) && !address_of(s, &items[i]))
                        return &items[i];
        return NULL;
}

/* Somebody who may take requests soon: up, and not healthy yet. */
static bool somebody_comes(const struct look *s) {
        const struct instance *items = s->app->instances.items;

        if (s->world->now - s->next->progress_at > s->app->settings.healthy_deadline_ms)
                return false;
        for (size_t i = 0; i < s->app->instances.n; i++)
                if (takes_requests(s, &items[i]) && items[i].state == INSTANCE_RUNNING && items[i].health == HEALTH_STARTING &&
                    (look_is_kept(s, &items[i]) || (s->lookup && lookup_is_wanted(s->lookup, &items[i]))))
                        return true;
        return false;
}

bool split_follows(struct look *s) {
        const struct instance *lost;
        const struct route *r;

        if (!s->traffic)
                return true;
        lost = first_out_of_reach(s);
        if (lost) {
                look_wait(s, arena_printf(s->arena, "a way to %s, port %lld: publish the port (ports: [\"127.0.0.1::%lld\"]), or give it a network",
                                          lost->name, (long long)s->traffic->port, (long long)s->traffic->port), LOOK_AGAIN_MS);
                return false;
        }
        r = route_of(s);
        if (r->targets.n == 0)
                return !somebody_comes(s);
        return s->app->route.available && is_in_force(s, r);
}

static const char *describe(const struct look *s, const struct route *r) {
        if (r->candidate > 0)
                return arena_printf(s->arena, "%lld %% of the requests to the new release", (long long)r->candidate);
        return arena_printf(s->arena, "requests to %zu instance%s", r->targets.n, r->targets.n == 1 ? "" : "s");
}

static void put_into_force(struct look *s, const struct route *r, const char *reason) {
        struct action *action = look_act(s, VERB_ROUTE, NULL, 0, NULL, reason, describe(s, r));

        action->service = s->traffic->service.text;
        action->route = r;
        action->router = router_kind_names[s->traffic->router];
        /* Written down before it is so: whatever happens next, it is known where to take the app out again. */
        s->next->router = action->router;
}

bool split_end(struct look *s) {
        struct action *action;

        if (!s->next->router)
                return true;
        if (look_waits_to_route(s))
                return false;
        action = look_act(s, VERB_UNROUTE, NULL, 0, NULL, NULL, "nothing is left that it could lead to");
        action->router = s->next->router;
        return false;
}

/* The app left its router, or moved to another: the one before forgets it. */
static bool leave_former(struct look *s) {
        const char *now = s->traffic ? router_kind_names[s->traffic->router] : NULL;

        return !s->next->router || !s->app->declared || str_eq(s->next->router, now) || split_end(s);
}

void split_apply(struct look *s) {
        const struct route *r;

        /* One at a time: where it is in force is remembered of one router. */
        if (!leave_former(s) || !s->traffic)
                return;
        r = route_of(s);
        if (r->targets.n == 0) {
                if (somebody_comes(s))
                        look_wait(s, "an instance that can take requests", LOOK_AGAIN_MS);
                r = route_to(s, may_serve_on);
        }
        /* Nobody at all: what is in force stays, it cannot get better. */
        if (r->targets.n == 0)
                return;
        if (is_in_force(s, r)) {
                split_notice(s);
                return;
        }
        if (!s->app->route.available) {
                look_wait(s, arena_printf(s->arena, "the router (%s)", s->app->route.reason ? s->app->route.reason : "no answer"), 0);
                return;
        }
        if (!look_waits_to_route(s))
                put_into_force(s, r, NULL);
}

static bool runs(const struct look *s, const char *address) {
        const struct instance *items = s->app->instances.items;

        for (size_t i = 0; i < s->app->instances.n; i++)
                if (items[i].state == INSTANCE_RUNNING && takes_requests(s, &items[i]) &&
                    str_eq(instance_reach(&items[i], s->traffic->port, s->arena), address))
                        return true;
        return false;
}

void split_mend(struct look *s) {
        const struct route_target *targets = s->app->route.route.targets.items;

        for (size_t i = 0; s->traffic && s->app->route.present && i < s->app->route.route.targets.n; i++)
                if (!runs(s, targets[i].address)) {
                        split_apply(s);
                        return;
                }
}

void split_drift(struct look *s) {
        const struct route_state *state = &s->app->route;
        struct digest found;
        struct drift *d;

        if (!s->traffic || !state->available || !s->next->routed ||
            !str_eq(s->next->router, router_kind_names[s->traffic->router]))
                return;
        found = route_digest(&state->route);
        if (state->present && !state->altered &&
            (str_eq(found.text, s->next->routed) || route_equal(&state->route, route_of(s))))
                return;
        d = arena_push(s->arena, &s->out->drift.items, &s->out->drift.n, sizeof(struct drift));
        d->service = s->traffic->service.text;
        d->code = REASON_DRIFT_ROUTE;
        d->detail = !state->present ? "the router does not know the app any more"
                    : state->detail ? state->detail
                                    : "the router splits requests otherwise than it was told";
}
