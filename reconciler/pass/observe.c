/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Observe: what is wanted beside what runs, as the world of this moment. Apps come from three places: the releases
 * addressed to this host, the rollouts that the state remembers, and the instances that a runtime shows with our
 * labels.
 */

#include "reconciler/pass/context.h"
#include "shared/base/clock.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

/*
 * Runtimes
 */

static int open_runtime(struct pass *p, const char *name, struct runtime **ret, struct fault *reterr) {
        const struct runtime_ops *ops = runtime_find(name);
        struct runtime_settings *settings;
        int r;

        for (size_t i = 0; i < p->n_runtimes; i++)
                if (str_eq(p->runtimes[i]->ops->name, name)) {
                        *ret = p->runtimes[i];
                        return 0;
                }
        if (!ops || p->n_runtimes == PASS_RUNTIMES_MAX)
                return fault_set(reterr, FAULT_CONFIG, 0, "there is no runtime '%s'", name);
        settings = arena_new_of(p->arena, struct runtime_settings);
        *settings = (struct runtime_settings){
                .host = p->config->host.text,
                .environment = p->desired.host ? p->desired.host->environment.text : "",
                .endpoint = str_eq(name, "fake") ? arena_printf(p->arena, "fake:%s/fake/world.json", p->config->state)
                                                 : p->config->docker.host,
                .registry_config = p->config->docker.config,
                .files = arena_printf(p->arena, "%s/files", p->config->state),
        };
        r = runtime_open(ops, settings, ret, reterr);
        if (r == 0)
                p->runtimes[p->n_runtimes++] = *ret;
        return r;
}

/*
 * Apps
 */

static int compare_apps(const void *x, const void *y) {
        const struct pass_app *a = x, *b = y;

        return strcmp(a->app, b->app);
}

struct pass_app *pass_find_app(struct pass *p, const char *app) {
        for (size_t i = 0; i < p->n_apps; i++)
                if (str_eq(p->apps[i].app, app))
                        return &p->apps[i];
        return NULL;
}

static struct pass_app *add_app(struct pass *p, const char *name) {
        struct pass_app *app = pass_find_app(p, name);

        if (app)
                return app;
        app = arena_push(p->arena, &p->apps, &p->n_apps, sizeof(struct pass_app));
        app->app = name;
        app->rollout = (struct rollout){ .app = name, .intent = -1 };
        return app;
}

void pass_forget_apps(struct pass *p) {
        for (size_t i = 0; i < p->n_runtimes; i++)
                runtime_close(p->runtimes[i]);
        p->n_runtimes = 0;
        p->apps = NULL;
        p->n_apps = 0;
}

/* What app.yaml says about services; a runtime knows only what the compose file says. */
static void add_roles(const struct app *app, struct workload *w) {
        struct workload_service *services = w->services.items;

        for (size_t i = 0; i < w->services.n; i++)
                services[i].role = app_role(app, services[i].name);
}

int pass_render(struct pass *p, struct fault *reterr) {
        pass_forget_apps(p);
        for (size_t i = 0; i < p->desired.n_deployments; i++) {
                const struct deployment *d = &p->desired.deployments[i];
                struct pass_app *app = add_app(p, d->release->app.text);
                int r;

                app->deployment = d;
                app->wanted = arena_new_of(p->arena, struct workload);
                r = open_runtime(p, app_runtime_names[d->app->runtime], &app->runtime, reterr);
                if (r == 0)
                        r = runtime_render(app->runtime, &d->compose, d->release->version.text, d->id, p->arena,
                                           app->wanted, reterr);
                if (r < 0)
                        return r;
                add_roles(d->app, app->wanted);
                app->wanted->traffic = d->app->traffic;
                plan_make(&d->app->rollout, &d->app->steps, d->app->traffic != NULL, p->arena, &app->plan);
        }
        return 0;
}

static int add_remembered(struct pass *p, struct fault *reterr) {
        struct struct_list rollouts = { .items = NULL };
        const struct state_rollout *items;
        int r = state_rollouts_read(&p->state, p->arena, &rollouts, reterr);

        items = rollouts.items;
        for (size_t i = 0; r == 0 && i < rollouts.n; i++) {
                struct pass_app *app = add_app(p, items[i].rollout.app);

                app->rollout = items[i].rollout;
                app->walked = items[i].rollout.steps;
                app->checked = items[i].rollout.checks;
                app->held = items[i].corrupt;
                if (!app->held) {
                        own_json json_t *json = table_write(&rollout_table, &app->rollout);

                        app->persisted = digest_of_json(json);
                }
                app->current = current_read(&p->state, app->app, &app->current_origin, p->arena);
        }
        return r;
}

/* The runtime of an app that is no longer declared. A state of before its rollout told: all there was then. */
static const char *runtime_before(const struct pass_app *app) {
        return app->current ? app->current->runtime : app->rollout.runtime ? app->rollout.runtime : "docker";
}

int pass_recall(struct pass *p, struct fault *reterr) {
        int r = add_remembered(p, reterr);

        for (size_t i = 0; r == 0 && i < p->n_apps; i++)
                if (!p->apps[i].runtime)
                        r = open_runtime(p, runtime_before(&p->apps[i]), &p->apps[i].runtime, reterr);
        return r;
}

/*
 * The world
 */

static struct app_settings settings_of(const struct pass *p, const struct pass_app *app) {
        const struct app *declared = app->deployment ? app->deployment->app : fleet_app(&p->desired.fleet, app->app);

        if (!declared)
                return (struct app_settings){ .drift = DRIFT_REPORT };
        return (struct app_settings){
                .strategy = declared->rollout.strategy,
                .order = declared->rollout.order,
                .max_parallel = declared->rollout.max_parallel,
                .min_healthy_ms = declared->rollout.min_healthy_ms,
                .healthy_deadline_ms = declared->rollout.healthy_deadline_ms,
                .progress_deadline_ms = declared->rollout.progress_deadline_ms,
                .on_failure = declared->rollout.on_failure,
                .drift = declared->drift,
                .prune = declared->prune,
        };
}

/* What each runtime shows; @observations is beside p->runtimes. */
static int observe_runtimes(struct pass *p, struct observation *observations, struct fault *reterr) {
        p->engine = (struct digest){ .text = "" };
        for (size_t i = 0; i < p->n_runtimes; i++) {
                struct workload *wanted = arena_array(p->arena, 2 * p->n_apps, sizeof(struct workload));
                size_t n = 0;
                int r;

                for (size_t k = 0; k < p->n_apps; k++) {
                        const struct pass_app *app = &p->apps[k];

                        if (app->runtime != p->runtimes[i])
                                continue;
                        if (app->wanted)
                                wanted[n++] = *app->wanted;
                        if (app->current && !(app->wanted && str_eq(app->wanted->release, app->current->release)))
                                wanted[n++] = *app->current;
                }
                r = runtime_observe(p->runtimes[i], wanted, n, p->arena, &observations[i], reterr);
                if (r < 0)
                        return r;
                /* The first one's: what changes until the last is asked must differ from it. */
                if (!digest_is_set(&p->engine))
                        p->engine = observations[i].fingerprint;
        }
        return 0;
}

/* Instances of apps that neither the fleet nor the state knows: told as extra, never touched without prune. */
static void add_stray_apps(struct pass *p, const struct observation *observations) {
        for (size_t i = 0; i < p->n_runtimes; i++) {
                const struct instance *items = observations[i].instances.items;
                const char *last = NULL;

                for (size_t k = 0; k < observations[i].instances.n; k++) {
                        if (!items[k].app || str_eq(items[k].app, last))
                                continue;
                        last = items[k].app;
                        if (!pass_find_app(p, last))
                                add_app(p, last)->runtime = p->runtimes[i];
                }
        }
}

/* The app's slice of a sorted observation. */
static struct struct_list instances_of(const struct observation *o, const char *app) {
        const struct instance *items = o->instances.items;
        size_t first = 0, end;

        while (first < o->instances.n && (!items[first].app || strcmp(items[first].app, app) < 0))
                first++;
        for (end = first; end < o->instances.n && str_eq(items[end].app, app); end++)
                ;
        return (struct struct_list){ .items = end > first ? (void *)(items + first) : NULL, .n = end - first };
}

static void fill_app(const struct pass *p, const struct pass_app *app, const struct observation *o,
                     struct app_input *ret) {
        *ret = (struct app_input){
                .app = app->app,
                .runtime = app->runtime->ops->name,
                .declared = app->deployment != NULL,
                .wanted = app->wanted,
                .current = app->current,
                .settings = settings_of(p, app),
                .plan = app->plan,
                .checks = app->deployment ? app->deployment->app->checks : (struct struct_list){ .items = NULL },
                .rollout = app->rollout,
                .observed = o->available && !app->held,
                .unobserved = app->held ? app->held : o->reason,
        };
        if (app->deployment) {
                const struct approvals *approvals = &p->desired.approvals[app->deployment - p->desired.deployments];

                ret->retries = approvals->retries;
                ret->refused_retries = approvals->refused;
        }
        if (o->available)
                ret->instances = instances_of(o, app->app);
}

static void read_suspension(struct pass *p) {
        own_fault struct fault fault = FAULT_INIT;
        own_json json_t *document = NULL;

        /* A suspension that cannot be read still suspends. */
        if (state_json_read(&p->state, "suspended.json", &document, &fault) < 0) {
                p->input.suspended = true;
                p->input.suspended_reason = arena_strdup(p->arena, fault.message);
        } else if (document) {
                p->input.suspended = true;
                p->input.suspended_reason = arena_strdup(p->arena, json_get_string(document, "reason"));
        }
}

int pass_observe(struct pass *p, struct fault *reterr) {
        struct observation *observations = arena_array(p->arena, p->n_runtimes, sizeof(struct observation));
        struct app_input *apps;
        /*
         * Before the first list: what is seen is at least as young, so that a slow look does not make health hold for
         * longer than it was seen to.
         */
        int64_t now = clock_wall_ms();
        int r = observe_runtimes(p, observations, reterr);

        if (r < 0)
                return r;
        add_stray_apps(p, observations);
        if (p->n_apps > 1)
                qsort(p->apps, p->n_apps, sizeof(struct pass_app), compare_apps);
        apps = arena_array(p->arena, p->n_apps, sizeof(struct app_input));
        for (size_t i = 0; i < p->n_apps; i++)
                for (size_t k = 0; k < p->n_runtimes; k++)
                        if (p->apps[i].runtime == p->runtimes[k])
                                fill_app(p, &p->apps[i], &observations[k], &apps[i]);
        p->input = (struct decision_input){
                .schema = DECISION_INPUT_SCHEMA,
                .host = p->config->host.text,
                .environment = p->desired.host ? p->desired.host->environment.text : "",
                .commit = p->accepted.commit ? p->accepted.commit : "",
                .now = now,
                .ledger_writable = p->options->dry || (p->ledger && !p->ledger_failed),
                .apps = { .items = apps, .n = p->n_apps },
        };
        read_suspension(p);
        for (size_t i = 0; i < p->n_apps; i++) {
                pass_observe_route(p, &apps[i]);
                if (!p->options->dry)
                        pass_observe_checks(p, &apps[i]);
        }
        return 0;
}

struct runtime *pass_runtime_of(void *data, const struct app_input *app) {
        return pass_find_app(data, app->app)->runtime;
}
