/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/docker/fingerprint.h"

#include <string.h>

#include "providers/runtime/docker/docker_private.h"
#include "providers/runtime/docker/files.h"
#include "providers/runtime/docker/observe.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/net/plain.h"

#define TIMEOUT_MS 10000

static json_t *pick(const json_t *from, const char *const *keys) {
        json_t *to = json_object();

        for (; *keys; keys++)
                if (json_object_get(from, *keys))
                        json_object_set(to, *keys, json_object_get(from, *keys));
        return to;
}

static int by_text(const void *x, const void *y) {
        return strcmp(*(char *const *)x, *(char *const *)y);
}

/* An array as a sorted array of the elements' texts: engines keep no order. */
static json_t *sorted(const json_t *array, const char *const *keys) {
        size_t n = json_array_size(array), i;
        own_free char **texts = calloc(n + 1, sizeof(*texts));
        json_t *out = json_array(), *item;

        json_array_foreach(array, i, item) {
                own_json json_t *part = keys ? pick(item, keys) : json_incref(item);

                texts[i] = json_dumps(part, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
                if (!texts[i])
                        abort();
        }
        qsort(texts, n, sizeof(*texts), by_text);
        for (i = 0; i < n; i++) {
                json_array_append_new(out, json_string(texts[i]));
                free(texts[i]);
        }
        return out;
}

static json_t *networks_of(const json_t *entry) {
        static const char *const keys[] = {
                "NetworkID", "EndpointID", "Aliases", "IPAddress", "GlobalIPv6Address", NULL
        };
        json_t *out = json_object(), *network;
        const char *name;

        json_object_foreach(json_object_get(json_object_get(entry, "NetworkSettings"), "Networks"), name, network)
                json_object_set_new(out, name, pick(network, keys));
        return out;
}

/* Text and numbers of the status without its durations. */
static json_t *status_of(const json_t *entry) {
        struct status_text s = status_parse(json_get_string(entry, "Status"));

        return json_pack("{sI si}", "exit_code", (json_int_t)s.exit_code, "health", (int)s.health);
}

static json_t *container_of(const json_t *entry) {
        static const char *const keys[] = { "Id", "Image", "ImageID", "State", "Labels", NULL };
        static const char *const mount_keys[] = { "Type", "Name", "Source", "Destination", "RW", NULL };
        static const char *const port_keys[] = { "IP", "PrivatePort", "PublicPort", "Type", NULL };
        json_t *out = pick(entry, keys);

        json_object_set_new(out, "Names", sorted(json_object_get(entry, "Names"), NULL));
        json_object_set_new(out, "Mounts", sorted(json_object_get(entry, "Mounts"), mount_keys));
        json_object_set_new(out, "Ports", sorted(json_object_get(entry, "Ports"), port_keys));
        json_object_set_new(out, "Networks", networks_of(entry));
        json_object_set_new(out, "Status", status_of(entry));
        return out;
}

bool docker_listing_fingerprint(const json_t *list, struct digest *ret) {
        own_json json_t *all = json_array(), *ordered = NULL;
        own_free char *text = NULL;
        size_t i;
        json_t *entry;

        if (!json_is_array(list))
                return false;
        json_array_foreach(list, i, entry) json_array_append_new(all, container_of(entry));
        ordered = sorted(all, NULL);
        text = json_dumps(ordered, JSON_COMPACT);
        if (!text)
                abort();
        *ret = digest_of(text, strlen(text));
        return true;
}

bool docker_run_fingerprint(const json_t *entry, struct digest *ret) {
        own_json json_t *part = NULL;
        const char *name, *id = NULL;
        json_t *network;

        if (!str_eq(json_get_string(entry, "State"), "running"))
                return false;
        json_object_foreach(json_object_get(json_object_get(entry, "NetworkSettings"), "Networks"), name,
                            network) if (!id || !*id) id = json_get_string(network, "EndpointID");
        if (!id || !*id)
                return false;
        part = container_of(entry);
        *ret = digest_of_json(part);
        return true;
}

static void stamp_mount(json_t *stamps, const json_t *mount) {
        const char *source = json_get_string(mount, "Source"), *base = source ? strrchr(source, '/') : NULL;
        struct digest_state state;
        struct digest stamp;

        if (!base || !files_name_is_valid(base + 1) || json_object_get(stamps, source))
                return;
        digest_begin(&state);
        files_stamp(source, &state);
        stamp = digest_end(&state);
        json_set_string(stamps, source, stamp.text);
}

/* Mounts whose source is named like our files, by path: engines keep no order of mounts either. */
static struct digest stamp_files(const json_t *list) {
        own_json json_t *stamps = json_object();
        size_t i, j;
        json_t *entry, *mount;

        json_array_foreach(list, i, entry) json_array_foreach(json_object_get(entry, "Mounts"), j, mount)
                stamp_mount(stamps, mount);
        return digest_of_json(stamps);
}

/*
 * One question over a connection of its own: libcurl would take longer to load than the engine to answer (see plain.h).
 */
static int ask(const char *endpoint, const char *host, json_t **ret, struct fault *reterr) {
        own_buffer struct buffer path = BUFFER_INIT, body = BUFFER_INIT;
        const char *socket = str_after(endpoint, "unix://");
        int status, r;

        docker_list_path(&path, host, NULL);
        r = buffer_check(&path, "a request to the engine", reterr);
        if (r == 0)
                r = plain_get(socket ? socket : endpoint, buffer_str(&path), LIMIT_JSON_BYTES, TIMEOUT_MS, &status,
                              &body, reterr);
        if (r < 0)
                return r;
        if (status != 200)
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_RUNTIME_UNAVAILABLE,
                                      "the engine cannot list containers (HTTP %d)", status);
        return json_parse("the engine's list", body.data, body.size, ret, reterr);
}

bool docker_list_fingerprint(const json_t *list, struct digest *ret) {
        struct digest listing, files;
        struct digest_state state;

        if (!docker_listing_fingerprint(list, &listing))
                return false;
        files = stamp_files(list);
        digest_begin(&state);
        digest_update(&state, listing.text, strlen(listing.text));
        digest_update(&state, files.text, strlen(files.text));
        *ret = digest_end(&state);
        return true;
}

int docker_fingerprint(const char *endpoint, const char *host, struct digest *ret, struct fault *reterr) {
        own_json json_t *list = NULL;
        int r = ask(endpoint, host, &list, reterr);

        if (r < 0)
                return r;
        if (!docker_list_fingerprint(list, ret))
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_RUNTIME_UNSUPPORTED,
                                      "the engine's list of containers is not a list");
        return 0;
}
