/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/docker/image.h"

#include <string.h>

#include "providers/runtime/docker/auth.h"
#include "providers/runtime/docker/pull.h"
#include "providers/runtime/docker/verify.h"
#include "shared/base/arena.h"
#include "shared/base/reason.h"
#include "shared/data/json.h"
#include "shared/model/image.h"
#include "shared/net/http.h"

int image_inspect(struct engine *e, const char *reference, json_t **ret, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_buffer struct buffer path = BUFFER_INIT;
        int r;

        buffer_puts(&path, "/images/");
        http_escape(&path, reference, true);
        buffer_puts(&path, "/json");
        r = engine_get(e, buffer_str(&path), &reply, reterr);
        if (r < 0)
                return r;
        if (reply.status == 404) {
                *ret = NULL;
                return 0;
        }
        if (!engine_reply_is_ok(&reply))
                return engine_refused(&reply, NULL, reference, reterr);
        *ret = take(reply.json);
        return 0;
}

int image_find(struct engine *e, const char *pinned, char **ret_id, struct fault *reterr) {
        own_json json_t *inspect = NULL;
        const char *id;
        int r;

        r = image_inspect(e, pinned, &inspect, reterr);
        if (r < 0)
                return r;
        if (!inspect) {
                *ret_id = NULL;
                return 0;
        }
        id = json_get_string(inspect, "Id");
        if (verify_image(inspect, pinned) == IMAGE_PROOF_NONE)
                return fault_set_code(reterr, FAULT_DENIED, REASON_IMAGE_DIGEST_MISMATCH,
                                      "the engine answers for %s with image %s, which does not carry that digest",
                                      pinned, id ? id : "?");
        *ret_id = strdup(id);
        return *ret_id ? 0 : fault_set_oom(reterr);
}

/* A frequent mix-up: `docker images` shows ids, which are no digests that a registry knows. */
static void hint_of_id(struct engine *e, const char *pinned, struct fault *reterr) {
        own_fault struct fault ignored = FAULT_INIT;
        own_json json_t *inspect = NULL;

        if (reterr->code == REASON_IMAGE_NOT_FOUND &&
            image_inspect(e, verify_digest_of(pinned), &inspect, &ignored) == 0 && inspect) {
                free(reterr->hint);
                reterr->hint = NULL;
                fault_hint(reterr, "this is the id of an image here, not the digest of its manifest: "
                                   "see RepoDigests of `docker image inspect`");
        }
}

int image_ensure(struct engine *e, const char *pinned, const char *platform, const char *registry_config,
                 const struct progress *progress, char **ret_id, struct fault *reterr) {
        own_arena struct arena *a = arena_new();
        own_secret struct buffer auth = BUFFER_INIT;
        struct text_at text = { .text = pinned };
        struct image_ref ref;
        own_free char *id = NULL;
        int r;

        r = image_find(e, pinned, &id, reterr);
        if (r < 0)
                return r;
        if (!id) {
                r = image_parse(&text, a, &ref, reterr);
                if (r == 0)
                        r = auth_header(registry_config, ref.registry, &auth, reterr);
                if (r < 0)
                        return r;
                r = pull_image(e, pinned, platform, auth.size > 0 ? buffer_str(&auth) : NULL, progress, reterr);
                if (r < 0) {
                        hint_of_id(e, pinned, reterr);
                        return r;
                }
                r = image_find(e, pinned, &id, reterr);
                if (r < 0)
                        return r;
        }
        if (!id)
                return fault_set_code(reterr, FAULT_DENIED, REASON_IMAGE_DIGEST_MISMATCH,
                                      "%s was pulled, but the engine does not know it by its digest", pinned);
        *ret_id = take(id);
        return 0;
}
