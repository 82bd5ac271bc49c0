/* SPDX-License-Identifier: Apache-2.0 */

/* Doctor: what is wrong on this host and how to mend it. Each check stands alone, so one that fails hides no other. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "providers/runtime/runtime.h"
#include "reconciler/cli/ledger_access.h"
#include "reconciler/ledger/verify.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/git/remote.h"
#include "shared/sign/signers.h"

#define FREE_BYTES_WANTED (UINT64_C(1) << 30)

struct examination {
        struct cli *cli;
        json_t *findings; /* {check, severity ok|warning|failure, message, hint?} */
        bool failed;
};

static void add(struct examination *e, const char *check, const char *severity, const char *message, const char *hint) {
        json_t *o = json_object();

        json_set_string(o, "check", check);
        json_set_string(o, "severity", severity);
        json_set_string(o, "message", message);
        json_set_string(o, "hint", hint);
        json_array_append_new(e->findings, o);
        if (str_eq(severity, "failure"))
                e->failed = true;
}

static void add_fault(struct examination *e, const char *check, struct fault *f) {
        own_free char *text = fault_to_string(f);

        add(e, check, "failure", text ? text : f->message, f->hint);
        fault_done(f);
}

static bool check_configuration(struct examination *e) {
        struct fault fault = FAULT_INIT;

        if (cli_config(e->cli, &fault) < 0) {
                add_fault(e, "configuration", &fault);
                return false;
        }
        add(e, "configuration", "ok",
            arena_printf(e->cli->arena, "%s, host %s", e->cli->config.path, e->cli->config.host.text), NULL);
        return true;
}

static void check_trust(struct examination *e) {
        own_buffer struct buffer text = BUFFER_INIT;
        struct fault fault = FAULT_INIT;
        struct signers signers;
        int r = file_read(AT_FDCWD, e->cli->config.trust, LIMIT_SIGNERS_BYTES, &text, &fault);

        if (r == 0)
                r = signers_parse(e->cli->config.trust, buffer_str(&text), text.size, e->cli->arena, &signers, &fault);
        if (r < 0)
                add_fault(e, "trust", &fault);
        else
                add(e, "trust", "ok", e->cli->config.trust, NULL);
}

static void check_state(struct examination *e) {
        own_state struct state state = STATE_INIT;
        struct fault fault = FAULT_INIT;
        own_json json_t *suspended = NULL;
        struct statvfs fs;

        if (state_open(e->cli->config.state, STATE_WRITE, &state, &fault) < 0) {
                add_fault(e, "state", &fault);
                return;
        }
        if (fstatvfs(state.dirfd, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < FREE_BYTES_WANTED)
                add(e, "state", "warning",
                    arena_printf(e->cli->arena, "%s has %llu MiB left", e->cli->config.state,
                                 (unsigned long long)((uint64_t)fs.f_bavail * fs.f_frsize >> 20)),
                    "free some space: without it neither images nor records can be stored");
        else
                add(e, "state", "ok", e->cli->config.state, NULL);
        if (state_json_read(&state, "suspended.json", &suspended, &fault) < 0)
                add_fault(e, "suspension", &fault);
        else if (suspended)
                add(e, "suspension", "warning", json_get_string(suspended, "reason"),
                    "acting on this host is suspended");
}

static void check_remote(struct examination *e) {
        const struct config *c = &e->cli->config;
        const struct remote_settings settings = {
                .known_hosts = c->ssh.known_hosts,
                .ssh_key = c->ssh.key,
                .ssh_user = c->ssh.user,
                .ca_file = c->https.ca,
                .credentials = c->https.credentials,
                .allow_http = c->https.allow_http,
                .timeout_ms = 30000,
        };
        struct fault fault = FAULT_INIT;
        struct object_id tip;
        char hex[OBJECT_ID_TEXT_MAX];

        if (remote_tip(&settings, c->repository.text, c->branch, &tip, &fault) < 0)
                add_fault(e, "repository", &fault);
        else
                add(e, "repository", "ok",
                    arena_printf(e->cli->arena, "branch %s is at %.12s", c->branch, object_id_format(&tip, hex)), NULL);
}

/* A runtime's own words for how grave a line is. */
static const char *severity_of(const char *state) {
        return str_eq(state, "fail") ? "failure" : str_eq(state, "warn") ? "warning" : "ok";
}

static void add_lines(struct examination *e, const json_t *lines) {
        const json_t *line;
        size_t i;

        json_array_foreach(lines, i, line)
                add(e, json_get_string(line, "check"), severity_of(json_get_string(line, "state")),
                    json_get_string(line, "detail"), json_get_string(line, "hint"));
}

static void check_routers(struct examination *e) {
        for (int kind = 0; kind < ROUTER_MEMORY; kind++) {
                const struct router_settings *settings = e->cli->config.routers[kind];
                own_router struct router *router = NULL;
                own_json json_t *lines = json_array();
                struct fault fault = FAULT_INIT;
                int r;

                if (!settings)
                        continue;
                r = router_open((enum router_kind)kind, settings, &router, &fault);
                if (r == 0)
                        r = router_doctor(router, lines, &fault);
                add_lines(e, lines);
                if (r < 0)
                        add_fault(e, router_kind_names[kind], &fault);
        }
}

static void check_commands(struct examination *e) {
        const struct config_command *commands = e->cli->config.commands.items;

        for (size_t i = 0; i < e->cli->config.commands.n; i++) {
                const char *program = commands[i].run.items[0].text;

                if (access(program, X_OK) < 0)
                        add(e, "commands", "failure",
                            arena_printf(e->cli->arena, "%s: %s cannot be run: %s", commands[i].name.text, program,
                                         strerror(errno)),
                            "hooks and notify steps that ask for it fail; install it, or mend tally.yaml");
        }
}

/* Was an app brought to it? A host without apps, or with a state of before that was noted, has docker. */
static bool is_used(const struct struct_list *rollouts, const char *runtime) {
        const struct state_rollout *items = rollouts->items;
        bool is_docker = str_eq(runtime, "docker");

        for (size_t i = 0; i < rollouts->n; i++)
                if (items[i].rollout.runtime ? str_eq(items[i].rollout.runtime, runtime) : is_docker)
                        return true;
        return rollouts->n == 0 && is_docker;
}

/* NULL: none that could be asked. The compose runtime's words hold docker's. */
static const char *runtime_to_ask(const struct examination *e) {
        own_state struct state state = STATE_INIT;
        struct struct_list rollouts = { .items = NULL };
        own_fault struct fault ignored = FAULT_INIT;

        /* check_state() tells when that fails. */
        if (state_open(e->cli->config.state, STATE_READ, &state, &ignored) == 0)
                (void)state_rollouts_read(&state, e->cli->arena, &rollouts, &ignored);
        return is_used(&rollouts, "compose") ? "compose" : is_used(&rollouts, "docker") ? "docker" : NULL;
}

static void check_runtime(struct examination *e) {
        const struct runtime_settings settings = {
                .host = e->cli->config.host.text,
                .environment = "",
                .endpoint = e->cli->config.docker.host,
                .registry_config = e->cli->config.docker.config,
                .files = arena_printf(e->cli->arena, "%s/files", e->cli->config.state),
        };
        own_runtime struct runtime *rt = NULL;
        own_json json_t *lines = json_array();
        struct fault fault = FAULT_INIT;
        const char *name = runtime_to_ask(e);
        int r;

        if (!name)
                return;
        r = runtime_open(runtime_find(name), &settings, &rt, &fault);
        if (r == 0)
                r = runtime_doctor(rt, lines, &fault);
        add_lines(e, lines);
        if (r < 0)
                add_fault(e, name, &fault);
}

static void check_ledger(struct examination *e) {
        own_ledger_access struct ledger_access access = LEDGER_ACCESS_INIT;
        struct fault fault = FAULT_INIT;
        const struct ledger_head *head;
        struct ledger_expected expected;
        struct ledger_verified verified;

        if (ledger_access_open(e->cli, &access, &fault) < 0) {
                add(e, "ledger", "warning", fault.message, fault.hint);
                fault_done(&fault);
                return;
        }
        head = ledger_head(access.ledger);
        expected = (struct ledger_expected){
                .key = access.has_key ? &access.key.key : NULL,
                .host = e->cli->config.host.text,
                .remembered = ledger_remembered(access.ledger),
        };
        if (ledger_verify(ledger_mirror(access.ledger), &head->commit, &expected, &verified, &fault) < 0) {
                add_fault(e, "ledger", &fault);
                return;
        }
        add(e, "ledger", ledger_head_is_behind(head) ? "warning" : "ok",
            arena_printf(e->cli->arena, "%lld records in %zu commits, whole and signed%s",
                         (long long)verified.n_records, verified.n_commits,
                         ledger_head_is_behind(head) ? "; some wait to be pushed" : ""),
            ledger_head_is_behind(head) ? "the next pass pushes them; check the ledger's repository" : NULL);
}

static void check_last_pass(struct examination *e) {
        own_state struct state state = STATE_INIT;
        struct fault fault = FAULT_INIT;
        struct accepted accepted;
        int64_t age;

        if (state_open(e->cli->config.state, STATE_READ, &state, &fault) < 0 ||
            state_accepted_read(&state, e->cli->arena, &accepted, NULL, &fault) < 0) {
                add_fault(e, "last pass", &fault);
                return;
        }
        age = clock_wall_ms() - accepted.fetched_at;
        if (!accepted.fetched_at)
                add(e, "last pass", "warning", "the repository was never fetched", "run `tally pass`");
        else if (accepted.refusal)
                add(e, "last pass", "failure", accepted.refusal->message,
                    "the accepted commit stays in force until the branch is mended");
        else if (age > 2 * e->cli->config.heartbeat_ms)
                add(e, "last pass", "warning",
                    arena_printf(e->cli->arena, "the repository was last fetched %lld minutes ago",
                                 (long long)(age / 60000)),
                    "is tallyd running? `systemctl status tallyd`");
        else
                add(e, "last pass", "ok", accepted.commit ? accepted.commit : "nothing is accepted yet", NULL);
}

static void check_clock(struct examination *e) {
        if (clock_is_synchronized())
                add(e, "clock", "ok", "synchronised", NULL);
        else
                add(e, "clock", "warning", "not synchronised",
                    "signatures and evidence carry times; run an NTP client");
}

static void print_findings(const json_t *findings) {
        const json_t *f;
        size_t i;

        json_array_foreach(findings, i, f) {
                printf("%-8s %-14s %s\n", json_get_string(f, "severity"), json_get_string(f, "check"),
                       json_get_string(f, "message"));
                if (json_get_string(f, "hint") && !str_eq(json_get_string(f, "severity"), "ok"))
                        printf("         %-14s → %s\n", "", json_get_string(f, "hint"));
        }
}

static int run(struct cli *cli, const struct verb *verb, int *ret_exit, struct fault *reterr) {
        static void (*const checks[])(struct examination *) = {
                check_trust,   check_state,    check_last_pass, check_remote, check_runtime,
                check_routers, check_commands, check_ledger,    check_clock,
        };
        own_json json_t *findings = json_array();
        struct examination e = { .cli = cli, .findings = findings };

        if (check_configuration(&e))
                for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
                        checks[i](&e);
        *ret_exit = e.failed ? EXIT_RETRY : EXIT_DONE;
        if (cli->json) {
                json_t *document = json_object();

                json_object_set(document, "findings", findings);
                json_object_set_new(document, "healthy", json_boolean(!e.failed));
                return cli_print_json(cli, document, reterr);
        }
        print_findings(findings);
        return 0;
}

const struct verb verb_doctor = {
        .name = "doctor",
        .arguments = "",
        .summary = "Say what is wrong on this host and how to mend it.",
        .example = "tally doctor",
        .run = run,
};
