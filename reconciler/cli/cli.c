/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "reconciler/journal/journal.h"
#include "shared/base/log.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

const struct verb *const verb_table[] = {
        &verb_init, &verb_check, &verb_diff,   &verb_pass,   &verb_sync,   &verb_status,  &verb_history, &verb_explain,
        &verb_lock, &verb_retry, &verb_replay, &verb_doctor, &verb_schema, &verb_version, NULL,
};

/* What the command line said: what the process is, set once. */
#define OPTIONS_MAX 64
static struct {
        struct arguments arguments;
        const char *names[OPTIONS_MAX], *values[OPTIONS_MAX];
        int n_options;
} command;

const struct arguments *cli_arguments(void) {
        return &command.arguments;
}

const char *cli_option(const char *name) {
        for (int i = command.n_options - 1; i >= 0; i--)
                if (str_eq(command.names[i], name))
                        return command.values[i];
        return NULL;
}

int cli_option_duration(const char *name, int64_t otherwise, int64_t *ret_ms, struct fault *reterr) {
        const char *text = cli_option(name);

        if (!text) {
                *ret_ms = otherwise;
                return 0;
        }
        if (parse_duration(text, ret_ms) < 0)
                return fault_set(reterr, FAULT_CONFIG, 0, "--%s: '%s' is no duration like 500ms, 30s, 10m, 2h or 7d",
                                 name, text);
        return 0;
}

int cli_config(struct cli *cli, struct fault *reterr) {
        int r;

        if (cli->configured)
                return 0;
        r = config_read(config_path(cli->config_option), cli->arena, &cli->config, reterr);
        cli->configured = r == 0;
        return r;
}

int cli_print_json(struct cli *cli, json_t *document, struct fault *reterr) {
        own_json json_t *owned = document;
        own_buffer struct buffer text = BUFFER_INIT;
        int r = isatty(STDOUT_FILENO) ? json_pretty(owned, &text, reterr) : json_canonical(owned, &text, reterr);

        if (r < 0)
                return r;
        fwrite(buffer_str(&text), 1, text.size, stdout);
        if (text.size == 0 || text.data[text.size - 1] != '\n')
                putchar('\n');
        return 0;
}

/*
 * Help
 */

static void print_usage(FILE *out) {
        fputs("usage: tally [--config FILE] [--json] [--quiet] [--log text|json] [--debug] VERB [ARGUMENTS]\n\n"
              "Bring this host to what its signed desired-state repository declares, and keep the evidence.\n\n",
              out);
        for (size_t i = 0; verb_table[i]; i++)
                fprintf(out, "  %-10s %s\n", verb_table[i]->name, verb_table[i]->summary);
        fputs("\n`tally VERB --help` tells more; exit codes: 0 done, 1 may work later, 2 usage or invalid documents,\n"
              "3 not there yet, 4 refused, 5 rolled back.\n",
              out);
}

static void print_verb_help(FILE *out, const struct verb *verb) {
        fprintf(out, "usage: tally %s%s%s%s\n\n%s\n", verb->name, verb->options ? " [OPTIONS]" : "",
                *verb->arguments ? " " : "", verb->arguments, verb->summary);
        for (size_t i = 0; verb->options && verb->options[i].name; i++) {
                const struct option_spec *o = &verb->options[i];
                int n = fprintf(out, "%s  --%s%s%s", i == 0 ? "\n" : "", o->name, o->argument ? " " : "",
                                o->argument ? o->argument : "") -
                        (i == 0 ? 1 : 0);

                fprintf(out, "%*s%s\n", n < 28 ? 28 - n : 1, "", o->doc);
        }
        fprintf(out, "\nexample:\n  %s\n", verb->example);
}

/*
 * Parsing
 */

static const struct option_spec global_options[] = {
        { "config", "FILE", "the configuration; default $TALLY_CONFIG, then " CONFIG_DEFAULT_PATH },
        { "json", NULL, "print one JSON document" },
        { "quiet", NULL, "print only the answer and faults" },
        { "log", "FORMAT", "log lines as text or json" },
        { "debug", NULL, "log more" },
        { "help", NULL, "tell more" },
        { NULL, NULL, NULL },
};

static const struct option_spec *find_option(const struct option_spec *options, const char *name, size_t length) {
        for (size_t i = 0; options && options[i].name; i++)
                if (strlen(options[i].name) == length && strncmp(options[i].name, name, length) == 0)
                        return &options[i];
        return NULL;
}

/* Take one "--option" and, when it has one, its argument; moves *at to the last word used. */
static int take_option(int argc, char **argv, int *at, const struct verb *verb, struct fault *reterr) {
        const char *text = argv[*at] + 2, *equals = strchr(text, '=');
        size_t length = equals ? (size_t)(equals - text) : strlen(text);
        const struct option_spec *spec = find_option(global_options, text, length);
        const char *value = equals ? equals + 1 : NULL;

        if (!spec && verb)
                spec = find_option(verb->options, text, length);
        if (!spec) {
                int r = fault_set(reterr, FAULT_CONFIG, 0, "unknown option '--%.*s'%s%s", (int)length, text,
                                  verb ? " of tally " : "", verb ? verb->name : "");
                fault_hint(reterr, "`tally %s%s--help` lists them", verb ? verb->name : "", verb ? " " : "");
                return r;
        }
        if (!spec->argument && value)
                return fault_set(reterr, FAULT_CONFIG, 0, "--%s takes no value", spec->name);
        if (spec->argument && !value) {
                if (*at + 1 >= argc)
                        return fault_set(reterr, FAULT_CONFIG, 0, "--%s needs a value (%s)", spec->name,
                                         spec->argument);
                value = argv[++*at];
        }
        if (command.n_options == OPTIONS_MAX)
                return fault_set(reterr, FAULT_CONFIG, 0, "more than %d options", OPTIONS_MAX);
        command.names[command.n_options] = spec->name;
        command.values[command.n_options++] = value ? value : "";
        return 0;
}

static const struct verb *find_verb(const char *name) {
        for (size_t i = 0; verb_table[i]; i++)
                if (str_eq(verb_table[i]->name, name))
                        return verb_table[i];
        return NULL;
}

static int unknown_verb(const char *name, struct fault *reterr) {
        const char *known[sizeof(verb_table) / sizeof(verb_table[0])] = { NULL }, *near;
        int r = fault_set(reterr, FAULT_CONFIG, 0, "unknown verb '%s'", name);

        for (size_t i = 0; verb_table[i]; i++)
                known[i] = verb_table[i]->name;
        near = closest_name(name, known);
        if (near)
                fault_hint(reterr, "did you mean `tally %s`?", near);
        else
                fault_hint(reterr, "`tally --help` lists them");
        return r;
}

static int parse(int argc, char **argv, struct arena *a, const struct verb **ret_verb, struct fault *reterr) {
        const char **positional = arena_array(a, (size_t)argc + 1, sizeof(*positional));
        const struct verb *verb = NULL;
        bool options_end = false;
        int n = 0, r;

        for (int i = 1; i < argc; i++) {
                if (!options_end && str_eq(argv[i], "--")) {
                        options_end = true;
                } else if (!options_end && argv[i][0] == '-' && argv[i][1] == '-') {
                        r = take_option(argc, argv, &i, verb, reterr);
                        if (r < 0)
                                return r;
                } else if (!options_end && argv[i][0] == '-' && argv[i][1]) {
                        if (!str_eq(argv[i], "-h"))
                                return fault_set(reterr, FAULT_CONFIG, 0, "unknown option '%s'", argv[i]);
                        command.names[command.n_options] = "help";
                        command.values[command.n_options++] = "";
                } else if (!verb) {
                        verb = find_verb(argv[i]);
                        if (!verb)
                                return unknown_verb(argv[i], reterr);
                } else {
                        positional[n++] = argv[i];
                }
        }
        command.arguments = (struct arguments){ .positional = positional, .n = n };
        *ret_verb = verb;
        return 0;
}

static int check_arguments(const struct verb *verb, struct fault *reterr) {
        int n = command.arguments.n, r = 0;

        if (n < verb->min_arguments)
                r = fault_set(reterr, FAULT_CONFIG, 0, "tally %s needs %s", verb->name, verb->arguments);
        else if (verb->max_arguments >= 0 && n > verb->max_arguments)
                r = fault_set(reterr, FAULT_CONFIG, 0, "tally %s: one argument too many: '%s'", verb->name,
                              command.arguments.positional[verb->max_arguments]);
        if (r < 0)
                fault_hint(reterr, "usage: tally %s %s", verb->name, verb->arguments);
        return r;
}

/*
 * Running
 */

static json_t *fault_to_json(const struct fault *f) {
        json_t *at = json_object(), *document = json_object();

        json_object_set_new(at, "kind", json_string(fault_kind_to_string(f->kind)));
        json_set_string(at, "code", f->code);
        json_set_string(at, "message", f->message);
        json_set_string(at, "hint", f->hint);
        json_set_string(at, "path", f->path);
        if (f->line)
                json_object_set_new(at, "line", json_integer(f->line));
        if (f->column)
                json_object_set_new(at, "column", json_integer(f->column));
        json_object_set_new(document, "fault", at);
        return document;
}

static int tell_fault(struct cli *cli, struct fault *fault) {
        int code = fault_exit_code(fault);
        own_fault struct fault ignored = FAULT_INIT;

        if (cli->json)
                (void)cli_print_json(cli, fault_to_json(fault), &ignored);
        fault_print(stderr, fault);
        return code;
}

static int setup_log(struct fault *reterr) {
        const char *format = cli_option("log");

        if (format && !str_eq(format, "text") && !str_eq(format, "json"))
                return fault_set(reterr, FAULT_CONFIG, 0, "--log: '%s' is neither text nor json", format);
        log_setup(cli_option("debug")   ? LOG_LEVEL_DEBUG
                  : cli_option("quiet") ? LOG_LEVEL_WARNING
                                        : LOG_LEVEL_INFO,
                  str_eq(format, "json") ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
                  format || !journal_stream_is(getenv("JOURNAL_STREAM"), STDERR_FILENO) ? NULL : journal_sink);
        return 0;
}

static int run(struct cli *cli, int argc, char **argv, struct fault *reterr) {
        const struct verb *verb = NULL;
        int code = EXIT_DONE, r = parse(argc, argv, cli->arena, &verb, reterr);

        cli->config_option = cli_option("config");
        cli->json = cli_option("json") != NULL;
        cli->quiet = cli_option("quiet") != NULL;
        if (r < 0)
                return r;
        if (cli_option("help") || !verb) {
                if (verb)
                        print_verb_help(stdout, verb);
                else
                        print_usage(cli_option("help") ? stdout : stderr);
                return verb || cli_option("help") ? EXIT_DONE : EXIT_USAGE_ERROR;
        }
        r = setup_log(reterr);
        if (r == 0)
                r = check_arguments(verb, reterr);
        if (r == 0)
                r = verb->run(cli, verb, &code, reterr);
        return r < 0 ? r : code;
}

int cli_main(int argc, char **argv) {
        own_arena struct arena *arena = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct cli cli = { .arena = arena };
        int code = run(&cli, argc, argv, &fault);

        if (code < 0)
                code = tell_fault(&cli, &fault);
        if (fflush(stdout) != 0 && code == EXIT_DONE)
                code = EXIT_RETRY;
        return code;
}
