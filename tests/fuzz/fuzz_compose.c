/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes as a compose file: a fault with a place, or a model whose locked form is intact and reads as YAML again. */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shared/data/yaml.h"
#include "shared/compose/lockfile.h"
#include "shared/fleet/release.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What may be included and extended. */
static const char other[] =
        "include: [../sub/other.yaml]\n"
        "services: {base: {image: a, env_file: ../web.env, volumes: ['../conf:/c', './x:/x'], ports: ['80']}}\n";

static const char pin[] = "web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* The release gives every service a digest. */
static struct string_map pin_all(const struct compose *c, struct arena *a) {
        const struct compose_service *services = c->services.items;
        struct string_map pins = { .items = arena_array(a, c->services.n, sizeof(*pins.items)), .n = c->services.n };

        for (size_t i = 0; i < pins.n; i++) {
                pins.items[i].key = services[i].name;
                pins.items[i].value.text = pin;
        }
        return pins;
}

static void lock(struct compose *c, const struct app_files *files, struct arena *a) {
        own_fault struct fault fault = FAULT_INIT;
        own_buffer struct buffer text = BUFFER_INIT;
        struct string_map pins = pin_all(c, a);
        struct lockfile_input in = { .environment = "prod", .app = "shop", .version = "1" };
        const struct node *root;
        struct digest id;

        assert(compose_pin(c, &pins, a, &fault) == 0);
        id = release_id("shop", "1", c, files);
        in.release = id.text;
        assert(lockfile_write(c, &in, &text, &fault) == 0);
        assert(lockfile_is_intact(text.data, text.size));
        if (yaml_parse("locked", text.data, text.size, a, &root, &fault) < 0)
                assert(fault.code && strcmp(fault.code, "LOAD_LIMIT") == 0);
}

static void read_and_lock(const struct node *root, const struct compose_input *in, struct arena *a) {
        own_fault struct fault fault = FAULT_INIT;
        struct compose c;

        if (compose_read(root, in, a, &c, &fault) == 0)
                lock(&c, in->files, a);
        else
                assert(fault.kind == FAULT_CONFIG && fault.code && fault.line > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct desired_entry entries[] = {
                { .path = "apps/shop/conf/x", .bytes = "x", .size = 1 },
                { .path = "apps/shop/sub/other.yaml", .bytes = other, .size = sizeof(other) - 1 },
                { .path = "apps/shop/web.env", .bytes = "A=1\nB=$A\n", .size = 9 },
        };
        static const struct variable items[] = { { "A", "value" }, { "N", "2" } };
        static const struct variables variables = { .items = items, .n = 2 };
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct app_files files;
        struct compose_input in = { .app = "shop", .files = &files, .variables = &variables };
        const struct node *root;

        assert(app_files_make("apps/shop", entries, 3, a, &files, &fault) == 0);
        if (yaml_parse("compose.yaml", data, size, a, &root, &fault) < 0)
                return 0;
        read_and_lock(root, &in, a);
        in.keys = COMPOSE_KEYS_ALL;
        read_and_lock(root, &in, a);
        return 0;
}
