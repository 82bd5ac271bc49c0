/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "shared/data/digest.h"
#include "shared/data/json.h"
#include "tests/lib/group.h"

/* FIPS 180-4, the examples of SHA-256. */
#define EMPTY "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC   "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define LONG  "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"

static void test_published_vectors(void **state) {
        const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

        assert_string_equal(digest_of(NULL, 0).text, EMPTY);
        assert_string_equal(digest_of("abc", 3).text, ABC);
        assert_string_equal(digest_of(text, strlen(text)).text, LONG);
}

static void test_pieces_give_the_digest_of_the_whole(void **state) {
        struct digest_state s;

        digest_begin(&s);
        digest_update(&s, "a", 1);
        digest_update(&s, NULL, 0);
        digest_update(&s, "bc", 2);
        assert_string_equal(digest_end(&s).text, ABC);
}

static void test_json_is_hashed_in_canonical_form(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_json json_t *json = NULL;
        const char text[] = " { \"b\" : [ ] , \"a\" : 1 } ";
        struct digest a, b;

        assert_int_equal(json_parse("x", text, strlen(text), &json, &f), 0);
        a = digest_of_json(json);
        b = digest_of("{\"a\":1,\"b\":[]}", 14);
        assert_true(digest_equal(&a, &b));
}

static void test_only_the_exact_form_is_valid(void **state) {
        assert_true(digest_is_valid(ABC));
        assert_false(digest_is_valid(NULL));
        assert_false(digest_is_valid(""));
        assert_false(digest_is_valid("sha256:"));
        assert_false(digest_is_valid(ABC "0"));
        assert_false(digest_is_valid(ABC "\n"));
        assert_false(digest_is_valid("SHA256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        assert_false(digest_is_valid("sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        assert_false(digest_is_valid("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a"));
        assert_false(digest_is_valid("sha512:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        assert_false(digest_is_valid("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

static void test_hex_and_set_and_equal(void **state) {
        struct digest abc = digest_of("abc", 3), empty = digest_of("", 0), unset = { .text = "" };

        assert_string_equal(digest_hex(&abc), &ABC[7]);
        assert_true(digest_is_set(&abc));
        assert_false(digest_is_set(&unset));
        assert_true(digest_equal(&abc, &abc));
        assert_false(digest_equal(&abc, &empty));
        assert_false(digest_equal(&abc, &unset));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_pieces_give_the_digest_of_the_whole),
        cmocka_unit_test(test_json_is_hashed_in_canonical_form),
        cmocka_unit_test(test_only_the_exact_form_is_valid),
        cmocka_unit_test(test_hex_and_set_and_equal),
};

TEST_GROUP(digest, tests);
