/* SPDX-License-Identifier: Apache-2.0 */

/* What the lines of a scenario do. */

#include "tests/unit/core/scene.h"

#define TICK_MS           100
#define ROUNDS_MAX        4000
#define AT(list, type, i) (&((type *)(list).items)[i])

/*
 * Names
 */

static int64_t release_number(const struct scene *c, const char *release) {
        for (int i = 0; i < SCENE_RELEASES; i++)
                if (c->releases[i] && str_eq(c->releases[i]->release, release))
                        return i + 1;
        return 0;
}

const char *scene_release_name(struct scene *c, const char *release) {
        int64_t n = release_number(c, release);

        return n ? arena_printf(c->s.arena, "%lld", (long long)n) : release ? "?" : "none";
}

struct workload *scene_release(struct scene *c, const char *name) {
        int64_t n = line_number(c->line, name);

        if (n < 1 || n > SCENE_RELEASES || !c->releases[n - 1])
                line_fail(c->line, "there is no release '%s'", name);
        return c->releases[n - 1];
}

struct workload_service *scene_service(struct scene *c, struct workload *w, const char *name) {
        if (name[0] < 'a' || (size_t)(name[0] - 'a') >= w->services.n || name[1])
                line_fail(c->line, "there is no service '%s'", name);
        return sim_service(w, (size_t)(name[0] - 'a'));
}

static const char *name_of(struct scene *c, const char *service, int64_t index, int64_t release) {
        return arena_printf(c->s.arena, "%c%lld@%s", 'a' + service[strlen(service) - 1] - '0', (long long)index,
                            release ? arena_printf(c->s.arena, "%lld", (long long)release) : "?");
}

/* Of the releases with a service of this specification the first. */
static int64_t release_of_spec(const struct scene *c, const char *spec) {
        for (int r = 0; r < SCENE_RELEASES; r++)
                for (size_t i = 0; i < c->releases[r]->services.n; i++)
                        if (str_eq(sim_service(c->releases[r], i)->spec_digest, spec))
                                return r + 1;
        return 0;
}

const char *scene_instance(struct scene *c, const struct instance *i) {
        return name_of(c, i->service, i->index, release_of_spec(c, i->spec));
}

const char *scene_action(struct scene *c, const struct action *action) {
        const char *kind = action_kind_names[action->kind];
        struct instance *i = action->instance ? sim_find(&c->s, action->instance) : NULL;
        int64_t release = release_number(c, action->release);
        char timeout[DURATION_TEXT_MAX];

        if (action->kind == ACTION_COMMAND)
                return arena_printf(c->s.arena, "%s:%s/%s/%s", kind, action->command, action->step,
                                    format_duration(action->timeout_ms, timeout));
        if (action->kind == ACTION_UNROUTE)
                return arena_printf(c->s.arena, "%s:%s", kind, action->router);
        if (i)
                return arena_printf(c->s.arena, "%s:%s", kind, scene_instance(c, i));
        if (!action->service || action->index == 0 || !release)
                return kind;
        return arena_printf(c->s.arena, "%s:%s", kind,
                            name_of(c, action->service, action->index,
                                    release_of_spec(c, workload_find(c->releases[release - 1], action->service)
                                                               ->spec_digest)));
}

static void add_text(struct scene *c, struct string_list *list, const char *text) {
        ((struct text_at *)arena_push(c->s.arena, &list->items, &list->n, sizeof(struct text_at)))->text = text;
}

static bool is(const char *word, const char *text) {
        return str_eq(word, text);
}

/*
 * What a pass does
 */

/* What serves stops only after no route led to it for as long as requests under way may take. */
static void watch_drain(struct scene *c, const struct action *action, const char *text) {
        const struct instance *i =
                c->drain_ms && action->kind == ACTION_STOP ? sim_find(&c->s, action->instance) : NULL;
        const struct sim_life *life = i && i->state == INSTANCE_RUNNING ? sim_life(&c->s, i->id) : NULL;

        if (!life || !life->port)
                return;
        if (life->routed || c->s.mono - life->let_go < c->drain_ms)
                line_fail(c->line, "%s %s", text,
                          life->routed ? "while a route leads to it" : "before its drain has passed");
        c->drained++;
}

static size_t count_running(struct scene *c, const char *pattern) {
        const struct instance *items = c->s.instances.items;
        size_t n = 0;

        for (size_t i = 0; i < c->s.instances.n; i++)
                n += items[i].state == INSTANCE_RUNNING && pattern_matches(pattern, scene_instance(c, &items[i]));
        return n;
}

static void witness(struct simulation *s, const struct action *action) {
        struct scene *c = s->data;
        const char *text = scene_action(c, action);

        watch_drain(c, action, text);
        for (size_t i = 0; i < c->forbidden.n; i++)
                if (pattern_matches(c->forbidden.items[i].text, text))
                        line_fail(c->line, "%s is forbidden", text);
        if (c->alone && pattern_matches(c->alone_action, text) && count_running(c, c->alone) > 0)
                line_fail(c->line, "%s while %s runs", text, c->alone);
        add_text(c, &c->trace, text);
}

static int interfere(struct simulation *s, const struct action *action, struct fault *fault) {
        struct scene *c = s->data;
        const char *text = scene_action(c, action);

        for (size_t i = 0; i < c->faults.n; i++) {
                struct scene_fault *f = AT(c->faults, struct scene_fault, i);

                if (f->times == 0 || !pattern_matches(f->pattern, text))
                        continue;
                f->times -= f->times > 0;
                return fault_set_code(fault, f->kind, f->code, "it went wrong");
        }
        return 0;
}

/* A pass has two places before its actions, and one before and one after each of them. */
static void judge(struct simulation *s, const struct decision *d) {
        struct scene *c = s->data;
        const struct action *actions = d->actions.items;
        const struct decision_app *out = d->apps.items;
        int at = -1;

        if (!c->crash)
                return;
        if (is(c->crash_when, "look"))
                at = 0;
        if (is(c->crash_when, "event") && is(event_names[out->event], c->crash))
                at = 1;
        for (size_t i = 0; at < 0 && i < d->actions.n; i++)
                if (pattern_matches(c->crash, scene_action(c, &actions[i])) && !is(c->crash_when, "event"))
                        at = 2 + 2 * (int)i + is(c->crash_when, "after");
        if (at < 0)
                return;
        s->kill_at = s->points + at;
        c->crash = NULL;
}

static struct instance *match(struct scene *c, const char *pattern, size_t *at) {
        for (; *at < c->s.instances.n; ++*at)
                if (pattern_matches(pattern, scene_instance(c, AT(c->s.instances, struct instance, *at))))
                        return AT(c->s.instances, struct instance, (*at)++);
        return NULL;
}

static void move_endpoint(struct scene *c, struct instance *i, const char *how) {
        if (is(how, "none"))
                i->endpoints.n = 0;
        else if (is(how, "moved") && i->endpoints.n)
                AT(i->endpoints, struct endpoint, 0)->address =
                        arena_printf(c->s.arena, "127.0.0.1:%d", c->s.next_port++);
        else
                line_fail(c->line, "endpoint=none or endpoint=moved of an instance that has one");
}

static void change_instance(struct scene *c, struct line *l, struct instance *i) {
        const char *text;

        if ((text = line_option(l, "state")))
                i->state = (enum instance_state)line_choice(l, text, instance_state_names, INSTANCE_STATE_MAX_);
        if ((text = line_option(l, "health")))
                i->health = (enum health)line_choice(l, text, health_names, HEALTH_MAX_);
        if ((text = line_option(l, "endpoint")))
                move_endpoint(c, i, text);
        if ((text = line_option(l, "spec")))
                i->spec = text;
        if ((text = line_option(l, "network")))
                add_text(c, &i->networks_missing, text);
        i->exit_code = line_option_number(l, "code", i->exit_code);
        i->restarts = line_option_number(l, "restarts", i->restarts);
        i->index = line_option_number(l, "index", i->index);
        i->started_at = c->s.world.now - line_option_number(l, "up", c->s.world.now - i->started_at);
        i->lost = line_flag(l, "lost") || i->lost;
        i->image_matches = !line_flag(l, "wrong-image") && i->image_matches;
}

/* instance PATTERN …: what somebody, or the engine, did to them. */
static size_t change_instances(struct scene *c, struct line *l) {
        const char *pattern = line_word(l);
        struct instance *i;
        bool taken[LINE_WORDS];
        size_t at = 0, n = 0;

        memcpy(taken, l->taken, sizeof(taken));
        while ((i = match(c, pattern, &at))) {
                memcpy(l->taken, taken, sizeof(taken));
                change_instance(c, l, i);
                n++;
        }
        return n;
}

static void after_look(struct scene *c) {
        const char *seen = NULL;

        for (size_t i = 0; i < c->always.n; i++)
                if (!expect_holds(c, AT(c->always, struct line, i), &seen))
                        line_fail(AT(c->always, struct line, i), "%s (at line %d)", seen, c->line->number);
}

static void haunt(struct scene *c) {
        for (size_t i = 0; i < c->haunts.n; i++) {
                struct line l = *AT(c->haunts, struct line, i);

                (void)change_instances(c, &l);
        }
}

static void pass(struct scene *c, int64_t ms) {
        if (!sim_pass(&c->s, &c->decision))
                c->crashes++;
        c->s.kill_at = -1;
        sim_wait(&c->s, ms);
        haunt(c);
        after_look(c);
}

static void play_pass(struct scene *c, struct line *l) {
        int64_t ms = line_option_number(l, "every", TICK_MS);
        const char *times = line_try(l);

        for (int64_t n = times ? line_number(l, times) : 1; n > 0; n--)
                pass(c, ms);
}

static void play_until(struct scene *c, struct line *l) {
        int64_t ms = line_option_number(l, "every", TICK_MS);
        const char *seen = NULL;

        for (int n = 0; !expect_holds(c, l, &seen); n++) {
                if (n == ROUNDS_MAX)
                        line_fail(l, "it does not come to that: %s", seen);
                pass(c, ms);
        }
        memset(l->taken, true, sizeof(l->taken));
}

/* Passes until nothing happens for a while. */
static void play_rest(struct scene *c, struct line *l) {
        int quiet = 0;

        for (int n = 0; quiet < 4; n++) {
                const struct decision_app *out;

                if (n == ROUNDS_MAX)
                        line_fail(l, "it does not come to rest: phase %s", phase_names[c->s.app.rollout.phase]);
                pass(c, 500);
                out = c->decision.apps.items;
                quiet = c->decision.actions.n == 0 && out->event == EVENT_NONE && !out->wake_at ? quiet + 1 : 0;
        }
}

/* A look whose actions nobody carries out; the same world, read back from its document, decides the same. */
static void play_decide(struct scene *c, struct line *l) {
        own_fault struct fault fault = FAULT_INIT;
        own_json json_t *json = NULL, *one = NULL, *two = NULL;
        struct decision again;
        struct decision_input back;

        sim_look(&c->s);
        json = table_write(&decision_input_table, &c->s.world);
        if (table_read_json(&decision_input_table, "world", json, &back, c->s.arena, &fault) < 0)
                line_fail(l, "the world does not survive its document: %s", fault.message);
        decide(&back, c->s.arena, &again);
        two = table_write(&decision_table, &again);
        c->decision = sim_decide(&c->s);
        one = table_write(&decision_table, &c->decision);
        c->replays = str_eq(digest_of_json(one).text, digest_of_json(two).text);
        after_look(c);
}

static void play_expect(struct scene *c, struct line *l) {
        const char *seen = NULL;

        if (!expect_holds(c, l, &seen))
                line_fail(l, "%s", seen);
        memset(l->taken, true, sizeof(l->taken));
}

static void play_mark(struct scene *c, struct line *l) {
        c->trace = (struct string_list){ .items = NULL };
        c->marked = c->s.mono;
        c->commands = c->s.commands;
        c->facts = c->s.facts_made;
        c->moves = 0;
        for (size_t i = 0; i < ROUTER_KIND_MAX_; i++)
                c->s.routers[i].moves = 0;
        memcpy(c->events, c->s.events, sizeof(c->events));
}

/* A line that holds from now on; "nothing" ends all of its kind. */
static void keep_line(struct scene *c, struct line *l, struct struct_list *list) {
        struct line *kept;

        if (line_flag(l, "nothing")) {
                *list = (struct struct_list){ .items = NULL };
                return;
        }
        kept = arena_push(c->s.arena, &list->items, &list->n, sizeof(struct line));
        *kept = *l;
        memset(l->taken, true, sizeof(l->taken));
}

static void play_always(struct scene *c, struct line *l) {
        keep_line(c, l, &c->always);
        after_look(c);
}

static void play_haunt(struct scene *c, struct line *l) {
        struct line tried = *l;

        if (l->n < 2 || !is(l->words[1], "nothing")) {
                if (!change_instances(c, &tried))
                        line_fail(l, "no instance is meant");
                line_end(&tried);
        }
        keep_line(c, l, &c->haunts);
}

static void play_forbid(struct scene *c, struct line *l) {
        if (line_flag(l, "nothing"))
                c->forbidden.n = 0;
        else
                add_text(c, &c->forbidden, line_word(l));
}

/* beside INSTANCES ACTIONS: none of these actions while any of these instances runs */
static void play_beside(struct scene *c, struct line *l) {
        c->alone = line_word(l);
        c->alone_action = line_word(l);
}

static void play_crash(struct scene *c, struct line *l) {
        static const char *const whens[] = { "look", "before", "after", "event", "at" };

        c->crash_when = whens[line_choice(l, line_word(l), whens, 5)];
        c->crash = is(c->crash_when, "look") ? "" : line_word(l);
        if (!is(c->crash_when, "at"))
                return;
        c->s.kill_at = c->s.points + (int)line_number(l, c->crash);
        c->crash = NULL;
}

static void play_watch_drain(struct scene *c, struct line *l) {
        c->drain_ms = line_number(l, line_word(l));
}

/*
 * What happens to the host
 */

static void play_instance(struct scene *c, struct line *l) {
        if (change_instances(c, l) == 0)
                line_fail(l, "no instance is meant");
}

static struct instance *the_instance(struct scene *c, struct line *l) {
        size_t at = 0;
        struct instance *i = match(c, line_word(l), &at);

        if (!i)
                line_fail(l, "there is no such instance");
        return i;
}

static void play_remove(struct scene *c, struct line *l) {
        sim_remove(&c->s, the_instance(c, l)->id);
}

/* One more, made by hand. */
static void play_copy(struct scene *c, struct line *l) {
        struct instance from = *the_instance(c, l),
                        *i = arena_push(c->s.arena, &c->s.instances.items, &c->s.instances.n, sizeof(from));

        *i = from;
        i->id = i->name = arena_printf(c->s.arena, "copy-%d", c->s.next_id++);
        i->index = line_option_number(l, "index", i->index);
        i->endpoints = (struct struct_list){ .items = NULL };
        if (from.endpoints.n)
                *(struct endpoint *)arena_push(c->s.arena, &i->endpoints.items, &i->endpoints.n,
                                               sizeof(struct endpoint)) = (struct endpoint){
                        .port = AT(from.endpoints, struct endpoint, 0)->port,
                        .address = arena_printf(c->s.arena, "127.0.0.1:%d", c->s.next_port++),
                };
}

int64_t scene_running(const struct scene *c, const char *spec) {
        const struct instance *items = c->s.instances.items;
        int64_t n = 0;

        for (size_t i = 0; i < c->s.instances.n; i++)
                n += str_eq(items[i].spec, spec) &&
                     (items[i].state == INSTANCE_RUNNING || items[i].state == INSTANCE_RESTARTING);
        return n;
}

static void remember_running(struct scene *c) {
        const struct instance *items = c->s.instances.items;

        c->cut = (struct struct_list){ .items = NULL };
        for (size_t i = 0; i < c->s.instances.n; i++) {
                struct scene_running *running;

                if (i > 0 && str_eq(items[i].spec, items[i - 1].spec))
                        continue;
                running = arena_push(c->s.arena, &c->cut.items, &c->cut.n, sizeof(*running));
                *running = (struct scene_running){ .spec = items[i].spec, .n = scene_running(c, items[i].spec) };
        }
}

/* All that ran, and what was stopped shortly before, ended with the engine. The first that ran of @spare is up again. */
static void play_power_cut(struct scene *c, struct line *l) {
        const char *spare = line_option(l, "spare"), *state = line_option(l, "state");
        int spared = state ? line_choice(l, state, instance_state_names, INSTANCE_STATE_MAX_) : INSTANCE_EXITED;

        remember_running(c);
        for (size_t n = 0; n < c->s.instances.n; n++) {
                struct instance *i = AT(c->s.instances, struct instance, n);

                if (i->state != INSTANCE_RUNNING && i->state != INSTANCE_EXITED)
                        continue;
                if (spare && spared != INSTANCE_EXITED && i->state == INSTANCE_RUNNING &&
                    pattern_matches(spare, scene_instance(c, i))) {
                        i->state = (enum instance_state)spared;
                        spare = NULL;
                        continue;
                }
                i->state = INSTANCE_EXITED;
                i->lost = true;
                i->endpoints.n = 0;
        }
}

static void play_wait(struct scene *c, struct line *l) {
        sim_wait(&c->s, line_number(l, line_word(l)));
}

static void play_clock(struct scene *c, struct line *l) {
        c->s.world.now += line_number(l, line_word(l));
}

static void play_fate(struct scene *c, struct line *l) {
        static const char *const fates[] = { "well", "slow", "starting", "ill", "dies", "loops" };
        struct workload *w = scene_release(c, line_word(l));
        struct workload_service *service = scene_service(c, w, line_word(l));
        enum fate fate = (enum fate)line_choice(l, line_word(l), fates, FATE_MAX_);

        sim_fate(&c->s, service, fate, line_option_number(l, "after", 0));
        sim_settle(&c->s);
}

static void play_say(struct scene *c, struct line *l) {
        const char *check = line_word(l), *verdict = line_word(l);

        if (is(verdict, "nothing"))
                c->s.sayings.n = 0;
        else
                sim_say(&c->s, check, NULL,
                        (enum check_verdict)line_choice(l, verdict, check_verdict_names, CHECK_VERDICT_MAX_));
}

static void play_fault(struct scene *c, struct line *l) {
        static const char *const kinds[] = { "transient", "denied", "conflict", "config" };
        static const enum fault_kind of[] = { FAULT_TRANSIENT, FAULT_DENIED, FAULT_CONFLICT, FAULT_CONFIG };
        struct scene_fault *f;

        if (line_flag(l, "nothing")) {
                c->faults = (struct struct_list){ .items = NULL };
                return;
        }
        f = arena_push(c->s.arena, &c->faults.items, &c->faults.n, sizeof(*f));
        f->times = line_option_number(l, "times", -1);
        f->pattern = line_word(l);
        f->kind = of[line_choice(l, line_word(l), kinds, 4)];
        f->code = line_try(l);
}

static void play_router(struct scene *c, struct line *l) {
        static const char *const hows[] = { "away", "back", "gone", "altered", "short", "refuses", "invalid" };
        struct sim_router *r = &c->s.routers[ROUTER_MEMORY];
        int how = line_choice(l, line_word(l), hows, 7);

        if (how <= 1)
                r->away = how == 0;
        else if (how == 2)
                r->state = (struct route_state){ .available = true };
        else if (how == 3)
                r->state.altered = true;
        else if (how == 4)
                r->state.route.targets.n--;
        r->refuses = how >= 5 ? (int)line_number(l, line_word(l)) : r->refuses;
        r->for_good = how == 6;
        sim_reroute(&c->s, ROUTER_MEMORY);
}

static void play_gate(struct scene *c, struct line *l) {
        c->s.gate = line_word(l);
        c->s.gate_says = (enum verdict_value)line_choice(l, line_word(l), verdict_names, VERDICT_MAX_);
}

static void play_retry(struct scene *c, struct line *l) {
        struct retry_permission *retry =
                arena_push(c->s.arena, &c->s.app.retries.items, &c->s.app.retries.n, sizeof(struct retry_permission));
        const char *expires = line_option(l, "expires");

        retry->principal = "ann@example.com";
        retry->expires_at = expires ? c->s.world.now + line_number(l, expires) : 0;
        retry->id = line_word(l);
        retry->release = scene_release(c, line_word(l))->release;
}

static void play_engine(struct scene *c, struct line *l) {
        static const char *const hows[] = { "away", "back" };

        c->s.app.observed = line_choice(l, line_word(l), hows, 2) == 1;
}

/* The state folder is lost. */
static void play_forget(struct scene *c, struct line *l) {
        c->s.app.rollout = (struct rollout){ .app = "shop", .intent = -1, .candidate = -1 };
        c->s.app.current = NULL;
}

/* The settled release as it was rendered is lost, or is that of another. */
static void play_known(struct scene *c, struct line *l) {
        const char *name = line_word(l);

        c->s.app.current = is(name, "none") ? NULL : scene_release(c, name);
}

/*
 * What is declared
 */

static bool yes(struct line *l, const char *name, bool otherwise) {
        static const char *const words[] = { "no", "yes" };
        const char *text = line_option(l, name);

        return text ? line_choice(l, text, words, 2) == 1 : otherwise;
}

static void play_set(struct scene *c, struct line *l) {
        struct app_settings *s = &c->s.app.settings;
        const char *text;

        s->min_healthy_ms = line_option_number(l, "min_healthy", s->min_healthy_ms);
        s->healthy_deadline_ms = line_option_number(l, "healthy_deadline", s->healthy_deadline_ms);
        s->progress_deadline_ms = line_option_number(l, "progress_deadline", s->progress_deadline_ms);
        s->prune = yes(l, "prune", s->prune);
        if ((text = line_option(l, "drift")))
                s->drift = (enum drift_mode)line_choice(l, text, drift_mode_names, DRIFT_MODE_MAX_);
        if ((text = line_option(l, "strategy")))
                s->strategy = (enum rollout_strategy)line_choice(l, text, rollout_strategy_names, STRATEGY_MAX_);
        c->s.world.suspended = yes(l, "suspended", c->s.world.suspended);
        c->s.world.ledger_writable = yes(l, "ledger", c->s.world.ledger_writable);
        c->s.nobody_checks = !yes(l, "checks", !c->s.nobody_checks);
        c->s.job_ms = line_option_number(l, "job", c->s.job_ms);
}

/* canary=34:2s,67:2s */
static void read_canary(struct scene *c, struct line *l, const char *text, struct rollout_settings *ret) {
        char *rest = arena_strdup(c->s.arena, text), *word, *save = NULL;

        for (word = strtok_r(rest, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
                struct canary_step *step = arena_push(c->s.arena, &ret->steps.items, &ret->steps.n, sizeof(*step));
                char *hold = strchr(word, ':');

                if (!hold)
                        line_fail(l, "WEIGHT:HOLD is missing");
                *hold = '\0';
                step->weight = line_number(l, word);
                step->hold_ms = line_number(l, hold + 1);
        }
}

static void play_want(struct scene *c, struct line *l) {
        struct rollout_settings settings = { .strategy = STRATEGY_ROLLING };
        const char *release = line_word(l), *strategy = NULL, *text;
        struct progression progression = { .start = line_option_number(l, "start", 0) };

        sim_want(&c->s, is(release, "none") ? NULL : scene_release(c, release));
        if ((text = line_option(l, "order")))
                settings.order = (enum rollout_order)line_choice(l, text, rollout_order_names, ORDER_MAX_);
        if ((text = line_option(l, "on_failure")))
                settings.on_failure =
                        (enum rollout_failure)line_choice(l, text, rollout_failure_names, ON_FAILURE_MAX_);
        if ((text = line_option(l, "canary")))
                read_canary(c, l, text, &settings);
        settings.max_parallel = line_option_number(l, "parallel", 0);
        settings.bake_ms = line_option_number(l, "bake", 0);
        progression.hold_ms = line_option_number(l, "hold", 0);
        settings.progression = progression.start ? &progression : NULL;
        strategy = line_try(l);
        if (strategy)
                settings.strategy =
                        (enum rollout_strategy)line_choice(l, strategy, rollout_strategy_names, STRATEGY_MAX_);
        if (strategy)
                sim_plan(&c->s, &settings, c->steps.n ? &c->steps : NULL);
        c->steps = (struct struct_list){ .items = NULL };
}

static int64_t *new_number(struct scene *c, int64_t n) {
        int64_t *p = arena_new_of(c->s.arena, int64_t);

        *p = n;
        return p;
}

/* step NAME KIND[=VALUE] … */
static void play_step(struct scene *c, struct line *l) {
        const char *name = line_word(l), *needs = line_option(l, "needs"), *text;
        char *words = arena_strdup(c->s.arena, needs);
        struct plan_step *step;

        for (char *comma = words; comma && (comma = strchr(comma, ','));)
                *comma = ' ';
        step = sim_step(&c->s, &c->steps, name, words);
        step->prepare = line_flag(l, "prepare");
        step->gate.text = line_option(l, "gate");
        step->notify.text = line_option(l, "notify");
        if ((text = line_option(l, "stage")))
                (*(struct step_stage *)(step->stage = arena_new_of(c->s.arena, struct step_stage))).weight =
                        line_number(l, text);
        if ((text = line_option(l, "check")))
                step->check = (const struct step_check *)new_number(c, line_number(l, text));
        if ((text = line_option(l, "wait")))
                step->wait = (const struct step_wait *)new_number(c, line_number(l, text));
        if ((text = line_option(l, "hook")) || (needs = line_option(l, "command"))) {
                struct step_hook *hook = arena_new_of(c->s.arena, struct step_hook);

                hook->service.text = text ? scene_service(c, c->releases[0], text)->name : NULL;
                hook->command.text = text ? NULL : needs;
                step->hook = hook;
        }
        step->timeout_ms = line_option_number(l, "timeout", 0);
        step->retries = line_option_number(l, "retries", 0);
        if ((text = line_option(l, "on_failure")))
                step->on_failure = (enum step_failure)line_choice(l, text, step_failure_names, STEP_FAILURE_MAX_);
}

/* check NAME SERVICE: of release 2 */
static void play_check(struct scene *c, struct line *l) {
        const char *name = line_word(l);
        const struct workload_service *service = scene_service(c, c->releases[1], line_word(l));
        int64_t every = line_option_number(l, "every", 1000);
        struct check *check = sim_check(&c->s, name, service, every, line_option_number(l, "retries", 1));
        struct check_prometheus *query = arena_new_of(c->s.arena, struct check_prometheus);
        static const int64_t most = 1000000;

        if (line_flag(l, "query")) {
                check->tcp = NULL;
                check->prometheus = query;
                *query = (struct check_prometheus){
                        .url = "http://127.0.0.1:9090", .query = "errors", .samples = 5, .max = &most
                };
        }
}

/* Releases: "12", or "*" for all. */
static bool is_meant(struct scene *c, const char *releases, int i) {
        for (const char *digit = releases; !is(releases, "*") && *digit; digit++)
                if (*digit < '1' || *digit > '0' + SCENE_RELEASES)
                        line_fail(c->line, "'%s' are no releases", releases);
        return is(releases, "*") || strchr(releases, '1' + i);
}

static void change_service(struct scene *c, struct line *l, int release, const char *name) {
        struct workload_service *service = scene_service(c, c->releases[release], name),
                                *first = scene_service(c, c->releases[0], name);
        const char *text;

        if (line_flag(l, "same")) {
                service->spec_digest = first->spec_digest;
                service->image = first->image;
        }
        if ((text = line_option(l, "role")))
                service->role = (enum service_role)line_choice(l, text, service_role_names, ROLE_MAX_);
        service->replicas = line_option_number(l, "replicas", service->replicas);
        service->exclusive = line_flag(l, "exclusive") || service->exclusive;
        if ((text = line_option(l, "why")))
                service->why_exclusive = text;
}

/* service RELEASES NAME … */
static void play_service(struct scene *c, struct line *l) {
        const char *releases = line_word(l), *name = line_word(l);
        bool taken[LINE_WORDS];

        memcpy(taken, l->taken, sizeof(taken));
        for (int i = 0; i < SCENE_RELEASES; i++)
                if (is_meant(c, releases, i)) {
                        memcpy(l->taken, taken, sizeof(taken));
                        change_service(c, l, i, name);
                }
}

/* depend RELEASES FROM ON CONDITION */
static void play_depend(struct scene *c, struct line *l) {
        static const char *const conditions[] = { "started", "healthy", "completed" };
        static const enum depend_condition of[] = { DEPEND_STARTED, DEPEND_HEALTHY, DEPEND_COMPLETED };
        const char *releases = line_word(l), *from = line_word(l), *on = line_word(l);
        bool optional = line_flag(l, "optional");
        enum depend_condition condition = of[line_choice(l, line_word(l), conditions, 3)];

        for (int i = 0; i < SCENE_RELEASES; i++)
                if (is_meant(c, releases, i)) {
                        struct workload_service *service = scene_service(c, c->releases[i], from);

                        sim_depend(&c->s, c->releases[i], (size_t)(from[0] - 'a'), (size_t)(on[0] - 'a'), condition);
                        AT(service->depends_on, struct depend, service->depends_on.n - 1)->required = !optional;
                }
}

/* only RELEASES N: the first services */
static void play_only(struct scene *c, struct line *l) {
        const char *releases = line_word(l);
        int64_t n = line_number(l, line_word(l));

        for (int i = 0; i < SCENE_RELEASES; i++)
                if (is_meant(c, releases, i))
                        c->releases[i]->services.n = (size_t)n;
}

/* traffic RELEASES ROUTER|none: of the last service */
static void play_traffic(struct scene *c, struct line *l) {
        static const struct sticky sticky = { .cookie = "release", .duration_ms = 3600000 };
        const char *releases = line_word(l), *router = line_word(l);
        int64_t drain = line_option_number(l, "drain", 200);
        bool sticks = line_flag(l, "sticky");

        for (int i = 0; i < SCENE_RELEASES; i++) {
                struct workload *w = c->releases[i];

                if (!is_meant(c, releases, i))
                        continue;
                w->traffic = NULL;
                if (is(router, "none"))
                        continue;
                sim_route_to(&c->s, w, w->services.n - 1,
                             (enum router_kind)line_choice(l, router, router_kind_names, ROUTER_KIND_MAX_), drain);
                ((struct traffic *)w->traffic)->sticky = sticks ? &sticky : NULL;
        }
}

/* app SERVICES REPLICAS: releases 1 to 4 of the same services, all of whose specifications differ */
static void play_app(struct scene *c, struct line *l) {
        static const char *const versions[SCENE_RELEASES][4] = {
                { "1", "1", "1", "1" },
                { "2", "2", "2", "2" },
                { "3", "3", "3", "3" },
                { "4", "4", "4", "4" },
        };
        int64_t n = line_number(l, line_word(l)), replicas = line_number(l, line_word(l));

        if (c->releases[0] || n < 1 || n > 4)
                line_fail(l, "one app of 1 to 4 services");
        for (int i = 0; i < SCENE_RELEASES; i++)
                c->releases[i] =
                        sim_workload(&c->s, arena_printf(c->s.arena, "%d.0", i + 1), (size_t)n, replicas, versions[i]);
        c->s.has_health_check = !line_flag(l, "unchecked");
}

/* Release 1 serves. */
static void play_settled(struct scene *c, struct line *l) {
        sim_want(&c->s, c->releases[0]);
        play_rest(c, l);
        if (!sim_is_exactly(&c->s, c->releases[0]) || !sim_routes_exactly(&c->s, c->releases[0]) ||
            c->s.app.rollout.phase != PHASE_SETTLED)
                line_fail(l, "release 1 does not serve");
        play_mark(c, l);
}

static void expect_text(struct scene *c, struct line *l, const char *text) {
        struct line conditions = *l;
        const char *seen = NULL;

        if (line_split(&conditions, text, c->s.arena) && !expect_holds(c, &conditions, &seen))
                line_fail(l, "%s", seen);
}

/* serves RELEASE: it comes to rest with that release, which is settled. */
static void play_serves(struct scene *c, struct line *l) {
        const char *release = line_word(l);

        play_rest(c, l);
        expect_text(c, l, arena_printf(c->s.arena, "exactly=%s settled=%s phase=settled", release, release));
}

/* taken-back CODE: it comes to rest with release 1, and release 2 failed for this reason. */
static void play_taken_back(struct scene *c, struct line *l) {
        const char *code = line_word(l);

        play_rest(c, l);
        expect_text(c, l,
                    arena_printf(c->s.arena,
                                 "exactly=1 settled=1 target=1 version=1.0 poisoned=2 failure=%s events(reverted)=1",
                                 code));
}

static const struct {
        const char *word;
        void (*play)(struct scene *c, struct line *l);
} verbs[] = {
        { "always", play_always },
        { "app", play_app },
        { "beside", play_beside },
        { "check", play_check },
        { "clock", play_clock },
        { "copy", play_copy },
        { "crash", play_crash },
        { "decide", play_decide },
        { "depend", play_depend },
        { "engine", play_engine },
        { "expect", play_expect },
        { "fate", play_fate },
        { "fault", play_fault },
        { "forbid", play_forbid },
        { "forget", play_forget },
        { "gate", play_gate },
        { "haunt", play_haunt },
        { "instance", play_instance },
        { "known", play_known },
        { "mark", play_mark },
        { "only", play_only },
        { "pass", play_pass },
        { "power-cut", play_power_cut },
        { "remove", play_remove },
        { "rest", play_rest },
        { "retry", play_retry },
        { "router", play_router },
        { "say", play_say },
        { "service", play_service },
        { "set", play_set },
        { "serves", play_serves },
        { "settled", play_settled },
        { "step", play_step },
        { "taken-back", play_taken_back },
        { "traffic", play_traffic },
        { "until", play_until },
        { "wait", play_wait },
        { "want", play_want },
        { "watch-drain", play_watch_drain },
};

void scene_play(struct scene *c, struct line *l) {
        const char *word = line_word(l);

        c->line = l;
        if (!c->s.arena) {
                sim_init(&c->s);
                sim_forget(&c->s);
                c->s.data = c;
                c->s.witness = witness;
                c->s.interfere = interfere;
                c->s.judge = judge;
        }
        if (!c->releases[0] && !is(word, "app"))
                line_fail(l, "the first line is about the app");
        for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
                if (is(verbs[i].word, word)) {
                        verbs[i].play(c, l);
                        line_end(l);
                        return;
                }
        line_fail(l, "there is no line '%s'", word);
}

void scene_done(struct scene *c) {
        if (c->s.arena)
                sim_done(&c->s);
        *c = (struct scene){ .line = NULL };
}
