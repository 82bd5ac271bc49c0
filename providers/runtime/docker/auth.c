/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/docker/auth.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/process.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/base64.h"
#include "shared/data/json.h"

#define HELPER_TIMEOUT_MS 30000
#define HUB_SERVER        "https://index.docker.io/v1/"

extern char **environ;

void json_wipe(json_t *value) {
        const char *key;
        json_t *item;
        size_t i;

        if (json_is_string(value))
                /* Only we hold this value, so nobody sees the string change. */
                sodium_memzero((char *)(uintptr_t)json_string_value(value), json_string_length(value));
        json_array_foreach(value, i, item) json_wipe(item);
        json_object_foreach(value, key, item) json_wipe(item);
}

static void json_wipe_p(json_t **value) {
        if (*value) {
                json_wipe(*value);
                json_decref(*value);
        }
        *value = NULL;
}
#define own_secret_json own(json_wipe_p)

const char *auth_server(const char *registry) {
        return str_eq(registry, "docker.io") ? HUB_SERVER : registry;
}

/* The host in a key of config.json, which may be written as a URL: "https://host:5000/v2/". */
static void server_host(const char *key, const char **ret_start, size_t *ret_size) {
        const char *start = strstr(key, "://");

        start = start ? start + 3 : key;
        *ret_start = start;
        *ret_size = strcspn(start, "/");
}

static bool server_is(const char *key, const char *registry) {
        static const char *const hub[] = { "docker.io", "index.docker.io", "registry-1.docker.io", NULL };
        const char *host;
        size_t size;

        server_host(key, &host, &size);
        if (!str_eq(registry, "docker.io"))
                return strlen(registry) == size && strncasecmp(host, registry, size) == 0;
        for (size_t i = 0; hub[i]; i++)
                if (strlen(hub[i]) == size && strncasecmp(host, hub[i], size) == 0)
                        return true;
        return false;
}

/* The member of @object whose key names the registry; *ret_key as it is written there. */
static const json_t *lookup(const json_t *object, const char *registry, const char **ret_key) {
        const char *key;
        json_t *value;

        json_object_foreach((json_t *)(uintptr_t)object, key, value) if (server_is(key, registry)) {
                *ret_key = key;
                return value;
        }
        return NULL;
}

static int header_make(const char *user, const char *secret, bool is_token, const char *server, struct buffer *ret,
                       struct fault *reterr) {
        own_secret_json json_t *json = json_object();
        own_secret struct buffer text = BUFFER_INIT;
        int r;

        if (!json)
                return fault_set_oom(reterr);
        if (is_token)
                json_set_string(json, "identitytoken", secret);
        else {
                json_set_string(json, "username", user);
                json_set_string(json, "password", secret);
        }
        json_set_string(json, "serveraddress", server);
        r = json_canonical(json, &text, reterr);
        if (r == 0)
                r = buffer_check(&text, "credentials", reterr);
        if (r < 0)
                return r;
        base64_encode(text.data, text.size, true, ret);
        return buffer_check(ret, "credentials", reterr);
}

/* "auth": base64 of user:password. */
static int auth_from_pair(const char *path, const char *pair, const char *server, struct buffer *ret,
                          struct fault *reterr) {
        own_secret struct buffer plain = BUFFER_INIT;
        size_t size = 0;
        char *colon;
        int r;

        for (size_t i = 0; i <= strlen(pair); i++)
                buffer_putc(&plain, '\0');
        r = buffer_check(&plain, "credentials", reterr);
        if (r < 0)
                return r;
        if (sodium_base642bin((unsigned char *)plain.data, plain.size - 1, pair, strlen(pair), " \r\n", &size, NULL,
                              sodium_base64_VARIANT_ORIGINAL) < 0)
                return fault_set(reterr, FAULT_CONFIG, EINVAL, "%s: 'auth' of %s is not base64", path, server);
        plain.data[size] = '\0';
        colon = strchr(plain.data, ':');
        if (!colon)
                return fault_set(reterr, FAULT_CONFIG, EINVAL, "%s: 'auth' of %s is not user:password", path, server);
        *colon = '\0';
        return header_make(plain.data, colon + 1, false, server, ret, reterr);
}

static int auth_from_entry(const char *path, const json_t *entry, const char *server, struct buffer *ret,
                           struct fault *reterr) {
        const char *token = json_get_string(entry, "identitytoken"), *pair = json_get_string(entry, "auth");
        const char *user = json_get_string(entry, "username"), *password = json_get_string(entry, "password");

        if (token && *token)
                return header_make(NULL, token, true, server, ret, reterr);
        if (pair && *pair)
                return auth_from_pair(path, pair, server, ret, reterr);
        if (user && *user && password)
                return header_make(user, password, false, server, ret, reterr);
        return 0;
}

/* It becomes the name of a program. */
static bool helper_is_valid(const char *name) {
        if (!name || !*name || strlen(name) > LIMIT_NAME_BYTES)
                return false;
        for (; *name; name++)
                if (!isalnum((unsigned char)*name) && !strchr("-_", *name))
                        return false;
        return true;
}

static int helper_parse(const char *program, const struct buffer *out, const char *server, struct buffer *ret,
                        struct fault *reterr) {
        own_secret_json json_t *json = NULL;
        own_fault struct fault why = FAULT_INIT;
        const char *user, *secret;

        /* The parser's own message may quote what it stumbled on: it is not passed on. */
        if (json_parse(program, out->data, out->size, &json, &why) < 0)
                return fault_set(reterr, FAULT_CONFIG, EINVAL, "%s answers with something that is not JSON", program);
        user = json_get_string(json, "Username");
        secret = json_get_string(json, "Secret");
        if (!user || !secret)
                return fault_set(reterr, FAULT_CONFIG, EINVAL, "%s gives no Username and Secret for %s", program,
                                 server);
        return header_make(user, secret, str_eq(user, "<token>"), server, ret, reterr);
}

/* *ret stays empty when the helper knows nothing of this server, which it says on stdout with exit code 1. */
static int helper_get(const char *path, const char *name, const char *server, struct buffer *ret,
                      struct fault *reterr) {
        own_process_result struct process_result result = { 0 };
        own_buffer struct buffer program = BUFFER_INIT;
        const char *argv[] = { NULL, "get", NULL };
        struct process_request req = {
                .argv = argv,
                .envp = (const char *const *)environ,
                .input = server,
                .input_size = strlen(server),
                .timeout_ms = HELPER_TIMEOUT_MS,
                .output_limit = LIMIT_CONFIG_BYTES,
        };
        int r;

        if (!helper_is_valid(name))
                return fault_set(reterr, FAULT_CONFIG, EINVAL, "%s: a credential helper's name is wrong", path);
        buffer_printf(&program, "docker-credential-%s", name);
        argv[0] = buffer_str(&program);
        r = process_run(&req, &result, reterr);
        if (r < 0)
                return fault_context(reterr, r, "%s", path);
        if (result.exit_code == 0)
                r = helper_parse(buffer_str(&program), &result.out, server, ret, reterr);
        else if (strstr(buffer_str(&result.out), "credentials not found"))
                r = 0;
        else
                r = fault_set_code(reterr, FAULT_TRANSIENT, REASON_IMAGE_AUTH, "%s fails with exit code %d for %s",
                                   buffer_str(&program), result.exit_code, server);
        if (result.out.data)
                sodium_memzero(result.out.data, result.out.size);
        return r;
}

static int auth_resolve(const char *path, const json_t *config, const char *registry, struct buffer *ret,
                        struct fault *reterr) {
        const char *server = auth_server(registry), *key = NULL, *store = json_get_string(config, "credsStore");
        const json_t *entry;
        int r;

        entry = lookup(json_object_get(config, "credHelpers"), registry, &key);
        if (entry)
                return helper_get(path, json_string_value(entry), key, ret, reterr);
        if (store && *store) {
                r = helper_get(path, store, server, ret, reterr);
                if (r < 0 || ret->size > 0)
                        return r;
        }
        entry = lookup(json_object_get(config, "auths"), registry, &key);
        return entry ? auth_from_entry(path, entry, server, ret, reterr) : 0;
}

int auth_from_config(const char *config_path, const void *bytes, size_t size, const char *registry, struct buffer *ret,
                     struct fault *reterr) {
        own_secret_json json_t *config = NULL;
        own_fault struct fault why = FAULT_INIT;

        if (json_parse(config_path, bytes, size, &config, &why) < 0 || !json_is_object(config))
                return fault_set(reterr, FAULT_CONFIG, EINVAL, "%s is not a JSON object", config_path);
        return auth_resolve(config_path, config, registry, ret, reterr);
}

int auth_header(const char *config_path, const char *registry, struct buffer *ret, struct fault *reterr) {
        own_secret struct buffer bytes = BUFFER_INIT;
        own_fault struct fault why = FAULT_INIT;
        int r;

        if (!config_path)
                return 0;
        r = file_read(AT_FDCWD, config_path, LIMIT_CONFIG_BYTES, &bytes, &why);
        if (r == -ENOENT)
                return 0;
        if (r < 0) {
                fault_move(reterr, &why);
                return r;
        }
        return auth_from_config(config_path, bytes.data, bytes.size, registry, ret, reterr);
}
