/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the stages of one pass share. Private to reconciler/pass. */

#include "policies/trust.h"
#include "providers/probe.h"
#include "reconciler/core/checks.h"
#include "reconciler/state/failed.h"
#include "reconciler/ledger/ledger.h"
#include "reconciler/pass/act.h"
#include "reconciler/desired/desired.h"
#include "reconciler/pass/pass.h"
#include "reconciler/core/status.h"

#define PASS_RUNTIMES_MAX 8

/* How a settled release came here. */
struct current_origin {
        /* the one that declared it when it was proven; NULL: all of this is not known */
        const char *commit;
        const char *strategy; /* of rollout_strategy_names, or "steps": the app's own plan */
        int64_t started_at;   /* wall ms: of its rollout */
};

/* An app beside what the pass remembers of it; the same order as world.apps. */
struct pass_app {
        const char *app;
        const struct deployment *deployment; /* NULL: not declared */
        struct workload *wanted;             /* rendered; NULL: not declared */
        struct workload *current;            /* NULL: none */
        struct current_origin current_origin;
        struct struct_list plan; /* struct rollout_step: how the declared release comes here */
        struct runtime *runtime;
        struct rollout rollout;
        struct digest persisted;  /* of the rollout as it stands on disk; unset: not there */
        const char *held;         /* its rollout state cannot be read: why */
        int64_t intent;           /* of this pass, 0: none */
        struct struct_list steps; /* struct act_result: what this pass did */
        /* struct rollout_step, check_state: the plan and the checks as they last stood, also when they are over */
        struct struct_list walked, checked;
        struct struct_list heard; /* struct failed_output: of this look */
        const char *outcome;      /* for the result record; NULL: none yet */
};

struct pass {
        const struct config *config;
        const struct pass_options *options;
        struct arena *arena;

        struct state state;
        struct sshkey_private key;
        struct ledger *ledger; /* NULL: dry, or it cannot be opened */
        struct mirror *mirror;
        struct remote_settings remote;

        struct accepted accepted;
        /* Nothing is remembered, and a ledger of another key says that this was accepted: see verify.c. NULL: no such ledger. */
        const char *floor;
        struct sshkey floor_signer;
        struct status_facts facts;
        enum fault_kind stale_kind;
        bool mirror_is_new; /* made in this pass: what it lacks, the remote lacks */
        struct desired desired;

        struct runtime *runtimes[PASS_RUNTIMES_MAX];
        size_t n_runtimes;
        struct router *routers[ROUTER_KIND_MAX_]; /* NULL: not opened */
        struct pass_app *apps;                    /* sorted by name */
        size_t n_apps;
        struct decision_input input; /* of the last look */
        struct decision decision;

        struct struct_list records;           /* struct record: to be sealed with the next append */
        struct struct_list worlds, artifacts; /* struct ledger_blob: likewise */
        bool ledger_failed;                   /* an append failed: nothing is changed any more */
        bool push_failed;
        bool push_denied; /* and a person must look before it can be pushed */
        bool refusal_is_new;
        /* digest of the trust before this pass accepted something; NULL: the same */
        const char *trust_before;
        int64_t wake_at; /* wall ms; 0: at the next poll */
        /* fingerprint of the engine at the beginning of the last look; unset: none, or it did not answer */
        struct digest engine;
};

/* fetch.c: open the mirror of the desired state; a damaged one is set aside and begun anew. */
int pass_open_mirror(struct pass *p, struct fault *reterr);
/* fetch.c: ask the remote; a remote that is away makes the facts stale. */
int pass_fetch(struct pass *p, struct object_id *ret_tip, bool *ret_any, struct fault *reterr);
/*
 * verify.c: judge the tip and load it; keeps the accepted commit and notes a refusal when it may not be accepted. A
 * mirror that lost objects is fetched once more, and @tip with it. Sets facts.blocked when the accepted commit cannot
 * be had.
 */
int pass_verify(struct pass *p, struct object_id *tip, bool any, struct fault *reterr);
/* enrol.c: is this host in the fleet, with this key? Sets facts.blocked when not. */
void pass_enrol(struct pass *p);
/* observe.c: open the runtimes that the desired state needs and render what it declares; begins anew each time. */
int pass_render(struct pass *p, struct fault *reterr);
void pass_forget_apps(struct pass *p);
/* observe.c: add what the state remembers: rollouts, settled workloads. */
int pass_recall(struct pass *p, struct fault *reterr);
/* observe.c: look at the runtimes and make the world of now. */
int pass_observe(struct pass *p, struct fault *reterr);
struct runtime *pass_runtime_of(void *data, const struct app_input *app);
/* route.c: the router of that name, opened. FAULT_CONFIG when the host has none. */
int pass_router_of(void *data, const char *name, struct router **ret, struct fault *reterr);
/* route.c: what an app's router has in force. */
void pass_observe_route(struct pass *p, struct app_input *app);
/* check.c: make the checks that are due, as facts of the world. */
void pass_observe_checks(struct pass *p, struct app_input *app);
/*
 * check.c: make @n checks of one app, side by side; @about is what they have in common. Their facts in their order, in
 * @a, added to @facts.
 */
void pass_make_checks(const struct check_due *due, size_t n, const struct probe_target *about, struct arena *a,
                      struct struct_list *facts);
/* command.c: run a command that the host's configuration allows. */
int pass_run_command(void *data, const struct app_input *app, const struct action *action, struct fault *reterr);
struct pass_app *pass_find_app(struct pass *p, const char *app);

/* settled.c: the workload of the last proven release, kept so that it can be repaired without git. */
int current_write(struct state *s, const struct workload *w, const struct current_origin *by, int64_t now,
                  struct fault *reterr);
/* NULL when there is none, or when it cannot be read (it is made again by the next release). @ret_by may be NULL. */
struct workload *current_read(struct state *s, const char *app, struct current_origin *ret_by, struct arena *a);
int current_remove(struct state *s, const char *app, struct fault *reterr);

#define EARLIER_RELEASES_MAX 100 /* as many as `keep` can ask for */
struct earlier_release {
        const char *release, *version;
        int64_t until; /* wall ms: when the next one took over */
        struct string_list images;
};
/* struct earlier_release, newest first: what was settled before; none when it cannot be read. */
void current_earlier(struct state *s, const char *app, struct arena *a, struct struct_list *ret);

/* collect.c: have the runtimes remove images, files and networks that nothing needs. */
void pass_collect(struct pass *p);

/* events.c: what decide() said happened becomes records, log lines and what is kept about the app. */
int pass_note_events(struct pass *p, struct fault *reterr);
/* output.c: keep what instances printed that failed in this look, before they go. */
void pass_keep_output(struct pass *p);
/* output.c: digests of it, for a record; NULL when nothing was heard. A new reference. */
json_t *pass_output_json(const struct pass_app *app);
/* plan.c: take over what was decided for an app, and log which steps of its plan moved. */
void pass_note_plan(struct pass *p, struct pass_app *app, const struct decision_app *decided);
/* plan.c: the plan and the checks as they last stood, for a record; NULL when there was none. New references. */
json_t *pass_plan_json(const struct pass_app *app);
json_t *pass_checks_json(const struct pass_app *app);
/* events.c: a record whose body is owned by the pass from now on. */
struct record *pass_add_record(struct pass *p, enum record_kind kind, const char *app, json_t *body);

/* record.c: seal what is noted; @subject is the commit's first line. On failure nothing is changed any more. */
int pass_seal(struct pass *p, const char *subject, const json_t *status, const json_t *sticker, int64_t *ret_first,
              struct fault *reterr);
/* record.c: intents for the apps whose instances are about to be changed, sealed with what is noted so far. */
int pass_seal_intents(struct pass *p, struct fault *reterr);
/* record.c: close what a killed pass left open. */
int pass_close_interrupted(struct pass *p, struct fault *reterr);
/* record.c: the end of a pass: results, sticker, status, heartbeat; then push. @ret_status is a new reference. */
int pass_record(struct pass *p, json_t **ret_status, struct fault *reterr);

/* wake.c: in how many ms the next pass is due. */
int64_t pass_next_ms(const struct pass *p);
/* wake.c: until when a pass that finds all as it was left need not look. */
void pass_remember_unchanged(struct pass *p, const struct pass_result *result);

/* sticker.c: what is deployed, small. A new reference. */
json_t *pass_sticker(const struct pass *p);
