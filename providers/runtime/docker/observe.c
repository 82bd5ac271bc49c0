/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/docker/observe.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "providers/runtime/docker/docker_private.h"
#include "providers/runtime/docker/files.h"
#include "providers/runtime/docker/image.h"
#include "providers/runtime/docker/labels.h"
#include "providers/runtime/docker/fingerprint.h"
#include "providers/runtime/outline.h"
#include "shared/base/clock.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

enum instance_state observe_state(const char *word) {
        for (int i = 0; i < INSTANCE_STATE_MAX_; i++)
                if (str_eq(word, instance_state_names[i]))
                        return (enum instance_state)i;
        return INSTANCE_DEAD;
}

/*
 * The list
 */

/* "/name", but also "/other/alias" where links of old are used. */
static const char *name_of(const json_t *entry, struct arena *a) {
        size_t i;
        json_t *name;

        json_array_foreach(json_object_get(entry, "Names"), i, name) {
                const char *text = json_string_value(name);

                if (text && text[0] == '/' && !strchr(text + 1, '/'))
                        return arena_strdup(a, text + 1);
        }
        return NULL;
}

static const struct workload_service *find_wanted(const struct workload *wanted, size_t n, const struct instance *in) {
        for (size_t i = 0; i < n; i++) {
                const struct workload_service *services = wanted[i].services.items;

                if (!str_eq(wanted[i].app, in->app))
                        continue;
                for (size_t j = 0; j < wanted[i].services.n; j++)
                        if (str_eq(services[j].name, in->service) && str_eq(services[j].spec_digest, in->spec))
                                return &services[j];
        }
        return NULL;
}

static const char *copy_of(const json_t *object, const char *key, struct arena *a) {
        return arena_strdup(a, json_get_string(object, key));
}

static int64_t index_of(const json_t *labels) {
        const char *text = json_get_string(labels, LABEL_INDEX);
        uint64_t n;

        return text && parse_u64(text, &n) == 0 && n <= INT32_MAX ? (int64_t)n : 0;
}

static void fill_instance(struct instance *in, const json_t *entry, const json_t *labels, struct arena *a) {
        struct status_text status = status_parse(json_get_string(entry, "Status"));

        *in = (struct instance){
                .id = copy_of(entry, "Id", a),
                .name = name_of(entry, a),
                .app = copy_of(labels, LABEL_APP, a),
                .service = copy_of(labels, LABEL_SERVICE, a),
                .release = copy_of(labels, LABEL_RELEASE, a),
                .version = copy_of(labels, LABEL_VERSION, a),
                .spec = copy_of(labels, LABEL_SPEC, a),
                .index = index_of(labels),
                .image = copy_of(labels, LABEL_IMAGE, a),
                .image_id = copy_of(entry, "ImageID", a),
                .state = observe_state(json_get_string(entry, "State")),
                .health = status.health,
                .exit_code = status.exit_code,
        };
        if (in->state != INSTANCE_CREATED)
                in->started_at = json_get_integer(entry, "Created", 0) * 1000;
}

static bool wants_closer_look(const struct sighting *s, bool young) {
        switch (s->instance.state) {
        case INSTANCE_RESTARTING:
                return true;
        case INSTANCE_RUNNING:
        case INSTANCE_PAUSED:
                return young;
        case INSTANCE_EXITED:
        case INSTANCE_DEAD:
                return s->spec != NULL;
        case INSTANCE_CREATED:
        case INSTANCE_REMOVING:
        case INSTANCE_STATE_MAX_:
                break;
        }
        return false;
}

static void fill_networks(struct sighting *s, struct arena *a) {
        const json_t *attached = json_object_get(json_object_get(s->entry, "NetworkSettings"), "Networks");
        struct string_list *missing = &s->instance.networks_missing;
        size_t i;
        json_t *network;

        json_array_foreach(json_object_get(s->spec, "networks"), i, network) {
                const char *name = json_get_string(network, "name");
                struct text_at *item;

                if (!name || json_object_get(attached, name))
                        continue;
                item = arena_push(a, &missing->items, &missing->n, sizeof(*item));
                item->text = arena_strdup(a, name);
        }
}

/*
 * Where it can be reached
 */

/* What is part of a URL later. */
static bool address_is_valid(const char *text) {
        struct in6_addr address;

        return text && (inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1);
}

/* "0.0.0.0", "::" and nothing mean every address, so the loopback one is among them. */
static const char *reachable(const char *ip) {
        if (!ip || !*ip || str_eq(ip, "0.0.0.0"))
                return "127.0.0.1";
        return str_eq(ip, "::") ? "::1" : ip;
}

/* For equal ports: IPv4 before IPv6, then as text, so that the choice does not hang on the engine's order. */
static int compare_endpoints(const void *x, const void *y) {
        const struct endpoint *a = x, *b = y;

        if (a->port != b->port)
                return a->port < b->port ? -1 : 1;
        if ((a->address[0] == '[') != (b->address[0] == '['))
                return a->address[0] == '[' ? 1 : -1;
        return strcmp(a->address, b->address);
}

static void fill_endpoints(struct instance *in, const json_t *entry, struct arena *a) {
        struct endpoint *items = NULL;
        size_t n = 0, kept = 0, i;
        json_t *port;

        json_array_foreach(json_object_get(entry, "Ports"), i, port) {
                int64_t inside = json_get_integer(port, "PrivatePort", 0),
                        outside = json_get_integer(port, "PublicPort", 0);
                const char *ip = reachable(json_get_string(port, "IP"));
                struct endpoint *e;

                if (!str_eq(json_get_string(port, "Type"), "tcp") || inside < 1 || inside > UINT16_MAX || outside < 1 ||
                    outside > UINT16_MAX || !address_is_valid(ip))
                        continue;
                e = arena_push(a, &items, &n, sizeof(*e));
                e->port = inside;
                e->address = arena_printf(a, strchr(ip, ':') ? "[%s]:%d" : "%s:%d", ip, (int)outside);
        }
        if (n > 1)
                qsort(items, n, sizeof(*items), compare_endpoints);
        for (i = 0; i < n; i++)
                if (kept == 0 || items[i].port != items[kept - 1].port)
                        items[kept++] = items[i];
        in->endpoints = (struct struct_list){ .items = items, .n = kept };
}

/* The first network by name that gives one; IPv4 before IPv6. */
static const char *address_in(const json_t *networks, const char *key) {
        const char *first = NULL, *found = NULL, *name;
        json_t *network;

        json_object_foreach((json_t *)networks, name, network) {
                const char *address = json_get_string(network, key);

                if (!address_is_valid(address) || (first && strcmp(name, first) > 0))
                        continue;
                first = name;
                found = address;
        }
        return found;
}

static void fill_address(struct instance *in, const json_t *entry, struct arena *a) {
        const json_t *networks = json_object_get(json_object_get(entry, "NetworkSettings"), "Networks");
        const char *address = address_in(networks, "IPAddress");

        if (!address)
                address = address_in(networks, "GlobalIPv6Address");
        if (!address && json_object_get(networks, "host") && in->state == INSTANCE_RUNNING)
                address = "127.0.0.1";
        in->address = arena_strdup(a, address);
}

static void fill_sighting(struct sighting *s, const json_t *entry, const struct workload *wanted, size_t n_wanted,
                          struct arena *a) {
        const json_t *labels = json_object_get(entry, "Labels");
        const struct workload_service *service;

        *s = (struct sighting){ .entry = entry, .created_at = json_get_integer(entry, "Created", 0) };
        fill_instance(&s->instance, entry, labels, a);
        fill_endpoints(&s->instance, entry, a);
        fill_address(&s->instance, entry, a);
        service = find_wanted(wanted, n_wanted, &s->instance);
        s->spec = service ? service->spec : NULL;
        s->look_closer = wants_closer_look(s, status_parse(json_get_string(entry, "Status")).young);
        s->image = (struct image_facts){
                .pinned = service ? service->image : s->instance.image,
                .image_id = s->instance.image_id,
                .label_image = s->instance.image,
                .label_image_id = copy_of(labels, LABEL_IMAGE_ID, a),
        };
        s->image_verdict = verify_container(&s->image);
        s->instance.image_matches = s->image_verdict == IMAGE_MATCHES;
        fill_networks(s, a);
}

/* Enough of our labels to be an instance, and an id that is safe to use. */
static bool is_ours(const json_t *entry, const char *host) {
        const json_t *labels = json_object_get(entry, "Labels");
        const char *app = json_get_string(labels, LABEL_APP), *service = json_get_string(labels, LABEL_SERVICE);

        return str_eq(json_get_string(labels, LABEL_HOST), host) && app && name_is_valid(app) && service &&
               name_is_valid(service) && engine_id_is_valid(json_get_string(entry, "Id"));
}

int observe_list(const json_t *list, const char *host, const struct workload *wanted, size_t n_wanted, struct arena *a,
                 struct sighting **ret, size_t *ret_n, struct fault *reterr) {
        struct sighting *items;
        size_t n = 0, i;
        json_t *entry;

        if (!json_is_array(list))
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_RUNTIME_UNSUPPORTED,
                                      "the engine's list of containers is not a list");
        items = arena_array(a, json_array_size(list), sizeof(*items));
        json_array_foreach(list, i, entry) if (is_ours(entry, host))
                fill_sighting(&items[n++], entry, wanted, n_wanted, a);
        *ret = items;
        *ret_n = n;
        return 0;
}

void observe_inspected(struct sighting *s, const json_t *inspect, struct arena *a) {
        const json_t *state = json_object_get(inspect, "State"), *health = json_object_get(state, "Health");
        const char *started = json_get_string(state, "StartedAt"), *word = json_get_string(health, "Status");
        struct instance *in = &s->instance;
        int64_t at;

        if (json_get_string(state, "Status"))
                in->state = observe_state(json_get_string(state, "Status"));
        in->exit_code = json_get_integer(state, "ExitCode", in->exit_code);
        in->restarts = json_get_integer(inspect, "RestartCount", 0);
        /* Never started is the year 1. */
        if (started && rfc3339_parse(started, &at) == 0)
                in->started_at = at > 0 ? at : 0;
        for (int i = 0; word && i < HEALTH_MAX_; i++)
                if (str_eq(word, health_names[i]))
                        in->health = (enum health)i;
        if (in->state != INSTANCE_RUNNING && in->state != INSTANCE_PAUSED)
                in->health = HEALTH_NONE;
}

/* A shutdown waits for what it ends, then for the new engine to come up. */
#define RESTART_TAKES_MS (2 * 60 * 1000)

bool observe_is_lost(const json_t *inspect, int64_t began) {
        const json_t *state = json_object_get(inspect, "State");
        const char *started = json_get_string(state, "StartedAt"), *finished = json_get_string(state, "FinishedAt");
        int64_t from, to;

        if (!began || !started || !finished || !str_eq(json_get_string(state, "Status"), "exited"))
                return false;
        /* No end, as after a power cut, is the year 1. */
        return rfc3339_parse(started, &from) == 0 && rfc3339_parse(finished, &to) == 0 && from > 0 && from < began &&
               (to < from || to >= began - RESTART_TAKES_MS);
}

bool observe_mount_is(const json_t *entry, const char *target, const char *source) {
        size_t i;
        json_t *mount;

        json_array_foreach(json_object_get(entry, "Mounts"), i,
                           mount) if (str_eq(json_get_string(mount, "Destination"),
                                             target)) return str_eq(json_get_string(mount, "Source"), source);
        return false;
}

/*
 * Asking
 */

static int look_closer(struct docker *d, struct sighting *s, struct arena *a, bool *ret_gone, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        const json_t *known = docker_inspected(d, s->entry);
        const struct instance listed = s->instance;
        int r;

        if (known) {
                observe_inspected(s, known, a);
                return 0;
        }
        r = docker_inspect(d, s->instance.id, &reply, reterr);
        if (r < 0)
                return r;
        *ret_gone = reply.status == 404;
        if (reply.status == 404)
                return 0;
        observe_inspected(s, reply.json, a);
        if (s->instance.state == INSTANCE_EXITED)
                s->instance.lost = observe_is_lost(reply.json, docker_began(d));
        /* What changed between the list and this is asked again. */
        if (s->instance.state == listed.state && s->instance.health == listed.health)
                docker_note_inspected(d, s->entry, reply.json);
        return 0;
}

/* @seen: answers of this observation by reference, so that each image is asked for once. */
static int ask_image(struct docker *d, struct sighting *s, json_t *seen, struct fault *reterr) {
        json_t *inspect = json_object_get(seen, s->image.pinned);
        int r;

        if (!inspect) {
                r = image_inspect(d->engine, s->image.pinned, &inspect, reterr);
                if (r < 0)
                        return r;
                json_object_set_new(seen, s->image.pinned, inspect ? inspect : json_null());
        }
        s->instance.image_matches = verify_inspected(&s->image, json_is_object(inspect) ? inspect : NULL);
        return 0;
}

/*
 * A mounted file that is replaced on the host stays what it was in the container: the mount holds the old inode. So
 * after any change since the container was made, the path in the container must still lead to the inode on the host.
 */
static int is_same_inode(struct docker *d, const struct sighting *s, const char *target, const char *source, bool *ret,
                         struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_buffer struct buffer inside = BUFFER_INIT;
        struct stat host, container;
        int64_t pid;
        int r = docker_inspect(d, s->instance.id, &reply, reterr);

        if (r < 0)
                return r;
        pid = json_get_integer(json_object_get(reply.json, "State"), "Pid", 0);
        buffer_printf(&inside, "/proc/%" PRId64 "/root%s", pid, target);
        /* Not running: the mount is made anew when it starts. */
        *ret = pid <= 0 || (stat(buffer_str(&inside), &container) == 0 && stat(source, &host) == 0 &&
                            container.st_dev == host.st_dev && container.st_ino == host.st_ino);
        return 0;
}

static int file_is_intact(struct docker *d, const struct sighting *s, const json_t *file, bool *ret,
                          struct fault *reterr) {
        const char *name = json_get_string(file, "name"), *target = json_get_string(file, "target");
        own_buffer struct buffer source = BUFFER_INIT;
        int64_t changed;

        *ret = false;
        if (!name || !target || !files_name_is_valid(name))
                return 0;
        buffer_printf(&source, "%s/%s", d->settings->files, name);
        if (!observe_mount_is(s->entry, target, buffer_str(&source)))
                return 0;
        changed = files_changed_at(d->settings->files, name);
        *ret = (changed >= 0 && changed < s->created_at) ||
               files_check(d->settings->files, name, json_get_string(file, "digest")) == FILES_INTACT;
        if (!*ret || changed <= s->created_at)
                return 0;
        return is_same_inode(d, s, target, buffer_str(&source), ret, reterr);
}

static int check_files(struct docker *d, struct sighting *s, struct arena *a, struct fault *reterr) {
        struct string_list *changed = &s->instance.files_changed;
        size_t i;
        json_t *file;

        json_array_foreach(json_object_get(s->spec, "files"), i, file) {
                struct text_at *item;
                bool intact;
                int r = file_is_intact(d, s, file, &intact, reterr);

                if (r < 0)
                        return r;
                if (intact)
                        continue;
                item = arena_push(a, &changed->items, &changed->n, sizeof(*item));
                item->text = arena_strdup(a, json_get_string(file, "target"));
        }
        return 0;
}

static int complete(struct docker *d, struct sighting *s, json_t *seen, struct arena *a, bool *ret_gone,
                    struct fault *reterr) {
        int r = 0;

        *ret_gone = false;
        if (s->look_closer)
                r = look_closer(d, s, a, ret_gone, reterr);
        if (r == 0 && !*ret_gone && s->image_verdict == IMAGE_ASK)
                r = ask_image(d, s, seen, reterr);
        if (r == 0 && !*ret_gone)
                r = check_files(d, s, a, reterr);
        return r;
}

static int observe_all(struct docker *d, const json_t *list, const struct workload *wanted, size_t n_wanted,
                       struct arena *a, struct struct_list *ret, struct fault *reterr) {
        own_json json_t *seen = json_object();
        struct sighting *sightings;
        struct instance *instances;
        size_t n, kept = 0;
        bool gone;
        int r;

        r = observe_list(list, d->settings->host, wanted, n_wanted, a, &sightings, &n, reterr);
        if (r < 0)
                return r;
        instances = arena_array(a, n, sizeof(*instances));
        for (size_t i = 0; i < n; i++) {
                r = complete(d, &sightings[i], seen, a, &gone, reterr);
                if (r < 0)
                        return r;
                if (!gone)
                        instances[kept++] = sightings[i].instance;
        }
        outline_sort_instances(instances, kept);
        *ret = (struct struct_list){ .items = instances, .n = kept };
        return 0;
}

static int list_containers(struct docker *d, struct engine_reply *reply, struct fault *reterr) {
        own_buffer struct buffer path = BUFFER_INIT;
        int r;

        docker_list_path(&path, d->settings->host, NULL);
        r = engine_call(d->engine, &(struct engine_request){ .path = buffer_str(&path), .any_version = true }, reply,
                        reterr);
        if (r < 0 || engine_reply_is_ok(reply))
                return r;
        return engine_refused(reply, REASON_RUNTIME_UNAVAILABLE, "the engine cannot list containers", reterr);
}

int docker_observe(struct runtime *rt, const struct workload *wanted, size_t n_wanted, struct arena *a,
                   struct observation *ret, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_fault struct fault why = FAULT_INIT;
        struct observation seen = { .runtime = rt->ops->name };
        struct docker *d = docker_of(rt);
        int r;

        d->began = -1;
        r = list_containers(d, &reply, &why);
        /* Before the closer looks: what changes while they are taken must differ from it. */
        if (r == 0)
                (void)docker_list_fingerprint(reply.json, &seen.fingerprint);
        if (r == 0)
                r = observe_all(d, reply.json, wanted, n_wanted, a, &seen.instances, &why);
        if (r < 0 && why.kind == FAULT_INTERNAL) {
                fault_move(reterr, &why);
                return r;
        }
        seen.available = r == 0;
        seen.reason = r < 0 ? arena_strdup(a, why.message) : NULL;
        if (r < 0)
                seen.instances = (struct struct_list){ .n = 0 };
        seen.version = arena_strdup(a, engine_version(d->engine));
        *ret = seen;
        return 0;
}
