/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/compose/program.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/file.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

#define VERSION_TIMEOUT_MS (20 * 1000)
#define HOME_NAME          ".compose"
#define COMPLAINT_LINES    3
#define ARGS_MAX           32
#define PATH_DEFAULT       "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* defaultSystemPluginDirs of docker/cli, cli-plugins/manager/manager_unix.go */
static const char *const plugins[] = {
        "/usr/local/lib/docker/cli-plugins/docker-compose",
        "/usr/local/libexec/docker/cli-plugins/docker-compose",
        "/usr/lib/docker/cli-plugins/docker-compose",
        "/usr/libexec/docker/cli-plugins/docker-compose",
};

void program_done(struct program *p) {
        free(p->path);
        free(p->version);
        *p = (struct program){ .path = NULL };
}

/*
 * Reading what it says
 */

bool program_version(const char *text, uint64_t *ret_major, uint64_t *ret_minor) {
        char major[16], minor[16];
        size_t n;

        text += *text == 'v';
        n = strspn(text, "0123456789");
        if (n == 0 || n >= sizeof(major) || text[n] != '.')
                return false;
        memcpy(major, text, n);
        major[n] = '\0';
        text += n + 1;
        n = strspn(text, "0123456789");
        if (n == 0 || n >= sizeof(minor))
                return false;
        memcpy(minor, text, n);
        minor[n] = '\0';
        return parse_u64(major, ret_major) == 0 && parse_u64(minor, ret_minor) == 0;
}

/* " Container shop-web-1  Creating" */
static bool is_progress(const char *line) {
        static const char *const kinds[] = { "Container ", "Network ", "Volume ", "time=" };

        line += strspn(line, " ");
        if (*line == '\0')
                return true;
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                if (str_after(line, kinds[i]) && (i < 3 || strstr(line, "level=warning")))
                        return true;
        return false;
}

char *program_complaint(const char *text) {
        own_free char *copy = strdup(text);
        own_buffer struct buffer out = BUFFER_INIT;
        const char *lines[COMPLAINT_LINES] = { NULL };
        size_t n = 0;
        char *rest = NULL;

        for (char *line = copy ? strtok_r(copy, "\r\n", &rest) : NULL; line; line = strtok_r(NULL, "\r\n", &rest))
                if (!is_progress(line))
                        lines[n++ % COMPLAINT_LINES] = line + strspn(line, " ");
        for (size_t i = n > COMPLAINT_LINES ? n - COMPLAINT_LINES : 0; i < n; i++)
                buffer_printf(&out, "%s%s", out.size > 0 ? "; " : "", lines[i % COMPLAINT_LINES]);
        if (out.size == 0)
                buffer_puts(&out, "it does not say why");
        if (!out.failed)
                text_make_harmless(out.data, "");
        return buffer_steal(&out, &n);
}

const char *program_name_in_use(const char *text, struct arena *a) {
        static const char before[] = "The container name \"/", after[] = "\" is already in use";
        const char *start = strstr(text, before), *end = start ? strstr(start, after) : NULL;

        if (!end)
                return NULL;
        start += strlen(before);
        return end > start ? arena_strndup(a, start, (size_t)(end - start)) : NULL;
}

/*
 * Finding
 */

/* What is found first and does not fit, for the message. */
struct search {
        char *path, *version;
};

static void search_done(struct search *s) {
        free(s->path);
        free(s->version);
}
#define own_search __attribute__((cleanup(search_done)))

static char *first_line(const char *text) {
        return strndup(text, strcspn(text, "\r\n"));
}

/* Ask @words for its version; true when it is one that we can use. */
static bool try_program(struct program *p, const char *path, const char *second, struct search *s) {
        const char *argv[] = { path, "version", "--short", NULL, NULL };
        const struct process_request req = { .argv = argv, .timeout_ms = VERSION_TIMEOUT_MS };
        own_process_result struct process_result result = { .exit_code = 0 };
        own_fault struct fault ignored = FAULT_INIT;
        own_free char *version = NULL;
        uint64_t major, minor;

        if (second) {
                argv[1] = second;
                argv[2] = "version";
                argv[3] = "--short";
        }
        if (process_run(&req, &result, &ignored) < 0 || result.exit_code != 0)
                return false;
        version = first_line(buffer_str(&result.out));
        if (!version || !program_version(version, &major, &minor))
                return false;
        if (major > PROGRAM_MAJOR_MIN || (major == PROGRAM_MAJOR_MIN && minor >= PROGRAM_MINOR_MIN)) {
                p->path = strdup(path);
                p->version = take(version);
                p->words[0] = p->path;
                p->words[1] = second;
                return p->path != NULL;
        }
        if (!s->version) {
                s->path = strdup(path);
                s->version = take(version);
        }
        return false;
}

static int fault_none(const struct search *s, struct fault *reterr) {
        if (s->version)
                fault_set_code(reterr, FAULT_CONFIG, REASON_RUNTIME_UNSUPPORTED,
                               "docker compose %s (%s) is too old: at least %d.%d is needed", s->version,
                               s->path ? s->path : "?", PROGRAM_MAJOR_MIN, PROGRAM_MINOR_MIN);
        else
                fault_set_code(reterr, FAULT_CONFIG, REASON_RUNTIME_UNSUPPORTED,
                               "the runtime compose needs docker compose v2, which this host does not have");
        fault_hint(reterr, "install docker-compose (Debian 13) or docker-compose-plugin (Docker's packages), or write "
                           "`runtime: docker`");
        return -ENOTSUP;
}

int program_find(struct program *p, struct fault *reterr) {
        own_search struct search s = { .path = NULL };

        if (p->words[0])
                return 0;
        if (try_program(p, "docker-compose", NULL, &s))
                return 0;
        for (size_t i = 0; i < sizeof(plugins) / sizeof(plugins[0]); i++)
                if (access(plugins[i], X_OK) == 0 && try_program(p, plugins[i], NULL, &s))
                        return 0;
        return try_program(p, "docker", "compose", &s) ? 0 : fault_none(&s, reterr);
}

/*
 * Running
 */

static int make_environment(const struct runtime_settings *settings, const char *home, char **envp, size_t *n) {
        const char *path = getenv("PATH");
        int r;

        r = asprintf(&envp[(*n)++], "PATH=%s", path && *path ? path : PATH_DEFAULT);
        if (r >= 0)
                r = asprintf(&envp[(*n)++], "DOCKER_HOST=%s%s", settings->endpoint[0] == '/' ? "unix://" : "",
                             settings->endpoint);
        if (r >= 0)
                r = asprintf(&envp[(*n)++], "DOCKER_CONFIG=%s", home);
        if (r >= 0)
                r = asprintf(&envp[(*n)++], "HOME=%s", home);
        if (r < 0)
                envp[--(*n)] = NULL;
        return r < 0 ? -ENOMEM : 0;
}

struct environment_list {
        char *items[8];
        size_t n;
};

static void environment_list_done(struct environment_list *e) {
        for (size_t i = 0; i < e->n; i++)
                free(e->items[i]);
}

/* Below the files: the folder that is ours and 0700. */
static int make_home(const struct runtime_settings *settings, char **ret, struct fault *reterr) {
        own_fd int files = -1, fd = -1;
        own_free char *home = NULL;
        int r = dir_make(AT_FDCWD, settings->files, 0700, &files, reterr);

        if (r < 0)
                return r;
        if (asprintf(&home, "%s/" HOME_NAME, settings->files) < 0) {
                home = NULL;
                return fault_set_oom(reterr);
        }
        r = dir_make(files, HOME_NAME, 0700, &fd, reterr);
        if (r == 0)
                *ret = take(home);
        return r;
}

int program_run(struct program *p, const struct runtime_settings *settings, const json_t *document,
                const char *const *args, int timeout_ms, struct process_result *ret, struct fault *reterr) {
        __attribute__((cleanup(environment_list_done))) struct environment_list env = { .n = 0 };
        /* Values of secrets may be among the variables. */
        own_secret struct buffer text = BUFFER_INIT;
        const char *argv[ARGS_MAX + 12], *envp[12];
        own_free char *home = NULL;
        size_t n = 0, m = 0;
        int r;

        r = program_find(p, reterr);
        if (r == 0)
                r = make_home(settings, &home, reterr);
        if (r == 0)
                r = json_canonical(document, &text, reterr);
        if (r == 0)
                r = buffer_check(&text, "the locked compose file", reterr);
        if (r < 0)
                return r;
        if (make_environment(settings, home, env.items, &env.n) < 0)
                return fault_set_oom(reterr);
        for (size_t i = 0; i < env.n; i++)
                envp[m++] = env.items[i];
        envp[m++] = "LANG=C";
        envp[m++] = "COMPOSE_IGNORE_ORPHANS=1";
        envp[m] = NULL;
        for (size_t i = 0; i < 2 && p->words[i]; i++)
                argv[n++] = p->words[i];
        for (const char *const *fixed = (const char *const[]){ "--ansi", "never", "--env-file", "/dev/null",
                                                               "--project-directory", home, "-f", "-", NULL };
             *fixed; fixed++)
                argv[n++] = *fixed;
        for (size_t i = 0; args[i] && i < ARGS_MAX; i++)
                argv[n++] = args[i];
        argv[n] = NULL;
        return process_run(&(struct process_request){ .argv = argv,
                                                      .envp = envp,
                                                      .input = buffer_str(&text),
                                                      .input_size = text.size,
                                                      .timeout_ms = timeout_ms },
                           ret, reterr);
}
