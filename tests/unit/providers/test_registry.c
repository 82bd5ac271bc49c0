/* SPDX-License-Identifier: Apache-2.0 */

/* Answers of a registry; the exchange itself is tested in tests/integration/registry.sh. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "providers/registry/registry.h"
#include "shared/base/reason.h"
#include "shared/net/http.h"
#include "tests/lib/group.h"

#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define BODY      "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\",\"manifests\":[]}"
#define ZEROS     "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static struct http_response make(const char *type, const char *digest, const char *body) {
        struct http_response r = { .status = 200 };

        buffer_puts(&r.headers, "HTTP/1.1 200 OK\r\n");
        if (type)
                buffer_printf(&r.headers, "Content-Type: %s\r\n", type);
        if (digest)
                buffer_printf(&r.headers, "Docker-Content-Digest: %s\r\n", digest);
        buffer_puts(&r.headers, "\r\n");
        buffer_puts(&r.body, body);
        return r;
}

static void test_the_digest_is_the_one_of_the_bytes(void **state) {
        struct digest expected = digest_of(BODY, strlen(BODY));
        const struct image_ref ref = { .registry = "r", .repository = "a", .tag = "1" };
        const struct image_ref pinned = { .registry = "r", .repository = "a", .digest = expected.text };
        own_http_response struct http_response with = make(OCI_INDEX "; charset=utf-8", expected.text, BODY);
        own_http_response struct http_response without = make(OCI_INDEX, NULL, BODY);
        own_fault struct fault f = FAULT_INIT;
        struct registry_manifest m;

        assert_int_equal(registry_check_manifest(&with, &ref, &m, &f), 0);
        assert_string_equal(m.digest.text, expected.text);
        assert_string_equal(m.media_type, OCI_INDEX);
        assert_int_equal(m.size, strlen(BODY));
        assert_int_equal(registry_check_manifest(&without, &pinned, &m, &f), 0);
        assert_string_equal(m.digest.text, expected.text);
}

static void refuse(const char *type, const char *said, const char *wanted, const char *body, enum fault_kind kind,
                   const char *code) {
        const struct image_ref ref = { .registry = "r", .repository = "a", .tag = "1", .digest = wanted };
        own_http_response struct http_response response = make(type, said, body);
        own_fault struct fault f = FAULT_INIT;
        struct registry_manifest m;

        assert_int_not_equal(registry_check_manifest(&response, &ref, &m, &f), 0);
        assert_int_equal(f.kind, kind);
        assert_ptr_equal(f.code, code);
}

static void test_other_bytes_than_were_announced_are_refused(void **state) {
        refuse(OCI_INDEX, ZEROS, NULL, BODY, FAULT_DENIED, REASON_IMAGE_DIGEST_MISMATCH);
        refuse(OCI_INDEX, "sha512:00", NULL, BODY, FAULT_DENIED, REASON_IMAGE_DIGEST_MISMATCH);
        refuse(OCI_INDEX, digest_of(BODY, strlen(BODY)).text, NULL, BODY " ", FAULT_DENIED,
               REASON_IMAGE_DIGEST_MISMATCH);
}

static void test_other_bytes_than_were_asked_for_are_refused(void **state) {
        refuse(OCI_INDEX, NULL, ZEROS, BODY, FAULT_DENIED, REASON_IMAGE_DIGEST_MISMATCH);
}

static void test_every_digest_header_must_agree(void **state) {
        struct digest right = digest_of(BODY, strlen(BODY));
        own_buffer struct buffer two = BUFFER_INIT;

        buffer_printf(&two, "%s\r\nDocker-Content-Digest: " ZEROS, right.text);
        refuse(OCI_INDEX, buffer_str(&two), NULL, BODY, FAULT_DENIED, REASON_IMAGE_DIGEST_MISMATCH);
}

static void test_what_is_no_manifest_is_refused(void **state) {
        refuse("text/html", NULL, NULL, "<html>", FAULT_TRANSIENT, REASON_REGISTRY_UNAVAILABLE);
        refuse(NULL, NULL, NULL, BODY, FAULT_TRANSIENT, REASON_REGISTRY_UNAVAILABLE);
        refuse("application/vnd.docker.distribution.manifest.v1+prettyjws", NULL, NULL, "{}", FAULT_TRANSIENT,
               REASON_REGISTRY_UNAVAILABLE);
        refuse(OCI_INDEX, NULL, NULL, "", FAULT_TRANSIENT, REASON_REGISTRY_UNAVAILABLE);
        refuse(OCI_INDEX, NULL, NULL, "[]", FAULT_TRANSIENT, REASON_REGISTRY_UNAVAILABLE);
        refuse(OCI_INDEX, NULL, NULL, "{\"a\":1,\"a\":2}", FAULT_TRANSIENT, REASON_REGISTRY_UNAVAILABLE);
}

static void test_a_manifest_that_calls_itself_something_else_is_refused(void **state) {
        refuse("application/vnd.oci.image.manifest.v1+json", NULL, NULL, BODY, FAULT_DENIED,
               REASON_IMAGE_DIGEST_MISMATCH);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_digest_is_the_one_of_the_bytes),
        cmocka_unit_test(test_other_bytes_than_were_announced_are_refused),
        cmocka_unit_test(test_other_bytes_than_were_asked_for_are_refused),
        cmocka_unit_test(test_every_digest_header_must_agree),
        cmocka_unit_test(test_what_is_no_manifest_is_refused),
        cmocka_unit_test(test_a_manifest_that_calls_itself_something_else_is_refused),
};

TEST_GROUP(registry, tests);
