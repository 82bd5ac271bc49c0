/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pull: one image by digest, with progress
 *
 * POST /images/create answers with a stream of JSON objects, one a line: progress of each layer, and, though the status
 * was 200, errors. pull_stream_* reads it from pieces of any size; pull_image() drives it. Nothing is tried twice here.
 */

#include "providers/runtime/docker/engine.h"
#include "providers/runtime/runtime.h"

#define PULL_ERROR_MAX 1024

struct pull_layer {
        char id[80];
        int64_t done, total;
};

struct pull_stream {
        const char *subject;             /* for progress; borrowed */
        const struct progress *progress; /* NULL: none */
        struct buffer line;              /* of what came without a line end yet */
        struct pull_layer *layers;       /* owned */
        size_t n_layers;
        char error[PULL_ERROR_MAX]; /* the first error in the stream; "" when there was none */
};

void pull_stream_init(struct pull_stream *s, const char *subject, const struct progress *progress);
void pull_stream_done(struct pull_stream *s);
#define own_pull_stream __attribute__((cleanup(pull_stream_done)))

/* The sink of the transfer. 0, or non-zero when a line is longer than LIMIT_PULL_LINE or no JSON: s->error says so. */
int pull_stream_feed(const void *bytes, size_t size, void *stream);

/* Bytes of all layers seen so far. */
void pull_stream_sum(const struct pull_stream *s, int64_t *ret_done, int64_t *ret_total);

/*
 * Which IMAGE_… reason code an engine's error message stands for; REASON_IMAGE_PULL_FAILED when it is none of the
 * known.
 */
const char *pull_error_code(const char *message);

/*
 * Pull @pinned. @platform: "linux/arm64", NULL: the engine's. @auth: value of X-Registry-Auth, NULL: none.
 * FAULT_DENIED with IMAGE_AUTH; FAULT_TRANSIENT with IMAGE_NOT_FOUND, IMAGE_DIGEST_MISMATCH or IMAGE_PULL_FAILED.
 */
int pull_image(struct engine *e, const char *pinned, const char *platform, const char *auth,
               const struct progress *progress, struct fault *reterr);
