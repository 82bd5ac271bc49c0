/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The docker runtime's state, and its functions that stand in files of their own. */

#include "providers/runtime/docker/body.h"
#include "providers/runtime/docker/engine.h"
#include "providers/runtime/runtime.h"

struct docker {
        struct runtime runtime; /* ops: of the runtime that it is, or that it is the beginning of */
        const struct runtime_settings *settings;
        struct engine *engine;
        json_t *images;    /* pinned reference → id at the engine, as verified by this process */
        int64_t began;     /* of the engine, as docker_began() found it in this observation; -1: not asked yet */
        json_t *inspected; /* container's id → what was asked about its present run (inspected.c) */
};

static inline struct docker *docker_of(struct runtime *rt) {
        return (struct docker *)rt;
}

/* docker.c: for runtimes that begin with a struct docker. Both accept and leave what docker_done() takes. */
int docker_init(struct docker *d, const struct runtime_ops *ops, const struct runtime_settings *settings,
                struct fault *reterr);
void docker_done(struct docker *d);
/* docker.c: have the engine hold each service's image and the files that they mount. */
int docker_prepare_images(struct docker *d, const struct workload *w, const struct progress *progress,
                          struct fault *reterr);
int docker_prepare_files(struct docker *d, const struct workload *w, struct fault *reterr);

/* docker.c: the id that containers of @pinned will have; NULL when the engine does not hold it. Borrowed. */
int docker_image_id(struct docker *d, const char *pinned, const char **ret_id, struct fault *reterr);

/* The functions of the vtable, one file each. */
int docker_observe(struct runtime *rt, const struct workload *wanted, size_t n_wanted, struct arena *a,
                   struct observation *ret, struct fault *reterr);
int docker_prepare(struct runtime *rt, const struct workload *w, const struct progress *progress, struct fault *reterr);
int docker_create(struct runtime *rt, const struct workload *w, const struct workload_service *service, int64_t index,
                  struct arena *a, const char **ret_id, struct fault *reterr);
int docker_start(struct runtime *rt, const struct instance *instance, struct fault *reterr);
int docker_stop(struct runtime *rt, const struct instance *instance, struct fault *reterr);
int docker_remove(struct runtime *rt, const struct instance *instance, struct fault *reterr);
int docker_collect(struct runtime *rt, const struct runtime_keep *keep, struct fault *reterr);
int docker_doctor(struct runtime *rt, json_t *out, struct fault *reterr);

int docker_exec(struct runtime *rt, const struct instance *instance, const struct string_list *argv, int timeout_ms,
                struct arena *a, int64_t *ret_exit_code, const char **ret_output, struct fault *reterr);

/* began.c: since when the engine runs, wall ms; 0: not known. Asked once an observation. */
int64_t docker_began(struct docker *d);

/*
 * inspected.c: GET /containers/<@name: id or name>/json. 0: @ret has it, or the status 404 when there is none; else a
 * fault.
 */
int docker_inspect(struct docker *d, const char *name, struct engine_reply *ret, struct fault *reterr);
/*
 * inspected.c: the closer look at the run that @entry of the list shows, when it was taken already; else NULL.
 * Borrowed.
 */
const json_t *docker_inspected(const struct docker *d, const json_t *entry);
/* inspected.c: remember what was answered about it. */
void docker_note_inspected(struct docker *d, const json_t *entry, const json_t *inspect);

/* lifecycle.c: a container as it is now: GET /containers/<id>/json */
struct container {
        json_t *json; /* owned; NULL: gone */
        const char *id;
        const char *name;        /* without '/' */
        const char *public_name; /* NULL: it keeps its own */
        const char *spec;
        const char *restart; /* the policy while it is in service */
        const json_t *state;
};

/*
 * Nothing without our host's label is ever touched: that is FAULT_DENIED, RESOURCE_FOREIGN. Gone: 0 without json. @id
 * is borrowed.
 */
int container_open(struct docker *d, const char *id, struct container *ret, struct fault *reterr);
void container_done(struct container *c);
#define own_container __attribute__((cleanup(container_done)))
/* POST /containers/<id>/<verb>. @timeout_ms as in struct engine_request. */
int container_post(struct docker *d, const char *id, const char *kind, const json_t *body, int timeout_ms,
                   struct engine_reply *ret, struct fault *reterr);

/* create.c: the container of this very instance in the engine's list; *ret a new reference, or NULL. */
int docker_find_instance(struct docker *d, const struct body_input *in, json_t **ret, struct fault *reterr);
/* create.c: attach @id to the specification's networks that are not in @attached (NetworkSettings.Networks). */
int docker_attach_missing(struct docker *d, const struct body_input *in, const char *id, const json_t *attached,
                          struct fault *reterr);
/* create.c: the fault of a container's name that is taken: RESOURCE_FOREIGN when it isn't ours. */
int docker_name_taken(struct docker *d, const struct body_input *in, const char *name, struct fault *reterr);

/*
 * resources.c: the fault when @resource ("networks" or "volumes" of the workload's) is there and is somebody else's or
 * another.
 */
int docker_check_resource(struct docker *d, const struct workload *w, bool is_volume, const json_t *resource,
                          bool *ret_missing, struct fault *reterr);
/*
 * resources.c: the labels that say whose a network or volume is, and from which definition it was made. A new
 * reference.
 */
json_t *docker_resource_labels(const struct docker *d, const struct workload *w, const json_t *resource);
int docker_make_networks(struct docker *d, const struct workload *w, struct fault *reterr);
int docker_make_volumes(struct docker *d, const struct workload *w, struct fault *reterr);

/* output.c: see struct runtime_ops. */
int docker_output(struct runtime *rt, const struct instance *instance, struct arena *a, const char **ret_output,
                  struct fault *reterr);

/* collect.c: what we pulled and may remove again, kept in <files>/.images */
int docker_note_image(struct docker *d, const char *pinned, struct fault *reterr);

/*
 * listing.c: append "/containers/json?all=1&filters={"label":["tallyman.host=<host>", …]}"; @more is "key=value",
 * NULL-terminated, may be NULL.
 */
void docker_list_path(struct buffer *path, const char *host, const char *const *more);
