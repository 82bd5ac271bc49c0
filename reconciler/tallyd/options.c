/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/tallyd/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"

static const char help[] =
        "tallyd [--config FILE] [--tally PATH] [--limit D] [--run-dir DIR] [--log text|json]\n"
        "\n"
        "Brings this host to its signed desired state: runs `tally pass` again and again.\n"
        "\n"
        "  --config FILE    the configuration that the worker reads (default: $TALLY_CONFIG)\n"
        "  --tally PATH     the worker (default: `tally` beside tallyd, else in PATH)\n"
        "  --limit D        no pass takes longer (10m, 2h); the configuration may only shorten it\n"
        "  --run-dir DIR    where the lock file is (default: $RUNTIME_DIRECTORY, else " OPTIONS_RUN_DIR ")\n"
        "  --log FORMAT     text or json lines on standard error; under systemd the journal is used\n"
        "  --help, --version\n"
        "\n"
        "SIGHUP asks for a pass now; SIGTERM stops.\n"
        "\n"
        "Example:  tallyd --config ./tally.yaml --run-dir ./run\n";

static const char *const format_names[] = { [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json" };

static int read_format(const char *s, enum log_format *ret, struct fault *reterr) {
        for (size_t i = 0; i < sizeof(format_names) / sizeof(*format_names); i++)
                if (str_eq(s, format_names[i])) {
                        *ret = (enum log_format)i;
                        return 0;
                }
        return fault_set(reterr, FAULT_CONFIG, EINVAL, "--log is text or json, not '%s'", s);
}

static int read_limit(const char *s, int64_t *ret, struct fault *reterr) {
        int64_t ms;

        if (parse_duration(s, &ms) < 0 || ms == 0) {
                (void)fault_set(reterr, FAULT_CONFIG, EINVAL, "--limit '%s' is not a duration", s);
                fault_hint(reterr, "a number and ms, s, m, h or d: 10m");
                return -EINVAL;
        }
        *ret = ms;
        return 0;
}

static int take_option(int c, struct options *o, struct fault *reterr) {
        switch (c) {
        case 'c':
                o->config = optarg;
                return 0;
        case 't':
                o->tally = optarg;
                return 0;
        case 'r':
                o->run_dir = optarg;
                return 0;
        case 'l':
                return read_limit(optarg, &o->limit_ms, reterr);
        case 'f':
                return read_format(optarg, &o->format, reterr);
        case 'h':
                o->mode = OPTIONS_HELP;
                return 0;
        case 'v':
                o->mode = OPTIONS_VERSION;
                return 0;
        default:
                return -EINVAL;
        }
}

/* An empty variable is none. */
static const char *from_environment(const char *name, const char *fallback) {
        const char *value = getenv(name);

        return value && *value ? value : fallback;
}

int options_read(int argc, char **argv, struct options *ret, struct fault *reterr) {
        static const struct option table[] = {
                { "config", required_argument, NULL, 'c' }, { "tally", required_argument, NULL, 't' },
                { "limit", required_argument, NULL, 'l' },  { "run-dir", required_argument, NULL, 'r' },
                { "log", required_argument, NULL, 'f' },    { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'v' },      { NULL, 0, NULL, 0 },
        };
        struct options o = {
                .config = from_environment("TALLY_CONFIG", NULL),
                .run_dir = from_environment("RUNTIME_DIRECTORY", OPTIONS_RUN_DIR),
        };
        int c, r;

        optind = 0; /* so that tests can read twice */
        while ((c = getopt_long(argc, argv, "+:", table, NULL)) >= 0) {
                if (c == '?' || c == ':') {
                        (void)fault_set(reterr, FAULT_CONFIG, EINVAL, c == ':' ? "%s needs a value" : "%s is no option",
                                        argv[optind - 1]);
                        fault_hint(reterr, "tallyd --help");
                        return -EINVAL;
                }
                r = take_option(c, &o, reterr);
                if (r < 0)
                        return r;
        }
        if (optind < argc) {
                (void)fault_set(reterr, FAULT_CONFIG, EINVAL, "tallyd takes no argument '%s'", argv[optind]);
                fault_hint(reterr, "tallyd --help");
                return -EINVAL;
        }
        *ret = o;
        return 0;
}

const char *options_help(void) {
        return help;
}
