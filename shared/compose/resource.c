/* SPDX-License-Identifier: Apache-2.0 */

/* The networks and volumes that services use, by name, with their names at the engine */

#include "shared/compose/compose_private.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"

static int compare_networks(const void *a, const void *b) {
        return strcmp(((const struct network_draft *)a)->key.text, ((const struct network_draft *)b)->key.text);
}

static int compare_volumes(const void *a, const void *b) {
        return strcmp(((const struct volume_draft *)a)->key.text, ((const struct volume_draft *)b)->key.text);
}

/* Everything declared, sorted by key, and which of it is used. */
struct declared {
        struct struct_list list;
        bool *used;
};

static const char *name_of(const struct compose_context *x, const char *name, bool external, const char *key) {
        if (name)
                return name;
        return external ? key : arena_printf(x->arena, "%s_%s", x->compose->project, key);
}

static int fault_undeclared(const struct source_pos *at, const char *kind, const char *key, struct fault *reterr) {
        int r = fault_set_code_at(reterr, at, REASON_LOAD_REFERENCE, "there is no %s '%s'", kind, key);

        fault_hint(reterr, "declare it under the top-level '%ss'", kind);
        return r;
}

/*
 * Networks
 */

static struct declared declare_networks(const struct compose_context *x) {
        struct declared d = { .list = x->draft->networks };
        struct network_draft *items = d.list.items, *more;
        bool has_default = false;

        for (size_t i = 0; i < d.list.n; i++)
                has_default = has_default || str_eq(items[i].key.text, "default");
        if (!has_default) {
                more = arena_array(x->arena, d.list.n + 1, sizeof(*more));
                if (d.list.n > 0)
                        memcpy(more, items, d.list.n * sizeof(*more));
                more[d.list.n].key = (struct text_at){ .text = "default", .at = x->draft->at };
                d.list = (struct struct_list){ .items = more, .n = d.list.n + 1 };
        }
        qsort(d.list.items, d.list.n, sizeof(struct network_draft), compare_networks);
        d.used = arena_array(x->arena, d.list.n, sizeof(*d.used));
        return d;
}

static int use_networks(const struct compose_service *s, struct declared *d, struct fault *reterr) {
        const struct compose_attachment *attachments = s->networks.items;
        const struct network_draft *items = d->list.items;

        for (size_t i = 0; i < s->networks.n; i++) {
                struct network_draft key = { .key.text = attachments[i].network };
                const struct network_draft *found = bsearch(&key, items, d->list.n, sizeof(*items), compare_networks);

                if (!found)
                        return fault_undeclared(&attachments[i].at, "network", attachments[i].network, reterr);
                d->used[found - items] = true;
        }
        return 0;
}

static void put_networks(const struct compose_context *x, const struct declared *d) {
        const struct network_draft *items = d->list.items;
        struct struct_list *out = &x->compose->networks;

        for (size_t i = 0; i < d->list.n; i++) {
                struct compose_network *n;

                if (!d->used[i])
                        continue;
                n = arena_push(x->arena, &out->items, &out->n, sizeof(*n));
                *n = items[i].n;
                n->key = items[i].key.text;
                n->at = items[i].key.at;
                n->name = name_of(x, n->name, n->external, n->key);
        }
}

/*
 * Volumes
 */

static struct declared declare_volumes(const struct compose_context *x) {
        struct declared d = { .list = x->draft->volumes };

        if (d.list.n > 1)
                qsort(d.list.items, d.list.n, sizeof(struct volume_draft), compare_volumes);
        d.used = arena_array(x->arena, d.list.n, sizeof(*d.used));
        return d;
}

static int use_volumes(const struct compose_service *s, struct declared *d, struct fault *reterr) {
        const struct compose_mount *mounts = s->mounts.items;
        const struct volume_draft *items = d->list.items;

        for (size_t i = 0; i < s->mounts.n; i++) {
                struct volume_draft key = { .key.text = mounts[i].source };
                const struct volume_draft *found;

                if (mounts[i].type != MOUNT_VOLUME || !mounts[i].source)
                        continue;
                found = d->list.n ? bsearch(&key, items, d->list.n, sizeof(*items), compare_volumes) : NULL;
                if (!found)
                        return fault_undeclared(&mounts[i].at, "volume", mounts[i].source, reterr);
                d->used[found - items] = true;
        }
        return 0;
}

static void put_volumes(const struct compose_context *x, const struct declared *d) {
        const struct volume_draft *items = d->list.items;
        struct struct_list *out = &x->compose->volumes;

        for (size_t i = 0; i < d->list.n; i++) {
                struct compose_volume *v;

                if (!d->used[i])
                        continue;
                v = arena_push(x->arena, &out->items, &out->n, sizeof(*v));
                *v = items[i].v;
                v->key = items[i].key.text;
                v->at = items[i].key.at;
                v->name = name_of(x, v->name, v->external, v->key);
        }
}

int compose_resolve_resources(const struct compose_context *x, struct fault *reterr) {
        struct declared networks = declare_networks(x), volumes = declare_volumes(x);
        const struct compose_service *services = x->compose->services.items;

        for (size_t i = 0; i < x->compose->services.n; i++) {
                int r = use_networks(&services[i], &networks, reterr);
                if (r < 0)
                        return r;
                r = use_volumes(&services[i], &volumes, reterr);
                if (r < 0)
                        return r;
        }
        put_networks(x, &networks);
        put_volumes(x, &volumes);
        return 0;
}
