/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "providers/registry/login.h"
#include "shared/base/reason.h"
#include "tests/lib/group.h"

static void test_only_this_machine_is_loopback(void **state) {
        static const char *const ours[] = {
                "localhost",     "LOCALHOST:5000", "127.0.0.1",  "127.0.0.1:5000",
                "127.255.3.4:1", "[::1]",          "[::1]:5000", "[0:0:0:0:0:0:0:1]:1",
        };
        static const char *const others[] = {
                "localhost.example",  "127.0.0.1.example:5000",
                "128.0.0.1",          "127.1",
                "[::2]:5000",         "[::1",
                "registry.example",   "",
                "[::ffff:127.0.0.1]", "0.0.0.0:5000",
                "10.0.0.1",
        };

        for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
                assert_true(host_is_loopback(ours[i]));
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                assert_false(host_is_loopback(others[i]));
}

static void check_url(const char *realm, const char *registry, const char *expected) {
        const struct challenge c = { .scheme = CHALLENGE_BEARER, .realm = realm, .service = "a service" };
        const struct login login = { .registry = registry, .repository = "library/nginx" };
        own_buffer struct buffer url = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;
        int r = login_token_url(&c, &login, NULL, &url, &f);

        if (expected) {
                assert_int_equal(r, 0);
                assert_string_equal(buffer_str(&url), expected);
                return;
        }
        assert_int_not_equal(r, 0);
        assert_int_equal(f.kind, FAULT_DENIED);
        assert_ptr_equal(f.code, REASON_IMAGE_AUTH);
}

static void test_a_token_is_asked_for_pulling_this_repository(void **state) {
        check_url("https://auth.example/token", "registry.example",
                  "https://auth.example/token?service=a%20service&scope=repository%3Alibrary%2Fnginx%3Apull");
        check_url("https://auth.example/token?v=1", "registry.example",
                  "https://auth.example/token?v=1&service=a%20service&scope=repository%3Alibrary%2Fnginx%3Apull");
}

static void test_the_challenge_says_which_scope(void **state) {
        const struct challenge c = { .realm = "https://auth.example/", .scope = "aws", .scheme = CHALLENGE_BEARER };
        const struct login login = { .registry = "registry.example", .repository = "a" };
        own_buffer struct buffer url = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;

        assert_int_equal(login_token_url(&c, &login, "me@x&y", &url, &f), 0);
        assert_string_equal(buffer_str(&url), "https://auth.example/?scope=aws&account=me%40x%26y");
}

static void test_credentials_go_over_https_only(void **state) {
        check_url("http://auth.example/token", "registry.example", NULL);
        check_url("http://127.0.0.1:8080/token", "registry.example", NULL);
        check_url("http://127.0.0.1:8080/token", "localhost:5000",
                  "http://127.0.0.1:8080/token?service=a%20service&scope=repository%3Alibrary%2Fnginx%3Apull");
        check_url("http://auth.example/token", "localhost:5000", NULL);
        check_url("HTTPS://auth.example/token", "registry.example", NULL);
        check_url("ftp://auth.example/", "registry.example", NULL);
        check_url("/token", "registry.example", NULL);
        check_url("https://", "registry.example", NULL);
        check_url("https:///token", "registry.example", NULL);
        check_url("https://user@auth.example/token", "registry.example", NULL);
        check_url("http://127.0.0.1:1@auth.example/", "localhost:5000", NULL);
        check_url("http://auth.example\\@127.0.0.1/", "localhost:5000", NULL);
        check_url("https://auth.example/a b", "registry.example", NULL);
        check_url("https://auth.example/#token", "registry.example", NULL);
        check_url(NULL, "registry.example", NULL);
}

static void check_token(const char *json, const char *expected) {
        own_secret struct buffer header = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;
        int r = login_token_read(json, strlen(json), &header, &f);

        if (expected) {
                assert_int_equal(r, 0);
                assert_string_equal(buffer_str(&header), expected);
                return;
        }
        assert_int_not_equal(r, 0);
        assert_int_equal(f.kind, FAULT_TRANSIENT);
        assert_ptr_equal(f.code, REASON_REGISTRY_UNAVAILABLE);
        assert_null(strstr(f.message, "secret"));
        assert_int_equal(header.size, 0);
}

static void test_a_token_becomes_a_header(void **state) {
        check_token("{\"token\":\"abc.DEF-1_2~3+/4==\",\"expires_in\":300}",
                    "Authorization: Bearer abc.DEF-1_2~3+/4==");
        check_token("{\"access_token\":\"xyz\"}", "Authorization: Bearer xyz");
}

static void test_what_cannot_be_a_token_gets_into_no_header(void **state) {
        check_token("{\"token\":\"secret\\r\\nX-Other: 1\"}", NULL);
        check_token("{\"token\":\"secret space\"}", NULL);
        check_token("{\"token\":\"secret=a\"}", NULL);
        check_token("{\"token\":\"\"}", NULL);
        check_token("{\"token\":5}", NULL);
        check_token("{}", NULL);
        check_token("[\"secret\"]", NULL);
        check_token("secret", NULL);
        check_token("", NULL);
}

static void test_a_busy_server_says_how_long_to_wait(void **state) {
        struct http_response response = { .status = 429 };
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;

        buffer_puts(&response.headers, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\n\r\n");
        (void)login_fault_busy(&response, "the registry", &f);
        assert_int_equal(f.kind, FAULT_TRANSIENT);
        assert_non_null(strstr(f.hint, "30 seconds"));

        response.status = 503;
        buffer_clear(&response.headers);
        (void)login_fault_busy(&response, "the registry", &g);
        assert_int_equal(g.kind, FAULT_TRANSIENT);
        assert_null(g.hint);
        fault_done(&g);
        http_response_done(&response);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_this_machine_is_loopback),
        cmocka_unit_test(test_a_token_is_asked_for_pulling_this_repository),
        cmocka_unit_test(test_the_challenge_says_which_scope),
        cmocka_unit_test(test_credentials_go_over_https_only),
        cmocka_unit_test(test_a_token_becomes_a_header),
        cmocka_unit_test(test_what_cannot_be_a_token_gets_into_no_header),
        cmocka_unit_test(test_a_busy_server_says_how_long_to_wait),
};

TEST_GROUP(login, tests);
