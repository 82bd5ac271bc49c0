/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/model/support.h"

#define COMPOSE \
        "services:\n  web: {image: \"registry.example/shop/web:1.4.2\", configs: [c]}\n" \
        "  db: {image: \"db@" DIGEST_B "\"}\nconfigs: {c: {file: c.txt}}\n"

static struct digest id_of(const char *compose, const char *config, const char *version, const char *pin) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        const struct desired_entry entries[] = { entry_of("apps/shop/compose.yaml", compose),
                                                 entry_of("apps/shop/c.txt", config) };
        const struct variables none = { 0 };
        struct string_pair pair = { .key.text = "web", .value.text = pin };
        struct string_map pins = { .items = &pair, .n = 1 };
        struct app_files files;
        struct compose_input in = { .app = "shop", .files = &files, .variables = &none };
        struct compose c;

        assert_int_equal(app_files_make("apps/shop", entries, 2, a, &files, &fault), 0);
        assert_int_equal(compose_read(parse_yaml(compose, a), &in, a, &c, &fault), 0);
        assert_int_equal(compose_pin(&c, &pins, a, &fault), 0);
        return release_id("shop", version, &c, &files);
}

#define PIN "registry.example/shop/web:1.4.2@" DIGEST_A

static void the_id_is_the_hash_of_the_documented_json(void **state) {
        struct digest id = id_of(COMPOSE, "hello\n", "1.4.2", PIN);

        (void)state;
        /* Computed apart from this program, from the format in release.h. */
        assert_string_equal(id.text, "sha256:b59b5f68c49df81db27bdaff075f60b2be94ff5b3b90d1184e58899dd7c7ea65");
}

static void a_tag_is_a_comment_and_all_else_counts(void **state) {
        struct digest id = id_of(COMPOSE, "hello\n", "1.4.2", PIN);
        struct digest retagged = id_of(COMPOSE, "hello\n", "1.4.2", "registry.example/shop/web:latest@" DIGEST_A);
        struct digest others[] = {
                id_of(COMPOSE, "hello", "1.4.2", PIN),
                id_of(COMPOSE "# x\n", "hello\n", "1.4.2", PIN),
                id_of(COMPOSE, "hello\n", "1.4.3", PIN),
                id_of(COMPOSE, "hello\n", "1.4.2", "registry.example/shop/web@" DIGEST_B),
                id_of(COMPOSE, "hello\n", "1.4.2", "registry.example/shop/webs@" DIGEST_A),
        };

        (void)state;
        assert_true(digest_equal(&id, &retagged));
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                assert_false(digest_equal(&id, &others[i]));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_id_is_the_hash_of_the_documented_json),
        cmocka_unit_test(a_tag_is_a_comment_and_all_else_counts),
};

TEST_GROUP(release, tests);
