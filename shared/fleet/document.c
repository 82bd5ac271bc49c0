/* SPDX-License-Identifier: Apache-2.0 */

/* The tables of the desired state's documents: Fleet, Host, Environment, Release. App's stands in document_app.c. */

#include "shared/fleet/fleet.h"

#define AT(type, member) .at = offsetof(struct type, member)
#define POSITION(type)   .position = offsetof(struct type, at) + 1

const char *const host_state_names[] = {
        [HOST_ACTIVE] = "active",
        [HOST_RETIRED] = "retired",
        [HOST_REVOKED] = "revoked",
        [HOST_STATE_MAX_] = NULL,
};

/*
 * Fleet
 */

static const struct field fleet_fields[] = {
        { .key = "name",
          .type = FIELD_STRING,
          AT(fleet, name),
          .flags = FIELD_REQUIRED,
          .format = "name",
          .doc = "What the fleet is called in status and evidence." },
        { .key = "description",
          .type = FIELD_STRING,
          AT(fleet, description),
          .flags = FIELD_OMIT,
          .doc = "For people." },
        { .key = NULL },
};

const struct table fleet_table = {
        .title = "Fleet",
        .kind = "Fleet",
        .size = sizeof(struct fleet),
        .fields = fleet_fields,
        .doc = "fleet.yaml: what holds for all hosts.",
};

/*
 * Host
 */

static const struct field host_fields[] = {
        { .key = "host",
          .type = FIELD_TEXT,
          AT(host, host),
          .flags = FIELD_REQUIRED,
          .format = "name",
          .doc = "The host's name, as the file's." },
        { .key = "environment",
          .type = FIELD_TEXT,
          AT(host, environment),
          .flags = FIELD_REQUIRED,
          .format = "name",
          .doc = "The environment whose releases it runs." },
        { .key = "labels",
          .type = FIELD_STRING_MAP,
          AT(host, labels),
          .flags = FIELD_OMIT,
          .doc = "What releases select hosts by." },
        { .key = "key",
          .type = FIELD_TEXT,
          AT(host, key),
          .flags = FIELD_OMIT,
          .format = "non-empty",
          .doc = "The host's public key, in OpenSSH form; its ledger is verified against it." },
        { .key = "state",
          .type = FIELD_ENUM,
          AT(host, state),
          .flags = FIELD_OMIT,
          .names = host_state_names,
          .doc = "Whether releases are addressed to it (active), it is gone (retired), or its key is not trusted (revoked)." },
        { .key = NULL },
};

const struct table host_table = {
        .title = "Host",
        .kind = "Host",
        .size = sizeof(struct host),
        .fields = host_fields,
        POSITION(host),
        .doc = "hosts/<host>.yaml: a host and where it belongs.",
};

/*
 * Environment
 */

static const struct field promotion_fields[] = {
        { .key = "from",
          .type = FIELD_TEXT,
          AT(promotion, from),
          .flags = FIELD_REQUIRED,
          .format = "name",
          .doc = "The environment that releases come from." },
        { .key = NULL },
};

static const struct table promotion_table = {
        .title = "Promotion",
        .size = sizeof(struct promotion),
        .fields = promotion_fields,
        .doc = "Where releases come from.",
};

static const struct field environment_fields[] = {
        { .key = "environment",
          .type = FIELD_TEXT,
          AT(environment, environment),
          .flags = FIELD_REQUIRED,
          .format = "name",
          .doc = "The environment's name, as the folder's." },
        { .key = "order",
          .type = FIELD_INTEGER,
          AT(environment, order),
          .flags = FIELD_OMIT,
          .minimum = 0,
          .maximum = 1000000,
          .doc = "Its place among the environments, lowest first." },
        { .key = "promotion",
          .type = FIELD_STRUCT_PTR,
          AT(environment, promotion),
          .flags = FIELD_OMIT,
          .sub = &promotion_table,
          .doc = "Where its releases come from." },
        { .key = "variables",
          .type = FIELD_STRING_MAP,
          AT(environment, variables),
          .flags = FIELD_OMIT,
          .doc = "Variables for the compose files of this environment; they win over an app's .env." },
        { .key = NULL },
};

const struct table environment_table = {
        .title = "Environment",
        .kind = "Environment",
        .size = sizeof(struct environment),
        .fields = environment_fields,
        POSITION(environment),
        .doc = "environments/<env>/environment.yaml: what holds for one environment.",
};

/*
 * Release
 */

static const struct field source_fields[] = {
        { .key = "repository",
          .type = FIELD_STRING,
          AT(release_source, repository),
          .flags = FIELD_OMIT,
          .doc = "Where the source is." },
        { .key = "commit",
          .type = FIELD_STRING,
          AT(release_source, commit),
          .flags = FIELD_OMIT,
          .doc = "The commit that was built." },
        { .key = "branch",
          .type = FIELD_STRING,
          AT(release_source, branch),
          .flags = FIELD_OMIT,
          .doc = "The branch it was on." },
        { .key = "build",
          .type = FIELD_STRING,
          AT(release_source, build),
          .flags = FIELD_OMIT | FIELD_SCALAR,
          .doc = "Number or address of the build." },
        { .key = "pipeline",
          .type = FIELD_STRING,
          AT(release_source, pipeline),
          .flags = FIELD_OMIT | FIELD_SCALAR,
          .doc = "What built it." },
        { .key = NULL },
};

static const struct table source_table = {
        .title = "Source",
        .size = sizeof(struct release_source),
        .fields = source_fields,
        .doc = "What a release was built from.",
};

static const struct field release_fields[] = {
        { .key = "app",
          .type = FIELD_TEXT,
          AT(release, app),
          .flags = FIELD_REQUIRED,
          .format = "name",
          .doc = "The app, as the file's name." },
        { .key = "version",
          .type = FIELD_TEXT,
          AT(release, version),
          .flags = FIELD_REQUIRED,
          .format = "non-empty",
          .doc = "What people call the release; put it in quotes." },
        { .key = "images",
          .type = FIELD_STRING_MAP,
          AT(release, images),
          .flags = FIELD_OMIT,
          .format = "image",
          .doc = "The pins: service: repository@sha256:…; a tag beside the digest is a comment." },
        { .key = "on",
          .type = FIELD_STRING_MAP,
          AT(release, on),
          .flags = FIELD_OMIT,
          .doc = "Labels that a host must have; default: every host of the environment." },
        { .key = "source",
          .type = FIELD_STRUCT_PTR,
          AT(release, source),
          .flags = FIELD_OMIT,
          .sub = &source_table,
          .doc = "What it was built from." },
        { .key = "created",
          .type = FIELD_STRING,
          AT(release, created),
          .flags = FIELD_OMIT,
          .doc = "When the pins were resolved (RFC 3339)." },
        { .key = "by", .type = FIELD_STRING, AT(release, by), .flags = FIELD_OMIT, .doc = "Who resolved them." },
        { .key = NULL },
};

const struct table release_table = {
        .title = "Release",
        .kind = "Release",
        .size = sizeof(struct release),
        .fields = release_fields,
        POSITION(release),
        .doc = "environments/<env>/<app>.yaml: what an environment runs of an app.",
};

const struct table *const fleet_tables[] = {
        &fleet_table, &host_table, &environment_table, &app_table, &release_table, NULL,
};
