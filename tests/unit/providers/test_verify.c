/* SPDX-License-Identifier: Apache-2.0 */

#include "recorded.h"

#include "providers/runtime/docker/verify.h"
#include "tests/lib/group.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void both_stores_prove_a_pinned_index(void **state) {
        for (size_t i = 0; recorded_stores[i]; i++) {
                own_json json_t *image = recorded_json(recorded_stores[i], "image");

                assert_int_equal(verify_image(image, RECORDED_PINNED), IMAGE_PROOF_REPO_DIGEST);
        }
}

static void neither_store_proves_another_digest_or_repository(void **state) {
        own_json json_t *classic = recorded_json("classic", "image"),
                        *containerd = recorded_json("containerd", "image");

        assert_int_equal(verify_image(classic, "127.0.0.1:25000/shop/web@sha256:" HEX), IMAGE_PROOF_NONE);
        assert_int_equal(verify_image(containerd, "127.0.0.1:25000/shop/web@sha256:" HEX), IMAGE_PROOF_NONE);
        assert_int_equal(verify_image(classic, "127.0.0.1:25000/shop/other@" RECORDED_INDEX), IMAGE_PROOF_NONE);
        /* There the id itself is the digest of the bytes, whatever they are called. */
        assert_int_equal(verify_image(containerd, "127.0.0.1:25000/shop/other@" RECORDED_INDEX), IMAGE_PROOF_TARGET);
}

static void nothing_is_proven_by_an_answer_that_is_not_one(void **state) {
        own_json json_t *empty = json_object(),
                        *odd = json_pack("{ss s[i s n]}", "Id", "x", "RepoDigests", 1, "not a reference");

        assert_int_equal(verify_image(empty, RECORDED_PINNED), IMAGE_PROOF_NONE);
        assert_int_equal(verify_image(odd, RECORDED_PINNED), IMAGE_PROOF_NONE);
        assert_int_equal(verify_image(NULL, RECORDED_PINNED), IMAGE_PROOF_NONE);
        assert_int_equal(verify_image(odd, "no-digest"), IMAGE_PROOF_NONE);
}

static void short_and_long_names_are_the_same_reference(void **state) {
        assert_true(verify_same_reference("nginx@sha256:" HEX, "docker.io/library/nginx@sha256:" HEX));
        assert_true(verify_same_reference("a/b@sha256:" HEX, "docker.io/a/b@sha256:" HEX));
        assert_false(verify_same_reference("nginx@sha256:" HEX, "quay.io/library/nginx@sha256:" HEX));
        assert_false(verify_same_reference("nginx@sha256:" HEX, "nginx@" RECORDED_INDEX));
        assert_false(verify_same_reference("nginx", "nginx"));
}

static void a_container_is_judged_by_what_is_known(void **state) {
        static const char other[] = "sha256:" HEX;
        static const struct {
                const char *image_id, *label_image, *label_image_id;
                enum image_verdict verdict;
        } table[] = {
                { RECORDED_CONFIG, RECORDED_PINNED, RECORDED_CONFIG, IMAGE_MATCHES }, /* classic, made by us */
                { RECORDED_INDEX, RECORDED_PINNED, RECORDED_INDEX, IMAGE_MATCHES },   /* containerd */
                { RECORDED_INDEX, NULL, NULL, IMAGE_MATCHES },                        /* containerd, labels lost */
                { RECORDED_CONFIG, NULL, NULL, IMAGE_ASK },
                /* labels copied, another image */
                { other, RECORDED_PINNED, RECORDED_CONFIG, IMAGE_ASK },
                { RECORDED_CONFIG, "x@sha256:" HEX, RECORDED_CONFIG, IMAGE_ASK }, /* made from another pin */
                { NULL, RECORDED_PINNED, RECORDED_CONFIG, IMAGE_DIFFERS },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                const struct image_facts facts = { RECORDED_PINNED, table[i].image_id, table[i].label_image,
                                                   table[i].label_image_id };

                assert_int_equal(verify_container(&facts), table[i].verdict);
        }
}

static void what_the_engine_holds_decides(void **state) {
        own_json json_t *classic = recorded_json("classic", "image");
        struct image_facts facts = { .pinned = RECORDED_PINNED, .image_id = RECORDED_CONFIG };

        assert_true(verify_inspected(&facts, classic));
        assert_false(verify_inspected(&facts, NULL));
        facts.image_id = "sha256:" HEX;
        assert_false(verify_inspected(&facts, classic));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_stores_prove_a_pinned_index),
        cmocka_unit_test(neither_store_proves_another_digest_or_repository),
        cmocka_unit_test(nothing_is_proven_by_an_answer_that_is_not_one),
        cmocka_unit_test(short_and_long_names_are_the_same_reference),
        cmocka_unit_test(a_container_is_judged_by_what_is_known),
        cmocka_unit_test(what_the_engine_holds_decides),
};

TEST_GROUP(verify, tests);
