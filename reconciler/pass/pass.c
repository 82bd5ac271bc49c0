/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/pass/pass.h"

#include <signal.h>

#include "policies/gate.h"
#include "reconciler/core/rollout.h"
#include "reconciler/journal/message.h"
#include "reconciler/pass/context.h"
#include "reconciler/core/decide.h"
#include "reconciler/launcher/unchanged.h"
#include "reconciler/version.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/* A pass does not stay for ever, whatever its worlds do. */
#define ROUNDS_MAX     20000
/* How far back in the ledger the signer of the accepted commit is looked for. */
#define RECALL_RECORDS 256

static volatile sig_atomic_t interrupted;

void pass_interrupt(int number) {
        interrupted = 1;
        /* The current action may wait for an engine that says nothing. Who presses Ctrl-C again means it. */
        if (number == SIGINT)
                (void)signal(SIGINT, SIG_DFL);
}

/*
 * Setting up
 */

static void pass_done(struct pass *p) {
        pass_forget_apps(p);
        for (int kind = 0; kind < ROUTER_KIND_MAX_; kind++)
                router_close(p->routers[kind]);
        ledger_free(p->ledger);
        mirror_free(p->mirror);
        sshkey_private_wipe(&p->key);
        state_done(&p->state);
}

static void configure_remote(struct pass *p) {
        const struct config *c = p->config;

        p->remote = (struct remote_settings){
                .known_hosts = c->ssh.known_hosts,
                .ssh_key = c->ssh.key,
                .ssh_user = c->ssh.user,
                .ca_file = c->https.ca,
                .credentials = c->https.credentials,
                .allow_http = c->https.allow_http,
        };
}

static const char *kept(struct pass *p, const json_t *object, const char *key) {
        const char *text = json_get_string(object, key);

        return text ? arena_strdup(p->arena, text) : NULL;
}

/* Who signed the accepted commit, from a record made while it was accepted. 1: found. */
static int recall_signer(void *data, const struct ledger_record *record, struct fault *reterr) {
        struct pass *p = data;
        const json_t *desired = json_object_get(record->predicate, "desired"),
                     *signer = json_object_get(desired, "signer");
        const char *signed_at = json_get_string(desired, "signedAt"),
                   *first_seen = json_get_string(desired, "firstSeen");

        if (!signer || !str_eq(json_get_string(desired, "commit"), p->accepted.commit))
                return 0;
        p->accepted.tree = kept(p, desired, "tree");
        p->accepted.principal = kept(p, signer, "principal");
        p->accepted.fingerprint = kept(p, signer, "fingerprint");
        p->accepted.algorithm = kept(p, signer, "algorithm");
        if (signed_at)
                (void)rfc3339_parse(signed_at, &p->accepted.signed_at);
        if (first_seen)
                (void)rfc3339_parse(first_seen, &p->accepted.first_seen);
        return 1;
}

/*
 * The state lost the accepted commit: the ledger may say it, for a rewind must not go unseen. A status that this host's own
 * key signed is as good as the state. A status of another key may be planted; it may also be this host's from before it
 * lost its key. So it is only a floor, once a commit that verifies by itself names that key as this host's.
 */
static void recall_from_ledger(struct pass *p) {
        own_fault struct fault ignored = FAULT_INIT;
        char hex[OBJECT_ID_TEXT_MAX];
        struct object_id id;
        struct sshkey signer;

        if (ledger_accepted(p->ledger, &id, &signer, &ignored) < 0)
                return;
        if (!sshkey_equal(&signer, &p->key.key)) {
                p->floor = arena_strdup(p->arena, object_id_format(&id, hex));
                p->floor_signer = signer;
                return;
        }
        p->accepted.commit = arena_strdup(p->arena, object_id_format(&id, hex));
        /* The rest is only for what later records say. */
        (void)ledger_history(p->ledger, NULL, RECALL_RECORDS, recall_signer, p, &ignored);
}

/* The accepted commit, from the state or else from the ledger. */
static int recall_accepted(struct pass *p, struct fault *reterr) {
        const char *corrupt = NULL;
        int r = state_accepted_read(&p->state, p->arena, &p->accepted, &corrupt, reterr);

        if (r < 0)
                return r;
        if (corrupt)
                log_write(LOG_LEVEL_WARNING, LOG_FIELDS({ "TALLY_REASON", REASON_STATE_CORRUPT }), "%s", corrupt);
        if (!p->accepted.commit && p->ledger)
                recall_from_ledger(p);
        return 0;
}

/* A ledger that cannot be opened holds every change, but looking goes on. */
static int open_ledger(struct pass *p, struct fault *reterr) {
        const struct ledger_settings settings = {
                .host = p->config->host.text,
                .branch = p->config->ledger.branch,
                .repository = p->config->ledger.repository.text,
                .remote = &p->remote,
                .version = TALLY_VERSION,
        };
        own_fault struct fault fault = FAULT_INIT;
        struct ledger_settings *kept = arena_new_of(p->arena, struct ledger_settings);

        *kept = settings;
        if (ledger_open(&p->state, &p->key, kept, &p->ledger, &fault) == 0)
                return pass_close_interrupted(p, reterr);
        p->ledger_failed = true;
        p->facts.blocked_code = fault.code ? fault.code : REASON_GATE_LEDGER;
        p->facts.blocked_exit = fault_exit_code(&fault) == 4 ? 4 : 1;
        p->facts.blocked = arena_printf(p->arena, "the ledger cannot be opened: %s", fault.message);
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS({ "TALLY_REASON", fault.code }), "%s", p->facts.blocked);
        return 0;
}

static int set_up(struct pass *p, struct fault *reterr) {
        int r;

        p->facts.branch = p->config->branch;
        configure_remote(p);
        r = state_open(p->config->state, STATE_WRITE, &p->state, reterr);
        if (r == 0)
                r = state_lock(&p->state, p->options->lock_wait_ms, reterr);
        if (r == 0)
                r = state_key(&p->state, p->config->host.text, &p->key, NULL, reterr);
        if (r == 0)
                r = pass_open_mirror(p, reterr);
        if (r == 0 && !p->options->dry)
                r = open_ledger(p, reterr);
        return r == 0 ? recall_accepted(p, reterr) : r;
}

/*
 * Looking, deciding, acting
 */

/* The rollouts that decide() moved, onto the disk, before anything follows from them. */
static int persist_rollouts(struct pass *p, struct fault *reterr) {
        for (size_t i = 0; i < p->n_apps; i++) {
                struct pass_app *app = &p->apps[i];
                own_json json_t *json = NULL;
                struct digest digest;
                int r;

                if (app->held ||
                    (!app->deployment && rollout_is_over(&app->rollout) && !digest_is_set(&app->persisted)))
                        continue;
                json = table_write(&rollout_table, &app->rollout);
                digest = digest_of_json(json);
                if (digest_equal(&digest, &app->persisted))
                        continue;
                r = state_rollout_write(&p->state, &app->rollout, reterr);
                if (r < 0)
                        return r;
                app->persisted = digest;
        }
        return 0;
}

static void action_done(void *data, const struct app_input *app, const struct act_result *result,
                        const struct fault *fault) {
        struct pass *p = data;
        struct pass_app *mine = pass_find_app(p, app->app);
        enum phase before = mine->rollout.phase;
        struct act_result *step = arena_push(p->arena, &mine->steps.items, &mine->steps.n, sizeof(struct act_result));

        *step = *result;
        if (!fault)
                rollout_action_done(&mine->rollout, result->action, result->finished_at, p->arena);
        else
                rollout_action_failed(&mine->rollout, result->action, fault, result->finished_at, p->arena);
        log_debug("%s: %s %s: %s", app->app, action_kind_names[result->action->kind],
                  result->action->name      ? result->action->name
                  : result->action->service ? result->action->service
                                            : "",
                  fault ? fault->message : "done");
        if (fault)
                log_write(LOG_LEVEL_WARNING, LOG_FIELDS({ "TALLY_APP", app->app }, { "TALLY_REASON", fault->code }),
                          "%s: %s", app->app, fault->message);
        if (mine->rollout.phase == PHASE_STUCK && before != PHASE_STUCK) {
                mine->outcome = "failed";
                log_write(LOG_LEVEL_ERROR,
                          LOG_FIELDS({ "MESSAGE_ID", MESSAGE_ROLLOUT_STUCK }, { "TALLY_APP", app->app },
                                     { "TALLY_RELEASE", mine->rollout.release },
                                     { "TALLY_REASON", REASON_ROLLOUT_REVERT_FAILED }),
                          "%s: the release before could not be brought back: %s", app->app,
                          fault ? fault->message : "no reason");
        }
}

static int look(struct pass *p, struct fault *reterr) {
        const struct decision_app *decided;
        int r = pass_observe(p, reterr);

        if (r < 0)
                return r;
        gate_judge(&p->input, p->arena);
        decide(&p->input, p->arena, &p->decision);
        decided = p->decision.apps.items;
        for (size_t i = 0; i < p->n_apps; i++)
                pass_note_plan(p, &p->apps[i], &decided[i]);
        return 0;
}

static bool has_event(const struct decision *d) {
        const struct decision_app *apps = d->apps.items;

        for (size_t i = 0; i < d->apps.n; i++)
                if (apps[i].event != EVENT_NONE)
                        return true;
        return false;
}

static bool collects(const struct decision *d) {
        const struct action *actions = d->actions.items;

        for (size_t i = 0; i < d->actions.n; i++)
                if (actions[i].kind == ACTION_COLLECT)
                        return true;
        return false;
}

/* Record, persist, act. The decision is sealed before anything is changed, the intent before an instance is. */
static int carry_out(struct pass *p, struct fault *reterr) {
        const struct act_ports ports = {
                .runtime = pass_runtime_of,
                .router = pass_router_of,
                .command = pass_run_command,
                .done = action_done,
                .progress = p->options->progress,
                .data = p,
        };
        int r;

        pass_keep_output(p);
        r = pass_note_events(p, reterr);
        if (r == 0 && (p->decision.actions.n > 0 || p->records.n > 0))
                r = pass_seal_intents(p, reterr);
        if (r == 0)
                r = persist_rollouts(p, reterr);
        if (r < 0)
                return r;
        (void)act(&p->input, &p->decision, &ports, p->arena);
        r = persist_rollouts(p, reterr);
        if (r == 0 && collects(&p->decision))
                pass_collect(p);
        return r;
}

/* The soonest look that an app asks for, and when the first of them has something due; 0: none. */
static int64_t earliest_wake(const struct decision *d, int64_t *ret_due) {
        const struct decision_app *apps = d->apps.items;
        int64_t earliest = 0;

        *ret_due = 0;
        for (size_t i = 0; i < d->apps.n; i++) {
                if (apps[i].wake_at && (!earliest || apps[i].wake_at < earliest))
                        earliest = apps[i].wake_at;
                if (apps[i].due_at && (!*ret_due || apps[i].due_at < *ret_due))
                        *ret_due = apps[i].due_at;
        }
        return earliest;
}

/*
 * Looks in a row that decide the very same actions had no effect by them: each waits longer, and then the pass is over.
 */
struct pace {
        struct digest actions;
        int64_t wait_ms;
};
#define PACE_FIRST_MS 100
#define PACE_MAX_MS   5000

/* False when it is better to go on with the next pass. */
static bool keep_pace(struct pass *p, struct pace *pace) {
        const struct action *actions = p->decision.actions.items;
        own_json json_t *array = json_array();
        struct digest digest;

        for (size_t i = 0; i < p->decision.actions.n; i++)
                json_array_append_new(array, table_write(&action_table, &actions[i]));
        digest = digest_of_json(array);
        if (p->decision.actions.n == 0 || !digest_equal(&digest, &pace->actions)) {
                *pace = (struct pace){ .actions = digest, .wait_ms = PACE_FIRST_MS };
                return true;
        }
        if (pace->wait_ms > PACE_MAX_MS) {
                p->wake_at = clock_wall_ms() + PACE_MAX_MS;
                return false;
        }
        clock_sleep_ms(pace->wait_ms);
        pace->wait_ms *= 2;
        return true;
}

/* Look and act until nothing is due soon. */
static int run_rounds(struct pass *p, struct fault *reterr) {
        int64_t stay_until = clock_monotonic_ns() / 1000000 + p->options->linger_ms;
        struct pace pace = { .wait_ms = PACE_FIRST_MS };

        for (int n = 0; n < ROUNDS_MAX; n++) {
                int64_t wake, due, now;
                int r = look(p, reterr);

                if (r < 0 || p->options->dry)
                        return r;
                p->wake_at = wake = earliest_wake(&p->decision, &due);
                if (p->decision.actions.n > 0 || has_event(&p->decision)) {
                        if (!has_event(&p->decision) && !keep_pace(p, &pace))
                                return persist_rollouts(p, reterr);
                        r = carry_out(p, reterr);
                        if (r < 0 || interrupted)
                                return r;
                        continue;
                }
                r = persist_rollouts(p, reterr);
                now = clock_monotonic_ns() / 1000000;
                /* What only has to hold is watched from outside, by passes that find the host as it was left. */
                if (r < 0 || interrupted || !wake || now + (due - p->input.now) > stay_until)
                        return r;
                clock_sleep_ms(wake > p->input.now ? wake - p->input.now : 1);
        }
        return fault_set(reterr, FAULT_INTERNAL, 0, "the pass did not come to rest after %d looks", ROUNDS_MAX);
}

/*
 * The pass
 */

/* A host that is not of this fleet looks at nothing; one without its ledger looks, and holds. */
static bool may_observe(const struct pass *p) {
        return !p->facts.blocked || (p->ledger_failed && p->accepted.commit);
}

/*
 * Nothing is accepted and the ledger, which might say what was accepted before the state was lost, cannot be asked: to
 * accept a tip now could be to accept a rewind.
 */
static bool must_wait_for_ledger(const struct pass *p) {
        return !p->options->dry && !p->accepted.commit && p->ledger_failed;
}

static int work(struct pass *p, struct fault *reterr) {
        struct object_id tip;
        bool any = false;
        int r;

        if (must_wait_for_ledger(p))
                return run_rounds(p, reterr);
        r = pass_fetch(p, &tip, &any, reterr);
        if (r == 0)
                r = pass_verify(p, &tip, any, reterr);
        if (r == 0 && !p->options->dry)
                r = state_accepted_write(&p->state, &p->accepted, reterr);
        if (r < 0)
                return r;
        if (!p->facts.blocked)
                pass_enrol(p);
        if (may_observe(p))
                r = pass_recall(p, reterr);
        else
                pass_forget_apps(p);
        return r < 0 ? r : run_rounds(p, reterr);
}

static int exit_code_of(const struct pass *p) {
        int code = status_exit_code(&p->input, &p->decision, &p->facts);

        if (code == 0 && p->push_failed)
                code = 1;
        return code <= 1 && ((p->facts.stale && p->stale_kind == FAULT_DENIED) || p->push_denied) ? 4 : code;
}

/* The plan that is walked, or would be. */
static const char *graph_of(const struct pass *p) {
        const struct app_input *apps = p->input.apps.items;
        const struct decision_app *decided = p->decision.apps.items;
        own_buffer struct buffer out = BUFFER_INIT;

        for (size_t i = 0; i < p->input.apps.n; i++) {
                const struct struct_list *steps =
                        decided[i].rollout.steps.n > 0 ? &decided[i].rollout.steps : &apps[i].plan;

                if (steps->n > 0)
                        plan_dot(apps[i].app, steps, &out);
        }
        return arena_strndup(p->arena, buffer_str(&out), out.size);
}

/* What was removed is on record now: the host has nothing more to remember of it. */
static int forget_removed(struct pass *p, struct fault *reterr) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < p->n_apps; i++) {
                const struct pass_app *app = &p->apps[i];

                if (!app->held && !app->deployment && rollout_is_over(&app->rollout) && digest_is_set(&app->persisted))
                        r = state_rollout_remove(&p->state, app->app, reterr);
        }
        return r;
}

static int finish(struct pass *p, struct pass_result *ret, struct fault *reterr) {
        int r = 0;

        if (p->options->dry) {
                ret->decision = table_write(&decision_table, &p->decision);
                ret->status = status_document(&p->input, &p->decision, &p->facts);
                ret->graph = graph_of(p);
        } else {
                r = pass_record(p, &ret->status, reterr);
                if (r == 0 && !p->ledger_failed && !p->facts.blocked)
                        r = forget_removed(p, reterr);
        }
        if (r < 0)
                return r;
        ret->exit_code = exit_code_of(p);
        ret->next_ms = pass_next_ms(p);
        if (!p->options->dry && p->ledger && !p->ledger_failed && !p->push_failed)
                pass_remember_unchanged(p, ret);
        return 0;
}

int pass_run(const struct config *config, const struct pass_options *options, struct arena *a, struct pass_result *ret,
             struct fault *reterr) {
        own(pass_done) struct pass p = {
                .config = config,
                .options = options,
                .arena = a,
                .state = STATE_INIT,
        };
        int r = set_up(&p, reterr);

        if (r == 0)
                r = work(&p, reterr);
        if (r == 0)
                r = finish(&p, ret, reterr);
        return r;
}
