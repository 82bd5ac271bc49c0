/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/fleet/deployment_clash.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/fleet/fleet_private.h"
#include "shared/compose/port_binding.h"

/* What there can be once only on a host, by its name at the engine. */
enum claim_kind { CLAIM_CONTAINER, CLAIM_NETWORK, CLAIM_VOLUME };

static const char *const claim_words[] = {
        [CLAIM_CONTAINER] = "container",
        [CLAIM_NETWORK] = "network",
        [CLAIM_VOLUME] = "volume",
};

struct claim {
        enum claim_kind kind;
        const char *name;
        const struct source_pos *at;
        size_t app; /* index of its deployment */
};

struct host_claims {
        const char *host;
        const struct deployment *const *deployments;
        size_t n;
};

static const char *app_name(const struct host_claims *h, size_t app) {
        return h->deployments[app]->app->app.text;
}

static void hint_where(const struct source_pos *at, struct fault *reterr) {
        fault_hint(reterr, "the other one is at %s:%u:%u; on one host only one of the two can have it",
                   at->source->name, at->line, at->column);
}

/*
 * Ports
 */

static int fault_port(const struct host_claims *h, const struct port_binding *x, const struct port_binding *y,
                      struct fault *reterr) {
        const struct port_binding *later = x->app > y->app ? x : y, *earlier = later == x ? y : x;
        int r = fault_set_code_at(reterr, &later->port->at, REASON_LOAD_INVALID,
                                  "port %d/%s of host '%s' is published by app '%s' already",
                                  (int)later->port->published, compose_protocol_names[later->port->protocol], h->host,
                                  app_name(h, earlier->app));

        hint_where(&earlier->port->at, reterr);
        return r;
}

static int check_ports(const struct host_claims *h, struct fault *reterr) {
        const struct port_binding *first, *second;
        own_free struct port_binding *bindings = NULL;
        size_t n = 0, room = 1;

        for (size_t i = 0; i < h->n; i++)
                room += port_bindings_count(&h->deployments[i]->compose);
        bindings = calloc(room, sizeof(*bindings));
        if (!bindings)
                return fault_set_oom(reterr);
        for (size_t i = 0; i < h->n; i++)
                n += port_bindings_put(&h->deployments[i]->compose, i, bindings + n);
        return port_bindings_clash(bindings, n, &first, &second) ? fault_port(h, first, second, reterr) : 0;
}

/*
 * Names
 */

static size_t count_claims(const struct compose *c) {
        return c->services.n + c->networks.n + c->volumes.n;
}

static size_t put_claims(const struct compose *c, size_t app, struct claim *out) {
        const struct compose_service *services = c->services.items;
        const struct compose_network *networks = c->networks.items;
        const struct compose_volume *volumes = c->volumes.items;
        size_t n = 0;

        for (size_t i = 0; i < c->services.n; i++)
                if (services[i].container_name.text)
                        out[n++] = (struct claim){ CLAIM_CONTAINER, services[i].container_name.text,
                                                   &services[i].container_name.at, app };
        for (size_t i = 0; i < c->networks.n; i++)
                if (!networks[i].external)
                        out[n++] = (struct claim){ CLAIM_NETWORK, networks[i].name, &networks[i].at, app };
        for (size_t i = 0; i < c->volumes.n; i++)
                if (!volumes[i].external)
                        out[n++] = (struct claim){ CLAIM_VOLUME, volumes[i].name, &volumes[i].at, app };
        return n;
}

static int compare_claims(const void *a, const void *b) {
        const struct claim *x = a, *y = b;
        int order = strcmp(x->name, y->name);

        if (x->kind != y->kind)
                return x->kind < y->kind ? -1 : 1;
        return order ? order : (x->app > y->app) - (x->app < y->app);
}

static int fault_name(const struct host_claims *h, const struct claim *earlier, const struct claim *later,
                      struct fault *reterr) {
        int r = fault_set_code_at(reterr, later->at, REASON_LOAD_INVALID,
                                  "%s '%s' of host '%s' belongs to app '%s' already", claim_words[later->kind],
                                  later->name, h->host, app_name(h, earlier->app));

        hint_where(earlier->at, reterr);
        return r;
}

static int check_names(const struct host_claims *h, struct fault *reterr) {
        own_free struct claim *claims = NULL;
        size_t n = 0, room = 1;

        for (size_t i = 0; i < h->n; i++)
                room += count_claims(&h->deployments[i]->compose);
        claims = calloc(room, sizeof(*claims));
        if (!claims)
                return fault_set_oom(reterr);
        for (size_t i = 0; i < h->n; i++)
                n += put_claims(&h->deployments[i]->compose, i, claims + n);
        qsort(claims, n, sizeof(*claims), compare_claims);
        for (size_t i = 1; i < n; i++)
                if (claims[i].kind == claims[i - 1].kind && claims[i].app != claims[i - 1].app &&
                    str_eq(claims[i].name, claims[i - 1].name))
                        return fault_name(h, &claims[i - 1], &claims[i], reterr);
        return 0;
}

int deployment_clash(const char *host, const struct deployment *const *deployments, size_t n, struct fault *reterr) {
        const struct host_claims h = { .host = host, .deployments = deployments, .n = n };
        int r = n > 1 ? check_ports(&h, reterr) : 0;

        return r == 0 && n > 1 ? check_names(&h, reterr) : r;
}
