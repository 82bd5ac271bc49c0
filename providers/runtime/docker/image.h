/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Image: have the engine hold a pinned image, and know its id there. */

#include "providers/runtime/docker/engine.h"
#include "providers/runtime/runtime.h"

/* GET /images/<reference>/json. *ret is a new reference, NULL when the engine does not have it. */
int image_inspect(struct engine *e, const char *reference, json_t **ret, struct fault *reterr);

/*
 * The id that a container made from @pinned will report as its ImageID, once the engine proves that it holds just that
 * (verify.h); *ret_id NULL when it does not hold it. @ret_id is the caller's to free(). IMAGE_DIGEST_MISMATCH when
 * something else has that name.
 */
int image_find(struct engine *e, const char *pinned, char **ret_id, struct fault *reterr);

/* Pull @pinned unless it is held, and verify. @registry_config: Docker's config.json, NULL: no credentials. */
int image_ensure(struct engine *e, const char *pinned, const char *platform, const char *registry_config,
                 const struct progress *progress, char **ret_id, struct fault *reterr);
