/* SPDX-License-Identifier: Apache-2.0 */

/* What befalls an app: instances, the engine, the router, the clock, people. */

#include "tests/simulation/story.h"

const char *const trouble_names[] = {
        "kill",     "hand",      "change", "extra",  "ill",           "forward",       "back",  "gap",     "crash",
        "fail",     "refuse",    "engine", "router", "route-refused", "route-altered", "check", "suspend", "overtake",
        "withdraw", "undeclare", "retry",  NULL,
};

static uint32_t any(struct story *t, uint32_t below) {
        return story_random(&t->fate_random, below);
}

static bool may(const struct story *t, enum trouble trouble) {
        return !t->calm && (t->troubles & (1u << trouble));
}

static struct instance *some_instance(struct story *t) {
        struct instance *items = t->sim.instances.items;

        return t->sim.instances.n ? &items[any(t, (uint32_t)t->sim.instances.n)] : NULL;
}

static void make_extra(struct story *t, const struct instance *like) {
        struct simulation *s = &t->sim;
        struct instance copy = *like;

        copy.id = copy.name = arena_printf(s->arena, "i%06d", s->next_id++);
        copy.endpoints = (struct struct_list){ .items = NULL };
        if (any(t, 2))
                copy.index += 5;
        else
                copy.spec = sim_digest(s, copy.id);
        *(struct instance *)arena_push(s->arena, &s->instances.items, &s->instances.n, sizeof(struct instance)) = copy;
        (void)sim_life(s, copy.id);
}

static void strike_instance(struct story *t, enum trouble trouble) {
        struct instance *i = some_instance(t);

        if (!i)
                return;
        if (trouble == TROUBLE_HAND) {
                sim_remove(&t->sim, i->id);
        } else if (trouble == TROUBLE_EXTRA) {
                make_extra(t, i);
        } else if (i->state != INSTANCE_RUNNING) {
                return;
        } else if (trouble == TROUBLE_KILL) {
                i->state = INSTANCE_EXITED;
                i->exit_code = 137;
                i->health = HEALTH_NONE;
                i->endpoints.n = 0;
        } else if (trouble == TROUBLE_CHANGE) {
                i->image_matches = false;
        } else {
                i->health = HEALTH_UNHEALTHY;
        }
        watch_taken(t);
}

static void strike_route(struct story *t) {
        struct route_state *state = &t->sim.routers[ROUTER_MEMORY].state;

        if (!state->present)
                return;
        switch (any(t, 3)) {
        case 0:
                *state = (struct route_state){ .available = true };
                break;
        case 1:
                state->altered = true;
                state->detail = "somebody changed it";
                break;
        default:
                state->route.targets.n = state->route.targets.n / 2;
                break;
        }
        sim_reroute(&t->sim, ROUTER_MEMORY);
        watch_taken(t);
}

static void sign_retry(struct story *t) {
        struct simulation *s = &t->sim;
        struct retry_permission *retry =
                arena_push(s->arena, &s->app.retries.items, &s->app.retries.n, sizeof(struct retry_permission));

        *retry = (struct retry_permission){
                .id = arena_printf(s->arena, "retry-%d", t->retries++),
                .release = t->releases[any(t, STORY_RELEASES)].workload->release,
                .principal = "ann@example.com",
                .reason = "the database was down",
                .expires_at = any(t, 2) ? 0 : s->world.now + any(t, 100000),
        };
}

static void strike_declared(struct story *t, enum trouble trouble) {
        if (trouble == TROUBLE_OVERTAKE)
                story_want(t, 1 + (int)any(t, STORY_RELEASES - 1));
        else if (trouble == TROUBLE_WITHDRAW)
                story_want(t, t->wanted > 0 ? t->wanted - 1 : 0);
        else
                story_want(t, -1);
}

static void strike(struct story *t, enum trouble trouble) {
        struct simulation *s = &t->sim;

        if (t->verbose)
                print_message("--- %s\n", trouble_names[trouble]);
        switch (trouble) {
        case TROUBLE_KILL:
        case TROUBLE_HAND:
        case TROUBLE_CHANGE:
        case TROUBLE_EXTRA:
        case TROUBLE_ILL:
                strike_instance(t, trouble);
                break;
        case TROUBLE_FORWARD:
                s->world.now += any(t, 200000);
                t->jumped = true;
                break;
        case TROUBLE_BACK:
                s->world.now -= any(t, 200000);
                t->jumped = true;
                break;
        case TROUBLE_GAP:
                sim_wait(s, any(t, 300000));
                break;
        case TROUBLE_CRASH:
                s->kill_at = s->points + (int)any(t, 12);
                break;
        case TROUBLE_ENGINE:
                s->app.observed = !s->app.observed;
                s->app.unobserved = s->app.observed ? NULL : "it does not answer";
                break;
        case TROUBLE_ROUTER:
                s->routers[ROUTER_MEMORY].away = !s->routers[ROUTER_MEMORY].away;
                break;
        case TROUBLE_ROUTE_REFUSED:
                s->routers[ROUTER_MEMORY].refuses = (int)any(t, 4);
                break;
        case TROUBLE_ROUTE_ALTERED:
                strike_route(t);
                break;
        case TROUBLE_SUSPEND:
                s->world.suspended = !s->world.suspended;
                break;
        case TROUBLE_OVERTAKE:
        case TROUBLE_WITHDRAW:
        case TROUBLE_UNDECLARE:
                strike_declared(t, trouble);
                break;
        case TROUBLE_RETRY:
                sign_retry(t);
                break;
        case TROUBLE_FAIL:
        case TROUBLE_REFUSE:
        case TROUBLE_CHECK:
        case TROUBLE_MAX_:
                break;
        }
}

/* What a check said for a moment. */
static void unsay(struct story *t) {
        t->sim.sayings.n -= t->said;
        t->said = false;
}

void trouble_strike(struct story *t) {
        enum trouble trouble = any(t, TROUBLE_MAX_);
        struct simulation *s = &t->sim;

        /* What is away comes back sooner or later. */
        if ((!s->app.observed || s->world.suspended) && any(t, 4) == 0) {
                s->app.observed = true;
                s->world.suspended = false;
        }
        if (s->routers[ROUTER_MEMORY].away && any(t, 6) == 0)
                s->routers[ROUTER_MEMORY].away = false;
        if (!s->app.wanted && any(t, 6) == 0)
                story_want(t, (int)any(t, STORY_RELEASES));
        s->gate_says = any(t, 5) ? VERDICT_ALLOW : VERDICT_PENDING;
        unsay(t);
        if (may(t, TROUBLE_CHECK) && any(t, 10) == 0 && s->app.checks.n > 0) {
                sim_say(s, ((struct check *)s->app.checks.items)->name.text, NULL,
                        any(t, 2) ? CHECK_FAIL : CHECK_INCONCLUSIVE);
                t->said = true;
        }
        if (any(t, 4) == 0 && may(t, trouble))
                strike(t, trouble);
}

int trouble_interfere(struct simulation *s, const struct action *action, struct fault *fault) {
        struct story *t = s->data;
        uint32_t dice = any(t, 200);

        if (dice < 4 && may(t, TROUBLE_FAIL))
                return dice < 2 ? fault_set_code(fault, FAULT_TRANSIENT, REASON_RUNTIME_UNAVAILABLE,
                                                 "the engine is away")
                                : fault_set(fault, FAULT_CONFLICT, 0, "the world moved");
        if (dice == 4 && may(t, TROUBLE_REFUSE))
                return fault_set_code(fault, FAULT_DENIED, REASON_IMAGE_DIGEST_MISMATCH,
                                      "these are not the bytes that were signed");
        return 0;
}

void trouble_end(struct story *t) {
        struct simulation *s = &t->sim;
        struct instance *items = s->instances.items;

        t->calm = true;
        s->kill_at = -1;
        s->app.observed = true;
        s->app.unobserved = NULL;
        s->world.suspended = false;
        s->gate_says = VERDICT_ALLOW;
        s->routers[ROUTER_MEMORY].away = false;
        s->routers[ROUTER_MEMORY].refuses = 0;
        unsay(t);
        for (size_t i = 0; i < s->instances.n; i++)
                if (items[i].state == INSTANCE_RUNNING && items[i].health == HEALTH_UNHEALTHY && !s->has_health_check)
                        items[i].health = HEALTH_NONE;
        sim_settle(s);
}
