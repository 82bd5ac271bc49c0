/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/config/config.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/data/yaml.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

#define AT(member) offsetof(struct config, member)

static const struct field ledger_fields[] = {
        { .key = "repository",
          .type = FIELD_TEXT,
          .at = AT(ledger.repository) - AT(ledger),
          .format = "non-empty",
          .doc = "Where the ledger branch is pushed. Default: the desired-state repository." },
        { .key = "branch",
          .type = FIELD_STRING,
          .at = AT(ledger.branch) - AT(ledger),
          .format = "non-empty",
          .doc = "The ledger branch. Default: tally/<host>." },
        {},
};
static const struct table ledger_table = {
        .title = "LedgerConfiguration",
        .size = sizeof(((struct config *)0)->ledger),
        .fields = ledger_fields,
        .doc = "Where evidence and status go.",
};

static const struct field docker_fields[] = {
        { .key = "host",
          .type = FIELD_STRING,
          .at = AT(docker.host) - AT(docker),
          .format = "non-empty",
          .doc = "The Engine API's socket. Default: unix:///run/docker.sock." },
        { .key = "config",
          .type = FIELD_STRING,
          .at = AT(docker.config) - AT(docker),
          .format = "non-empty",
          .doc = "A Docker config.json with registry credentials. Default: none." },
        {},
};
static const struct table docker_table = {
        .title = "DockerConfiguration",
        .size = sizeof(((struct config *)0)->docker),
        .fields = docker_fields,
        .doc = "The engine that the docker runtime drives.",
};

static int read_bytes(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        int64_t *bytes = slot;
        int r;

        if ((node->type == NODE_STRING || node->type == NODE_INTEGER) && parse_bytes(node->text, bytes) == 0 &&
            *bytes > 0)
                return 0;
        r = fault_set_at(reterr, &node->at, "this is no number of bytes");
        fault_hint(reterr, "write it as 500MiB or 20GiB");
        return r;
}

static json_t *write_bytes(const void *slot) {
        const int64_t *bytes = slot;

        return *bytes ? json_integer(*bytes) : NULL;
}

static const struct field images_fields[] = {
        { .key = "budget",
          .type = FIELD_CUSTOM,
          .at = AT(images.budget) - AT(images),
          .read = read_bytes,
          .write = write_bytes,
          .schema = "{\"type\":[\"string\",\"integer\"]}",
          .doc = "How much disk the images that we brought may take. Default: no limit." },
        {},
};
static const struct table images_table = {
        .title = "ImagesConfiguration",
        .size = sizeof(((struct config *)0)->images),
        .fields = images_fields,
        .doc = "Images on this host.",
};

static const struct field ssh_fields[] = {
        { .key = "known_hosts",
          .type = FIELD_STRING,
          .at = AT(ssh.known_hosts) - AT(ssh),
          .format = "non-empty",
          .doc = "Pinned host keys, in OpenSSH's known_hosts format. Default: known_hosts beside tally.yaml." },
        { .key = "key",
          .type = FIELD_STRING,
          .at = AT(ssh.key) - AT(ssh),
          .format = "non-empty",
          .doc = "Private key for git over ssh. Default: the host's own key." },
        { .key = "user",
          .type = FIELD_STRING,
          .at = AT(ssh.user) - AT(ssh),
          .format = "non-empty",
          .doc = "User name where the URL has none. Default: git." },
        {},
};
static const struct table ssh_table = {
        .title = "SshConfiguration",
        .size = sizeof(((struct config *)0)->ssh),
        .fields = ssh_fields,
        .doc = "git over ssh.",
};

static const struct field https_fields[] = {
        { .key = "ca",
          .type = FIELD_STRING,
          .at = AT(https.ca) - AT(https),
          .format = "non-empty",
          .doc = "A PEM bundle of certification authorities. Default: the system's." },
        { .key = "credentials",
          .type = FIELD_STRING,
          .at = AT(https.credentials) - AT(https),
          .format = "non-empty",
          .doc = "Credentials in git-credential-store's format, readable by the owner only. Default: none." },
        { .key = "allow_http",
          .type = FIELD_BOOL,
          .at = AT(https.allow_http) - AT(https),
          .doc = "Accept plain http:// remotes: signatures still protect the content, nothing hides it." },
        {},
};
static const struct table https_table = {
        .title = "HttpsConfiguration",
        .size = sizeof(((struct config *)0)->https),
        .fields = https_fields,
        .doc = "git over https.",
};

#define ROUTER(member) offsetof(struct router_settings, member)

static const struct field routers_nginx_fields[] = {
        { .key = "folder",
          .type = FIELD_STRING,
          .at = ROUTER(folder),
          .flags = FIELD_REQUIRED,
          .format = "non-empty",
          .doc = "Where our files go; nginx's configuration includes its *.conf inside http {}." },
        { .key = "admin",
          .type = FIELD_STRING,
          .at = ROUTER(admin),
          .flags = FIELD_REQUIRED,
          .format = "non-empty",
          .doc = "A free address of this machine, as http://127.0.0.1:8998, where our files let nginx tell what it has in force." },
        { .key = "test",
          .type = FIELD_STRING_LIST,
          .at = ROUTER(test),
          .format = "non-empty",
          .doc = "The command that validates the whole configuration. Default: nginx -t." },
        { .key = "reload",
          .type = FIELD_STRING_LIST,
          .at = ROUTER(reload),
          .format = "non-empty",
          .doc = "The command that activates it. Default: nginx -s reload." },
        {},
};
static const struct field routers_haproxy_fields[] = {
        { .key = "folder",
          .type = FIELD_STRING,
          .at = ROUTER(folder),
          .flags = FIELD_REQUIRED,
          .format = "non-empty",
          .doc = "Where our files go; HAProxy loads them with -f." },
        { .key = "socket",
          .type = FIELD_STRING,
          .at = ROUTER(socket),
          .flags = FIELD_REQUIRED,
          .format = "non-empty",
          .doc = "The runtime API's unix socket, of level admin." },
        { .key = "test",
          .type = FIELD_STRING_LIST,
          .at = ROUTER(test),
          .format = "non-empty",
          .doc = "The command that validates the whole configuration. Default: haproxy -c -f /etc/haproxy/haproxy.cfg -f FOLDER." },
        { .key = "reload",
          .type = FIELD_STRING_LIST,
          .at = ROUTER(reload),
          .format = "non-empty",
          .doc = "The command that activates it. Default: systemctl reload haproxy.service." },
        {},
};
static const struct field routers_caddy_fields[] = {
        { .key = "admin",
          .type = FIELD_STRING,
          .at = ROUTER(admin),
          .format = "non-empty",
          .doc = "The admin API: http://ADDRESS:PORT or unix:///PATH. Default: http://127.0.0.1:2019." },
        {},
};
static const struct field routers_traefik_fields[] = {
        { .key = "folder",
          .type = FIELD_STRING,
          .at = ROUTER(folder),
          .flags = FIELD_REQUIRED,
          .format = "non-empty",
          .doc = "Where our files go; the directory of Traefik's file provider, with watch." },
        { .key = "admin",
          .type = FIELD_STRING,
          .at = ROUTER(admin),
          .format = "non-empty",
          .doc = "The API to read back from: http://ADDRESS:PORT. Default: none; then nothing tells when a file was taken." },
        {},
};
#define ROUTER_TABLE(name, label) \
        static const struct table routers_##name##_table = { \
                .title = label "Configuration", \
                .size = sizeof(struct router_settings), \
                .fields = routers_##name##_fields, \
                .doc = "How " label " is reached.", \
        }
ROUTER_TABLE(nginx, "Nginx");
ROUTER_TABLE(haproxy, "HAProxy");
ROUTER_TABLE(caddy, "Caddy");
ROUTER_TABLE(traefik, "Traefik");
#undef ROUTER

#define KIND(kind) (kind) * sizeof(struct router_settings *)
static const struct field routers_fields[] = {
        { .key = "nginx",
          .type = FIELD_STRUCT_PTR,
          .at = KIND(ROUTER_NGINX),
          .sub = &routers_nginx_table,
          .doc = "nginx." },
        { .key = "haproxy",
          .type = FIELD_STRUCT_PTR,
          .at = KIND(ROUTER_HAPROXY),
          .sub = &routers_haproxy_table,
          .doc = "HAProxy." },
        { .key = "caddy",
          .type = FIELD_STRUCT_PTR,
          .at = KIND(ROUTER_CADDY),
          .sub = &routers_caddy_table,
          .doc = "Caddy." },
        { .key = "traefik",
          .type = FIELD_STRUCT_PTR,
          .at = KIND(ROUTER_TRAEFIK),
          .sub = &routers_traefik_table,
          .doc = "Traefik." },
        {},
};
#undef KIND
static const struct table routers_table = {
        .title = "RoutersConfiguration",
        .size = sizeof(((struct config *)0)->routers),
        .fields = routers_fields,
        .doc = "The routers of this host that apps may name.",
};

static int read_command_short(const struct node *node, void *object, struct arena *a, struct fault *reterr) {
        struct config_command *c = object;

        if (node->type != NODE_LIST)
                return fault_set_at(reterr, &node->at, "a command is a list: program and arguments");
        for (size_t i = 0; i < node->n; i++) {
                const struct node *word = node->items[i];

                if (!node_is_scalar(word))
                        return fault_set_at(reterr, &word->at, "an argument is a text");
                *(struct text_at *)arena_push(a, &c->run.items, &c->run.n, sizeof(struct text_at)) =
                        (struct text_at){ .text = arena_strdup(a, word->text), .at = word->at };
        }
        return 0;
}

static int check_command(void *object, const struct node *node, struct fault *reterr) {
        const struct config_command *c = object;

        if (c->run.n > 0 && c->run.items[0].text[0] == '/')
                return 0;
        return fault_set_at(reterr, &node->at, "a command begins with a program's absolute path");
}

static const struct field commands_fields[] = {
        { .key = "run",
          .type = FIELD_STRING_LIST,
          .at = offsetof(struct config_command, run),
          .flags = FIELD_REQUIRED,
          .doc = "Program, with its absolute path, and arguments." },
        {},
};
static const struct table command_table = {
        .title = "Command",
        .size = sizeof(struct config_command),
        .fields = commands_fields,
        .map_key = offsetof(struct config_command, name) + 1,
        .map_key_format = "name",
        .check = check_command,
        .read_short = read_command_short,
        .short_schema = "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}",
        .doc = "A command that hooks and notify steps may run.",
};

static const struct field config_fields[] = {
        { .key = "host",
          .type = FIELD_TEXT,
          .at = AT(host),
          .format = "name",
          .doc = "This host's name in hosts/<host>.yaml. Default: the machine's host name." },
        { .key = "repository",
          .type = FIELD_TEXT,
          .at = AT(repository),
          .flags = FIELD_REQUIRED,
          .format = "non-empty",
          .doc = "The desired-state repository: ssh://, https://, file://, or a path." },
        { .key = "branch",
          .type = FIELD_STRING,
          .at = AT(branch),
          .format = "non-empty",
          .doc = "Its branch. Default: main." },
        { .key = "poll",
          .type = FIELD_DURATION,
          .at = AT(poll_ms),
          .absent = 30 * SECOND,
          .minimum = SECOND,
          .maximum = 24 * HOUR,
          .doc = "How often tallyd looks. Default: 30s." },
        { .key = "heartbeat",
          .type = FIELD_DURATION,
          .at = AT(heartbeat_ms),
          .absent = HOUR,
          .minimum = SECOND,
          .maximum = 7 * 24 * HOUR,
          .doc = "At the latest, status is committed this often. Default: 1h." },
        { .key = "pass_limit",
          .type = FIELD_DURATION,
          .at = AT(pass_limit_ms),
          .absent = 30 * MINUTE,
          .minimum = SECOND,
          .maximum = 24 * HOUR,
          .doc = "How long one pass may take before tallyd ends it. Default: 30m." },
        { .key = "trust",
          .type = FIELD_STRING,
          .at = AT(trust),
          .format = "non-empty",
          .doc = "The pinned root of trust. Default: allowed_signers beside tally.yaml." },
        { .key = "state",
          .type = FIELD_STRING,
          .at = AT(state),
          .format = "non-empty",
          .doc = "The state folder. Default: /var/lib/tally." },
        { .key = "require_touch",
          .type = FIELD_BOOL,
          .at = AT(require_touch),
          .doc = "Refuse security-key signatures made without a touch." },
        { .key = "ledger",
          .type = FIELD_STRUCT,
          .at = AT(ledger),
          .sub = &ledger_table,
          .doc = "Where evidence goes." },
        { .key = "docker", .type = FIELD_STRUCT, .at = AT(docker), .sub = &docker_table, .doc = "The Docker engine." },
        { .key = "images",
          .type = FIELD_STRUCT,
          .at = AT(images),
          .sub = &images_table,
          .doc = "Images on this host." },
        { .key = "ssh", .type = FIELD_STRUCT, .at = AT(ssh), .sub = &ssh_table, .doc = "git over ssh." },
        { .key = "https", .type = FIELD_STRUCT, .at = AT(https), .sub = &https_table, .doc = "git over https." },
        { .key = "routers",
          .type = FIELD_STRUCT,
          .at = AT(routers),
          .sub = &routers_table,
          .doc = "The routers of this host that apps may name." },
        { .key = "commands",
          .type = FIELD_STRUCT_MAP,
          .at = AT(commands),
          .sub = &command_table,
          .doc = "Commands that hooks and notify steps may run here, by name. Default: none." },
        {},
};
#undef AT

const struct table config_table = {
        .title = "Configuration",
        .size = sizeof(struct config),
        .fields = config_fields,
        .doc = "tally.yaml: what the operator says about this host.",
};

const char *config_path(const char *option) {
        const char *environment = getenv("TALLY_CONFIG");

        if (option)
                return option;
        return environment && *environment ? environment : CONFIG_DEFAULT_PATH;
}

/* The folder of @path, absolute. */
static const char *folder_of(const char *path, struct arena *a) {
        own_free char *absolute = NULL;
        const char *slash = strrchr(path, '/');
        const char *folder = !slash ? "." : slash == path ? "/" : arena_strndup(a, path, (size_t)(slash - path));

        absolute = realpath(folder, NULL);
        return arena_strdup(a, absolute ? absolute : folder);
}

static const char *resolve(const char *folder, const char *path, struct arena *a) {
        return !path || path[0] == '/' ? path : arena_printf(a, "%s/%s", folder, path);
}

/* A path remote may be relative to the file; what has a scheme or is host:path is left alone. */
static const char *resolve_repository(const char *folder, const char *url, struct arena *a) {
        if (!url || url[0] == '/' || strstr(url, "://") || (url[0] != '.' && strchr(url, ':')))
                return url;
        return resolve(folder, url, a);
}

static int default_host(struct config *c, struct arena *a, struct fault *reterr) {
        char name[HOST_NAME_MAX + 1] = "";

        if (c->host.text)
                return 0;
        (void)gethostname(name, sizeof(name) - 1);
        name[strcspn(name, ".")] = '\0';
        if (!name_is_valid(name)) {
                int r = fault_set(reterr, FAULT_CONFIG, 0,
                                  "the machine's host name '%s' cannot name a host of the fleet", name);
                fault_hint(reterr, "set `host:` in %s", c->path ? c->path : "tally.yaml");
                return r;
        }
        c->host.text = arena_strdup(a, name);
        return 0;
}

/* The router in memory is offered to nobody in app.yaml either, and needs no settings. */
static void complete_routers(struct config *c, const char *folder, struct arena *a) {
        const char *state = arena_printf(a, "%s/routes", c->state);

        if (!c->routers[ROUTER_MEMORY])
                c->routers[ROUTER_MEMORY] = arena_new_of(a, struct router_settings);
        for (enum router_kind k = 0; k < ROUTER_KIND_MAX_; k++) {
                struct router_settings *s = c->routers[k];

                if (!s)
                        continue;
                s->folder = resolve(folder, s->folder, a);
                s->socket = resolve(folder, s->socket, a);
                s->state = state;
        }
}

static int complete(struct config *c, const char *folder, struct arena *a, struct fault *reterr) {
        int r = default_host(c, a, reterr);

        if (r < 0)
                return r;
        c->branch = c->branch ? c->branch : "main";
        c->trust = resolve(folder, c->trust ? c->trust : "allowed_signers", a);
        c->state = resolve(folder, c->state ? c->state : "/var/lib/tally", a);
        c->repository.text = resolve_repository(folder, c->repository.text, a);
        if (c->ledger.repository.text)
                c->ledger.repository.text = resolve_repository(folder, c->ledger.repository.text, a);
        else
                c->ledger.repository = c->repository;
        if (!c->ledger.branch)
                c->ledger.branch = arena_printf(a, "tally/%s", c->host.text);
        c->docker.host = c->docker.host ? c->docker.host : "unix:///run/docker.sock";
        c->docker.config = resolve(folder, c->docker.config, a);
        c->ssh.known_hosts = resolve(folder, c->ssh.known_hosts ? c->ssh.known_hosts : "known_hosts", a);
        c->ssh.key = c->ssh.key ? resolve(folder, c->ssh.key, a) : arena_printf(a, "%s/id_ed25519", c->state);
        c->https.ca = resolve(folder, c->https.ca, a);
        c->https.credentials = resolve(folder, c->https.credentials, a);
        complete_routers(c, folder, a);
        return 0;
}

const struct config_command *config_command(const struct config *c, const char *name) {
        const struct config_command *items = c->commands.items;

        for (size_t i = 0; i < c->commands.n; i++)
                if (str_eq(items[i].name.text, name))
                        return &items[i];
        return NULL;
}

int config_parse(const char *path, const void *bytes, size_t size, struct arena *a, struct config *ret,
                 struct fault *reterr) {
        const struct node *root = NULL;
        struct config c;
        int r = yaml_parse(path, bytes, size, a, &root, reterr);

        if (r < 0)
                return r;
        r = table_read(&config_table, root, &c, a, reterr);
        if (r < 0)
                return r;
        c.path = arena_strdup(a, path);
        r = complete(&c, folder_of(path, a), a, reterr);
        if (r < 0)
                return r;
        *ret = c;
        return 0;
}

int config_read(const char *path, struct arena *a, struct config *ret, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT;
        int r = file_read(AT_FDCWD, path, LIMIT_CONFIG_BYTES, &text, reterr);

        if (r < 0) {
                /* Whatever keeps the file from being read, it is the set-up that has to change. */
                reterr->kind = FAULT_CONFIG;
                fault_hint(reterr, "`tally init` makes a configuration; --config or TALLY_CONFIG names another file");
                return r;
        }
        return config_parse(path, buffer_str(&text), text.size, a, ret, reterr);
}
