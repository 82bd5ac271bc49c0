/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Program: docker compose v2 on this host: where it is, whether it is new enough, and running it
 *
 * Looked for, in this order: `docker-compose` in PATH, the plugin folders of the docker command (the plugin runs by
 * itself, too; docker/cli, cli-plugins/manager), and `docker compose`. The first one whose version is at least 2.20 is
 * taken: it has `up --no-start --pull never` and takes `depends_on.required`.
 *
 * It runs with a folder of its own as HOME and DOCKER_CONFIG, so that no configuration, credential or plugin of a user
 * is read, without .env file, and with no variable of our environment but PATH.
 */

#include <jansson.h>

#include "providers/runtime/runtime.h"
#include "shared/base/process.h"

#define PROGRAM_MAJOR_MIN 2
#define PROGRAM_MINOR_MIN 20

struct program {
        /* the beginning of argv; words[1] may be NULL. words[0] NULL: not looked for yet */
        const char *words[2];
        char *path;    /* what words point at; owned */
        char *version; /* "2.26.1"; owned */
};

void program_done(struct program *p);

/* Find it, once. FAULT_CONFIG with RUNTIME_UNSUPPORTED and a hint when there is none, or none new enough. */
int program_find(struct program *p, struct fault *reterr);

/*
 * docker compose -f - <args>, with @document as its input. @args is NULL-terminated. 0 when it ran to its end: see
 * ret->exit_code.
 */
int program_run(struct program *p, const struct runtime_settings *settings, const json_t *document,
                const char *const *args, int timeout_ms, struct process_result *ret, struct fault *reterr);

/* What it said was wrong: the last lines that are not progress, in one; never NULL unless without memory. Pure. */
char *program_complaint(const char *text);
/* "2.26.1-4", "v2.24.6" as numbers. False when it is no version. Pure. */
bool program_version(const char *text, uint64_t *ret_major, uint64_t *ret_minor);
/* The name in "The container name "/x" is already in use", in @a; NULL when it says something else. Pure. */
const char *program_name_in_use(const char *text, struct arena *a);
