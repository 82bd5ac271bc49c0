/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Drift: what runs, held against what a workload declares, by content. Pure.
 */

#include "shared/model/decision.h"
#include "shared/model/workload.h"

/*
 * A workload beside the instances of its app, indexed so that every question costs O(log n). The instances must be
 * sorted as observe() gives them: by service, specification, index.
 */
struct workload_index {
        const struct workload *workload;
        const struct struct_list *instances;
        const struct workload_service **by_name; /* sorted by name */
        /* per service: its instances end by themselves, another waits for that */
        bool *job;
};

struct workload_index *workload_index_new(const struct workload *w, const struct struct_list *instances,
                                          struct arena *a);
/* NULL when the workload declares no such service. */
const struct workload_service *workload_index_service(const struct workload_index *l, const char *name);
bool workload_index_is_job(const struct workload_index *l, const struct workload_service *service);
/* The instances of one service: first and one past the last. */
void workload_index_range(const struct workload_index *l, const char *service, const struct instance **ret_first,
                          const struct instance **ret_end);

/*
 * Has run to its end with exit code 0. One that ended with its engine may have been in the middle: whatever the engine
 * says of how.
 */
bool instance_has_completed(const struct instance *i);
/* Runs, or, for a job, has completed. */
bool instance_is_up(const struct instance *i, bool job);
/* Is up, and its health check, if it has one, passes. */
bool instance_is_healthy(const struct instance *i, bool job);
/*
 * Stopped by itself (not with its engine), or is restarted by the engine again and again: a crash, not a slow start.
 * One or two restarts may be a service that waits for another in its own way.
 */
#define CRASH_LOOP_RESTARTS 3
bool instance_has_failed(const struct instance *i, bool job);

/* The best instance for replica @index of @service: of its specification; NULL when there is none. */
const struct instance *workload_index_instance(const struct workload_index *l, const struct workload_service *service,
                                               int64_t index);

/* Whether @i is the instance that its service's replica should be. */
bool workload_index_is_wanted(const struct workload_index *l, const struct instance *i);

/* What is wrong with @i as an instance of @service: a reason code, with @ret_detail for people; NULL: nothing. */
const char *instance_drift(const struct instance *i, bool job, struct arena *a, const char **ret_detail);

/*
 * Every difference between workload and instances, as struct drift: missing, stopped, other image, other specification,
 * changed file, detached network, ill health, and extra instances.
 */
void drift_find(const struct workload_index *l, struct arena *a, struct struct_list *ret);

/*
 * The worst health of the instances that the workload wants; HEALTH_NONE when nothing has a check. What is missing is
 * unhealthy, but not while it is still @coming.
 */
enum health workload_index_health(const struct workload_index *l, bool coming);
