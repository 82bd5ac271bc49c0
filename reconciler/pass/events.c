/* SPDX-License-Identifier: Apache-2.0 */

/* Events: what decide() said happened to an app becomes records, log lines, and what is kept about the app. */

#include "reconciler/journal/message.h"
#include "reconciler/pass/context.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

static void release_json(void *json) {
        json_decref(json);
}

struct record *pass_add_record(struct pass *p, enum record_kind kind, const char *app, json_t *body) {
        struct record *record = arena_push(p->arena, &p->records.items, &p->records.n, sizeof(struct record));

        record->kind = kind;
        record->app = app;
        record->body = body;
        arena_defer(p->arena, release_json, body);
        return record;
}

static void add_blob(struct pass *p, struct struct_list *list, const void *bytes, size_t size) {
        const struct ledger_blob *items = list->items;
        struct ledger_blob *blob;

        for (size_t i = 0; i < list->n; i++)
                if (items[i].size == size && memcmp(items[i].bytes, bytes, size) == 0)
                        return;
        blob = arena_push(p->arena, &list->items, &list->n, sizeof(struct ledger_blob));

        blob->bytes = arena_strndup(p->arena, bytes, size);
        blob->size = size;
}

/* Canonical bytes of a table's object, with their digest; @blobs (may be NULL) gets the bytes. */
static int canonical(struct pass *p, const struct table *t, const void *object, struct struct_list *blobs,
                     struct digest *ret, struct fault *reterr) {
        own_json json_t *json = table_write(t, object);
        own_buffer struct buffer bytes = BUFFER_INIT;
        int r = json_canonical(json, &bytes, reterr);

        if (r < 0)
                return r;
        *ret = digest_of(buffer_str(&bytes), bytes.size);
        if (blobs)
                add_blob(p, blobs, buffer_str(&bytes), bytes.size);
        return 0;
}

static json_t *gates_json(const struct app_input *app) {
        const struct verdict *verdicts = app->verdicts.items;
        json_t *array = json_array();

        for (size_t i = 0; i < app->verdicts.n; i++)
                json_array_append_new(array, table_write(&verdict_table, &verdicts[i]));
        return array;
}

static json_t *drift_json(const struct decision_app *d) {
        const struct drift *drift = d->drift.items;
        json_t *array = json_array();

        for (size_t i = 0; i < d->drift.n; i++)
                json_array_append_new(array, table_write(&drift_table, &drift[i]));
        return array;
}

/* The images of a workload as subjects of a record. */
static void add_images(struct pass *p, struct record *record, const struct workload *w) {
        const struct workload_service *services = w ? w->services.items : NULL;
        struct record_image *images;

        if (!w)
                return;
        images = arena_array(p->arena, w->services.n, sizeof(struct record_image));
        for (size_t i = 0; i < w->services.n; i++) {
                const char *at = services[i].image ? strrchr(services[i].image, '@') : NULL;

                if (!at)
                        continue;
                images[record->n_images++] = (struct record_image){
                        .name = arena_printf(p->arena, "%s/%s@%.*s", w->app, services[i].name,
                                             (int)(at - services[i].image), services[i].image),
                        .digest = at + 1,
                };
        }
        record->images = images;
}

/* Where the release says that it comes from. */
static json_t *source_json(const struct release_source *source) {
        json_t *o = json_object();

        json_set_string(o, "repository", source->repository);
        json_set_string(o, "commit", source->commit);
        json_set_string(o, "branch", source->branch);
        json_set_string(o, "build", source->build);
        json_set_string(o, "pipeline", source->pipeline);
        return o;
}

/* What the declared release is made of: pinned images, with the tags that stood beside the digests. */
static json_t *release_body(const struct deployment *d) {
        const struct compose_service *services = d->compose.services.items;
        json_t *o = json_object(), *components = json_array();

        for (size_t i = 0; i < d->compose.services.n; i++) {
                json_t *component = json_object();

                json_set_string(component, "service", services[i].name.text);
                json_set_string(component, "image", services[i].pinned);
                json_set_string(component, "tag", services[i].ref.tag);
                json_array_append_new(components, component);
        }
        json_set_string(o, "id", d->id);
        json_set_string(o, "version", d->release->version.text);
        json_object_set_new(o, "components", components);
        json_set_string(o, "created", d->release->created);
        json_set_string(o, "by", d->release->by);
        if (d->release->source)
                json_object_set_new(o, "source", source_json(d->release->source));
        return o;
}

/* The signed retry that this decision uses up; NULL: none. */
static json_t *retry_body(const struct app_input *app, const struct decision_app *d) {
        const struct retry_permission *items = app->retries.items;

        for (size_t i = 0; i < app->retries.n; i++)
                if (rollout_has_used(&d->rollout, items[i].id) && !rollout_has_used(&app->rollout, items[i].id))
                        return table_write(&retry_permission_table, &items[i]);
        return NULL;
}

/* The decision: what was declared, what the gates said, what will be done, and the world it can be replayed from. */
static int note_decision(struct pass *p, const struct app_input *app, const struct decision_app *d,
                         struct fault *reterr) {
        struct digest input, decision;
        json_t *body, *replay, *plan, *retry, *output;
        struct record *record;
        int r = canonical(p, &decision_input_table, &p->input, &p->worlds, &input, reterr);

        if (r == 0)
                r = canonical(p, &decision_table, &p->decision, NULL, &decision, reterr);
        if (r < 0)
                return r;
        body = json_object();
        replay = json_object();
        plan = json_object();
        json_set_string(replay, "world", digest_hex(&input));
        json_set_string(replay, "decision", digest_hex(&decision));
        json_set_string(plan, "event", event_names[d->event]);
        json_set_string(plan, "phase", phase_names[d->rollout.phase]);
        if (app->wanted)
                json_set_string(plan, "artifact", app->wanted->artifact_digest);
        json_object_set_new(body, "change",
                            record_change(d->rollout.current_release, d->rollout.current_version, d->rollout.release,
                                          d->rollout.version));
        if (pass_find_app(p, app->app)->deployment)
                json_object_set_new(body, "release", release_body(pass_find_app(p, app->app)->deployment));
        retry = retry_body(app, d);
        if (retry)
                json_object_set_new(body, "retry", retry);
        output = pass_output_json(pass_find_app(p, app->app));
        if (output)
                json_object_set_new(body, "output", output);
        json_object_set_new(body, "gates", gates_json(app));
        json_object_set_new(body, "plan", plan);
        json_object_set_new(body, "replay", replay);
        json_object_set_new(body, "drift", drift_json(d));
        record = pass_add_record(p, RECORD_DECISION, app->app, body);
        record->file_name = "plan.json";
        add_images(p, record, app->wanted);
        return 0;
}

static void note_artifact(struct pass *p, const struct workload *w) {
        if (w && w->artifact)
                add_blob(p, &p->artifacts, w->artifact, strlen(w->artifact));
}

/* What is proven is declared: its workload was rendered for this look. */
static int write_current(struct pass *p, struct pass_app *app, int64_t started_at, struct fault *reterr) {
        const struct app *declared = app->deployment->app;
        const struct current_origin by = {
                .commit = p->input.commit,
                .strategy = declared->steps.n > 0 ? "steps" : rollout_strategy_names[declared->rollout.strategy],
                .started_at = started_at,
        };
        int r = current_write(&p->state, app->wanted, &by, p->input.now, reterr);

        if (r == 0) {
                app->current = app->wanted;
                app->current_origin = by;
        }
        return r;
}

static int note_proven(struct pass *p, struct pass_app *app, const struct decision_app *d, struct fault *reterr) {
        /* A pass that was killed may have written it already; since then another release may be declared. */
        bool written = app->current && str_eq(app->current->release, d->rollout.current_release);
        int r = written ? 0 : write_current(p, app, d->rollout.started_at, reterr);

        if (r < 0)
                return r;
        app->outcome = "success";
        log_write(LOG_LEVEL_NOTICE,
                  LOG_FIELDS({ "MESSAGE_ID", MESSAGE_ROLLOUT_SETTLED }, { "TALLY_APP", app->app },
                             { "TALLY_RELEASE", d->rollout.current_release }),
                  "%s: release %s is in service and healthy", app->app, d->rollout.current_version);
        return 0;
}

static void note_reverted(struct pass *p, const struct app_input *app, struct pass_app *mine,
                          const struct decision_app *d) {
        json_t *body = json_object();
        struct record *record;

        /* The world still names the release that failed; the decision what serves again. */
        json_object_set_new(body, "change",
                            record_change(app->rollout.release, app->rollout.version, d->rollout.current_release,
                                          d->rollout.current_version));
        json_set_string(body, "outcome", "rolled_back");
        json_object_set_new(body, "error", record_error(d->rollout.failure_code, d->rollout.failure_text));
        record = pass_add_record(p, RECORD_ROLLBACK, app->app, body);
        record->file_name = "result.json";
        add_images(p, record, app->current);
        mine->outcome = "rolled_back";
        log_write(LOG_LEVEL_ERROR,
                  LOG_FIELDS({ "MESSAGE_ID", MESSAGE_ROLLOUT_REVERTED }, { "TALLY_APP", app->app },
                             { "TALLY_RELEASE", app->rollout.release }, { "TALLY_REASON", d->rollout.failure_code }),
                  "%s: release %s was taken back (%s); %s %s", app->app, app->rollout.version,
                  d->rollout.failure_text ? d->rollout.failure_text : "no reason",
                  d->rollout.current_version ? "in service again:" : "nothing was in service before",
                  d->rollout.current_version ? d->rollout.current_version : "");
}

static int note_repair(struct pass *p, const struct app_input *app, const struct decision_app *d,
                       struct fault *reterr) {
        const struct drift *first = d->drift.items;
        json_t *body = json_object();
        struct record *record;

        json_object_set_new(body, "drift", drift_json(d));
        json_set_string(body, "outcome", "repairing");
        record = pass_add_record(p, RECORD_DRIFT, app->app, body);
        record->file_name = "drift.json";
        log_write(LOG_LEVEL_WARNING,
                  LOG_FIELDS({ "MESSAGE_ID", MESSAGE_DRIFT_FOUND }, { "TALLY_APP", app->app },
                             { "TALLY_REASON", first->code }),
                  "%s: drift, being repaired: %s%s", app->app, first->detail, d->drift.n > 1 ? " (and more)" : "");
        return note_decision(p, app, d, reterr);
}

static int note_removed(struct pass *p, struct pass_app *app, struct fault *reterr) {
        int r = current_remove(&p->state, app->app, reterr);

        app->current = NULL;
        app->outcome = "success";
        return r < 0 ? r : failed_remove(&p->state, app->app, reterr);
}

static int note_event(struct pass *p, const struct app_input *app, struct pass_app *mine, const struct decision_app *d,
                      struct fault *reterr) {
        switch (d->event) {
        case EVENT_STARTED:
                log_write(LOG_LEVEL_NOTICE,
                          LOG_FIELDS({ "MESSAGE_ID", MESSAGE_ROLLOUT_STARTED }, { "TALLY_APP", app->app },
                                     { "TALLY_RELEASE", d->rollout.release }),
                          "%s: release %s begins", app->app, d->rollout.version);
                note_artifact(p, app->wanted);
                return note_decision(p, app, d, reterr);
        case EVENT_SETTLED:
                return note_proven(p, mine, d, reterr);
        case EVENT_FAILED:
                log_error("%s: release %s failed: %s", app->app, d->rollout.version,
                          d->rollout.failure_text ? d->rollout.failure_text : "no reason");
                mine->outcome = "failed";
                return note_decision(p, app, d, reterr);
        case EVENT_REVERTED:
                note_reverted(p, app, mine, d);
                return 0;
        case EVENT_STUCK:
                mine->outcome = "failed";
                return note_decision(p, app, d, reterr);
        case EVENT_REPAIRING:
                return note_repair(p, app, d, reterr);
        case EVENT_REMOVED:
                return note_removed(p, mine, reterr);
        case EVENT_NONE:
        case EVENT_MAX_:
                break;
        }
        return 0;
}

int pass_note_events(struct pass *p, struct fault *reterr) {
        const struct app_input *apps = p->input.apps.items;
        const struct decision_app *decided = p->decision.apps.items;

        for (size_t i = 0; i < p->decision.apps.n; i++) {
                int r = note_event(p, &apps[i], &p->apps[i], &decided[i], reterr);

                if (r < 0)
                        return r;
        }
        return 0;
}
