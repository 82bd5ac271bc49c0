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

static const char *why_ports(const struct compose_service *s, struct arena *a, struct source_pos *at) {
        const struct compose_port *ports = s->ports.items;

        for (size_t i = 0; i < s->ports.n; i++)
                if (port_is_fixed(&ports[i])) {
                        *at = ports[i].at;
                        return arena_printf(a, "it publishes port %lld of the host", (long long)ports[i].published);
                }
        return NULL;
}

static const char *why_mounts(const struct compose_service *s, struct arena *a, struct source_pos *at) {
        const struct compose_mount *mounts = s->mounts.items;

        for (size_t i = 0; i < s->mounts.n; i++)
                if (mount_is_written(&mounts[i])) {
                        *at = mounts[i].at;
                        return arena_printf(a, "it writes to the %s %s", mounts[i].type == MOUNT_VOLUME ? "volume" : "host's folder",
                                            mounts[i].source);
                }
        return NULL;
}

static const char *why_networks(const struct compose_service *s, struct arena *a, struct source_pos *at) {
        const struct compose_attachment *networks = s->networks.items;

        for (size_t i = 0; i < s->networks.n; i++) {
                const struct compose_attachment *n = &networks[i];
                const struct text_at *address = n->ipv4_address.text   ? &n->ipv4_address
                                                : n->ipv6_address.text ? &n->ipv6_address
                                                                       : &n->mac_address;

                if (address->text) {
                        *at = address->at;
                        return arena_printf(a, "it has the fixed address %s on the network %s", address->text, n->network);
                }
        }
        return NULL;
}

const char *exclusive_why(const struct compose_service *s, struct arena *a, struct source_pos *ret_at) {
        const struct node *mac = node_get(s->node, "mac_address");
        struct source_pos ignored, *at = ret_at ? ret_at : &ignored;
        const char *why;

        if (s->container_name.text) {
                *at = s->container_name.at;
                return arena_printf(a, "it has the container_name %s", s->container_name.text);
        }
        if (str_eq(s->network_mode.text, "host")) {
                *at = s->network_mode.at;
                return "it uses the host's network";
        }
        why = why_ports(s, a, at);
        if (!why)
                why = why_mounts(s, a, at);
        if (!why)
                why = why_networks(s, a, at);
        if (!why && mac && node_is_scalar(mac) && mac->type != NODE_NULL) {
                *at = mac->at;
                why = arena_printf(a, "it has the fixed address %s", mac->text);
        }
        return why;
}

static int refuse(const struct deployment *d, const struct compose_service *s, const struct source_pos *at, const char *why,
                  struct fault *reterr) {
        int r = fault_set_code_at(reterr, at, REASON_ROLLOUT_EXCLUSIVE, "strategy %s needs two of %s at a time, and it cannot run twice: %s",
                                  rollout_strategy_names[d->app->rollout.strategy], s->name.text, why);

        if (str_after(why, "it publishes port "))
                fault_hint(reterr, "let the engine choose the port and put a router before it; or have it replaced in place, in app.yaml: "
                           "roles: {%s: sidecar}", s->name.text);
        else
                fault_hint(reterr, "leave it out; or have the service replaced in place, in app.yaml: roles: {%s: sidecar}", s->name.text);
        return r;
}

int exclusive_check(const struct deployment *d, struct fault *reterr) {
        const struct compose_service *services = d->compose.services.items;
        own_arena struct arena *scratch = arena_new();

        if (d->app->rollout.strategy != STRATEGY_CANARY && d->app->rollout.strategy != STRATEGY_BLUE_GREEN)
                return 0;
        for (size_t i = 0; i < d->compose.services.n; i++) {
                struct source_pos at = services[i].at;
                const char *why = exclusive_why(&services[i], scratch, &at);

                if (why && app_role(d->app, services[i].name.text) == ROLE_PRIMARY)
                        return refuse(d, &services[i], &at, why, reterr);
        }
        return 0;
}
