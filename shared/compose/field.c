/* SPDX-License-Identifier: Apache-2.0 */

/* Values of single keys of a service that have forms of their own. */

#include "shared/compose/compose_private.h"

#include <string.h>

#include "shared/base/reason.h"
#include "shared/base/text.h"

const char *const compose_restart_names[] = {
        [RESTART_NO] = "no",
        [RESTART_ALWAYS] = "always",
        [RESTART_ON_FAILURE] = "on-failure",
        [RESTART_UNLESS_STOPPED] = "unless-stopped",
        [RESTART_MAX_] = NULL,
};

/* no | always | on-failure[:n] | unless-stopped. @slot is the whole service. */
int compose_read_restart(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct compose_service *s = slot;
        struct text_at text;
        const char *count;
        uint64_t retries;
        int r = compose_text(node, &text, reterr);

        if (r < 0)
                return r;
        for (int i = 0; i < RESTART_MAX_; i++)
                if (str_eq(text.text, compose_restart_names[i])) {
                        s->restart = (enum compose_restart)i;
                        return 0;
                }
        count = str_after(text.text, "on-failure:");
        if (count && parse_u64(count, &retries) == 0 && retries <= INT32_MAX) {
                s->restart = RESTART_ON_FAILURE;
                s->restart_retries = (int64_t)retries;
                return 0;
        }
        r = fault_set_code_at(reterr, &text.at, REASON_LOAD_INVALID, "'%s' is not a restart policy", text.text);
        fault_hint(reterr, "it is one of \"no\", always, on-failure, on-failure:<number>, unless-stopped");
        return r;
}

/*
 * ulimits: {nofile: 1024} or {nofile: {soft: 1024, hard: 2048}}
 */

static const struct field ulimit_fields[] = {
        { .key = "soft",
          .type = FIELD_INTEGER,
          COMPOSE_AT(compose_ulimit, soft),
          .flags = FIELD_REQUIRED,
          .minimum = -1,
          .maximum = INT64_MAX,
          .doc = "The limit; -1: none." },
        { .key = "hard",
          .type = FIELD_INTEGER,
          COMPOSE_AT(compose_ulimit, hard),
          .flags = FIELD_REQUIRED,
          .minimum = -1,
          .maximum = INT64_MAX,
          .doc = "How far it may be raised; -1: without limit." },
        { .key = NULL },
};
static const struct table ulimit_table = {
        .title = "Ulimit",
        .size = sizeof(struct compose_ulimit),
        .fields = ulimit_fields,
        .extension_prefix = "x-",
};

static int read_ulimit(const struct node *value, const struct node_entry *entry, void *item, struct arena *a,
                       struct fault *reterr) {
        static const char *const known[] = {
                "as",     "core",  "cpu", "data",   "fsize",  "locks",      "memlock", "msgqueue", "nice",
                "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",   NULL,
        };
        struct compose_ulimit *u = item;
        const char *closest;
        size_t i = 0;
        int r = 0;

        while (known[i] && !str_eq(known[i], entry->key))
                i++;
        if (!known[i]) {
                r = fault_set_code_at(reterr, &entry->at, REASON_LOAD_INVALID, "there is no limit named '%s'",
                                      entry->key);
                closest = closest_name(entry->key, known);
                if (closest)
                        fault_hint(reterr, "did you mean '%s'?", closest);
                return r;
        }
        if (value->type == NODE_MAP)
                r = table_read(&ulimit_table, value, u, a, reterr);
        else if (value->type == NODE_INTEGER && value->integer >= -1)
                u->soft = u->hard = value->integer;
        else
                return compose_expected(value, "a number, or soft and hard", reterr);
        u->name = entry->key;
        if (r == 0 && u->hard != -1 && (u->soft > u->hard || u->soft == -1))
                r = fault_set_code_at(reterr, &value->at, REASON_LOAD_INVALID,
                                      "the soft limit is above the hard limit");
        return r;
}

int compose_read_ulimits(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        return compose_read_items(node, COMPOSE_MAP, sizeof(struct compose_ulimit), read_ulimit, a, slot, reterr);
}

/*
 * extra_hosts: ["host:address", "host=address"] or {host: address} or {host: [address, …]}
 */

static int add_host(struct string_list *list, const char *host, const char *address, const struct source_pos *at,
                    struct arena *a, struct fault *reterr) {
        size_t n = strlen(address);
        int r;

        if (n >= 2 && address[0] == '[' && address[n - 1] == ']')
                address = arena_strndup(a, address + 1, n - 2);
        if (*host == '\0' || *address == '\0' || strpbrk(host, " :=")) {
                r = fault_set_code_at(reterr, at, REASON_LOAD_INVALID, "an extra host is a name and an address");
                fault_hint(reterr, "write \"name=address\"");
                return r;
        }
        *(struct text_at *)arena_push(a, &list->items, &list->n, sizeof(*list->items)) =
                (struct text_at){ .text = arena_printf(a, "%s:%s", host, address), .at = *at };
        return 0;
}

static int read_host_item(const struct node *item, struct string_list *list, struct arena *a, struct fault *reterr) {
        struct text_at text;
        const char *split;
        int r = compose_text(item, &text, reterr);

        if (r < 0)
                return r;
        split = strchr(text.text, '=');
        if (!split)
                split = strchr(text.text, ':');
        if (!split)
                return add_host(list, "", "", &text.at, a, reterr);
        return add_host(list, arena_strndup(a, text.text, (size_t)(split - text.text)), split + 1, &text.at, a, reterr);
}

static int read_host_entry(const struct node_entry *entry, struct string_list *list, struct arena *a,
                           struct fault *reterr) {
        struct string_list addresses = { 0 };
        int r = compose_read_strings(entry->value, &addresses, a, reterr);

        for (size_t i = 0; r == 0 && i < addresses.n; i++)
                r = add_host(list, entry->key, addresses.items[i].text, &addresses.items[i].at, a, reterr);
        return r;
}

int compose_read_extra_hosts(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        int r = 0;

        if (node->type == NODE_NULL)
                return 0;
        if (node_is_scalar(node))
                return compose_expected(node, "a list or a map", reterr);
        for (size_t i = 0; r == 0 && i < node->n; i++)
                r = node->type == NODE_MAP ? read_host_entry(&node->entries[i], slot, a, reterr)
                                           : read_host_item(node->items[i], slot, a, reterr);
        return r;
}

/*
 * devices: ["/dev/ttyUSB0:/dev/ttyS0:rw"] or [{source, target, permissions}]
 */

static const struct field device_fields[] = {
        { .key = "source",
          .type = FIELD_STRING,
          COMPOSE_AT(compose_device, host),
          .flags = FIELD_REQUIRED,
          .doc = "The device on the host." },
        { .key = "target",
          .type = FIELD_STRING,
          COMPOSE_AT(compose_device, container),
          .doc = "Its path in the container; default: the same." },
        { .key = "permissions",
          .type = FIELD_STRING,
          COMPOSE_AT(compose_device, permissions),
          .doc = "Of r, w and m; default: all." },
        { .key = NULL },
};
static const struct table device_table = {
        .title = "Device",
        .size = sizeof(struct compose_device),
        .fields = device_fields,
        .extension_prefix = "x-",
};

static void split_device(const char *text, struct compose_device *d, struct arena *a) {
        const char **parts[] = { &d->host, &d->container, &d->permissions };

        for (size_t i = 0; i < 3 && text; i++) {
                const char *colon = i < 2 ? strchr(text, ':') : NULL;

                *parts[i] = colon ? arena_strndup(a, text, (size_t)(colon - text)) : text;
                text = colon ? colon + 1 : NULL;
        }
        /* "/dev/fuse:rwm" */
        if (d->container && !d->permissions && *d->container && !strchr(d->container, '/')) {
                d->permissions = d->container;
                d->container = NULL;
        }
}

static int read_device(const struct node *node, const struct node_entry *entry, void *item, struct arena *a,
                       struct fault *reterr) {
        struct compose_device *d = item;
        int r;

        if (node->type == NODE_MAP) {
                r = table_read(&device_table, node, d, a, reterr);
        } else {
                struct text_at text;

                r = compose_text(node, &text, reterr);
                if (r == 0)
                        split_device(text.text, d, a);
        }
        if (r < 0)
                return r;
        if (!d->container)
                d->container = d->host;
        if (!d->permissions)
                d->permissions = "rwm";
        if (*d->host != '/' || *d->container != '/' || *d->permissions == '\0' ||
            d->permissions[strspn(d->permissions, "rwm")]) {
                r = fault_set_code_at(
                        reterr, &node->at, REASON_LOAD_INVALID,
                        "a device is an absolute path, with a path in the container and permissions or not");
                fault_hint(reterr, "write \"/dev/ttyUSB0:/dev/ttyUSB0:rw\"");
        }
        return r;
}

int compose_read_devices(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        return compose_read_items(node, COMPOSE_LIST, sizeof(struct compose_device), read_device, a, slot, reterr);
}

/*
 * depends_on: [db] or {db: {condition: service_healthy, required: true, restart: false}}
 */

/* Only what is the case anyway can be said: the containers of other services stay as they are when one is replaced. */
static int read_depend_restart(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        int r;

        if (node->type != NODE_BOOL)
                return compose_expected(node, "true or false", reterr);
        if (!node->boolean)
                return 0;
        r = fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID,
                              "'restart: true' is not carried out by the docker runtime");
        fault_hint(reterr, "leave it out, and let the service connect anew when what it depends on was replaced");
        return r;
}

static const struct field depend_fields[] = {
        { .key = "condition",
          .type = FIELD_ENUM,
          COMPOSE_AT(compose_depend, condition),
          .flags = FIELD_REQUIRED,
          .names = depend_condition_names,
          .doc = "What must be true of it." },
        { .key = "required",
          .type = FIELD_BOOL,
          COMPOSE_AT(compose_depend, required),
          .absent = true,
          .doc = "Whether this service does without it." },
        { .key = "restart",
          .type = FIELD_CUSTOM,
          .read = read_depend_restart,
          .schema = "{\"const\":false}",
          .doc = "This service is not restarted with it." },
        { .key = NULL },
};
static const struct table compose_depend_table = {
        .title = "DependsOn",
        .size = sizeof(struct compose_depend),
        .fields = depend_fields,
        .extension_prefix = "x-",
};

static int read_depend(const struct node *value, const struct node_entry *entry, void *item, struct arena *a,
                       struct fault *reterr) {
        struct compose_depend *depend = item;
        int r;

        if (!entry) {
                *depend = (struct compose_depend){ .condition = DEPEND_STARTED, .required = true };
                return compose_text(value, &depend->service, reterr);
        }
        r = table_read(&compose_depend_table, value, depend, a, reterr);
        depend->service = (struct text_at){ .text = entry->key, .at = entry->at };
        return r;
}

int compose_read_depends_on(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        return compose_read_items(node, COMPOSE_LIST | COMPOSE_MAP, sizeof(struct compose_depend), read_depend, a, slot,
                                  reterr);
}

/*
 * healthcheck
 */

static const struct field healthcheck_fields[] = {
        { .key = "test",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(compose_healthcheck, test),
          .read = compose_read_strings,
          .schema = COMPOSE_SCHEMA_STRINGS,
          .doc = "A shell command, or a list that begins with CMD, CMD-SHELL or NONE." },
        { .key = "interval",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(compose_healthcheck, interval_ns),
          .read = compose_read_duration,
          .schema = COMPOSE_SCHEMA_STRING,
          .doc = "Time between two tests." },
        { .key = "timeout",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(compose_healthcheck, timeout_ns),
          .read = compose_read_duration,
          .schema = COMPOSE_SCHEMA_STRING,
          .doc = "Time that one test may take." },
        { .key = "start_period",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(compose_healthcheck, start_period_ns),
          .read = compose_read_duration,
          .schema = COMPOSE_SCHEMA_STRING,
          .doc = "Time in which failures do not count yet." },
        { .key = "start_interval",
          .type = FIELD_CUSTOM,
          COMPOSE_AT(compose_healthcheck, start_interval_ns),
          .read = compose_read_duration,
          .schema = COMPOSE_SCHEMA_STRING,
          .doc = "Time between two tests until then." },
        { .key = "retries",
          .type = FIELD_INTEGER,
          COMPOSE_AT(compose_healthcheck, retries),
          .minimum = 0,
          .maximum = INT32_MAX,
          .doc = "Failures in a row that make it unhealthy." },
        { .key = "disable",
          .type = FIELD_BOOL,
          COMPOSE_AT(compose_healthcheck, disable),
          .doc = "Turn the image's own test off." },
        { .key = NULL },
};
static const struct table healthcheck_table = {
        .title = "Healthcheck",
        .size = sizeof(struct compose_healthcheck),
        .fields = healthcheck_fields,
        .extension_prefix = "x-",
};

static void set_test(struct compose_healthcheck *h, struct arena *a, const char *first, const struct text_at *second) {
        struct string_list list = { .items = arena_array(a, 2, sizeof(*list.items)), .n = second ? 2 : 1 };

        list.items[0] = (struct text_at){ .text = first };
        if (second)
                list.items[1] = *second;
        h->test = list;
}

static int check_test(struct compose_healthcheck *h, const struct node *test, struct arena *a, struct fault *reterr) {
        const char *first = h->test.n > 0 ? h->test.items[0].text : NULL;
        int r;

        if (h->disable || (first && str_eq(first, "NONE"))) {
                h->disable = true;
                set_test(h, a, "NONE", NULL);
                return 0;
        }
        if (!test || test->type == NODE_NULL)
                return 0;
        if (test->type != NODE_LIST) {
                struct text_at text = h->test.items[0];

                set_test(h, a, "CMD-SHELL", &text);
                return 0;
        }
        if (h->test.n >= 2 && (str_eq(first, "CMD") || (str_eq(first, "CMD-SHELL") && h->test.n == 2)))
                return 0;
        r = fault_set_code_at(reterr, &test->at, REASON_LOAD_INVALID,
                              "a health check's list is CMD and words, CMD-SHELL and one command, or NONE");
        fault_hint(reterr, "write [\"CMD\", \"program\", \"argument\"]");
        return r;
}

static int check_times(const struct compose_healthcheck *h, const struct node *node, struct fault *reterr) {
        static const char *const keys[] = { "interval", "timeout", "start_period", "start_interval" };
        const int64_t times[] = { h->interval_ns, h->timeout_ns, h->start_period_ns, h->start_interval_ns };

        /* The engine refuses these. */
        for (size_t i = 0; i < 4; i++)
                if (times[i] > 0 && times[i] < 1000 * 1000)
                        return fault_set_code_at(reterr, &node_get(node, keys[i])->at, REASON_LOAD_INVALID,
                                                 "'%s' of a health check is at least 1ms", keys[i]);
        return 0;
}

int compose_read_healthcheck(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        struct compose_healthcheck *h;
        int r;

        if (node->type == NODE_NULL)
                return 0;
        h = arena_new_of(a, struct compose_healthcheck);
        r = table_read(&healthcheck_table, node, h, a, reterr);
        if (r < 0)
                return r;
        r = check_test(h, node_get(node, "test"), a, reterr);
        if (r < 0)
                return r;
        *(const struct compose_healthcheck **)slot = h;
        return check_times(h, node, reterr);
}
