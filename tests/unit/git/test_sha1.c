/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "shared/base/text.h"
#include "shared/git/sha1.h"
#include "tests/lib/group.h"

static void assert_hex(const uint8_t digest[SHA1_BYTES], const char *expected) {
        char hex[2 * SHA1_BYTES + 1];

        hex_encode(digest, SHA1_BYTES, hex);
        assert_string_equal(hex, expected);
}

/* FIPS 180 examples, and the lengths around a block's end. */
static void digests_of_the_standard_come_out(void **state) {
        static char as[1000000];
        uint8_t digest[SHA1_BYTES];

        (void)state;
        sha1("", 0, digest);
        assert_hex(digest, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        sha1("abc", 3, digest);
        assert_hex(digest, "a9993e364706816aba3e25717850c26c9cd0d89d");
        sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, digest);
        assert_hex(digest, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
        memset(as, 'a', sizeof(as));
        sha1(as, sizeof(as), digest);
        assert_hex(digest, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

/* RFC 2202, cases 1, 2 and 6. */
static void hmacs_of_the_rfc_come_out(void **state) {
        uint8_t key[80], digest[SHA1_BYTES];

        (void)state;
        memset(key, 0x0b, 20);
        sha1_hmac(key, 20, "Hi There", 8, digest);
        assert_hex(digest, "b617318655057264e28bc0b6fb378c8ef146be00");
        sha1_hmac((const uint8_t *)"Jefe", 4, "what do ya want for nothing?", 28, digest);
        assert_hex(digest, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        memset(key, 0xaa, sizeof(key));
        sha1_hmac(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First", 54, digest);
        assert_hex(digest, "aa4ae5e15272d00e95705637ce8a3b55ed402112");
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_of_the_standard_come_out),
        cmocka_unit_test(hmacs_of_the_rfc_come_out),
};

TEST_GROUP(sha1, tests);
