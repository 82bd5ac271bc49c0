/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/exclusive.h"

#include "shared/base/reason.h"
#include "shared/base/text.h"

static bool port_is_fixed(const struct compose_port *p) {
        return p->published > 0 && p->published_last <= p->published;
}

/* Two writers on one volume or folder are how a database is lost. */
static bool mount_is_written(const struct compose_mount *m) {
        return !m->read_only && m->source && (m->type == MOUNT_VOLUME || m->type == MOUNT_BIND);
}

/* What there is only one of. */
enum claim {
        CLAIM_NOTHING,
        CLAIM_NAME,
        CLAIM_NETWORK, /* the host's */
        CLAIM_PORT,
        CLAIM_DATA,
        CLAIM_ADDRESS,
};

struct reason {
        enum claim claim;
        struct source_pos at;
        const char *why; /* for people */
};

static struct reason claims_name(const struct compose_service *s, struct arena *a) {
        if (!s->container_name.text)
                return (struct reason){ .claim = CLAIM_NOTHING };
        return (struct reason){ CLAIM_NAME, s->container_name.at,
                                arena_printf(a, "it has the container_name %s", s->container_name.text) };
}

static struct reason claims_network(const struct compose_service *s, struct arena *a) {
        if (!str_eq(s->network_mode.text, "host"))
                return (struct reason){ .claim = CLAIM_NOTHING };
        return (struct reason){ CLAIM_NETWORK, s->network_mode.at, "it uses the host's network" };
}

static struct reason claims_port(const struct compose_service *s, struct arena *a) {
        const struct compose_port *ports = s->ports.items;

        for (size_t i = 0; i < s->ports.n; i++)
                if (port_is_fixed(&ports[i]))
                        return (struct reason){ CLAIM_PORT, ports[i].at,
                                                arena_printf(a, "it publishes port %lld of the host",
                                                             (long long)ports[i].published) };
        return (struct reason){ .claim = CLAIM_NOTHING };
}

static struct reason claims_data(const struct compose_service *s, struct arena *a) {
        const struct compose_mount *mounts = s->mounts.items;

        for (size_t i = 0; i < s->mounts.n; i++)
                if (mount_is_written(&mounts[i]))
                        return (struct reason){ CLAIM_DATA, mounts[i].at,
                                                arena_printf(a, "it writes to the %s %s",
                                                             mounts[i].type == MOUNT_VOLUME ? "volume"
                                                                                            : "host's folder",
                                                             mounts[i].source) };
        return (struct reason){ .claim = CLAIM_NOTHING };
}

static struct reason claims_address(const struct compose_service *s, struct arena *a) {
        const struct compose_attachment *networks = s->networks.items;
        const struct node *mac = node_get(s->node, "mac_address");

        for (size_t i = 0; i < s->networks.n; i++) {
                const struct compose_attachment *n = &networks[i];
                const struct text_at *address = n->ipv4_address.text   ? &n->ipv4_address
                                                : n->ipv6_address.text ? &n->ipv6_address
                                                                       : &n->mac_address;

                if (address->text)
                        return (struct reason){ CLAIM_ADDRESS, address->at,
                                                arena_printf(a, "it has the fixed address %s on the network %s",
                                                             address->text, n->network) };
        }
        if (mac && node_is_scalar(mac) && mac->type != NODE_NULL)
                return (struct reason){ CLAIM_ADDRESS, mac->at,
                                        arena_printf(a, "it has the fixed address %s", mac->text) };
        return (struct reason){ .claim = CLAIM_NOTHING };
}

/* The first of them that @s makes; strings in @a. */
static struct reason find_reason(const struct compose_service *s, struct arena *a) {
        static struct reason (*const claims[])(const struct compose_service *s, struct arena *a) = {
                claims_name, claims_network, claims_port, claims_data, claims_address,
        };

        for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
                struct reason reason = claims[i](s, a);

                if (reason.claim != CLAIM_NOTHING)
                        return reason;
        }
        return (struct reason){ .claim = CLAIM_NOTHING };
}

const char *exclusive_why(const struct compose_service *s, struct arena *a) {
        return find_reason(s, a).why;
}

static int refuse(const struct deployment *d, const struct compose_service *s, const struct reason *reason,
                  struct fault *reterr) {
        int r = fault_set_code_at(reterr, &reason->at, REASON_ROLLOUT_EXCLUSIVE,
                                  "strategy %s needs two of %s at a time, and it cannot run twice: %s",
                                  rollout_strategy_names[d->app->rollout.strategy], s->name.text, reason->why);

        if (reason->claim == CLAIM_PORT)
                fault_hint(
                        reterr,
                        "let the engine choose the port and put a router before it; or have it replaced in place, in app.yaml: "
                        "roles: {%s: sidecar}",
                        s->name.text);
        else
                fault_hint(reterr,
                           "leave it out; or have the service replaced in place, in app.yaml: roles: {%s: sidecar}",
                           s->name.text);
        return r;
}

int exclusive_check(const struct deployment *d, struct fault *reterr) {
        const struct compose_service *services = d->compose.services.items;
        own_arena struct arena *scratch = arena_new();

        if (d->app->rollout.strategy != STRATEGY_CANARY && d->app->rollout.strategy != STRATEGY_BLUE_GREEN)
                return 0;
        for (size_t i = 0; i < d->compose.services.n; i++) {
                struct reason reason = find_reason(&services[i], scratch);

                if (reason.claim != CLAIM_NOTHING && app_role(d->app, services[i].name.text) == ROLE_PRIMARY)
                        return refuse(d, &services[i], &reason, reterr);
        }
        return 0;
}
