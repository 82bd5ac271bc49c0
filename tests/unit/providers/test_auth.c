/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "providers/runtime/docker/auth.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "tests/lib/group.h"

static int ask(const char *config, const char *registry, struct buffer *out, struct fault *fault) {
        return auth_from_config("config.json", config, strlen(config), registry, out, fault);
}

/* The decoded header for @registry; "" when there are no credentials. */
static const char *header(const char *config, const char *registry, char *buf, size_t size) {
        own_secret struct buffer out = BUFFER_INIT;
        own_fault struct fault fault = FAULT_INIT;
        size_t n = 0;

        if (ask(config, registry, &out, &fault) < 0)
                fail_msg("%s", fault.message);
        if (out.size > 0)
                assert_int_equal(sodium_base642bin((unsigned char *)buf, size - 1, out.data, out.size, NULL, &n, NULL,
                                                   sodium_base64_VARIANT_URLSAFE),
                                 0);
        buf[n] = '\0';
        return buf;
}

static void credentials_are_found_however_the_registry_is_written(void **state) {
        static const char *const keys[] = { "registry.example:5000", "https://registry.example:5000",
                                            "http://registry.example:5000/v2/", "REGISTRY.example:5000/", NULL };
        char config[300], buf[500];

        for (size_t i = 0; keys[i]; i++) {
                (void)snprintf(config, sizeof(config),
                               "{\"auths\": {\"other.example\": {}, \"%s\": {\"auth\": \"YWxpY2U6czNjcmV0OnB3\"}}}",
                               keys[i]);
                assert_string_equal(
                        header(config, "registry.example:5000", buf, sizeof(buf)),
                        "{\"password\":\"s3cret:pw\",\"serveraddress\":\"registry.example:5000\",\"username\":\"alice\"}");
                assert_string_equal(header(config, "registry.example", buf, sizeof(buf)), "");
        }
}

static void docker_hub_goes_by_several_names(void **state) {
        static const char *const keys[] = { "https://index.docker.io/v1/", "docker.io", "index.docker.io",
                                            "registry-1.docker.io", NULL };
        char config[300], buf[500];

        for (size_t i = 0; keys[i]; i++) {
                (void)snprintf(config, sizeof(config),
                               "{\"auths\": {\"%s\": {\"username\": \"a\", \"password\": \"b\"}}}", keys[i]);
                assert_string_equal(
                        header(config, "docker.io", buf, sizeof(buf)),
                        "{\"password\":\"b\",\"serveraddress\":\"https://index.docker.io/v1/\",\"username\":\"a\"}");
        }
}

static void an_identity_token_wins(void **state) {
        char buf[500];

        assert_string_equal(header("{\"auths\": {\"r.example\": {\"auth\": \"YTpi\", \"identitytoken\": \"tok\"}}}",
                                   "r.example", buf, sizeof(buf)),
                            "{\"identitytoken\":\"tok\",\"serveraddress\":\"r.example\"}");
}

static void a_broken_file_is_a_fault_that_shows_no_secret(void **state) {
        static const char *const bad[] = {
                "hunter2",
                "[\"hunter2\"]",
                "{\"auths\": {\"r.example\": {\"auth\": \"!!hunter2!!\"}}}",
                "{\"auths\": {\"r.example\": {\"auth\": \"aHVudGVyMg==\"}}}", /* no colon */
                "{\"credHelpers\": {\"r.example\": \"../hunter2\"}}",
                "{\"credsStore\": \"a b;hunter2\"}",
                NULL,
        };

        for (size_t i = 0; bad[i]; i++) {
                own_secret struct buffer out = BUFFER_INIT;
                own_fault struct fault fault = FAULT_INIT;

                assert_true(ask(bad[i], "r.example", &out, &fault) < 0);
                assert_int_equal(fault.kind, FAULT_CONFIG);
                assert_null(strstr(fault.message, "hunter2"));
                assert_non_null(strstr(fault.message, "config.json"));
                assert_int_equal(out.size, 0);
        }
}

/* Helpers on a PATH of our own, until helper_done(). */
static char *path_before;

static char *helper_dir(void **state, const char *name, const char *script) {
        static const char template[] = "/tmp/tally-auth-XXXXXX";
        char *dir = strdup(template), path[200];

        assert_non_null(mkdtemp(dir));
        (void)snprintf(path, sizeof(path), "%s/docker-credential-%s", dir, name);
        {
                own_fault struct fault fault = FAULT_INIT;
                own_buffer struct buffer text = BUFFER_INIT;

                buffer_printf(&text, "#!/bin/sh\n%s\n", script);
                assert_int_equal(file_write(AT_FDCWD, path, text.data, text.size, 0755, &fault), 0);
        }
        (void)snprintf(path, sizeof(path), "%s:/bin:/usr/bin", dir);
        path_before = strdup(getenv("PATH"));
        assert_non_null(path_before);
        assert_int_equal(setenv("PATH", path, 1), 0);
        return dir;
}

static void helper_done(char *dir, const char *name) {
        char path[200];

        (void)snprintf(path, sizeof(path), "%s/docker-credential-%s", dir, name);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(dir), 0);
        free(dir);
        assert_int_equal(setenv("PATH", path_before, 1), 0);
        free(path_before);
}

static void helpers_are_asked_by_their_protocol(void **state) {
        char buf[500];
        char *dir = helper_dir(
                state, "test",
                "read -r server; [ \"$1\" = get ] && printf '{\"ServerURL\":\"%s\",\"Username\":\"bob\",\"Secret\":\"pw of %s\"}' \"$server\" \"$server\"");

        assert_string_equal(header("{\"credHelpers\": {\"r.example\": \"test\"}, \"credsStore\": \"none\"}",
                                   "r.example", buf, sizeof(buf)),
                            "{\"password\":\"pw of r.example\",\"serveraddress\":\"r.example\",\"username\":\"bob\"}");
        assert_string_equal(
                header("{\"credsStore\": \"test\"}", "docker.io", buf, sizeof(buf)),
                "{\"password\":\"pw of https://index.docker.io/v1/\",\"serveraddress\":\"https://index.docker.io/v1/\",\"username\":\"bob\"}");
        helper_done(dir, "test");
}

static void a_helper_that_knows_nothing_leaves_the_file(void **state) {
        char buf[500];
        char *dir = helper_dir(state, "test", "echo 'credentials not found in native keychain'; exit 1");

        assert_string_equal(header("{\"credsStore\": \"test\"}", "r.example", buf, sizeof(buf)), "");
        assert_string_equal(header("{\"credsStore\": \"test\", \"auths\": {\"r.example\": {\"auth\": \"YTpi\"}}}",
                                   "r.example", buf, sizeof(buf)),
                            "{\"password\":\"b\",\"serveraddress\":\"r.example\",\"username\":\"a\"}");
        helper_done(dir, "test");
}

static void a_helper_that_fails_is_a_fault_without_its_output(void **state) {
        own_secret struct buffer out = BUFFER_INIT;
        own_fault struct fault fault = FAULT_INIT, garbage = FAULT_INIT;
        char *dir = helper_dir(state, "test", "echo hunter2; exit 3");

        assert_true(ask("{\"credsStore\": \"test\"}", "r.example", &out, &fault) < 0);
        assert_int_equal(fault.kind, FAULT_TRANSIENT);
        assert_null(strstr(fault.message, "hunter2"));
        helper_done(dir, "test");
        dir = helper_dir(state, "test", "echo '{\"Username\": \"hunter2\"'");
        assert_true(ask("{\"credsStore\": \"test\"}", "r.example", &out, &garbage) < 0);
        assert_null(strstr(garbage.message, "hunter2"));
        helper_done(dir, "test");
}

static void a_missing_file_knows_no_credentials(void **state) {
        own_secret struct buffer out = BUFFER_INIT;
        own_fault struct fault fault = FAULT_INIT;

        assert_int_equal(auth_header("/nonexistent/config.json", "r.example", &out, &fault), 0);
        assert_int_equal(auth_header(NULL, "r.example", &out, &fault), 0);
        assert_int_equal(out.size, 0);
}

static void wiping_leaves_no_string(void **state) {
        own_json json_t *value = json_pack("{s[s{ss}]}", "a", "secret1", "b", "secret2");
        const char *first = json_string_value(json_array_get(json_object_get(value, "a"), 0));

        json_wipe(value);
        for (size_t i = 0; i < strlen("secret1"); i++)
                assert_int_equal(first[i], 0);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_are_found_however_the_registry_is_written),
        cmocka_unit_test(docker_hub_goes_by_several_names),
        cmocka_unit_test(an_identity_token_wins),
        cmocka_unit_test(a_broken_file_is_a_fault_that_shows_no_secret),
        cmocka_unit_test(helpers_are_asked_by_their_protocol),
        cmocka_unit_test(a_helper_that_knows_nothing_leaves_the_file),
        cmocka_unit_test(a_helper_that_fails_is_a_fault_without_its_output),
        cmocka_unit_test(a_missing_file_knows_no_credentials),
        cmocka_unit_test(wiping_leaves_no_string),
};

TEST_GROUP(auth, tests);
