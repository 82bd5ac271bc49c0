/* SPDX-License-Identifier: Apache-2.0 */

/* Looks at a simulated host, and whole passes, that can be killed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/simulation.h"

#include "reconciler/core/checks.h"

/*
 * Looking
 */

static int compare(const void *x, const void *y) {
        const struct instance *a = x, *b = y;
        int order = strcmp(a->service, b->service);

        if (order == 0)
                order = strcmp(a->spec, b->spec);
        if (order == 0)
                order = a->index < b->index ? -1 : a->index > b->index;
        return order ? order : strcmp(a->id, b->id);
}

static void observe(struct simulation *s) {
        s->app.instances = (struct struct_list){ .items = NULL };
        if (s->instances.n == 0 || !s->app.observed)
                return;
        s->app.instances.items = arena_array(s->scratch, s->instances.n, sizeof(struct instance));
        s->app.instances.n = s->instances.n;
        memcpy(s->app.instances.items, s->instances.items, s->instances.n * sizeof(struct instance));
        qsort(s->app.instances.items, s->instances.n, sizeof(struct instance), compare);
}

static void read_route(struct simulation *s) {
        const struct traffic *t = app_input_traffic(&s->app);
        const struct sim_router *router = t ? &s->routers[t->router] : NULL;

        s->app.route = (struct route_state){ .available = false };
        if (!t)
                return;
        if (router->away)
                s->app.route.reason = "it does not answer";
        else
                s->app.route = router->state;
        s->app.route.available = !router->away;
}

static const struct sim_saying *saying_of(const struct simulation *s, const struct check_due *due) {
        const struct sim_saying *items = s->sayings.items;

        for (size_t i = s->sayings.n; i-- > 0;)
                if (str_eq(items[i].check, due->check->name.text) &&
                    (!items[i].spec || (due->instance && str_eq(items[i].spec, due->instance->spec))))
                        return &items[i];
        return NULL;
}

static void note_passed(struct simulation *s, const struct check_fact *fact) {
        struct sim_life *life = fact->instance && fact->verdict == CHECK_PASS ? sim_life(s, fact->instance) : NULL;

        for (size_t i = 0; life && i < life->passed.n; i++)
                if (str_eq(life->passed.items[i].text, fact->check))
                        return;
        if (life)
                ((struct text_at *)arena_push(s->arena, &life->passed.items, &life->passed.n, sizeof(struct text_at)))
                        ->text = fact->check;
}

static void make_facts(struct simulation *s) {
        struct struct_list due;
        const struct check_due *items;

        s->app.facts = (struct struct_list){ .items = NULL };
        if (s->nobody_checks)
                return;
        checks_due(&s->app, s->world.now, s->scratch, &due);
        items = due.items;
        for (size_t i = 0; i < due.n; i++) {
                struct check_fact *fact =
                        arena_push(s->scratch, &s->app.facts.items, &s->app.facts.n, sizeof(struct check_fact));
                const struct sim_saying *said = saying_of(s, &items[i]);

                *fact = (struct check_fact){ .check = items[i].check->name.text,
                                             .instance = items[i].instance ? items[i].instance->id : NULL,
                                             .verdict = said ? said->verdict : CHECK_PASS,
                                             .detail = "as the script says" };
                if (said && said->measures) {
                        fact->value = &said->value;
                        fact->baseline = &said->baseline;
                }
                note_passed(s, fact);
                s->facts_made++;
        }
}

/* The rollout, as its file has it. */
static void reread(struct simulation *s) {
        own_fault struct fault fault = FAULT_INIT;
        own_json json_t *json = table_write(&rollout_table, &s->app.rollout);

        if (s->scratch != s->arena) {
                arena_free(s->scratch);
                s->scratch = arena_new();
        }
        if (table_read_json(&rollout_table, "rollout", json, &s->app.rollout, s->scratch, &fault) < 0)
                fail_msg("the rollout does not survive its file: %s", fault.message);
}

void sim_look(struct simulation *s) {
        reread(s);
        observe(s);
        read_route(s);
        make_facts(s);
        s->world.apps = (struct struct_list){ .items = &s->app, .n = 1 };
        gate_judge(&s->world, s->scratch);
        if (s->gate && s->app.declared && s->app.rollout.phase != PHASE_SETTLED && s->app.rollout.phase != PHASE_ABSENT)
                verdict_add(&s->app.verdicts, s->scratch, s->gate, s->gate_says, NULL,
                            s->gate_says == VERDICT_ALLOW ? NULL : "not yet");
}

/* What the pass does with events before it persists the rollout. */
static void note_event(struct simulation *s, const struct decision_app *out) {
        s->last_event = out->event;
        s->events[out->event]++;
        if (out->event == EVENT_SETTLED)
                s->app.current = s->app.wanted && str_eq(s->app.wanted->release, out->rollout.current_release)
                                         ? s->app.wanted
                                         : s->app.current;
        if (out->event == EVENT_REMOVED)
                s->app.current = NULL;
}

struct decision sim_decide(struct simulation *s) {
        struct decision d;
        const struct decision_app *out;

        sim_look(s);
        decide(&s->world, s->scratch, &d);
        out = d.apps.items;
        note_event(s, out);
        s->app.rollout = out->rollout;
        return d;
}

/*
 * Passes
 */

/* Whether the pass is killed here. */
static bool killed(struct simulation *s) {
        return s->points++ == s->kill_at;
}

static bool act_until_killed(struct simulation *s, const struct decision *d) {
        const struct action *actions = d->actions.items;

        for (size_t i = 0; i < d->actions.n; i++) {
                if (killed(s))
                        return false;
                if (!sim_act(s, &actions[i]))
                        break;
                if (killed(s))
                        return false;
        }
        return !killed(s);
}

static void restart(struct simulation *s, const json_t *persisted) {
        own_fault struct fault fault = FAULT_INIT;

        if (table_read_json(&rollout_table, "rollout", persisted, &s->app.rollout, s->scratch, &fault) < 0)
                fail_msg("%s", fault.message);
}

bool sim_pass(struct simulation *s, struct decision *ret) {
        own_json json_t *next = NULL;
        const struct decision_app *out;

        sim_look(s);
        decide(&s->world, s->scratch, ret);
        if (s->judge)
                s->judge(s, ret);
        if (killed(s))
                return false;
        out = ret->apps.items;
        note_event(s, out);
        if (killed(s))
                return false;
        s->app.rollout = out->rollout;
        /* Only who dies needs it: whoever lives on has it in memory. */
        next = s->kill_at >= 0 ? table_write(&rollout_table, &s->app.rollout) : NULL;
        if (act_until_killed(s, ret))
                return true;
        restart(s, next);
        return false;
}

bool sim_run(struct simulation *s, int limit) {
        int quiet = 0;

        for (int n = 0; n < limit; n++) {
                struct decision d;
                const struct decision_app *out;

                (void)sim_pass(s, &d);
                out = d.apps.items;
                sim_wait(s, 500);
                quiet = d.actions.n == 0 && out->event == EVENT_NONE && !out->wake_at ? quiet + 1 : 0;
                if (quiet > 3)
                        return true;
        }
        return false;
}

bool sim_run_to(struct simulation *s, enum phase phase, int limit) {
        for (int n = 0; n < limit && s->app.rollout.phase != phase; n++) {
                struct decision d;

                (void)sim_pass(s, &d);
                sim_wait(s, 100);
        }
        return s->app.rollout.phase == phase;
}

void sim_init_settled(struct simulation *s) {
        static const char *const versions[] = { "1", "1" };

        sim_init(s);
        sim_want(s, sim_workload(s, "1.0", 2, 1, versions));
        assert_true(sim_run(s, 100));
}
