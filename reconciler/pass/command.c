/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Commands of the host that a plan's step asks for. The desired state names them, the host's configuration says what
 * they are; they get what they need to know as one JSON document on their standard input and as variables, and nothing
 * else of ours.
 */

#include "reconciler/pass/context.h"
#include "shared/base/process.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

#define COMMAND_OUTPUT_MAX (64 * 1024)
#define COMMAND_PATH       "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int input_of(const struct pass *p, const struct app_input *app, const struct action *action, struct buffer *out,
                    struct fault *reterr) {
        own_json json_t *o = json_object();

        json_set_string(o, "schema", "tallyman/step/v1");
        json_set_string(o, "host", p->input.host);
        json_set_string(o, "environment", p->input.environment);
        json_set_string(o, "fleet", p->facts.fleet);
        json_set_string(o, "commit", p->input.commit);
        json_set_string(o, "app", app->app);
        json_set_string(o, "step", action->step);
        json_set_string(o, "release", app->rollout.release);
        json_set_string(o, "version", app->rollout.version);
        json_set_string(o, "running", app->rollout.current_release);
        json_set_string(o, "running_version", app->rollout.current_version);
        json_set_string(o, "phase", phase_names[app->rollout.phase]);
        return json_canonical(o, out, reterr);
}

static int refuse(const struct pass *p, const struct action *action, struct fault *reterr) {
        int r = fault_set_code(reterr, FAULT_CONFIG, REASON_HOOK_UNKNOWN, "this host allows no command '%s'",
                               action->command);

        fault_hint(reterr, "allow it in %s: commands: {%s: [/path/of/program]}",
                   p->config->path ? p->config->path : "tally.yaml", action->command);
        return r;
}

int pass_run_command(void *data, const struct app_input *app, const struct action *action, struct fault *reterr) {
        struct pass *p = data;
        const struct config_command *command = config_command(p->config, action->command);
        own_process_result struct process_result result = { .exit_code = 0 };
        own_buffer struct buffer input = BUFFER_INIT;
        const char **argv, *said;
        size_t size = 0;
        int r;

        if (!command)
                return refuse(p, action, reterr);
        argv = arena_array(p->arena, command->run.n + 1, sizeof(*argv));
        for (size_t i = 0; i < command->run.n; i++)
                argv[i] = command->run.items[i].text;
        r = input_of(p, app, action, &input, reterr);
        if (r < 0)
                return r;
        const char *const envp[] = {
                COMMAND_PATH,
                "LANG=C.UTF-8",
                arena_printf(p->arena, "TALLY_APP=%s", app->app),
                arena_printf(p->arena, "TALLY_STEP=%s", action->step),
                arena_printf(p->arena, "TALLY_RELEASE=%s", app->rollout.release),
                arena_printf(p->arena, "TALLY_VERSION=%s", app->rollout.version),
                NULL,
        };
        const struct process_request request = {
                .argv = argv,
                .envp = envp,
                .input = input.data,
                .input_size = input.size,
                .timeout_ms = (int)action->timeout_ms,
                .output_limit = COMMAND_OUTPUT_MAX,
        };
        r = process_run(&request, &result, reterr);
        if (r < 0)
                return fault_context(reterr, r, "command %s", action->command);
        if (result.exit_code == 0)
                return 0;
        said = text_last_lines(buffer_str(result.err.size > 0 ? &result.err : &result.out), 1, &size);
        return fault_set_code(reterr, FAULT_TRANSIENT, REASON_HOOK_FAILED, "command %s ended with exit code %d%s%.*s",
                              action->command, result.exit_code, size > 0 ? ": " : "", (int)size, said);
}
