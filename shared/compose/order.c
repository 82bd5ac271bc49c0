/* SPDX-License-Identifier: Apache-2.0 */

/* Services in the order they are brought up: depth first by name, so that the same file gives the same order */

#include "shared/compose/compose_private.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/buffer.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

enum mark { MARK_NEW, MARK_OPEN, MARK_DONE };

struct order {
        const struct compose_service *services; /* sorted by name */
        size_t n;
        enum mark *marks;
        size_t *path; /* the services being visited, outermost first */
        size_t depth;
        struct compose_service *out;
        size_t n_out;
        struct arena *arena;
        struct fault *reterr;
};

static int compare_services(const void *a, const void *b) {
        return strcmp(((const struct compose_service *)a)->name.text, ((const struct compose_service *)b)->name.text);
}

static int compare_depends(const void *a, const void *b) {
        const struct compose_depend *x = *(const struct compose_depend *const *)a,
                                    *y = *(const struct compose_depend *const *)b;

        return strcmp(x->service.text, y->service.text);
}

/* "web -> db -> web" */
static int fault_cycle(struct order *o, size_t service, const struct compose_depend *d) {
        own_buffer struct buffer text = BUFFER_INIT;
        size_t i = o->depth;

        while (i > 0 && o->path[i - 1] != service)
                i--;
        for (i = i > 0 ? i - 1 : 0; i < o->depth; i++)
                buffer_printf(&text, "%s -> ", o->services[o->path[i]].name.text);
        buffer_puts(&text, d->service.text);
        return fault_set_code_at(o->reterr, &d->service.at, REASON_LOAD_INVALID,
                                 "services depend on each other in a circle: %s", buffer_str(&text));
}

static int fault_unknown(struct order *o, const struct compose_depend *d) {
        const char **known = arena_array(o->arena, o->n + 1, sizeof(*known)), *closest;
        int r = fault_set_code_at(o->reterr, &d->service.at, REASON_LOAD_REFERENCE,
                                  "there is no service '%s' to depend on", d->service.text);

        for (size_t i = 0; i < o->n; i++)
                known[i] = o->services[i].name.text;
        closest = closest_name(d->service.text, known);
        if (closest)
                fault_hint(o->reterr, "did you mean '%s'?", closest);
        return r;
}

static int visit(struct order *o, size_t at);

static int visit_depend(struct order *o, const struct compose_depend *d) {
        struct compose_service key = { .name = d->service };
        const struct compose_service *found = bsearch(&key, o->services, o->n, sizeof(key), compare_services);
        size_t at;

        if (!found)
                return d->required ? fault_unknown(o, d) : 0;
        at = (size_t)(found - o->services);
        if (o->marks[at] == MARK_OPEN)
                return fault_cycle(o, at, d);
        return o->marks[at] == MARK_DONE ? 0 : visit(o, at);
}

/* As deep as the longest chain of dependencies, which LIMIT_SERVICES bounds. */
static int visit(struct order *o, size_t at) {
        const struct struct_list *list = &o->services[at].depends_on;
        const struct compose_depend *items = list->items, **sorted = arena_array(o->arena, list->n, sizeof(*sorted));

        o->marks[at] = MARK_OPEN;
        o->path[o->depth++] = at;
        for (size_t i = 0; i < list->n; i++)
                sorted[i] = &items[i];
        if (list->n > 1)
                qsort(sorted, list->n, sizeof(*sorted), compare_depends);
        for (size_t i = 0; i < list->n; i++) {
                int r;

                if (i > 0 && str_eq(sorted[i - 1]->service.text, sorted[i]->service.text))
                        return fault_set_code_at(o->reterr, &sorted[i]->service.at, REASON_LOAD_INVALID,
                                                 "'%s' stands here twice", sorted[i]->service.text);
                r = visit_depend(o, sorted[i]);
                if (r < 0)
                        return r;
        }
        o->depth--;
        o->marks[at] = MARK_DONE;
        o->out[o->n_out++] = o->services[at];
        return 0;
}

int compose_order(struct compose *c, struct arena *a, struct fault *reterr) {
        struct order o = {
                .services = c->services.items,
                .n = c->services.n,
                .marks = arena_array(a, c->services.n, sizeof(*o.marks)),
                .path = arena_array(a, c->services.n, sizeof(*o.path)),
                .out = arena_array(a, c->services.n, sizeof(*o.out)),
                .arena = a,
                .reterr = reterr,
        };

        if (o.n > 1)
                qsort(c->services.items, o.n, sizeof(*o.services), compare_services);
        for (size_t i = 0; i < o.n; i++)
                if (o.marks[i] == MARK_NEW) {
                        int r = visit(&o, i);
                        if (r < 0)
                                return r;
                }
        c->services.items = o.out;
        return 0;
}
