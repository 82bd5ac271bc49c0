/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Release id: what names a release everywhere
 *
 * "sha256:" and the SHA-256 of the canonical JSON (RFC 8785) of
 *
 *      { "app": "shop",
 *        "version": "1.4.2",
 *        "images": { "<service>": "<registry>/<repository>@sha256:<hex>", … },
 *        "files": { "<path from apps/<app>/>": "<SHA-256 of the file, 64 hex digits>", … } }
 *
 * with every service of the compose file under images (without tag; Docker Hub's short names written out, as
 * image_pinned() gives them) and every file under apps/<app>/ under files. This format is fixed.
 */

#include "shared/compose/compose.h"

/* @c has its images pinned. */
struct digest release_id(const char *app, const char *version, const struct compose *c, const struct app_files *files);
