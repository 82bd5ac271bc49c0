/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Lock: tags become digests, once, when a release is made
 *
 * Works on a working tree of the desired state. Every service of apps/<app>'s compose file that needs a pin gets one in
 * environments/<env>/<app>.yaml, "repository:tag@sha256:…"; nothing that runs ever looks at the tag again. Where the
 * tag comes from: a SERVICE=REFERENCE argument; else, with arguments or --update, the release that is there (with
 * --update its tag is asked for anew, without it its digest stays); else the compose file, where a digest needs no pin.
 *
 * `on`, `source` and the comment at the top of the release stay; `created` and `by` say when and by whom the pins were
 * resolved. The version is the one given; else it stays while the tags stay; else it is the tag that all services
 * share.
 *
 * All or nothing: the file is replaced in one step after every tag was resolved, and left alone when nothing changes.
 */

#include "shared/data/digest.h"
#include "shared/data/table.h"
#include "shared/model/image.h"

struct lock_request {
        const char *folder; /* the working tree */
        const char *environment, *app;
        const char *version; /* NULL: see above */
        bool update;
        const char *const *pins; /* "service=reference", NULL-terminated; NULL: none */
        const char *by;          /* who resolves */
        int64_t now_ms;

        /* Required. What the reference's tag, or digest when it has one, is at the registry. */
        int (*resolve)(const struct image_ref *ref, struct digest *ret, void *userdata, struct fault *reterr);
        void *userdata;
};

struct lock_change {
        const char *service;
        const char *was, *now; /* references; NULL: there was none, it is gone */
};

struct lock_result {
        const char *path;        /* "environments/prod/shop.yaml" */
        const char *was_version; /* NULL: the release is new */
        const char *version;
        struct string_map images;   /* of the release, sorted by service */
        struct struct_list changes; /* struct lock_change, sorted by service */
        bool written;               /* false: the file says all this already */
};

/*
 * Strings live in @a. FAULT_CONFIG at its position for documents, arguments and a version that has to be given; what
 * resolve() says for the registry. On failure the tree is as it was.
 */
int lock_run(const struct lock_request *request, struct arena *a, struct lock_result *ret, struct fault *reterr);
