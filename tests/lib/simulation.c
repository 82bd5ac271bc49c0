/* SPDX-License-Identifier: Apache-2.0 */

/* What a simulated host begins with: releases, fates, plans. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/simulation.h"

void sim_init(struct simulation *s) {
        *s = (struct simulation){ .arena = arena_new(), .next_port = 32768, .mono = 1, .job_ms = 300, .kill_at = -1 };
        s->scratch = s->arena;
        s->world = (struct decision_input){
                .schema = DECISION_INPUT_SCHEMA,
                .host = "web1",
                .environment = "prod",
                .commit = "0123456789012345678901234567890123456789",
                .now = 1000000000000,
                .ledger_writable = true,
        };
        s->app = (struct app_input){
                .app = "shop",
                .runtime = "fake",
                .observed = true,
                .settings = { .min_healthy_ms = 1000, .healthy_deadline_ms = 60000, .progress_deadline_ms = 120000 },
                .rollout = { .app = "shop", .intent = -1, .candidate = -1 },
        };
        for (size_t i = 0; i < ROUTER_KIND_MAX_; i++)
                s->routers[i].state.available = true;
}

void sim_done(struct simulation *s) {
        if (s->scratch != s->arena)
                arena_free(s->scratch);
        arena_free(s->arena);
}

void sim_forget(struct simulation *s) {
        if (s->scratch == s->arena)
                s->scratch = arena_new();
}

const char *sim_digest(struct simulation *s, const char *seed) {
        struct digest d = digest_of(seed, strlen(seed));

        return arena_strdup(s->arena, d.text);
}

struct workload *sim_workload(struct simulation *s, const char *version, size_t n, int64_t replicas,
                              const char *const *versions) {
        struct workload *w = arena_new_of(s->arena, struct workload);

        w->app = "shop";
        w->version = version;
        w->runtime = "fake";
        w->release = sim_digest(s, arena_printf(s->arena, "release %s", version));
        w->services.items = arena_array(s->arena, n, sizeof(struct workload_service));
        w->services.n = n;
        for (size_t i = 0; i < n; i++) {
                struct workload_service *service = sim_service(w, i);

                service->name = arena_printf(s->arena, "svc%04zu", i);
                service->image = arena_printf(s->arena, "r/%zu@%s", i, sim_digest(s, versions[i]));
                service->spec_digest = sim_digest(s, arena_printf(s->arena, "spec %zu %s", i, versions[i]));
                service->replicas = replicas;
        }
        *(struct workload **)arena_push(s->arena, &s->releases.items, &s->releases.n, sizeof(struct workload *)) = w;
        return w;
}

struct workload_service *sim_service(struct workload *w, size_t at) {
        return (struct workload_service *)w->services.items + at;
}

void sim_depend(struct simulation *s, struct workload *w, size_t from, size_t on, enum depend_condition c) {
        struct workload_service *service = sim_service(w, from);
        struct depend *d =
                arena_push(s->arena, &service->depends_on.items, &service->depends_on.n, sizeof(struct depend));

        d->service = sim_service(w, on)->name;
        d->condition = c;
        d->required = true;
}

void sim_route_to(struct simulation *s, struct workload *w, size_t at, enum router_kind router, int64_t drain_ms) {
        struct traffic *t = arena_new_of(s->arena, struct traffic);

        *t = (struct traffic){ .router = router,
                               .service = { .text = sim_service(w, at)->name },
                               .port = 80,
                               .path = "/",
                               .drain_ms = drain_ms };
        w->traffic = t;
}

void sim_fate(struct simulation *s, const struct workload_service *service, enum fate fate, int64_t after_ms) {
        struct sim_fate *f = arena_push(s->arena, &s->fates.items, &s->fates.n, sizeof(struct sim_fate));

        *f = (struct sim_fate){ .spec = service->spec_digest, .fate = fate, .after_ms = after_ms };
}

void sim_say(struct simulation *s, const char *check, const struct workload_service *service,
             enum check_verdict verdict) {
        struct sim_saying *said = arena_push(s->arena, &s->sayings.items, &s->sayings.n, sizeof(struct sim_saying));

        *said = (struct sim_saying){ .check = check,
                                     .spec = service ? service->spec_digest : NULL,
                                     .verdict = verdict };
}

struct check *sim_check(struct simulation *s, const char *name, const struct workload_service *service,
                        int64_t interval_ms, int64_t retries) {
        struct check *c = arena_push(s->arena, &s->app.checks.items, &s->app.checks.n, sizeof(struct check));
        struct check_tcp *tcp = arena_new_of(s->arena, struct check_tcp);

        tcp->port = 80;
        *c = (struct check){ .name = { .text = name },
                             .service = { .text = service->name },
                             .tcp = tcp,
                             .interval_ms = interval_ms,
                             .timeout_ms = 1000,
                             .retries = retries };
        return c;
}

void sim_plan(struct simulation *s, const struct rollout_settings *settings, const struct struct_list *steps) {
        s->app.settings.strategy = settings->strategy;
        s->app.settings.order = settings->order;
        s->app.settings.max_parallel = settings->max_parallel;
        s->app.settings.on_failure = settings->on_failure;
        plan_make(settings, steps, s->app.wanted && s->app.wanted->traffic, s->arena, &s->app.plan);
}

void sim_want(struct simulation *s, struct workload *w) {
        s->app.wanted = w;
        s->app.declared = w != NULL;
        s->app.plan = (struct struct_list){ .items = NULL };
}

struct plan_step *sim_step(struct simulation *s, struct struct_list *steps, const char *name, const char *needs) {
        struct plan_step *step = arena_push(s->arena, &steps->items, &steps->n, sizeof(struct plan_step));
        char *rest = arena_strdup(s->arena, needs), *word, *save = NULL;

        step->name.text = name;
        step->needs_given = needs != NULL;
        for (word = rest ? strtok_r(rest, " ", &save) : NULL; word; word = strtok_r(NULL, " ", &save))
                ((struct text_at *)arena_push(s->arena, &step->needs.items, &step->needs.n, sizeof(struct text_at)))
                        ->text = word;
        return step;
}
