/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/git/url.h"
#include "tests/lib/group.h"

static void every_form_is_taken_apart(void **state) {
        static const struct {
                const char *text;
                enum git_scheme scheme;
                const char *user, *host;
                unsigned port;
                const char *path;
        } cases[] = {
                { "/srv/fleet.git", GIT_SCHEME_LOCAL, NULL, NULL, 0, "/srv/fleet.git" },
                { "./a b/fleet:1", GIT_SCHEME_LOCAL, NULL, NULL, 0, "./a b/fleet:1" },
                { "file:///srv/a%20b", GIT_SCHEME_LOCAL, NULL, NULL, 0, "/srv/a b" },
                { "file://localhost/srv", GIT_SCHEME_LOCAL, NULL, NULL, 0, "/srv" },
                { "https://Git.Example/fleet.git", GIT_SCHEME_HTTPS, NULL, "git.example", 0, "/fleet.git" },
                { "HTTPS://me%40corp@git.example:8443/x", GIT_SCHEME_HTTPS, "me@corp", "git.example", 8443, "/x" },
                { "http://127.0.0.1:80/x", GIT_SCHEME_HTTP, NULL, "127.0.0.1", 80, "/x" },
                { "ssh://git@git.example/fleet.git", GIT_SCHEME_SSH, "git", "git.example", 0, "/fleet.git" },
                { "ssh://git@[::1]:2222/fleet.git", GIT_SCHEME_SSH, "git", "::1", 2222, "/fleet.git" },
                { "git@git.example:org/fleet.git", GIT_SCHEME_SSH, "git", "git.example", 0, "org/fleet.git" },
                { "git.example:/srv/fleet.git", GIT_SCHEME_SSH, NULL, "git.example", 0, "/srv/fleet.git" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_git_url struct git_url u = { 0 };
                own_fault struct fault f = FAULT_INIT;

                assert_int_equal(git_url_parse(cases[i].text, &u, &f), 0);
                assert_int_equal(u.scheme, cases[i].scheme);
                assert_true(str_eq(u.user, cases[i].user));
                assert_true(str_eq(u.host, cases[i].host));
                assert_int_equal(u.port, cases[i].port);
                assert_string_equal(u.path, cases[i].path);
        }
}

static void what_cannot_be_used_says_why(void **state) {
        static const struct {
                const char *text, *words;
        } cases[] = {
                { "", "is empty" },
                { "--upload-pack=x", "starts with '-'" },
                { "git://git.example/x", "scheme" },
                { "ext::sh -c id", "helper" },
                { "https://git.example/x\n", "control" },
                { "https:///x", "host name" },
                { "https://git.example:0/x", "port" },
                { "https://git.example:65536/x", "port" },
                { "https://git.example:8a/x", "port" },
                { "https://a@-b/x", "host name" },
                { "https://git.example/x?y", "'?'" },
                { "https://127.0.0.1/x", "IP address" },
                { "https://[::1]/x", "IP address" },
                { "https://0x7f.1/x", "IP address" },
                { "https://2130706433/x", "IP address" },
                { "ssh://git@git.example/x'y", "quote" },
                { "ssh://-oProxyCommand=x/y", "host name" },
                { "ssh://-oProxyCommand@host/y", "user name" },
                { "git@git.example:-x", "path" },
                { "ssh://git.example/", "path" },
                { "file://elsewhere/srv", "another host" },
                { "https://us%0aer@git.example/x", "control" },
                { "https://us%4@git.example/x", "hexadecimal" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_fault struct fault f = FAULT_INIT;
                own_git_url struct git_url u = { 0 };

                assert_int_equal(git_url_parse(cases[i].text, &u, &f), -EINVAL);
                assert_int_equal(f.kind, FAULT_CONFIG);
                if (!strstr(f.message, cases[i].words))
                        fail_msg("'%s' does not say '%s'", f.message, cases[i].words);
        }
}

static void a_password_is_refused_and_never_shown(void **state) {
        static const char *const urls[] = { "https://user:s3cret@git.example/x", "ssh://git:s3cret@git.example/x",
                                            "https://user:s3cret/s3cret@git.example/x",
                                            "https://user:s3cret@bad host/x" };

        (void)state;
        for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
                own_fault struct fault f = FAULT_INIT;
                own_git_url struct git_url u = { 0 };

                assert_int_equal(git_url_parse(urls[i], &u, &f), -EINVAL);
                assert_null(strstr(f.message, "s3cret"));
                assert_true(!f.hint || !strstr(f.hint, "s3cret"));
        }
}

static void redaction_finds_passwords_and_tokens_anywhere(void **state) {
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "nothing here: a@b", "nothing here: a@b" },
                { "fetching https://u:p@h/x failed", "fetching https://***@h/x failed" },
                { "https://token@h/x", "https://***@h/x" },
                { "ssh://git@h/x", "ssh://git@h/x" },
                { "ssh://git:p@h/x", "ssh://git:***@h/x" },
                { "'http://a:b@c' and 'https://d:e@f'", "'http://***@c' and 'https://***@f'" },
                { "https://u:p/w@h/x", "https://***@h/x" },
                { "https://h:8443/x@y", "https://h:8443/x@y" },
                { "https://h/x@y", "https://h/x@y" },
                { "://", "://" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_buffer struct buffer out = BUFFER_INIT;

                git_redact(cases[i].in, &out);
                assert_string_equal(buffer_str(&out), cases[i].out);
        }
}

static void addresses_are_told_from_names(void **state) {
        static const char *const addresses[] = { "127.0.0.1", "127.1",        "1",        "0x7f000001", "0",
                                                 "::1",       "fe80::1%eth0", "10.0.0.1." };
        static const char *const names[] = { "git.example", "localhost", "1.example", "0x.example", "a1", "xn--1" };

        (void)state;
        for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
                assert_true(git_host_is_address(addresses[i]));
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                assert_false(git_host_is_address(names[i]));
}

static void a_url_beyond_the_limit_is_refused(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_git_url struct git_url u = { 0 };
        char text[LIMIT_URL_BYTES + 2];

        (void)state;
        memset(text, 'a', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        assert_int_equal(git_url_parse(text, &u, &f), -EINVAL);
        text[LIMIT_URL_BYTES] = '\0';
        fault_done(&f);
        assert_int_equal(git_url_parse(text, &u, &f), 0);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_taken_apart),
        cmocka_unit_test(what_cannot_be_used_says_why),
        cmocka_unit_test(a_password_is_refused_and_never_shown),
        cmocka_unit_test(redaction_finds_passwords_and_tokens_anywhere),
        cmocka_unit_test(addresses_are_told_from_names),
        cmocka_unit_test(a_url_beyond_the_limit_is_refused),
};

TEST_GROUP(url, tests);
