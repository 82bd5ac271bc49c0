/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/docker/docker.h"

#include <string.h>

#include "providers/runtime/docker/body.h"
#include "providers/runtime/docker/docker_private.h"
#include "providers/runtime/docker/files.h"
#include "providers/runtime/docker/image.h"
#include "providers/runtime/docker/labels.h"
#include "providers/runtime/docker/render.h"
#include "shared/base/reason.h"
#include "shared/data/json.h"
#include "shared/net/http.h"

void docker_done(struct docker *d) {
        engine_free(d->engine);
        json_decref(d->images);
        json_decref(d->inspected);
        *d = (struct docker){ .engine = NULL };
}

int docker_init(struct docker *d, const struct runtime_ops *ops, const struct runtime_settings *settings,
                struct fault *reterr) {
        int r;

        *d = (struct docker){
                .runtime.ops = ops, .settings = settings, .images = json_object(), .inspected = json_object()
        };
        r = d->images && d->inspected ? engine_new(settings->endpoint, &d->engine, reterr) : fault_set_oom(reterr);
        if (r < 0)
                docker_done(d);
        return r;
}

static void docker_close(struct runtime *rt) {
        if (!rt)
                return;
        docker_done(docker_of(rt));
        free(rt);
}

static int docker_open(const struct runtime_settings *settings, struct runtime **ret, struct fault *reterr) {
        own_free struct docker *d = calloc(1, sizeof(*d));
        int r = d ? docker_init(d, &docker_runtime_ops, settings, reterr) : fault_set_oom(reterr);

        if (r < 0)
                return r;
        *ret = &take(d)->runtime;
        return 0;
}

/*
 * Which version to speak and what the images are called is known already. A copy: counting references is not for two
 * threads.
 */
static int docker_clone(struct runtime *rt, struct runtime **ret, struct fault *reterr) {
        const struct docker *of = docker_of(rt);
        own_json json_t *images = json_deep_copy(of->images);
        struct docker *d;
        int r = images ? docker_open(of->settings, ret, reterr) : fault_set_oom(reterr);

        if (r < 0)
                return r;
        d = docker_of(*ret);
        engine_introduce(d->engine, of->engine);
        json_decref(d->images);
        d->images = take(images);
        return 0;
}

static int runtime_render_docker(struct runtime *rt, const struct compose *compose, const char *version,
                                 const char *release_id, struct arena *a, struct workload *ret, struct fault *reterr) {
        return docker_render(docker_of(rt)->settings, compose, version, release_id, a, ret, reterr);
}

int docker_image_id(struct docker *d, const char *pinned, const char **ret_id, struct fault *reterr) {
        own_free char *id = NULL;
        int r;

        if (!json_object_get(d->images, pinned)) {
                r = image_find(d->engine, pinned, &id, reterr);
                if (r < 0)
                        return r;
                json_set_string(d->images, pinned, id);
        }
        *ret_id = json_get_string(d->images, pinned);
        return 0;
}

static const struct workload_service *services_of(const struct workload *w) {
        return w->services.items;
}

/* Everything that can fail for lack of a feature fails here, before anything is touched. */
static int prepare_check(struct docker *d, const struct workload *w, struct fault *reterr) {
        int r = engine_negotiate(d->engine, reterr);

        for (size_t i = 0; r == 0 && i < w->services.n; i++) {
                const struct workload_service *s = &services_of(w)[i];

                if (!s->spec)
                        return fault_set(reterr, FAULT_INTERNAL, EINVAL, "service %s was not rendered", s->name);
                r = body_check_api(s->spec, engine_api(d->engine), reterr);
                if (r < 0)
                        return fault_context(reterr, r, "service %s", s->name);
        }
        return r;
}

static int prepare_image(struct docker *d, const struct workload_service *s, const struct progress *progress,
                         struct fault *reterr) {
        own_free char *id = NULL;
        const char *held;
        int r;

        r = docker_image_id(d, s->image, &held, reterr);
        if (r < 0 || held)
                return r;
        /* Noted first: an image that a crash leaves behind is still known to be ours. */
        r = docker_note_image(d, s->image, reterr);
        if (r == 0)
                r = image_ensure(d->engine, s->image, json_get_string(s->spec, "platform"),
                                 d->settings->registry_config, progress, &id, reterr);
        if (r < 0)
                return r;
        json_set_string(d->images, s->image, id);
        return 0;
}

int docker_prepare_images(struct docker *d, const struct workload *w, const struct progress *progress,
                          struct fault *reterr) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < w->services.n; i++)
                if (services_of(w)[i].replicas > 0)
                        r = prepare_image(d, &services_of(w)[i], progress, reterr);
        return r;
}

int docker_prepare_files(struct docker *d, const struct workload *w, struct fault *reterr) {
        return files_store(d->settings->files, json_object_get(w->resources, "files"), reterr);
}

int docker_prepare(struct runtime *rt, const struct workload *w, const struct progress *progress,
                   struct fault *reterr) {
        struct docker *d = docker_of(rt);
        int r = prepare_check(d, w, reterr);

        if (r == 0)
                r = docker_prepare_images(d, w, progress, reterr);
        if (r == 0)
                r = docker_prepare_files(d, w, reterr);
        if (r == 0)
                r = docker_make_volumes(d, w, reterr);
        return r < 0 ? r : docker_make_networks(d, w, reterr);
}

const struct runtime_ops docker_runtime_ops = {
        .abi = RUNTIME_ABI,
        .name = "docker",
        .open = docker_open,
        .close = docker_close,
        .clone = docker_clone,
        .render = runtime_render_docker,
        .observe = docker_observe,
        .prepare = docker_prepare,
        .create = docker_create,
        .start = docker_start,
        .stop = docker_stop,
        .remove = docker_remove,
        .exec = docker_exec,
        .output = docker_output,
        .collect = docker_collect,
        .doctor = docker_doctor,
};
