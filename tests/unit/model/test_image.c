/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/model/support.h"

static int parse(const char *text, struct arena *a, struct image_ref *ret, struct fault *reterr) {
        struct text_at at = { .text = text };

        return image_parse(&at, a, ret, reterr);
}

struct good {
        const char *text, *registry, *repository, *tag, *digest;
};

static void references_are_taken_apart_as_every_client_does(void **state) {
        static const struct good cases[] = {
                { "nginx", "docker.io", "library/nginx", NULL, NULL },
                { "nginx:1.27", "docker.io", "library/nginx", "1.27", NULL },
                { "index.docker.io/nginx", "docker.io", "library/nginx", NULL, NULL },
                { "docker.io/nginx", "docker.io", "library/nginx", NULL, NULL },
                { "acme/web", "docker.io", "acme/web", NULL, NULL },
                { "localhost/web", "localhost", "web", NULL, NULL },
                { "localhost:5000/web", "localhost:5000", "web", NULL, NULL },
                { "[::1]:5000/web:v1", "[::1]:5000", "web", "v1", NULL },
                { "registry.example/shop/web:1.4.2@" DIGEST_A, "registry.example", "shop/web", "1.4.2", DIGEST_A },
                { "a__b/c-d.e/f---g@" DIGEST_B, "docker.io", "a__b/c-d.e/f---g", NULL, DIGEST_B },
                { "registry.example:443/a/b/c:_x", "registry.example:443", "a/b/c", "_x", NULL },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                struct image_ref ref;

                assert_int_equal(parse(cases[i].text, a, &ref, &fault), 0);
                assert_string_equal(ref.registry, cases[i].registry);
                assert_string_equal(ref.repository, cases[i].repository);
                assert_true((ref.tag == NULL) == (cases[i].tag == NULL));
                if (ref.tag)
                        assert_string_equal(ref.tag, cases[i].tag);
                assert_true((ref.digest == NULL) == (cases[i].digest == NULL));
                if (ref.digest)
                        assert_string_equal(ref.digest, cases[i].digest);
        }
}

static void what_is_no_reference_is_refused(void **state) {
        static const struct {
                const char *text, *part;
        } cases[] = {
                { "", "it is empty" },
                { "Nginx", "lower case" },
                { "registry.example/", "not a path" },
                { "/web", "not a path" },
                { "a//b", "not a path" },
                { "a/b/", "not a path" },
                { "-web", "not a path" },
                { "web-", "not a path" },
                { "a___b", "not a path" },
                { "a..b", "not a path" },
                { "we b", "not a path" },
                { "web:", "a tag is" },
                { "web:-x", "a tag is" },
                { "web:a b", "a tag is" },
                { "web@sha256:"
                  "abc",
                  "64 lower-case" },
                { "web@sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "64 lower-case" },
                { "web@sha512:abc", "only sha256" },
                { "web@" DIGEST_A "@" DIGEST_A, "64 lower-case" },
                { "-x.example/web", "host[:port]" },
                { "x.example:port/web", "host[:port]" },
                { "x.example:123456/web", "host[:port]" },
                { "[::z]:1/web", "host[:port]" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                struct image_ref ref = { .tag = "untouched" };

                assert_int_equal(parse(cases[i].text, a, &ref, &fault), -EINVAL);
                assert_fault(&fault, "LOAD_INVALID", cases[i].part);
                assert_string_equal(ref.tag, "untouched");
        }
}

static void a_long_name_is_refused(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct image_ref ref;
        char text[300];

        (void)state;
        memset(text, 'a', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        assert_int_equal(parse(text, a, &ref, &fault), -EINVAL);
        assert_fault(&fault, "LOAD_INVALID", "too long");
}

static void the_pinned_form_has_no_tag(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct image_ref ref;

        (void)state;
        assert_int_equal(parse("nginx:1.27@" DIGEST_A, a, &ref, &fault), 0);
        assert_string_equal(image_pinned(&ref, a), "docker.io/library/nginx@" DIGEST_A);
        assert_string_equal(image_name(&ref, a), "docker.io/library/nginx");
        assert_int_equal(image_require_digest(&ref, "web", &fault), 0);
}

static void a_tag_alone_is_refused_with_the_way_out(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct image_ref ref;

        (void)state;
        assert_int_equal(parse("nginx:1.27", a, &ref, &fault), 0);
        assert_int_equal(image_require_digest(&ref, "web", &fault), -EINVAL);
        assert_fault(&fault, "LOAD_TAG_ONLY", "tally lock");
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_taken_apart_as_every_client_does),
        cmocka_unit_test(what_is_no_reference_is_refused),
        cmocka_unit_test(a_long_name_is_refused),
        cmocka_unit_test(the_pinned_form_has_no_tag),
        cmocka_unit_test(a_tag_alone_is_refused_with_the_way_out),
};

TEST_GROUP(image, tests);
