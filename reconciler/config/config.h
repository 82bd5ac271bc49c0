/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Configuration: /etc/tally/tally.yaml, what the operator says about this host (tally.yaml(5))
 *
 * Every path can be moved. Which file: --config, else $TALLY_CONFIG, else /etc/tally/tally.yaml. Relative paths in it
 * are relative to the file's own folder, so that a whole set-up can be moved.
 */

#include "providers/router.h"
#include "shared/data/table.h"

#define CONFIG_DEFAULT_PATH "/etc/tally/tally.yaml"

struct config {
        const char *path;    /* where it was read from; NULL: built in memory */
        struct text_at host; /* default: the machine's host name */
        struct text_at repository;
        const char *branch;
        int64_t poll_ms;
        int64_t heartbeat_ms;
        int64_t pass_limit_ms; /* how long one pass may take before tallyd ends it */
        const char *trust;     /* pinned allowed_signers */
        const char *state;
        bool require_touch; /* a security key's signature must show user presence */
        struct {
                struct text_at repository;
                const char *branch;
        } ledger;
        struct {
                const char *host;
                const char *config;
        } docker;
        struct {
                int64_t budget;
        } images; /* bytes; 0: no limit */
        struct {
                const char *known_hosts;
                const char *key;
                const char *user;
        } ssh;
        struct {
                const char *ca;
                const char *credentials;
                bool allow_http;
        } https;
        /* by kind; NULL: this host has not set it up. ->state is <state>/routes */
        struct router_settings *routers[ROUTER_KIND_MAX_];
        struct struct_list commands; /* struct config_command: what hooks and notify steps may run here */
};

/* A command that the desired state may ask for by its name; what it is, the host says. */
struct config_command {
        struct text_at name;
        struct string_list run; /* program, absolute, and arguments */
};

/* NULL when this host allows no command of that name. */
const struct config_command *config_command(const struct config *c, const char *name);

extern const struct table config_table;

/* The file's path by the rules above; @option is the value of --config or NULL. Borrowed. */
const char *config_path(const char *option);

/*
 * Read and check; defaults filled in, paths absolute. FAULT_CONFIG with position. Strings live in @a.
 */
int config_read(const char *path, struct arena *a, struct config *ret, struct fault *reterr);
/* The same from memory, for tests and `init`: @path is what positions say, and what relative paths start from. */
int config_parse(const char *path, const void *bytes, size_t size, struct arena *a, struct config *ret,
                 struct fault *reterr);
