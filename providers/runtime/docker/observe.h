/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Observe: from the engine's list of containers to instances
 *
 * One list call tells nearly everything. A container is looked at closer (inspect) when the list cannot tell: it
 * restarts, it came up less than a minute ago (so that a crash loop between two looks is seen), or it stopped though it
 * is wanted. An instance that wasn't looked at closer has its creation as started_at, which is never too late, and
 * restarts 0.
 *
 * The functions here are pure; docker_observe() (in this file, too) does the asking. status_parse() stands in
 * listing.c.
 */

#include "providers/runtime/docker/verify.h"
#include "providers/runtime/runtime.h"

/* "Up 3 minutes (healthy)", "Up 2 hours (Paused)", "Exited (137) 5 seconds ago", "Restarting (1) …", "Created" */
struct status_text {
        enum health health;
        int64_t exit_code; /* of "Exited (n)" and "Restarting (n)"; else 0 */
        bool young;        /* up for less than about a minute */
};
struct status_text status_parse(const char *text);

/* One of our containers as the list shows it. */
struct sighting {
        struct instance instance; /* strings borrow from the entry or live in the arena */
        const json_t *entry;      /* borrowed: the element of the list */
        const json_t *spec;       /* the wanted specification that it was made from; NULL: none of the wanted */
        int64_t created_at;       /* seconds */
        bool look_closer;
        struct image_facts image;
        enum image_verdict image_verdict;
};

/*
 * The containers of @host in the answer to GET /containers/json. Entries without our labels, or that are not what the
 * API promises, are left out. FAULT_TRANSIENT when @list is no list.
 */
int observe_list(const json_t *list, const char *host, const struct workload *wanted, size_t n_wanted, struct arena *a,
                 struct sighting **ret, size_t *ret_n, struct fault *reterr);

/* Take over what GET /containers/<id>/json tells better. */
void observe_inspected(struct sighting *s, const json_t *inspect, struct arena *a);

/*
 * Did the container end with its engine? It was started before the engine was (@began, wall ms; 0: not known), and
 * ended when that came up, which ends what a killed engine left running and calls it exit code 0, or not long before,
 * as one that shuts down ends them first.
 */
bool observe_is_lost(const json_t *inspect, int64_t began);

/* The engine's word for a state; INSTANCE_DEAD when it is none that we know. */
enum instance_state observe_state(const char *word);

/* A mount of the specification's "files" whose source at the engine is not @files/<name>. */
bool observe_mount_is(const json_t *entry, const char *target, const char *source);
