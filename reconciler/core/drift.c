/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/core/drift.h"

#include "shared/base/reason.h"
#include "shared/base/text.h"

static int compare_services(const void *x, const void *y) {
        const struct workload_service *const *left = x, *const *right = y;

        return strcmp((*left)->name, (*right)->name);
}

struct workload_index *workload_index_new(const struct workload *w, const struct struct_list *instances,
                                          struct arena *a) {
        struct workload_index *l = arena_new_of(a, struct workload_index);
        const struct workload_service *services = w->services.items;

        l->workload = w;
        l->instances = instances;
        l->by_name = arena_array(a, w->services.n, sizeof(*l->by_name));
        l->job = arena_array(a, w->services.n, sizeof(*l->job));
        for (size_t s = 0; s < w->services.n; s++)
                l->by_name[s] = &services[s];
        if (w->services.n > 1)
                qsort(l->by_name, w->services.n, sizeof(*l->by_name), compare_services);

        for (size_t s = 0; s < w->services.n; s++) {
                const struct depend *depends = services[s].depends_on.items;

                if (service_runs_once(&services[s]))
                        l->job[s] = true;
                for (size_t d = 0; d < services[s].depends_on.n; d++) {
                        const struct workload_service *on = workload_index_service(l, depends[d].service);

                        if (on && depends[d].condition == DEPEND_COMPLETED)
                                l->job[on - services] = true;
                }
        }
        return l;
}

const struct workload_service *workload_index_service(const struct workload_index *l, const char *name) {
        const struct workload_service key = { .name = name ? name : "" }, *key_ptr = &key;
        const struct workload_service **found = NULL;

        if (l->workload->services.n > 0)
                found = bsearch(&key_ptr, l->by_name, l->workload->services.n, sizeof(*l->by_name), compare_services);
        return found ? *found : NULL;
}

bool workload_index_is_job(const struct workload_index *l, const struct workload_service *service) {
        return l->job[service - (const struct workload_service *)l->workload->services.items];
}

/* The first instance whose service is not before @service (or, with @after, is behind it). */
static const struct instance *bound(const struct struct_list *instances, const char *service, bool after) {
        const struct instance *items = instances->items;
        size_t low = 0, high = instances->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = strcmp(items[middle].service ? items[middle].service : "", service);

                if (order < 0 || (after && order == 0))
                        low = middle + 1;
                else
                        high = middle;
        }
        return items ? items + low : NULL;
}

void workload_index_range(const struct workload_index *l, const char *service, const struct instance **ret_first,
                          const struct instance **ret_end) {
        *ret_first = bound(l->instances, service, false);
        *ret_end = bound(l->instances, service, true);
}

bool instance_has_completed(const struct instance *i) {
        return i->state == INSTANCE_EXITED && i->exit_code == 0 && !i->lost;
}

bool instance_is_up(const struct instance *i, bool job) {
        return i->state == INSTANCE_RUNNING || (job && instance_has_completed(i));
}

bool instance_is_healthy(const struct instance *i, bool job) {
        if (job)
                return instance_has_completed(i);
        return i->state == INSTANCE_RUNNING && (i->health == HEALTH_NONE || i->health == HEALTH_HEALTHY);
}

bool instance_has_failed(const struct instance *i, bool job) {
        if (i->state == INSTANCE_EXITED)
                return !i->lost && !(job && instance_has_completed(i));
        return i->state == INSTANCE_DEAD || i->restarts >= CRASH_LOOP_RESTARTS;
}

const struct instance *workload_index_instance(const struct workload_index *l, const struct workload_service *service,
                                               int64_t index) {
        const struct instance *first, *end, *best = NULL;

        workload_index_range(l, service->name, &first, &end);
        for (const struct instance *i = first; i < end; i++) {
                if (!str_eq(i->spec, service->spec_digest) || i->index != index || i->state == INSTANCE_REMOVING)
                        continue;
                if (!best || (best->state != INSTANCE_RUNNING && i->state == INSTANCE_RUNNING))
                        best = i;
        }
        return best;
}

bool workload_index_is_wanted(const struct workload_index *l, const struct instance *i) {
        const struct workload_service *service = workload_index_service(l, i->service);

        return service && service->role != ROLE_HOOK && i->index >= 1 && i->index <= service->replicas &&
               workload_index_instance(l, service, i->index) == i;
}

/* "a, b and 3 more" of a list of names. */
static const char *list_names(const struct string_list *list, struct arena *a) {
        if (list->n == 1)
                return list->items[0].text;
        if (list->n == 2)
                return arena_printf(a, "%s, %s", list->items[0].text, list->items[1].text);
        return arena_printf(a, "%s, %s and %zu more", list->items[0].text, list->items[1].text, list->n - 2);
}

const char *instance_drift(const struct instance *i, bool job, struct arena *a, const char **ret_detail) {
        if (!i->image_matches) {
                *ret_detail = arena_printf(a, "%s runs image %s, not the one pinned as %s", i->name,
                                           i->image_id ? i->image_id : "(unknown)", i->image ? i->image : "(unknown)");
                return REASON_DRIFT_IMAGE;
        }
        if (i->files_changed.n > 0) {
                *ret_detail = arena_printf(a, "%s: changed on the host: %s", i->name, list_names(&i->files_changed, a));
                return REASON_DRIFT_FILE;
        }
        if (i->networks_missing.n > 0 && i->state == INSTANCE_RUNNING) {
                *ret_detail = arena_printf(a, "%s is detached from %s", i->name, list_names(&i->networks_missing, a));
                return REASON_DRIFT_NETWORK;
        }
        if (!instance_is_up(i, job)) {
                *ret_detail = arena_printf(a, "%s is %s (exit code %lld)", i->name, instance_state_names[i->state],
                                           (long long)i->exit_code);
                return REASON_DRIFT_STOPPED;
        }
        if (i->health == HEALTH_UNHEALTHY) {
                *ret_detail = arena_printf(a, "%s is unhealthy", i->name);
                return REASON_DRIFT_UNHEALTHY;
        }
        return NULL;
}

static void add(struct struct_list *list, struct arena *a, const char *service, int64_t index, const struct instance *i,
                const char *code, const char *detail) {
        struct drift *d = arena_push(a, &list->items, &list->n, sizeof(struct drift));

        d->service = service;
        d->index = index;
        d->instance = i ? i->id : NULL;
        d->code = code;
        d->detail = detail;
}

static bool has_other_spec(const struct workload_index *l, const struct workload_service *service) {
        const struct instance *first, *end;

        workload_index_range(l, service->name, &first, &end);
        for (const struct instance *i = first; i < end; i++)
                if (!str_eq(i->spec, service->spec_digest))
                        return true;
        return false;
}

static void find_in_service(const struct workload_index *l, const struct workload_service *service, struct arena *a,
                            struct struct_list *ret) {
        bool job = workload_index_is_job(l, service);

        /* What ran to its end before the primaries has done its work, and is not missed. */
        if (service_runs_once(service))
                return;
        for (int64_t index = 1; index <= service->replicas; index++) {
                const struct instance *i = workload_index_instance(l, service, index);
                const char *detail = NULL, *code;

                if (i) {
                        code = instance_drift(i, job, a, &detail);
                        if (code)
                                add(ret, a, service->name, index, i, code, detail);
                } else if (has_other_spec(l, service)) {
                        add(ret, a, service->name, index, NULL, REASON_DRIFT_SPEC,
                            arena_printf(a, "%s runs from another specification", service->name));
                } else {
                        add(ret, a, service->name, index, NULL, REASON_DRIFT_MISSING,
                            arena_printf(a, "%s, replica %lld, is not there", service->name, (long long)index));
                }
        }
}

void drift_find(const struct workload_index *l, struct arena *a, struct struct_list *ret) {
        const struct workload_service *services = l->workload->services.items;
        const struct instance *items = l->instances->items;

        for (size_t s = 0; s < l->workload->services.n; s++)
                find_in_service(l, &services[s], a, ret);

        for (size_t i = 0; i < l->instances->n; i++)
                if (!workload_index_is_wanted(l, &items[i]))
                        add(ret, a, items[i].service, items[i].index, &items[i], REASON_DRIFT_EXTRA,
                            arena_printf(a, "nothing declares %s", items[i].name));
}

enum health workload_index_health(const struct workload_index *l, bool coming) {
        static const int rank[HEALTH_MAX_] = {
                [HEALTH_NONE] = 0,
                [HEALTH_HEALTHY] = 1,
                [HEALTH_STARTING] = 2,
                [HEALTH_UNHEALTHY] = 3,
        };
        const struct workload_service *services = l->workload->services.items;
        enum health worst = HEALTH_NONE;

        for (size_t s = 0; s < l->workload->services.n; s++)
                for (int64_t index = 1; index <= services[s].replicas && !service_runs_once(&services[s]); index++) {
                        const struct instance *i = workload_index_instance(l, &services[s], index);
                        enum health health = i ? i->health : HEALTH_UNHEALTHY;

                        if (coming && (!i || i->state == INSTANCE_CREATED))
                                continue;
                        if (i && !instance_is_up(i, workload_index_is_job(l, &services[s])))
                                health = HEALTH_UNHEALTHY;
                        if (rank[health] > rank[worst])
                                worst = health;
                }
        return worst;
}
