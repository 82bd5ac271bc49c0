/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/docker/verify.h"

#include <string.h>

#include "shared/base/text.h"
#include "shared/data/digest.h"
#include "shared/data/json.h"
#include "shared/model/image.h"

const char *verify_digest_of(const char *pinned) {
        const char *at = pinned ? strrchr(pinned, '@') : NULL;

        return at && digest_is_valid(at + 1) ? at + 1 : NULL;
}

static const char *reference_name(const char *text, struct arena *a) {
        own_fault struct fault ignored = FAULT_INIT;
        struct text_at at = { .text = text };
        struct image_ref ref;

        return image_parse(&at, a, &ref, &ignored) == 0 && ref.digest ? image_pinned(&ref, a) : NULL;
}

bool verify_same_reference(const char *x, const char *y) {
        own_arena struct arena *a = arena_new();
        const char *p, *q;

        if (!str_eq(verify_digest_of(x), verify_digest_of(y)))
                return false;
        p = reference_name(x, a);
        q = reference_name(y, a);
        return p && str_eq(p, q);
}

enum image_proof verify_image(const json_t *inspect, const char *pinned) {
        const char *id = json_get_string(inspect, "Id");
        size_t i;
        json_t *reference;

        if (!verify_digest_of(pinned) || !id)
                return IMAGE_PROOF_NONE;
        json_array_foreach(json_object_get(inspect, "RepoDigests"), i,
                           reference) if (json_is_string(reference) &&
                                          verify_same_reference(json_string_value(reference),
                                                                pinned)) return IMAGE_PROOF_REPO_DIGEST;
        return str_eq(id, verify_digest_of(pinned)) ? IMAGE_PROOF_TARGET : IMAGE_PROOF_NONE;
}

enum image_verdict verify_container(const struct image_facts *facts) {
        if (!facts->pinned || !facts->image_id)
                return IMAGE_DIFFERS;
        /*
         * ImageID is a digest of content: the one verified when the container was made still stands for the same bytes.
         */
        if (str_eq(facts->image_id, facts->label_image_id) && facts->label_image &&
            str_eq(facts->label_image, facts->pinned))
                return IMAGE_MATCHES;
        if (str_eq(facts->image_id, verify_digest_of(facts->pinned)))
                return IMAGE_MATCHES;
        return IMAGE_ASK;
}

bool verify_inspected(const struct image_facts *facts, const json_t *inspect) {
        return inspect && verify_image(inspect, facts->pinned) != IMAGE_PROOF_NONE &&
               str_eq(json_get_string(inspect, "Id"), facts->image_id);
}
