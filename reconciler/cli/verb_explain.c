/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>
#include <string.h>

#include "reconciler/cli/cli.h"
#include "reconciler/state/failed.h"
#include "reconciler/state/state.h"
#include "shared/base/clock.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

static const json_t *find_app(const json_t *status, const char *name) {
        const json_t *app;
        size_t i;

        json_array_foreach(json_object_get(status, "apps"), i,
                           app) if (str_eq(json_get_string(app, "app"), name)) return app;
        return NULL;
}

static void print_code(const char *title, const char *code, const char *detail) {
        const char *text = code ? reason_text(code) : NULL;

        printf("  %s %s: %s\n", title, code ? code : "-", text ? text : "");
        if (detail)
                printf("      %s\n", detail);
}

static void print_release(const char *title, const json_t *release) {
        if (json_is_object(release))
                printf("  %-9s %s  %s\n", title, json_get_string(release, "version"),
                       json_get_string(release, "release"));
        else
                printf("  %-9s nothing\n", title);
}

static void print_instances(const json_t *instances) {
        const json_t *i;
        size_t n;

        json_array_foreach(instances, n, i)
                printf("  instance  %s: %s, %s, %s, %s\n", json_get_string(i, "name"), json_get_string(i, "role"),
                       json_get_string(i, "state"), json_get_string(i, "health"), json_get_string(i, "image"));
}

static void print_app(const json_t *app) {
        const json_t *failure = json_object_get(app, "failure"), *item;
        size_t i;

        printf("%s: %s (phase %s, health %s)\n", json_get_string(app, "app"), json_get_string(app, "state"),
               json_get_string(app, "phase"), json_get_string(app, "health"));
        print_release("declared", json_object_get(app, "desired"));
        print_release("running", json_object_get(app, "running"));
        if (failure)
                print_code("failed", json_get_string(failure, "code"), json_get_string(failure, "message"));
        json_array_foreach(json_object_get(app, "poisoned"), i, item)
                printf("  poisoned  %s\n", json_string_value(item));
        json_array_foreach(json_object_get(app, "gates"), i, item) {
                const char *code = json_string_value(json_array_get(json_object_get(item, "reasons"), 0));

                printf("  gate      %s: %s%s%s\n", json_get_string(item, "gate"), json_get_string(item, "verdict"),
                       code ? " " : "", code ? code : "");
                if (json_get_string(item, "message"))
                        printf("      %s\n", json_get_string(item, "message"));
        }
        json_array_foreach(json_object_get(app, "steps"), i, item) {
                const char *detail = json_get_string(item, "detail");

                printf("  step      %-12s %-9s %s%s%s\n", json_get_string(item, "name"), json_get_string(item, "state"),
                       json_get_string(item, "kind"), detail ? ": " : "", detail ? detail : "");
        }
        json_array_foreach(json_object_get(app, "checks"), i, item) {
                const char *detail = json_get_string(item, "detail"), *score = json_get_string(item, "score");

                printf("  check     %s: %s%s%s%s%s\n", json_get_string(item, "check"), json_get_string(item, "verdict"),
                       score ? ", score " : "", score ? score : "", detail ? ", " : "", detail ? detail : "");
        }
        json_array_foreach(json_object_get(app, "drift"), i, item)
                print_code("drift", json_get_string(item, "code"), json_get_string(item, "detail"));
        if (json_object_get(app, "breaker")) {
                const json_t *breaker = json_object_get(app, "breaker");
                const char *next = json_get_string(breaker, "next");

                printf("  breaker   %s after %lld repairs%s%s\n", json_get_string(breaker, "state"),
                       (long long)json_get_integer(breaker, "repairs", 0), next ? ", the next one not before " : "",
                       next ? next : "");
        }
        if (json_object_get(app, "route")) {
                const json_t *route = json_object_get(app, "route");
                const char *reason = json_get_string(route, "reason");

                printf("  route     %s: %zu instances, %lld %% to the new release%s%s\n",
                       json_get_string(route, "router"), json_array_size(json_object_get(route, "targets")),
                       (long long)json_get_integer(route, "candidate", 0), reason ? "; " : "", reason ? reason : "");
        }
        print_instances(json_object_get(app, "instances"));
        if (json_get_string(app, "waits_for"))
                printf("  waits for %s\n", json_get_string(app, "waits_for"));
}

/* What the release that failed printed last, as long as it is poisoned here: the instances are gone. */
static void add_output(json_t *app, const struct failed *failed) {
        const struct failed_output *outputs = failed->outputs.items;
        json_t *array = json_array();

        for (size_t i = 0; i < failed->outputs.n; i++) {
                json_t *o = json_object();
                char at[RFC3339_TEXT_MAX];

                json_set_string(o, "instance", outputs[i].id);
                json_set_string(o, "name", outputs[i].name ? outputs[i].name : outputs[i].service);
                json_set_string(o, "service", outputs[i].service);
                json_set_string(o, "version", failed->version);
                json_set_string(o, "state", instance_state_names[outputs[i].state]);
                json_object_set_new(o, "exit_code", json_integer(outputs[i].exit_code));
                json_set_string(o, "at", rfc3339_format(outputs[i].at, at));
                json_set_string(o, "text", outputs[i].text);
                json_array_append_new(array, o);
        }
        json_object_set_new(app, "output", array);
}

static void print_lines(const char *text) {
        while (*text) {
                size_t size = strcspn(text, "\n");

                printf("      %.*s\n", (int)size, text);
                text += size + (text[size] == '\n');
        }
}

static void print_output(const json_t *outputs) {
        const json_t *o;
        size_t i;

        json_array_foreach(outputs, i, o) {
                printf("  output    %s of %s, %s", json_get_string(o, "name"), json_get_string(o, "version"),
                       json_get_string(o, "state"));
                if (!str_eq(json_get_string(o, "state"), instance_state_names[INSTANCE_RUNNING]))
                        printf(", exit code %lld", (long long)json_get_integer(o, "exit_code", 0));
                printf(", at %s:\n", json_get_string(o, "at"));
                print_lines(json_get_string(o, "text"));
        }
}

/* What the pass waits for until when stands in the rollout. */
static void add_deadlines(json_t *app, const struct rollout *r) {
        char at[RFC3339_TEXT_MAX];

        if (r->retry_at)
                json_set_string(app, "retry_at", rfc3339_format(r->retry_at, at));
        if (r->phase != PHASE_SETTLED && r->started_at)
                json_set_string(app, "started_at", rfc3339_format(r->started_at, at));
}

static int run(struct cli *cli, const struct verb *verb, int *ret_exit, struct fault *reterr) {
        const char *name = cli_arguments()->positional[0];
        own_state struct state state = STATE_INIT;
        own_json json_t *status = NULL, *answer = NULL;
        struct struct_list rollouts = { .items = NULL };
        struct failed failed;
        const json_t *app;
        int r = cli_config(cli, reterr);

        if (r == 0)
                r = state_open(cli->config.state, STATE_READ, &state, reterr);
        if (r == 0)
                r = state_json_read(&state, "status.json", &status, reterr);
        if (r == 0)
                r = state_rollouts_read(&state, cli->arena, &rollouts, reterr);
        if (r < 0)
                return r;
        app = find_app(status, name);
        if (!app) {
                r = fault_set(reterr, FAULT_CONFIG, 0, "there is no app '%s' on this host", name);
                fault_hint(reterr, "`tally status` lists them");
                return r;
        }
        answer = json_deep_copy(app);
        for (size_t i = 0; i < rollouts.n; i++) {
                const struct state_rollout *item = (const struct state_rollout *)rollouts.items + i;

                if (!str_eq(item->rollout.app, name))
                        continue;
                add_deadlines(answer, &item->rollout);
                failed_read(&state, name, cli->arena, &failed);
                if (rollout_is_poisoned(&item->rollout, failed.release))
                        add_output(answer, &failed);
        }
        if (cli->json)
                return cli_print_json(cli, json_incref(answer), reterr);
        print_app(answer);
        print_output(json_object_get(answer, "output"));
        if (json_get_string(answer, "retry_at"))
                printf("  next try  not before %s\n", json_get_string(answer, "retry_at"));
        return 0;
}

const struct verb verb_explain = {
        .name = "explain",
        .arguments = "APP",
        .summary = "Say why an app is as it is: verdicts, reasons, what it waits for and until when.",
        .example = "tally explain shop",
        .max_arguments = 1,
        .min_arguments = 1,
        .run = run,
};
