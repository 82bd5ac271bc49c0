/* SPDX-License-Identifier: Apache-2.0 */

/* Document: what docker compose reads, made of a specification for the moment */

#include <stdlib.h>
#include <string.h>

#include "providers/runtime/compose/locked.h"
#include "providers/runtime/docker/docker_private.h"
#include "providers/runtime/docker/labels.h"
#include "providers/runtime/docker/render_private.h"
#include "shared/base/text.h"

/* A '$' in a value would be replaced. Keys are left alone by docker compose, too. */
static json_t *double_dollars(const char *text) {
        own_buffer struct buffer out = BUFFER_INIT;

        for (; *text; text++) {
                if (*text == '$')
                        buffer_putc(&out, '$');
                buffer_putc(&out, *text);
        }
        if (out.failed)
                abort();
        return json_string(buffer_str(&out));
}

static json_t *escaped(const json_t *value) {
        json_t *out, *item;
        const char *key;
        size_t i;

        if (json_is_string(value))
                return double_dollars(json_string_value(value));
        if (json_is_array(value)) {
                out = json_array();
                json_array_foreach(value, i, item) if (json_array_append_new(out, escaped(item)) < 0) abort();
                return out;
        }
        if (json_is_object(value)) {
                out = json_object();
                /* Iterating does not change it. */
                json_object_foreach((json_t *)(uintptr_t)value, key, item) put(out, key, escaped(item));
                return out;
        }
        return json_deep_copy(value);
}

/*
 * One service
 */

/* "ro,rprivate,z" */
static json_t *bind_options(const char *options) {
        json_t *bind = json_pack("{sb}", "create_host_path", 0);
        own_free char *copy = options ? strdup(options) : NULL;
        char *rest = NULL;

        for (char *word = copy ? strtok_r(copy, ",", &rest) : NULL; word; word = strtok_r(NULL, ",", &rest))
                if (str_eq(word, "z") || str_eq(word, "Z"))
                        put_text(bind, "selinux", word);
                else if (!str_eq(word, "ro"))
                        put_text(bind, "propagation", word);
        return bind;
}

static void add_files(const struct body_input *in, json_t *service) {
        const json_t *files = json_object_get(in->service->spec, "files");
        json_t *volumes = json_object_get(service, "volumes"), *file;
        size_t i;

        if (json_array_size(files) > 0 && !volumes) {
                put(service, "volumes", json_array());
                volumes = json_object_get(service, "volumes");
        }
        json_array_foreach(files, i, file) {
                json_t *mount = json_pack("{ss ss sb so}", "type", "bind", "target", json_get_string(file, "target"),
                                          "read_only", 1, "bind", bind_options(json_get_string(file, "options")));

                put(mount, "source", json_sprintf("%s/%s", in->settings->files, json_get_string(file, "name")));
                if (json_array_append_new(volumes, mount) < 0)
                        abort();
        }
}

static void add_seccomp(const struct body_input *in, json_t *service) {
        const char *name = json_get_string(in->service->spec, "seccomp");
        json_t *options = json_object_get(service, "security_opt");

        if (!name)
                return;
        if (!options) {
                put(service, "security_opt", json_array());
                options = json_object_get(service, "security_opt");
        }
        if (json_array_append_new(options, json_sprintf("seccomp=%s/%s", in->settings->files, name)) < 0)
                abort();
}

/* docker compose writes its own labels, and takes no others for them. */
static json_t *labels_of(const struct body_input *in) {
        own_json json_t *all = body_labels(in);
        json_t *labels = json_object(), *value;
        const char *key;

        json_object_foreach(all, key, value) if (!str_after(key, "com.docker.compose."))
                put(labels, key, json_incref(value));
        return labels;
}

static json_t *service_of(const struct body_input *in) {
        json_t *service = json_deep_copy(json_object_get(in->service->spec, "definition"));

        if (!service)
                abort();
        put_text(service, "image", in->service->image);
        put_text(service, "platform", json_get_string(in->service->spec, "platform"));
        put_text(service, "pull_policy", "never");
        /* start() gives it its own: what was never in service is not started by the engine. */
        put_text(service, "restart", "no");
        put(service, "labels", labels_of(in));
        add_files(in, service);
        add_seccomp(in, service);
        return service;
}

/* They are there: prepare() made them. So docker compose changes nothing of them here. */
static void add_external(json_t *to, const json_t *keys) {
        const char *key;
        json_t *name;

        json_object_foreach((json_t *)(uintptr_t)keys, key, name)
                put(to, key, json_pack("{sO sb}", "name", name, "external", 1));
}

static void add_instance(const struct body_input *in, json_t *services, json_t *networks, json_t *volumes) {
        put(services, in->service->name, service_of(in));
        add_external(networks, json_object_get(in->service->spec, "network_keys"));
        add_external(volumes, json_object_get(in->service->spec, "volume_keys"));
}

static json_t *document_of(const char *project, json_t *services, json_t *networks, json_t *volumes) {
        own_json json_t *document = json_pack("{ss so so so}", "name", project, "services", services, "networks",
                                              networks, "volumes", volumes);

        if (!document)
                abort();
        return escaped(document);
}

json_t *locked_instance(const struct body_input *in) {
        json_t *services = json_object(), *networks = json_object(), *volumes = json_object();

        add_instance(in, services, networks, volumes);
        return document_of(json_get_string(in->service->spec, "project"), services, networks, volumes);
}

json_t *locked_all(const struct runtime_settings *settings, const struct workload *w) {
        json_t *services = json_object(), *networks = json_object(), *volumes = json_object();
        const struct workload_service *items = w->services.items;

        for (size_t i = 0; i < w->services.n; i++) {
                const struct body_input in = { .settings = settings, .workload = w, .service = &items[i], .index = 1 };

                add_instance(&in, services, networks, volumes);
        }
        return document_of(json_get_string(w->resources, "project"), services, networks, volumes);
}

/*
 * Networks and volumes
 */

/* Labels as written are a map, or a list of K=V. */
static json_t *all_labels(const struct docker *d, const struct workload *w, const json_t *resource) {
        json_t *labels = docker_resource_labels(d, w, resource), *declared = json_object_get(resource, "labels"),
               *value;
        const char *key;
        size_t i;

        json_array_foreach(declared, i, value) {
                const char *text = json_string_value(value), *equals = text ? strchr(text, '=') : NULL;
                own_free char *name = text ? strndup(text, equals ? (size_t)(equals - text) : strlen(text)) : NULL;

                if (name && !json_object_get(labels, name))
                        put_text(labels, name, equals ? equals + 1 : "");
        }
        json_object_foreach(declared, key, value) if (!json_object_get(labels, key))
                put(labels, key, json_incref(value));
        return labels;
}

static void add_resource(const struct docker *d, const struct workload *w, const json_t *resource, json_t *to) {
        json_t *value = json_deep_copy(json_object_get(resource, "create"));

        if (!value)
                abort();
        put_text(value, "name", json_get_string(resource, "name"));
        put(value, "labels", all_labels(d, w, resource));
        put(to, json_get_string(resource, "key"), value);
}

json_t *locked_resources(const struct docker *d, const struct workload *w, const json_t *networks,
                         const json_t *volumes) {
        const struct workload_service *services = w->services.items;
        json_t *user = json_pack("{ss ss}", "image", services[0].image, "pull_policy", "never");
        json_t *of_networks = json_object(), *of_volumes = json_object(), *mounted = json_array(), *resource;
        own_json json_t *attached = json_object();
        size_t i;

        json_array_foreach(networks, i, resource) {
                add_resource(d, w, resource, of_networks);
                put(attached, json_get_string(resource, "key"), json_null());
        }
        json_array_foreach(volumes, i, resource) {
                add_resource(d, w, resource, of_volumes);
                if (json_array_append_new(mounted, json_pack("{ss ss so}", "type", "volume", "source",
                                                             json_get_string(resource, "key"), "target",
                                                             json_sprintf("/%zu", i))) < 0)
                        abort();
        }
        if (json_object_size(attached) > 0)
                put(user, "networks", json_incref(attached));
        else
                put_text(user, "network_mode", "none");
        put(user, "volumes", mounted);
        return document_of(json_get_string(w->resources, "project"), json_pack("{so}", LOCKED_NO_SERVICE, user),
                           of_networks, of_volumes);
}
