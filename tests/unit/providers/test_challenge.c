/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "providers/registry/challenge.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "tests/lib/group.h"

static void test_a_bearer_challenge_has_its_parameters(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_arena struct arena *a = arena_new();
        struct challenge *c = NULL;
        size_t n = 0;

        assert_int_equal(
                challenge_parse("Bearer realm=\"https://auth.example/token?x=1,2\",service=\"registry.example\" , "
                                "scope = \"repository:a/b:pull,push\",error=invalid_token",
                                a, &c, &n, &f),
                0);
        assert_int_equal(n, 1);
        assert_int_equal(c[0].scheme, CHALLENGE_BEARER);
        assert_string_equal(c[0].realm, "https://auth.example/token?x=1,2");
        assert_string_equal(c[0].service, "registry.example");
        assert_string_equal(c[0].scope, "repository:a/b:pull,push");
        assert_string_equal(c[0].error, "invalid_token");
}

static void test_one_header_may_hold_several_challenges(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_arena struct arena *a = arena_new();
        struct challenge *c = NULL;
        size_t n = 0;

        assert_int_equal(challenge_parse("Negotiate, NTLM abc+/==, , basic REALM=\"a \\\"b\\\"\", BEARER realm=x", a,
                                         &c, &n, &f),
                         0);
        assert_int_equal(challenge_parse("Digest nonce=\"1\", realm=\"d\"", a, &c, &n, &f), 0);
        assert_int_equal(n, 5);
        assert_int_equal(c[0].scheme, CHALLENGE_OTHER);
        assert_int_equal(c[1].scheme, CHALLENGE_OTHER);
        assert_int_equal(c[2].scheme, CHALLENGE_BASIC);
        assert_string_equal(c[2].realm, "a \"b\"");
        assert_int_equal(c[3].scheme, CHALLENGE_BEARER);
        assert_string_equal(c[3].realm, "x");
        assert_null(c[3].service);
        assert_int_equal(c[4].scheme, CHALLENGE_OTHER);
}

static void test_an_empty_header_asks_for_nothing(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_arena struct arena *a = arena_new();
        struct challenge *c = NULL;
        size_t n = 0;

        assert_int_equal(challenge_parse("", a, &c, &n, &f), 0);
        assert_int_equal(challenge_parse(" ,, ", a, &c, &n, &f), 0);
        assert_int_equal(n, 0);
}

static void refuse(const char *value) {
        own_fault struct fault f = FAULT_INIT;
        own_arena struct arena *a = arena_new();
        struct challenge *c = NULL;
        size_t n = 0;

        assert_int_not_equal(challenge_parse(value, a, &c, &n, &f), 0);
        assert_int_equal(f.kind, FAULT_DENIED);
        assert_ptr_equal(f.code, REASON_IMAGE_AUTH);
}

static void test_what_is_malformed_is_refused(void **state) {
        static const char *const values[] = {
                "Bearer realm=\"open",
                "Bearer realm=\"a\\",
                "Bearer realm=,service=x",
                "Bearer realm=\"a\"service=\"b\"",
                "Bearer realm=\"a\" service=\"b\"",
                "Bearer realm=\"a\",realm=\"b\"",
                "Bearer realm=\"a\",Realm=b",
                "Bearer realm=\"a\x01z\"",
                "Bearer realm=\"a\tz\"",
                "Bearer Basic realm=x",
                "\"quoted\"",
                "=x",
                "Bearer abc def",
                "Bear(er",
                "Basic realm=a;b",
        };

        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
                refuse(values[i]);
}

static void test_limits_are_kept(void **state) {
        char many[LIMIT_CHALLENGE_BYTES + 2];
        size_t at = 0;

        memset(many, 'a', sizeof(many) - 1);
        many[sizeof(many) - 1] = '\0';
        refuse(many);
        for (int i = 0; i <= LIMIT_CHALLENGES; i++)
                at += (size_t)snprintf(many + at, sizeof(many) - at, "Basic,");
        refuse(many);
        at = (size_t)snprintf(many, sizeof(many), "Basic ");
        for (int i = 0; i <= LIMIT_CHALLENGE_PARAMETERS; i++)
                at += (size_t)snprintf(many + at, sizeof(many) - at, "p%d=x,", i);
        refuse(many);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bearer_challenge_has_its_parameters),
        cmocka_unit_test(test_one_header_may_hold_several_challenges),
        cmocka_unit_test(test_an_empty_header_asks_for_nothing),
        cmocka_unit_test(test_what_is_malformed_is_refused),
        cmocka_unit_test(test_limits_are_kept),
};

TEST_GROUP(challenge, tests);
