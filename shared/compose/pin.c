/* SPDX-License-Identifier: Apache-2.0 */

/* Pins: every service runs one digest, its own or the release's */

#include "shared/compose/compose.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/compose/compose_private.h"

static int compare_services(const void *a, const void *b) {
        const struct compose_service *x = *(const struct compose_service *const *)a,
                                     *y = *(const struct compose_service *const *)b;

        return strcmp(x->name.text, y->name.text);
}

static int fault_unknown(const struct text_at *key, struct compose_service *const *services, size_t n, struct arena *a,
                         struct fault *reterr) {
        const char **known = arena_array(a, n + 1, sizeof(*known)), *closest;
        int r = fault_set_code_at(reterr, &key->at, REASON_LOAD_REFERENCE, "the compose file has no service '%s'",
                                  key->text);

        for (size_t i = 0; i < n; i++)
                known[i] = services[i]->name.text;
        closest = closest_name(key->text, known);
        if (closest)
                fault_hint(reterr, "did you mean '%s'?", closest);
        return r;
}

static int pin(struct compose_service *s, const struct text_at *reference, struct arena *a, struct fault *reterr) {
        struct image_ref ref;
        int r = image_parse(reference, a, &ref, reterr);

        if (r < 0)
                return r;
        r = image_require_digest(&ref, s->name.text, reterr);
        if (r < 0)
                return r;
        s->ref = ref;
        return 0;
}

static int apply_pins(struct compose_service **sorted, size_t n, const struct string_map *pins, struct arena *a,
                      struct fault *reterr) {
        for (size_t i = 0; i < pins->n; i++) {
                const struct compose_service wanted = { .name = pins->items[i].key }, *key = &wanted;
                struct compose_service **found = bsearch(&key, sorted, n, sizeof(key), compare_services);
                int r;

                if (!found)
                        return fault_unknown(&pins->items[i].key, sorted, n, a, reterr);
                r = pin(*found, &pins->items[i].value, a, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int require_digest(struct compose_service *s, struct arena *a, struct fault *reterr) {
        int r;

        if (!s->ref.registry) {
                r = fault_set_code_at(reterr, &s->at, REASON_LOAD_TAG_ONLY,
                                      "service '%s' has no image, and the release pins none for it", s->name.text);
                fault_hint(reterr, "write `image` here, or `%s: repository@sha256:…` under `images` of the release",
                           s->name.text);
                return r;
        }
        r = image_require_digest(&s->ref, s->name.text, reterr);
        if (r == 0)
                s->pinned = image_pinned(&s->ref, a);
        return r;
}

int compose_pin(struct compose *c, const struct string_map *pins, struct arena *a, struct fault *reterr) {
        struct compose_service *services = c->services.items, **sorted = arena_array(a, c->services.n, sizeof(*sorted));
        int r = 0;

        for (size_t i = 0; i < c->services.n; i++)
                sorted[i] = &services[i];
        if (c->services.n > 1)
                qsort(sorted, c->services.n, sizeof(*sorted), compare_services);
        if (pins)
                r = apply_pins(sorted, c->services.n, pins, a, reterr);
        /* In the order of the file, so that the first mistake in it is the one that is told. */
        for (size_t i = 0; r == 0 && i < c->services.n; i++)
                r = require_digest(&services[i], a, reterr);
        return r;
}
