/* SPDX-License-Identifier: Apache-2.0 */

/* Record: intents before effects, results after them, status and sticker at the end, then the push. */

#include "reconciler/journal/message.h"
#include "reconciler/pass/context.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/git/compact.h"

/*
 * Sealing
 */

int pass_seal(struct pass *p, const char *subject, const json_t *status, const json_t *sticker, int64_t *ret_first,
              struct fault *reterr) {
        const struct record_desired desired = {
                .repository = p->config->repository.text,
                .ref = p->config->branch,
                .environment = p->input.environment,
                .commit = p->accepted.commit,
                .tree = p->accepted.tree,
                .principal = p->accepted.principal,
                .fingerprint = p->accepted.fingerprint,
                .algorithm = p->accepted.algorithm,
                .signed_at = p->accepted.signed_at,
                .first_seen = p->accepted.first_seen,
        };
        const struct ledger_entry entry = {
                .records = p->records.items,
                .n_records = p->records.n,
                .desired = p->accepted.commit ? &desired : NULL,
                .status = status,
                .sticker = sticker,
                .artifacts = p->artifacts.items,
                .n_artifacts = p->artifacts.n,
                .worlds = p->worlds.items,
                .n_worlds = p->worlds.n,
                .subject = subject,
        };
        int r;

        if (!p->ledger)
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_GATE_LEDGER, "the ledger is not open");
        r = ledger_append(p->ledger, &entry, ret_first, reterr);
        if (r < 0) {
                p->ledger_failed = true;
                return r;
        }
        p->records.n = p->worlds.n = p->artifacts.n = 0;
        return 0;
}

/*
 * Intents
 */

static json_t *actions_json(const struct decision *d, const char *app) {
        const struct action *actions = d->actions.items;
        json_t *array = json_array();

        for (size_t i = 0; i < d->actions.n; i++)
                if (str_eq(actions[i].app, app))
                        json_array_append_new(array, table_write(&action_table, &actions[i]));
        return array;
}

static bool changes_instances(const struct decision *d, const char *app) {
        const struct action *actions = d->actions.items;

        for (size_t i = 0; i < d->actions.n; i++)
                if (str_eq(actions[i].app, app) && action_changes_workload(&actions[i]))
                        return true;
        return false;
}

static void add_intent(struct pass *p, const struct pass_app *app) {
        json_t *body = json_object(), *plan = json_object();
        struct record *record;

        json_object_set_new(plan, "actions", actions_json(&p->decision, app->app));
        json_object_set_new(body, "change",
                            record_change(app->rollout.current_release, app->rollout.current_version,
                                          app->rollout.release, app->rollout.version));
        json_object_set_new(body, "plan", plan);
        record = pass_add_record(p, RECORD_INTENT, app->app, body);
        record->file_name = "plan.json";
}

int pass_seal_intents(struct pass *p, struct fault *reterr) {
        size_t before = p->records.n;
        int64_t first = 0;
        int r;

        for (size_t i = 0; i < p->n_apps; i++)
                if (!p->apps[i].intent && changes_instances(&p->decision, p->apps[i].app)) {
                        /* its place among the records, until they have numbers */
                        p->apps[i].intent = -1 - (int64_t)p->records.n;
                        add_intent(p, &p->apps[i]);
                }
        if (p->records.n == 0)
                return 0;
        r = pass_seal(p, p->records.n > before ? "intent" : "decision", NULL, NULL, &first, reterr);
        for (size_t i = 0; i < p->n_apps; i++)
                if (p->apps[i].intent < 0)
                        p->apps[i].intent = r == 0 ? first - 1 - p->apps[i].intent : 0;
        return r;
}

int pass_close_interrupted(struct pass *p, struct fault *reterr) {
        struct ledger_intent *intents = NULL;
        size_t n = 0;
        int r = ledger_open_intents(p->ledger, p->arena, &intents, &n, reterr);

        for (size_t i = 0; r == 0 && i < n; i++) {
                json_t *body = json_object();
                struct record *record;

                json_set_string(body, "outcome", "interrupted");
                json_set_string(body, "reason",
                                "the pass ended before it could say how; the next one resumed from what it observed");
                record = pass_add_record(p, RECORD_RESULT, intents[i].app, body);
                record->file_name = "result.json";
                record->closes = intents[i].seq;
                log_notice("%s: resumed after a pass that was interrupted (intent %lld)",
                           intents[i].app ? intents[i].app : "host", (long long)intents[i].seq);
        }
        return r == 0 && n > 0 ? pass_seal(p, "resumed", NULL, NULL, NULL, reterr) : r;
}

/*
 * Results
 */

static json_t *steps_json(const struct pass_app *app) {
        const struct act_result *steps = app->steps.items;
        json_t *array = json_array();

        for (size_t i = 0; i < app->steps.n; i++) {
                json_t *o = table_write(&action_table, steps[i].action);
                char at[RFC3339_TEXT_MAX];

                json_set_string(o, "instance", steps[i].instance);
                json_set_string(o, "started", rfc3339_format(steps[i].started_at, at));
                json_set_string(o, "finished", rfc3339_format(steps[i].finished_at, at));
                json_set_string(o, "outcome", steps[i].done ? "success" : "failed");
                if (steps[i].message)
                        json_object_set_new(o, "error", record_error(steps[i].code, steps[i].message));
                json_array_append_new(array, o);
        }
        return array;
}

static json_t *observed_json(const struct pass *p, const struct pass_app *app) {
        const struct app_input *apps = p->input.apps.items;
        json_t *array = json_array(), *o = json_object();

        for (size_t i = 0; i < p->input.apps.n; i++) {
                const struct instance *items = apps[i].instances.items;

                for (size_t k = 0; str_eq(apps[i].app, app->app) && k < apps[i].instances.n; k++)
                        json_array_append_new(array, table_write(&instance_table, &items[k]));
        }
        json_object_set_new(o, "instances", array);
        return o;
}

/* What this pass did to an app, in one word. */
static const char *outcome_of(const struct pass_app *app) {
        const struct act_result *steps = app->steps.items;

        if (app->outcome)
                return app->outcome;
        if (app->steps.n > 0 && !steps[app->steps.n - 1].done)
                return "failed";
        return app->rollout.phase == PHASE_SETTLED ? "success" : "partial";
}

static void add_result(struct pass *p, const struct pass_app *app) {
        const struct act_result *steps = app->steps.items;
        json_t *body = json_object(), *execution = json_object();
        struct record *record;
        char at[RFC3339_TEXT_MAX];

        if (app->steps.n > 0) {
                json_set_string(execution, "started", rfc3339_format(steps[0].started_at, at));
                json_set_string(execution, "finished", rfc3339_format(steps[app->steps.n - 1].finished_at, at));
        }
        json_object_set_new(execution, "steps", steps_json(app));
        if (app->walked.n > 0)
                json_object_set_new(execution, "plan", pass_plan_json(app));
        if (app->checked.n > 0)
                json_object_set_new(execution, "checks", pass_checks_json(app));
        json_object_set_new(body, "execution", execution);
        json_object_set_new(body, "observed", observed_json(p, app));
        json_object_set_new(body, "change",
                            record_change(NULL, NULL, app->rollout.current_release, app->rollout.current_version));
        json_set_string(body, "outcome", outcome_of(app));
        json_set_string(body, "phase", phase_names[app->rollout.phase]);
        if (app->rollout.failure_code)
                json_object_set_new(body, "error", record_error(app->rollout.failure_code, app->rollout.failure_text));
        record = pass_add_record(p, RECORD_RESULT, app->app, body);
        record->file_name = "result.json";
        record->closes = app->intent;
}

static void note_results(struct pass *p) {
        for (size_t i = 0; i < p->n_apps; i++)
                if (p->apps[i].intent > 0 || p->apps[i].outcome)
                        add_result(p, &p->apps[i]);
}

/*
 * What is about the host
 */

static void note_refusal(struct pass *p) {
        json_t *body;

        if (!p->refusal_is_new || !p->accepted.refusal)
                return;
        body = json_object();
        json_set_string(body, "outcome", "denied");
        json_set_string(body, "refused", p->accepted.refusal->commit);
        json_object_set_new(body, "error", record_error(p->accepted.refusal->code, p->accepted.refusal->message));
        pass_add_record(p, RECORD_REFUSAL, NULL, body);
}

static void note_trust_change(struct pass *p) {
        json_t *body, *trust;

        if (!p->trust_before)
                return;
        body = json_object();
        trust = json_object();
        json_set_string(trust, "from", p->trust_before);
        json_set_string(trust, "to", p->accepted.trust);
        json_object_set_new(body, "trust", trust);
        pass_add_record(p, RECORD_TRUST_CHANGE, NULL, body);
}

static void note_clock(struct pass *p) {
        json_t *body;

        if (!ledger_clock_went_back(p->ledger, clock_wall_ms()))
                return;
        body = json_object();
        json_object_set_new(body, "error", record_error(REASON_CLOCK_BACKWARDS, reason_text(REASON_CLOCK_BACKWARDS)));
        pass_add_record(p, RECORD_CLOCK_EVENT, NULL, body);
        log_write(LOG_LEVEL_WARNING, LOG_FIELDS({ "MESSAGE_ID", MESSAGE_CLOCK_EVENT }),
                  "the clock went back since the last record");
}

/* Drift that is only told, not repaired: recorded when it appears or changes. */
static void note_told_drift(struct pass *p, const json_t *before, const json_t *now) {
        const json_t *app;
        size_t i;

        json_array_foreach(json_object_get(now, "apps"), i, app) {
                const json_t *drift = json_object_get(app, "drift"), *old, *known = NULL;
                const char *name = json_get_string(app, "app");
                json_t *body;
                size_t k;

                json_array_foreach(json_object_get(before, "apps"), k,
                                   old) if (str_eq(json_get_string(old, "app"), name)) known =
                        json_object_get(old, "drift");
                if (json_array_size(drift) == 0 || (known && json_equal(drift, known)) || p->apps[i].intent > 0)
                        continue;
                body = json_object();
                json_object_set(body, "drift", (json_t *)drift);
                json_set_string(body, "outcome", "held");
                pass_add_record(p, RECORD_DRIFT, p->apps[i].app, body)->file_name = "drift.json";
        }
}

/*
 * Sticker and status
 */

/* The sticker to write, or NULL when the one on the host is right. Somebody else's hand on it is drift. */
static json_t *sticker_due(struct pass *p) {
        own_json json_t *sticker = pass_sticker(p), *sealed = NULL;
        own_fault struct fault fault = FAULT_INIT;
        enum sticker_state on_host = STICKER_MISSING;
        json_t *body;

        if (state_sticker_compare(&p->state, sticker, &on_host, &fault) < 0)
                log_warning("%s", fault.message);
        else if (on_host == STICKER_SAME)
                return NULL;
        if (ledger_read_sticker(p->ledger, &sealed, &fault) == 0 && sealed && json_equal(sealed, sticker)) {
                body = json_object();
                json_object_set_new(body, "error",
                                    record_error(REASON_DRIFT_STICKER, reason_text(REASON_DRIFT_STICKER)));
                json_set_string(body, "found", sticker_state_names[on_host]);
                json_set_string(body, "outcome", "success");
                pass_add_record(p, RECORD_DRIFT, NULL, body)->file_name = "drift.json";
                log_write(LOG_LEVEL_WARNING,
                          LOG_FIELDS({ "MESSAGE_ID", MESSAGE_DRIFT_FOUND }, { "TALLY_REASON", REASON_DRIFT_STICKER }),
                          "sticker.json is %s; it is written again", sticker_state_names[on_host]);
        }
        return json_incref(sticker);
}

/* Without what changes by itself. */
static json_t *stable_part(const json_t *status) {
        json_t *copy = json_copy((json_t *)status), *desired = json_copy(json_object_get(status, "desired"));

        json_object_del(copy, "at");
        json_object_del(copy, "ledger");
        json_object_del(desired, "fetched");
        json_object_set_new(copy, "desired", desired ? desired : json_null());
        return copy;
}

static bool status_changed(const json_t *before, const json_t *now) {
        own_json json_t *a = before ? stable_part(before) : NULL, *b = stable_part(now);

        return !a || !json_equal(a, b);
}

static bool heartbeat_due(const struct pass *p, const json_t *before) {
        const char *at = before ? json_get_string(before, "at") : NULL;
        int64_t last = 0, now = clock_wall_ms();

        return !at || rfc3339_parse(at, &last) < 0 || now - last >= p->config->heartbeat_ms || now < last;
}

static const char *subject_of(const struct pass *p, const json_t *status) {
        const struct record *records = p->records.items;

        for (size_t i = p->records.n; i-- > 0;)
                if (records[i].app)
                        return arena_printf(p->arena, "%s: %s (%s)", records[i].app, record_kind_names[records[i].kind],
                                            json_get_string(status, "state"));
        return arena_printf(p->arena, "%s: %s", p->records.n > 0 ? record_kind_names[records[0].kind] : "status",
                            json_get_string(status, "state"));
}

/*
 * The end
 */

static void push(struct pass *p) {
        own_fault struct fault fault = FAULT_INIT;
        enum ledger_push_state pushed;

        if (!p->ledger || !ledger_head_is_behind(ledger_head(p->ledger)))
                return;
        if (ledger_push(p->ledger, &pushed, &fault) < 0) {
                p->push_failed = true;
                p->push_denied = fault.kind == FAULT_DENIED;
                log_write(fault.kind == FAULT_DENIED ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
                          LOG_FIELDS({ "MESSAGE_ID", fault.kind == FAULT_DENIED ? MESSAGE_LEDGER_ANOMALY : NULL },
                                     { "TALLY_REASON", fault.code }),
                          "the ledger waits here: %s", fault.message);
        } else if (pushed == LEDGER_PUSH_REWOUND || pushed == LEDGER_PUSH_VANISHED) {
                log_write(LOG_LEVEL_ERROR,
                          LOG_FIELDS({ "MESSAGE_ID", MESSAGE_LEDGER_ANOMALY },
                                     { "TALLY_REASON", REASON_LEDGER_REWOUND }),
                          "the ledger branch at the remote was %s; it is whole again", ledger_push_state_names[pushed]);
        }
}

static int seal_end(struct pass *p, const json_t *before, const json_t *status, struct fault *reterr) {
        own_json json_t *sticker = sticker_due(p);

        note_results(p);
        note_refusal(p);
        note_trust_change(p);
        note_clock(p);
        note_told_drift(p, before, status);
        if (heartbeat_due(p, before) && p->records.n == 0 && before)
                pass_add_record(p, RECORD_HEARTBEAT, NULL, json_object());
        if (p->records.n == 0 && !sticker && !status_changed(before, status))
                return 0;
        return pass_seal(p, subject_of(p, status), status, sticker, NULL, reterr);
}

/* A repository that isn't compact works as well, only slower: the next pass tries again. */
static void compact(struct mirror *m) {
        own_fault struct fault fault = FAULT_INIT;
        bool done = false;

        if (m && mirror_compact(m, &compact_default, &done, &fault) < 0)
                log_warning("%s is not compacted: %s", mirror_path(m), fault.message);
        else if (done)
                log_info("%s: compacted", mirror_path(m));
}

int pass_record(struct pass *p, json_t **ret_status, struct fault *reterr) {
        own_fault struct fault ignored = FAULT_INIT;
        own_json json_t *before = NULL, *now = NULL, *status = status_document(&p->input, &p->decision, &p->facts);
        int r = 0;

        if (state_json_read(&p->state, "status.json", &before, &ignored) < 0)
                before = NULL;
        if (p->ledger && !p->ledger_failed)
                r = seal_end(p, before, status, reterr);
        if (r < 0)
                return r;
        push(p);
        compact(p->mirror);
        compact(p->ledger ? ledger_mirror(p->ledger) : NULL);
        fault_done(&ignored);
        /* As it was sealed, with the ledger's head and the time in it. */
        if (state_json_read(&p->state, "status.json", &now, &ignored) < 0 || !now || p->ledger_failed)
                *ret_status = json_incref(status);
        else
                *ret_status = json_incref(now);
        return 0;
}
