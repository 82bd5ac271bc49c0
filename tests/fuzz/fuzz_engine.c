/* SPDX-License-Identifier: Apache-2.0 */

/* What an engine may answer: lists, inspections of containers and images, the stream of a pull. */

#include <stddef.h>
#include <stdint.h>

#include "providers/runtime/docker/engine.h"
#include "providers/runtime/docker/observe.h"
#include "providers/runtime/docker/pull.h"
#include "providers/runtime/docker/fingerprint.h"
#include "shared/data/json.h"

#define PINNED "127.0.0.1:25000/shop/web@sha256:4788eb01ee2b55208319c560dcd3716150ee53342241148556ffc656c6dc3f1a"
#define SPEC   "sha256:1111111111111111111111111111111111111111111111111111111111111111"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_stream(const uint8_t *data, size_t size) {
        own_pull_stream struct pull_stream s;
        int64_t done, total;

        pull_stream_init(&s, "subject", NULL);
        /* In two pieces: a line may end anywhere. */
        if (pull_stream_feed(data, size / 2, &s) == 0)
                (void)pull_stream_feed(data + size / 2, size - size / 2, &s);
        pull_stream_sum(&s, &done, &total);
        (void)pull_error_code(s.error);
}

static void as_list(const json_t *json) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        own_json json_t *spec = json_pack("{s[{ss}]}", "networks", "name", "n1");
        struct workload_service service = { .name = "web", .image = PINNED, .spec_digest = SPEC, .spec = spec };
        const struct workload wanted = { .app = "shop", .services = { .items = &service, .n = 1 } };
        struct sighting *seen;
        struct digest digest;
        size_t n = 0;

        (void)docker_listing_fingerprint(json, &digest);
        if (observe_list(json, "web1", &wanted, 1, a, &seen, &n, &fault) < 0)
                return;
        for (size_t i = 0; i < n; i++) {
                (void)observe_mount_is(seen[i].entry, "/t", "/tmp");
                (void)verify_inspected(&seen[i].image, json);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT, refused = FAULT_INIT;
        own_engine_reply struct engine_reply reply = { .status = 500 };
        struct sighting s = { .created_at = 0 };

        as_stream(data, size);
        if (engine_parse(reply.status, data, size, &reply.json, &fault) < 0)
                return 0;
        (void)engine_refused(&reply, NULL, "it", &refused);
        (void)verify_image(reply.json, PINNED);
        observe_inspected(&s, reply.json, a);
        as_list(reply.json);
        return 0;
}
