/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Prepare: images with our own client, files, and with docker compose what it is to check and to make before containers
 */

#include "providers/runtime/compose/compose_private.h"
#include "providers/runtime/compose/locked.h"
#include "shared/base/reason.h"
#include "shared/data/json.h"

#define CHECK_TIMEOUT_MS     (60 * 1000)
#define RESOURCES_TIMEOUT_MS (5 * 60 * 1000)

/* Keys that this docker compose does not know, and values that it does not take, before anything is touched. */
static int check_document(struct compose_runtime *c, const struct workload *w, struct fault *reterr) {
        static const char *const args[] = { "config", "--quiet", NULL };
        own_json json_t *document = locked_all(c->docker.settings, w);
        own_process_result struct process_result result = { .exit_code = 0 };
        own_free char *complaint = NULL;
        int r = program_run(&c->program, c->docker.settings, document, args, CHECK_TIMEOUT_MS, &result, reterr);

        if (r < 0 || result.exit_code == 0)
                return r;
        complaint = program_complaint(buffer_str(&result.err));
        return fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_INVALID,
                              "docker compose %s does not take the compose file: %s", c->program.version,
                              complaint ? complaint : "?");
}

/* Those of @kind that are ours to make and not there. */
static int find_missing(struct compose_runtime *c, const struct workload *w, bool is_volume, json_t **ret,
                        struct fault *reterr) {
        own_json json_t *missing = json_array();
        json_t *resource;
        size_t i;

        json_array_foreach(json_object_get(w->resources, is_volume ? "volumes" : "networks"), i, resource) {
                bool is_missing;
                int r = docker_check_resource(&c->docker, w, is_volume, resource, &is_missing, reterr);

                if (r < 0)
                        return r;
                if (is_missing)
                        json_array_append(missing, resource);
        }
        *ret = take(missing);
        return 0;
}

/* A service without instances that uses them: docker compose makes what its services use. */
static int make_resources(struct compose_runtime *c, const struct workload *w, struct fault *reterr) {
        static const char *const args[] = {
                "up",    "--no-start", "--no-recreate",        "--no-deps",       "--no-build", "--pull",
                "never", "--scale",    LOCKED_NO_SERVICE "=0", LOCKED_NO_SERVICE, NULL,
        };
        own_json json_t *networks = NULL, *volumes = NULL, *document = NULL;
        own_process_result struct process_result result = { .exit_code = 0 };
        own_free char *complaint = NULL;
        int r = find_missing(c, w, true, &volumes, reterr);

        if (r == 0)
                r = find_missing(c, w, false, &networks, reterr);
        if (r < 0 || json_array_size(networks) + json_array_size(volumes) == 0)
                return r;
        document = locked_resources(&c->docker, w, networks, volumes);
        r = program_run(&c->program, c->docker.settings, document, args, RESOURCES_TIMEOUT_MS, &result, reterr);
        if (r < 0 || result.exit_code == 0)
                return r;
        complaint = program_complaint(buffer_str(&result.err));
        return fault_set_code(reterr, FAULT_TRANSIENT, REASON_ROLLOUT_START_FAILED,
                              "docker compose cannot make its networks and volumes: %s", complaint ? complaint : "?");
}

int compose_prepare(struct runtime *rt, const struct workload *w, const struct progress *progress,
                    struct fault *reterr) {
        struct compose_runtime *c = compose_runtime_of(rt);
        const struct workload_service *services = w->services.items;
        int r = engine_negotiate(c->docker.engine, reterr);

        for (size_t i = 0; r == 0 && i < w->services.n; i++)
                if (!services[i].spec)
                        return fault_set(reterr, FAULT_INTERNAL, EINVAL, "service %s was not rendered",
                                         services[i].name);
        if (r == 0)
                r = program_find(&c->program, reterr);
        if (r == 0)
                r = docker_prepare_files(&c->docker, w, reterr);
        if (r == 0)
                r = check_document(c, w, reterr);
        if (r == 0)
                r = docker_prepare_images(&c->docker, w, progress, reterr);
        return r < 0 ? r : make_resources(c, w, reterr);
}
