/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/compose/exclusive.h"

#include "shared/base/text.h"

static bool port_is_fixed(const struct compose_port *p) {
        return p->published > 0 && p->published_last <= p->published;
}

/* Two writers on one volume or folder are how a database is lost. */
static bool mount_is_written(const struct compose_mount *m) {
        return !m->read_only && m->source && (m->type == MOUNT_VOLUME || m->type == MOUNT_BIND);
}

static struct exclusive_reason claims_name(const struct compose_service *s, struct arena *a) {
        if (!s->container_name.text)
                return (struct exclusive_reason){ .claim = CLAIM_NOTHING };
        return (struct exclusive_reason){ CLAIM_NAME, s->container_name.at,
                                          arena_printf(a, "it has the container_name %s", s->container_name.text) };
}

static struct exclusive_reason claims_network(const struct compose_service *s, struct arena *a) {
        if (!str_eq(s->network_mode.text, "host"))
                return (struct exclusive_reason){ .claim = CLAIM_NOTHING };
        return (struct exclusive_reason){ CLAIM_NETWORK, s->network_mode.at, "it uses the host's network" };
}

static struct exclusive_reason claims_port(const struct compose_service *s, struct arena *a) {
        const struct compose_port *ports = s->ports.items;

        for (size_t i = 0; i < s->ports.n; i++)
                if (port_is_fixed(&ports[i]))
                        return (struct exclusive_reason){ CLAIM_PORT, ports[i].at,
                                                          arena_printf(a, "it publishes port %lld of the host",
                                                                       (long long)ports[i].published) };
        return (struct exclusive_reason){ .claim = CLAIM_NOTHING };
}

static struct exclusive_reason claims_data(const struct compose_service *s, struct arena *a) {
        const struct compose_mount *mounts = s->mounts.items;

        for (size_t i = 0; i < s->mounts.n; i++)
                if (mount_is_written(&mounts[i]))
                        return (struct exclusive_reason){ CLAIM_DATA, mounts[i].at,
                                                          arena_printf(a, "it writes to the %s %s",
                                                                       mounts[i].type == MOUNT_VOLUME ? "volume"
                                                                                                      : "host's folder",
                                                                       mounts[i].source) };
        return (struct exclusive_reason){ .claim = CLAIM_NOTHING };
}

static struct exclusive_reason claims_address(const struct compose_service *s, struct arena *a) {
        const struct compose_attachment *networks = s->networks.items;
        const struct node *mac = node_get(s->node, "mac_address");

        for (size_t i = 0; i < s->networks.n; i++) {
                const struct compose_attachment *n = &networks[i];
                const struct text_at *address = n->ipv4_address.text   ? &n->ipv4_address
                                                : n->ipv6_address.text ? &n->ipv6_address
                                                                       : &n->mac_address;

                if (address->text)
                        return (struct exclusive_reason){ CLAIM_ADDRESS, address->at,
                                                          arena_printf(a,
                                                                       "it has the fixed address %s on the network %s",
                                                                       address->text, n->network) };
        }
        if (mac && node_is_scalar(mac) && mac->type != NODE_NULL)
                return (struct exclusive_reason){ CLAIM_ADDRESS, mac->at,
                                                  arena_printf(a, "it has the fixed address %s", mac->text) };
        return (struct exclusive_reason){ .claim = CLAIM_NOTHING };
}

struct exclusive_reason exclusive_find(const struct compose_service *s, struct arena *a) {
        static struct exclusive_reason (*const claims[])(const struct compose_service *s, struct arena *a) = {
                claims_name, claims_network, claims_port, claims_data, claims_address,
        };

        for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
                struct exclusive_reason reason = claims[i](s, a);

                if (reason.claim != CLAIM_NOTHING)
                        return reason;
        }
        return (struct exclusive_reason){ .claim = CLAIM_NOTHING };
}
