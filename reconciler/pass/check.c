/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The checks of rollouts under way, made when they are due, those of one round side by side: one that waits holds up no
 * other.
 */

#include "reconciler/pass/workers.h"
#include "reconciler/pass/context.h"
#include "reconciler/pass/worker_runtimes.h"

struct round {
        const struct check_due *due;
        const struct probe_target *about;
        struct arena **arenas; /* one a check: an arena is for one thread */
        struct check_fact *facts;
};

static bool follows(const void *data, size_t item, size_t earlier) {
        return false;
}

static int make(void *data, size_t item, void *tool) {
        struct round *round = data;
        const struct check_due *due = &round->due[item];
        struct probe_target target = *round->about;

        target.runtime = tool;
        target.instance = due->instance;
        target.service = due->check->service.text;
        probe(due->check, &target, round->arenas[item], &round->facts[item]);
        return 0;
}

static const int64_t *keep_number(const int64_t *number, struct arena *a) {
        int64_t *copy = number ? arena_new_of(a, int64_t) : NULL;

        if (copy)
                *copy = *number;
        return copy;
}

/* Only commands need a runtime; without any, as many as there may be share one that none of them uses. */
static bool runs_commands(const struct check_due *due, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (due[i].check->exec)
                        return true;
        return false;
}

static void run_round(struct round *round, size_t n, struct arena *a) {
        const struct worker_job work = { .n = n, .follows = follows, .run = make, .data = round };
        enum worker_state *states = arena_array(a, n, sizeof(*states));
        size_t n_workers = n < PASS_WORKERS ? n : PASS_WORKERS;
        void *tools[PASS_WORKERS];

        if (runs_commands(round->due, n)) {
                n_workers = worker_runtimes_open(round->about->runtime, n, tools);
                workers_run(&work, tools, n_workers, states);
                worker_runtimes_close(tools, n_workers);
                return;
        }
        for (size_t i = 0; i < n_workers; i++)
                tools[i] = round->about->runtime;
        workers_run(&work, tools, n_workers, states);
}

void pass_make_checks(const struct check_due *due, size_t n, const struct probe_target *about, struct arena *a,
                      struct struct_list *facts) {
        struct round round = {
                .due = due,
                .about = about,
                .arenas = arena_array(a, n, sizeof(struct arena *)),
                .facts = arena_array(a, n, sizeof(struct check_fact)),
        };

        if (n == 0)
                return;
        for (size_t i = 0; i < n; i++)
                round.arenas[i] = arena_new();
        run_round(&round, n, a);
        for (size_t i = 0; i < n; i++) {
                struct check_fact *fact = arena_push(a, &facts->items, &facts->n, sizeof(*fact));

                *fact = round.facts[i];
                fact->detail = arena_strdup(a, fact->detail);
                fact->value = keep_number(fact->value, a);
                fact->baseline = keep_number(fact->baseline, a);
                arena_free(round.arenas[i]);
        }
}

void pass_observe_checks(struct pass *p, struct app_input *app) {
        const struct probe_target about = {
                .runtime = pass_find_app(p, app->app)->runtime,
                .host = p->input.host,
                .app = app->app,
                .release = app->rollout.release,
                .version = app->rollout.version,
                .current_release = app->rollout.current_release,
                .current_version = app->rollout.current_version,
        };
        struct struct_list due;

        checks_due(app, p->input.now, p->arena, &due);
        pass_make_checks(due.items, due.n, &about, p->arena, &app->facts);
}
