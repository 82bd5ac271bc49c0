/* SPDX-License-Identifier: Apache-2.0 */

/* Networks and volumes: the top level's, and what services attach to */

#include "shared/compose/compose_private.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"

/*
 * Top-level networks
 */

static const struct field subnet_fields[] = {
        { .key = "subnet", .type = FIELD_TEXT, COMPOSE_AT(compose_subnet, subnet), .doc = "In CIDR form." },
        { .key = "ip_range",
          .type = FIELD_TEXT,
          COMPOSE_AT(compose_subnet, ip_range),
          .doc = "The part of it that containers get addresses from." },
        { .key = "gateway", .type = FIELD_TEXT, COMPOSE_AT(compose_subnet, gateway), .doc = "The host's address." },
        { .key = "aux_addresses",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(compose_subnet, aux_addresses),
          .read = compose_read_string_map,
          .schema = COMPOSE_SCHEMA_MAP,
          .doc = "Addresses to leave alone." },
        { .key = NULL },
};
static const struct table subnet_table = {
        .title = "Subnet",
        .size = sizeof(struct compose_subnet),
        .fields = subnet_fields,
        .extension_prefix = "x-",
};

struct ipam {
        const char *driver;
        struct struct_list config;
        struct string_map options;
};

static const struct field ipam_fields[] = {
        { .key = "driver", .type = FIELD_STRING, COMPOSE_AT(ipam, driver), .doc = "Who gives out addresses." },
        { .key = "config",
          .type = FIELD_STRUCT_LIST,
          COMPOSE_AT(ipam, config),
          .flags = FIELD_NULLABLE,
          .sub = &subnet_table,
          .doc = "The subnets." },
        { .key = "options",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(ipam, options),
          .read = compose_read_string_map,
          .schema = COMPOSE_SCHEMA_MAP,
          .doc = "Options of that driver." },
        { .key = NULL },
};
static const struct table ipam_table = {
        .title = "Ipam",
        .size = sizeof(struct ipam),
        .fields = ipam_fields,
        .extension_prefix = "x-",
};

static int read_ipam(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct compose_network *n = slot;
        struct ipam ipam;
        int r;

        if (node->type == NODE_NULL)
                return 0;
        r = table_read(&ipam_table, node, &ipam, a, reterr);
        if (r < 0)
                return r;
        n->ipam_driver = ipam.driver;
        n->ipam_config = ipam.config;
        n->ipam_options = ipam.options;
        return 0;
}

static const struct field network_fields[] = {
        { .key = "name",
          .type = FIELD_STRING,
          COMPOSE_AT(network_draft, n.name),
          .format = "non-empty",
          .doc = "Its name at the engine; default: <project>_<key>." },
        { .key = "external",
          .type = FIELD_BOOL,
          COMPOSE_AT(network_draft, n.external),
          .doc = "It must be there already and is left alone." },
        { .key = "driver", .type = FIELD_STRING, COMPOSE_AT(network_draft, n.driver), .doc = "bridge, macvlan, …" },
        { .key = "driver_opts",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(network_draft, n.driver_opts),
          .read = compose_read_string_map,
          .schema = COMPOSE_SCHEMA_MAP,
          .doc = "Options of the driver." },
        { .key = "internal",
          .type = FIELD_BOOL,
          COMPOSE_AT(network_draft, n.internal),
          .doc = "Without a way to the outside." },
        { .key = "attachable",
          .type = FIELD_BOOL,
          COMPOSE_AT(network_draft, n.attachable),
          .doc = "Other containers may join." },
        { .key = "enable_ipv4",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(network_draft, n.enable_ipv4),
          .read = compose_read_bool,
          .schema = COMPOSE_SCHEMA_BOOL,
          .doc = "With IPv4." },
        { .key = "enable_ipv6",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(network_draft, n.enable_ipv6),
          .read = compose_read_bool,
          .schema = COMPOSE_SCHEMA_BOOL,
          .doc = "With IPv6." },
        { .key = "labels",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(network_draft, n.labels),
          .read = compose_read_string_map,
          .schema = COMPOSE_SCHEMA_MAP,
          .doc = "Labels." },
        { .key = "ipam",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(network_draft, n),
          .read = read_ipam,
          .schema = "{\"type\":\"object\"}",
          .doc = "Addresses." },
        { .key = NULL },
};

static int nothing_or_map(const struct node *node, void *object, struct arena *a, struct fault *reterr) {
        return node->type == NODE_NULL ? 0 : compose_expected(node, "a map", reterr);
}

/* What is there already has no options of ours. */
static int check_external(const struct node *node, bool external, struct fault *reterr) {
        for (size_t i = 0; external && node->type == NODE_MAP && i < node->n; i++) {
                const struct node_entry *e = &node->entries[i];

                if (!str_eq(e->key, "external") && !str_eq(e->key, "name") && !str_after(e->key, "x-"))
                        return fault_set_code_at(reterr, &e->at, REASON_LOAD_INVALID,
                                                 "'%s' has no effect on what is external", e->key);
        }
        return 0;
}

static int check_network(void *object, const struct node *node, struct fault *reterr) {
        return check_external(node, ((struct network_draft *)object)->n.external, reterr);
}

const struct table compose_network_table = {
        .title = "Network",
        .size = sizeof(struct network_draft),
        .fields = network_fields,
        .map_key = offsetof(struct network_draft, key) + 1,
        .extension_prefix = "x-",
        .check = check_network,
        .read_short = nothing_or_map,
        .short_schema = "{\"type\":\"null\"}",
};

/*
 * Top-level volumes
 */

static const struct field volume_fields[] = {
        { .key = "name",
          .type = FIELD_STRING,
          COMPOSE_AT(volume_draft, v.name),
          .format = "non-empty",
          .doc = "Its name at the engine; default: <project>_<key>." },
        { .key = "external",
          .type = FIELD_BOOL,
          COMPOSE_AT(volume_draft, v.external),
          .doc = "It must be there already." },
        { .key = "driver", .type = FIELD_STRING, COMPOSE_AT(volume_draft, v.driver), .doc = "local, …" },
        { .key = "driver_opts",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(volume_draft, v.driver_opts),
          .read = compose_read_string_map,
          .schema = COMPOSE_SCHEMA_MAP,
          .doc = "Options of the driver." },
        { .key = "labels",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(volume_draft, v.labels),
          .read = compose_read_string_map,
          .schema = COMPOSE_SCHEMA_MAP,
          .doc = "Labels." },
        { .key = NULL },
};

static int check_volume(void *object, const struct node *node, struct fault *reterr) {
        return check_external(node, ((struct volume_draft *)object)->v.external, reterr);
}

const struct table compose_volume_table = {
        .title = "Volume",
        .size = sizeof(struct volume_draft),
        .fields = volume_fields,
        .map_key = offsetof(struct volume_draft, key) + 1,
        .extension_prefix = "x-",
        .check = check_volume,
        .read_short = nothing_or_map,
        .short_schema = "{\"type\":\"null\"}",
};

/*
 * networks of a service: [name] or {name: {aliases, …}}
 */

static const struct field attachment_fields[] = {
        { .key = "aliases",
          .type = FIELD_STRING_LIST,
          COMPOSE_AT(compose_attachment, aliases),
          .flags = FIELD_NULLABLE,
          .format = "non-empty",
          .doc = "Further names of it there." },
        { .key = "ipv4_address",
          .type = FIELD_TEXT,
          COMPOSE_AT(compose_attachment, ipv4_address),
          .doc = "A fixed address." },
        { .key = "ipv6_address",
          .type = FIELD_TEXT,
          COMPOSE_AT(compose_attachment, ipv6_address),
          .doc = "A fixed address." },
        { .key = "link_local_ips",
          .type = FIELD_STRING_LIST,
          COMPOSE_AT(compose_attachment, link_local_ips),
          .flags = FIELD_NULLABLE,
          .doc = "Link-local addresses." },
        { .key = "mac_address",
          .type = FIELD_TEXT,
          COMPOSE_AT(compose_attachment, mac_address),
          .doc = "A fixed hardware address." },
        { .key = "priority",
          .type = FIELD_INTEGER,
          COMPOSE_AT(compose_attachment, priority),
          .minimum = INT32_MIN,
          .maximum = INT32_MAX,
          .doc = "The highest is connected first." },
        { .key = NULL },
};
static const struct table attachment_table = {
        .title = "Attachment",
        .size = sizeof(struct compose_attachment),
        .fields = attachment_fields,
        .extension_prefix = "x-",
        .read_short = nothing_or_map,
        .short_schema = "{\"type\":\"null\"}",
};

static int read_attachment(const struct node *value, const struct node_entry *entry, void *item, struct arena *a,
                           struct fault *reterr) {
        struct compose_attachment *attachment = item;
        struct text_at name = { 0 };
        int r;

        if (entry) {
                name = (struct text_at){ .text = entry->key, .at = entry->at };
                r = table_read(&attachment_table, value, attachment, a, reterr);
        } else {
                r = compose_text(value, &name, reterr);
        }
        attachment->network = name.text;
        attachment->at = name.at;
        return r;
}

int compose_read_attachments(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        return compose_read_items(node, COMPOSE_LIST | COMPOSE_MAP, sizeof(struct compose_attachment), read_attachment,
                                  a, slot, reterr);
}

static int compare_attachments(const void *a, const void *b) {
        const struct compose_attachment *x = a, *y = b;

        if (x->priority != y->priority)
                return x->priority > y->priority ? -1 : 1;
        return strcmp(x->network, y->network);
}

static int check_twice(const struct struct_list *list, struct fault *reterr) {
        const struct compose_attachment *items = list->items;

        for (size_t i = 1; i < list->n; i++)
                if (str_eq(items[i - 1].network, items[i].network))
                        return fault_set_code_at(reterr, &items[i].at, REASON_LOAD_INVALID, "'%s' stands here twice",
                                                 items[i].network);
        return 0;
}

static int read_network_mode(struct service_draft *d, struct fault *reterr) {
        static const char *const modes[] = { "none", "host", "bridge" };
        const struct text_at *mode = &d->network_mode;
        int r;

        if (d->s.networks.n > 0)
                return fault_set_code_at(reterr, &mode->at, REASON_LOAD_INVALID,
                                         "'network_mode' and 'networks' exclude each other");
        for (size_t i = 0; i < 3; i++)
                if (str_eq(mode->text, modes[i])) {
                        d->s.network_mode = *mode;
                        return 0;
                }
        if (str_after(mode->text, "service:") || str_after(mode->text, "container:")) {
                r = fault_set_code_at(reterr, &mode->at, REASON_LOAD_INVALID,
                                      "'network_mode: %s' is not carried out by the docker runtime: one container's "
                                      "network would end with the other's replacement",
                                      mode->text);
                fault_hint(reterr, "put both services on one network, or use `runtime: compose`");
                return r;
        }
        r = fault_set_code_at(reterr, &mode->at, REASON_LOAD_INVALID, "'%s' is not a network mode", mode->text);
        fault_hint(reterr, "it is none, host or bridge; name a network under 'networks'");
        return r;
}

int compose_resolve_attachments(const struct compose_context *x, struct service_draft *d, struct fault *reterr) {
        struct struct_list *list = &d->s.networks;
        struct compose_attachment *only;

        if (d->network_mode.text)
                return read_network_mode(d, reterr);
        if (list->n == 0) {
                only = arena_push(x->arena, &list->items, &list->n, sizeof(*only));
                *only = (struct compose_attachment){ .network = "default", .at = d->s.at };
        }
        if (list->n > 1)
                qsort(list->items, list->n, sizeof(struct compose_attachment), compare_attachments);
        return check_twice(list, reterr);
}
