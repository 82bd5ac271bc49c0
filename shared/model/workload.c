/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/workload.h"

#include "shared/base/text.h"

const char *const depend_condition_names[] = {
        [DEPEND_STARTED] = "service_started",
        [DEPEND_HEALTHY] = "service_healthy",
        [DEPEND_COMPLETED] = "service_completed_successfully",
        [DEPEND_CONDITION_MAX_] = NULL,
};

const char *const service_role_names[] = {
        [ROLE_PRIMARY] = "primary", [ROLE_INIT] = "init", [ROLE_MIGRATION] = "migration",
        [ROLE_SIDECAR] = "sidecar", [ROLE_HOOK] = "hook", [ROLE_MAX_] = NULL,
};

#define AT(type, member) .at = offsetof(struct type, member)

static const struct field depend_fields[] = {
        { .key = "service",
          .type = FIELD_STRING,
          AT(depend, service),
          .flags = FIELD_REQUIRED,
          .doc = "The service that must come first." },
        { .key = "condition",
          .type = FIELD_ENUM,
          AT(depend, condition),
          .names = depend_condition_names,
          .doc = "What must be true of it." },
        { .key = "required",
          .type = FIELD_BOOL,
          AT(depend, required),
          .absent = true,
          .doc = "Whether its failure stops this service." },
        { .key = NULL },
};

const struct table depend_table = {
        .title = "Dependency",
        .size = sizeof(struct depend),
        .fields = depend_fields,
        .doc = "A service that another one waits for.",
};

static const struct field workload_service_fields[] = {
        { .key = "name",
          .type = FIELD_STRING,
          AT(workload_service, name),
          .flags = FIELD_REQUIRED,
          .doc = "The service." },
        { .key = "image",
          .type = FIELD_STRING,
          AT(workload_service, image),
          .flags = FIELD_REQUIRED,
          .doc = "The pinned image: repository@digest." },
        { .key = "spec",
          .type = FIELD_STRING,
          AT(workload_service, spec_digest),
          .flags = FIELD_REQUIRED,
          .format = "digest",
          .doc = "SHA-256 of the specification that its instances are made from." },
        { .key = "replicas",
          .type = FIELD_INTEGER,
          AT(workload_service, replicas),
          .absent = 1,
          .doc = "How many instances are wanted." },
        { .key = "role",
          .type = FIELD_ENUM,
          AT(workload_service, role),
          .flags = FIELD_OMIT,
          .names = service_role_names,
          .doc = "What it is for." },
        { .key = "depends_on",
          .type = FIELD_STRUCT_LIST,
          AT(workload_service, depends_on),
          .sub = &depend_table,
          .doc = "What must come first." },
        { .key = "health_checked",
          .type = FIELD_BOOL,
          AT(workload_service, health_checked),
          .doc = "Whether its specification has a health check." },
        { .key = "exclusive",
          .type = FIELD_BOOL,
          AT(workload_service, exclusive),
          .doc = "Whether it cannot run beside its predecessor." },
        { .key = "why_exclusive",
          .type = FIELD_STRING,
          AT(workload_service, why_exclusive),
          .flags = FIELD_OMIT,
          .doc = "Why not, for people." },
        { .key = "stop_grace",
          .type = FIELD_DURATION,
          AT(workload_service, stop_grace_ms),
          .absent = 10000,
          .doc = "How long it may take to stop." },
        { .key = NULL },
};

const struct table workload_service_table = {
        .title = "WorkloadService",
        .size = sizeof(struct workload_service),
        .fields = workload_service_fields,
        .doc = "One service: instances made from one specification.",
};

static const struct field workload_fields[] = {
        { .key = "app", .type = FIELD_STRING, AT(workload, app), .flags = FIELD_REQUIRED, .doc = "The app." },
        { .key = "release",
          .type = FIELD_STRING,
          AT(workload, release),
          .flags = FIELD_REQUIRED,
          .format = "digest",
          .doc = "The release id." },
        { .key = "version",
          .type = FIELD_STRING,
          AT(workload, version),
          .flags = FIELD_REQUIRED,
          .doc = "What people call the release." },
        { .key = "runtime",
          .type = FIELD_STRING,
          AT(workload, runtime),
          .flags = FIELD_REQUIRED,
          .doc = "The runtime that runs it." },
        { .key = "services",
          .type = FIELD_STRUCT_LIST,
          AT(workload, services),
          .sub = &workload_service_table,
          .doc = "The services, each after those it depends on." },
        { .key = "traffic",
          .type = FIELD_STRUCT_PTR,
          AT(workload, traffic),
          .flags = FIELD_OMIT,
          .sub = &traffic_table,
          .doc = "The router that carries its requests." },
        { .key = "artifact",
          .type = FIELD_STRING,
          AT(workload, artifact_digest),
          .flags = FIELD_OMIT,
          .doc = "SHA-256 of the immutable artifact." },
        { .key = NULL },
};

const struct table workload_table = {
        .title = "Workload",
        .size = sizeof(struct workload),
        .fields = workload_fields,
        .doc = "An app as a runtime runs it.",
};

const struct workload_service *workload_find(const struct workload *w, const char *service) {
        const struct workload_service *items = w->services.items;

        for (size_t i = 0; i < w->services.n; i++)
                if (str_eq(items[i].name, service))
                        return &items[i];
        return NULL;
}
