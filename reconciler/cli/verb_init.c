/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "reconciler/cli/cli.h"
#include "reconciler/pass/pass.h"
#include "reconciler/state/state.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/git/url.h"
#include "shared/sign/signers.h"

static int require(const char *name, const char **ret, struct fault *reterr) {
        int r;

        *ret = cli_option(name);
        if (*ret && **ret)
                return 0;
        r = fault_set(reterr, FAULT_CONFIG, 0, "tally init needs --%s", name);
        fault_hint(reterr, "tally init --repository URL --host NAME --trust FILE [--state DIR]");
        return r;
}

/* A quoted YAML scalar: JSON's strings are YAML's. */
static int put_setting(struct buffer *out, const char *key, const char *value, struct fault *reterr) {
        own_json json_t *string = json_string(value);
        int r;

        if (!string)
                return fault_set(reterr, FAULT_CONFIG, 0, "--%s is not valid UTF-8", key);
        buffer_printf(out, "%s: ", key);
        r = json_canonical(string, out, reterr);
        buffer_putc(out, '\n');
        return r;
}

static int check_trust(struct cli *cli, const char *path, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT;
        struct signers signers;
        int r = file_read(AT_FDCWD, path, LIMIT_SIGNERS_BYTES, &text, reterr);

        if (r < 0) {
                reterr->kind = FAULT_CONFIG;
                return fault_context(reterr, r, "--trust");
        }
        return signers_parse(path, buffer_str(&text), text.size, cli->arena, &signers, reterr);
}

/* An absolute path: what is given here is relative to the working folder, not to the configuration's. */
static const char *absolute(const char *path, struct arena *a) {
        own_free char *real = NULL;

        if (path[0] == '/')
                return path;
        real = realpath(".", NULL);
        return real ? arena_printf(a, "%s/%s", real, str_after(path, "./") ? str_after(path, "./") : path) : path;
}

static int write_configuration(struct cli *cli, const char *path, const struct buffer *text, struct fault *reterr) {
        const char *slash = strrchr(path, '/');
        own_fd int fd = -1;
        int r;

        if (slash && slash != path) {
                r = dir_make(AT_FDCWD, arena_strndup(cli->arena, path, (size_t)(slash - path)), 0755, &fd, reterr);
                if (r < 0)
                        return r;
        }
        return file_write(AT_FDCWD, path, buffer_str(text), text->size, 0644, reterr);
}

static int compose_configuration(struct cli *cli, struct buffer *out, const char *repository, const char *host,
                                 const char *trust, struct fault *reterr) {
        const char *state = cli_option("state");
        int r;

        buffer_puts(out, "# tally.yaml(5) explains every key\n");
        r = put_setting(out, "host", host, reterr);
        if (r == 0)
                r = put_setting(out, "repository", repository, reterr);
        if (r == 0)
                r = put_setting(out, "trust", absolute(trust, cli->arena), reterr);
        if (r == 0 && state)
                r = put_setting(out, "state", absolute(state, cli->arena), reterr);
        return r < 0 ? r : buffer_check(out, "the configuration", reterr);
}

/* The existing configuration is kept when it says the same; another one is never overwritten. */
static int keep_or_write(struct cli *cli, const char *path, const struct buffer *text, struct fault *reterr) {
        own_buffer struct buffer before = BUFFER_INIT;
        own_fault struct fault none = FAULT_INIT;
        int r = file_read(AT_FDCWD, path, LIMIT_CONFIG_BYTES, &before, &none);

        if (r == -ENOENT)
                return write_configuration(cli, path, text, reterr);
        if (r < 0) {
                fault_move(reterr, &none);
                return r;
        }
        if (before.size == text->size && memcmp(buffer_str(&before), buffer_str(text), text->size) == 0)
                return 0;
        r = fault_set(reterr, FAULT_CONFIG, EEXIST, "%s is there already and says something else", path);
        fault_hint(reterr, "edit it, remove it, or name another file with --config");
        return r;
}

static int print_result(struct cli *cli, const char *path, const char *document, const struct sshkey_private *key,
                        bool made, struct fault *reterr) {
        char fingerprint[FINGERPRINT_TEXT_MAX];

        if (cli->json) {
                json_t *o = json_object();

                json_set_string(o, "configuration", path);
                json_set_string(o, "host", cli->config.host.text);
                json_set_string(o, "fingerprint", sshkey_fingerprint(&key->key, fingerprint));
                json_object_set_new(o, "key_made", json_boolean(made));
                json_set_string(o, "merge", document);
                return cli_print_json(cli, o, reterr);
        }
        if (!cli->quiet)
                fprintf(stderr,
                        "configuration: %s\nhost key:      %s (%s)\nmerge this file into the desired state:\n\n", path,
                        sshkey_fingerprint(&key->key, fingerprint), made ? "made now" : "it was there");
        fputs(document, stdout);
        return 0;
}

static int run(struct cli *cli, const struct verb *verb, int *ret_exit, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT, line = BUFFER_INIT;
        own_state struct state state = STATE_INIT;
        own_sshkey struct sshkey_private key = { .comment = "" };
        own_git_url struct git_url url = { .scheme = GIT_SCHEME_LOCAL };
        const char *repository = NULL, *host = NULL, *trust = NULL, *path = config_path(cli->config_option);
        bool made = false;
        int r = require("repository", &repository, reterr);

        if (r == 0)
                r = require("host", &host, reterr);
        if (r == 0)
                r = require("trust", &trust, reterr);
        if (r < 0)
                return r;
        if (!name_is_valid(host))
                return fault_set(reterr, FAULT_CONFIG, 0, "--host: '%s' cannot name a host: a-z, 0-9, '.', '_' and '-'",
                                 host);
        r = git_url_parse(repository, &url, reterr);
        if (r == 0)
                r = check_trust(cli, trust, reterr);
        if (r == 0 && url.scheme == GIT_SCHEME_LOCAL && !strstr(repository, "://"))
                repository = absolute(repository, cli->arena);
        if (r == 0)
                r = compose_configuration(cli, &text, repository, host, trust, reterr);
        if (r == 0)
                r = config_parse(path, buffer_str(&text), text.size, cli->arena, &cli->config, reterr);
        if (r == 0)
                r = state_open(cli->config.state, STATE_WRITE, &state, reterr);
        if (r == 0)
                r = state_key(&state, host, &key, &made, reterr);
        if (r == 0)
                r = keep_or_write(cli, path, &text, reterr);
        if (r < 0)
                return r;
        sshkey_put_line(&key.key, host, &line);
        return print_result(cli, path, pass_host_document(host, buffer_str(&line), cli->arena), &key, made, reterr);
}

static const struct option_spec options[] = {
        { "repository", "URL", "the desired-state repository: ssh://, https://, file://, or a path" },
        { "host", "NAME", "this host's name in the fleet" },
        { "trust", "FILE", "the pinned allowed_signers: the first commit must verify by it" },
        { "state", "DIR", "the state folder; default /var/lib/tally" },
        { NULL, NULL, NULL },
};

const struct verb verb_init = {
        .name = "init",
        .arguments = "",
        .summary = "Make the host's key and configuration, and print the host file to merge.",
        .example =
                "tally init --repository ssh://git@git.example/fleet.git --host web1 --trust /etc/tally/allowed_signers",
        .options = options,
        .run = run,
};
