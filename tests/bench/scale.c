/* SPDX-License-Identifier: Apache-2.0 */

/*
 * scale: load, render, decide and diff, timed apart
 *
 *      scale DIR ROUNDS     DIR/desired.git, branch main, with a release for every app on host web1
 *
 * The instances are what the docker runtime's rendering declares, all running; then every tenth is stopped. Prints
 * "services load render decide diff", least nanoseconds over the rounds: "decide" finds nothing to do, "diff" the
 * stopped ones.
 */

#include <stdio.h>
#include <stdlib.h>

#include "policies/gate.h"
#include "providers/runtime/runtime.h"
#include "reconciler/core/decide.h"
#include "reconciler/desired/desired.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

#define HOST  "web1"
#define EVERY 10
#define NOW   INT64_C(1767225600000)

enum stage { STAGE_LOAD, STAGE_RENDER, STAGE_DECIDE, STAGE_DIFF, STAGE_MAX_ };

struct times {
        int64_t least[STAGE_MAX_];
};

static void fine(int r, const struct fault *f) {
        if (r >= 0)
                return;
        fault_print(stderr, f);
        exit(1);
}

static void stop_clock(struct times *t, enum stage stage, int64_t began) {
        int64_t took = clock_monotonic_ns() - began;

        if (!t->least[stage] || took < t->least[stage])
                t->least[stage] = took;
}

/* What would run of @w: one instance for each replica. */
static struct struct_list instances_of(const struct workload *w, struct arena *a) {
        const struct workload_service *services = w->services.items;
        struct struct_list list = { .items = NULL };

        for (size_t i = 0; i < w->services.n; i++)
                for (int64_t index = 1; index <= services[i].replicas; index++) {
                        struct instance *o = arena_push(a, &list.items, &list.n, sizeof(struct instance));

                        *o = (struct instance){
                                .id = arena_printf(a, "%s-%s-%lld", w->app, services[i].name, (long long)index),
                                .app = w->app,
                                .service = services[i].name,
                                .release = w->release,
                                .version = w->version,
                                .spec = services[i].spec_digest,
                                .index = index,
                                .image = services[i].image,
                                .image_matches = true,
                                .state = INSTANCE_RUNNING,
                                .started_at = NOW - 3600000,
                        };
                        o->name = o->id;
                }
        return list;
}

static struct decision_input world_of(const struct desired *d, struct workload *workloads, struct arena *a) {
        struct app_input *apps = arena_array(a, d->n_deployments, sizeof(struct app_input));

        for (size_t i = 0; i < d->n_deployments; i++) {
                struct workload *w = &workloads[i];

                apps[i] = (struct app_input){
                        .app = w->app,
                        .runtime = w->runtime,
                        .declared = true,
                        .wanted = w,
                        .current = w,
                        .settings = { .drift = DRIFT_REPAIR,
                                      .progress_deadline_ms = 600000,
                                      .healthy_deadline_ms = 300000 },
                        .rollout = { .app = w->app,
                                     .phase = PHASE_SETTLED,
                                     .release = w->release,
                                     .version = w->version,
                                     .current_release = w->release,
                                     .current_version = w->version,
                                     .intent = -1 },
                        .instances = instances_of(w, a),
                        .observed = true,
                };
        }
        return (struct decision_input){ .schema = DECISION_INPUT_SCHEMA,
                                        .host = HOST,
                                        .environment = d->host->environment.text,
                                        .commit = "",
                                        .now = NOW,
                                        .ledger_writable = true,
                                        .apps = { .items = apps, .n = d->n_deployments } };
}

static size_t stop_some(struct decision_input *world) {
        struct app_input *apps = world->apps.items;
        size_t n = 0, stopped = 0;

        for (size_t i = 0; i < world->apps.n; i++) {
                struct instance *items = apps[i].instances.items;

                for (size_t k = 0; k < apps[i].instances.n; k++)
                        if (n++ % EVERY == 0) {
                                items[k].state = INSTANCE_EXITED;
                                stopped++;
                        }
        }
        return stopped;
}

/* Judge and decide; returns how many drifts were found. */
static size_t decide_once(struct decision_input *world, struct arena *a, struct times *times, enum stage stage) {
        struct decision decision = { .apps = { .items = NULL } };
        const struct decision_app *apps;
        size_t drifts = 0;
        int64_t began = clock_monotonic_ns();

        gate_judge(world, a);
        decide(world, a, &decision);
        stop_clock(times, stage, began);
        apps = decision.apps.items;
        for (size_t i = 0; i < decision.apps.n; i++)
                drifts += apps[i].drift.n;
        return drifts;
}

static size_t round_once(const char *dir, struct times *times) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        own_mirror struct mirror *m = NULL;
        own_runtime struct runtime *runtime = NULL;
        const struct runtime_settings settings = {
                .host = HOST, .environment = "prod", .endpoint = "unix:///run/docker.sock", .files = "/run/files"
        };
        const struct approval_rules rules = { .seen_at = clock_wall_ms() };
        struct object_id tip;
        struct desired desired;
        struct workload *workloads;
        struct decision_input world;
        size_t services = 0, stopped;
        int64_t began;

        fine(mirror_open(dir, "desired.git", &m, NULL, &fault), &fault);
        fine(mirror_ref(m, "refs/heads/main", &tip, &fault), &fault);
        began = clock_monotonic_ns();
        fine(desired_load_commit(m, &tip, HOST, &rules, a, &desired, &fault), &fault);
        stop_clock(times, STAGE_LOAD, began);

        fine(runtime_open(runtime_find("docker"), &settings, &runtime, &fault), &fault);
        workloads = arena_array(a, desired.n_deployments, sizeof(*workloads));
        began = clock_monotonic_ns();
        for (size_t i = 0; i < desired.n_deployments; i++) {
                const struct deployment *d = &desired.deployments[i];

                fine(runtime_render(runtime, &d->compose, d->release->version.text, d->id, a, &workloads[i], &fault),
                     &fault);
                services += workloads[i].services.n;
        }
        stop_clock(times, STAGE_RENDER, began);

        world = world_of(&desired, workloads, a);
        if (decide_once(&world, a, times, STAGE_DECIDE) != 0) {
                fputs("scale: drift where there is none\n", stderr);
                exit(1);
        }
        stopped = stop_some(&world);
        if (decide_once(&world, a, times, STAGE_DIFF) != stopped) {
                fputs("scale: not the drift that there is\n", stderr);
                exit(1);
        }
        return services;
}

int main(int argc, char **argv) {
        struct times times = { .least = { 0 } };
        size_t services = 0;
        uint64_t rounds;

        if (argc != 3 || parse_u64(argv[2], &rounds) < 0 || rounds < 1) {
                fputs("usage: scale DIR ROUNDS\n", stderr);
                return 2;
        }
        while (rounds-- > 0)
                services = round_once(argv[1], &times);
        printf("%zu", services);
        for (size_t i = 0; i < STAGE_MAX_; i++)
                printf(" %lld", (long long)times.least[i]);
        putchar('\n');
        return 0;
}
