/* SPDX-License-Identifier: Apache-2.0 */

/* Conditions: KEY OPERATOR VALUE, all of which must hold; '|' separates alternatives. */

#include "tests/unit/core/scene.h"

#include "reconciler/core/severity.h"

/* Something may happen then. Later is the time when a wait is over. */
#define SOON_MS 5000

static const char *number(struct scene *c, int64_t n) {
        return arena_printf(c->s.arena, "%lld", (long long)n);
}

static const char *or_none(const char *text) {
        return text ? text : "none";
}

static const char *joined(struct scene *c, const char *list, const char *text) {
        return *list ? arena_printf(c->s.arena, "%s,%s", list, text) : text;
}

static const struct decision_app *out(const struct scene *c) {
        static const struct decision_app none;

        return c->decision.apps.n ? c->decision.apps.items : &none;
}

/* Those whose name matches @pattern and that are in a state. */
static int64_t count_instances(struct scene *c, const char *pattern, bool (*is)(const struct instance *)) {
        const struct instance *items = c->s.instances.items;
        int64_t n = 0;

        for (size_t i = 0; i < c->s.instances.n; i++)
                n += pattern_matches(pattern, scene_instance(c, &items[i])) && is(&items[i]);
        return n;
}

static bool is_here(const struct instance *i) {
        return true;
}
static bool is_running(const struct instance *i) {
        return i->state == INSTANCE_RUNNING;
}
static bool is_healthy(const struct instance *i) {
        return instance_is_healthy(i, false);
}

static size_t first_of(const struct string_list *trace, const char *pattern) {
        size_t i = 0;

        while (i < trace->n && !pattern_matches(pattern, trace->items[i].text))
                i++;
        return i;
}

static const char *value_count(struct scene *c, const char *pattern) {
        int64_t n = 0;

        for (size_t i = 0; i < c->trace.n; i++)
                n += pattern_matches(pattern, c->trace.items[i].text);
        return number(c, n);
}

/* FIRST<SECOND: both came since the mark, in this order. */
static const char *value_order(struct scene *c, const char *both) {
        char *first = arena_strdup(c->s.arena, both), *second = strchr(first, '<');
        size_t at;

        if (!second)
                line_fail(c->line, "order(FIRST<SECOND)");
        *second++ = '\0';
        at = first_of(&c->trace, second);
        return at < c->trace.n && first_of(&c->trace, first) < at ? "yes" : "no";
}

static const char *value_here(struct scene *c, const char *pattern) {
        return number(c, count_instances(c, pattern, is_here));
}
static const char *value_running(struct scene *c, const char *pattern) {
        return number(c, count_instances(c, pattern, is_running));
}
static const char *value_healthy(struct scene *c, const char *pattern) {
        return number(c, count_instances(c, pattern, is_healthy));
}

/* How many instances passed the check NAME/PATTERN. */
static const char *value_passed(struct scene *c, const char *both) {
        const struct instance *items = c->s.instances.items;
        char *name = arena_strdup(c->s.arena, both), *pattern = strchr(name, '/');
        int64_t n = 0;

        if (!pattern)
                line_fail(c->line, "passed(CHECK/INSTANCES)");
        *pattern++ = '\0';
        for (size_t i = 0; i < c->s.instances.n; i++)
                n += pattern_matches(pattern, scene_instance(c, &items[i])) &&
                     string_list_has(&sim_life(&c->s, items[i].id)->passed, name);
        return number(c, n);
}

static const char *value_events(struct scene *c, const char *name) {
        int e = line_choice(c->line, name, event_names, EVENT_MAX_);

        return number(c, c->s.events[e] - c->events[e]);
}

static const char *value_step(struct scene *c, const char *name) {
        enum step_state state = sim_state_of(&c->s, name);

        return state == STEP_STATE_MAX_ ? "none" : step_state_names[state];
}

static const char *value_detail(struct scene *c, const char *name) {
        const struct rollout_step *step = sim_step_of(&c->s, name);

        return or_none(step ? step->detail : NULL);
}

static const char *value_attempts(struct scene *c, const char *name) {
        const struct rollout_step *step = sim_step_of(&c->s, name);

        return number(c, step ? step->attempts : 0);
}

static const char *value_phase(struct scene *c) {
        return phase_names[c->s.app.rollout.phase];
}
static const char *value_state(struct scene *c) {
        return app_state_names[out(c)->state];
}
static const char *value_event(struct scene *c) {
        return event_names[out(c)->event];
}
static const char *value_failure(struct scene *c) {
        return or_none(c->s.app.rollout.failure_code);
}
static const char *value_text(struct scene *c) {
        return or_none(c->s.app.rollout.failure_text);
}
static const char *value_trouble(struct scene *c) {
        return or_none(c->s.app.rollout.trouble);
}
static const char *value_version(struct scene *c) {
        return or_none(c->s.app.rollout.version);
}
static const char *value_target(struct scene *c) {
        return scene_release_name(c, c->s.app.rollout.release);
}
static const char *value_settled(struct scene *c) {
        return scene_release_name(c, c->s.app.rollout.current_release);
}
static const char *value_settled_version(struct scene *c) {
        return or_none(c->s.app.rollout.current_version);
}
static const char *value_known(struct scene *c) {
        return scene_release_name(c, c->s.app.current ? c->s.app.current->release : NULL);
}
static const char *value_retried(struct scene *c) {
        return number(c, (int64_t)c->s.app.rollout.retried.n);
}
/* As many of each specification run as at the last power cut. */
static const char *value_as_before_the_cut(struct scene *c) {
        const struct scene_running *running = c->cut.items;

        for (size_t i = 0; i < c->cut.n; i++)
                if (scene_running(c, running[i].spec) != running[i].n)
                        return "no";
        return c->cut.n > 0 ? "yes" : "none";
}
static const char *value_breaker(struct scene *c) {
        return breaker_state_names[c->s.app.rollout.breaker.state];
}
static const char *value_repairs(struct scene *c) {
        return number(c, c->s.app.rollout.breaker.repairs);
}
static const char *value_waits(struct scene *c) {
        return or_none(out(c)->waits_for);
}
static const char *value_actions(struct scene *c) {
        return number(c, (int64_t)c->trace.n);
}
static const char *value_commands(struct scene *c) {
        return number(c, c->s.commands - c->commands);
}
static const char *value_facts(struct scene *c) {
        return number(c, c->s.facts_made - c->facts);
}
static const char *value_due(struct scene *c) {
        return number(c, (int64_t)c->s.app.facts.n);
}
static const char *value_elapsed(struct scene *c) {
        return number(c, c->s.mono - c->marked);
}
static const char *value_crashes(struct scene *c) {
        return number(c, c->crashes);
}
static const char *value_drained(struct scene *c) {
        return number(c, c->drained);
}
static const char *value_score(struct scene *c) {
        return number(c, drift_score(&out(c)->drift));
}
static const char *value_replays(struct scene *c) {
        return c->replays ? "yes" : "no";
}

/* When it is looked at again: at the next poll, or earlier. */
static const char *value_wakes(struct scene *c) {
        int64_t in = out(c)->wake_at - c->s.world.now;

        return !out(c)->wake_at ? "no" : in <= SOON_MS ? "soon" : "later";
}

static const char *value_poisoned(struct scene *c) {
        const struct string_list *poisoned = &c->s.app.rollout.poisoned;
        const char *list = "";

        for (size_t i = 0; i < poisoned->n; i++)
                list = joined(c, list, scene_release_name(c, poisoned->items[i].text));
        return *list ? list : "none";
}

static const char *value_exactly(struct scene *c) {
        const char *current = scene_release_name(c, c->s.app.rollout.current_release);

        if (c->s.instances.n == 0)
                return sim_routes_exactly(&c->s, NULL) ? "nothing" : "a route";
        for (int pass = 0; pass < 2; pass++)
                for (int i = 0; i < SCENE_RELEASES; i++)
                        if ((pass == 1 || str_eq(current, number(c, i + 1))) && sim_is_exactly(&c->s, c->releases[i]) &&
                            sim_routes_exactly(&c->s, c->releases[i]))
                                return number(c, i + 1);
        return "none";
}

static const char *value_did(struct scene *c) {
        const struct action *actions = c->decision.actions.items;
        const char *list = "";

        for (size_t i = 0; i < c->decision.actions.n; i++)
                list = joined(c, list, scene_action(c, &actions[i]));
        return *list ? list : "nothing";
}

static const char *value_drift(struct scene *c) {
        const struct drift *drift = out(c)->drift.items;
        const char *list = "";

        for (size_t i = 0; i < out(c)->drift.n; i++)
                list = joined(c, list, drift[i].code);
        return *list ? list : "none";
}

/* Where the first drift is, and whether its text names the instance. */
static const char *value_drifts(struct scene *c) {
        const struct drift *d = out(c)->drift.items;
        struct instance *i = d && d->instance ? sim_find(&c->s, d->instance) : NULL;

        return !i ? "none"
               : d->detail && strstr(d->detail, i->name) && str_eq(d->service, i->service) && d->index == i->index
                       ? scene_instance(c, i)
                       : "another";
}

static const struct sim_router *router(const struct scene *c) {
        for (size_t i = 0; i < ROUTER_KIND_MAX_; i++)
                if (c->s.routers[i].state.present)
                        return &c->s.routers[i];
        return &c->s.routers[ROUTER_MEMORY];
}

static const char *route_text(struct scene *c, bool cookies) {
        const struct route *r = &router(c)->state.route;
        const struct route_target *targets = r->targets.items;
        const char *list = "";

        for (size_t i = 0; router(c)->state.present && i < r->targets.n; i++) {
                struct instance *to = sim_find(&c->s, targets[i].instance);
                const char *name = to ? scene_instance(c, to) : "gone", *cookie = targets[i].release;

                if (cookies)
                        name = arena_printf(c->s.arena, "%s:%s", name,
                                            cookie ? scene_release_name(c,
                                                                        arena_printf(c->s.arena, "sha256:%s", cookie))
                                                   : "-");
                list = joined(c, list,
                              targets[i].variation == VARIATION_CANDIDATE ? arena_printf(c->s.arena, "%s*", name)
                                                                          : name);
        }
        return *list ? list : "none";
}

static const char *value_route(struct scene *c) {
        return route_text(c, false);
}
static const char *value_cookies(struct scene *c) {
        return route_text(c, true);
}

static const char *value_in_route(struct scene *c, const char *name) {
        return strstr(route_text(c, false), name) ? "yes" : "no";
}

static const char *value_share(struct scene *c) {
        return number(c, router(c)->state.route.candidate);
}
static const char *value_moves(struct scene *c) {
        return number(c, router(c)->moves - c->moves);
}

/* Which routers know the app. */
static const char *value_routers(struct scene *c) {
        const char *list = "";

        for (size_t i = 0; i < ROUTER_KIND_MAX_; i++)
                if (c->s.routers[i].state.present)
                        list = joined(c, list, router_kind_names[i]);
        return *list ? list : "none";
}

static const struct {
        const char *key;
        const char *(*value)(struct scene *c);
} keys[] = {
        { "actions", value_actions }, { "as-before-the-cut", value_as_before_the_cut },
        { "breaker", value_breaker }, { "commands", value_commands },
        { "cookies", value_cookies }, { "crashes", value_crashes },
        { "did", value_did },         { "drained", value_drained },
        { "drift", value_drift },     { "drifts", value_drifts },
        { "due", value_due },         { "elapsed", value_elapsed },
        { "event", value_event },     { "exactly", value_exactly },
        { "facts", value_facts },     { "failure", value_failure },
        { "known", value_known },     { "moves", value_moves },
        { "phase", value_phase },     { "poisoned", value_poisoned },
        { "repairs", value_repairs }, { "replays", value_replays },
        { "retried", value_retried }, { "route", value_route },
        { "routers", value_routers }, { "score", value_score },
        { "settled", value_settled }, { "settled_version", value_settled_version },
        { "share", value_share },     { "state", value_state },
        { "target", value_target },   { "text", value_text },
        { "trouble", value_trouble }, { "version", value_version },
        { "waits", value_waits },     { "wakes", value_wakes },
};

static const struct {
        const char *key;
        const char *(*value)(struct scene *c, const char *of);
} keys_of[] = {
        { "attempts", value_attempts }, { "count", value_count },     { "detail", value_detail },
        { "events", value_events },     { "healthy", value_healthy }, { "here", value_here },
        { "in_route", value_in_route }, { "order", value_order },     { "passed", value_passed },
        { "running", value_running },   { "step", value_step },
};

static const char *value(struct scene *c, char *key) {
        char *of = strchr(key, '('), *end = of ? strrchr(of, ')') : NULL;

        if (!of) {
                for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
                        if (str_eq(keys[i].key, key))
                                return keys[i].value(c);
                line_fail(c->line, "there is no value '%s'", key);
        }
        if (!end || end[1])
                line_fail(c->line, "'%s' is no NAME(OF)", key);
        *of++ = *end = '\0';
        for (size_t i = 0; i < sizeof(keys_of) / sizeof(keys_of[0]); i++)
                if (str_eq(keys_of[i].key, key))
                        return keys_of[i].value(c, of);
        line_fail(c->line, "there is no value '%s()'", key);
}

static bool compare(struct scene *c, const char *seen, const char *op, const char *wanted) {
        char *low = arena_strdup(c->s.arena, wanted), *high = strstr(low, "..");
        int64_t n, from, to;

        if (op[0] == '~')
                return strstr(seen, wanted) != NULL;
        if (op[0] == '!')
                return !str_eq(seen, wanted);
        if (op[0] == '=' && high) {
                *high = '\0';
                from = line_number(c->line, low);
                to = line_number(c->line, high + 2);
                return line_parse(seen, &n) && n >= from && n <= to;
        }
        if (op[0] == '=')
                return str_eq(seen, wanted) || (line_parse(seen, &n) && line_parse(wanted, &to) && n == to);
        to = line_number(c->line, wanted);
        return line_parse(seen, &n) && (op[0] == '>' ? n >= to : n <= to);
}

/* Where KEY ends: at the first operator outside of parentheses. */
static char *find_operator(char *word) {
        int depth = 0;

        for (; *word; word++) {
                depth += (*word == '(') - (*word == ')');
                if (depth == 0 && strchr("=~!<>", *word))
                        return word;
        }
        return NULL;
}

static bool holds(struct scene *c, const char *word, const char **ret_seen) {
        char *key = arena_strdup(c->s.arena, word), *at = find_operator(key);
        const char *seen, *wanted;
        char op[2] = { 0 };

        if (!at || at == key)
                line_fail(c->line, "'%s' is no condition", word);
        op[0] = *at;
        wanted = at + 1 + (*at == '!' || *at == '<' || *at == '>');
        if (wanted > at + 1 && at[1] != '=')
                line_fail(c->line, "'%s' has no operator of = != ~ >= <=", word);
        *at = '\0';
        seen = value(c, key);
        if (compare(c, seen, op, wanted))
                return true;
        *ret_seen = arena_printf(c->s.arena, "%s%s%s: seen %s", *ret_seen ? *ret_seen : "", *ret_seen ? "; " : "", word,
                                 seen);
        return false;
}

bool expect_holds(struct scene *c, struct line *l, const char **ret_seen) {
        struct line *before = c->line;
        bool all = true, any = false, some = false;

        c->line = l;
        *ret_seen = NULL;
        for (size_t i = 0; i < l->n; i++) {
                if (l->taken[i])
                        continue;
                if (str_eq(l->words[i], "|")) {
                        any = any || (all && some);
                        all = true;
                        some = false;
                        continue;
                }
                some = true;
                all = holds(c, l->words[i], ret_seen) && all;
        }
        if (!some)
                line_fail(l, "there is no condition");
        c->line = before;
        return any || all;
}
