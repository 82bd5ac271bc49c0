/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The docker runtime's state, and its functions that stand in files of their own. */

#include "providers/docker/engine.h"
#include "providers/runtime.h"

struct docker {
        struct runtime runtime;
        const struct runtime_settings *settings;
        struct engine *engine;
        json_t *images;         /* pinned reference → id at the engine, as verified by this process */
};

static inline struct docker *docker_of(struct runtime *rt) {
        return (struct docker *)rt;
}

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
int docker_collect(struct runtime *rt, const struct workload *keep, size_t n_keep, struct fault *reterr);
int docker_doctor(struct runtime *rt, json_t *out, struct fault *reterr);

/* resources.c */
int docker_make_networks(struct docker *d, const struct workload *w, struct fault *reterr);
int docker_make_volumes(struct docker *d, const struct workload *w, struct fault *reterr);

/* collect.c: what we pulled and may remove again, kept in <files>/.images */
int docker_note_image(struct docker *d, const char *pinned, struct fault *reterr);

/* listing.c: append "/containers/json?all=1&filters={"label":["tallyman.host=<host>", …]}"; @more is "key=value", NULL-terminated, may be NULL. */
void docker_list_path(struct buffer *path, const char *host, const char *const *more);
