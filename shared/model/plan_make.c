/* SPDX-License-Identifier: Apache-2.0 */

/* From what an app declares to the plan of its rollout, and whether what it declares is one. */

#include "shared/base/buffer.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/model/plan.h"
#include "shared/model/settings.h"

static const struct plan_step *find(const struct struct_list *steps, const char *name, size_t *ret_at) {
        const struct plan_step *items = steps->items;

        for (size_t i = 0; i < steps->n; i++)
                if (str_eq(items[i].name.text, name)) {
                        *ret_at = i;
                        return &items[i];
                }
        return NULL;
}

/*
 * Is it a plan?
 */

/* What a depth-first walk knows of a step. */
struct visit {
        enum { UNSEEN, OPEN, DONE } state;
        bool prepared;  /* a prepare stands before it */
        int64_t weight; /* of the heaviest stage before it, itself included */
};

struct walk {
        const struct struct_list *steps;
        struct visit *visits;
        struct fault *reterr;
};

static int visit(struct walk *w, size_t at);

/* One of the steps that must come first. */
static int visit_need(struct walk *w, size_t at, size_t need) {
        struct visit *mine = &w->visits[at];
        const struct visit *before = &w->visits[need];
        int r = visit(w, need);

        if (r < 0)
                return r;
        mine->prepared = mine->prepared || before->prepared;
        if (before->weight > mine->weight)
                mine->weight = before->weight;
        return 0;
}

static int visit_needs(struct walk *w, size_t at) {
        const struct plan_step *s = (const struct plan_step *)w->steps->items + at;
        int r = 0;

        if (!s->needs_given)
                return at > 0 ? visit_need(w, at, at - 1) : 0;
        for (size_t i = 0; r == 0 && i < s->needs.n; i++) {
                const struct text_at *name = &s->needs.items[i];
                size_t need;

                if (!find(w->steps, name->text, &need))
                        return fault_set_code_at(w->reterr, &name->at, REASON_LOAD_REFERENCE, "there is no step '%s'",
                                                 name->text);
                if (w->visits[need].state == OPEN)
                        return fault_set_code_at(w->reterr, &name->at, REASON_LOAD_INVALID,
                                                 "step '%s' needs '%s', which needs it: the steps go in a circle",
                                                 s->name.text, name->text);
                r = visit_need(w, at, need);
        }
        return r;
}

/* In what its own kind asks of what stands before it. */
static int check_place(struct walk *w, size_t at) {
        const struct plan_step *s = (const struct plan_step *)w->steps->items + at;
        struct visit *mine = &w->visits[at];

        if (s->prepare)
                mine->prepared = true;
        if ((s->prepare || s->stage) && s->on_failure == STEP_CONTINUE)
                return fault_set_code_at(
                        w->reterr, &s->at, REASON_LOAD_INVALID,
                        "step '%s' cannot be gone on from when it failed: on_failure must be fail or pause",
                        s->name.text);
        if ((s->stage || (s->hook && s->hook->service.text)) && !mine->prepared)
                return fault_set_code_at(w->reterr, &s->at, REASON_LOAD_INVALID,
                                         "step '%s' runs images, and no prepare step comes before it", s->name.text);
        if (!s->stage)
                return 0;
        if (s->stage->weight < mine->weight)
                return fault_set_code_at(w->reterr, &s->at, REASON_LOAD_INVALID,
                                         "step '%s' stages %lld %%, less than the %lld %% before it", s->name.text,
                                         (long long)s->stage->weight, (long long)mine->weight);
        mine->weight = s->stage->weight;
        return 0;
}

static int visit(struct walk *w, size_t at) {
        int r;

        if (w->visits[at].state == DONE)
                return 0;
        w->visits[at].state = OPEN;
        r = visit_needs(w, at);
        if (r == 0)
                r = check_place(w, at);
        w->visits[at].state = DONE;
        return r;
}

static int check_names(const struct struct_list *steps, struct fault *reterr) {
        const struct plan_step *items = steps->items;
        size_t first;

        for (size_t i = 0; i < steps->n; i++) {
                (void)find(steps, items[i].name.text, &first);
                if (first != i)
                        return fault_set_code_at(reterr, &items[i].name.at, REASON_LOAD_INVALID,
                                                 "there are two steps '%s'", items[i].name.text);
        }
        return 0;
}

int plan_check(const struct struct_list *steps, struct fault *reterr) {
        const struct plan_step *items = steps->items;
        own_arena struct arena *scratch = arena_new();
        struct walk w = { .steps = steps,
                          .visits = arena_array(scratch, steps->n, sizeof(struct visit)),
                          .reterr = reterr };
        int64_t heaviest = 0;
        int r = check_names(steps, reterr);

        for (size_t i = 0; r == 0 && i < steps->n; i++)
                r = visit(&w, i);
        for (size_t i = 0; r == 0 && i < steps->n; i++)
                if (w.visits[i].weight > heaviest)
                        heaviest = w.visits[i].weight;
        if (r < 0 || steps->n == 0 || heaviest == 100)
                return r;
        r = fault_set_code_at(reterr, &items[steps->n - 1].at, REASON_LOAD_INVALID,
                              "the steps end with %lld %% of the new release; the last stage must be 100",
                              (long long)heaviest);
        fault_hint(reterr, "add a step with `stage: 100`");
        return r;
}

/*
 * Plans of strategies
 */

struct making {
        struct arena *arena;
        struct struct_list *out;
};

static struct plan_step *add(struct making *m, const char *name) {
        const char *before =
                m->out->n > 0 ? ((struct rollout_step *)m->out->items)[m->out->n - 1].step.name.text : NULL;
        struct rollout_step *s = arena_push(m->arena, &m->out->items, &m->out->n, sizeof(struct rollout_step));
        struct text_at *need;

        s->step.name.text = name;
        s->step.needs_given = true;
        if (before) {
                need = arena_push(m->arena, &s->step.needs.items, &s->step.needs.n, sizeof(struct text_at));
                need->text = before;
        }
        return &s->step;
}

static void add_prepare(struct making *m) {
        add(m, "prepare")->prepare = true;
}

static void add_stage(struct making *m, int64_t weight, bool beside) {
        struct step_stage *stage = arena_new_of(m->arena, struct step_stage);

        *stage = (struct step_stage){ .weight = weight, .beside = beside };
        add(m, arena_printf(m->arena, "stage-%lld", (long long)weight))->stage = stage;
}

static void add_traffic(struct making *m, int64_t weight) {
        struct step_traffic *traffic = arena_new_of(m->arena, struct step_traffic);

        traffic->weight = weight;
        add(m, arena_printf(m->arena, "traffic-%lld", (long long)weight))->traffic = traffic;
}

static void add_check(struct making *m, int64_t weight, int64_t for_ms) {
        struct step_check *check = arena_new_of(m->arena, struct step_check);

        check->for_ms = for_ms;
        add(m, arena_printf(m->arena, "check-%lld", (long long)weight))->check = check;
}

static void add_part(struct making *m, int64_t weight, int64_t hold_ms, bool routed) {
        add_stage(m, weight, routed);
        if (routed)
                add_traffic(m, weight);
        add_check(m, weight, hold_ms);
}

/* The next weight of a progression, below 100; 100 when it is over. */
static int64_t next_weight(const struct progression *p, int64_t n, int64_t last, int64_t before) {
        int64_t next = p->start;

        if (n > 0)
                next = p->kind == PROGRESSION_LINEAR        ? last + (p->step ? p->step : p->start)
                       : p->kind == PROGRESSION_EXPONENTIAL ? last * (p->step > 1 ? p->step : 2)
                                                            : last + (before ? before : p->start);
        return next < 100 ? next : 100;
}

static void make_progression(struct making *m, const struct progression *p, bool routed) {
        int64_t last = 0, before = 0, next;

        for (int64_t n = 0; (next = next_weight(p, n, last, before)) < 100; n++) {
                add_part(m, next, p->hold_ms, routed);
                before = last;
                last = next;
        }
}

static void make_canary(struct making *m, const struct rollout_settings *s, bool routed) {
        const struct canary_step *steps = s->steps.items;

        if (s->progression)
                make_progression(m, s->progression, routed);
        for (size_t i = 0; i < s->steps.n; i++)
                if (steps[i].weight < 100)
                        add_part(m, steps[i].weight, steps[i].hold_ms, routed);
        if (s->steps.n > 0 && steps[s->steps.n - 1].weight == 100)
                add_part(m, 100, steps[s->steps.n - 1].hold_ms, routed);
        else
                add_part(m, 100, 0, routed);
}

static void make_own(struct making *m, const struct struct_list *steps);

void plan_make(const struct rollout_settings *settings, const struct struct_list *steps, bool routed, struct arena *a,
               struct struct_list *ret) {
        struct making m = { .arena = a, .out = ret };

        *ret = (struct struct_list){ .items = NULL };
        if (steps && steps->n > 0) {
                make_own(&m, steps);
                return;
        }
        add_prepare(&m);
        switch (settings->strategy) {
        case STRATEGY_CANARY:
                make_canary(&m, settings, routed);
                break;
        case STRATEGY_BLUE_GREEN:
                add_stage(&m, 100, true);
                add_traffic(&m, 100);
                add_check(&m, 100, settings->bake_ms);
                break;
        case STRATEGY_RECREATE:
        case STRATEGY_ROLLING:
        case STRATEGY_MAX_:
                add_stage(&m, 100, false);
                break;
        }
}

/*
 * An app's own steps, each after what it needs
 */

static void place(struct making *m, const struct struct_list *steps, bool *placed, size_t at) {
        const struct plan_step *s = (const struct plan_step *)steps->items + at;
        struct rollout_step *out;
        size_t need;

        if (placed[at])
                return;
        placed[at] = true;
        if (!s->needs_given && at > 0)
                place(m, steps, placed, at - 1);
        for (size_t i = 0; s->needs_given && i < s->needs.n; i++)
                if (find(steps, s->needs.items[i].text, &need))
                        place(m, steps, placed, need);
        out = arena_push(m->arena, &m->out->items, &m->out->n, sizeof(struct rollout_step));
        out->step = *s;
        if (!s->needs_given && at > 0) {
                out->step.needs = (struct string_list){ .items = NULL };
                ((struct text_at *)arena_push(m->arena, &out->step.needs.items, &out->step.needs.n,
                                              sizeof(struct text_at)))
                        ->text = s[-1].name.text;
        }
        out->step.needs_given = true;
}

static void make_own(struct making *m, const struct struct_list *steps) {
        bool *placed = arena_array(m->arena, steps->n, sizeof(bool));

        for (size_t i = 0; i < steps->n; i++)
                place(m, steps, placed, i);
}

/*
 * For people: DOT, https://graphviz.org/doc/info/lang.html
 */

static void dot_step(const struct rollout_step *s, struct buffer *out) {
        static const char *const colours[STEP_STATE_MAX_] = {
                [STEP_PENDING] = "white",     [STEP_READY] = "lightyellow",   [STEP_RUNNING] = "lightblue",
                [STEP_WAITING] = "khaki",     [STEP_SUCCEEDED] = "palegreen", [STEP_FAILED] = "salmon",
                [STEP_SKIPPED] = "lightgrey", [STEP_CANCELLED] = "lightgrey",
        };

        /* Names keep to a grammar without quotes. */
        buffer_printf(out, "        \"%s\" [label=\"%s\\n%s\", style=filled, fillcolor=%s];\n", s->step.name.text,
                      s->step.name.text, step_kind_names[plan_step_kind(&s->step)], colours[s->state]);
        for (size_t i = 0; i < s->step.needs.n; i++)
                buffer_printf(out, "        \"%s\" -> \"%s\";\n", s->step.needs.items[i].text, s->step.name.text);
}

void plan_dot(const char *title, const struct struct_list *steps, struct buffer *out) {
        const struct rollout_step *items = steps->items;

        buffer_printf(out, "digraph \"%s\" {\n        rankdir=LR;\n        node [shape=box];\n", title);
        for (size_t i = 0; i < steps->n; i++)
                dot_step(&items[i], out);
        buffer_puts(out, "}\n");
}
