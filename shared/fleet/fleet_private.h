/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Fleet, inside: documents by their paths (path.c), and what they must say about each other (check.c). */

#include "shared/base/limits.h"
#include "shared/fleet/fleet.h"

enum fleet_place {
        PLACE_NONE,        /* nothing of ours */
        PLACE_FLEET,       /* fleet.yaml */
        PLACE_HOST,        /* hosts/<name>.yaml */
        PLACE_ENVIRONMENT, /* environments/<folder>/environment.yaml */
        PLACE_RELEASE,     /* environments/<folder>/<name>.yaml */
        PLACE_APP,         /* apps/<folder>/app.yaml */
        PLACE_APP_FILE,    /* apps/<folder>/… */
        PLACE_MISNAMED,    /* where a document stands, but with a name that is none: hosts/web1.yml, hosts/Web1.yaml */
        PLACE_MAX_,
};

struct fleet_path {
        enum fleet_place place;
        char folder[LIMIT_NAME_BYTES + 1];
        char name[LIMIT_NAME_BYTES + 1];
};

struct fleet_path fleet_path_read(const char *path);

/*
 * What an app.yaml did not say, or all of it where there is none: defaults, names of checks. Names are unique
 * afterwards.
 */
int app_complete(struct app *app, struct arena *a, struct fault *reterr);

/* Services that app.yaml names are there, and those that steps run are hooks. FAULT_CONFIG at their position. */
int deployment_check(const struct deployment *d, struct fault *reterr);

/*
 * FAULT_CONFIG/ROLLOUT_EXCLUSIVE at the line of the compose file that keeps a primary service from running beside its
 * predecessor, when the strategy needs that.
 */
int deployment_check_exclusive(const struct deployment *d, struct fault *reterr);

/* After everything was read and sorted. Sets release.of. */
int fleet_check_documents(struct fleet *f, struct fault *reterr);
