/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/compose/lockfile.h"
#include "tests/lib/group.h"
#include "tests/unit/model/support.h"

static const char yaml[] = "version: '3'\n"
                           "x-base: &base {restart: always}\n"
                           "services:\n"
                           "  web:\n"
                           "    <<: *base\n"
                           "    image: registry.example/shop/web:1.4.2\n"
                           "    command: [\"echo\", \"$$HOME\", \"a: b # \\\"c\\\"\\n\\u0085\"]\n"
                           "    environment: {MODE: $MODE, BARE: , N: 1, yes: no}\n"
                           "    env_file: [web.env, {path: other.env, required: false, format: raw}]\n"
                           "    labels: [team=shop]\n"
                           "    ports: ['80:80', 443]\n"
                           "    depends_on: [db]\n"
                           "    networks: {default: }\n"
                           "    configs: [{source: c, mode: 0440}]\n"
                           "    healthcheck: {disable: true}\n"
                           "    cpus: 0.5\n"
                           "  db: {image: 'db@" DIGEST_B "', tmpfs: []}\n"
                           "configs: {c: {content: x}}\n"
                           "networks: {default: {internal: true}}\n";

static const struct lockfile_input input = {
        .host = "web1",
        .environment = "prod",
        .app = "shop",
        .version = "1.4.2",
        .release = DIGEST_A,
};

static void make(const char *text, struct arena *a, struct compose *ret, struct buffer *out) {
        own_fault struct fault fault = FAULT_INIT;
        const struct desired_entry entries[] = {
                entry_of("apps/shop/web.env", "TOKEN=secret\n"),
                entry_of("apps/shop/compose.yaml", text),
        };
        const struct variable items[] = { { "BARE", "v" }, { "MODE", "a\"b$c" } };
        struct variables variables = { .items = items, .n = 2 };
        struct app_files *files = arena_new_of(a, struct app_files);
        struct compose_input in = { .app = "shop", .files = files, .variables = &variables };
        struct string_pair pair = { .key.text = "web", .value.text = "registry.example/shop/web:1.4.2@" DIGEST_A };
        struct string_map pins = { .items = &pair, .n = 1 };

        assert_int_equal(app_files_make("apps/shop", entries, 2, a, files, &fault), 0);
        if (compose_read(parse_yaml(text, a), &in, a, ret, &fault) < 0)
                fail_msg("%s", fault.message);
        assert_int_equal(compose_pin(ret, &pins, a, &fault), 0);
        assert_int_equal(lockfile_write(ret, &input, out, &fault), 0);
}

static const struct node *at(const struct node *root, const char *a, const char *b, const char *c) {
        return node_get(node_get(node_get(root, a), b), c);
}

static void it_reads_back_as_what_runs(void **state) {
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer text = BUFFER_INIT;
        struct compose c;
        const struct node *root;

        (void)state;
        make(yaml, a, &c, &text);
        root = parse_yaml(buffer_str(&text), a);
        assert_string_equal(node_get(root, "name")->text, "shop");
        assert_string_equal(at(root, "services", "web", "image")->text, "registry.example/shop/web@" DIGEST_A);
        assert_string_equal(at(root, "services", "db", "image")->text, "docker.io/library/db@" DIGEST_B);
        assert_non_null(strstr(buffer_str(&text), "# tag 1.4.2\n"));
        /* What docker compose would replace is written so that it doesn't. */
        assert_string_equal(at(root, "services", "web", "command")->items[1]->text, "$$HOME");
        assert_string_equal(at(root, "services", "web", "command")->items[2]->text, "a: b # \"c\"\n\xc2\x85");
        assert_string_equal(node_get(at(root, "services", "web", "environment"), "MODE")->text, "a\"b$$c");
        assert_string_equal(node_get(at(root, "services", "web", "environment"), "BARE")->text, "v");
        assert_string_equal(node_get(at(root, "services", "web", "environment"), "N")->text, "1");
        assert_string_equal(node_get(at(root, "services", "web", "labels"), "team")->text, "shop");
        assert_string_equal(node_get(at(root, "services", "web", "labels"), "tallyman.release")->text, DIGEST_A);
        assert_string_equal(node_get(at(root, "services", "db", "labels"), "tallyman.service")->text, "db");
        assert_string_equal(at(root, "services", "web", "restart")->text, "always");
        assert_int_equal(at(root, "services", "web", "ports")->items[1]->integer, 443);
        assert_int_equal(at(root, "services", "db", "tmpfs")->n, 0);
        assert_true(at(root, "networks", "default", "internal")->boolean);
        assert_null(node_get(root, "version"));
        assert_null(node_get(root, "x-base"));
        assert_string_equal(at(root, "x-tallyman", "files", "web.env")->text,
                            app_files_find(c.files, "web.env")->digest.text + strlen("sha256:"));
}

static void what_env_files_hold_stays_out(void **state) {
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer text = BUFFER_INIT;
        const struct node *env_files;
        struct compose c;

        (void)state;
        make(yaml, a, &c, &text);
        assert_null(strstr(buffer_str(&text), "secret"));
        assert_null(strstr(buffer_str(&text), "TOKEN"));
        env_files = at(parse_yaml(buffer_str(&text), a), "services", "web", "env_file");
        assert_int_equal(env_files->n, 2);
        assert_string_equal(node_get(env_files->items[0], "path")->text, "web.env");
        assert_false(node_get(env_files->items[0], "required")->boolean);
        assert_string_equal(node_get(env_files->items[1], "format")->text, "raw");
}

static void the_same_release_is_the_same_bytes(void **state) {
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer one = BUFFER_INIT, two = BUFFER_INIT;
        struct compose c;

        (void)state;
        make(yaml, a, &c, &one);
        make(yaml, a, &c, &two);
        assert_int_equal(one.size, two.size);
        assert_memory_equal(one.data, two.data, one.size);
}

/* Read it again, locked: nothing is lost and nothing changes but the keys that say who wrote it. */
static void locking_what_is_locked_keeps_the_services(void **state) {
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer text = BUFFER_INIT, plain = BUFFER_INIT;
        own_fault struct fault fault = FAULT_INIT;
        const struct desired_entry entries[] = { entry_of("apps/shop/web.env", "TOKEN=secret\n") };
        const struct variables none = { 0 };
        struct app_files files;
        struct compose_input in = { .app = "shop", .files = &files, .variables = &none };
        struct compose c, again;

        (void)state;
        make(yaml, a, &c, &text);
        /* Our labels are reserved for us. */
        for (const char *line = buffer_str(&text), *next; *line; line = next) {
                next = strchr(line, '\n') + 1;
                if (!strstr(line, "\"tallyman.") || strstr(line, "\"tallyman.") > next)
                        buffer_append(&plain, line, (size_t)(next - line));
        }
        assert_int_equal(app_files_make("apps/shop", entries, 1, a, &files, &fault), 0);
        if (compose_read(parse_yaml(buffer_str(&plain), a), &in, a, &again, &fault) < 0)
                fail_msg("%u: %s\n%s", fault.line, fault.message, buffer_str(&plain));
        assert_int_equal(again.services.n, 2);
        for (size_t i = 0; i < 2; i++) {
                const struct compose_service *x = (const struct compose_service *)c.services.items + i,
                                             *y = (const struct compose_service *)again.services.items + i;

                assert_string_equal(x->name.text, y->name.text);
                assert_string_equal(x->pinned, image_pinned(&y->ref, a));
                assert_int_equal(x->environment.n, y->environment.n);
                for (size_t k = 0; k < x->environment.n; k++)
                        assert_string_equal(x->environment.items[k].value.text, y->environment.items[k].value.text);
                assert_int_equal(x->command.words.n, y->command.words.n);
                for (size_t k = 0; k < x->command.words.n; k++)
                        assert_string_equal(x->command.words.items[k].text, y->command.words.items[k].text);
                assert_int_equal(x->nano_cpus, y->nano_cpus);
                assert_int_equal(x->grants.n, y->grants.n);
        }
        assert_int_equal(((const struct compose_grant *)compose_find(&again, "web")->grants.items)->mode, 0440);
}

static void a_change_breaks_the_checksum(void **state) {
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer text = BUFFER_INIT;
        struct compose c;

        (void)state;
        make(yaml, a, &c, &text);
        assert_true(lockfile_is_intact(text.data, text.size));
        text.data[text.size - 2] ^= 1;
        assert_false(lockfile_is_intact(text.data, text.size));
        assert_false(lockfile_is_intact("services: {}\n", 13));
        assert_false(lockfile_is_intact("", 0));
        assert_false(lockfile_is_intact("# checksum sha256:", 18));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_reads_back_as_what_runs),
        cmocka_unit_test(what_env_files_hold_stays_out),
        cmocka_unit_test(the_same_release_is_the_same_bytes),
        cmocka_unit_test(locking_what_is_locked_keeps_the_services),
        cmocka_unit_test(a_change_breaks_the_checksum),
};

TEST_GROUP(lockfile, tests);
