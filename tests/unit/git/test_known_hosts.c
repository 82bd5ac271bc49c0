/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "shared/base/text.h"
#include "shared/git/known_hosts.h"
#include "tests/lib/group.h"

#define KEY   "AAAAC3NzaC1lZDI1NTE5AAAAIBkNP3cA86u+AbD9xlTQzXDOrqKpZakaXm241KY0qzEQ"
#define OTHER "AAAAC3NzaC1lZDI1NTE5AAAAIFIjO38xy6AfmuP0E66/meMK0nbh2WzNrBgLPrn+/kyz"
#define ECDSA \
        "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBIKxZ07n+A/ImHW56PXBSi3910s3ldX/" \
        "xBQc4zS3Gnz2jbw7e/sQIItORCtdP1i1qC0tqldj8mpUPr5cCgf14Mw="
/* ssh-keygen -H on "git.example" and "[git.example]:2222" */
#define HASHED      "|1|taZyIskxThC3PyntZ8+LXm11e5g=|vVgoE2/GEPG4yzzlgr4n4e5NH1w= ssh-ed25519 " KEY "\n"
#define HASHED_PORT "|1|H5FEmFUX65FlF/MPTFssIddM9SQ=|oj/QTCPXYpKmeYR7wXqXRGpNtVc= ssh-ed25519 " KEY "\n"

static struct known_hosts *parse(const char *text) {
        own_fault struct fault f = FAULT_INIT;
        struct known_hosts *k = NULL;

        if (known_hosts_parse("known_hosts", text, strlen(text), &k, &f) < 0)
                fail_msg("%s", f.message);
        return k;
}

static enum host_key_verdict judge(const char *text, const char *host, unsigned port, const char *shown) {
        own_known_hosts struct known_hosts *k = parse(text);
        uint8_t blob[256], digest[32];
        struct host_key key = { .blob = blob };
        struct host_key only_digest = { .sha256 = digest };
        enum host_key_verdict v, w;

        assert_int_equal(sodium_base642bin(blob, sizeof(blob), shown, strlen(shown), NULL, &key.size, NULL,
                                           sodium_base64_VARIANT_ORIGINAL),
                         0);
        crypto_hash_sha256(digest, blob, key.size);
        v = known_hosts_check(k, host, port, &key);
        w = known_hosts_check(k, host, port, &only_digest);
        /* The digest says the same, but for the type. */
        assert_int_equal(w, v == HOST_KEY_OTHER_TYPE ? HOST_KEY_CHANGED : v);
        return v;
}
#define assert_verdict(text, host, port, key, expected) \
        assert_string_equal(host_key_verdict_to_string(judge(text, host, port, key)), \
                            host_key_verdict_to_string(expected))

static void plain_names_patterns_and_ports_match_as_in_openssh(void **state) {
        (void)state;
        assert_verdict("git.example ssh-ed25519 " KEY "\n", "git.example", 0, KEY, HOST_KEY_PINNED);
        assert_verdict("git.example ssh-ed25519 " KEY "\n", "git.example", 22, KEY, HOST_KEY_PINNED);
        assert_verdict("Git.Example ssh-ed25519 " KEY " a comment", "git.example", 0, KEY, HOST_KEY_PINNED);
        assert_verdict("a,git.example,b ssh-ed25519 " KEY "\n", "git.example", 0, KEY, HOST_KEY_PINNED);
        assert_verdict("*.example ssh-ed25519 " KEY "\n", "git.example", 0, KEY, HOST_KEY_PINNED);
        assert_verdict("*.example,!git.example ssh-ed25519 " KEY "\n", "git.example", 0, KEY, HOST_KEY_UNKNOWN);
        assert_verdict("git.example ssh-ed25519 " KEY "\n", "git.example", 2222, KEY, HOST_KEY_UNKNOWN);
        assert_verdict("[git.example]:2222 ssh-ed25519 " KEY "\n", "git.example", 2222, KEY, HOST_KEY_PINNED);
        assert_verdict("[git.example]:2222 ssh-ed25519 " KEY "\n", "git.example", 0, KEY, HOST_KEY_UNKNOWN);
        assert_verdict("git.example.org ssh-ed25519 " KEY "\n", "git.example", 0, KEY, HOST_KEY_UNKNOWN);
}

static void hashed_names_match(void **state) {
        (void)state;
        assert_verdict(HASHED, "git.example", 0, KEY, HOST_KEY_PINNED);
        assert_verdict(HASHED, "git.example", 2222, KEY, HOST_KEY_UNKNOWN);
        assert_verdict(HASHED, "other.example", 0, KEY, HOST_KEY_UNKNOWN);
        assert_verdict(HASHED_PORT, "git.example", 2222, KEY, HOST_KEY_PINNED);
        assert_verdict(HASHED_PORT, "git.example", 2222, OTHER, HOST_KEY_CHANGED);
}

static void another_key_is_told_from_another_type(void **state) {
        static const char text[] = "git.example ssh-ed25519 " KEY "\n";

        (void)state;
        assert_verdict(text, "git.example", 0, OTHER, HOST_KEY_CHANGED);
        assert_verdict(text, "git.example", 0, ECDSA, HOST_KEY_OTHER_TYPE);
        assert_verdict("git.example ssh-ed25519 " OTHER "\ngit.example ssh-ed25519 " KEY "\n", "git.example", 0, KEY,
                       HOST_KEY_PINNED);
}

static void a_revoked_key_is_refused_wherever_the_line_stands(void **state) {
        static const char before[] = "@revoked git.example ssh-ed25519 " KEY "\ngit.example ssh-ed25519 " KEY "\n";
        static const char after[] = "git.example ssh-ed25519 " KEY "\n@revoked * ssh-ed25519 " KEY "\n";

        (void)state;
        assert_verdict(before, "git.example", 0, KEY, HOST_KEY_REVOKED);
        assert_verdict(after, "git.example", 0, KEY, HOST_KEY_REVOKED);
        assert_verdict("@revoked git.example ssh-ed25519 " KEY "\n", "git.example", 0, OTHER, HOST_KEY_UNKNOWN);
}

static void lines_that_are_not_understood_reject_the_file(void **state) {
        static const struct {
                const char *text;
                unsigned line;
                const char *words;
        } cases[] = {
                { "git.example\n", 1, "type is missing" },
                { "git.example ssh-ed25519\n", 1, "key is missing" },
                { "# a comment\n\ngit.example ssh-ed25519 !!!\n", 3, "base64" },
                { "git.example ssh-rsa " KEY "\n", 1, "not of the type" },
                { "git.example ssh-ed25519 AAAA\n", 1, "not of the type" },
                { "@cert-authority *.example ssh-ed25519 " KEY "\n", 1, "certificates" },
                { "@other git.example ssh-ed25519 " KEY "\n", 1, "marker" },
                { "@revoked\n", 1, "host is missing" },
                { "|1|short|x ssh-ed25519 " KEY "\n", 1, "hashed" },
                { "|2|taZyIskxThC3PyntZ8+LXm11e5g=|vVgoE2/GEPG4yzzlgr4n4e5NH1w= ssh-ed25519 " KEY "\n", 1, "hashed" },
                { "a,,b ssh-ed25519 " KEY "\n", 1, "empty name" },
                { "a;b ssh-ed25519 " KEY "\n", 1, "no place" },
                { "git.example ssh-ed25519 " KEY "\r\n", 1, "carriage return" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_fault struct fault f = FAULT_INIT;
                own_known_hosts struct known_hosts *k = NULL;

                assert_int_equal(known_hosts_parse("known_hosts", cases[i].text, strlen(cases[i].text), &k, &f),
                                 -EINVAL);
                assert_int_equal(f.kind, FAULT_CONFIG);
                assert_string_equal(f.path, "known_hosts");
                assert_int_equal(f.line, cases[i].line);
                if (!strstr(f.message, cases[i].words))
                        fail_msg("'%s' does not say '%s'", f.message, cases[i].words);
        }
}

static void the_preferred_line_is_the_best_key_with_a_plain_name(void **state) {
        own_known_hosts struct known_hosts *k = parse("[git.example]:2222 ecdsa-sha2-nistp256 " ECDSA "\n" HASHED_PORT
                                                      "@revoked * ssh-ed25519 " OTHER "\n");
        own_buffer struct buffer line = BUFFER_INIT, types = BUFFER_INIT, none = BUFFER_INIT;

        (void)state;
        known_hosts_put_preferred(k, "git.example", 2222, &line);
        assert_string_equal(buffer_str(&line), "[git.example]:2222 ssh-ed25519 " KEY "\n");
        known_hosts_types(k, "git.example", 2222, &types);
        assert_string_equal(buffer_str(&types), "ecdsa-sha2-nistp256,ssh-ed25519");
        known_hosts_put_preferred(k, "git.example", 22, &none);
        assert_int_equal(none.size, 0);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_names_patterns_and_ports_match_as_in_openssh),
        cmocka_unit_test(hashed_names_match),
        cmocka_unit_test(another_key_is_told_from_another_type),
        cmocka_unit_test(a_revoked_key_is_refused_wherever_the_line_stands),
        cmocka_unit_test(lines_that_are_not_understood_reject_the_file),
        cmocka_unit_test(the_preferred_line_is_the_best_key_with_a_plain_name),
};

TEST_GROUP(known_hosts, tests);
